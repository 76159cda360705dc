package journey

// Tail is where a profile stands after the last of its points. With it the next
// point is read without those before it, so that what a touchpoint costs does not
// depend on how many there were.
type Tail struct {
	Points    int      // how many there are
	At        OrderKey // the last of them
	Behaviour Behaviour
	Troubles  []Trouble
	Standing  Standing // of the last journey, which the last point is in
	Persona   string   // of that journey
}

// Tail is the profile's as of the last Refold; nil: it has to be read from its
// points.
func (h *Home) Tail() *Tail {
	if !h.hasTail() {
		return nil
	}
	r := h.now
	return &Tail{
		Points: h.held + len(h.points), At: r.at, Behaviour: r.behaviour, Troubles: r.troubles.list,
		Standing: r.journey.Standing, Persona: r.journey.Persona,
	}
}

func (h *Home) hasTail() bool {
	r := h.now
	last := len(h.Journeys) - 1
	return r != nil && last >= 0 && r.inside && r.journey == h.Journeys[last] && r.n == len(h.points) && r.n > 0 &&
		!h.parked && !h.inexact && !h.Union.known() && len(h.fresh)+len(h.moved) == 0
}

// slimFrom is how many points must be saved for Slim to be worth it: reading them
// again, should one come late, costs more than keeping a few.
const slimFrom = 4

// Slim lets go of the stored points from before a time that was rounded down from
// that of the last point: as if the profile had been restored from its tail. It does
// nothing where that cannot be, or saves little.
func (h *Home) Slim(round func(at int64) int64) {
	if !h.hasTail() {
		return
	}
	from := PointsFrom(h.points, round(h.now.at.Time))
	if from < slimFrom {
		return
	}
	h.points = append(make([]Point, 0, len(h.points)-from+pointsSlack), h.points[from:]...)
	h.held += from
	h.now.n -= from
	h.marks, h.tailOnly = nil, true
}

// RestoreTail restores the tail of a fresh state in place of all its points; last
// are those from some time on, at least the last one. Until Complete is called
// only points that come later may be added, and NeedsPoints must be asked before
// a Refold.
func (p *Profile) RestoreTail(m *Model, t *Tail, last []Point) {
	p.Restore(last)
	p.held = t.Points - len(last)
	j := p.Journeys[len(p.Journeys)-1]
	j.Standing, j.Persona = t.Standing, t.Persona
	p.now = &reading{
		n: len(last), at: t.At, behaviour: t.Behaviour, troubles: newTroubles(m, t.Troubles), inside: true, journey: j, emitted: len(j.Emitted),
	}
	p.now.behaviour.fit(m)
	p.tailOnly = true
}

// TailOnly reports whether earlier points are missing.
func (p *Profile) TailOnly() bool { return p.tailOnly }

// Follows reports whether a touchpoint of a time can be added without the points
// that are missing.
func (p *Profile) Follows(at int64) bool { return !p.tailOnly || at > p.now.at.Time }

// Complete restores all stored points of a profile that has only its tail.
func (p *Profile) Complete(all []Point) {
	added := p.points
	p.points, p.now, p.marks, p.held, p.tailOnly = nil, nil, nil, 0, false
	p.Restore(all)
	p.Sort()
	for i := range added {
		p.insert(added[i])
	}
}

// NeedsPoints reports whether a Refold would look at points that are missing.
func (p *Profile) NeedsPoints(m *Model, at Instant) bool {
	if !p.tailOnly {
		return false
	}
	if !p.extend(m) || p.held+len(p.points) > MaxPoints {
		return true
	}
	for i, j := range p.Journeys {
		if i == 0 && m.Lateness > 0 && at.Record > j.Touched+m.keepJourneys() {
			return true // it may be dropped
		}
		if i == len(p.Journeys)-1 {
			break // its standing is known
		}
		lapsed, approximate := p.standsAs(m, j, at.Now)
		if lapsed != j.Lapsed || approximate != j.Approximate {
			return true
		}
	}
	return false
}
