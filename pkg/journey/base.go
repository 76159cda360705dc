package journey

import "slices"

// include counts a touchpoint that arrived too late to be folded.
func (b *Base) include(pt Point) {
	if pt.Business {
		b.Business++
	} else {
		b.Touchpoints++
		b.Start = min(b.Start, pt.Time)
	}
	b.RevenueMicros += pt.RevenueMicros
}

// takeBase adds the base of a journey that merged into this one. Its stages can
// no longer be folded together with this one's: only what can be summed counts,
// and the caller flags the journey approximate.
func (j *Journey) takeBase(other *Base) {
	if other == nil {
		return
	}
	if j.Base == nil {
		own := *other
		own.Fold = NewFold()
		j.Base = &own
		return
	}
	b := j.Base
	b.Start, b.End = min(b.Start, other.Start), max(b.End, other.End)
	if b.Through.Compare(other.Through) < 0 {
		b.Through = other.Through
	}
	b.Touchpoints += other.Touchpoints
	b.Business += other.Business
	b.Sessions += other.Sessions
	b.RevenueMicros += other.RevenueMicros
	for id, at := range other.Ends {
		b.Ends[id] = max(b.Ends[id], at)
	}
}

// compact folds the oldest points into bases until few enough are left, and
// returns them. Points outside of any journey stay: one may yet begin before them.
func (p *Profile) compact(m *Model) []Point {
	if len(p.points) <= MaxPoints || p.parked {
		return nil
	}
	excess := len(p.points) - MaxPoints + foldAway
	var folded, kept []Point
	for i := range p.points {
		pt := &p.points[i]
		j := p.journeyOf(m, pt)
		if j == nil || len(folded) >= excess {
			kept = append(kept, *pt)
			continue
		}
		if n := len(folded); n == 0 || folded[n-1].OrderKey != pt.OrderKey { // a second copy is the same point
			j.foldAway(m, pt)
		}
		folded = append(folded, *pt)
	}
	p.points = slices.Clip(kept)
	return folded
}

// journeyOf is the journey that a point counts in; nil: none.
func (p *Profile) journeyOf(m *Model, pt *Point) *Journey {
	for i, j := range p.Journeys {
		if j.Start <= pt.Time && pt.Time <= min(j.End+m.JourneyGap, p.nextStart(i)-1) {
			return j
		}
	}
	return nil
}

// foldAway moves a point into the base.
func (j *Journey) foldAway(m *Model, pt *Point) {
	if j.Base == nil {
		j.Base = &Base{Fold: NewFold(), Start: pt.Time, End: pt.Time, Gap: m.JourneyGap, Ends: map[string]int64{}}
	}
	b := j.Base
	m.Step(&b.Fold, pt)
	sums := Journey{Touchpoints: b.Touchpoints, Business: b.Business, Sessions: b.Sessions, RevenueMicros: b.RevenueMicros}
	sums.count(*pt, b.Ends, m.SessionGap)
	b.Touchpoints, b.Business, b.Sessions, b.RevenueMicros = sums.Touchpoints, sums.Business, sums.Sessions, sums.RevenueMicros
	if !pt.Business {
		b.Start, b.End = min(b.Start, pt.Time), max(b.End, pt.Time)
	}
	b.Through = pt.OrderKey
}
