package model

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
)

// TestRememberedAnswersAreRight: what a persona's memory says is what its
// condition says, for whatever it reads, also when the memory overflows.
func TestRememberedAnswersAreRight(t *testing.T) {
	conditions := []string{
		"traits.plan == 'pro' || has(traits.coupons) && traits.coupons > 2",
		"events.order_completed >= 2 && channels.store == 0",
		"touchpoints > 3 && sessions <= 2",
		"journeys == 2",
		"revenue > 1.5",
		"sentiment >= 0.5",
	}
	for _, text := range conditions {
		t.Run(text, func(t *testing.T) {
			l := &loader{}
			root := l.parse([]byte("where: \"" + text + "\""))
			c, k := l.behaviourCondition(l.mapping(root, "test", "where")["where"].value, "where")
			require.Empty(t, l.errs)
			for _, of := range []names{k.traits, k.events, k.channels} {
				i := 0
				for name := range of {
					of[name] = i
					i++
				}
			}
			m := newMemo(c, k)
			rapid.Check(t, func(t *rapid.T) {
				b := &journey.Behaviour{
					Traits: []string{
						rapid.SampledFrom([]string{"", `"pro"`, `"free"`, "3"}).Draw(t, "a trait"),
						rapid.SampledFrom([]string{"", "1", "3", `"pro"`}).Draw(t, "another"),
					},
					EventCounts:   []uint64{rapid.Uint64Range(0, 3).Draw(t, "events")},
					ChannelCounts: []uint64{rapid.Uint64Range(0, 1).Draw(t, "channels")},
					Touchpoints:   rapid.Uint64Range(0, 400).Draw(t, "touchpoints"), Sessions: rapid.Uint64Range(0, 300).Draw(t, "sessions"),
					Journeys: rapid.Uint64Range(0, 300).Draw(t, "journeys"), RevenueMicros: rapid.Int64Range(-3e6, 3e6).Draw(t, "revenue"),
					SentimentSum: rapid.Int64Range(-300, 300).Draw(t, "sum"), SentimentCount: rapid.Uint64Range(0, 3).Draw(t, "scores"),
				}
				want := c.holds(&customer{b: b, known: k})
				require.Equal(t, want, m.holds(b), "asked for the first time")
				require.Equal(t, want, m.holds(b), "asked again")
			})
			require.LessOrEqual(t, len(m.answers), maxMemo)
		})
	}
}
