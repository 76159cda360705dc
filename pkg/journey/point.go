package journey

import (
	"hash/fnv"
	"slices"
	"strings"
)

// Point is what a profile keeps of one touchpoint: enough to read its journey
// again from anywhere.
type Point struct {
	OrderKey
	Matches       uint64 // rules of the model that the touchpoint matches by itself
	Troubles      uint64 // bit 2n: starts or is the n-th friction; bit 2n+1: ends its absence
	Fixed         bool   // carries a user id of its own: never moves to another profile
	Business      bool
	Live          bool
	Scored        bool  // Sentiment is evidence
	Event         uint8 // number in Model.CountedEvents, from 1; 0: not counted
	Sentiment     int16 // hundredths
	Intent        int32 // points
	RevenueMicros int64
	SessionID     string
	Channel       string
	Campaign      *Campaign // nil: none. Term and Content are not kept
	Member        string    // profile whose home this is a copy of; "": the home's own
	Rare          *Rare     // nil: none of it
}

// Rare is what few touchpoints carry.
type Rare struct {
	Repeats []Repeat
	Traits  []Trait
}

// clone shares no memory.
func (r *Rare) clone() *Rare {
	if r == nil {
		return nil
	}
	c := &Rare{Repeats: slices.Clone(r.Repeats), Traits: slices.Clone(r.Traits)}
	for i := range c.Traits {
		c.Traits[i].Value = strings.Clone(c.Traits[i].Value)
	}
	return c
}

// Repeat is what a repetition compares.
type Repeat struct {
	Friction uint8  // number in Model.Frictions
	Value    uint64 // hash of the value
}

// Point is the point of a touchpoint under the model. It shares memory with t
// until it is added to a profile.
func (m *Model) Point(t *Touchpoint) Point {
	p := Point{
		OrderKey: t.Key(), Matches: m.signals.match(t), Troubles: m.troubles.match(t),
		Fixed: t.UserID != "", Business: t.Business(), Live: !t.Has(FlagNotLive),
		RevenueMicros: t.RevenueMicros, SessionID: t.SessionID, Channel: t.Channel, Event: m.counted[t.Event],
	}
	if c := (Campaign{Source: t.Campaign.Source, Medium: t.Campaign.Medium, Name: t.Campaign.Name}); c != (Campaign{}) {
		p.Campaign = &c
	}
	if t.SentimentSource != "" && !t.Has(FlagAsset) {
		p.Sentiment, p.Scored = int16(t.Sentiment), true
	}
	if m.Intent.Points != nil && !t.Has(FlagAsset) {
		p.Intent = m.Intent.Points(t)
	}
	p.Rare = m.rare(t, &p)
	return p
}

// own gives the point memory of its own, or that of a point beside it: most of
// what a point says, its neighbours say too.
func (p *Point) own(beside *Point) {
	if beside == nil {
		beside = &Point{}
	}
	fields := make([]*string, 0, 5)
	for _, f := range [...]struct {
		own    *string
		shared string
	}{
		{&p.MessageID, ""},
		{&p.Identifier, beside.Identifier},
		{&p.SessionID, beside.SessionID},
		{&p.Channel, beside.Channel},
		{&p.Member, beside.Member},
	} {
		if *f.own == f.shared {
			*f.own = f.shared
		} else {
			fields = append(fields, f.own)
		}
	}
	pack(fields...)
	switch {
	case p.Campaign == nil:
	case beside.Campaign != nil && *beside.Campaign == *p.Campaign:
		p.Campaign = beside.Campaign
	default:
		c := *p.Campaign
		pack(&c.Source, &c.Medium, &c.Name)
		p.Campaign = &c
	}
}

// rare reads traits and what repetitions compare. A repetition whose value is
// missing does not match.
func (m *Model) rare(t *Touchpoint, p *Point) *Rare {
	var r Rare
	for n := range m.Frictions {
		rep := m.Frictions[n].Repetition
		bit := uint64(1) << (2 * n)
		if rep == nil || rep.By == nil || p.Troubles&bit == 0 {
			continue
		}
		value, ok := rep.By(t)
		if !ok {
			p.Troubles &^= bit
			continue
		}
		h := fnv.New64a()
		h.Write([]byte(value))
		r.Repeats = append(r.Repeats, Repeat{uint8(n), h.Sum64()})
	}
	if t.Traits != "" && m.ReadTraits != nil {
		r.Traits = m.ReadTraits(t.Traits)
		for i := range r.Traits {
			r.Traits[i].Value = strings.Clone(r.Traits[i].Value)
		}
	}
	if r.Repeats == nil && r.Traits == nil {
		return nil
	}
	return &r
}

// value is what the n-th friction, a repetition, compares; 0 if everything is alike.
func (p *Point) value(n int) uint64 {
	if p.Rare == nil {
		return 0
	}
	for _, r := range p.Rare.Repeats {
		if int(r.Friction) == n {
			return r.Value
		}
	}
	return 0
}
