package journey

import (
	"math"
	"math/bits"
)

// decaySteps is in how many steps a journey's intent halves. Steps are counted
// in absolute time, and all is integers, so that the order in which touchpoints
// arrive cannot matter.
const decaySteps = 256

// maxIntent caps a journey's intent, in thousandths of a point.
const maxIntent = 1_000_000_000_000

// compileIntent fills in what one to 256 steps leave of one, in 2^-32.
func (m *Model) compileIntent() {
	m.decayStep = max(1, m.Intent.HalfLife/decaySteps)
	for i := range m.decay {
		m.decay[i] = uint64(math.Round(math.Exp2(32 - float64(i)/decaySteps)))
	}
}

// addIntent lets a journey's intent decay to the point and adds the point's.
func (m *Model) addIntent(s *Standing, p *Point) {
	if m.Intent.Points == nil {
		return
	}
	// Never back: a point may come after a base that was folded beyond it.
	if step := max(floorDiv(p.Time, m.decayStep), s.IntentStep); m.Intent.HalfLife > 0 {
		s.Intent, s.IntentStep = m.decayed(s.Intent, step-s.IntentStep), step
	}
	s.Intent = min(s.Intent+1000*int64(p.Intent), maxIntent)
}

func (m *Model) decayed(v, steps int64) int64 {
	halvings := steps / decaySteps
	if v == 0 || steps < 0 || halvings > 63 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(v), m.decay[steps%decaySteps])
	return int64((hi<<32 | lo>>32) >> halvings)
}
