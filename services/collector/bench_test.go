package collector_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/services/collector/loadgen"
)

// BenchmarkCollector is the whole path over loopback, client and kfake in the
// same process: for profiles and for comparing one's own changes.
func BenchmarkCollector(b *testing.B) {
	r := start(b, nil)
	got, err := loadgen.Run(b.Context(), loadgen.Options{
		URL: r.url, WriteKey: shopKey, Events: int64(b.N), Duration: time.Hour, WarmUp: -1,
	})
	require.NoError(b, err)
	b.ReportMetric(got.EventsPerSecond, "events/s")
	b.ReportMetric(got.P99, "p99-ms")
}
