package sessionizer_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
	"github.com/cairnhq/cairn/services/sessionizer"
)

// under runs a sessionizer with a tracking plan.
func under(t *testing.T, text string, reg prometheus.Registerer) func(*sessionizer.Options) {
	t.Helper()
	p, err := plan.Parse([]byte(text), "plan.yaml")
	require.NoError(t, err)
	return func(o *sessionizer.Options) { o.Plan, o.Registerer = p, reg }
}

// with is raw with properties.
func with(rec *kgo.Record, properties string) *kgo.Record {
	rec.Value = []byte(strings.TrimSuffix(string(rec.Value), "}") + `,"properties":` + properties + `}`)
	return rec
}

// touchpoints are the derived ones by messageId.
func (r *rig) touchpoints() map[string]*wirepb.Touchpoint {
	r.t.Helper()
	out := map[string]*wirepb.Touchpoint{}
	for _, rec := range r.derived(stream.TopicTouchpoints) {
		if headerOf(rec, wire.HeaderType) != "" {
			continue
		}
		tp := &wirepb.Touchpoint{}
		require.NoError(r.t, tp.UnmarshalVTUnsafe(rec.Value))
		out[tp.MessageId] = tp
	}
	return out
}

func headerOf(rec *kgo.Record, name string) string {
	for _, h := range rec.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

const rejecting = `
version: 1
mode: reject
unknown_events: warn
events:
  Order Completed: {properties: {revenue: {type: number, required: true}}, additional: warn}
  x: {}
`

// planned are touchpoints of which some violate the plan, two of them in the wrong
// partition.
func planned() []*kgo.Record {
	stray := with(raw("a", "stray, bad", 4, "order_completed"), `{"revenue":"1"}`)
	stray.Key = []byte("other")
	warned := with(raw("a", "stray, warned", 5, "order_completed"), `{"revenue":1,"x":2}`)
	warned.Key = nil
	return []*kgo.Record{
		with(raw("a", "good", 0, "order_completed"), `{"revenue":1}`),
		with(raw("a", "bad", 1, "order_completed"), `{"revenue":"1","x":2}`),
		with(raw("a", "warned", 2, "order_completed"), `{"revenue":1,"x":2}`),
		raw("a", "unlisted", 3, "door_opened"),
		raw("a", "listed", 3, "x"),
		stray, warned,
	}
}

func TestATrackingPlanRejectsAndWarns(t *testing.T) {
	r := fakeRig(t)
	reg := prometheus.NewRegistry()
	r.start(under(t, rejecting, reg))
	r.produce(planned()...)
	r.settle()
	all := r.touchpoints()
	require.Len(t, all, 5)
	for id, warned := range map[string]bool{"good": false, "listed": false, "warned": true, "unlisted": true, "stray, warned": true} {
		require.Equal(t, warned, all[id].GetFlags()&journey.FlagOffPlan != 0, id)
	}
	rejected := r.derived(stream.TopicRejected)
	require.Len(t, rejected, 2)
	for _, rec := range rejected {
		require.Equal(t, wire.ReasonPlan, headerOf(rec, wire.HeaderReason))
		require.True(t, strings.HasPrefix(headerOf(rec, wire.HeaderError), "/properties/revenue: is string, want number"), headerOf(rec, wire.HeaderError))
	}
	q := r.quality()
	require.Equal(t, [4]uint64{7, 5, 2, 1}, [4]uint64{q.Accepted, q.Touchpoints, q.Rejected, q.Rekeyed}, "the books must add up")
	families, err := reg.Gather()
	require.NoError(t, err)
	counts := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "cairn_sessionizer_plan_violations_total" {
			for _, m := range f.GetMetric() {
				var words []string
				for _, l := range m.GetLabel() { // action, event, violation
					words = append(words, l.GetValue())
				}
				counts[strings.Join(words, " ")] = m.GetCounter().GetValue()
			}
		}
	}
	require.Equal(t, map[string]float64{
		"reject order_completed wrong_type": 2, "reject order_completed additional": 1, "warn order_completed additional": 2, "warn (other) unknown_event": 1,
	}, counts)
	// Mended, the same message counts: the rejected one was not remembered.
	r.produce(with(raw("a", "bad", 1, "order_completed"), `{"revenue":1}`))
	r.settle()
	require.Contains(t, r.touchpoints(), "bad")
}

