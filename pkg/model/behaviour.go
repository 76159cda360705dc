package model

import (
	"math"

	"cel.dev/cel-go/interpreter"

	"github.com/cairnhq/cairn/pkg/journey"
)

// customer gives CEL what it asks for of a customer, in one evaluation.
type customer struct {
	b     *journey.Behaviour
	known *known

	traits           map[string]any // nil: not asked for yet
	events, channels map[string]int64
}

// Parent has no meaning here; interpreter.Activation wants it.
func (c *customer) Parent() interpreter.Activation { return nil }

// ResolveName is the value of a variable, or false where it has none.
func (c *customer) ResolveName(name string) (any, bool) {
	b := c.b
	switch name {
	case "traits":
		if c.traits == nil {
			c.traits = present(c.known.traits, b.Traits)
		}
		return c.traits, true
	case "events":
		if c.events == nil {
			c.events = counts(c.known.events, b.EventCounts)
		}
		return c.events, true
	case "channels":
		if c.channels == nil {
			c.channels = counts(c.known.channels, b.ChannelCounts)
		}
		return c.channels, true
	case "touchpoints":
		return count(b.Touchpoints), true
	case "sessions":
		return count(b.Sessions), true
	case "journeys":
		return count(b.Journeys), true
	case "revenue":
		return float64(b.RevenueMicros) / 1e6, true
	case "sentiment":
		mean, ok := journey.MeanSentiment(b.SentimentSum, b.SentimentCount)
		return float64(mean) / 100, ok
	}
	return nil, false
}

// present holds the traits that are there.
func present(of names, list []string) map[string]any {
	values := make(map[string]any, len(of))
	for name, i := range of {
		if i < len(list) {
			if v := scalarValue(list[i]); v != nil {
				values[name] = v
			}
		}
	}
	return values
}

// counts holds a number for every name, 0 where nothing was counted.
func counts(of names, list []uint64) map[string]int64 {
	values := make(map[string]int64, len(of))
	for name, i := range of {
		values[name] = 0
		if i < len(list) {
			values[name] = count(list[i])
		}
	}
	return values
}

func count(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
