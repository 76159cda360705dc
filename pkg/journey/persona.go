package journey

import "slices"

// Persona is a kind of customer. The first persona of a model whose rule holds
// is the profile's.
type Persona struct {
	Name  string
	Where func(*Behaviour) bool // pure
}

// Trait is the value of one of Model.Traits in a touchpoint.
type Trait struct {
	Index int
	Value string // a JSON scalar, at most MaxTrait bytes; "" says that the trait is gone
}

// MaxTrait bounds a kept trait, in bytes of JSON. A longer one, an object or a
// list counts as absent.
const MaxTrait = 256

// Behaviour is what is known of a profile up to a touchpoint: of all its
// journeys, in order (semantics D10).
type Behaviour struct {
	Traits         []string // the last value of each of Model.Traits, JSON; "": none
	EventCounts    []uint64 // the customer's touchpoints per Model.CountedEvents
	ChannelCounts  []uint64 // the customer's touchpoints per Model.CountedChannels
	Touchpoints    uint64   // the customer's
	Sessions       uint64
	Journeys       uint64
	RevenueMicros  int64 // of the business's touchpoints, too
	SentimentSum   int64 // hundredths
	SentimentCount uint64
}

// Intent says how many points touchpoints score, for the qualification of leads.
// A journey's intent is the sum of its touchpoints' points, each halved with every
// HalfLife that passes (semantics, Intent).
type Intent struct {
	HalfLife int64                   // ms; 0: points stay
	Points   func(*Touchpoint) int32 // pure; nil: none
}

// newBehaviour is what is known before the first touchpoint.
func (m *Model) newBehaviour() Behaviour {
	return Behaviour{
		Traits:        make([]string, len(m.Traits)),
		EventCounts:   make([]uint64, len(m.CountedEvents)),
		ChannelCounts: make([]uint64, len(m.CountedChannels)),
	}
}

// Clone is a copy that shares nothing that changes.
func (b *Behaviour) Clone() Behaviour {
	c := *b
	c.Traits = slices.Clone(b.Traits)
	c.EventCounts = slices.Clone(b.EventCounts)
	c.ChannelCounts = slices.Clone(b.ChannelCounts)
	return c
}

// fit gives a restored behaviour the lengths of the model's names: trailing zeros
// are not stored.
func (b *Behaviour) fit(m *Model) {
	b.Traits = append(b.Traits, make([]string, max(0, len(m.Traits)-len(b.Traits)))...)
	b.EventCounts = append(b.EventCounts, make([]uint64, max(0, len(m.CountedEvents)-len(b.EventCounts)))...)
	b.ChannelCounts = append(b.ChannelCounts, make([]uint64, max(0, len(m.CountedChannels)-len(b.ChannelCounts)))...)
}

// add takes in the next point in order. Sessions and journeys are the reader's
// to count.
func (b *Behaviour) add(m *Model, p *Point) {
	b.RevenueMicros += p.RevenueMicros
	if p.Scored {
		b.SentimentSum += int64(p.Sentiment)
		b.SentimentCount++
	}
	if p.Rare != nil {
		for _, t := range p.Rare.Traits {
			if t.Index < len(b.Traits) {
				b.Traits[t.Index] = t.Value
			}
		}
	}
	if p.Business {
		return
	}
	b.Touchpoints++
	if p.Event > 0 && int(p.Event) <= len(b.EventCounts) {
		b.EventCounts[p.Event-1]++
	}
	if i, ok := m.channels[p.Channel]; ok {
		b.ChannelCounts[i]++
	}
}

// persona is the number of the first persona whose rule holds; -1: none.
func (m *Model) persona(b *Behaviour) int {
	return slices.IndexFunc(m.Personas, func(p Persona) bool { return p.Where(b) })
}

// PersonaName is the name of persona i, or "" for none (-1).
func (m *Model) PersonaName(i int) string {
	if i < 0 || i >= len(m.Personas) {
		return ""
	}
	return m.Personas[i].Name
}

// MeanSentiment is the mean of n scores, in hundredths, rounded half away from
// zero; ok is false without any.
func MeanSentiment(sum int64, n uint64) (mean int32, ok bool) {
	if n == 0 {
		return 0, false
	}
	half := int64(n) / 2
	if sum < 0 {
		half = -half
	}
	return int32((sum + half) / int64(n)), true
}
