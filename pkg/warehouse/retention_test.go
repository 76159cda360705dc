package warehouse

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRetention: rows go when their time is over, others stay; the retention can be
// changed and taken back; the partition keys stay, and so do rows of any year.
func TestRetention(t *testing.T) {
	h := newHouse(t)
	keys := func() []string {
		return h.column("SELECT concat(database, '.', name, ' ', partition_key, ' ', sorting_key) FROM system.tables WHERE database IN ('" + h.ns + "', '" + h.ns + "_next') ORDER BY 1")
	}
	before := keys()
	day := int64(24 * time.Hour / time.Millisecond)
	now := time.Now().UnixMilli()
	for id, at := range map[string]int64{"new": now - day, "month": now - 40*day, "old": now - 400*day, "1950": -7305 * day, "2200": 84_006 * day} {
		h.touchpoints(touch(id, "anonymous:a", at))
	}
	left := func(want ...string) {
		t.Helper()
		require.Eventually(t, func() bool {
			for _, table := range []string{"touchpoints", "sessions"} {
				h.exec("OPTIMIZE TABLE " + h.ns + "." + table + " FINAL")
			}
			got := h.column("SELECT message_id FROM " + h.ns + ".touchpoints ORDER BY event_time")
			return fmt.Sprint(got) == fmt.Sprint(want)
		}, 20*time.Second, 100*time.Millisecond, "want %v", want)
	}
	put := func(days map[Table]int) {
		t.Helper()
		require.NoError(t, PutRetention(t.Context(), h.conn, h.ns, days))
		have, err := retentions(t.Context(), h.conn, h.ns)
		require.NoError(t, err)
		for _, table := range RetentionTables() {
			require.Equal(t, days[table], have[h.ns+"."+string(table)], table)
		}
	}
	put(nil)
	left("1950", "old", "month", "new", "2200")
	all := map[Table]int{}
	for i, table := range RetentionTables() {
		all[table] = 300 + i
	}
	put(all)
	left("month", "new", "2200")
	mutations := func() []string {
		return h.column("SELECT mutation_id FROM system.mutations WHERE database = '" + h.ns + "' ORDER BY table, mutation_id")
	}
	was := mutations()
	put(all)
	require.Equal(t, was, mutations(), "what has not changed is left alone")
	put(map[Table]int{TableTouchpoints: 30})
	left("new", "2200")
	put(nil)
	h.touchpoints(touch("older", "anonymous:a", now-500*day))
	left("older", "new", "2200")
	require.Equal(t, before, keys())
	require.NoError(t, Migrate(t.Context(), h.conn, h.ns), "migrations still match")
	require.ErrorContains(t, PutRetention(t.Context(), h.conn, h.ns, map[Table]int{TableIdentities: 3}), "identities")
	require.Error(t, PutRetention(t.Context(), h.conn, h.ns, map[Table]int{TableSessions: -1}))
}
