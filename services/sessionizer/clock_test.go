package sessionizer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
	"github.com/cairnhq/cairn/services/sessionizer"
)

// hasty is a model whose time limits a test can wait for.
const hasty = `
version: 1
sessions: {inactivity_gap: 2s}
journeys: {inactivity_gap: 1h, goal: purchase}
stages:
  - {name: decision, enter: [{events: [checkout_started]}]}
  - {name: purchase, enter: [{events: [order_completed]}]}
friction:
  - {name: checkout_abandoned, absence: {after: checkout_started, without: order_completed, for: 2s}, severity: 2}
  - {name: payment_failed, event: payment_failed, severity: 3}
personas:
  - {name: buyer, where: 'events.order_completed >= 1'}
`

func hastyModel(t *testing.T) func(*sessionizer.Options) {
	t.Helper()
	m, err := model.Load([]byte(hasty), "hasty.yaml")
	require.NoError(t, err)
	return func(o *sessionizer.Options) { o.Model = m }
}

// now is a raw record of a visitor that happens as it is sent.
func now(id, message, event string) *kgo.Record {
	at := time.Now().UTC().Format(time.RFC3339Nano)
	return &kgo.Record{Key: []byte(id), Value: fmt.Appendf(nil,
		`{"messageId":%q,"type":"track","event":%q,"anonymousId":%q,"timestamp":%q,"receivedAt":%q,"source":"shop"}`, message, event, id, at, at)}
}

// frictions are the newest rows, voids aside, by name and touchpoint.
func (r *rig) frictions() map[string]journey.Friction {
	rows := map[string]journey.Friction{}
	for _, rec := range r.derived(stream.TopicFrictions) {
		var f journey.Friction
		require.NoError(r.t, wire.DecodeFriction(rec.Value, &f))
		if have := rows[f.ID]; have.Revision < f.Revision {
			rows[f.ID] = f
		}
	}
	out := map[string]journey.Friction{}
	for _, f := range rows {
		if f.Status != journey.StatusVoid {
			out[f.Name+" "+f.TouchpointID] = f
		}
	}
	return out
}

// TestAnAbsenceStrikesByTheClock: nothing more arrives, and still the friction is
// published once its time is over, also if the sessionizer was down meanwhile; an
// order that comes late withdraws it.
func TestAnAbsenceStrikesByTheClock(t *testing.T) {
	for _, where := range []string{"memory", "disk"} {
		t.Run(where, func(t *testing.T) {
			r := fakeRig(t)
			change := []func(*sessionizer.Options){hastyModel(t)}
			if dir := t.TempDir(); where == "disk" {
				change = append(change, func(o *sessionizer.Options) { o.StateDir = dir })
			}
			stop := r.start(change...)
			checkout := time.Now()
			r.produce(now("v1", "failed", "payment_failed"), now("v1", "checkout", "checkout_started"))
			r.settle()
			require.Contains(t, r.frictions(), "payment_failed failed")
			require.NoError(t, stop())
			time.Sleep(time.Until(checkout.Add(2500 * time.Millisecond))) // the timer comes due while nobody looks
			stop = r.start(change...)
			require.Eventually(t, func() bool { return len(r.frictions()) == 2 }, 20*time.Second, 100*time.Millisecond)
			f := r.frictions()["checkout_abandoned checkout"]
			require.Equal(t, "decision", f.Stage)
			require.Equal(t, "absence", f.Kind)
			require.Equal(t, 2, f.Severity)
			require.True(t, f.Live)
			require.NotEmpty(t, f.JourneyID)

			at := checkout.Add(time.Second).UTC().Format(time.RFC3339Nano)
			r.produce(&kgo.Record{Key: []byte("v1"), Value: fmt.Appendf(nil,
				`{"messageId":"order","type":"track","event":"order_completed","anonymousId":"v1","timestamp":%q,"source":"till"}`, at)})
			r.settle()
			require.NotContains(t, r.frictions(), "checkout_abandoned checkout")
			require.NoError(t, stop())
		})
	}
}

// TestOpenSessionsAreCounted: the gauge knows the open sessions, over restarts,
// and falls when time closes them, which a restart does not forget.
func TestOpenSessionsAreCounted(t *testing.T) {
	r := fakeRig(t)
	reg := prometheus.NewRegistry()
	dir := t.TempDir()
	with := func(o *sessionizer.Options) { o.Registerer, o.StateDir = reg, dir }
	long := func(o *sessionizer.Options) {
		m, err := model.Load([]byte("version: 1\nsessions: {inactivity_gap: 6s}\njourneys: {inactivity_gap: 1h}\nstages: [{name: a, enter: [{type: page}]}]\n"), "long.yaml")
		require.NoError(t, err)
		o.Model = m
	}
	stop := r.start(long, with)
	for i := range 5 {
		r.produce(now(fmt.Sprintf("v%d", i), fmt.Sprintf("m%d", i), "a"), now(fmt.Sprintf("v%d", i), fmt.Sprintf("n%d", i), "b"))
	}
	r.settle()
	require.InDelta(t, 5, gauge(t, reg, "cairn_sessionizer_open_sessions"), 0)
	require.NoError(t, stop())
	require.InDelta(t, 0, gauge(t, reg, "cairn_sessionizer_open_sessions"), 0, "a partition that is gone is not counted")
	reg = prometheus.NewRegistry()
	r.start(long, with)
	require.Eventually(t, func() bool {
		closed := 0
		for _, rec := range r.derived(stream.TopicSessions) {
			if sessionStatus(t, rec) == journey.StatusClosed {
				closed++
			}
		}
		return closed == 5
	}, 30*time.Second, 100*time.Millisecond)
	require.Eventually(t, func() bool { return gauge(t, reg, "cairn_sessionizer_open_sessions") == 0 }, 5*time.Second, 50*time.Millisecond)
}

func sessionStatus(t *testing.T, rec *kgo.Record) string {
	t.Helper()
	var s wirepb.Session
	require.NoError(t, s.UnmarshalVTUnsafe(rec.Value))
	return s.Status
}

// gauge sums a metric over its labels.
func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
