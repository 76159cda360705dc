package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

// KafkaOptions say how to run the broker.
type KafkaOptions struct {
	Dir    string      // data, configuration and log; made if missing
	Port   int         // clients, on 127.0.0.1; 0 picks a free one
	HeapMB int         // Java's heap, in MiB; 0 means 512
	Log    *zap.Logger // may be nil
}

// Kafka is a running broker.
type Kafka struct {
	proc *process
	lock *Lock
	port int
}

const (
	kafkaStopBound  = 30 * time.Second
	kafkaStartBound = 90 * time.Second
	kafkaHeapMB     = 512
	javaVersion     = 17 // the least that Kafka 4 runs on
)

// StartKafka runs a real Kafka broker (one node, KRaft mode) on the folder and returns once it answers. ctx
// bounds the start only; Stop ends it. It may be opened again on the same folder after any end, and keeps its
// cluster id; the port may change.
func StartKafka(ctx context.Context, o KafkaOptions) (*Kafka, error) {
	java, err := findJava(ctx)
	if err != nil {
		return nil, err
	}
	jars, err := KafkaJars()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	lock, err := lockSoon(ctx, dir)
	if err != nil {
		return nil, err
	}
	k := &Kafka{lock: lock}
	// The controller's port is always picked here.
	if err := retryStart(true, func() error { return k.start(ctx, o, dir, java, jars) }); err != nil {
		lock.Unlock()
		return nil, err
	}
	if o.Log != nil {
		o.Log.Info("kafka started", zap.Int("pid", k.PID()), zap.Int("port", k.port))
	}
	return k, nil
}

// findJava is the java command, which must be new enough.
func findJava(ctx context.Context) (string, error) {
	name := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		name = filepath.Join(home, "bin", "java")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("a local Kafka needs Java %d or newer and %q is not found: install it (Debian: apt-get install openjdk-17-jre-headless), or name a running Kafka", javaVersion, name)
	}
	out, err := exec.CommandContext(ctx, path, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s -version: %w", path, err)
	}
	if v := javaMajor(string(out)); v < javaVersion {
		return "", fmt.Errorf("a local Kafka needs Java %d or newer and %s is Java %d: install a newer one or set JAVA_HOME", javaVersion, path, v)
	}
	return path, nil
}

// javaMajor reads 17 from the output of java -version: openjdk version "17.0.15" 2025-04-15. 0 if it says nothing.
func javaMajor(out string) int {
	m := regexp.MustCompile(`version "(?:1\.)?(\d+)`).FindStringSubmatch(out)
	if m == nil {
		return 0
	}
	v, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	return v
}

func (k *Kafka) start(ctx context.Context, o KafkaOptions, dir, java, jars string) (err error) {
	if k.port, err = choosePort(ctx, o.Port, "--kafka-port"); err != nil {
		return err
	}
	controller, err := FreePort()
	if err != nil {
		return err
	}
	properties, err := writeKafkaConfig(dir, k.port, controller)
	if err != nil {
		return err
	}
	classpath := filepath.Join(jars, "*")
	if err := formatStorage(ctx, java, classpath, dir, properties); err != nil {
		return err
	}
	heap := o.HeapMB
	if heap == 0 {
		heap = kafkaHeapMB
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), java, "-Xms128m", fmt.Sprintf("-Xmx%dm", heap), "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-Djava.awt.headless=true", "-Dlog4j2.configurationFile="+filepath.Join(dir, "log4j2.properties"),
		"-cp", classpath, "kafka.Kafka", properties)
	cmd.Dir = dir
	cmd.Env = childEnvironment()
	if k.proc, err = startProcess("Kafka", cmd, filepath.Join(dir, "kafka.log"), false); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, kafkaStartBound)
	defer cancel()
	if err := k.proc.waitReady(ctx, 100*time.Millisecond, k.probe); err != nil {
		_ = k.proc.stop(kafkaStopBound) // the first error tells more
		return err
	}
	return nil
}

// formatStorage prepares an empty data folder, once: the cluster id is random and kept in meta.properties.
func formatStorage(ctx context.Context, java, classpath, dir, properties string) error {
	if _, err := os.Stat(filepath.Join(dir, "data", "meta.properties")); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at Kafka's data folder: %w", err)
	}
	cmd := exec.CommandContext(ctx, java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", classpath,
		"-Dlog4j2.configurationFile="+filepath.Join(dir, "log4j2.properties"),
		"kafka.tools.StorageTool", "format", "-t", clusterID(), "-c", properties)
	cmd.Env = childEnvironment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format Kafka's data folder %s: %w: %s", dir, err, out)
	}
	return nil
}

// probe asks for the cluster's metadata: the broker answers once it has registered with its controller.
func (k *Kafka) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	if len(resp.Brokers) == 0 {
		return errors.New("it has no broker yet")
	}
	return nil
}

// Addr is host:port for clients.
func (k *Kafka) Addr() string { return address(k.port) }

// PID is the broker's process id.
func (k *Kafka) PID() int { return k.proc.cmd.Process.Pid }

// Done is closed when the broker has ended, by Stop or by itself.
func (k *Kafka) Done() <-chan struct{} { return k.proc.done }

// Err tells how the broker ended. Only valid once Done is closed.
func (k *Kafka) Err() error { return k.proc.exitError() }

// Stop ends the broker: SIGTERM, and SIGKILL if it has not gone after a while.
func (k *Kafka) Stop() error {
	defer k.lock.Unlock()
	return k.proc.stop(kafkaStopBound)
}
