package journeytest_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
)

// fullEdges are the edges that FullConfig's histories must reach.
func fullEdges(m *journey.Model) []string {
	edges := []string{
		"absence fulfilled at the last moment", "absence a millisecond too late", "absence fulfilled at the opener's time, before it in the order",
		"two episodes", "friction outside of a journey", "friction of the business", "friction in a stage", "void by the clock",
		"repetition at exactly within", "trait gone", "asset", "bot", "mean of several scores", "persona differs within a journey",
		"session of two channels", "events a model does not mention", "threshold exactly", "intent decays", "two journeys",
	}
	for _, f := range m.Frictions {
		edges = append(edges, "friction "+f.Name)
	}
	for _, p := range m.Personas {
		edges = append(edges, "persona "+p.Name)
	}
	for _, s := range m.Stages {
		for _, sub := range s.Substages {
			edges = append(edges, "stage "+s.Name+"/"+sub)
		}
		if len(s.Substages) == 0 { // else each of its rules names one
			edges = append(edges, "stage "+s.Name+"/")
		}
	}
	return append(edges, "source nps", "source stars", "source text", "source signal")
}

func TestFullHistoriesReachTheEdges(t *testing.T) {
	m := journeytest.FullModel()
	seen := map[string]int{}
	gen := rapid.Custom(func(t *rapid.T) []journey.Touchpoint { return journeytest.GenHistory(t, journeytest.FullConfig(m)) })
	for seed := range 3000 {
		log := gen.Example(seed)
		got := journeytest.Batch(m, log, journeytest.Base+day)
		noteLog(seen, m, log, got)
		noteAnswer(seen, m, log, got)
	}
	for _, edge := range fullEdges(m) {
		require.NotZero(t, seen[edge], "no history has: %s (of %v)", edge, seen)
	}
}

const day = 24 * 60 * minute

func noteLog(seen map[string]int, m *journey.Model, log []journey.Touchpoint, got *journeytest.Answer) {
	owner := func(p *journey.Touchpoint) string {
		return got.Owners[journeytest.Point{Identifier: p.Identifier, MessageID: p.MessageID}]
	}
	for i := range log {
		p := &log[i]
		if _, source, ok := m.Sentiment(p); ok {
			seen["source "+source]++
		}
		for _, trait := range m.ReadTraits(p.Traits) {
			if trait.Value == "" {
				seen["trait gone"]++
			}
		}
		if p.Has(journey.FlagAsset) {
			seen["asset"]++
		}
		for k := range log {
			q := &log[k]
			if p.Event != "checkout_started" || q.Event != "order_completed" || owner(p) != owner(q) {
				continue
			}
			switch d := q.Time - p.Time; {
			case d == 15*minute:
				seen["absence fulfilled at the last moment"]++
			case d == 15*minute+1:
				seen["absence a millisecond too late"]++
			case d == 0 && q.Key().Compare(p.Key()) < 0:
				seen["absence fulfilled at the opener's time, before it in the order"]++
			}
		}
	}
}

func noteAnswer(seen map[string]int, m *journey.Model, log []journey.Touchpoint, got *journeytest.Answer) {
	at := map[journeytest.Point]*journey.Touchpoint{}
	for i := range log {
		at[journeytest.Point{Identifier: log[i].Identifier, MessageID: log[i].MessageID}] = &log[i]
	}
	see := func(edge string, is bool) {
		if is {
			seen[edge]++
		}
	}
	for i, f := range got.Frictions {
		see("friction "+f.Name, true)
		see("two episodes", i > 0 && f.Kind == "absence" && got.Frictions[i-1].Name == f.Name && got.Frictions[i-1].Profile == f.Profile)
		see("friction outside of a journey", f.JourneyStart == 0)
		see("friction in a stage", f.Stage != "")
		cause := at[journeytest.Point{Identifier: f.Identifier, MessageID: f.MessageID}]
		see("friction of the business", cause.Business())
		for _, p := range at {
			see("repetition at exactly within", f.Name == "search_repeated" && p.Event == cause.Event && cause.Time-p.Time == 5*minute)
		}
	}
	see("void by the clock", len(journeytest.Batch(m, log, journeytest.Base).Frictions) < len(got.Frictions))
	for _, s := range got.Sessions {
		see("bot", s.Bot)
		see("session of two channels", s.Channel != s.LastChannel)
		see("events a model does not mention", s.EventCounts["other"] > 0)
	}
	for i, j := range got.Journeys {
		see("persona "+j.Persona, j.Persona != "")
		see("mean of several scores", j.SentimentCount > 1)
		see("intent decays", j.IntentMillis%1000 != 0)
		see("threshold exactly", j.IntentMillis == 40_000 || j.IntentMillis == 60_000)
		see("two journeys", i > 0 && got.Journeys[i-1].Profile == j.Profile)
	}
	for i, tr := range got.Transitions {
		see("stage "+tr.To+"/"+tr.Substage, true)
		before := max(0, i-1)
		see("persona differs within a journey", got.Transitions[before].JourneyStart == tr.JourneyStart && got.Transitions[before].Persona != tr.Persona)
	}
}

