package journey

import "slices"

// Model says what counts as a session, a journey and a stage. pkg/model makes
// it from a journey.yaml; it is immutable once in use.
type Model struct {
	Name       string // "shop", "b2b", or a file's name
	SessionGap int64  // ms; a longer pause splits sessions
	Lateness   int64  // ms; older arrivals are late
	JourneyGap int64  // ms; a longer pause ends a journey
	Goal       int    // index of the stage whose rule converts a journey; -1: none
	UserLimit  int    // users of an identifier beyond which it is frozen
	Stages     []Stage
	Frictions  []FrictionRule
	Personas   []Persona // the first that holds is the profile's
	Intent     Intent
	// Sentiment scores the evidence that a touchpoint carries, in hundredths from
	// -200 to 200, and says where the score comes from. nil: nothing is scored.
	Sentiment func(*Touchpoint) (score int32, source string, ok bool)
	// Traits, CountedEvents and CountedChannels are what personas read of a
	// profile (semantics D10): nothing else is kept. ReadTraits picks the traits out
	// of a touchpoint's JSON object.
	Traits          []string
	CountedEvents   []string
	CountedChannels []string
	ReadTraits      func(traits string) []Trait
	// Events are the names of the events that the model mentions anywhere, sorted:
	// sessions count these one by one, and all others together.
	Events []string

	rules     []Rule // all, numbered by their position
	signals   index  // of rules, by number
	troubles  index  // of what Frictions match, by bit
	counted   map[string]uint8
	channels  map[string]int
	named     map[string]int
	decay     [decaySteps]uint64
	decayStep int64
}

// index finds the rules that a touchpoint may match, by its event, so that cost
// does not grow with their number.
type index struct {
	byEvent  map[string][]indexed
	anyEvent []indexed
}

type indexed struct {
	rule *Rule
	bit  int
}

func (x *index) add(r *Rule, bit int) {
	if len(r.Events) == 0 {
		x.anyEvent = append(x.anyEvent, indexed{r, bit})
	}
	for _, e := range r.Events {
		if x.byEvent == nil {
			x.byEvent = map[string][]indexed{}
		}
		x.byEvent[e] = append(x.byEvent[e], indexed{r, bit})
	}
}

// match is the set of the rules that t matches, a bit each. What a page loads,
// images and scripts, matches nothing: it is not the customer's doing.
func (x *index) match(t *Touchpoint) uint64 {
	if t.Has(FlagAsset) {
		return 0
	}
	var set uint64
	for _, list := range [2][]indexed{x.byEvent[t.Event], x.anyEvent} {
		for _, e := range list {
			if e.rule.matches(t) {
				set |= 1 << e.bit
			}
		}
	}
	return set
}

// Stage is one column of the journey map. Stages are ordered as listed.
type Stage struct {
	Name      string
	Substages []string // in order
	Returns   []int    // stages a journey may go back to from here
	Window    int64    // ms a journey may stay before it counts as dropped off; 0: the journey gap
	Rules     []Rule
}

// Rule says which touchpoints signal a stage (semantics D8). Zero fields match anything.
type Rule struct {
	Substage  int      // index in Stage.Substages; -1: none
	Events    []string // snake case
	Type      string
	Channels  []string
	Actor     string
	Where     func(*Touchpoint) bool // pure; sees the touchpoint alone; nil: true
	Condition string                 // what Where was made of; for those who formulate it otherwise
	AtLeast   int                    // matching touchpoints needed; 0 means 1
	Within    int64                  // ms the matches must lie in; 0: since the journey began
	After     int                    // stage that must have been entered at an earlier touchpoint; -1: none
	Intent    int32                  // points that the journey's intent must have reached, this touchpoint's included; 0: none

	stage int
}

// Bounds of a model. A point keeps its matches in one word each.
const (
	MaxRules     = 64 // of all stages together
	MaxFrictions = 32
	MaxCounted   = 64 // names of each kind that personas count
)

// Compile numbers and indexes the rules. It must be called once before use; it
// panics beyond a bound, which pkg/model reports as an error first.
func (m *Model) Compile() *Model {
	m.rules, m.signals, m.troubles = nil, index{}, index{}
	for s, stage := range m.Stages {
		for _, r := range stage.Rules {
			r.stage = s
			m.rules = append(m.rules, r)
		}
	}
	if len(m.rules) > MaxRules || len(m.Frictions) > MaxFrictions || len(m.CountedEvents) > MaxCounted || len(m.CountedChannels) > MaxCounted {
		panic("journey: the model is beyond a bound")
	}
	for n := range m.rules {
		m.signals.add(&m.rules[n], n)
	}
	for n := range m.Frictions {
		switch f := &m.Frictions[n]; {
		case f.Event != nil:
			m.troubles.add(f.Event, 2*n)
		case f.Repetition != nil:
			m.troubles.add(&f.Repetition.Match, 2*n)
		case f.Absence != nil:
			m.troubles.add(&f.Absence.After, 2*n)
			m.troubles.add(&f.Absence.Without, 2*n+1)
		}
	}
	m.counted, m.channels, m.named = map[string]uint8{}, map[string]int{}, map[string]int{}
	for i, name := range m.CountedEvents {
		m.counted[name] = uint8(i + 1)
	}
	for i, name := range m.CountedChannels {
		m.channels[name] = i
	}
	for i, name := range m.Events {
		m.named[name] = i
	}
	m.compileIntent()
	return m
}

// Match is the set of stage rules a touchpoint matches by itself, a bit per rule.
// Whether a rule then fires depends on the journey (at_least, within, after, intent).
func (m *Model) Match(t *Touchpoint) uint64 { return m.signals.match(t) }

func (r *Rule) matches(t *Touchpoint) bool {
	return (r.Type == "" || r.Type == t.Type) &&
		(len(r.Channels) == 0 || slices.Contains(r.Channels, t.Channel)) &&
		(r.Actor == "" || r.Actor == t.Actor) &&
		(r.Where == nil || r.Where(t))
}

// StageName is the name of stage i, or "" for none (-1).
func (m *Model) StageName(i int) string {
	if i < 0 || i >= len(m.Stages) {
		return ""
	}
	return m.Stages[i].Name
}

// SubstageName is the name of a stage's substage, or "" for none (-1).
func (m *Model) SubstageName(stage, sub int) string {
	if stage < 0 || sub < 0 || stage >= len(m.Stages) || sub >= len(m.Stages[stage].Substages) {
		return ""
	}
	return m.Stages[stage].Substages[sub]
}
