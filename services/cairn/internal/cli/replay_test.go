package cli

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

func TestMain(m *testing.M) { testbed.Main(m) }

func TestReplayIsCalledRight(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"replay", "--from", "yesterday"}, app.ExitUsage, `--from "yesterday" is no time: want earliest`},
		{[]string{"replay", "now"}, app.ExitUsage, "takes no arguments"},
		{[]string{"replay", "--run"}, app.ExitFailure, "identity.secret"},
		{[]string{"replay", "--kafka", "127.0.0.1:1", "--yes", "--startup-timeout", "1s"}, app.ExitFailure, "kafka at 127.0.0.1:1 is not reachable"},
	} {
		code, _, errs := run(t, nil, c.args...)
		require.Equal(t, c.code, code, "%v: %s", c.args, errs)
		require.Contains(t, errs, c.says)
	}
}

// The command does all of it: it asks, runs the steps, waits for a sink, makes the
// switch and says so.
func TestReplayFromTheCommandLine(t *testing.T) {
	address, cl := shopBroker(t)
	ch := testbed.ClickHouse(t)
	env := map[string]string{
		"CAIRN_NAMESPACE": ch.Namespace, "CAIRN_KAFKA_BROKERS": address, "CAIRN_CLICKHOUSE_DSN": ch.DSN,
		"CAIRN_IDENTITY_SECRET": "of this test", "CAIRN_KAFKA_REPLICATION": "1",
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	var log output
	go func() {
		ended <- Main(ctx, []string{"sink", "--admin-addr", "127.0.0.1:0"}, Streams{Out: &log, Err: &log}, lookup(env))
	}()
	defer func() { stop(); <-ended }()

	code, out, errs := run(t, env, "replay")
	require.Equal(t, app.ExitFailure, code, "%s%s", out, errs)
	require.Contains(t, errs, "nothing was changed; --yes answers yes", "no answer is no")

	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{
		Topic: ch.Namespace + ".touchpoints.raw", Key: []byte("a"), Value: []byte(`{"messageId":"1","type":"track","event":"product_viewed","anonymousId":"a"}`),
	}).FirstErr())
	code, out, errs = run(t, env, "replay", "--yes", "--run", "--data", t.TempDir(), "--output", "json")
	require.Zero(t, code, "%s%s", out, errs)
	var result replayResult
	require.NoError(t, json.Unmarshal([]byte(out), &result))
	require.Equal(t, uint32(1), result.Epoch)
	require.Equal(t, "earliest", result.From)
	require.Contains(t, errs, "device   100 %  0 records left")
	conn, err := warehouse.Open(t.Context(), ch.DSN)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	var rows uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM "+ch.Namespace+"_bi.v_journeys WHERE epoch = 1").Scan(&rows))
	require.Equal(t, uint64(1), rows)
}
