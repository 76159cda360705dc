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
		own.Standing = other.Clone()
		own.Fold = NewFold()
		j.Base = &own
		return
	}
	b := j.Base
	b.Start, b.End = min(b.Start, other.Start), max(b.End, other.End)
	if b.Through.Compare(other.Through) < 0 {
		b.Through = other.Through
	}
	b.merge(&other.Standing)
}

// compact folds the oldest points into bases until few enough are left, and
// returns them.
func (p *Profile) compact(m *Model) []Point {
	if len(p.points) <= MaxPoints {
		return nil
	}
	return p.foldAway(m, len(p.points)-MaxPoints+foldAway)
}

// foldAway folds the first n points into the past, and returns them. A profile
// that is parked has no past of its own: its points were copied to where the
// rows are, and it forgets them.
func (p *Profile) foldAway(m *Model, n int) []Point {
	folded := slices.Clone(p.points[:n])
	p.points = slices.Clone(p.points[n:])
	p.now, p.marks = nil, nil
	if p.parked {
		p.shed = true
		return folded
	}
	r := p.begin(m)
	for i := range folded {
		pt := &folded[i]
		if i > 0 && pt.OrderKey == folded[i-1].OrderKey {
			continue // a second copy is the same point
		}
		j := p.journeyAt(m, pt.Time)
		if r.inside && j != r.journey {
			r.journey.Base.Persona = m.PersonaName(m.persona(&r.behaviour))
		}
		if r.inside, r.journey = j != nil, j; j == nil {
			r.next(m, pt, nil, nil)
			continue
		}
		if j.Base == nil {
			j.Base = &Base{Standing: newStanding(), Start: pt.Time, End: pt.Time, Gap: m.JourneyGap}
		}
		b := j.Base
		r.next(m, pt, j, &b.Standing)
		if !pt.Business {
			b.Start, b.End = min(b.Start, pt.Time), max(b.End, pt.Time)
		}
		if b.Through.Compare(pt.OrderKey) < 0 {
			b.Through = pt.OrderKey
		}
	}
	if r.inside {
		r.journey.Base.Persona = m.PersonaName(m.persona(&r.behaviour))
	}
	past := Past{Behaviour: r.behaviour, Troubles: r.troubles.list, Through: r.at}
	if p.Past != nil {
		past.Evicted = p.Past.Evicted
		if past.Through.Compare(p.Past.Through) < 0 {
			past.Through = p.Past.Through
		}
	}
	p.Past, p.pastAnew = &past, true
	p.forget(&r.troubles, past.Through)
	return folded
}

// keepJourneys is how long after its last change a journey is kept: what may
// still come in time may still touch it.
func (m *Model) keepJourneys() int64 { return m.Lateness + m.JourneyGap + recordSlack }

// keepSessions is the same of sessions and of messages seen.
func (m *Model) keepSessions() int64 { return m.Lateness + m.SessionGap + recordSlack }

// recordSlack is by how much clocks of arrivals may differ, in ms.
const recordSlack = 5 * minute

// evict drops the earliest journeys that nothing can touch any more but a
// backfill, and returns their points. Their rows stay as they were emitted; what
// the profile's later touchpoints depend on stays in Past.
func (p *Profile) evict(m *Model, record int64) []Point {
	var gone []Point
	for len(p.Journeys) > 0 && m.Lateness > 0 {
		j := p.Journeys[0]
		if record <= j.Touched+m.keepJourneys() || !j.Lapsed {
			break
		}
		through := p.reach(m, 0)
		n, _ := slices.BinarySearchFunc(p.points, through, func(pt Point, at int64) int {
			if pt.Time <= at {
				return -1
			}
			return 1
		})
		gone = append(gone, p.foldAway(m, n)...)
		p.Past.Evicted = max(p.Past.Evicted, j.End)
		p.Journeys = slices.Clone(p.Journeys[1:])
	}
	if len(p.Journeys) == 0 && len(p.points) > 0 && m.Lateness > 0 && record > p.Touched+m.keepJourneys() {
		gone = append(gone, p.foldAway(m, len(p.points))...) // the business's alone, or parked
	}
	return gone
}

// TakePast returns Past if it has changed since the last call.
func (p *Profile) TakePast() *Past {
	if !p.pastAnew {
		return nil
	}
	p.pastAnew = false
	return p.Past
}