// A copy was accepted before it was made, maybe under another plan: rejecting it
// would count it twice.
func TestACopyIsNeverRejectedByAPlan(t *testing.T) {
	r := fakeRig(t)
	r.start(under(t, rejecting, nil))
	late := with(raw("a", "copy", 1, "order_completed"), `{"revenue":"1"}`)
	late.Headers = []kgo.RecordHeader{{Key: wire.HeaderType, Value: []byte(wire.TypeCopy)}, {Key: wire.HeaderOrigin, Value: []byte("shop.touchpoints.raw/2/7")}}
	r.produce(late)
	r.settle()
	require.Empty(t, r.derived(stream.TopicRejected))
	all := r.touchpoints()
	require.Contains(t, all, "copy")
	require.NotZero(t, all["copy"].Flags&journey.FlagOffPlan)
}

// A plan that only warns changes flags and nothing else.
func TestAPlanThatWarnsChangesNothing(t *testing.T) {
	count := func(options ...func(*sessionizer.Options)) (string, map[string]int) {
		r := fakeRig(t)
		stop := r.start(options...)
		r.produce(planned()...)
		r.settle()
		require.NoError(t, stop())
		all := r.touchpoints()
		for _, tp := range all {
			tp.Flags &^= journey.FlagOffPlan
			tp.Revision, tp.RawPartition, tp.RawOffset = 0, 0, 0 // a stray's place is left to chance
		}
		text, err := json.Marshal(all)
		require.NoError(t, err)
		q := r.quality()
		require.Equal(t, [3]uint64{7, 7, 0}, [3]uint64{q.Accepted, q.Touchpoints, q.Rejected})
		return string(text), r.sessions()
	}
	touchpoints, sessions := count()
	warned, warnedSessions := count(under(t, strings.Replace(rejecting, "mode: reject", "mode: warn", 1), nil))
	require.JSONEq(t, touchpoints, warned)
	require.Equal(t, sessions, warnedSessions)
}

// A record that is replayed keeps its first arrival, and says what it is when it
// is rejected again.
func TestAReplayedRecordKeepsItsArrival(t *testing.T) {
	r := fakeRig(t)
	r.start()
	arrival := t0().AddDate(0, 0, -20).UnixMilli()
	headers := []kgo.RecordHeader{
		{Key: wire.HeaderReplay, Value: []byte("shop.touchpoints.raw/1/42")},
		{Key: wire.HeaderReceivedAt, Value: []byte(jsonNumber(arrival))},
		{Key: wire.HeaderSource, Value: []byte("till")},
	}
	at := t0().AddDate(0, 0, -20).Format("2006-01-02T15:04:05Z07:00")
	good := &kgo.Record{Key: []byte("wrong"), Headers: headers, Value: []byte(`{"messageId":"again","event":"x","anonymousId":"a","timestamp":"` + at + `"}`)}
	bad := &kgo.Record{Key: []byte("a"), Headers: append(headers[:3:3], kgo.RecordHeader{Key: wire.HeaderBackfill, Value: []byte("1")}), Value: []byte(`{"messageId":"bad","event":"x","anonymousId":"a","timestamp":"soon"}`)}
	r.produce(raw("a", "new", 0, "x"), good, bad)
	r.settle()
	tp := r.touchpoints()["again"]
	require.NotNil(t, tp)
	require.Equal(t, arrival, tp.ReceivedMs)
	require.Equal(t, "till", tp.Source)
	rejected := r.derived(stream.TopicRejected)
	require.Len(t, rejected, 1)
	require.Equal(t, "shop.touchpoints.raw/1/42", headerOf(rejected[0], wire.HeaderReplay))
	require.Equal(t, jsonNumber(arrival), headerOf(rejected[0], wire.HeaderReceivedAt))
	require.Equal(t, "1", headerOf(rejected[0], wire.HeaderBackfill), "what is put back is history still")
}

func jsonNumber(n int64) string {
	text, _ := json.Marshal(n)
	return string(text)
}
