package journeytest

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
)

// theme settles on a few events and distances for this history: a dozen
// touchpoints drawn from forty events never make a pattern. Half the time they
// are those of one pattern, or of intent, and a few more.
func (g *generator) theme() {
	m := g.cfg.Model
	edges := edgesOfFrictions(m.Frictions)
	g.events = append(g.events, eventsOfPatterns(m)...)
	g.distances = append(g.distances, around(edges)...)
	if m.Intent.HalfLife > 0 {
		g.distances = append(g.distances, around([]int64{m.Intent.HalfLife, max(1, m.Intent.HalfLife/256)})...)
	}
	if g.chance("few properties", 2) {
		g.properties = few(g.t, "property", g.properties, 3)
	}
	if g.chance("few people", 2) {
		g.cfg.Visitors, g.cfg.Users = 1, 1
	}
	theme := rapid.IntRange(-len(m.Frictions)-2, len(m.Frictions)).Draw(g.t, "theme")
	switch {
	case theme == -1: // anything goes
	case theme < 0:
		g.events, g.distances = few(g.t, "event", g.events, 5), few(g.t, "distance", g.distances, 4)
	case theme == len(m.Frictions):
		g.events = append(few(g.t, "event", g.events, 2), eventsOfIntent(m)...)
		g.distances = few(g.t, "distance", g.distances, 4)
	default:
		g.themeOf(&m.Frictions[theme])
	}
}

// themeOf settles on what one pattern looks for.
func (g *generator) themeOf(f *journey.FrictionRule) {
	one := []journey.FrictionRule{*f}
	own := eventsOfRules(rulesOfFrictions(one))
	g.events = append(few(g.t, "event", g.events, 2), own...)
	g.distances = append(few(g.t, "distance", g.distances, 2), around(edgesOfFrictions(one))...)
	g.distances = append(g.distances, 0, 1)
	if r := f.Repetition; r != nil {
		g.events = append(g.events, slices.Repeat(own, 3)...)
		g.distances = append(g.distances, r.Within/2, r.Within/int64(r.AtLeast))
		g.properties = slices.DeleteFunc(g.properties, func(p string) bool {
			if r.By == nil || p == "" {
				return false
			}
			_, ok := r.By(&journey.Touchpoint{Type: "track", Properties: p})
			return !ok
		})
	}
}

// propertiesOf lists what values and scores are read from.
func propertiesOf(cfg GenConfig) []string {
	list := []string{"", "", `{"query":"tent"}`, `{"query":"stove"}`, `{"content":"whitepaper"}`, `{"items":2}`}
	if cfg.Evidence {
		list = append(list, `{"nps":0}`, `{"nps":9}`, `{"stars":1,"text":"good"}`, `{"stars":5}`, `{"text":"good but bad"}`, `{"text":"bad"}`)
	}
	return list
}

// few draws two to n of a list.
func few[T any](t *rapid.T, label string, list []T, n int) []T {
	return rapid.SliceOfN(rapid.SampledFrom(list), 2, n).Draw(t, label)
}

// around is each edge, and a millisecond to either side of it.
func around(edges []int64) []int64 {
	list := make([]int64, 0, 3*len(edges))
	for _, e := range edges {
		list = append(list, e-1, e, e+1)
	}
	return list
}

// eventsOfPatterns lists the events that friction patterns look for and, for
// whatever else counts events, those that the model mentions.
func eventsOfPatterns(m *journey.Model) []event {
	list := append([]event{{kind: "page", name: "page_viewed"}, {kind: "identify"}}, eventsOfRules(rulesOfFrictions(m.Frictions))...)
	for _, name := range m.Events {
		list = append(list, event{kind: "track", name: name})
	}
	return list
}

// eventsOfRules lists what rules without conditions on it match.
func eventsOfRules(rules []journey.Rule) []event {
	var list []event
	for _, r := range rules {
		for _, name := range r.Events {
			list = append(list, event{kind: orText(r.Type, "track"), name: name, actor: r.Actor})
		}
		if r.Actor == journey.ActorBusiness {
			list = append(list, event{kind: "track", name: "note_written", actor: r.Actor})
		}
	}
	return list
}

// eventsOfIntent lists the events that score by their name alone.
func eventsOfIntent(m *journey.Model) []event {
	list := []event{{kind: "page"}}
	for _, name := range m.Events {
		if m.Intent.Points != nil && m.Intent.Points(&journey.Touchpoint{Type: "track", Event: name}) > 0 {
			list = append(list, event{kind: "track", name: name})
		}
	}
	return list
}

// rulesOfFrictions are all rules in some patterns.
func rulesOfFrictions(patterns []journey.FrictionRule) []journey.Rule {
	var rules []journey.Rule
	for _, f := range patterns {
		switch {
		case f.Event != nil:
			rules = append(rules, *f.Event)
		case f.Repetition != nil:
			rules = append(rules, f.Repetition.Match)
		case f.Absence != nil:
			rules = append(rules, f.Absence.After, f.Absence.Without)
		}
	}
	return rules
}

// edgesOfFrictions are the spans at whose end a pattern changes its mind.
func edgesOfFrictions(patterns []journey.FrictionRule) []int64 {
	var edges []int64
	for _, f := range patterns {
		switch {
		case f.Repetition != nil:
			edges = append(edges, f.Repetition.Within)
		case f.Absence != nil:
			edges = append(edges, f.Absence.For)
		}
	}
	return edges
}
