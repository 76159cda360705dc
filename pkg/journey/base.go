package journey

import "slices"

// include counts a touchpoint that arrived too late to be folded.
func (b *Base) include(pt Point) {
	if pt.Business {
		b.Business++
	} else {
		b.Touchpoints++
	}
	b.RevenueMicros += pt.RevenueMicros
}

// mergeBases joins the bases of two journeys that became one. The stages are
// the earlier one's: those of the other can no longer be folded behind it.
func mergeBases(a, b *Base) *Base {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	if b.Start < a.Start {
		a, b = b, a
	}
	a.End = max(a.End, b.End)
	if a.Through.Compare(b.Through) < 0 {
		a.Through = b.Through
	}
	a.Touchpoints += b.Touchpoints
	a.Business += b.Business
	a.Sessions += b.Sessions
	a.RevenueMicros += b.RevenueMicros
	for id, at := range b.Ends {
		a.Ends[id] = max(a.Ends[id], at)
	}
	return a
}

// compact folds the oldest points into bases when there are too many, and
// returns them.
func (p *Profile) compact(m *Model) []Point {
	if len(p.points) <= MaxPoints || p.parked {
		return nil
	}
	folded := slices.Clone(p.points[:foldAway])
	for i, j := range p.Journeys {
		limit := min(j.End+m.JourneyGap, p.nextStart(i)-1)
		for k := range folded {
			if pt := &folded[k]; j.Start <= pt.Time && pt.Time <= limit {
				j.foldAway(m, pt)
			}
		}
	}
	p.points = slices.Delete(p.points, 0, foldAway)
	return folded
}

// foldAway moves a point into the base.
func (j *Journey) foldAway(m *Model, pt *Point) {
	if j.Base == nil {
		j.Base = &Base{Fold: NewFold(), Start: pt.Time, End: pt.Time, Ends: map[string]int64{}}
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
