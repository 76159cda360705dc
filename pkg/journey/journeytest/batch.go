package journeytest

import (
	"maps"
	"slices"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Limits of semantics.md section 5 that a journey.Model does not carry.
const (
	defaultUserLimit = 10 // users of an identifier; more freeze it
	componentLimit   = 32 // users joined by aliases; more freeze the component
)

// Ownership says where BatchWith takes a touchpoint's owner from.
type Ownership int

const (
	// OwnersFromLinks computes owners from all the links of the set, as
	// semantics.md D4 and D5 demand.
	OwnersFromLinks Ownership = iota
	// OwnersGiven takes Touchpoint.Owner where it is set, and that is the
	// profile: links and aliases are consulted only where it is empty. With it
	// a profile step can be judged apart from the device step that feeds it.
	OwnersGiven
)

// Options alter what BatchWith computes. The zero value is Batch.
type Options struct {
	Owners Ownership
}

// Batch computes the final tables from everything accepted. The log is in
// arrival order, which decides only one thing: of several copies of a message
// the first counts. now is the clock, in Unix milliseconds; it decides which
// sessions and journeys are still open.
func Batch(m *journey.Model, log []journey.Touchpoint, now int64) *Answer {
	return BatchWith(Options{}, m, log, now)
}

// BatchWith is Batch with options.
func BatchWith(o Options, m *journey.Model, log []journey.Touchpoint, now int64) *Answer {
	a := &Answer{Owners: map[Point]string{}}
	points := distinct(m, log, a)
	assignOwners(o, m, points, a)
	a.Sessions = sessions(m, points, now)
	for _, profile := range profiles(points, a.Owners) {
		a.tell(m, profile, now)
	}
	return a.Sort()
}

// tell adds the rows of a profile.
func (a *Answer) tell(m *journey.Model, p profile, now int64) {
	stands := map[Point]stand{}
	for _, s := range journeysOf(m, p.points) {
		row, f := fold(m, p.points, s, now)
		row.Profile = p.name
		a.Journeys = append(a.Journeys, row)
		for _, t := range f.transitions {
			t.Profile = p.name
			a.Transitions = append(a.Transitions, t)
		}
		maps.Copy(stands, f.stands)
	}
	for _, row := range frictions(m, p.points, now) {
		at := Point{row.Identifier, row.MessageID}
		row.Profile = p.name
		row.JourneyStart, row.Stage, row.Substage = stands[at].start, stands[at].stage, stands[at].substage
		row.Persona = personaAfter(m, p.points, place(p.points, at))
		a.Frictions = append(a.Frictions, row)
	}
}

// distinct is the set of semantics.md D1: the first copy of each message of an
// identifier, without those that arrived beyond the horizon (D11 a), in order
// and scored.
func distinct(m *journey.Model, log []journey.Touchpoint, a *Answer) []*journey.Touchpoint {
	seen := map[Point]bool{}
	var points []*journey.Touchpoint
	for i := range log {
		p := &log[i]
		if seen[pointOf(p)] {
			a.Duplicates++
			continue
		}
		seen[pointOf(p)] = true
		late := m.Lateness > 0 && p.Received-p.Time > m.Lateness && p.Flags&journey.FlagBackfill == 0
		if late {
			a.Late++
			continue
		}
		points = append(points, scored(m, p))
	}
	sortPoints(points)
	return points
}

// scored is the touchpoint with the score of its evidence, whatever it came
// with. What a page loads has none.
func scored(m *journey.Model, p *journey.Touchpoint) *journey.Touchpoint {
	q := *p
	q.Sentiment, q.SentimentSource = 0, ""
	if m.Sentiment != nil && !p.Has(journey.FlagAsset) {
		if score, source, ok := m.Sentiment(p); ok {
			q.Sentiment, q.SentimentSource = score, source
		}
	}
	return &q
}

// profile is a customer and all touchpoints it owns, in order.
type profile struct {
	name   string
	points []*journey.Touchpoint
}

// profiles groups points by owner, sorted by the owner's name.
func profiles(points []*journey.Touchpoint, owners map[Point]string) []profile {
	grouped := groupBy(points, func(p *journey.Touchpoint) string { return owners[pointOf(p)] })
	var all []profile
	for _, name := range sortedKeys(grouped) {
		all = append(all, profile{name, grouped[name]})
	}
	return all
}

// sessions are the gap windows of each identifier's customer touchpoints (D6).
func sessions(m *journey.Model, points []*journey.Touchpoint, now int64) []Session {
	grouped := groupBy(customersOnly(points), func(p *journey.Touchpoint) string { return p.Identifier })
	var all []Session
	for _, identifier := range sortedKeys(grouped) {
		for _, w := range windows(grouped[identifier], m.SessionGap) {
			all = append(all, session(m, identifier, w, now))
		}
	}
	return all
}

// session is the row of one window.
func session(m *journey.Model, identifier string, w window, now int64) Session {
	first, last := w[0], w[len(w)-1]
	s := Session{
		Identifier: identifier, Start: first.Time, End: last.Time, Count: len(w), Status: statusOpen,
		FirstMessage: first.MessageID, LastMessage: last.MessageID, Channel: first.Channel, LastChannel: last.Channel,
		Device: first.Device, Campaign: first.Campaign.Name, EventCounts: map[string]int{},
	}
	if now > s.End+m.SessionGap {
		s.Status = statusClosed
	}
	for _, p := range w {
		s.RevenueMicros += p.RevenueMicros
		s.Bot = s.Bot || p.Has(journey.FlagBot)
		asset := p.Has(journey.FlagAsset)
		if (p.Type == "page" || p.Type == "screen") && !asset {
			s.Pages++
		}
		switch {
		case slices.Contains(m.Events, p.Event):
			s.EventCounts[p.Event]++
		case p.Event != "":
			s.EventCounts[otherEvents]++
		}
		if p.Page.Path != "" && !asset {
			if s.Landing == "" {
				s.Landing = p.Page.Path
			}
			s.Exit = p.Page.Path
		}
	}
	s.SentimentSum, s.SentimentCount = sentimentOf(w)
	return s
}

// window is touchpoints with no pause longer than a gap, in order.
type window []*journey.Touchpoint

// windows cuts sorted touchpoints wherever the pause is longer than the gap; a
// pause of exactly the gap does not cut.
func windows(points []*journey.Touchpoint, gap int64) []window {
	var all []window
	for i, p := range points {
		if i == 0 || p.Time-points[i-1].Time > gap {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], p)
	}
	return all
}

func customersOnly(points []*journey.Touchpoint) []*journey.Touchpoint {
	return slices.DeleteFunc(slices.Clone(points), (*journey.Touchpoint).Business)
}

func sortPoints(points []*journey.Touchpoint) {
	slices.SortFunc(points, func(a, b *journey.Touchpoint) int { return a.Key().Compare(b.Key()) })
}

func groupBy(points []*journey.Touchpoint, key func(*journey.Touchpoint) string) map[string][]*journey.Touchpoint {
	grouped := map[string][]*journey.Touchpoint{}
	for _, p := range points {
		grouped[key(p)] = append(grouped[key(p)], p)
	}
	return grouped
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
