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

	rules        []Rule // all, numbered by their position
	byEvent      map[string][]int
	anyEvent     []int
	ruleOfStages [][]int
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
	Substage int      // index in Stage.Substages; -1: none
	Events   []string // snake case
	Type     string
	Channels []string
	Actor    string
	Where    func(*Touchpoint) bool // pure; sees the touchpoint alone; nil: true
	AtLeast  int                    // matching touchpoints needed; 0 means 1
	Within   int64                  // ms the matches must lie in; 0: since the journey began
	After    int                    // stage that must have been entered at an earlier touchpoint; -1: none
	Intent   int32                  // points that the journey's intent must have reached, this touchpoint's included; 0: none

	stage int
}

// MaxRules is how many rules a model may have: a point keeps its matches in one word.
const MaxRules = 64

// Compile numbers and indexes the rules. It must be called once before use; it
// panics on more than MaxRules rules, which pkg/model reports as an error first.
func (m *Model) Compile() *Model {
	m.rules, m.byEvent, m.anyEvent = nil, map[string][]int{}, nil
	m.ruleOfStages = make([][]int, len(m.Stages))
	for s, stage := range m.Stages {
		for _, r := range stage.Rules {
			n := len(m.rules)
			r.stage = s
			m.rules = append(m.rules, r)
			m.ruleOfStages[s] = append(m.ruleOfStages[s], n)
			if len(r.Events) == 0 {
				m.anyEvent = append(m.anyEvent, n)
			}
			for _, e := range r.Events {
				m.byEvent[e] = append(m.byEvent[e], n)
			}
		}
	}
	if len(m.rules) > MaxRules {
		panic("journey: model has too many rules")
	}
	return m
}

// Match is the set of rules a touchpoint matches by itself, a bit per rule.
// Whether a rule then fires depends on the journey (at_least, within, after).
// What a page loads, images and scripts, signals nothing: it is not the customer's doing.
func (m *Model) Match(t *Touchpoint) uint64 {
	if t.Has(FlagAsset) {
		return 0
	}
	var set uint64
	for _, list := range [2][]int{m.byEvent[t.Event], m.anyEvent} {
		for _, n := range list {
			if m.rules[n].matches(t) {
				set |= 1 << n
			}
		}
	}
	return set
}

func (r *Rule) matches(t *Touchpoint) bool {
	return (r.Type == "" || r.Type == t.Type) &&
		(len(r.Channels) == 0 || slices.Contains(r.Channels, t.Channel)) &&
		(r.Actor == "" || r.Actor == t.Actor) &&
		(r.Where == nil || r.Where(t))
}

// StageName is the name of stage i, or "" for none (-1).
func (m *Model) StageName(i int) string {
	if i < 0 {
		return ""
	}
	return m.Stages[i].Name
}

// SubstageName is the name of a stage's substage, or "" for none (-1).
func (m *Model) SubstageName(stage, sub int) string {
	if stage < 0 || sub < 0 {
		return ""
	}
	return m.Stages[stage].Substages[sub]
}
