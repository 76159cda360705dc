package warehouse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A roll-up that is not made as it should be, or no more: verify has what is in force
// made anew, and names what differs then.
func TestVerifyFindsWrongRollUps(t *testing.T) {
	h := goodHouse(t)
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shop()))
	require.Zero(t, h.verify().Differences())
	for _, story := range []struct{ rollup, change, check, want string }{
		{"visits", "INSERT INTO {ns}.rollup_visits (journey_key, stage, entered_at) VALUES (7, 'purchase', '2026-03-02 00:00:00')", "roll-up of visits", "the key 7 should come to purchase at 2026-03-02 00:00:00.000 0 times, comes 1"},
		{"visits", "TRUNCATE TABLE {ns}.rollup_visits", "roll-up of visits", "journey j1 should come to awareness at 2026-03-01 12:00:00.000 1 times, comes 0"},
		{"journeys", "TRUNCATE TABLE {ns}.rollup_journeys", "roll-up of journeys", "journey j2 should be there 1 times, is 0"},
		{"journeys", "INSERT INTO {ns}.rollup_journeys (journey_key) SELECT sipHash64('j1')", "roll-up of journeys", "journey j1 should be there 1 times, is 1, with other values"},
		{"days", "INSERT INTO {ns}.rollup_days (day, stage, channel, profile_key, touchpoints) VALUES ('2026-03-01', 'awareness', 'web', 7, 3)", "roll-ups of days", `stage "awareness", channel web should have 1 touchpoints of 1 profiles, has 4 of 2`},
		{"touchpoints", "TRUNCATE TABLE {ns}.rollup_touchpoints", "roll-ups of days", "roll-up of touchpoints: 2026-03-01 should have revenue 0, 3 sessions, 2 journeys, has 0, 0, 0"},
	} {
		h.exec("DROP VIEW IF EXISTS " + h.ns + ".rollup_" + story.rollup + "_refresh")
		h.exec(strings.ReplaceAll(story.change, "{ns}", h.ns))
		r := h.verify()
		var examples []string
		for _, c := range r.Checks {
			if c.Name == story.check {
				examples = c.Examples
			}
		}
		require.Contains(t, strings.Join(examples, "\n"), story.want, r.String())
	}
}
