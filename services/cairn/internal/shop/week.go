package shop

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Bounds of Options.Customers.
const (
	MinCustomers     = 20
	MaxCustomers     = 20_000
	DefaultCustomers = 2_000
)

// Length of the week, and when in it the checkout is fixed.
const (
	Length     = 7 * 24 * time.Hour
	FixedAfter = Length / 2
)

// Options of a week.
type Options struct {
	Seed      uint64
	Customers int       // between MinCustomers and MaxCustomers, beside a few robots
	End       time.Time // of the week, excluded
}

// Week is what happened, in the order in which the shop's systems sent it.
type Week struct {
	Start, Fixed, End time.Time
	Sends             []Send
}

// Send is an event on its way.
type Send struct {
	At     time.Time // when its system sent it, in the week's time
	Source string    // one of Sources
	Person uint32    // who it is of: a person's events are sent in this order
	Event  Event
}

// Generate makes up a week.
func Generate(o Options) (*Week, error) {
	if o.Customers < MinCustomers || o.Customers > MaxCustomers {
		return nil, fmt.Errorf("%d customers: want %d to %d", o.Customers, MinCustomers, MaxCustomers)
	}
	end := o.End.UTC().Truncate(time.Millisecond)
	g := &generator{
		seed: o.Seed, catalog: newCatalog(),
		week: Week{Start: end.Add(-Length), Fixed: end.Add(FixedAfter - Length), End: end},
	}
	robots := max(3, o.Customers/150)
	for i := range o.Customers {
		g.customer(i).live()
	}
	for i := range robots {
		g.robot(o.Customers + i).crawl()
	}
	g.noise(o.Customers, o.Customers+robots)
	slices.SortStableFunc(g.week.Sends, func(a, b Send) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Person, b.Person))
	})
	return &g.week, nil
}

// generator collects the events of a week.
type generator struct {
	seed    uint64
	catalog *catalog
	week    Week
}

// random is the chance of one person, whatever the others do.
func (g *generator) random(person int) *rand.Rand {
	return rand.New(rand.NewPCG(g.seed, uint64(person)+1)) //nolint:gosec // a story, no secret
}

// send adds an event unless it lies outside the week. It is sent after delay, at
// the latest when the week ends.
func (g *generator) send(person int, source string, e *Event, delay time.Duration) {
	if e.Timestamp.Before(g.week.Start) || !e.Timestamp.Before(g.week.End) {
		return
	}
	at := e.Timestamp.Add(delay)
	if at.After(g.week.End) {
		at = g.week.End
	}
	g.week.Sends = append(g.week.Sends, Send{At: at, Source: source, Person: uint32(person), Event: *e})
}

// broken tells whether the checkout fails at a moment.
func (g *generator) broken(at time.Time) bool { return at.Before(g.week.Fixed) }

// moment is a time of the day on one of the week's days, the evening being the
// busiest.
func (g *generator) moment(r *rand.Rand, day int) time.Time {
	hours := [24]int{2, 1, 1, 0, 0, 1, 2, 4, 6, 7, 7, 7, 8, 7, 6, 6, 7, 8, 10, 12, 13, 11, 7, 4}
	return g.at(r, day, hours[:])
}

// opening is a time while the stores are open.
func (g *generator) opening(r *rand.Rand, day int) time.Time {
	hours := [24]int{9: 2, 10: 4, 11: 5, 12: 6, 13: 4, 14: 4, 15: 5, 16: 7, 17: 8, 18: 5}
	return g.at(r, day, hours[:])
}

// at picks an hour by its weight.
func (g *generator) at(r *rand.Rand, day int, hours []int) time.Time {
	total := 0
	for _, w := range hours {
		total += w
	}
	n, hour := r.IntN(total), 0
	for n >= hours[hour] {
		n -= hours[hour]
		hour++
	}
	midnight := g.week.Start.AddDate(0, 0, day)
	return midnight.Add(time.Duration(hour)*time.Hour + time.Duration(r.IntN(3_600_000))*time.Millisecond)
}

// chance is true p times out of 1.
func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// between is a duration from low to high.
func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64((high-low)/time.Millisecond)))*time.Millisecond
}

// pick is one of a list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// uuid is a random version 4 UUID.
func uuid(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffff_ffff_ffff)
}
