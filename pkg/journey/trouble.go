package journey

import (
	"maps"
	"math"
	"math/bits"
	"slices"
)

// Trouble is how far one friction pattern has got after some of a profile's
// points (semantics D9).
type Trouble struct {
	Open        *Episode // absence: waiting for what should follow
	Ended       bool     // absence: an episode has ended, at End
	End         int64
	Without     bool // absence: what should follow was seen, last at WithoutAt
	WithoutAt   int64
	Repetitions map[uint64][]int64 // repetition: times per value
}

// Episode is an absence that has begun. It never changes.
type Episode struct {
	Struck

	Deadline int64
}

// Struck is a friction's touchpoint and what was known after it.
type Struck struct {
	Key             OrderKey
	SessionID       string
	Channel         string
	JourneyID       string
	Stage, Substage int // -1: none
	Persona         int // -1: none
	Live            bool
}

// strike is a friction that a point made certain. An absence strikes when its
// time is over, for the touchpoint that began it.
type strike struct {
	friction int
	at       int64
	Struck
}

// troubles is the state of all friction patterns of a model.
type troubles struct {
	list []Trouble
	open uint64 // those with an open episode, a bit each
}

func newTroubles(m *Model, list []Trouble) troubles {
	if len(list) == 0 {
		return troubles{} // most profiles never need more
	}
	t := troubles{list: make([]Trouble, len(m.Frictions))}
	for i := range min(len(list), len(t.list)) {
		t.list[i] = list[i].clone()
		if list[i].Open != nil {
			t.open |= 1 << i
		}
	}
	return t
}

func (t *Trouble) clone() Trouble {
	c := *t
	if t.Repetitions != nil {
		c.Repetitions = maps.Clone(t.Repetitions)
		for v, times := range c.Repetitions {
			c.Repetitions[v] = slices.Clone(times)
		}
	}
	return c
}

func (t *troubles) clone() troubles {
	c := troubles{list: make([]Trouble, len(t.list)), open: t.open}
	for i := range t.list {
		c.list[i] = t.list[i].clone()
	}
	return c
}

// pass lets time go on to at: episodes whose time is over strike.
func (t *troubles) pass(at int64, out []strike) []strike {
	for set := t.open; set != 0; set &= set - 1 {
		n := bits.TrailingZeros64(set)
		if e := t.list[n].Open; at > e.Deadline {
			out = append(out, strike{n, e.Deadline, e.Struck})
			t.end(n, e.Deadline)
		}
	}
	return out
}

func (t *troubles) end(n int, at int64) {
	t.list[n].Open, t.list[n].Ended, t.list[n].End = nil, true, at
	t.open &^= 1 << n
}

// read takes in the next point; struck describes it. over are the openers of
// episodes that it brought to a good end.
func (t *troubles) read(m *Model, p *Point, struck func() Struck) (out []strike, over []FrictionKey) {
	out = t.pass(p.Time, nil)
	for set := p.Troubles; set != 0; {
		n := bits.TrailingZeros64(set) / 2
		starts, ends := set&(1<<(2*n)) != 0, set&(2<<(2*n)) != 0
		set &^= 3 << (2 * n)
		if n >= len(m.Frictions) {
			break // no cairn wrote that
		}
		if t.list == nil {
			t.list = make([]Trouble, len(m.Frictions))
		}
		rule, state := &m.Frictions[n], &t.list[n]
		switch {
		case rule.Event != nil:
			out = append(out, strike{n, p.Time, struck()})
		case rule.Repetition != nil:
			if state.repeat(rule.Repetition, p.value(n), p.Time) {
				out = append(out, strike{n, p.Time, struck()})
			}
		default:
			over = t.absence(n, rule.Absence, p, starts, ends, struck, over)
		}
	}
	return out, over
}

// absence takes in a point that begins an absence, ends it, or both. What should
// follow also counts at the very time of the opener, whichever of the two comes
// first in the order.
func (t *troubles) absence(n int, a *Absence, p *Point, starts, ends bool, struck func() Struck, out []FrictionKey) []FrictionKey {
	state := &t.list[n]
	followed := state.Without && state.WithoutAt == p.Time
	if ends {
		state.Without, state.WithoutAt = true, p.Time
		if e := state.Open; e != nil && p.Time >= e.Key.Time {
			out = append(out, FrictionKey{n, e.Key})
			t.end(n, p.Time)
		}
	}
	switch {
	case !starts || state.Open != nil || state.Ended && p.Time <= state.End:
	case followed:
		state.Ended, state.End = true, p.Time
	default:
		state.Open = &Episode{struck(), p.Time + a.For}
		t.open |= 1 << n
	}
	return out
}

// Bounds on the values of a repetition that are remembered: from the first number
// on those that are too old to count are forgotten, beyond the second the one not
// seen for longest is, whatever its age.
const (
	manyValues = 64
	maxValues  = 1024
)

// repeat notes a match, and reports whether it is the one that makes the
// friction; then counting begins anew.
func (t *Trouble) repeat(r *Repetition, value uint64, at int64) bool {
	if t.Repetitions == nil {
		t.Repetitions = map[uint64][]int64{}
	}
	old := func(x int64) bool { return x < at-r.Within }
	if _, known := t.Repetitions[value]; !known && len(t.Repetitions) >= manyValues {
		t.forgetValues(old)
	}
	times := append(slices.DeleteFunc(t.Repetitions[value], old), at)
	if len(times) < r.AtLeast {
		t.Repetitions[value] = times
		return false
	}
	delete(t.Repetitions, value)
	return true
}

// forgetValues makes room for one more value.
func (t *Trouble) forgetValues(old func(int64) bool) {
	oldest, last := uint64(0), int64(math.MaxInt64)
	for value, times := range t.Repetitions {
		switch {
		case len(times) == 0 || old(times[len(times)-1]):
			delete(t.Repetitions, value)
		case times[len(times)-1] < last || times[len(times)-1] == last && value < oldest:
			oldest, last = value, times[len(times)-1]
		}
	}
	if len(t.Repetitions) >= maxValues {
		delete(t.Repetitions, oldest)
	}
}
