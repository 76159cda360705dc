package local_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/local"
)

func startClickHouse(t *testing.T, dir string) *local.ClickHouse {
	t.Helper()
	c, err := local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Stop()) })
	return c
}

func connect(t *testing.T, addr string) clickhouse.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{addr}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

func count(t *testing.T, conn clickhouse.Conn, table string) uint64 {
	t.Helper()
	var n uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM "+table).Scan(&n))
	return n
}

// What was inserted outlives kill -9 of the engine, and the folder opens again at once.
func TestClickHouseKeepsDataOverKill(t *testing.T) {
	needEngine(t)
	dir := t.TempDir()
	c := startClickHouse(t, dir)
	conn := connect(t, c.Addr())
	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE kept (a UInt64) ENGINE = ReplacingMergeTree ORDER BY a"))
	for range 5 {
		require.NoError(t, conn.Exec(t.Context(), "INSERT INTO kept SELECT rand64() FROM numbers(1000)"))
	}
	want := count(t, conn, "kept")
	require.NoError(t, syscall.Kill(c.PID(), syscall.SIGKILL))
	<-c.Done()
	require.ErrorContains(t, c.Err(), "killed")
	require.NoError(t, c.Stop(), "stopping what has ended is no error")

	again := startClickHouse(t, dir)
	require.Equal(t, want, count(t, connect(t, again.Addr()), "kept"))
}

// kill -9 of the process that started the engine takes the engine with it, and frees its folder.
func TestClickHouseDiesWithItsParent(t *testing.T) {
	needEngine(t)
	dir := t.TempDir()
	parent, kill := startParent(t, "clickhouse", dir)
	require.NoError(t, connect(t, parent.Addr).Exec(t.Context(), "CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a"))
	kill()
	again := startClickHouse(t, dir) // waits for the kernel to finish with the child
	require.Zero(t, count(t, connect(t, again.Addr()), "kept"))
	requireGone(t, parent.PID)
}

func TestClickHouseFolderHasOneOwner(t *testing.T) {
	needEngine(t)
	dir := t.TempDir()
	startParent(t, "clickhouse", dir)
	_, err := local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: dir})
	require.ErrorContains(t, err, "the data folder "+dir+" is in use by another process")
}

func TestClickHousePortInUse(t *testing.T) {
	needEngine(t)
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	port := ln.Addr().(*net.TCPAddr).Port
	_, err = local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: t.TempDir(), Port: port})
	require.ErrorContains(t, err, "is in use: stop the program that holds it, or choose another with --clickhouse-port")
	_, err = local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: t.TempDir(), HTTPPort: port})
	require.ErrorContains(t, err, "--clickhouse-http-port")
}

// Remote hosts stay out, the open user reaches no files and no other servers, and no log table grows in the
// background.
func TestClickHouseConfiguration(t *testing.T) {
	needEngine(t)
	conn := connect(t, startClickHouse(t, t.TempDir()).Addr())
	var hosts []string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT arrayConcat(host_ip, host_names) FROM system.users WHERE name = 'default'").Scan(&hosts))
	require.Equal(t, []string{"localhost"}, hosts)

	for _, allowed := range []string{
		"CREATE DATABASE x",
		"CREATE TABLE x.t (a UInt32, j JSON) ENGINE = ReplacingMergeTree ORDER BY a",
		"CREATE VIEW x.v AS SELECT a FROM x.t FINAL WHERE a = {k:UInt32}",
		"CREATE MATERIALIZED VIEW x.m REFRESH EVERY 1 HOUR ENGINE = MergeTree ORDER BY a AS SELECT a FROM x.t",
		"SYSTEM REFRESH VIEW x.m",
		"SYSTEM FLUSH LOGS",
		"CREATE DICTIONARY x.d (a UInt64, b String) PRIMARY KEY a SOURCE(CLICKHOUSE(QUERY 'SELECT 1 AS a, 2 AS b')) LAYOUT(FLAT()) LIFETIME(1)",
	} {
		require.NoError(t, conn.Exec(t.Context(), allowed), allowed)
	}
	for _, refused := range []string{
		"SELECT * FROM file('/etc/passwd', 'LineAsString')",
		"INSERT INTO FUNCTION file('x.tsv', 'TSV') SELECT 1",
		"SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
		"CREATE TABLE x.f (a String) ENGINE = File(TSV, '/etc/passwd')",
		"CREATE TABLE x.u (a String) ENGINE = URL('http://127.0.0.1:1/', 'TSV')",
	} {
		require.ErrorContains(t, conn.Exec(t.Context(), refused), "Not enough privileges", refused)
	}

	var logs uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = 'system' AND name LIKE '%\\_log' AND engine LIKE '%MergeTree'").Scan(&logs))
	require.Zero(t, logs)
}

func TestMissingEngine(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	_, err := local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: t.TempDir()})
	require.ErrorContains(t, err, `run "make deps"`)

	t.Setenv(local.EnvLibrary, filepath.Join(t.TempDir(), "none.so"))
	_, err = local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: t.TempDir()})
	require.ErrorContains(t, err, "CAIRN_CHDB_LIB names a file that cannot be read")

	wrong := filepath.Join(t.TempDir(), "wrong.so")
	require.NoError(t, os.WriteFile(wrong, []byte("not a library"), 0o600))
	t.Setenv(local.EnvLibrary, wrong)
	_, err = local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: t.TempDir()})
	require.ErrorContains(t, err, "open the ClickHouse engine "+wrong)
}
