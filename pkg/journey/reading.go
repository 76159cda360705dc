package journey

import "slices"

// readingStep is how many points lie between two marks: what is read again at
// most when a point comes late.
const readingStep = 128

// reading is what is known of a profile after some of its points, in order:
// all that the meaning of the next point depends on.
type reading struct {
	n         int      // points read
	at        OrderKey // the last of them
	behaviour Behaviour
	troubles  troubles
	inside    bool     // the last point was in a journey
	journey   *Journey // that journey
	emitted   int      // its transitions so far, as an index of Journey.Emitted
	standing  Standing // in a mark: where the journey stood
}

// begin is the reading before the first kept point.
func (p *Profile) begin(m *Model) *reading {
	if p.Past == nil {
		return &reading{behaviour: m.newBehaviour(), troubles: newTroubles(m, nil)}
	}
	b := p.Past.Behaviour.Clone()
	b.fit(m)
	return &reading{behaviour: b, troubles: newTroubles(m, p.Past.Troubles)}
}

// clone is a copy that shares nothing that changes, but for the journey.
func (r *reading) clone() reading {
	c := *r
	c.behaviour, c.troubles, c.standing = r.behaviour.Clone(), r.troubles.clone(), r.standing.Clone()
	return c
}

// mark is a copy to come back to.
func (r *reading) mark() reading {
	c := r.clone()
	if c.journey = nil; r.inside {
		c.standing = r.journey.Clone()
	}
	return c
}

// rewind finds the last reading that a change at a time does not touch, and
// reports whether points are read again. What lies at the very time is read
// again too: the window of a journey begins and ends with times, not keys.
func (p *Profile) rewind(m *Model, changed int64) (r *reading, again bool) {
	if p.now != nil && p.now.at.Time < changed {
		return p.now, false
	}
	for len(p.marks) > 0 {
		last := &p.marks[len(p.marks)-1]
		if last.at.Time < changed {
			r := last.clone()
			if r.inside {
				if r.journey = p.journeyAt(m, r.at.Time); r.journey == nil {
					break // not reached: windows before the change are as they were
				}
				r.journey.Standing, r.standing = r.standing, Standing{}
				r.journey.read = true
			}
			return &r, true
		}
		p.marks = p.marks[:len(p.marks)-1]
	}
	p.marks = nil
	return p.begin(m), true
}

// enter goes on to a journey. What its base has made final is not emitted again.
func (r *reading) enter(j *Journey) {
	r.inside, r.journey, r.emitted = true, j, 0
	j.read = true
	if b := j.Base; b != nil {
		j.Standing, j.Persona = b.Clone(), b.Persona
		final := min(max(b.Fold.Seq, j.EmittedFrom)-j.EmittedFrom, uint32(len(j.Emitted)))
		j.Emitted, j.EmittedFrom = j.Emitted[final:], j.EmittedFrom+final
		return
	}
	j.Standing, j.Persona = newStanding(), ""
}

// next takes in a point of journey j (nil: of none), whose standing is s.
func (r *reading) next(m *Model, pt *Point, j *Journey, s *Standing) (t Transition, moved bool, strikes []strike, over []FrictionKey) {
	r.behaviour.add(m, pt)
	if j != nil {
		if s.add(m, pt) {
			r.behaviour.Sessions++
		}
		if !pt.Business && s.Touchpoints == 1 {
			r.behaviour.Journeys++
		}
		t, moved = m.Step(&s.Fold, pt, s.Intent)
	}
	if moved {
		t.Persona = m.PersonaName(m.persona(&r.behaviour))
		if mean, ok := MeanSentiment(s.SentimentSum, s.SentimentCount); ok {
			t.Sentiment = &mean
		}
	}
	if pt.Troubles != 0 || r.troubles.open != 0 {
		strikes, over = r.troubles.read(m, pt, func() Struck {
			struck := Struck{
				Key: pt.OrderKey, SessionID: pt.SessionID, Channel: pt.Channel, Live: pt.Live,
				Stage: -1, Substage: -1, Persona: m.persona(&r.behaviour),
			}
			if j != nil {
				struck.JourneyID, struck.Stage, struck.Substage = j.ID, s.Fold.Stage, s.Fold.Substage
			}
			return struck
		})
	}
	r.at = pt.OrderKey
	return t, moved, strikes, over
}

