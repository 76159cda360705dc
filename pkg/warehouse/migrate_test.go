package warehouse

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/cairnhq/cairn/pkg/testbed"
	schemas "github.com/cairnhq/cairn/schemas/clickhouse"
)

func TestMigrateTwice(t *testing.T) {
	h := newHouse(t)
	before := h.schema()
	require.NotEmpty(t, before)
	require.NoError(t, Migrate(t.Context(), h.conn, h.ns))
	require.Equal(t, before, h.schema())
	list, err := readMigrations(schemas.Migrations)
	require.NoError(t, err)
	require.Equal(t, []string{strconv.Itoa(len(list))}, h.column("SELECT toString(count()) FROM "+h.ns+".schema_migrations FINAL"))
}

// A process that dies before it has noted what it did leaves statements to be
// executed again, on tables that hold rows by then.
func TestMigrationsMayBeAppliedAgain(t *testing.T) {
	h := newHouse(t)
	schema, before := h.schema(), map[string]string{}
	for table, row := range oldRows() {
		h.exec("INSERT INTO " + h.ns + "." + table + " " + row)
		before[table] = h.values(table, h.columnsOf(table))
	}
	h.exec("TRUNCATE TABLE " + h.ns + ".schema_migrations")
	require.NoError(t, Migrate(t.Context(), h.conn, h.ns))
	require.Equal(t, schema, h.schema())
	for table, values := range before {
		require.Equal(t, values, h.values(table, h.columnsOf(table)), "rows of %s", table)
	}
}

func TestMigrateInManyProcessesAtOnce(t *testing.T) {
	env := testbed.ClickHouse(t)
	conn, err := Open(t.Context(), env.DSN)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	var group errgroup.Group
	for range 6 {
		group.Go(func() error { return Migrate(t.Context(), conn, env.Namespace) })
	}
	require.NoError(t, group.Wait())
	h := &house{t, conn, env.Namespace}
	require.Empty(t, h.bi("message_id", "v_touchpoints"))
}

func TestMigrateRefusesAnEditedMigration(t *testing.T) {
	env := testbed.ClickHouse(t)
	conn, err := Open(t.Context(), env.DSN)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	files := fstest.MapFS{
		"migrations/0001_first.sql": {Data: []byte("CREATE TABLE IF NOT EXISTS {{.DB}}.a (x UInt8) ENGINE = Memory;\n")},
	}
	views := fstest.MapFS{"views/v.sql": {Data: []byte("CREATE OR REPLACE VIEW {{.DB}}_bi.v AS SELECT x FROM {{.DB}}.a;\n")}}
	require.NoError(t, migrate(t.Context(), conn, env.Namespace, files, views))

	files["migrations/0002_second.sql"] = &fstest.MapFile{Data: []byte("ALTER TABLE {{.DB}}.a ADD COLUMN IF NOT EXISTS y UInt8;\n")}
	views["views/v.sql"] = &fstest.MapFile{Data: []byte("CREATE OR REPLACE VIEW {{.DB}}_bi.v AS SELECT x, y FROM {{.DB}}.a;\n")}
	require.NoError(t, migrate(t.Context(), conn, env.Namespace, files, views))
	h := &house{t, conn, env.Namespace}
	require.Empty(t, h.column("SELECT toString(y) FROM "+env.Namespace+"_bi.v"))

	files["migrations/0001_first.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE IF NOT EXISTS {{.DB}}.b (x UInt8) ENGINE = Memory;\n")}
	err = migrate(t.Context(), conn, env.Namespace, files, views)
	require.ErrorIs(t, err, ErrEdited)
	require.ErrorContains(t, err, "0001_first.sql")
	require.Empty(t, h.column("SELECT name FROM system.tables WHERE database = '"+env.Namespace+"' AND name = 'b'"))
}

// A database that a newer program has migrated is left as it is.
func TestMigrateRefusesANewerDatabase(t *testing.T) {
	h := newHouse(t)
	h.exec("INSERT INTO " + h.ns + ".schema_migrations (version, name, checksum) VALUES (9999, '9999_future.sql', 'x')")
	h.exec("CREATE OR REPLACE VIEW " + h.ns + "_bi.dim_stage AS SELECT 'of the future' AS stage")
	err := Migrate(t.Context(), h.conn, h.ns)
	require.ErrorIs(t, err, ErrNewer)
	require.ErrorContains(t, err, "9999_future.sql")
	_, err = PlanMigrate(t.Context(), h.conn, h.ns)
	require.ErrorIs(t, err, ErrNewer)
	require.Equal(t, []string{"of the future"}, h.bi("stage", "dim_stage"))
}

