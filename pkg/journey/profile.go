package journey

import (
	"slices"
	"sort"
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
	Standing

	ID       string
	Start    int64
	End      int64
	Minted   int64  // event time of the touchpoint the id came from; never changes
	Absorbed []Void // journeys that merged into this one, by id; Into is not kept up
	Touched  int64  // record time of the last change

	Persona     string // the profile's after the last point; "": none
	Live        bool   // the newest change was live
	Lapsed      bool   // the gap has passed
	Approximate bool

	Base *Base // what stands for points no longer kept; nil: nothing
	// Emitted is the hash of each transition as last emitted, by seq; those up to
	// EmittedFrom are final and forgotten.
	Emitted     []uint64
	EmittedFrom uint32

	published uint64 // hash of the row as last emitted
	read      bool   // since the last Refold
	lapsedAt  int64  // End as of which it lapsed
}

// Base is the folded beginning of a journey.
type Base struct {
	Standing

	Start, End int64
	Gap        int64    // ms; of the model, within which a point before Start belongs to the journey
	Through    OrderKey // of the last point folded in
	Persona    string   // the profile's after that
}

// Past is what is kept of a profile's points that are no longer.
type Past struct {
	Through   OrderKey // of the last of them; a point before it comes too late to be exact
	Evicted   int64    // latest end of a journey that was dropped; 0: none
	Behaviour Behaviour
	Troubles  []Trouble // per friction pattern of the model
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
	Past     *Past      // nil: all points are here
	Touched  int64      // record time of the last change

	points  []Point    // by key, then member; copies of one point count once
	fresh   []OrderKey // of points added since the last fold, in the order of arrival
	moved   []int64    // times of points added or taken out since the last fold
	removed bool       // points were taken out since the last fold
	restart bool       // what was read is no longer so: read all again
	parked  bool       // the points are kept, but another home has the rows
	inexact bool       // every journey is approximate
	shed    bool       // points were dropped that another home may still ask for

	held     int  // points before those in points
	tailOnly bool // these are not here

	now        *reading  // of all points; nil: not read yet
	marks      []reading // on the way there, by number of points
	frictions  map[FrictionKey]published
	pass       uint32 // number of the present reading
	struckAnew bool   // frictions have changed since TakeFrictions
	pastAnew   bool   // Past has changed since TakePast
}

// pointsSlack is for how many points there is room when some are restored or come:
// those of a short visit.
const pointsSlack = 4

// Restore adds stored points; they must be sorted by key before the first fold.
func (p *Profile) Restore(points []Point) {
	if p.points == nil && len(points) > 0 {
		p.points = make([]Point, 0, len(points)+pointsSlack)
	}
	p.points = append(p.points, points...)
}

// Points are the kept points by key. The caller must not change them.
func (p *Profile) Points() []Point { return p.points }

// Add takes in a point; Refold makes it count. One that a base already covers
// goes into the base; one that is there already changes nothing, and false is
// returned.
func (p *Profile) Add(pt Point) bool {
	if j := p.covered(pt); j != nil {
		pt.own(nil)
		j.Base.include(pt)
		j.Approximate, p.restart = true, true
		p.fresh = append(p.fresh, pt.OrderKey)
		return true
	}
	i := p.insert(pt)
	if i < 0 {
		return false
	}
	k := p.points[i].OrderKey // in memory of its own
	if p.fresh == nil {       // mostly a few come together
		p.fresh, p.moved = make([]OrderKey, 0, pointsSlack), slices.Grow(p.moved, pointsSlack)
	}
	p.fresh, p.moved = append(p.fresh, k), append(p.moved, k.Time)
	return true
}

// insert puts a point in its place, unless it is there; then -1 is returned.
func (p *Profile) insert(pt Point) int {
	i := sort.Search(len(p.points), func(i int) bool { return comparePoints(&p.points[i], &pt) >= 0 })
	if i < len(p.points) && comparePoints(&p.points[i], &pt) == 0 {
		return -1
	}
	pt.own(p.beside(i))
	p.points = slices.Insert(p.points, i, pt)
	return i
}

// beside is a point next to position i; nil: there is none.
func (p *Profile) beside(i int) *Point {
	switch {
	case i > 0:
		return &p.points[i-1]
	case len(p.points) > 0:
		return &p.points[0]
	}
	return nil
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
	p.removed = p.removed || len(out) > 0
	for i := range out {
		p.moved = append(p.moved, out[i].Time)
		p.fresh = slices.DeleteFunc(p.fresh, func(k OrderKey) bool { return k == out[i].OrderKey })
	}
	return out
}

