package sessionizer

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
)

// offPlan is what violations of the tracking plan are counted by: as many as the
// plan has events, and one more, times a few.
type offPlan struct{ event, violation, action string }

func newOffPlan() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cairn_sessionizer_plan_violations_total",
		Help: "Places where touchpoints differ from the tracking plan, those of duplicates and late ones included; event is (other) for all that the plan does not list.",
	}, []string{"event", "violation", "action"})
}

// offPlan is why the tracking plan rejects a touchpoint; nil: it does not.
//
// A copy was checked before it was made and counts as accepted since, so it is
// never rejected, whatever a plan that changed in between says: it is warned of.
func (t *deviceTask) offPlan(v *plan.Verdict, copied bool) error {
	if v.Action != plan.Reject || copied {
		return nil
	}
	t.tally.offPlanned(v, plan.Reject)
	worst, _ := v.Worst()
	return &wire.RawError{Reason: wire.ReasonPlan, Pointer: worst.Pointer, Err: errors.New(worst.Message)}
}

// warn flags and counts what is counted all the same. Of a record that is re-keyed
// only the copy is.
func (t *deviceTask) warn(v *plan.Verdict) {
	if v.Action == plan.Allow {
		return
	}
	t.raw.Touchpoint.Flags |= journey.FlagOffPlan
	t.tally.offPlanned(v, plan.Warn)
}

// offPlanned counts the violations of a touchpoint of which an action was taken.
func (t *tally) offPlanned(v *plan.Verdict, action plan.Action) {
	if t.offPlan == nil {
		t.offPlan = map[offPlan]uint64{}
	}
	for _, x := range v.Violations {
		t.offPlan[offPlan{v.Event, x.Kind, action.String()}]++
	}
}

func (m *metrics) offPlanned(t *tally) {
	for labels, n := range t.offPlan {
		m.offPlan.WithLabelValues(labels.event, labels.violation, labels.action).Add(float64(n))
	}
}
