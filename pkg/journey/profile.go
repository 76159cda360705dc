package journey

import (
	"cmp"
	"slices"
	"strings"
)

// MaxPoints is how many points a profile keeps. Beyond it the oldest are folded
// into their journeys' bases; a touchpoint that arrives before the end of a base
// is counted, but no longer moves stages, and the journey is flagged approximate.
const MaxPoints = 4096

// foldAway is how many points are folded into bases at once.
const foldAway = MaxPoints / 2

// Journey is a maximal run of a profile's customer touchpoints without a pause
// longer than the journey gap, with the business touchpoints that fall into it.
type Journey struct {
	ID       string
	Start    int64
	End      int64
	Minted   int64  // event time of the touchpoint the id came from; never changes
	Absorbed []Void // journeys that merged into this one, by id; Into is not kept up

	Touchpoints   uint64 // the customer's
	Business      uint64 // the business's
	Sessions      uint64
	RevenueMicros int64 // of both
	Fold          Fold
	Live          bool // the newest change was live
	Lapsed        bool // the gap has passed
	Approximate   bool

	Base *Base // what stands for points no longer kept; nil: nothing
	// Emitted is the hash of each transition as last emitted, by seq; those up to
	// EmittedFrom are final and forgotten.
	Emitted     []uint64
	EmittedFrom uint32

	published uint64 // hash of the row as last emitted
}

// Base is the folded beginning of a journey.
type Base struct {
	Fold          Fold
	Start, End    int64
	Gap           int64    // ms; of the model, within which a point before Start belongs to the journey
	Through       OrderKey // of the last point folded in
	Touchpoints   uint64
	Business      uint64
	Sessions      uint64
	RevenueMicros int64
	Ends          map[string]int64 // last time per identifier, to continue its sessions
}

// Status is converted once the goal's rule fired, else open until it lapses.
func (j *Journey) Status() string {
	switch {
	case j.Fold.Converted:
		return StatusConverted
	case j.Lapsed:
		return StatusLapsed
	}
	return StatusOpen
}

// Profile is the profile step's state of one customer.
type Profile struct {
	ID       string
	Journeys []*Journey // by start

	points []Point    // by key, then member; copies of one point count once
	fresh  []OrderKey // of points added since the last fold, in the order of arrival
	moved  []int64    // times of points added or taken out since the last fold
	parked bool       // the points are kept, but another home has the rows

	inexact bool // every journey is approximate
}

// Restore adds stored points; they must be sorted by key before the first fold.
func (p *Profile) Restore(points []Point) { p.points = append(p.points, points...) }

// Points are the kept points by key. The caller must not change them.
func (p *Profile) Points() []Point { return p.points }

// Add takes in a point; Refold makes it count. One that a base already covers
// goes into the base; one that is there already changes nothing, and false is
// returned.
func (p *Profile) Add(pt Point) bool {
	if j := p.covered(pt); j != nil {
		j.Base.include(pt)
		j.Approximate = true
		p.fresh = append(p.fresh, pt.OrderKey)
		return true
	}
	i, found := slices.BinarySearchFunc(p.points, pt, comparePoints)
	if found {
		return false
	}
	p.points = slices.Insert(p.points, i, pt)
	p.fresh, p.moved = append(p.fresh, pt.OrderKey), append(p.moved, pt.Time)
	return true
}

// drop takes points out and returns them.
func (p *Profile) drop(gone func(*Point) bool) []Point {
	var out []Point
	p.points = slices.DeleteFunc(p.points, func(pt Point) bool {
		if !gone(&pt) {
			return false
		}
		out = append(out, pt)
		return true
	})
	for i := range out {
		p.moved = append(p.moved, out[i].Time)
		p.fresh = slices.DeleteFunc(p.fresh, func(k OrderKey) bool { return k == out[i].OrderKey })
	}
	return out
}

// Sort puts restored points in order.
func (p *Profile) Sort() { slices.SortFunc(p.points, comparePoints) }

func comparePoints(a, b Point) int {
	return cmp.Or(a.Compare(b.OrderKey), strings.Compare(a.Member, b.Member))
}

// ProfileChanges is what a Refold changed.
type ProfileChanges struct {
	Journeys    []*Journey // changed rows, by start
	Voids       []Void     // journeys that are no more, by id
	Transitions []Transition
	Times       []int64 // of the points added, taken out or folded into a base
}

