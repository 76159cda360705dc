package sinkbench

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/services/sink"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// The measurement itself works, on few rows. It says nothing about speed.
func TestMeasure(t *testing.T) {
	res := measure(t, 5000, 2*time.Minute)
	require.EqualValues(t, 5000, res.Rows)
}

// BenchmarkSink carries CAIRN_BENCH_ROWS touchpoints, a million by default, from a
// real Kafka into a real ClickHouse. Run it with -benchtime 1x.
func BenchmarkSink(b *testing.B) {
	rows := 1_000_000
	if s := os.Getenv("CAIRN_BENCH_ROWS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(b, err)
		rows = n
	}
	for b.Loop() {
		res := measure(b, rows, time.Hour)
		b.ReportMetric(res.RowsPerSecond, "rows/s")
		b.ReportMetric(res.CPU.Seconds()/float64(res.Rows)*1e6, "cpu-s/Mrow")
		b.ReportMetric(res.ServerCPU.Seconds()/float64(res.Rows)*1e6, "server-cpu-s/Mrow")
		b.ReportMetric(res.Startup.Seconds(), "startup-s")
	}
}

func measure(tb testing.TB, rows int, bound time.Duration) Result {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), bound)
	defer cancel()
	k, c := testbed.Kafka(tb), testbed.ClickHouse(tb)
	// One namespace for both, that of ClickHouse, whose databases testbed drops.
	client, err := stream.NewClient(k.Cluster, "test", nil, nil)
	require.NoError(tb, err)
	defer client.Close()
	ns := c.Namespace
	require.Eventually(tb, func() bool {
		return stream.EnsureTopics(ctx, client, ns, stream.TopicOptions{Partitions: 6}) == nil
	}, time.Minute, 20*time.Millisecond)
	defer func() { require.NoError(tb, stream.DeleteDerived(tb.Context(), client, ns)) }()
	require.NoError(tb, Fill(ctx, k.Cluster, ns, rows))
	res, err := Measure(ctx, sink.Options{Namespace: ns, Cluster: k.Cluster, DSN: c.DSN}, uint64(rows))
	require.NoError(tb, err)
	return res
}