// A plan says what a migration would do, and does nothing.
func TestPlanMigrate(t *testing.T) {
	h := emptyHouse(t)
	list, err := readMigrations(schemas.Migrations)
	require.NoError(t, err)
	p, err := PlanMigrate(t.Context(), h.conn, h.ns)
	require.NoError(t, err)
	require.Empty(t, p.Applied)
	require.Len(t, p.Migrations, len(list))
	require.Contains(t, p.Migrations[0].Statements[0], "CREATE TABLE IF NOT EXISTS "+h.ns+".touchpoints")
	require.NotEmpty(t, p.Views)
	require.Empty(t, h.column("SELECT name FROM system.databases WHERE startsWith(name, '"+h.ns+"')"), "nothing was created")

	require.NoError(t, migrate(t.Context(), h.conn, h.ns, until(t, "0004"), fstest.MapFS{}))
	before := h.tables()
	p, err = PlanMigrate(t.Context(), h.conn, h.ns)
	require.NoError(t, err)
	require.Len(t, p.Applied, 4)
	require.Equal(t, "0005_epochs.sql", p.Migrations[0].File)
	require.Equal(t, before, h.tables())

	require.NoError(t, Migrate(t.Context(), h.conn, h.ns))
	p, err = PlanMigrate(t.Context(), h.conn, h.ns)
	require.NoError(t, err)
	require.Len(t, p.Applied, len(list))
	require.Empty(t, p.Migrations)
}

func TestMigrateNamesTheFileAndLineOfAnError(t *testing.T) {
	env := testbed.ClickHouse(t)
	conn, err := Open(t.Context(), env.DSN)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	files := fstest.MapFS{"migrations/0001_first.sql": {Data: []byte("-- one; two\nSELECT 1;\n\nSELEC 2;\n")}}
	err = migrate(t.Context(), conn, env.Namespace, files, fstest.MapFS{})
	require.ErrorContains(t, err, "0001_first.sql:4")
}

func TestMigrateRefusesANamespaceThatIsNoName(t *testing.T) {
	for _, ns := range []string{"", "a-b", "a.b", "1a", "a; DROP DATABASE x", strings.Repeat("a", 64)} {
		require.Error(t, CheckNamespace(ns), ns)
	}
	require.NoError(t, CheckNamespace("cairn_2"))
}

func TestStatements(t *testing.T) {
	got := statements("-- a;\n\nCREATE x -- why\n;\n-- tail\nDROP y;\n\nlast")
	require.Equal(t, []statement{{"CREATE x -- why\n", 3}, {"DROP y", 6}, {"last", 8}}, got)
}

// types returns name and type of the columns that a view yields.
func (h *house) types(view string) []string {
	rows, err := h.conn.Query(h.t.Context(), fmt.Sprintf("SELECT * FROM %s_bi.%s LIMIT 0", h.ns, view))
	require.NoError(h.t, err)
	defer func() { _ = rows.Close() }()
	var list []string
	for _, c := range rows.ColumnTypes() {
		list = append(list, c.Name()+" "+c.DatabaseTypeName())
	}
	return list
}

// Every view can be read, yields the types it declares, and says what each column is.
func TestViewsAreWhatTheyDeclare(t *testing.T) {
	h := newHouse(t)
	views := h.column("SELECT name FROM system.tables WHERE database = '" + h.ns + "_bi' ORDER BY name")
	require.Subset(t, views, []string{
		"dim_stage", "v_data_quality", "v_freshness", "v_frictions", "v_journeys", "v_late", "v_rejected", "v_sessions", "v_touchpoints", "v_transitions",
	})
	for _, view := range views {
		declared := h.column(fmt.Sprintf("SELECT concat(name, ' ', type) FROM system.columns WHERE database = '%s_bi' AND table = '%s' ORDER BY position", h.ns, view))
		actual := h.types(view)
		require.Equal(t, declared, actual, view)
		require.Empty(t, h.column(fmt.Sprintf("SELECT name FROM system.columns WHERE database = '%s_bi' AND table = '%s' AND comment = ''", h.ns, view)), "columns of %s without a comment", view)
		require.NotContains(t, strings.Join(declared, ","), "AggregateFunction", view)
		h.column(fmt.Sprintf("SELECT toString(count()) FROM (SELECT * FROM %s_bi.%s)", h.ns, view))
	}
	require.Empty(t, h.column("SELECT name FROM system.tables WHERE database IN ('"+h.ns+"', '"+h.ns+"_bi') AND comment = '' ORDER BY name"), "tables without a comment")
}

// The optimizer reads the size of a string, or the null map of a column, instead of
// the column where only that is asked for; it must find it through the view.
func TestEveryColumnOfTheViewsCanBeAskedIfItIsEmpty(t *testing.T) {
	h := newHouse(t)
	columns := h.column(`SELECT concat(table, ' ', name, if(startsWith(type, 'Nullable'), ' IS NULL', concat(' = defaultValueOfTypeName(\'', replaceAll(type, '\'', '\\\''), '\')')))
		FROM system.columns WHERE database = '` + h.ns + `_bi' AND type NOT LIKE 'Array%' AND type NOT LIKE 'Map%' ORDER BY table, position`)
	require.NotEmpty(t, columns)
	for _, c := range columns {
		view, condition, _ := strings.Cut(c, " ")
		assert.NoError(t, h.conn.Exec(t.Context(), "SELECT countIf("+condition+") FROM "+h.ns+"_bi."+view+" FORMAT Null"), c)
	}
}

func TestOpenDoesNotRepeatThePassword(t *testing.T) {
	_, err := Open(t.Context(), "clickhouse://u:s3cret@127.0.0.1:x/db")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "s3cret")
}