// Refold takes in the added points and recomputes the profile's journeys. Every
// journey that changed is folded anew from its base; only rows that differ from
// what was emitted before are returned. now closes journeys; it decides when a
// status is published, never what it is in the end.
func (p *Profile) Refold(m *Model, now int64) ProfileChanges {
	var c ProfileChanges
	c.Times = p.moved
	old := p.Journeys
	p.Journeys = p.windows(m)
	c.Voids, c.Transitions = p.settle(old)
	for i, j := range p.Journeys {
		c.Transitions = append(c.Transitions, p.fold(m, j, now, p.nextStart(i))...)
		if h := j.rowHash(); h != j.published {
			j.published = h
			c.Journeys = append(c.Journeys, j)
		}
	}
	for _, pt := range p.compact(m) {
		c.Times = append(c.Times, pt.Time)
	}
	p.fresh, p.moved = nil, nil
	return c
}

// covered finds the journey whose base a point would have to be folded into.
func (p *Profile) covered(pt Point) *Journey {
	for _, j := range p.Journeys {
		if j.Base != nil && j.Base.Start-j.Base.Gap <= pt.Time && pt.Compare(j.Base.Through) <= 0 {
			return j
		}
	}
	return nil
}

// windows cuts the customer points, and the bases, into journeys. A window that
// holds known journeys keeps the id of the earliest-starting one and absorbs the
// others; a new one is minted.
func (p *Profile) windows(m *Model) []*Journey {
	spans := p.spans()
	var out []*Journey
	for i := 0; i < len(spans); {
		start, end := spans[i][0], spans[i][1]
		for i++; i < len(spans) && spans[i][0] <= end+m.JourneyGap; i++ {
			end = max(end, spans[i][1])
		}
		out = append(out, p.claim(start, end, out))
	}
	return out
}

// spans lists the customer points and the bases as intervals, by start.
func (p *Profile) spans() [][2]int64 {
	spans := make([][2]int64, 0, len(p.points)+len(p.Journeys))
	for _, j := range p.Journeys {
		if j.Base != nil && !p.parked {
			spans = append(spans, [2]int64{j.Base.Start, j.Base.End})
		}
	}
	bases := len(spans)
	for i := range p.points {
		if !p.points[i].Business && !p.parked {
			spans = append(spans, [2]int64{p.points[i].Time, p.points[i].Time})
		}
	}
	if bases > 0 {
		slices.SortFunc(spans, func(a, b [2]int64) int { return int(min(1, max(-1, a[0]-b[0]))) })
	}
	return spans
}

// claim makes the journey of a window. taken are those of earlier windows: a
// journey that was split stays with the first.
func (p *Profile) claim(start, end int64, taken []*Journey) *Journey {
	var j *Journey
	for _, old := range p.Journeys {
		if old.End < start || old.Start > end || slices.Contains(taken, old) {
			continue
		}
		if j == nil {
			j = old
			continue
		}
		j.Absorbed = append(append(j.Absorbed, old.Absorbed...), Void{ID: old.ID, Minted: old.Minted})
		slices.SortFunc(j.Absorbed, func(a, b Void) int { return cmpStrings(a.ID, b.ID) })
		j.takeBase(old.Base)
		j.Approximate = j.Approximate || old.Approximate || old.Base != nil
	}
	if j == nil {
		j = p.mint(start, end)
	}
	j.Start, j.End = start, end
	return j
}

// mint makes a journey with an id of its own: from the point of the window that
// arrived first of those just added, else from the first in order.
func (p *Profile) mint(start, end int64) *Journey {
	from := p.between(start, end)[0].OrderKey
	for _, k := range p.fresh {
		if start <= k.Time && k.Time <= end {
			from = k
			break
		}
	}
	j := &Journey{Minted: from.Time}
	for n := 0; j.ID == "" || slices.ContainsFunc(p.Journeys, func(o *Journey) bool { return o.ID == j.ID }); n++ {
		j.ID = mintID("journey", p.ID, from.Identifier+"\x00"+from.MessageID+strings.Repeat("\x00", n))
	}
	// An id that merged into another and comes back is its own again.
	for _, o := range p.Journeys {
		o.Absorbed = slices.DeleteFunc(o.Absorbed, func(v Void) bool { return v.ID == j.ID })
	}
	return j
}

// settle voids the journeys that are gone, and their transitions, and names the
// survivor in all rows absorbed before, too.
func (p *Profile) settle(old []*Journey) (voids []Void, gone []Transition) {
	for _, o := range old {
		if slices.Contains(p.Journeys, o) {
			continue
		}
		for seq := range o.EmittedFrom + uint32(len(o.Emitted)) {
			gone = append(gone, Transition{Profile: p.ID, JourneyID: o.ID, Seq: seq + 1, AtMillis: o.Minted, Status: StatusVoid})
		}
		into := ""
		for _, j := range p.Journeys {
			if i := slices.IndexFunc(j.Absorbed, func(v Void) bool { return v.ID == o.ID }); i >= 0 {
				into = j.ID
				for _, v := range append([]Void{{ID: o.ID, Minted: o.Minted}}, o.Absorbed...) {
					voids = append(voids, Void{ID: v.ID, Into: into, Minted: v.Minted})
				}
				break
			}
		}
		if into == "" {
			voids = append(voids, Void{ID: o.ID, Minted: o.Minted})
		}
	}
	return lastVoids(voids), gone
}

