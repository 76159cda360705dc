package warehouse

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// BenchmarkTouchpointInsert measures filling and inserting batches of 100,000
// touchpoints, one after the other.
func BenchmarkTouchpointInsert(b *testing.B) {
	ctx := b.Context()
	env := testbed.ClickHouse(b)
	conn, err := Open(ctx, env.DSN)
	require.NoError(b, err)
	defer func() { _ = conn.Close() }()
	require.NoError(b, Migrate(ctx, conn, env.Namespace))
	const size = 100_000
	rows := make([]wirepb.Touchpoint, size)
	for i := range rows {
		rows[i] = wirepb.Touchpoint{
			MessageId: fmt.Sprintf("%032x", i*7919), Identifier: fmt.Sprintf("anonymous:%032x", i%5000*104729), Owner: fmt.Sprintf("anonymous:%032x", i%5000*104729),
			Type: "track", Event: []string{"product_viewed", "cart_viewed", "order_completed"}[i%3], TimeMs: 1767225600000 + int64(i)*100,
			ReceivedMs: 1767225600100 + int64(i)*100, Channel: "web", Actor: "customer", Source: "shop", SessionId: fmt.Sprintf("%032x", i%9000*15485863),
			PageUrl: fmt.Sprintf("https://shop.example/products/%d?utm_source=news", i%700), PagePath: fmt.Sprintf("/products/%d", i%700),
			Referrer: "https://search.example/", CampaignSource: "news", UserAgent: fmt.Sprintf("Mozilla/5.0 (X11; Linux x86_64) Gecko/%d", i%300),
			Ip: "203.0.113.0", Locale: "en", Properties: fmt.Sprintf(`{"path":"/products/%d","product":"p-%d","position":%d}`, i%700, i%700, i%20),
			RawPartition: int32(i % 6), RawOffset: int64(i), Revision: uint64(i),
		}
	}
	batch := NewTouchpointBatch()
	b.ResetTimer()
	for b.Loop() {
		batch.Reset()
		for i := range rows {
			require.NoError(b, batch.Add(&rows[i]))
		}
		require.NoError(b, batch.Insert(ctx, conn, env.Namespace, 0, size))
	}
	b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