// read reads the points behind r, and what time alone makes certain by now. It
// adds the rows that differ from those emitted before to c.
func (p *Profile) read(m *Model, r *reading, now int64, c *ProfileChanges) {
	next := p.after(r)
	for ; r.n < len(p.points) && !p.parked; r.n++ {
		pt := &p.points[r.n]
		if r.n > 0 && pt.OrderKey == p.points[r.n-1].OrderKey {
			continue // while a point moves between two members, both copies are here
		}
		if r.n > 0 && r.n%readingStep == 0 && !p.tailOnly && (len(p.marks) == 0 || p.marks[len(p.marks)-1].n < r.n) {
			p.marks = append(p.marks, r.mark())
		}
		if !r.inside || pt.Time > p.reach(m, next-1) {
			next = p.advance(m, r, next, pt.Time, c)
		}
		var j *Journey
		var s *Standing
		if r.inside {
			j, s = r.journey, &r.journey.Standing
			j.read = true
		}
		t, moved, strikes, over := r.next(m, pt, j, s)
		if moved {
			p.emit(r, &t, c)
		}
		for i := range strikes {
			p.strike(m, &strikes[i], c)
		}
		for _, e := range over {
			p.withdraw(m, e, c)
		}
	}
	p.leave(m, r, c)
	inside := r.inside
	for ; next < len(p.Journeys); next++ {
		inside = false
		r.enter(p.Journeys[next])
		p.leave(m, r, c)
	}
	r.inside = inside
	p.now = r
	p.overdue(m, now, c)
}

// advance leaves the present journey for the one that holds a time, if any, and
// returns the number of the journey behind it.
func (p *Profile) advance(m *Model, r *reading, next int, at int64, c *ProfileChanges) int {
	p.leave(m, r, c)
	for ; next < len(p.Journeys) && p.reach(m, next) < at; next++ { // nothing is kept of it but its base
		r.enter(p.Journeys[next])
		p.leave(m, r, c)
	}
	r.inside = false
	if next < len(p.Journeys) && p.Journeys[next].Start <= at {
		r.enter(p.Journeys[next])
		next++
	}
	return next
}

// after is the number of the first journey that r has not come to.
func (p *Profile) after(r *reading) int {
	if r.n == 0 {
		return 0
	}
	n, _ := slices.BinarySearchFunc(p.Journeys, r.at.Time, func(j *Journey, at int64) int {
		if j.Start <= at {
			return -1
		}
		return 1
	})
	return n
}

// reach is the last time that belongs to journey i: of the business up to the
// gap behind its end, but not beyond the start of the next.
func (p *Profile) reach(m *Model, i int) int64 {
	return min(p.Journeys[i].End+m.JourneyGap, p.nextStart(i)-1)
}

// journeyAt is the journey that a time belongs to; nil: none.
func (p *Profile) journeyAt(m *Model, at int64) *Journey {
	i, _ := slices.BinarySearchFunc(p.Journeys, at, func(j *Journey, at int64) int {
		if j.Start <= at {
			return -1
		}
		return 1
	})
	if i == 0 || at > p.reach(m, i-1) {
		return nil
	}
	return p.Journeys[i-1]
}

// leave settles the journey that r is in: its persona is that of now, and
// transitions emitted before that are no more are withdrawn. It may be called
// again after more points.
func (p *Profile) leave(m *Model, r *reading, c *ProfileChanges) {
	if !r.inside {
		return
	}
	j := r.journey
	if j.read && (j.Base == nil || j.Touchpoints+j.Business > j.Base.Touchpoints+j.Base.Business) {
		j.Persona = m.PersonaName(m.persona(&r.behaviour))
	}
	for i := r.emitted; i < len(j.Emitted); i++ {
		c.Transitions = append(c.Transitions, Transition{
			Profile: p.ID, JourneyID: j.ID, Seq: j.EmittedFrom + uint32(i+1), AtMillis: j.Minted, Status: StatusVoid,
		})
	}
	j.Emitted = j.Emitted[:r.emitted]
}

// emit adds a transition of the present journey, if it is not as emitted before.
func (p *Profile) emit(r *reading, t *Transition, c *ProfileChanges) {
	j := r.journey
	t.Profile, t.JourneyID = p.ID, j.ID
	h := t.hash()
	switch n := r.emitted; {
	case n == len(j.Emitted):
		j.Emitted = append(j.Emitted, h)
		c.Transitions = append(c.Transitions, *t)
	case j.Emitted[n] != h:
		j.Emitted[n] = h
		c.Transitions = append(c.Transitions, *t)
	}
	r.emitted++
}
