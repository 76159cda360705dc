//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

// The model that the replay changes to: other stages, another goal.
const otherModel = `
version: 1
sessions: {inactivity_gap: 30m, lateness: 8760h}
journeys: {inactivity_gap: 90d, goal: deal}
stages:
  - {name: hello, enter: [{events: [product_viewed]}]}
  - {name: deal, enter: [{events: [order_completed]}]}
`

// TestReplayKilled: cairn replay, on a real Kafka, killed with kill -9 again and
// again while it works and started again with the same words, ends with every
// journey made anew once; readers have every journey once at any moment.
func TestReplayKilled(t *testing.T) {
	const visitors = 20_000
	ch, kafka := testbed.ClickHouse(t), testbed.Kafka(t)
	env := []string{
		"CAIRN_NAMESPACE=" + ch.Namespace, "CAIRN_KAFKA_BROKERS=" + kafka.Cluster.Brokers[0], "CAIRN_CLICKHOUSE_DSN=" + ch.DSN,
		"CAIRN_IDENTITY_SECRET=of this test", "CAIRN_KAFKA_REPLICATION=1",
	}
	cl, err := stream.NewClient(kafka.Cluster, "test", nil, nil)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	require.NoError(t, stream.EnsureTopics(t.Context(), cl, ch.Namespace, stream.TopicOptions{Partitions: 3, Replication: 1}))
	produceVisitors(t, cl, ch.Namespace, visitors)

	sink := start(t, command{args: []string{"sink", "--admin-addr", "127.0.0.1:0"}, env: env})
	defer sink.stop()
	conn, err := warehouse.Open(t.Context(), ch.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	journeys := func(where string) int {
		var n uint64
		err := conn.QueryRow(context.WithoutCancel(t.Context()), "SELECT count() FROM "+ch.Namespace+"_bi.v_journeys WHERE "+where).Scan(&n)
		if err != nil {
			return -1 // not there yet
		}
		return int(n)
	}
	data := t.TempDir()
	before := start(t, command{args: []string{"sessionizer", "--admin-addr", "127.0.0.1:0", "--data", data}, env: env})
	require.Eventually(t, func() bool { return journeys("1") == visitors }, patience, 100*time.Millisecond)
	before.stop()

	path := filepath.Join(t.TempDir(), "other.yaml")
	require.NoError(t, os.WriteFile(path, []byte(otherModel), 0o600))
	again := command{args: []string{"replay", "--yes", "--run", "--model", path, "--data", data}, env: env}
	for i, after := range []time.Duration{300 * time.Millisecond, 1200 * time.Millisecond, 2 * time.Second, 3 * time.Second, 5 * time.Second} {
		p := start(t, again)
		select {
		case <-p.done:
			t.Logf("run %d was done before it was killed", i+1)
		case <-time.After(after):
			p.kill()
			t.Logf("killed after %s: %q", after, p.stderr.tail(60))
		}
		require.Equal(t, visitors, journeys("1"), "readers have each journey once, after kill %d", i+1)
	}
	last := start(t, again)
	require.Zero(t, last.wait(), last.stderr.tail(3000))
	require.Equal(t, visitors, journeys("1"))
	require.Equal(t, visitors/2, journeys("stage = 'deal'"), "every second visitor bought")
	require.Equal(t, visitors/2, journeys("stage = 'hello'"))
	checked := runCommand(t, command{args: []string{"verify"}, env: append(env, "CAIRN_MODEL="+path)})
	require.Zero(t, checked.code, "%s%s", checked.stdout, checked.stderr)
}

// produceVisitors writes visitors that look, and every second of them buys.
func produceVisitors(t *testing.T, cl *kgo.Client, ns string, visitors int) {
	t.Helper()
	at := time.Now().Add(-time.Hour).UTC()
	var records []*kgo.Record
	for i := range visitors {
		events := []string{"product_viewed", "order_completed"}
		for n, event := range events[:1+i%2] {
			records = append(records, &kgo.Record{
				Topic: stream.Qualify(ns, stream.TopicRaw), Key: fmt.Append(nil, "v", i),
				Value: fmt.Appendf(nil, `{"messageId":"%d-%d","type":"track","event":"%s","anonymousId":"v%d","timestamp":"%s"}`,
					i, n, event, i, at.Add(time.Duration(n)*time.Minute).Format(time.RFC3339)),
			})
		}
	}
	require.NoError(t, cl.ProduceSync(t.Context(), records...).FirstErr())
}
