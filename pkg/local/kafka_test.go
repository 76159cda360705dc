package local_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cairnhq/cairn/pkg/local"
)

func startKafka(t *testing.T, dir string) *local.Kafka {
	t.Helper()
	k, err := local.StartKafka(t.Context(), local.KafkaOptions{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.Stop()) })
	return k
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr))...)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

// write has an independent client write the values to the topic "kept", acknowledged by all replicas.
func write(t *testing.T, addr string, values ...string) {
	t.Helper()
	w := &kafka.Writer{Addr: kafka.TCP(addr), Topic: "kept", RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, MaxAttempts: 20}
	var messages []kafka.Message
	for _, v := range values {
		messages = append(messages, kafka.Message{Key: []byte("k"), Value: []byte(v)})
	}
	require.NoError(t, w.WriteMessages(t.Context(), messages...))
	require.NoError(t, w.Close())
}

// read reads that many committed values of the topic.
func read(t *testing.T, addr, topic string, n int) []string {
	t.Helper()
	cl := client(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var got []string
	for len(got) < n {
		fetches := cl.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "read %d of %d", len(got), n)
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	return got
}

// The broker keeps its cluster and its records over a stop, over kill -9 and over a change of ports.
func TestKafkaOpensItsFolderAgain(t *testing.T) {
	needKafka(t)
	dir := t.TempDir()
	k := startKafka(t, dir)
	adm := kadm.NewClient(client(t, k.Addr()))
	_, err := adm.CreateTopic(t.Context(), 1, 1, nil, "kept")
	require.NoError(t, err)
	id := clusterID(t, adm)
	write(t, k.Addr(), "one", "two")
	require.NoError(t, k.Stop())

	k = startKafka(t, dir)
	require.Equal(t, id, clusterID(t, kadm.NewClient(client(t, k.Addr()))))
	require.Equal(t, []string{"one", "two"}, read(t, k.Addr(), "kept", 2))
	write(t, k.Addr(), "three")
	require.NoError(t, syscall.Kill(k.PID(), syscall.SIGKILL))
	<-k.Done()
	require.NoError(t, k.Stop())

	k = startKafka(t, dir)
	require.Equal(t, []string{"one", "two", "three"}, read(t, k.Addr(), "kept", 3))
}

func clusterID(t *testing.T, adm *kadm.Client) string {
	t.Helper()
	m, err := adm.BrokerMetadata(t.Context())
	require.NoError(t, err)
	return m.Cluster
}

// The broker runs transactions of the second version, which the sessionizer's guarantees rest on, and creates no
// topic by itself.
func TestKafkaRunsTransactions(t *testing.T) {
	needKafka(t)
	k := startKafka(t, t.TempDir())
	cl := client(t, k.Addr(), kgo.TransactionalID("x"), kgo.DefaultProduceTopic("tx"))
	adm := kadm.NewClient(cl)
	_, err := adm.CreateTopic(t.Context(), 1, 1, nil, "tx")
	require.NoError(t, err)
	for _, step := range []struct {
		value string
		end   kgo.TransactionEndTry
	}{{"aborted", kgo.TryAbort}, {"committed", kgo.TryCommit}} {
		require.NoError(t, cl.BeginTransaction())
		require.NoError(t, cl.ProduceSync(t.Context(), kgo.StringRecord(step.value)).FirstErr())
		require.NoError(t, cl.EndTransaction(t.Context(), step.end))
	}
	require.Equal(t, []string{"committed"}, read(t, k.Addr(), "tx", 1))

	require.Equal(t, int16(2), transactionVersion(t, cl))
	meta, err := adm.Metadata(t.Context(), "made.by.nobody")
	require.NoError(t, err)
	require.ErrorContains(t, meta.Topics["made.by.nobody"].Err, "UNKNOWN_TOPIC")
}

// transactionVersion is the level at which the cluster has finalized the feature transaction.version.
func transactionVersion(t *testing.T, cl *kgo.Client) int16 {
	t.Helper()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "cairn", "test"
	resp, err := req.RequestWith(t.Context(), cl)
	require.NoError(t, err)
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "transaction.version" {
			return f.MaxVersionLevel
		}
	}
	return 0
}

func TestKafkaFolderHasOneOwnerAndDiesWithIt(t *testing.T) {
	needKafka(t)
	dir := t.TempDir()
	parent, kill := startParent(t, "kafka", dir)
	_, err := local.StartKafka(t.Context(), local.KafkaOptions{Dir: dir})
	require.ErrorContains(t, err, "the data folder "+dir+" is in use by another process")
	kill()
	requireGone(t, parent.PID)
	startKafka(t, dir)
}

func TestMissingKafka(t *testing.T) {
	t.Run("jars", func(t *testing.T) {
		needKafka(t)
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		_, err := local.StartKafka(t.Context(), local.KafkaOptions{Dir: t.TempDir()})
		require.ErrorContains(t, err, `run "make deps"`)
	})
	t.Run("java", func(t *testing.T) {
		t.Setenv("JAVA_HOME", t.TempDir())
		_, err := local.StartKafka(t.Context(), local.KafkaOptions{Dir: t.TempDir()})
		require.ErrorContains(t, err, "a local Kafka needs Java 17 or newer")
	})
	t.Run("old java", func(t *testing.T) {
		home := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(home, "bin"), 0o700))
		script := "#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n"
		require.NoError(t, os.WriteFile(filepath.Join(home, "bin", "java"), []byte(script), 0o700)) //nolint:gosec // it is to be run
		t.Setenv("JAVA_HOME", home)
		_, err := local.StartKafka(t.Context(), local.KafkaOptions{Dir: t.TempDir()})
		require.ErrorContains(t, err, "is Java 8")
	})
}

// The pom that Maven reads names the version that the code looks for.
func TestPomNamesTheVersion(t *testing.T) {
	pom, err := os.ReadFile("../../deployments/local/pom.xml")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(pom), "<artifactId>kafka_2.13</artifactId>")
	require.True(t, found)
	require.True(t, strings.HasPrefix(strings.TrimSpace(after), "<version>"+local.KafkaVersion+"</version>"))
}
