package journey_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/model"
)

// tables are what must be the same whatever the order.
func tables() []string {
	return []string{
		journeytest.PartOwners, journeytest.PartSessions, journeytest.PartJourneys, journeytest.PartTransitions,
		journeytest.PartFrictions, journeytest.PartCounts,
	}
}

// everything is all that a history can hold.
func everything(m *journey.Model) journeytest.GenConfig {
	return journeytest.GenConfig{
		Model: m, Users: 3, Links: true, Others: true, Aliases: true, Business: true, Duplicates: true, Disagree: true,
		SharedIDs: true, Backfill: true, Patterns: true, Evidence: true, Traits: true, Channels: true, Flags: true,
	}
}

// TestAnyHistoryGivesTheBatchAnswer: whatever arrives in whatever order, with
// copies, split into any commits, with state lost and read back at each commit,
// the tables are those of the batch computation over the same set.
func TestAnyHistoryGivesTheBatchAnswer(t *testing.T) {
	m, err := model.Builtin("shop")
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		log := journeytest.GenHistory(rt, journeytest.GenConfig{
			Model: m, Users: 3, Links: true, Others: true, Aliases: true, Business: true, Duplicates: true, Disagree: true,
			SharedIDs: true, Backfill: true,
		})
		e := newEngine(m, rapid.IntRange(0, 5).Draw(rt, "commit every"), rapid.Bool().Draw(rt, "restart"), rapid.Uint64().Draw(rt, "delivery"))
		requireBatch(rt, m, e, log, tables()...)
	})
}

// TestFullModelGivesTheBatchAnswer: the same with a model that uses all there is:
// friction, sentiment, personas, intent.
func TestFullModelGivesTheBatchAnswer(t *testing.T) {
	m := journeytest.FullModel()
	rapid.Check(t, func(rt *rapid.T) {
		log := journeytest.GenHistory(rt, everything(m))
		e := newEngine(m, rapid.IntRange(0, 5).Draw(rt, "commit every"), rapid.Bool().Draw(rt, "restart"), rapid.Uint64().Draw(rt, "delivery"))
		requireBatch(rt, m, e, log, tables()...)
	})
}

// TestTailsAreEnough: histories that come in order are read on from their tails,
// stored or in memory, and the answer is the batch's; what comes late fetches the
// points.
func TestTailsAreEnough(t *testing.T) {
	m := journeytest.FullModel()
	tails, slim, completed := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		cfg := everything(m)
		cfg.Touchpoints, cfg.Visitors, cfg.Users, cfg.Others, cfg.Disagree = 40, 1, 1, false, false
		cfg.Links, cfg.Aliases = rapid.Bool().Draw(rt, "links"), rapid.IntRange(0, 4).Draw(rt, "aliases") == 0
		log := journeytest.GenHistory(rt, cfg)
		slices.SortStableFunc(log, func(a, b journey.Touchpoint) int { return a.Key().Compare(b.Key()) })
		for range rapid.IntRange(0, 3).Draw(rt, "late ones") {
			i := rapid.IntRange(0, len(log)-1).Draw(rt, "late one")
			late := log[i]
			log = append(slices.Delete(log, i, i+1), late)
		}
		e := newEngine(m, rapid.IntRange(1, 3).Draw(rt, "commit every"), rapid.Bool().Draw(rt, "restarts"), rapid.Uint64().Draw(rt, "delivery"))
		requireBatch(rt, m, e, log, tables()...)
		tails, slim, completed = tails+e.tails, slim+e.slim, completed+e.completed
	})
	require.Positive(t, tails, "profiles read from their tail")
	require.Positive(t, slim, "profiles that were slimmed")
	require.Positive(t, completed, "of them those that needed their points after all")
	t.Logf("%d tails, %d slim, %d completed", tails, slim, completed)
}

// TestOrderAndCopiesDoNotMatter: the same set in another order, with other
// copies, gives the same tables.
func TestOrderAndCopiesDoNotMatter(t *testing.T) {
	m, err := model.Builtin("shop")
	require.NoError(t, err)
	rapid.Check(t, func(rt *rapid.T) {
		log := journeytest.GenHistory(rt, journeytest.GenConfig{
			Model: m, Users: 3, Links: true, Others: true, Aliases: true, Business: true, Duplicates: true, SharedIDs: true,
		})
		now := clockAfter(log)
		want := play(newEngine(m, 1, false, 1), log, now)
		got := play(newEngine(m, 3, true, rapid.Uint64().Draw(rt, "delivery")), journeytest.Permute(rt, log), now)
		require.Empty(rt, journeytest.Diff(want, got, tables()...))
	})
}

