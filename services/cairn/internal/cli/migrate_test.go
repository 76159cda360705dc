package cli

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

// The dry run prints what is pending and changes nothing; the run does it; after it
// nothing is pending.
func TestMigrateFromTheCommandLine(t *testing.T) {
	ch := testbed.ClickHouse(t)
	env := map[string]string{"CAIRN_NAMESPACE": ch.Namespace, "CAIRN_CLICKHOUSE_DSN": ch.DSN}
	conn, err := warehouse.Open(t.Context(), ch.DSN)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	databases := func() (n uint64) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM system.databases WHERE startsWith(name, ?)", ch.Namespace).Scan(&n))
		return n
	}
	plan := func() (p warehouse.Plan) {
		code, out, errs := run(t, env, "migrate", "--dry-run", "--output", "json")
		require.Zero(t, code, errs)
		plans := map[string]warehouse.Plan{}
		require.NoError(t, json.Unmarshal([]byte(out), &plans))
		require.Len(t, plans, 1)
		for _, p = range plans {
		}
		return p
	}

	code, out, errs := run(t, env, "migrate", "--dry-run")
	require.Zero(t, code, errs)
	require.Contains(t, out, "0 migrations applied, ")
	require.Contains(t, out, "CREATE TABLE IF NOT EXISTS "+ch.Namespace+".touchpoints")
	pending := plan().Migrations
	require.NotEmpty(t, pending)
	require.Zero(t, databases(), "a dry run changes nothing")

	code, _, errs = run(t, env, "migrate")
	require.Zero(t, code, errs)
	require.Contains(t, errs, "are up to date")
	require.NotZero(t, databases())
	after := plan()
	require.Len(t, after.Applied, len(pending))
	require.Empty(t, after.Migrations)

	require.NoError(t, conn.Exec(t.Context(), "INSERT INTO "+ch.Namespace+".schema_migrations (version, name, checksum) VALUES (9999, '9999_future.sql', 'x')"))
	for _, args := range [][]string{{"migrate"}, {"migrate", "--dry-run"}} {
		code, _, errs = run(t, env, args...)
		require.Equal(t, app.ExitFailure, code)
		require.Contains(t, errs, "the database is newer than this program")
		require.Contains(t, errs, "9999_future.sql")
	}
	code, _, errs = run(t, env, "migrate", "--cluster", "nowhere")
	require.Equal(t, app.ExitFailure, code)
	require.Contains(t, errs, `has no cluster "nowhere"`)
}