// Sort puts restored points in order.
func (p *Profile) Sort() {
	slices.SortFunc(p.points, func(a, b Point) int { return comparePoints(&a, &b) })
}

// comparePoints takes pointers: a point is large, and compared often.
func comparePoints(a, b *Point) int {
	if c := a.Compare(b.OrderKey); c != 0 {
		return c
	}
	return strings.Compare(a.Member, b.Member)
}

// PointsFrom is the number of the first of the points, sorted by key, at a time or
// later.
func PointsFrom(points []Point, at int64) int {
	return sort.Search(len(points), func(i int) bool { return points[i].Time >= at })
}

// ProfileChanges is what a Refold changed.
type ProfileChanges struct {
	Journeys    []*Journey // changed rows, by start
	Voids       []Void     // journeys that are no more, by id
	Transitions []Transition
	Frictions   []Friction
	Times       []int64 // of the points added, taken out, folded into a base or dropped
}

// Instant is the time as the profile step sees it. It decides when something is
// published or dropped, never what it is in the end.
type Instant struct {
	Now    int64 // what has a time limit runs out by it
	Record int64 // arrival of the newest record; state is dropped by it
}

// Refold takes in the added points and brings the profile's journeys and
// frictions up to date. Points are read again from the earliest change on, not
// from the beginning; only rows that differ from what was emitted before are
// returned.
func (p *Profile) Refold(m *Model, at Instant) ProfileChanges {
	c := ProfileChanges{Times: p.moved}
	old := p.Journeys
	if !p.extend(m) {
		p.Journeys = p.windows(m)
		c.Voids, c.Transitions = p.settle(old)
	}
	p.pass++
	p.reread(m, at.Now, &c)
	p.touch(at.Record)
	for _, j := range p.Journeys {
		if p.status(m, j, at.Now) {
			if h := j.rowHash(); h != j.published {
				j.published = h
				c.Journeys = append(c.Journeys, j)
			}
		}
	}
	for _, pt := range p.compact(m) {
		c.Times = append(c.Times, pt.Time)
	}
	for _, pt := range p.evict(m, at.Record) {
		c.Times = append(c.Times, pt.Time)
	}
	if p.now == nil { // points were folded away or dropped: what is open must be known, for Due
		p.read(m, p.begin(m), at.Now, &c)
	}
	p.fresh, p.moved, p.removed, p.restart = nil, nil, false, false
	return c
}

// reread reads what a change may have touched.
func (p *Profile) reread(m *Model, now int64, c *ProfileChanges) {
	switch {
	case p.restart || p.now == nil:
		p.now, p.marks = nil, nil
		r := p.begin(m)
		p.read(m, r, now, c)
		p.sweep(m, p.through(), p.parked, c)
	case len(p.moved) == 0:
		p.overdue(m, now, c)
	default:
		r, again := p.rewind(m, slices.Min(p.moved))
		from := r.at
		if r.n == 0 {
			from = p.through()
		}
		p.read(m, r, now, c)
		if again {
			p.sweep(m, from, false, c)
		}
	}
}

// through is the key up to which points are no longer kept.
func (p *Profile) through() OrderKey {
	if p.Past == nil {
		return OrderKey{Time: -1 << 63}
	}
	return p.Past.Through
}

// touch notes when journeys last changed, and whether by something live.
func (p *Profile) touch(record int64) {
	if len(p.moved) > 0 {
		p.Touched = max(p.Touched, record)
	}
	for _, at := range p.moved {
		if i := p.near(at); i >= 0 {
			p.Journeys[i].Touched = max(p.Journeys[i].Touched, record)
		}
	}
	for _, j := range p.Journeys {
		if j.Touched == 0 { // new, maybe of points that were here before
			j.Touched = record
		}
	}
	for _, k := range p.fresh {
		if i := p.near(k.Time); i >= 0 && k.Time <= p.Journeys[i].End {
			p.Journeys[i].Live = p.live(k)
			p.Journeys[i].Touched = max(p.Journeys[i].Touched, record)
		}
	}
}

// near is the number of the last journey started at or before a time; -1: none.
func (p *Profile) near(at int64) int {
	n, _ := slices.BinarySearchFunc(p.Journeys, at, func(j *Journey, at int64) int {
		if j.Start <= at {
			return -1
		}
		return 1
	})
	return n - 1
}

