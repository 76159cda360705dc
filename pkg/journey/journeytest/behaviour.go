package journeytest

import (
	"math"
	"slices"

	"github.com/cairnhq/cairn/pkg/journey"
)

// personaAfter is the persona of a profile after its i-th touchpoint: the first
// whose rule holds on everything up to and including it, or "".
func personaAfter(m *journey.Model, points []*journey.Touchpoint, i int) string {
	b := behaviour(m, points[:i+1])
	for _, persona := range m.Personas {
		if persona.Where(b) {
			return persona.Name
		}
	}
	return ""
}

// behaviour is what is known of a profile that has these touchpoints (D10).
func behaviour(m *journey.Model, points []*journey.Touchpoint) *journey.Behaviour {
	customers := customersOnly(points)
	b := &journey.Behaviour{
		Traits:      traitsOf(m, points),
		Touchpoints: uint64(len(customers)),
		Sessions:    uint64(countSessions(m, customers)),
		Journeys:    uint64(len(windows(customers, m.JourneyGap))),
	}
	for _, name := range m.CountedEvents {
		b.EventCounts = append(b.EventCounts, count(customers, func(p *journey.Touchpoint) bool { return p.Event == name }))
	}
	for _, name := range m.CountedChannels {
		b.ChannelCounts = append(b.ChannelCounts, count(customers, func(p *journey.Touchpoint) bool { return p.Channel == name }))
	}
	for _, p := range points {
		b.RevenueMicros += p.RevenueMicros
	}
	sum, n := sentimentOf(points)
	b.SentimentSum, b.SentimentCount = sum, uint64(n)
	return b
}

// traitsOf is the last value of each trait; "" where it was never told, or told
// to be gone.
func traitsOf(m *journey.Model, points []*journey.Touchpoint) []string {
	traits := make([]string, len(m.Traits))
	if m.ReadTraits == nil {
		return traits
	}
	for _, p := range points {
		if p.Traits == "" {
			continue
		}
		for _, t := range m.ReadTraits(p.Traits) {
			traits[t.Index] = t.Value
		}
	}
	return traits
}

// countSessions counts the runs of each identifier's touchpoints without a
// pause longer than the session gap.
func countSessions(m *journey.Model, customers []*journey.Touchpoint) int {
	n := 0
	for _, points := range groupBy(customers, func(p *journey.Touchpoint) string { return p.Identifier }) {
		n += len(windows(points, m.SessionGap))
	}
	return n
}

func count(points []*journey.Touchpoint, is func(*journey.Touchpoint) bool) uint64 {
	var n uint64
	for _, p := range points {
		if is(p) {
			n++
		}
	}
	return n
}

// sentimentOf sums the scores and counts them.
func sentimentOf(points []*journey.Touchpoint) (sum int64, n int) {
	for _, p := range points {
		if p.SentimentSource != "" {
			sum += int64(p.Sentiment)
			n++
		}
	}
	return sum, n
}

// meanSentiment is the mean score of the touchpoints, rounded half away from
// zero, or nil without any.
func meanSentiment(points []*journey.Touchpoint) *int32 {
	sum, n := sentimentOf(points)
	if n == 0 {
		return nil
	}
	mean := int32(math.Round(float64(sum) / float64(n)))
	return &mean
}

// place is the index of p in points.
func place(points []*journey.Touchpoint, p Point) int {
	return slices.IndexFunc(points, func(q *journey.Touchpoint) bool { return pointOf(q) == p })
}
