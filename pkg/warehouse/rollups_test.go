package warehouse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refresh makes the roll-ups anew, each after those that it reads.
func (h *house) refresh() {
	h.t.Helper()
	for _, name := range []string{"touchpoints", "days", "visits", "journeys"} {
		view := h.ns + ".rollup_" + name + "_refresh"
		h.exec("SYSTEM REFRESH VIEW " + view)
		h.exec("SYSTEM WAIT VIEW " + view)
	}
}

// rows is the number of rows of a query.
func (h *house) rows(query string) string {
	h.t.Helper()
	return h.column("SELECT toString(count()) FROM (" + strings.ReplaceAll(query, "{ns}", h.ns) + ")")[0]
}

// After a refresh each roll-up holds what its query finds in the tables, no more
// and no less.
func TestRollUpsEqualTheirBase(t *testing.T) {
	forCrowds(t, func(t *testing.T, h *house, _ []*walk) {
		t.Helper()
		h.refresh()
		for base, rollup := range map[string]string{
			"{ns}_api.touchpoints_live": "{ns}.rollup_touchpoints",
			"{ns}_api.visits_live":      "{ns}.rollup_visits",
			"{ns}_api.journeys_live":    "{ns}.rollup_journeys",
			`(SELECT day, stage, channel, profile_key, is_bot, count() AS touchpoints, max(event_time) AS last_at, max(stage_since) AS stage_since, now() AS refreshed_at
				FROM {ns}_api.touchpoints_live GROUP BY ALL)`: "{ns}.rollup_days",
		} {
			// As texts, with how often each is there.
			whole := "SELECT toString(tuple(* EXCEPT (refreshed_at))) AS line, count() AS n FROM %s GROUP BY line"
			left, right := fmt.Sprintf(whole, base), fmt.Sprintf(whole, rollup)
			require.NotEqual(t, "0", h.rows(left), rollup)
			require.Equal(t, "0", h.rows(left+" EXCEPT "+right), "%s lacks rows", rollup)
			require.Equal(t, "0", h.rows(right+" EXCEPT "+left), "%s has rows too many", rollup)
		}
	})
}

// A row that is withdrawn or replaced is gone from the roll-ups after a refresh:
// they are recomputed, never added to.
func TestRollUpsAreRecomputed(t *testing.T) {
	h := newHouse(t)
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, crowdModel()))
	p := touch("m1", "anonymous:a", minute(0))
	h.touchpoints(p)
	h.refresh()
	require.Equal(t, []string{"web"}, h.column("SELECT channel FROM "+h.ns+".rollup_days"))
	p.Channel, p.Revision = "store", 2
	h.touchpoints(p)
	h.refresh()
	require.Equal(t, []string{"store"}, h.column("SELECT channel FROM "+h.ns+".rollup_days"))
}

// manyRobots makes a namespace one that reads roll-ups.
func (h *house) manyRobots() {
	h.t.Helper()
	h.exec(`INSERT INTO ` + h.ns + `.touchpoints (message_id, identifier, type, event, event_time, received_at, channel, actor, source, flags, revision)
		SELECT toString(number), 'anonymous:robot', 'page', 'crawl', '2026-03-01 00:00:00', '2026-03-01 00:00:00', 'web', 'customer', 'shop', 1, 1 FROM numbers(300000)`)
}

// A large namespace answers from the roll-ups: what came after the refresh shows
// after the next one.
func TestALargeNamespaceReadsRollUps(t *testing.T) {
	h, _ := newCrowd(t, 4, 50)
	people := func() string {
		return h.column("SELECT toString(profiles) FROM " + h.ns + "_api.journey_map_totals(from = '1900-01-01 00:00:00', to = '2299-01-01 00:00:00')")[0]
	}
	small := people()
	h.refresh()
	h.manyRobots()
	require.Equal(t, small, people())
	h.touchpoints(touch("new", "anonymous:new", minute(0)))
	require.Equal(t, small, people(), "the roll-up does not know of it yet")
	h.refresh()
	require.NotEqual(t, small, people())
}

// What the console asks, of whole time and of parts of days, is the same from the
// tables and from the roll-ups, and what a plain reading of v_touchpoints counts.
func TestTheConsolesNumbersFromRollUps(t *testing.T) {
	h, _ := newCrowd(t, 5, 250)
	ranges := []string{
		"from = '1900-01-01 00:00:00.000', to = '2299-01-01 00:00:00.000'", "from = '2025-02-03 10:00:00.123', to = '2025-02-20 17:30:00.000'",
		"from = '2025-02-05 00:00:00.000', to = '2025-02-06 00:00:00.000'", "from = '2025-02-07 08:00:00.000', to = '2025-02-07 18:00:00.000'",
	}
	answers := func() []string {
		var list []string
		for _, r := range ranges {
			list = append(list, h.column("SELECT toString(tuple(*)) FROM "+h.ns+"_api.stage_funnel("+r+") ORDER BY stage_order")...)
			list = append(list, h.column("SELECT toString(tuple(*)) FROM "+h.ns+"_api.stage_funnel_daily("+r+") ORDER BY day, stage_order")...)
			list = append(list, h.column("SELECT toString((stage, stage_order, channel, touchpoints, profiles, round(mean_dwell_seconds, 6))) FROM "+h.ns+"_api.journey_map("+r+") ORDER BY stage_order, channel")...)
			list = append(list, h.column("SELECT toString((touchpoints_in_stages, profiles)) FROM "+h.ns+"_api.journey_map_totals("+r+")")...)
		}
		return list
	}
	live := answers()
	h.manyRobots()
	h.refresh()
	require.Equal(t, live, answers())
	for _, r := range ranges {
		f := strings.NewReplacer("from = ", "event_time >= ", ", to = ", " AND event_time < ").Replace(r)
		require.Equal(t,
			h.column("SELECT concatWithSeparator(' ', stage, channel, toString(count()), toString(uniqExact(profile))) FROM "+h.ns+"_bi.v_touchpoints WHERE NOT is_bot AND stage != '' AND "+f+" GROUP BY stage, channel ORDER BY stage, channel"),
			h.column("SELECT concatWithSeparator(' ', stage, channel, toString(touchpoints), toString(profiles)) FROM "+h.ns+"_api.journey_map("+r+") ORDER BY stage, channel"), r)
	}
}
