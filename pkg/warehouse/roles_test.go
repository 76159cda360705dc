package warehouse

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
	schemas "github.com/cairnhq/cairn/schemas/clickhouse"
)

// server is a ClickHouse of its own with further files of configuration.
func server(t *testing.T, dir string, files map[string]string) *local.ClickHouse {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	c, err := local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: dir})
	if err != nil {
		testbed.Require(t, "the engine does not start: "+err.Error())
	}
	t.Cleanup(func() { require.NoError(t, c.Stop()) })
	return c
}

// as connects as a user of a server.
func as(t *testing.T, c *local.ClickHouse, user string) driver.Conn {
	t.Helper()
	conn, err := Open(t.Context(), strings.Replace(c.DSN("default"), "default@", user+":hush@", 1))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

const rolesOf = "own"

// userXML is a user with a role; readers take the profile and a quota, too.
func userXML(name, role, more string) string {
	profile := ""
	if role == rolesOf+"_reader" {
		profile = "<profile>" + role + "</profile>"
	}
	return "<" + name + "><password>hush</password><networks><ip>127.0.0.1</ip></networks>" + profile + more +
		"<grants><query>GRANT " + role + "</query></grants></" + name + ">"
}

// TestRoles: on a server with a user of each role, an admin migrates, a writer inserts
// and destroys nothing, and a reader reads every view and nothing else, within bounds.
// This engine keeps users in files only, so the roles are those of RolesXML; that
// RoleStatements are SQL is what TestRoleStatements looks at.
func TestRoles(t *testing.T) {
	c := server(t, t.TempDir(), map[string]string{
		"users.d/roles.xml": RolesXML(rolesOf),
		"users.d/users.xml": "<clickhouse><quotas><tiny><interval><duration>3600</duration><queries>3</queries></interval></tiny></quotas><users>" +
			userXML("boss", rolesOf+"_admin", "") + userXML("etl", rolesOf+"_writer", "") +
			userXML("ann", rolesOf+"_reader", "<quota>own_reader</quota>") + userXML("tim", rolesOf+"_reader", "<quota>tiny</quota>") +
			userXML("shopper", rolesOf+"_reader", "<databases><own_bi><v_touchpoints><filter>source = 'shop'</filter></v_touchpoints></own_bi></databases>") +
			"</users></clickhouse>",
	})
	boss := &house{t, as(t, c, "boss"), rolesOf}
	require.NoError(t, Migrate(t.Context(), boss.conn, rolesOf))
	require.NoError(t, Migrate(t.Context(), boss.conn, rolesOf), "again")
	for _, query := range []string{
		"CREATE DATABASE another",
		"CREATE VIEW own_bi.all (name String) DEFINER = default SQL SECURITY DEFINER AS SELECT name FROM system.users",
		"CREATE VIEW own_bi.all (name String) SQL SECURITY NONE AS SELECT name FROM system.users",
	} {
		require.True(t, AccessDenied(boss.conn.Exec(t.Context(), query)), "an admin of the namespace, not of the server: %s", query)
	}

	etl := &house{t, as(t, c, "etl"), rolesOf}
	boss.makeGood()
	etl.sessions(&wirepb.Session{SessionId: "till", Identifier: "anonymous:t", Status: "open", StartedMs: minute(3), EndedMs: minute(3), MintedMs: minute(3), Touchpoints: 1, Revision: 1})
	till := touch("till-1", "anonymous:t", minute(3))
	till.Source = "till"
	etl.touchpoints(till)
	writerMayNot(t, etl.conn)
	_, err := CompleteEpoch(t.Context(), etl.conn, rolesOf)
	require.NoError(t, err)
	p, err := PlanMigrate(t.Context(), etl.conn, rolesOf)
	require.NoError(t, err)
	require.Empty(t, p.Migrations, "a writer sees that nothing is to be done")

	ann := &house{t, as(t, c, "ann"), rolesOf}
	views := boss.column("SELECT name FROM system.tables WHERE database = 'own_bi' ORDER BY name")
	require.Greater(t, len(views), 20)
	require.Equal(t, views, ann.column("SELECT name FROM system.tables WHERE database = 'own_bi' ORDER BY name"), "a BI tool lists them")
	require.Equal(t, views, ann.column("SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'own_bi' ORDER BY 1"))
	for _, view := range views {
		_, err := count(t.Context(), ann.conn, "SELECT count() FROM own_bi."+view)
		require.NoError(t, err, view)
	}
	require.NotEmpty(t, ann.column("SELECT profile FROM own_bi.v_touchpoints SETTINGS max_execution_time = 30"), "as Grafana asks")
	readerMayNot(t, ann.conn)

	require.Equal(t, []string{"shop", "till"}, ann.column("SELECT DISTINCT toString(source) FROM own_bi.v_touchpoints ORDER BY 1"))
	shopper := &house{t, as(t, c, "shopper"), rolesOf}
	require.Equal(t, []string{"shop"}, shopper.column("SELECT DISTINCT toString(source) FROM own_bi.v_touchpoints ORDER BY 1"), "the row policy of docs/privacy.md")

	person, err := Discover(t.Context(), boss.conn, rolesOf, "anonymous:t", "", math.MaxInt64)
	require.NoError(t, err)
	require.NoError(t, ErasePerson(t.Context(), boss.conn, rolesOf, &person), "an admin erases")
	require.Equal(t, []string{"shop"}, ann.column("SELECT DISTINCT toString(source) FROM own_bi.v_touchpoints ORDER BY 1"))
	require.NoError(t, PutRetention(t.Context(), boss.conn, rolesOf, map[Table]int{TableRejected: 90}), "and sets retentions")

	tim := as(t, c, "tim")
	var refused error
	for range 5 {
		if _, err := count(t.Context(), tim, "SELECT count() FROM own_bi.dim_stage"); err != nil {
			refused = err
		}
	}
	require.ErrorContains(t, refused, "Quota")
}

func writerMayNot(t *testing.T, conn driver.Conn) {
	t.Helper()
	for _, query := range []string{
		"DROP TABLE own.touchpoints", "DROP DATABASE own", "TRUNCATE TABLE own.touchpoints", "DELETE FROM own.touchpoints WHERE 1",
		"ALTER TABLE own.touchpoints DELETE WHERE 1", "ALTER TABLE own.touchpoints DROP COLUMN ip", "CREATE TABLE own.x (a UInt8) ENGINE = Memory",
		"CREATE VIEW own_bi.x AS SELECT 1", "DROP VIEW own_bi.v_sessions", "RENAME TABLE own.touchpoints TO own.y", "INSERT INTO own_bi.v_sessions SELECT * FROM own_bi.v_sessions",
		"BACKUP DATABASE own TO Disk('backups', 'x')",
	} {
		require.True(t, AccessDenied(conn.Exec(t.Context(), query)), query)
	}
}

func readerMayNot(t *testing.T, conn driver.Conn) {
	t.Helper()
	for _, query := range []string{
		"SELECT count() FROM own.touchpoints", "SELECT count() FROM own.rejected", "SELECT count() FROM own_next.touchpoints", "SELECT count() FROM own.erasures",
		"SELECT count() FROM own_api.days_read(from = now64(3), to = now64(3))", "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a UInt8')", "SELECT * FROM file('/etc/passwd', 'LineAsString')",
		"SELECT * FROM remote('127.0.0.1:1', 'own', 'touchpoints')", "SELECT * FROM system.users",
	} {
		require.True(t, AccessDenied(conn.Exec(t.Context(), query)), query)
	}
	for _, query := range []string{
		"INSERT INTO own.touchpoints (message_id) VALUES ('x')", "DROP VIEW own_bi.v_sessions", "CREATE VIEW own_bi.x AS SELECT 1",
		"SELECT 1 SETTINGS max_execution_time = 3600", "SELECT 1 SETTINGS max_memory_usage = 0", "SET readonly = 0", "SELECT * FROM merge('own', 'touchpoints')",
	} {
		require.Error(t, conn.Exec(t.Context(), query), query)
	}
	n, err := count(t.Context(), conn, "SELECT count() FROM system.tables WHERE database IN ('own', 'own_next', 'own_api')")
	require.NoError(t, err)
	require.Zero(t, n, "they do not even see the tables")
}

// TestRoleStatements: this engine understands every statement, and XML and SQL grant
// the same.
func TestRoleStatements(t *testing.T) {
	h := newHouse(t)
	for _, s := range RoleStatements(h.ns) {
		require.NoError(t, h.conn.Exec(t.Context(), "EXPLAIN AST "+s), s)
	}
	require.Error(t, h.conn.Exec(t.Context(), "EXPLAIN AST CREATE ROLLE x"))
	require.ErrorContains(t, PutRoles(t.Context(), h.conn, h.ns), "make the roles", "and says so where a server keeps no roles")
}

// TestViewsForReaders: every view of NS_bi is changed, and nothing else.
func TestViewsForReaders(t *testing.T) {
	views, err := readViews("own", schemas.Views)
	require.NoError(t, err)
	n := 0
	for i, v := range forReaders("own", views) {
		for j, st := range v.statements {
			was := views[i].statements[j].text
			if strings.HasPrefix(st.text, "CREATE OR REPLACE VIEW own_bi.") {
				require.Contains(t, st.text, "DEFINER = CURRENT_USER SQL SECURITY DEFINER\nAS", "%s:%d", v.file, st.line)

				n++
				continue
			}
			require.Equal(t, was, st.text)
		}
	}
	require.Greater(t, n, 20)
}

// TestPersonalColumnsStayInTables: addresses, user agents, traits, contexts and what was
// rejected are in no view for readers.
func TestPersonalColumnsStayInTables(t *testing.T) {
	h := newHouse(t)
	require.Empty(t, h.column("SELECT concat(table, '.', name) FROM system.columns WHERE database = '"+h.ns+"_bi' AND name IN ('ip', 'user_agent', 'traits', 'context', 'value')"))
}
