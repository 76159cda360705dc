package journeytest_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
)

func TestFirstCopyCounts(t *testing.T) {
	first, second := a(0, "v"), a(0, "v")
	second.Time += 45 * minute
	got := answer(t, first, second)
	require.Equal(t, []string{"A d1 00:00 n=1 closed"}, got.Lines("sessions"))
	require.Equal(t, []string{"duplicates 1"}, got.Lines("counts"))
	require.Equal(t, []string{"A d1 00:45 n=1 open"}, answer(t, second, first).Lines("sessions"))
}

func TestLateTouchpointsAreApart(t *testing.T) {
	at, late, declared := a(0, "at"), a(0, "late"), a(0, "declared")
	at.Received += 30 * 24 * 60 * minute
	late.Received = at.Received + 1
	declared.Received, declared.Flags = late.Received, journey.FlagBackfill
	got := answer(t, at, late, declared)
	require.Equal(t, 2, got.Sessions[0].Count)
	require.Equal(t, []string{"late 1"}, got.Lines("counts"))
}

func TestGivenOwnersAreTaken(t *testing.T) {
	given, free := a(0, "v", "1"), a(1, "v")
	given.Owner = "user:9"
	got := journeytest.BatchWith(journeytest.Options{Owners: journeytest.OwnersGiven}, load(t),
		[]journey.Touchpoint{given, free}, 0)
	require.Equal(t, []string{"A -> +1: v@60000", "A -> +9: v@0"}, got.Lines("owners"))
}

func TestLargeComponentIsFrozen(t *testing.T) {
	var log []journey.Touchpoint
	for i := range 32 {
		log = append(log, alias(int64(i), strconv.Itoa(i), strconv.Itoa(i+1)))
	}
	joined := answer(t, log[:31]...) // 32 users
	require.Empty(t, joined.Frozen)
	require.Len(t, joined.Journeys, 1)
	frozen := answer(t, log...) // 33
	require.Len(t, frozen.Frozen, 33)
	require.Len(t, frozen.Journeys, 32, "each user its own; the first has no touchpoint")
}

func everything(m *journey.Model) journeytest.GenConfig {
	return journeytest.GenConfig{
		Model: m, Users: 3, Links: true, Others: true, Aliases: true, Business: true, SharedIDs: true, Backfill: true,
	}
}

// The oracle must itself obey the invariants of docs/semantics.md section 4.
func TestBatchInvariants(t *testing.T) {
	m := load(t)
	rapid.Check(t, func(t *rapid.T) {
		log := journeytest.GenHistory(t, everything(m))
		got := journeytest.Batch(m, log, journeytest.Base)
		customers := 0
		for i := range log {
			if !log[i].Business() {
				customers++
			}
		}
		inSessions, inJourneys := 0, 0
		for i, s := range got.Sessions {
			inSessions += s.Count
			if i > 0 && got.Sessions[i-1].Identifier == s.Identifier {
				require.Greater(t, s.Start-got.Sessions[i-1].End, m.SessionGap)
			}
		}
		for i, j := range got.Journeys {
			inJourneys += j.Touchpoints
			if i > 0 && got.Journeys[i-1].Profile == j.Profile {
				require.Greater(t, j.Start-got.Journeys[i-1].End, m.JourneyGap)
			}
		}
		require.Equal(t, customers, inSessions)
		require.Equal(t, customers, inJourneys)
		checkTransitions(t, got)
	})
}

func checkTransitions(t require.TestingT, got *journeytest.Answer) {
	for i, tr := range got.Transitions {
		first := i == 0 || got.Transitions[i-1].Profile != tr.Profile || got.Transitions[i-1].JourneyStart != tr.JourneyStart
		if first {
			require.Equal(t, 1, tr.Seq)
			require.Empty(t, tr.From)
			require.Nil(t, tr.Dwell)
			continue
		}
		before := got.Transitions[i-1]
		require.Equal(t, before.Seq+1, tr.Seq)
		require.Equal(t, before.To, tr.From)
		require.GreaterOrEqual(t, tr.At, before.At)
		require.NotNil(t, tr.Dwell)
	}
}

func TestBatchIgnoresOrderAndDuplicates(t *testing.T) {
	m := load(t)
	rapid.Check(t, func(t *rapid.T) {
		cfg := everything(m)
		log := journeytest.GenHistory(t, cfg)
		again := append(slices.Clip(log), log[:rapid.IntRange(0, len(log)).Draw(t, "again")]...)
		want := journeytest.Batch(m, log, journeytest.Base)
		got := journeytest.Batch(m, journeytest.Permute(t, again), journeytest.Base)
		require.Empty(t, journeytest.Diff(want, got, "owners", "sessions", "journeys", "transitions"))
	})
}

// A generator that never reaches an edge proves nothing about it.
func TestHistoriesReachTheEdges(t *testing.T) {
	m := load(t)
	seen := map[string]int{}
	gen := rapid.Custom(func(t *rapid.T) []journey.Touchpoint {
		cfg := everything(m)
		cfg.Duplicates, cfg.Disagree = true, true
		return journeytest.GenHistory(t, cfg)
	})
	for seed := range 1500 {
		log := gen.Example(seed)
		got := journeytest.Batch(m, log, journeytest.Base)
		note(seen, m, log, got)
	}
	for _, edge := range []string{
		"session gap exactly", "session gap and a millisecond", "journey gap exactly", "journey gap and a millisecond",
		"duplicate", "frozen", "two journeys", "advance", "return", "within", "skipped", "converted", "business in a journey",
		"owner by link", "same instant", "shared message id",
	} {
		require.NotZero(t, seen[edge], "no history has: %s (of %v)", edge, seen)
	}
}

func note(seen map[string]int, m *journey.Model, log []journey.Touchpoint, got *journeytest.Answer) {
	see := func(edge string, is bool) {
		if is {
			seen[edge]++
		}
	}
	for i := range log {
		for k := range log[:i] {
			p, q := &log[i], &log[k]
			same := p.Identifier == q.Identifier && !p.Business() && !q.Business()
			d := max(p.Time-q.Time, q.Time-p.Time)
			see("session gap exactly", same && d == m.SessionGap)
			see("session gap and a millisecond", same && d == m.SessionGap+1)
			see("journey gap exactly", same && d == m.JourneyGap)
			see("journey gap and a millisecond", same && d == m.JourneyGap+1)
			see("same instant", same && d == 0 && p.MessageID != q.MessageID)
			see("shared message id", p.MessageID == q.MessageID && p.Identifier != q.Identifier)
		}
		owner := got.Owners[journeytest.Point{Identifier: log[i].Identifier, MessageID: log[i].MessageID}]
		see("owner by link", log[i].UserID == "" && owner != log[i].Identifier)
	}
	see("duplicate", got.Duplicates > 0)
	see("frozen", len(got.Frozen) > 0)
	for i, j := range got.Journeys {
		see("two journeys", i > 0 && got.Journeys[i-1].Profile == j.Profile)
		see("converted", j.Converted)
		see("business in a journey", j.Business > 0)
	}
	for _, tr := range got.Transitions {
		see(tr.Direction, true)
		see("skipped", len(tr.Skipped) > 0)
	}
}
