package testbed_test

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// An independent client writes, ours reads, inside the test's own namespace, which is gone afterwards.
func TestKafkaCarriesRecordsOfAnIndependentClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var topic string
	var cluster stream.Cluster
	t.Run("use", func(t *testing.T) {
		env := testbed.Kafka(t) //nolint:contextcheck // it cleans up when the test has ended, and its context with it
		cluster, topic = env.Cluster, stream.Qualify(env.Namespace, "things")
		cl, err := stream.NewClient(env.Cluster, "test", nil, nil, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		require.NoError(t, err)
		defer cl.Close()
		_, err = kadm.NewClient(cl).CreateTopic(ctx, 3, 1, nil, topic)
		require.NoError(t, err)

		w := &kafka.Writer{Addr: kafka.TCP(env.Cluster.Brokers...), Topic: topic, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, MaxAttempts: 20}
		require.NoError(t, w.WriteMessages(ctx, kafka.Message{Key: []byte("k"), Value: []byte("one")}, kafka.Message{Key: []byte("k"), Value: []byte("two")}))
		require.NoError(t, w.Close())

		var got []string
		for len(got) < 2 {
			fetches := cl.PollFetches(ctx)
			require.NoError(t, fetches.Err())
			fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
		}
		require.Equal(t, []string{"one", "two"}, got)
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers...))
	require.NoError(t, err)
	defer cl.Close()
	topics, err := kadm.NewClient(cl).ListTopics(ctx)
	require.NoError(t, err)
	require.NotContains(t, topics, topic, "the namespace's topics are deleted with the test")
}

func TestClickHouseDropsTheNamespace(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var dsn, name string
	t.Run("use", func(t *testing.T) {
		env := testbed.ClickHouse(t) //nolint:contextcheck // it cleans up when the test has ended, and its context with it
		dsn, name = env.DSN, env.Namespace
		conn := open(t, dsn)
		require.NoError(t, conn.Exec(ctx, "CREATE DATABASE "+name))
		require.NoError(t, conn.Exec(ctx, "CREATE DATABASE "+name+"_bi"))
		require.NoError(t, conn.Exec(ctx, "CREATE TABLE "+name+".x (a UInt32) ENGINE = MergeTree ORDER BY a"))
		require.NoError(t, conn.Exec(ctx, "INSERT INTO "+name+".x SELECT number FROM numbers(1000)"))
		var sum uint64
		require.NoError(t, conn.QueryRow(ctx, "SELECT sum(a) FROM "+name+".x").Scan(&sum))
		require.Equal(t, uint64(499500), sum)
	})
	var left uint64
	require.NoError(t, open(t, dsn).QueryRow(ctx, "SELECT count() FROM system.databases WHERE startsWith(name, ?)", name).Scan(&left))
	require.Zero(t, left)
}

func open(t *testing.T, dsn string) clickhouse.Conn {
	t.Helper()
	o, err := clickhouse.ParseDSN(dsn)
	require.NoError(t, err)
	conn, err := clickhouse.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}
