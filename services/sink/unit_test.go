package sink

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

func TestNewRefusesBadOptions(t *testing.T) {
	good := Options{Namespace: "cairn", Cluster: stream.Cluster{Brokers: []string{"127.0.0.1:1"}}, DSN: "clickhouse://127.0.0.1:1/cairn"}
	_, err := New(t.Context(), good)
	require.NoError(t, err, "it connects to nothing")
	for name, change := range map[string]func(*Options){
		"namespace": func(o *Options) { o.Namespace = "a-b" },
		"brokers":   func(o *Options) { o.Cluster.Brokers = nil },
		"DSN":       func(o *Options) { o.DSN = "http//" },
		"negative":  func(o *Options) { o.MaxRows = -1 },
	} {
		o := good
		change(&o)
		_, err := New(t.Context(), o)
		require.ErrorContains(t, err, name)
	}
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	wait := time.Duration(0)
	for range 20 {
		next := backoff(wait)
		require.LessOrEqual(t, next, lastWait)
		require.GreaterOrEqual(t, next, firstWait*3/4)
		wait = next
	}
	require.GreaterOrEqual(t, wait, lastWait*3/4)
}

// An offset read in one tenure must not be committed in the next: another sink may
// have been ahead in between.
func TestTenure(t *testing.T) {
	var a assignment
	p := partition{"t", 1}
	require.Zero(t, a.of(p))
	a.add(map[string][]int32{"t": {0, 1}})
	first := a.of(p)
	require.NotZero(t, first)
	a.remove(map[string][]int32{"t": {1}})
	require.Zero(t, a.of(p))
	require.NotZero(t, a.of(partition{"t", 0}))
	a.add(map[string][]int32{"t": {1}})
	require.NotEqual(t, first, a.of(p))
}

func TestCommitForgetsPartitionsOfOthers(t *testing.T) {
	cluster := testbed.Fake(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	s := &Service{client: client, metrics: newMetrics(nil)}
	s.owned.add(map[string][]int32{"t": {0}})
	old := s.owned.of(partition{"t", 0})
	s.owned.add(map[string][]int32{"t": {0}})
	uncommitted := map[partition]position{{"t", 0}: {tenure: old}, {"t", 1}: {tenure: 0}}
	s.commit(t.Context(), uncommitted) // would fail on a client without a group
	require.Empty(t, uncommitted)
}

func TestPoolKeepsAFewEmptyBatches(t *testing.T) {
	var pool shardPool
	g := newGeneration()
	for month := range int32(5) {
		sh, batch := shardOf[*warehouse.TouchpointBatch](g, &pool, warehouse.TableTouchpoints, month, 0)
		require.NoError(t, batch.Add(&wirepb.Touchpoint{}))
		g.added(sh, &kgo.Record{})
	}
	pool.put(g)
	require.Len(t, pool.free[warehouse.TableTouchpoints], poolSize)
	sh := pool.get(warehouse.TableTouchpoints)
	require.Zero(t, sh.batch.Len())
	require.Empty(t, sh.records)
}
