package journeytest_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
)

// scoring is a model in which a "score" is worth its revenue in points. With a
// half-life of 256 seconds a step is a second.
func scoring(halfLife int64, stages ...journey.Stage) *journey.Model {
	m := &journey.Model{
		Name: "scoring", SessionGap: 30 * minute, JourneyGap: 1000 * minute, Goal: -1, Stages: stages,
		Intent: journey.Intent{HalfLife: halfLife, Points: func(p *journey.Touchpoint) int32 {
			return int32(p.RevenueMicros / 1_000_000)
		}},
	}
	return m.Compile()
}

func points(ms int64, n int64) journey.Touchpoint {
	p := tp(ms, "anonymous:A", "", "score")
	p.RevenueMicros = n * 1_000_000
	return p
}

func intentOf(m *journey.Model, log ...journey.Touchpoint) int64 {
	return journeytest.Batch(m, log, journeytest.Base).Journeys[0].IntentMillis
}

// Each number was computed by hand: 2^32 * 2^(-1/2) is 3037000499.98, so 30000
// becomes 30000 * 3037000500 / 2^32 = 21213.2.
func TestIntentDecays(t *testing.T) {
	const halfLife = 256 * second
	m := scoring(halfLife)
	for name, c := range map[string]struct {
		want int64
		log  []journey.Touchpoint
	}{
		"at once":                                {30_000, []journey.Touchpoint{points(0, 30)}},
		"to the end of the step":                 {30_000, []journey.Touchpoint{points(0, 30), points(999, 0)}},
		"a step: 30000 * 2^(-1/256) = 29918.9":   {29_918, []journey.Touchpoint{points(0, 30), points(1000, 0)}},
		"across a step's end in a millisecond":   {29_918, []journey.Touchpoint{points(999, 30), points(1000, 0)}},
		"half a half-life":                       {21_213, []journey.Touchpoint{points(0, 30), points(128*second, 0)}},
		"a half-life":                            {15_000, []journey.Touchpoint{points(0, 30), points(halfLife, 0)}},
		"one and a half":                         {10_606, []journey.Touchpoint{points(0, 30), points(384*second, 0)}},
		"two halves: 21213 becomes 14999.9":      {14_999, []journey.Touchpoint{points(0, 30), points(128*second, 0), points(256*second, 0)}},
		"twenty: 30000 >> 20":                    {0, []journey.Touchpoint{points(0, 30), points(20*halfLife, 0)}},
		"new points are added after the decay":   {25_000, []journey.Touchpoint{points(0, 30), points(halfLife, 10)}},
		"not past the cap, and without overflow": {500_000_000_000, []journey.Touchpoint{points(0, math.MaxInt32), points(halfLife, 0)}},
	} {
		require.Equal(t, c.want, intentOf(m, c.log...), name)
	}
}

func TestIntentWithoutHalfLifeStays(t *testing.T) {
	require.EqualValues(t, 70_000, intentOf(scoring(0), points(0, 30), points(500*minute, 40)))
	require.EqualValues(t, 1_000_000_000_000, intentOf(scoring(0), points(0, math.MaxInt32), points(1, 1)))
}

// A half-life below 256 ms has steps of 1 ms: it is then a longer one.
func TestIntentOfATinyHalfLife(t *testing.T) {
	require.EqualValues(t, 15_000, intentOf(scoring(1), points(0, 30), points(256, 0)))
}

func TestIntentIsOfOneJourney(t *testing.T) {
	got := journeytest.Batch(scoring(0), []journey.Touchpoint{points(0, 30), points(1001*minute, 5), business(points(1002*minute, 1))}, journeytest.Base)
	require.EqualValues(t, 30_000, got.Journeys[0].IntentMillis)
	require.EqualValues(t, 6_000, got.Journeys[1].IntentMillis, "the business's touchpoints score, too")
}

func qualified(r journey.Rule) journey.Stage {
	r.After, r.Substage = -1, -1
	return journey.Stage{Name: "qualified", Rules: []journey.Rule{r}}
}

func TestThresholdReachedExactly(t *testing.T) {
	const halfLife = 256 * second
	m := scoring(halfLife, qualified(journey.Rule{Events: []string{"score"}, Intent: 50}))
	at := func(log ...journey.Touchpoint) []string {
		var list []string
		for _, tr := range journeytest.Batch(m, log, journeytest.Base).Transitions {
			list = append(list, tr.MessageID)
		}
		return list
	}
	require.Equal(t, []string{"score@999"}, at(points(0, 30), points(999, 20)))
	require.Empty(t, at(points(0, 30), points(1000, 20)), "29.918 and 20")
	require.Equal(t, []string{"score@1000"}, at(points(0, 30), points(1000, 21)))
	other := tp(1000, "anonymous:A", "", "other")
	other.RevenueMicros = 50_000_000
	require.Empty(t, at(points(0, 30), other), "enough, but the rule does not match")
}

// Intent is a condition of firing: what matched before it was there still counts.
func TestMatchesWithoutIntentCount(t *testing.T) {
	m := scoring(0, qualified(journey.Rule{Events: []string{"score"}, AtLeast: 3, Intent: 50}))
	got := journeytest.Batch(m, []journey.Touchpoint{points(0, 1), points(1, 1), points(2, 50)}, journeytest.Base)
	require.Len(t, got.Transitions, 1)
	require.Equal(t, "score@2", got.Transitions[0].MessageID)
}
