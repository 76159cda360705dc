package local

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// kafkaConfig is server.properties: one node that is broker and controller, on 127.0.0.1, every internal topic
// with a single copy. The words in braces are filled in.
const kafkaConfig = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={dir}/data
num.partitions=6
auto.create.topics.enable=false
delete.topic.enable=true
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=6
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# After kill -9 the node waits for its former self's session to end.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2500
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
`

// kafkaLog sends the broker's warnings and errors to standard output, which is its log file.
const kafkaLog = `status=error
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
`

// writeKafkaConfig writes the broker's files into the folder and returns the path of server.properties.
func writeKafkaConfig(dir string, port, controller int) (string, error) {
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return "", fmt.Errorf("make Kafka's data folder: %w", err)
	}
	if strings.ContainsAny(dir, "\\,\n") {
		return "", fmt.Errorf("a local Kafka cannot keep data below %q: choose a folder without comma, backslash or newline in its path", dir)
	}
	if err := os.WriteFile(filepath.Join(dir, "log4j2.properties"), []byte(kafkaLog), 0o600); err != nil {
		return "", fmt.Errorf("write Kafka's log settings: %w", err)
	}
	text := strings.NewReplacer("{dir}", dir, "{port}", strconv.Itoa(port), "{controller}", strconv.Itoa(controller)).Replace(kafkaConfig)
	path := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write Kafka's settings: %w", err)
	}
	return path, nil
}

// clusterID is a new cluster id as Kafka writes them: a UUID in URL-safe base64, without a leading dash, which
// the command line would take for an option.
func clusterID() string {
	for {
		id := uuid.New()
		if text := base64.RawURLEncoding.EncodeToString(id[:]); text[0] != '-' {
			return text
		}
	}
}
