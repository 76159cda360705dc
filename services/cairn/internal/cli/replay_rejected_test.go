package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/cairn/internal/putback"
)

func TestPutBackIsCalledRight(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"replay", "--rejected"}, "--reason is missing"},
		{[]string{"replay", "--reason", "bad_time"}, "--reason goes with --rejected"},
		{[]string{"replay", "--dry-run"}, "--dry-run goes with --rejected"},
		{[]string{"replay", "--rejected", "--reason", "x", "--run"}, "--run is for a rebuild"},
		{[]string{"replay", "--rejected", "--reason", "x", "--to", "tomorrow"}, `--to "tomorrow" is no time`},
	} {
		code, _, errs := run(t, nil, c.args...)
		require.Equal(t, app.ExitUsage, code, "%v: %s", c.args, errs)
		require.Contains(t, errs, c.says)
	}
}

func TestPutBackFromTheCommandLine(t *testing.T) {
	address, cl := shopBroker(t)
	env := map[string]string{"CAIRN_NAMESPACE": "shop", "CAIRN_KAFKA_BROKERS": address, "CAIRN_KAFKA_REPLICATION": "1"}
	code, out, errs := run(t, env, "replay", "--rejected", "--reason", "bad_time", "--dry-run")
	require.Zero(t, code, "%s%s", out, errs)
	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{
		Topic: "shop.touchpoints.rejected", Key: []byte("shop.touchpoints.raw/0/7"), Value: []byte(`{"event":"e","userId":"u","timestamp":"soon"}`),
		Headers: []kgo.RecordHeader{{Key: wire.HeaderReason, Value: []byte("bad_time")}},
	}).FirstErr())
	fix := filepath.Join(t.TempDir(), "fix.yaml")
	require.NoError(t, os.WriteFile(fix, []byte("version: 1\nfix: [{delete: {path: /timestamp}}]\n"), 0o600))
	for _, want := range []int{1, 0} {
		code, out, errs = run(t, env, "replay", "--rejected", "--reason", "bad_time", "--fix", fix, "--output", "json")
		require.Zero(t, code, "%s%s", out, errs)
		var res putback.Result
		require.NoError(t, json.Unmarshal([]byte(out), &res))
		require.Equal(t, want, res.PutBack)
	}
	code, out, _ = run(t, env, "replay", "--rejected", "--reason", "bad_time", "--fix", fix)
	require.Zero(t, code)
	require.Regexp(t, `put back before\s+1`, out)
}
