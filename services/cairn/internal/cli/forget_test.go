package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

func TestForgetIsCalledRight(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("names.txt", []byte("# requests\nuser:1\n\nno kind\n"), 0o600))
	secret := map[string]string{"CAIRN_IDENTITY_SECRET": "hush"}
	for _, c := range []struct {
		env  map[string]string
		args []string
		code int
		says string
	}{
		{nil, []string{"forget", "--profile", "user:1"}, app.ExitFailure, "identity.secret is not set"},
		{secret, []string{"forget"}, app.ExitUsage, "nobody is named: say who with --profile, --identifier or --file"},
		{secret, []string{"export"}, app.ExitUsage, "nobody is named"},
		{secret, []string{"forget", "--profile", "42"}, app.ExitUsage, "--profile: an identifier is written kind:value, as in user:42"},
		{secret, []string{"forget", "--identifier", "email:null"}, app.ExitUsage, "stands for nobody"},
		{secret, []string{"forget", "--file", "names.txt"}, app.ExitUsage, "names.txt:4: an identifier is written kind:value"},
		{secret, []string{"forget", "--file", "none.txt"}, app.ExitFailure, "none.txt: no such file"},
		{secret, []string{"forget", "--profile", "user:1", "--kafka", "127.0.0.1:1"}, app.ExitFailure, "kafka at 127.0.0.1:1 is not reachable"},
		{secret, []string{"export", "--profile", "user:1", "--clickhouse", "clickhouse://u:hush@127.0.0.1:1"}, app.ExitFailure, "clickhouse at 127.0.0.1:1 is not reachable"},
		{nil, []string{"roles", "--format", "yaml"}, app.ExitUsage, `--format is "yaml": want sql or xml`},
		{nil, []string{"roles", "--format", "xml", "--apply"}, app.ExitUsage, "--apply goes with --format sql"},
	} {
		code, out, errs := run(t, c.env, c.args...)
		require.Equal(t, c.code, code, "%v: %s", c.args, errs)
		require.Contains(t, errs, c.says, "%v", c.args)
		require.Empty(t, out)
	}
}

// The secret of a `cairn up` is taken from its data folder; an address is looked for
// under its hash; of persons who cannot be told apart the others are still looked at.
func TestForgetLooksFirst(t *testing.T) {
	ch := testbed.ClickHouse(t)
	conn, err := warehouse.Open(t.Context(), ch.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, warehouse.Migrate(t.Context(), conn, ch.Namespace))
	data := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(data, "secrets"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data, "secrets", "identity"), []byte("hush\n"), 0o600))
	// HMAC-SHA256 of ida@example.com under hush.
	const hash = "email:e572cd80d0d22c4569e7c7202d4ca61b7c76241f2521387e47acff730d460cb8"
	for _, row := range []string{
		"('anonymous:tablet', [(toDateTime64(1, 3, 'UTC'), 'm1', 'ida'), (toDateTime64(2, 3, 'UTC'), 'm2', 'jan')], 1, false, 1)",
		"('" + hash + "', [(toDateTime64(1, 3, 'UTC'), 'm1', 'ida')], 1, false, 1)",
	} {
		require.NoError(t, conn.Exec(t.Context(), "INSERT INTO "+ch.Namespace+".identities (identifier, map, epoch, frozen, revision) VALUES "+row))
	}
	require.NoError(t, conn.Exec(t.Context(), "INSERT INTO "+ch.Namespace+".touchpoints (message_id, identifier, user_id, event_time, received_at) VALUES ('m1', '"+hash+"', 'ida', now64(3), now64(3))"))
	env := map[string]string{"CAIRN_NAMESPACE": ch.Namespace, "CAIRN_CLICKHOUSE_DSN": ch.DSN, "CAIRN_DATA": data}
	code, out, errs := run(t, env, "forget", "--dry-run", "--output", "json", "--identifier", "anonymous:tablet", "--identifier", "email: Ida@Example.com ")
	require.Equal(t, app.ExitFailure, code, errs)
	require.Contains(t, errs, "1 of 2 were left out")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], "was used by 2 users: ida, jan")
	var f forgotten
	require.NoError(t, json.Unmarshal([]byte(lines[1]), &f))
	require.Equal(t, hash, f.Name)
	require.Equal(t, []string{hash, "user:ida"}, f.Preview.Identifiers)
	require.Equal(t, []string{"anonymous:tablet"}, f.Preview.Shared)
	require.Equal(t, map[string]uint64{"touchpoints": 1, "identities": 2}, f.Preview.Rows)

	code, out, errs = run(t, env, "export", "--profile", "user:ida")
	require.Zero(t, code, errs)
	var all struct{ Touchpoints, Identities, Sessions []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(out), &all), out)
	require.Len(t, all.Touchpoints, 1)
	require.Len(t, all.Identities, 2)
	require.Empty(t, all.Sessions)
	require.Equal(t, "m1", all.Touchpoints[0]["message_id"])
}
