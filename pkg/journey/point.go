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
	Campaign      *Campaign // nil: none. Term and Content do not count
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
	if c := &t.Campaign; c.Source != "" || c.Medium != "" || c.Name != "" {
		p.Campaign = c
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
	id, session := unlike(p.Identifier, beside.Identifier), unlike(p.SessionID, beside.SessionID)
	channel, member := unlike(p.Channel, beside.Channel), unlike(p.Member, beside.Member)
	// Not by pack: with pointers to its fields the point would be moved to the heap.
	var b strings.Builder
	b.Grow(len(p.MessageID) + len(id) + len(session) + len(channel) + len(member))
	b.WriteString(p.MessageID)
	b.WriteString(id)
	b.WriteString(session)
	b.WriteString(channel)
	b.WriteString(member)
	all := b.String()
	p.MessageID, all = all[:len(p.MessageID)], all[len(p.MessageID):]
	p.Identifier, all = take(all, p.Identifier, beside.Identifier)
	p.SessionID, all = take(all, p.SessionID, beside.SessionID)
	p.Channel, all = take(all, p.Channel, beside.Channel)
	p.Member, _ = take(all, p.Member, beside.Member)
	switch {
	case p.Campaign == nil:
	case beside.Campaign != nil && p.Campaign.sameVisit(beside.Campaign):
		p.Campaign = beside.Campaign
	default:
		c := Campaign{Source: p.Campaign.Source, Medium: p.Campaign.Medium, Name: p.Campaign.Name}
		pack(&c.Source, &c.Medium, &c.Name)
		p.Campaign = &c
	}
}

// unlike is a text, or "" if it is another's.
func unlike(text, other string) string {
	if text == other {
		return ""
	}
	return text
}

// take takes a text from the beginning of all, unless it is another's.
func take(all, text, other string) (taken, rest string) {
	if text == other {
		return other, all
	}
	return all[:len(text)], all[len(text):]
}

// sameVisit reports whether what points keep of campaigns is the same.
func (c *Campaign) sameVisit(o *Campaign) bool {
	return c.Source == o.Source && c.Medium == o.Medium && c.Name == o.Name
}

// rare reads traits and what repetitions compare. A repetition whose value is
// missing does not match.
func (m *Model) rare(t *Touchpoint, p *Point) *Rare {
	var repeats []Repeat
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
		repeats = append(repeats, Repeat{uint8(n), h.Sum64()})
	}
	var traits []Trait
	if t.Traits != "" && m.ReadTraits != nil {
		traits = m.ReadTraits(t.Traits)
		for i := range traits {
			traits[i].Value = strings.Clone(traits[i].Value)
		}
	}
	if repeats == nil && traits == nil {
		return nil
	}
	return &Rare{repeats, traits}
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
