package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	tckafka "github.com/testcontainers/testcontainers-go/modules/kafka"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/stream"
)

// KafkaEnv is a test's share of a Kafka: topics and groups whose names start with Namespace and a dot.
type KafkaEnv struct {
	Cluster   stream.Cluster
	Namespace string
}

// kafkaServer is a Kafka that the tests of this binary share.
type kafkaServer struct{ brokers []string }

const (
	startBound   = 3 * time.Minute  // of a server, fetching its image included
	cleanupBound = 30 * time.Second // of one test's topics or databases
	// kafkaImage is Kafka 4 in the packaging that testcontainers' module knows how to start.
	kafkaImage = "confluentinc/confluent-local:8.0.0"
)

// Kafka gives the test a namespace of its own on a real Kafka. Its topics are deleted when the test ends.
func Kafka(tb testing.TB) *KafkaEnv {
	tb.Helper()
	server, err := shared.kafka()
	if err != nil {
		Require(tb, "there is no Kafka for tests: "+err.Error())
	}
	env := &KafkaEnv{Cluster: stream.Cluster{Brokers: server.brokers}, Namespace: namespace(tb)}
	tb.Cleanup(func() { deleteTopics(tb, env) })
	return env
}

// Fake gives the test a kfake of its own, in memory: a Kafka for unit tests, in this process.
func Fake(tb testing.TB) stream.Cluster {
	tb.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(6))
	if err != nil {
		tb.Fatalf("start kfake: %v", err)
	}
	tb.Cleanup(fake.Close)
	return stream.Cluster{Brokers: fake.ListenAddrs()}
}

// startKafka finds or starts the Kafka of this binary. The error names every way that was tried.
func (b *bed) startKafka() (kafkaServer, error) {
	if list := os.Getenv(envKafka); list != "" {
		return kafkaServer{brokers: strings.Split(list, ",")}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startBound)
	defer cancel()
	noExternal := fmt.Errorf("%s is not set", envKafka)
	brokers, noDocker := b.kafkaContainer(ctx)
	if noDocker == nil {
		return kafkaServer{brokers: brokers}, nil
	}
	dir, err := b.folder("kafka")
	if err != nil {
		return kafkaServer{}, err
	}
	k, noLocal := local.StartKafka(ctx, local.KafkaOptions{Dir: dir})
	if noLocal != nil {
		return kafkaServer{}, errors.Join(noExternal, noDocker, noLocal)
	}
	b.atEnd(k.Stop)
	return kafkaServer{brokers: []string{k.Addr()}}, nil
}

func (b *bed) kafkaContainer(ctx context.Context) ([]string, error) {
	if err := dockerAnswers(ctx); err != nil {
		return nil, err
	}
	c, err := tckafka.Run(ctx, kafkaImage, tckafka.WithClusterID("cairn-testbed"), testcontainers.WithEnv(map[string]string{
		"KAFKA_AUTO_CREATE_TOPICS_ENABLE":            "false",
		"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "6",
	}))
	if c != nil {
		b.atEnd(func() error { return testcontainers.TerminateContainer(c) })
	}
	if err != nil {
		return nil, fmt.Errorf("start the container %s: %w", kafkaImage, err)
	}
	return c.Brokers(ctx)
}

// dockerAnswers says why no container can be started, if so.
func dockerAnswers(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil { // testcontainers panics where it finds no socket at all
			err = fmt.Errorf("no Docker engine answers: %v", r)
		}
	}()
	provider, err := testcontainers.ProviderDocker.GetProvider()
	if err == nil {
		err = provider.Health(ctx)
	}
	if err != nil {
		return fmt.Errorf("no Docker engine answers: %w", err)
	}
	return nil
}

// deleteTopics removes what the test has left.
func deleteTopics(tb testing.TB, env *KafkaEnv) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), cleanupBound)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(env.Cluster.Brokers...))
	if err != nil {
		tb.Errorf("clean up Kafka: %v", err)
		return
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		tb.Errorf("clean up Kafka: %v", err)
		return
	}
	var mine []string
	for name := range topics {
		if strings.HasPrefix(name, env.Namespace+".") {
			mine = append(mine, name)
		}
	}
	if len(mine) == 0 {
		return
	}
	if _, err := adm.DeleteTopics(ctx, mine...); err != nil {
		tb.Errorf("clean up Kafka: %v", err)
	}
}
