package journeytest

import (
	"slices"

	"github.com/cairnhq/cairn/pkg/journey"
)

// story is the touchpoints of one journey: its customer touchpoints make the
// window, all of them, in order, are folded.
type story struct {
	window window
	all    []*journey.Touchpoint
}

// journeysOf cuts a profile's touchpoints into journeys (D7). A business
// touchpoint joins the latest journey started at or before it, unless that
// ended longer than the gap ago.
func journeysOf(m *journey.Model, points []*journey.Touchpoint) []story {
	var all []story
	for _, w := range windows(customersOnly(points), m.JourneyGap) {
		all = append(all, story{window: w, all: slices.Clone(w)})
	}
	for _, p := range points {
		if !p.Business() {
			continue
		}
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].start() <= p.Time {
				if p.Time <= all[i].end()+m.JourneyGap {
					all[i].all = append(all[i].all, p)
				}
				break
			}
		}
	}
	for _, s := range all {
		sortPoints(s.all)
	}
	return all
}

func (s story) start() int64 { return s.window[0].Time }
func (s story) end() int64   { return s.window[len(s.window)-1].Time }

// folding is where the fold of a journey stands (D8).
type folding struct {
	m       *journey.Model
	points  []*journey.Touchpoint
	intents []int64                  // per point, after it
	matched []map[*journey.Rule]bool // per point, the rules it matched
	entered map[int]bool             // stages entered at an earlier touchpoint
	stage   int                      // -1 before the first
	sub     int
	since   int64 // when the current stage was entered

	goal        bool // the goal's rule fired
	transitions []Transition
	stands      map[Point]stand // where it stood after each point
}

// stand is where a journey stands after one of its touchpoints.
type stand struct {
	start           int64 // of the journey
	stage, substage string
}

// fold computes one journey's row, its transitions, and where it stood after
// each touchpoint. all are the profile's touchpoints, over all its journeys.
func fold(m *journey.Model, all []*journey.Touchpoint, s story, now int64) (Journey, *folding) {
	f := &folding{m: m, points: s.all, intents: intents(m, s.all), entered: map[int]bool{}, stage: -1, sub: -1, stands: map[Point]stand{}}
	for i, p := range s.all {
		f.step(i)
		f.stands[pointOf(p)] = stand{s.start(), stageName(m, f.stage), substageName(m, f.stage, f.sub)}
	}
	last := s.all[len(s.all)-1]
	row := Journey{
		Start: s.start(), End: s.end(),
		Touchpoints: len(s.window), Business: len(s.all) - len(s.window), Sessions: countSessions(m, s.window),
		Status: statusOpen, Converted: f.goal,
		Stage: stageName(m, f.stage), Substage: substageName(m, f.stage, f.sub),
		Persona: personaAfter(m, all, place(all, pointOf(last))), IntentMillis: f.intents[len(f.intents)-1],
	}
	row.SentimentSum, row.SentimentCount = sentimentOf(s.all)
	for _, p := range s.all {
		row.RevenueMicros += p.RevenueMicros
	}
	switch {
	case f.goal:
		row.Status = statusConverted
	case now > s.end()+m.JourneyGap:
		row.Status = statusLapsed
	}
	for i := range f.transitions {
		t := &f.transitions[i]
		t.JourneyStart, t.Seq = s.start(), i+1
		t.Persona = personaAfter(m, all, place(all, Point{t.Identifier, t.MessageID}))
	}
	return row, f
}

// step folds point i: of the stages it fires the furthest later one is entered;
// else the furthest listed return; else a later substage of the current one.
func (f *folding) step(i int) {
	fired := f.fire(i)
	if f.m.Goal >= 0 && len(fired[f.m.Goal]) > 0 {
		f.goal = true
	}
	later, back := -1, -1
	for stage := range f.m.Stages {
		if len(fired[stage]) == 0 {
			continue
		}
		if stage > f.stage {
			later = stage
		}
		if f.stage >= 0 && slices.Contains(f.m.Stages[f.stage].Returns, stage) {
			back = stage
		}
	}
	switch {
	case later >= 0:
		var skipped []string
		for stage := f.stage + 1; stage < later; stage++ {
			skipped = append(skipped, f.m.Stages[stage].Name)
		}
		f.enter(i, later, "advance", fired[later], skipped)
	case back >= 0:
		f.enter(i, back, "return", fired[back], nil)
	case f.stage >= 0 && furthest(fired[f.stage]) > f.sub:
		sub := furthest(fired[f.stage])
		f.record(i, f.stage, "within", sub, nil)
		f.sub = sub
	}
}

// fire lists, per stage, the substages (-1: none) of the rules that fire at
// point i, and remembers which rules it matched.
func (f *folding) fire(i int) map[int][]int {
	p := f.points[i]
	matched := map[*journey.Rule]bool{}
	f.matched = append(f.matched, matched)
	fired := map[int][]int{}
	for stage := range f.m.Stages {
		for r := range f.m.Stages[stage].Rules {
			rule := &f.m.Stages[stage].Rules[r]
			if !matches(rule, p) || rule.After >= 0 && !f.entered[rule.After] {
				continue
			}
			matched[rule] = true
			n := 0
			for q := 0; q <= i; q++ {
				recent := rule.Within == 0 || f.points[q].Time >= p.Time-rule.Within
				if f.matched[q][rule] && recent {
					n++
				}
			}
			hot := rule.Intent == 0 || f.intents[i] >= 1000*int64(rule.Intent)
			if n >= max(1, rule.AtLeast) && hot {
				fired[stage] = append(fired[stage], rule.Substage)
			}
		}
	}
	return fired
}

// matches reports whether the touchpoint alone satisfies the rule. What a page
// loads satisfies none: it is not the customer's doing.
func matches(r *journey.Rule, p *journey.Touchpoint) bool {
	switch {
	case p.Has(journey.FlagAsset),
		len(r.Events) > 0 && !slices.Contains(r.Events, p.Event),
		r.Type != "" && r.Type != p.Type,
		len(r.Channels) > 0 && !slices.Contains(r.Channels, p.Channel),
		r.Actor != "" && r.Actor != p.Actor,
		r.Where != nil && !r.Where(p):
		return false
	}
	return true
}

func (f *folding) enter(i, stage int, direction string, fired []int, skipped []string) {
	f.record(i, stage, direction, furthest(fired), skipped)
	f.stage, f.sub, f.since = stage, furthest(fired), f.points[i].Time
	f.entered[stage] = true
}

// record appends a transition. Its dwell is counted from the entry into the
// stage left; the first of a journey leaves none.
func (f *folding) record(i, stage int, direction string, sub int, skipped []string) {
	p := f.points[i]
	t := Transition{
		From: stageName(f.m, f.stage), To: f.m.Stages[stage].Name, Direction: direction,
		Substage: substageName(f.m, stage, sub), Skipped: skipped,
		At: p.Time, MessageID: p.MessageID, Identifier: p.Identifier, Channel: p.Channel,
		Sentiment: meanSentiment(f.points[:i+1]),
	}
	if f.stage >= 0 {
		dwell := p.Time - f.since
		t.Dwell = &dwell
	}
	f.transitions = append(f.transitions, t)
}

func furthest(substages []int) int {
	if len(substages) == 0 {
		return -1
	}
	return slices.Max(substages)
}

func stageName(m *journey.Model, stage int) string {
	if stage < 0 {
		return ""
	}
	return m.Stages[stage].Name
}

func substageName(m *journey.Model, stage, sub int) string {
	if stage < 0 || sub < 0 {
		return ""
	}
	return m.Stages[stage].Substages[sub]
}