// status brings up to date what depends on more than the points, and reports
// whether the row may have changed. A journey that has lapsed does so once: a
// clock that goes back does not open it again.
func (p *Profile) status(m *Model, j *Journey, now int64) (changed bool) {
	lapsed, approximate := p.standsAs(m, j, now)
	changed = j.read || lapsed != j.Lapsed || approximate != j.Approximate
	j.Lapsed, j.lapsedAt, j.Approximate, j.read = lapsed, j.End, approximate, false
	return changed
}

// standsAs is what status makes of a journey.
func (p *Profile) standsAs(m *Model, j *Journey, now int64) (lapsed, approximate bool) {
	return j.Lapsed && j.lapsedAt == j.End || now > j.End+m.JourneyGap, j.Approximate || p.inexact || p.tooOld(m, j)
}

// tooOld reports whether a journey begins where others may have been dropped.
func (p *Profile) tooOld(m *Model, j *Journey) bool {
	return p.Past != nil && j.Base == nil &&
		(j.Start <= p.Past.Through.Time || p.Past.Evicted != 0 && j.Start <= p.Past.Evicted+m.JourneyGap)
}

// extend lets the last journey grow by the points added, if that is all there is
// to do: nothing was taken out, and all came behind what has been read.
func (p *Profile) extend(m *Model) bool {
	if p.removed || p.restart || p.now == nil || p.parked {
		return false
	}
	if len(p.moved) == 0 {
		return true
	}
	last := len(p.Journeys) - 1
	if last < 0 || p.now.n == 0 || slices.Min(p.moved) <= max(p.now.at.Time, p.Journeys[last].Start) {
		return false
	}
	return p.grow(m, p.Journeys[last])
}

// grow takes the points behind what has been read into the last journey, if all
// of them belong to it.
func (p *Profile) grow(m *Model, last *Journey) bool {
	end := last.End
	for i := p.now.n; i < len(p.points); i++ {
		if pt := &p.points[i]; !pt.Business {
			if pt.Time > end+m.JourneyGap {
				return false
			}
			end = max(end, pt.Time)
		}
	}
	last.End = end
	return true
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
		p.restart = p.restart || old.Base != nil
		j.takeBase(old.Base)
		j.Touched = max(j.Touched, old.Touched)
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
	from := OrderKey{Time: start}
	if points := p.between(start, end); len(points) > 0 { // else a damaged base stands alone
		from = points[0].OrderKey
	}
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

// live reports whether the point of a key happened when it arrived.
func (p *Profile) live(k OrderKey) bool {
	i := sort.Search(len(p.points), func(i int) bool { return p.points[i].Compare(k) >= 0 })
	return i < len(p.points) && p.points[i].OrderKey == k && p.points[i].Live
}

// between are the points from start to end, both included, that belong to one
// journey: the windows are further apart than the gap, and a business point
// belongs to the latest journey started at or before it.
func (p *Profile) between(start, end int64) []Point {
	lo := PointsFrom(p.points, start)
	if end == 1<<63-1 {
		return p.points[lo:]
	}
	return p.points[lo:max(lo, PointsFrom(p.points, end+1))]
}

// Due is the earliest time at which something of the profile runs out or may be
// dropped; 0: none.
func (p *Profile) Due(m *Model) int64 {
	var due int64
	at := func(t int64) {
		if due == 0 || t < due {
			due = t
		}
	}
	for i, j := range p.Journeys {
		if !j.Lapsed {
			at(j.End + m.JourneyGap + 1)
		}
		if i == 0 && m.Lateness > 0 {
			at(j.Touched + m.keepJourneys() + 1)
		}
	}
	if len(p.Journeys) == 0 && len(p.points) > 0 && m.Lateness > 0 {
		at(p.Touched + m.keepJourneys() + 1)
	}
	if p.now != nil {
		for n := range p.now.troubles.list {
			if e := p.now.troubles.list[n].Open; e != nil {
				if _, known := p.frictions[FrictionKey{n, e.Key}]; !known {
					at(e.Deadline + 1)
				}
			}
		}
	}
	return due
}

// Weight is about how much memory the decoded state takes, in bytes.
func (p *Profile) Weight() int {
	return 1200 + 900*len(p.Journeys) + PointWeight*len(p.points) + 1500*len(p.marks)
}

// PointWeight is about how much memory a point takes, in bytes.
const PointWeight = 230
