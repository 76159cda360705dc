package sessionizer

import (
	"math"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what committed transactions did. An aborted one counts nothing.
type metrics struct {
	accepted    prometheus.Counter
	outcomes    *prometheus.CounterVec
	transitions prometheus.Counter
	frictions   prometheus.Counter
	adopted     prometheus.Counter
	open        *prometheus.GaugeVec
	age         prometheus.Histogram
	offPlan     *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_sessionizer_accepted_total", Help: "Raw records taken in, re-keyed copies aside.",
		}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cairn_sessionizer_outcomes_total",
			Help: "What became of raw records: accepted = touchpoint + duplicate + rejected + late + erased; rekeyed ones came to the wrong partition first.",
		}, []string{"outcome"}),
		transitions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_sessionizer_transitions_total", Help: "Stage transitions emitted, revisions and voids included.",
		}),
		frictions: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_sessionizer_frictions_total", Help: "Frictions emitted, revisions and voids included.",
		}),
		adopted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cairn_sessionizer_adopted_points_total", Help: "Points that moved to another profile's home, because an identifier was linked.",
		}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "cairn_sessionizer_open_sessions", Help: "Sessions whose inactivity gap has not passed yet.",
		}, []string{"partition"}),
		age: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "cairn_sessionizer_commit_age_seconds",
			Help:    "From the arrival of the oldest touchpoint of a transaction to its commit in the profile step.",
			Buckets: []float64{.05, .1, .2, .3, .5, .75, 1, 2, 5, 15, 60, 300, 3600},
		}),
	}
	m.offPlan = newOffPlan()
	for _, o := range []string{"touchpoint", "duplicate", "rejected", "late", "rekeyed", "erased"} {
		m.outcomes.WithLabelValues(o)
	}
	if reg != nil {
		reg.MustRegister(m.accepted, m.outcomes, m.transitions, m.frictions, m.adopted, m.open, m.age, m.offPlan)
	}
	return m
}

// tally is what one partition did in the open transaction.
type tally struct {
	acceptedN, touchpoints, duplicates, rejected, late, rekeyed, erased, transitions, frictions, adopted uint64
	oldest                                                                                               int64 // arrival, Unix ms
	offPlan                                                                                              map[offPlan]uint64
}

func newTally() tally { return tally{oldest: math.MaxInt64} }

func (t *tally) accepted(copied bool) {
	if !copied {
		t.acceptedN++
	}
}

func (m *metrics) device(t *tally, partition int32, open int64) {
	m.open.WithLabelValues(strconv.Itoa(int(partition))).Set(float64(open))
	m.accepted.Add(float64(t.acceptedN))
	m.offPlanned(t)
	for outcome, n := range map[string]uint64{
		"touchpoint": t.touchpoints, "duplicate": t.duplicates, "rejected": t.rejected, "late": t.late, "rekeyed": t.rekeyed, "erased": t.erased,
	} {
		m.outcomes.WithLabelValues(outcome).Add(float64(n))
	}
}

func (m *metrics) profile(t *tally) {
	m.transitions.Add(float64(t.transitions))
	m.frictions.Add(float64(t.frictions))
	m.adopted.Add(float64(t.adopted))
	if t.oldest != math.MaxInt64 {
		m.age.Observe(float64(time.Now().UnixMilli()-t.oldest) / 1000)
	}
}
