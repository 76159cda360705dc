package putback_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
	"github.com/cairnhq/cairn/services/cairn/internal/putback"
	"github.com/cairnhq/cairn/services/sessionizer"
)

func TestMain(m *testing.M) { testbed.Main(m) }

const namespace = "shop"

// rig is a namespace on an embedded broker with a device step that has a plan.
type rig struct {
	t       *testing.T
	cluster stream.Cluster
	cl      *kgo.Client
	plan    *plan.Plan
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigUnder(t, "version: 1\nmode: reject\nevents:\n  order: {properties: {revenue: {type: number, required: true}}}\n")
}

// newRigUnder is newRig with another plan.
func newRigUnder(t *testing.T, planText string) *rig {
	t.Helper()
	r := &rig{t: t, cluster: testbed.Fake(t)}
	var err error
	r.plan, err = plan.Parse([]byte(planText), "plan.yaml")
	require.NoError(t, err)
	r.cl, err = stream.NewClient(r.cluster, "test", nil, nil)
	require.NoError(t, err)
	t.Cleanup(r.cl.Close)
	require.NoError(t, stream.EnsureTopics(t.Context(), r.cl, namespace, stream.TopicOptions{Partitions: 3, Replication: 1, Embedded: true}))
	m, err := model.Builtin("shop")
	require.NoError(t, err)
	s, err := sessionizer.New(t.Context(), sessionizer.Options{
		Namespace: namespace, Cluster: r.cluster, Model: m, InstanceID: "test", Plan: r.plan, CommitInterval: 20 * time.Millisecond,
		Steps: []string{stream.GroupDevice},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return r
}

// send writes raw records, and waits until the device step has them all.
func (r *rig) send(values ...string) {
	r.t.Helper()
	for i, v := range values {
		rec := &kgo.Record{Topic: stream.Qualify(namespace, stream.TopicRaw), Partition: 1, Key: []byte(strconv.Itoa(i)), Value: []byte(v), Timestamp: arrival()}
		require.NoError(r.t, r.cl.ProduceSync(r.t.Context(), rec).FirstErr())
	}
	r.settle()
}

// arrival of what the tests send: ten days ago.
func arrival() time.Time { return time.Now().AddDate(0, 0, -10).Truncate(time.Millisecond) }

func (r *rig) settle() {
	r.t.Helper()
	adm := kadm.NewClient(r.cl)
	topic := stream.Qualify(namespace, stream.TopicRaw)
	quiet := 0 // twice: what is read first may be answered before what is read second
	require.Eventually(r.t, func() bool {
		last := map[int32]int64{}
		for _, rec := range r.read(stream.TopicRaw) {
			last[rec.Partition] = max(last[rec.Partition], rec.Offset)
		}
		offsets, err := adm.FetchOffsets(r.t.Context(), stream.Qualify(namespace, stream.GroupDevice))
		if err != nil {
			return false
		}
		for p, offset := range last {
			if at, ok := offsets.Lookup(topic, p); !ok || at.At <= offset {
				quiet = 0
				return false
			}
		}
		quiet++
		return quiet > 1
	}, 30*time.Second, 50*time.Millisecond)
}

// read are the committed records of a topic.
func (r *rig) read(name string) (out []*kgo.Record) {
	r.t.Helper()
	topic := stream.Qualify(namespace, name)
	ends, err := kadm.NewClient(r.cl).ListCommittedOffsets(r.t.Context(), topic)
	require.NoError(r.t, err)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	if len(left) == 0 {
		return nil
	}
	cl, err := stream.NewClient(r.cluster, "reader", nil, nil, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(r.t, err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		require.NoError(r.t, fetches.Err())
		for rec := range fetches.RecordsAll() {
			if !rec.Attrs.IsControl() {
				out = append(out, rec)
			}
			if rec.Offset+1 >= left[rec.Partition] {
				delete(left, rec.Partition)
			}
		}
	}
	return out
}

// touchpoints are the derived ones by messageId; one twice is a mistake.
func (r *rig) touchpoints() map[string]*wirepb.Touchpoint {
	r.t.Helper()
	out := map[string]*wirepb.Touchpoint{}
	for _, rec := range r.read(stream.TopicTouchpoints) {
		if header(rec, wire.HeaderType) != "" {
			continue
		}
		tp := &wirepb.Touchpoint{}
		require.NoError(r.t, tp.UnmarshalVTUnsafe(rec.Value))
		require.NotContains(r.t, out, tp.MessageId, "counted twice")
		out[tp.MessageId] = tp
	}
	return out
}

func header(rec *kgo.Record, name string) string {
	for _, h := range rec.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func (r *rig) run(change func(*putback.Options)) putback.Result {
	r.t.Helper()
	o := putback.Options{Cluster: r.cluster, Namespace: namespace, Reasons: []string{wire.ReasonPlan, wire.ReasonBadTime}, Plan: r.plan}
	change(&o)
	res, err := putback.Run(r.t.Context(), o)
	require.NoError(r.t, err)
	r.settle()
	return res
}

func fix(t *testing.T, text string) *putback.Fix {
	t.Helper()
	f, err := putback.ParseFix([]byte(text), "fix.yaml")
	require.NoError(t, err)
	return f
}

const repairs = `
version: 1
fix:
  - rename: {from: /properties/amount, to: /properties/revenue}
  - cast: {path: /properties/revenue, to: number}
  - delete: {path: /timestamp}
`

func TestRepairedEventsGoBackOnce(t *testing.T) {
	r := newRig(t)
	r.send(
		`{"messageId":"a","event":"order","userId":"u-1","properties":{"revenue":"49.90"}}`,
		`{"event":"order","userId":"u-1","properties":{"amount":7}}`, // no id of its own
		`{"messageId":"c","event":"order","userId":"u-2","timestamp":"soon","properties":{"revenue":1}}`,
		`{"messageId":"d","event":"order","userId":"u-2","properties":{"revenue":"a lot"}}`, // no fix helps
		`{"messageId":"e","event":"order","userId":"null"}`,                                 // another reason
		`{"messageId":"f","event":"order","userId":"u-2","properties":{"revenue":2}}`,       // fine
	)
	require.Len(t, r.touchpoints(), 1)
	require.Len(t, r.read(stream.TopicRejected), 5)
	raws := len(r.read(stream.TopicRaw))

	dry := r.run(func(o *putback.Options) { o.DryRun, o.Fix = true, fix(t, repairs) })
	require.Equal(t, putback.Result{
		DryRun: true, Read: 5, Matched: 4, PutBack: 3, StillBad: map[string]int{wire.ReasonPlan: 1}, FirstBad: dry.FirstBad,
		Changed: []putback.Count{{Step: "rename /properties/amount to /properties/revenue", Events: 1}, {Step: "cast /properties/revenue to number", Events: 1}, {Step: "delete /timestamp", Events: 1}},
	}, dry)
	require.Contains(t, dry.FirstBad, "/properties/revenue: is string, want number")
	require.Len(t, r.read(stream.TopicRaw), raws, "a dry run writes nothing")
	require.Len(t, r.read(stream.TopicRejected), 5)

	first := r.run(func(o *putback.Options) { o.Fix = fix(t, repairs) })
	require.Equal(t, 3, first.PutBack)
	all := r.touchpoints()
	require.Len(t, all, 4)
	require.Equal(t, int64(49_900_000), all["a"].RevenueMicros)
	var derived *wirepb.Touchpoint
	for id, tp := range all {
		if len(id) > 4 && id[:4] == "raw-" {
			derived = tp
		}
	}
	require.NotNil(t, derived, "an event without an id gets that of its first attempt")
	for _, tp := range []*wirepb.Touchpoint{all["a"], all["c"], derived} {
		require.WithinDuration(t, arrival(), time.UnixMilli(tp.ReceivedMs), time.Minute, "it arrived when it was rejected")
	}

	second := r.run(func(o *putback.Options) { o.Fix = fix(t, repairs) })
	require.Equal(t, [3]int{4, 3, 0}, [3]int{second.Matched, second.Before, second.PutBack})
	require.Len(t, r.touchpoints(), 4)
	// With another fix the last one goes back, too.
	third := r.run(func(o *putback.Options) {
		o.Fix = fix(t, "version: 1\nfix: [{set: {path: /properties/revenue, value: 0}}]")
	})
	require.Equal(t, [3]int{4, 3, 1}, [3]int{third.Matched, third.Before, third.PutBack})
	require.Len(t, r.touchpoints(), 5)
}

// Where the notes of what was put back are lost (the topic is derived), the device
// step knows the events all the same.
func TestWhatIsPutBackTwiceIsADuplicate(t *testing.T) {
	r := newRig(t)
	r.send(`{"event":"order","userId":"u-1","properties":{"amount":7}}`, `{"messageId":"a","event":"order","userId":"u-1","properties":{"amount":8}}`)
	require.Equal(t, 2, r.run(func(o *putback.Options) { o.Fix = fix(t, repairs) }).PutBack)
	var again []*kgo.Record
	for _, rec := range r.read(stream.TopicRaw) {
		if header(rec, wire.HeaderReplay) != "" && header(rec, wire.HeaderType) == "" {
			again = append(again, &kgo.Record{Topic: rec.Topic, Key: rec.Key, Value: rec.Value, Headers: rec.Headers})
		}
	}
	require.Len(t, again, 2)
	require.NoError(t, r.cl.ProduceSync(t.Context(), again...).FirstErr())
	r.settle()
	require.Len(t, r.touchpoints(), 2)
}

func TestOnlyWhatIsAskedForGoesBack(t *testing.T) {
	r := newRig(t)
	r.send(`{"messageId":"a","event":"order","userId":"u-1","source":"till","properties":{"amount":1}}`, `{"messageId":"b","event":"order","userId":"u-1","source":"shop","properties":{"amount":2}}`)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		change func(*putback.Options)
		want   int
	}{
		"another reason": {func(o *putback.Options) { o.Reasons = []string{wire.ReasonBadJSON} }, 0},
		"a source":       {func(o *putback.Options) { o.Source = "till" }, 1},
		"no such source": {func(o *putback.Options) { o.Source = "x" }, 0},
		"later":          {func(o *putback.Options) { o.From = arrival().Add(day) }, 0},
		"earlier":        {func(o *putback.Options) { o.To = arrival().Add(-day) }, 0},
		"around":         {func(o *putback.Options) { o.From, o.To = arrival().Add(-day), arrival().Add(day) }, 2},
	} {
		res := r.run(func(o *putback.Options) { o.DryRun, o.Fix = true, fix(t, repairs); c.change(o) })
		require.Equal(t, c.want, res.PutBack, name)
	}
	none := r.run(func(*putback.Options) {})
	require.Equal(t, map[string]int{wire.ReasonPlan: 2}, none.StillBad, "as they are, they would be rejected again")
}

func TestStepsOfAFix(t *testing.T) {
	for name, c := range map[string]struct{ fix, in, want string }{
		"set":                  {`{set: {path: /channel, value: store}}`, `{"a":1.50}`, `{"a":1.50,"channel":"store"}`},
		"set below":            {`{set: {path: /context/page/url, value: x}}`, `{}`, `{"context":{"page":{"url":"x"}}}`},
		"set below a text":     {`{set: {path: /a/b, value: x}}`, `{"a":"t"}`, `{"a":"t"}`},
		"set if missing":       {`{set: {path: /a, value: 2, if_missing: true}}`, `{"a":1}`, `{"a":1}`},
		"set an object":        {`{set: {path: /a, value: {b: [1, null]}}}`, `{}`, `{"a":{"b":[1,null]}}`},
		"rename":               {`{rename: {from: /distinct_id, to: /userId}}`, `{"distinct_id":"u"}`, `{"userId":"u"}`},
		"rename what is not":   {`{rename: {from: /x, to: /userId}}`, `{"userId":"u"}`, `{"userId":"u"}`},
		"rename to itself":     {`{rename: {from: /x, to: /x}}`, `{"x":1}`, `{"x":1}`},
		"delete":               {`{delete: {path: /a~1b/c}}`, `{"a/b":{"c":1,"d":2}}`, `{"a/b":{"d":2}}`},
		"delete in a list":     {`{delete: {path: /l/*/x}}`, `{"l":[{"x":1},{"y":1},7]}`, `{"l":[{},{"y":1},7]}`},
		"cast to number":       {`{cast: {path: /a, to: number}}`, `{"a":" 12345678901234567890.10 "}`, `{"a":12345678901234567890.10}`},
		"cast what is none":    {`{cast: {path: /a, to: number}}`, `{"a":"1,5"}`, `{"a":"1,5"}`},
		"cast to integer":      {`{cast: {path: /a, to: integer}}`, `{"a":3.7}`, `{"a":3}`},
		"cast to string":       {`{cast: {path: /a, to: string}}`, `{"a":42}`, `{"a":"42"}`},
		"cast to boolean":      {`{cast: {path: /a, to: boolean}}`, `{"a":"Yes"}`, `{"a":true}`},
		"cast in a list":       {`{cast: {path: /l/*/p, to: number}}`, `{"l":[{"p":"1"},{"p":2}]}`, `{"l":[{"p":1},{"p":2}]}`},
		"cast an object stays": {`{cast: {path: /a, to: string}}`, `{"a":{}}`, `{"a":{}}`},
	} {
		f := fix(t, "version: 1\nfix: ["+c.fix+"]")
		var doc map[string]any
		require.NoError(t, decode(c.in, &doc))
		f.Apply(doc)
		out, err := json.Marshal(doc)
		require.NoError(t, err)
		require.Equal(t, c.want, string(out), name)
	}
	for want, text := range map[string]string{
		`fix.yaml: "version: 1" is missing`:                       "fix: [{delete: {path: /a}}]",
		"fix.yaml: fix has no steps":                              "version: 1",
		"fix.yaml: step 1: want one of set, rename, delete, cast": "version: 1\nfix: [{}]",
		`fix.yaml: step 2: "properties.x" is no place`:            "version: 1\nfix: [{delete: {path: /a}}, {delete: {path: properties.x}}]",
		`fix.yaml: step 1: a value cannot be cast to "date"`:      "version: 1\nfix: [{cast: {path: /a, to: date}}]",
		`fix.yaml:2:8: unknown field "remove"`:                    "version: 1\nfix: [{remove: {path: /a}}]",
		`fix.yaml: step 1: "/a/*": * stands between two names`:    "version: 1\nfix: [{delete: {path: /a/*}}]",
		`fix.yaml: step 1: "/a/*/b": * stands between two names`:  "version: 1\nfix: [{set: {path: /a/*/b, value: 1}}]",
	} {
		_, err := putback.ParseFix([]byte(text), "fix.yaml")
		require.ErrorContains(t, err, want)
	}
}

// decode keeps numbers as they are written.
func decode(text string, into *map[string]any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}
