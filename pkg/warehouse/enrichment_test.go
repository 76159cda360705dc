package warehouse

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// A database of the version before enrichment keeps its rows, with nothing in the
// new columns; new rows have each in its own, those that are late and those of a
// rebuild, too.
func TestUpgradeFromBeforeEnrichment(t *testing.T) {
	env := testbed.ClickHouse(t)
	conn, err := Open(t.Context(), env.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	h := &house{t, conn, env.Namespace}
	require.NoError(t, migrate(t.Context(), conn, h.ns, until(t, "0005"), fstest.MapFS{}))
	const at = "toDateTime64('2026-03-01 12:00:00', 3, 'UTC')"
	h.exec("INSERT INTO " + h.ns + ".touchpoints (message_id, identifier, type, event_time, received_at, actor, revision) SELECT 'm1', 'anonymous:a', 'page', " + at + ", " + at + ", 'customer', 1")
	h.exec("INSERT INTO " + h.ns + ".sessions (session_id, identifier, status, started_at, ended_at, minted_at, touchpoints, revision) SELECT 's1', 'anonymous:a', 'open', " + at + ", " + at + ", " + at + ", 1, 1")
	require.NoError(t, Migrate(t.Context(), conn, h.ns))

	full := touch("m2", "anonymous:a", minute(0))
	full.ChannelGroup, full.ReferrerHost, full.ReferrerClass, full.ClickIdKind, full.ClickId, full.CampaignId = "group", "host", "class", "kind", "click", "campaign"
	full.Browser, full.BrowserVersion, full.Os, full.OsVersion, full.Country, full.Region, full.City = "browser", "1", "os", "2", "country", "region", "city"
	h.touchpoints(full)
	h.sessions(&wirepb.Session{SessionId: "s2", Identifier: "anonymous:a", Status: "open", StartedMs: minute(0), EndedMs: minute(0), MintedMs: minute(0), ChannelGroup: "group", Revision: 1})
	const columns = "channel_group, referrer_host, referrer_class, click_id_kind, click_id, campaign_id, browser, browser_version, os, os_version, country, region, city"
	const values = " group host class kind click campaign browser 1 os 2 country region city"
	require.ElementsMatch(t, []string{"m1" + strings.Repeat(" ", 13), "m2" + values}, h.bi("message_id, "+columns, "v_touchpoints"))
	require.ElementsMatch(t, []string{"s1 ", "s2 group"}, h.bi("session_id, channel_group", "v_sessions"))

	late := NewLateBatch()
	require.NoError(t, late.Add("o", "beyond_horizon", full))
	for _, ns := range []string{h.ns, NextNamespace(h.ns)} {
		require.NoError(t, late.Insert(t.Context(), conn, ns, 0, 1))
		require.Equal(t, []string{"o" + values}, h.column("SELECT concatWithSeparator(' ', origin, "+columns+") FROM "+ns+".late"))
	}
	for _, table := range []string{"touchpoints", "late", "sessions"} {
		structure := "SELECT concat(name, ' ', type) FROM system.columns WHERE table = '" + table + "' AND database = "
		require.Equal(t, h.column(structure+"'"+h.ns+"' ORDER BY position"), h.column(structure+"'"+NextNamespace(h.ns)+"' ORDER BY position"), table)
	}
	require.NoError(t, Migrate(t.Context(), conn, h.ns), "again")
}