func play(e *engine, log []journey.Touchpoint, now int64) *journeytest.Answer {
	for _, t := range log {
		e.Apply(t)
	}
	return e.Finish(now)
}

// clockAfter is a time at which some sessions are closed and some are not.
func clockAfter(log []journey.Touchpoint) int64 {
	var now int64
	for _, t := range log {
		now = max(now, t.Time, t.Received)
	}
	return now + 1
}

func requireBatch(t require.TestingT, m *journey.Model, e *engine, log []journey.Touchpoint, parts ...string) {
	now := clockAfter(log)
	require.Empty(t, journeytest.Diff(journeytest.Batch(m, log, now), play(e, log, now), parts...))
}

// TestLongProfilesStayExact: beyond MaxPoints the oldest points are folded into
// a base; as long as nothing arrives before it, the answer is still the batch's.
func TestLongProfilesStayExact(t *testing.T) {
	m, err := model.Builtin("shop")
	require.NoError(t, err)
	events := []string{"page_viewed", "product_viewed", "cart_viewed", "order_completed", "product_used", "review_submitted"}
	var log []journey.Touchpoint
	for i := range 3 * journey.MaxPoints {
		at := int64(1_700_000_000_000) + int64(i)*17*60_000
		log = append(log, journey.Touchpoint{
			MessageID: mid(i), Identifier: "user:u", UserID: "u", Type: "track", Event: events[(i*i+i/7)%len(events)],
			Time: at, Received: at, Actor: journey.ActorCustomer, Channel: "web", RevenueMicros: int64(i),
		})
	}
	requireBatch(t, m, newEngine(m, 500, true, 1), log,
		journeytest.PartSessions, journeytest.PartJourneys, journeytest.PartTransitions) // folded points have no owner to look up
}

func mid(i int) string {
	return string([]byte{'m', byte('a' + i/676%26), byte('a' + i/26%26), byte('a' + i%26), byte('0' + i%10), byte('0' + i/17576%10)})
}

// TestDroppingStateChangesNothing: rows are dropped when nothing that comes in
// time can touch them any more, and the tables are the same as if all had been
// kept. Owners of what was dropped cannot be looked up.
func TestDroppingStateChangesNothing(t *testing.T) {
	m := journeytest.FullModel()
	m.Lateness = 20 * 60_000
	dropped := 0
	rapid.Check(t, func(rt *rapid.T) {
		cfg := everything(m)
		// A backfill may strike what was dropped. A link or an alias finds no points of
		// it to join. A copy that says another time cannot be told from news once its
		// message is forgotten.
		cfg.Backfill, cfg.Links, cfg.Others, cfg.Aliases, cfg.Disagree = false, false, false, false, false
		log := journeytest.GenHistory(rt, cfg)
		arriving(rt, log)
		e := newEngine(m, rapid.IntRange(1, 3).Draw(rt, "commit every"), rapid.Bool().Draw(rt, "restart"), rapid.Uint64().Draw(rt, "delivery"))
		e.evict = true
		now := clockAfter(log)
		require.Empty(rt, journeytest.Diff(journeytest.Batch(m, log, now), play(e, log, now),
			journeytest.PartSessions, journeytest.PartJourneys, journeytest.PartTransitions, journeytest.PartFrictions))
		require.Zero(rt, e.evicted)
		dropped += e.dropped
	})
	require.Positive(t, dropped, "no history was long enough for anything to be dropped")
}

// arriving gives touchpoints arrivals that grow, with long silences, so that
// state comes of age in between; event times keep their distance to them.
func arriving(t *rapid.T, log []journey.Touchpoint) {
	at, times := log[0].Received, map[journeytest.Point]int64{}
	for i := range log {
		late := min(max(log[i].Received-log[i].Time, 0), 15*60_000)
		at += rapid.SampledFrom([]int64{0, 1000, 60_000, 11 * 60_000, 3 * 3_600_000, 6 * 3_600_000}).Draw(t, "silence")
		log[i].Received, log[i].Time = at, at-late
		id := journeytest.Point{Identifier: log[i].Identifier, MessageID: log[i].MessageID}
		if first, copied := times[id]; copied {
			log[i].Time = first
		}
		times[id] = log[i].Time
	}
}
