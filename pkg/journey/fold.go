package journey

import "math/bits"

// Directions of a transition.
const (
	DirectionAdvance = "advance" // to a later stage
	DirectionReturn  = "return"  // back to a stage the current one lists in returns
	DirectionWithin  = "within"  // to a later substage of the same stage
)

// Transition is a journey's step from one stage to another, or to a later
// substage of the same one. (JourneyID, Seq) identifies it; the row with the
// highest Revision counts.
type Transition struct {
	Profile   string // kind:value
	JourneyID string
	Seq       uint32 // from 1, without holes
	From      string // stage left; "" on the first
	To        string
	Direction string
	Substage  string
	Skipped   []string // stages between From and To that were passed over
	AtMillis  int64
	// DwellMillis is the time spent in From; nil on the first transition. On a
	// within transition it is the time since the stage was entered.
	DwellMillis    *int64
	TouchpointID   string
	Identifier     string // of the touchpoint
	SessionID      string // of the touchpoint
	Channel        string
	CampaignSource string
	CampaignMedium string
	CampaignName   string
	// Sentiment is the mean of the journey's evidence up to and including the
	// touchpoint, in hundredths; nil without any.
	Sentiment     *int32
	Persona       string // the profile's at the touchpoint; "": none
	Status        string // "" or StatusVoid
	Revision      uint64
	Live          bool
	Model         string
	EmittedMillis int64
}

// Fold is where a journey stands after some of its points (semantics D8). It is
// a value that can be stored; NewFold makes the one before the first point.
type Fold struct {
	Stage     int // index; -1: none yet
	Substage  int // index in the stage; -1: none
	Entered   int64
	Seq       uint32
	Furthest  int    // furthest stage entered; -1: none
	Visited   uint64 // stages entered, a bit each
	Converted bool
	// Recent holds, for each rule that needs several matches, the times of the
	// last AtLeast ones.
	Recent map[int][]int64
}

// NewFold is the state of a journey without points.
func NewFold() Fold { return Fold{Stage: -1, Substage: -1, Furthest: -1} }

// Clone is a copy that shares nothing.
func (f Fold) Clone() Fold {
	if f.Recent != nil {
		recent := make(map[int][]int64, len(f.Recent))
		for rule, times := range f.Recent {
			recent[rule] = append([]int64(nil), times...)
		}
		f.Recent = recent
	}
	return f
}

// Step takes in the next point of the journey in order; intent is the journey's
// with the point, in thousandths. It reports the transition that the point
// causes, if any, without profile, journey, sentiment and persona.
func (m *Model) Step(f *Fold, p *Point, intent int64) (Transition, bool) {
	if p.Matches == 0 {
		return Transition{}, false
	}
	fired, substages := m.fire(f, p, intent)
	if m.Goal >= 0 && fired&(1<<m.Goal) != 0 {
		f.Converted = true
	}
	to, direction := m.choose(f, fired, substages)
	if direction == "" {
		return Transition{}, false
	}
	t := Transition{
		Seq: f.Seq + 1, From: m.StageName(f.Stage), To: m.Stages[to].Name, Direction: direction,
		Substage: m.SubstageName(to, substages[to]), AtMillis: p.Time, TouchpointID: p.MessageID,
		Identifier: p.Identifier, SessionID: p.SessionID, Channel: p.Channel, Live: p.Live, Model: m.Name,
	}
	if c := p.Campaign; c != nil {
		t.CampaignSource, t.CampaignMedium, t.CampaignName = c.Source, c.Medium, c.Name
	}
	if f.Stage >= 0 {
		dwell := p.Time - f.Entered
		t.DwellMillis = &dwell
	}
	if direction == DirectionAdvance {
		for s := f.Stage + 1; s < to; s++ {
			t.Skipped = append(t.Skipped, m.Stages[s].Name)
		}
	}
	f.Seq++
	f.Substage = substages[to]
	if direction != DirectionWithin {
		f.Stage, f.Entered = to, p.Time
		f.Visited |= 1 << to
		f.Furthest = max(f.Furthest, to)
	}
	return t, true
}

// fire finds the stages whose rules fire at p, a bit each, and for each such
// stage the furthest substage that did (-1: none).
func (m *Model) fire(f *Fold, p *Point, intent int64) (fired uint64, substages [MaxRules]int) {
	for set := p.Matches; set != 0; set &= set - 1 {
		n := bits.TrailingZeros64(set)
		if n >= len(m.rules) {
			break // no cairn wrote that
		}
		r := &m.rules[n]
		// Not before the stage was entered, at an earlier point.
		if r.After >= 0 && f.Visited&(1<<r.After) == 0 {
			continue
		}
		if r.AtLeast > 1 && !f.enough(n, r, p.Time) || intent < 1000*int64(r.Intent) {
			continue
		}
		if fired&(1<<r.stage) == 0 {
			fired |= 1 << r.stage
			substages[r.stage] = -1
		}
		substages[r.stage] = max(substages[r.stage], r.Substage)
	}
	return fired, substages
}

// enough notes a match of a rule that needs several, and reports whether there
// are enough within its time.
func (f *Fold) enough(n int, r *Rule, at int64) bool {
	if f.Recent == nil {
		f.Recent = map[int][]int64{}
	}
	times := append(f.Recent[n], at)
	if len(times) > r.AtLeast {
		times = append(times[:0], times[1:]...)
	}
	f.Recent[n] = times
	return len(times) == r.AtLeast && (r.Within == 0 || times[0] >= at-r.Within)
}

// choose picks where the fired stages lead; direction "" is nowhere.
func (m *Model) choose(f *Fold, fired uint64, substages [MaxRules]int) (to int, direction string) {
	for s := len(m.Stages) - 1; s > f.Stage; s-- {
		if fired&(1<<s) != 0 {
			return s, DirectionAdvance
		}
	}
	if f.Stage < 0 || f.Stage >= len(m.Stages) {
		return 0, ""
	}
	back := -1
	for _, s := range m.Stages[f.Stage].Returns {
		if s < f.Stage && fired&(1<<s) != 0 {
			back = max(back, s)
		}
	}
	if back >= 0 {
		return back, DirectionReturn
	}
	if fired&(1<<f.Stage) != 0 && substages[f.Stage] > f.Substage {
		return f.Stage, DirectionWithin
	}
	return 0, ""
}