func (p *Profile) nextStart(i int) int64 {
	if i+1 < len(p.Journeys) {
		return p.Journeys[i+1].Start
	}
	return 1<<63 - 1
}

// fold computes a journey from its base and points, and returns the transitions
// that differ from what was emitted.
func (p *Profile) fold(m *Model, j *Journey, now, next int64) []Transition {
	j.Fold = NewFold()
	j.Touchpoints, j.Business, j.Sessions, j.RevenueMicros = 0, 0, 0, 0
	ends := map[string]int64{}
	if b := j.Base; b != nil {
		j.Fold = b.Fold.Clone()
		j.Touchpoints, j.Business, j.Sessions, j.RevenueMicros = b.Touchpoints, b.Business, b.Sessions, b.RevenueMicros
		for id, at := range b.Ends {
			ends[id] = at
		}
		// What the base has made final is not emitted again.
		final := min(max(b.Fold.Seq, j.EmittedFrom)-j.EmittedFrom, uint32(len(j.Emitted)))
		j.Emitted, j.EmittedFrom = j.Emitted[final:], j.EmittedFrom+final
	}
	var changed []Transition
	var hashes []uint64
	for i, list := 0, p.between(j.Start, min(j.End+m.JourneyGap, next-1)); i < len(list); i++ {
		pt := list[i]
		if i > 0 && pt.OrderKey == list[i-1].OrderKey {
			continue // while a point moves between two members, both copies are here
		}
		j.count(pt, ends, m.SessionGap)
		t, moved := m.Step(&j.Fold, &pt)
		if !moved {
			continue
		}
		t.Profile, t.JourneyID = p.ID, j.ID
		h := t.hash()
		if n := len(hashes); n >= len(j.Emitted) || j.Emitted[n] != h {
			changed = append(changed, t)
		}
		hashes = append(hashes, h)
	}
	for i := len(hashes); i < len(j.Emitted); i++ {
		changed = append(changed, Transition{Profile: p.ID, JourneyID: j.ID, Seq: j.EmittedFrom + uint32(i+1), AtMillis: j.Minted, Status: StatusVoid})
	}
	j.Emitted = hashes
	for _, k := range p.fresh {
		if j.Start <= k.Time && k.Time <= j.End {
			j.Live = p.live(k)
		}
	}
	j.Lapsed = now > j.End+m.JourneyGap
	j.Approximate = j.Approximate || p.inexact
	return changed
}

// live reports whether the point of a key happened when it arrived.
func (p *Profile) live(k OrderKey) bool {
	i, found := slices.BinarySearchFunc(p.points, k, func(a Point, k OrderKey) int { return a.Compare(k) })
	return found && p.points[i].Live
}

// between are the points from start to end, both included, that belong to one
// journey: the windows are further apart than the gap, and a business point
// belongs to the latest journey started at or before it.
func (p *Profile) between(start, end int64) []Point {
	at := func(i int) func(Point, int64) int {
		return func(pt Point, t int64) int {
			if pt.Time < t {
				return -1
			}
			return i
		}
	}
	lo, _ := slices.BinarySearchFunc(p.points, start, at(1))
	if end == 1<<63-1 {
		return p.points[lo:]
	}
	hi, _ := slices.BinarySearchFunc(p.points, end+1, at(1))
	return p.points[lo:max(lo, hi)]
}

// count adds a point to the journey's sums. A session is counted where one of
// the identifier's points follows a pause longer than the session gap.
func (j *Journey) count(pt Point, ends map[string]int64, sessionGap int64) {
	j.RevenueMicros += pt.RevenueMicros
	if pt.Business {
		j.Business++
		return
	}
	j.Touchpoints++
	if last, ok := ends[pt.Identifier]; !ok || pt.Time > last+sessionGap {
		j.Sessions++
	}
	ends[pt.Identifier] = pt.Time
}

// Due is the earliest time at which an open journey lapses; 0: none.
func (p *Profile) Due(m *Model) int64 {
	var due int64
	for _, j := range p.Journeys {
		if at := j.End + m.JourneyGap + 1; !j.Lapsed && (due == 0 || at < due) {
			due = at
		}
	}
	return due
}