// What must hold of any answer, however it was computed.
func TestFullInvariants(t *testing.T) {
	m := journeytest.FullModel()
	rapid.Check(t, func(t *rapid.T) {
		log := journeytest.GenHistory(t, journeytest.FullConfig(m))
		got := journeytest.Batch(m, log, journeytest.Base+day)
		checkTransitions(t, got)
		last := map[string]int64{} // end of the latest episode of a pattern
		for _, f := range got.Frictions {
			if f.Kind == journey.FrictionAbsence {
				opened := f.At - spanOf(m, f.Name)
				end, earlier := last[f.Profile+f.Name]
				require.True(t, !earlier || opened > end, "episodes do not overlap")
				last[f.Profile+f.Name] = f.At
			}
		}
		checkSums(t, m, log, got)
		for _, j := range got.Journeys {
			require.GreaterOrEqual(t, j.IntentMillis, int64(0))
			require.Positive(t, j.Sessions)
			require.LessOrEqual(t, j.Sessions, j.Touchpoints)
		}
	})
}

func spanOf(m *journey.Model, name string) int64 {
	for _, f := range m.Frictions {
		if f.Name == name {
			return f.Absence.For
		}
	}
	return 0
}

// checkSums compares the sessions' sums with those of the touchpoints.
func checkSums(t require.TestingT, m *journey.Model, log []journey.Touchpoint, got *journeytest.Answer) {
	var want, sum int64
	var pages, events int
	for i := range log {
		p := &log[i]
		if p.Business() {
			continue
		}
		if score, _, ok := m.Sentiment(p); ok && !p.Has(journey.FlagAsset) {
			want += int64(score)
		}
		if p.Type == "page" && !p.Has(journey.FlagAsset) {
			pages++
		}
		if p.Event != "" {
			events++
		}
	}
	for _, s := range got.Sessions {
		sum += s.SentimentSum
		pages -= s.Pages
		for _, n := range s.EventCounts {
			events -= n
		}
	}
	require.Equal(t, want, sum)
	require.Zero(t, pages)
	require.Zero(t, events)
	sessions := 0
	for _, j := range got.Journeys {
		sessions += j.Sessions
	}
	require.GreaterOrEqual(t, sessions, len(got.Sessions), "an owner may change within a session, never fewer")
}

func TestFullAnswerIgnoresOrderAndDuplicates(t *testing.T) {
	m := journeytest.FullModel()
	rapid.Check(t, func(t *rapid.T) {
		log := journeytest.GenHistory(t, journeytest.FullConfig(m))
		again := append(slices.Clip(log), log[:rapid.IntRange(0, len(log)).Draw(t, "again")]...)
		now := journeytest.Base + rapid.Int64Range(0, day).Draw(t, "now")
		want := journeytest.Batch(m, log, now)
		got := journeytest.Batch(m, journeytest.Permute(t, again), now)
		require.Empty(t, journeytest.Diff(want, got, "owners", "sessions", "journeys", "transitions", "frictions"))
	})
}

// A difference in any column must be one that Diff finds.
func TestDiffSeesEveryColumn(t *testing.T) {
	base := func() *journeytest.Answer {
		return &journeytest.Answer{
			Sessions: []journeytest.Session{{}}, Journeys: []journeytest.Journey{{}}, Transitions: []journeytest.Transition{{}},
			Frictions: []journeytest.FrictionRow{{}},
		}
	}
	zero := int32(0)
	for name, change := range map[string]func(a *journeytest.Answer){
		"session channel":      func(a *journeytest.Answer) { a.Sessions[0].Channel = "x" },
		"session last channel": func(a *journeytest.Answer) { a.Sessions[0].LastChannel = "x" },
		"session device":       func(a *journeytest.Answer) { a.Sessions[0].Device = "x" },
		"session campaign":     func(a *journeytest.Answer) { a.Sessions[0].Campaign = "x" },
		"session landing":      func(a *journeytest.Answer) { a.Sessions[0].Landing = "x" },
		"session exit":         func(a *journeytest.Answer) { a.Sessions[0].Exit = "x" },
		"session pages":        func(a *journeytest.Answer) { a.Sessions[0].Pages = 1 },
		"session events":       func(a *journeytest.Answer) { a.Sessions[0].EventCounts = map[string]int{"other": 1} },
		"session sum":          func(a *journeytest.Answer) { a.Sessions[0].SentimentSum = 1 },
		"session count":        func(a *journeytest.Answer) { a.Sessions[0].SentimentCount = 1 },
		"journey sum":          func(a *journeytest.Answer) { a.Journeys[0].SentimentSum = 1 },
		"journey count":        func(a *journeytest.Answer) { a.Journeys[0].SentimentCount = 1 },
		"journey persona":      func(a *journeytest.Answer) { a.Journeys[0].Persona = "x" },
		"journey intent":       func(a *journeytest.Answer) { a.Journeys[0].IntentMillis = 1 },
		"journey sessions":     func(a *journeytest.Answer) { a.Journeys[0].Sessions = 1 },
		"transition channel":   func(a *journeytest.Answer) { a.Transitions[0].Channel = "x" },
		"transition sentiment": func(a *journeytest.Answer) { a.Transitions[0].Sentiment = &zero },
		"transition persona":   func(a *journeytest.Answer) { a.Transitions[0].Persona = "x" },
		"friction kind":        func(a *journeytest.Answer) { a.Frictions[0].Kind = "x" },
		"friction severity":    func(a *journeytest.Answer) { a.Frictions[0].Severity = 1 },
		"friction channel":     func(a *journeytest.Answer) { a.Frictions[0].Channel = "x" },
		"friction stage":       func(a *journeytest.Answer) { a.Frictions[0].Stage = "x" },
		"friction persona":     func(a *journeytest.Answer) { a.Frictions[0].Persona = "x" },
		"friction journey":     func(a *journeytest.Answer) { a.Frictions[0].JourneyStart = 1 },
	} {
		other := base()
		require.Empty(t, journeytest.Diff(base(), other), name)
		change(other)
		require.NotEmpty(t, journeytest.Diff(base(), other), name)
	}
}
