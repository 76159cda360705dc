package warehouse

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBackupAndRestore: what docs/operations.md says. The databases are written to a
// disk, lost, and restored; readers see what they saw, verify finds nothing, a
// migration has nothing to do, and rows that come again change nothing.
func TestBackupAndRestore(t *testing.T) {
	dir := t.TempDir()
	c := server(t, dir, map[string]string{
		"config.d/backups.xml": "<clickhouse><storage_configuration><disks><backups><type>local</type><path>" + dir + "/backups/</path></backups></disks></storage_configuration>" +
			"<backups><allowed_disk>backups</allowed_disk></backups></clickhouse>",
		"users.d/users.xml": `<clickhouse><users><default><grants replace="1"><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants></default></users></clickhouse>`,
	})
	conn, err := Open(t.Context(), c.DSN("default"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	const ns = "kept"
	require.NoError(t, Migrate(t.Context(), conn, ns))
	h := &house{t, conn, ns}
	h.makeGood()
	tables := h.column("SELECT concat(database, '.', name) FROM system.tables WHERE startsWith(database, 'kept') AND engine LIKE '%MergeTree' AND name NOT LIKE 'rollup%' ORDER BY 1")
	sum := func() (list []string) {
		for _, table := range tables {
			list = append(list, table+" "+h.column("SELECT toString(groupBitXor(cityHash64(toString(tuple(*))))) || ' ' || toString(count()) FROM " + table)[0])
		}
		return list
	}
	before, shown := sum(), h.bi("profile, message_id, stage", "v_touchpoints ORDER BY message_id")
	require.NotEmpty(t, shown)

	const databases = "DATABASE kept, DATABASE kept_next, DATABASE kept_bi, DATABASE kept_api"
	h.exec("BACKUP " + databases + " TO Disk('backups', 'monday')")
	h.touchpoints(touch("after", "anonymous:z", minute(9)))
	h.exec("BACKUP " + databases + " TO Disk('backups', 'tuesday') SETTINGS base_backup = Disk('backups', 'monday')")
	for _, db := range []string{"kept_api", "kept_bi", "kept_next", "kept"} {
		h.exec("DROP DATABASE " + db + " SYNC")
	}
	h.exec("RESTORE " + databases + " FROM Disk('backups', 'monday')")
	require.Equal(t, before, sum())
	require.Equal(t, shown, h.bi("profile, message_id, stage", "v_touchpoints ORDER BY message_id"))
	report := h.verify()
	require.Zero(t, report.Differences(), "%s", report)
	plan, err := PlanMigrate(t.Context(), conn, ns)
	require.NoError(t, err)
	require.Empty(t, plan.Migrations)
	require.NoError(t, Migrate(t.Context(), conn, ns))

	for _, db := range []string{"kept_api", "kept_bi", "kept_next", "kept"} {
		h.exec("DROP DATABASE " + db + " SYNC")
	}
	h.exec("RESTORE " + databases + " FROM Disk('backups', 'tuesday')")
	require.Len(t, h.bi("profile", "v_touchpoints"), len(shown)+1, "the second holds what came since the first")
	h.touchpoints(touch("after", "anonymous:z", minute(9)))
	require.Len(t, h.bi("profile", "v_touchpoints"), len(shown)+1, "a row that comes again is one row")
}
