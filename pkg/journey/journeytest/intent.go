package journeytest

import (
	"math"
	"math/big"

	"github.com/cairnhq/cairn/pkg/journey"
)

// maxIntent caps an intent, in thousandths of a point.
const maxIntent = 1e12

// intents is a journey's intent after each of its touchpoints, in thousandths of
// a point.
//
// Time is cut into steps of a 256th of the half-life, counted from the epoch, so
// that how far an intent has decayed depends on the two times alone and whole
// numbers do for it.
func intents(m *journey.Model, points []*journey.Touchpoint) []int64 {
	step := max(1, m.Intent.HalfLife/256)
	all := make([]int64, len(points))
	var intent int64
	for i, p := range points {
		if i > 0 && m.Intent.HalfLife > 0 {
			steps := floorDiv(p.Time, step) - floorDiv(points[i-1].Time, step)
			intent = decay(intent, steps)
		}
		if m.Intent.Points != nil && !p.Has(journey.FlagAsset) {
			intent += 1000 * int64(m.Intent.Points(p))
		}
		intent = min(intent, maxIntent)
		all[i] = intent
	}
	return all
}

// decay halves v with every 256 steps: (v * w >> 32) >> halvings, where w is 2^32
// times 2^(-rest/256).
func decay(v, steps int64) int64 {
	w := math.Round(math.Exp2(32) * math.Exp2(-float64(steps%256)/256))
	x := new(big.Int).Mul(big.NewInt(v), big.NewInt(int64(w)))
	x.Rsh(x, 32)
	x.Rsh(x, uint(min(steps/256, 1000)))
	return x.Int64()
}

// floorDiv rounds down, also before the epoch.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
