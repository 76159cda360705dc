package replay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/cairn/internal/replay"
	"github.com/cairnhq/cairn/services/sessionizer"
	"github.com/cairnhq/cairn/services/sink"
)

func TestMain(m *testing.M) { testbed.Main(m) }

const (
	modelA = `
version: 1
sessions: {inactivity_gap: 30m, lateness: 8760h}
journeys: {inactivity_gap: 90d, goal: purchase}
stages:
  - {name: awareness, enter: [{events: [seen]}]}
  - {name: purchase, enter: [{events: [bought]}]}
`
	modelB = `
version: 1
sessions: {inactivity_gap: 30m, lateness: 8760h}
journeys: {inactivity_gap: 90d, goal: deal}
stages:
  - {name: hello, enter: [{events: [seen]}]}
  - {name: interest, enter: [{events: [liked]}]}
  - {name: deal, enter: [{events: [bought]}]}
`
)

func compile(t *testing.T, text string) *journey.Model {
	t.Helper()
	m, err := model.Load([]byte(text), "journey.yaml")
	require.NoError(t, err)
	return m
}

// house is a namespace on a Kafka and a ClickHouse.
type house struct {
	t       *testing.T
	cluster stream.Cluster
	ns      string
	cl      *kgo.Client
	dsn     string
	conn    driver.Conn
	topics  stream.TopicOptions
}

func newHouse(t *testing.T) *house {
	t.Helper()
	kafka := testbed.Kafka(t)
	return furnish(t, kafka.Cluster, false)
}

// oldHouse is one on a kfake, whose records keep the times that the test gives
// them: a real broker stamps them with their arrival.
func oldHouse(t *testing.T) *house {
	t.Helper()
	return furnish(t, testbed.Fake(t), true)
}

func furnish(t *testing.T, cluster stream.Cluster, embedded bool) *house {
	t.Helper()
	env := testbed.ClickHouse(t)
	h := &house{
		t: t, cluster: cluster, ns: env.Namespace, dsn: env.DSN,
		topics: stream.TopicOptions{Partitions: 3, Replication: 1, Embedded: embedded},
	}
	var err error
	h.cl, err = stream.NewClient(h.cluster, "test", nil, nil)
	require.NoError(t, err)
	t.Cleanup(h.cl.Close)
	require.NoError(t, stream.EnsureTopics(t.Context(), h.cl, h.ns, h.topics))
	h.conn, err = warehouse.Open(t.Context(), h.dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.conn.Close() })
	require.NoError(t, warehouse.Migrate(t.Context(), h.conn, h.ns))
	return h
}

// run runs something until stop is called.
func (h *house) run(fn func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- fn(ctx) }()
	var ended bool
	stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return <-done
	}
	h.t.Cleanup(func() { _ = stop() })
	return stop
}

func (h *house) sink() {
	h.t.Helper()
	s, err := sink.New(h.t.Context(), sink.Options{Namespace: h.ns, Cluster: h.cluster, DSN: h.dsn, FlushInterval: 50 * time.Millisecond})
	require.NoError(h.t, err)
	h.run(s.Run)
}

func (h *house) sessionizer(m *journey.Model, dir string) (stop func() error) {
	h.t.Helper()
	s, err := sessionizer.New(h.t.Context(), sessionizer.Options{
		Namespace: h.ns, Cluster: h.cluster, Model: m, InstanceID: "test", CommitInterval: 20 * time.Millisecond, StateDir: dir,
	})
	require.NoError(h.t, err)
	return h.run(s.Run)
}

func (h *house) settle() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(h.t, replay.WorkedOff(ctx, h.cl, h.ns))
}

func (h *house) plan(m *journey.Model, from replay.From) (*replay.Replay, error) {
	return replay.Plan(h.t.Context(), h.cl, h.conn, replay.Options{
		Namespace: h.ns, Model: m, From: from, Topics: h.topics,
	})
}

func (h *house) mustPlan(m *journey.Model, from replay.From) *replay.Replay {
	h.t.Helper()
	r, err := h.plan(m, from)
	require.NoError(h.t, err)
	return r
}

// finish waits for a replay's steps and ends it.
func (h *house) finish(r *replay.Replay) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(h.t, r.Await(ctx, func(replay.Progress) {}))
	require.NoError(h.t, r.Complete(ctx))
}

func (h *house) strings(query string) []string {
	h.t.Helper()
	rows, err := h.conn.Query(context.Background(), query)
	require.NoError(h.t, err)
	defer func() { _ = rows.Close() }()
	list := []string{}
	for rows.Next() {
		var s string
		require.NoError(h.t, rows.Scan(&s))
		list = append(list, s)
	}
	require.NoError(h.t, rows.Err())
	return list
}

// journeys are the journeys that readers see, counted by model, stage and length.
func (h *house) journeys(where string) []string {
	h.t.Helper()
	return h.strings("SELECT concat(model, ' ', stage, ' ', toString(touchpoints), ' x', toString(count())) AS x FROM " + h.ns +
		"_bi.v_journeys WHERE " + where + " GROUP BY model, stage, touchpoints ORDER BY x")
}

func (h *house) verify() {
	h.t.Helper()
	report, err := warehouse.Verify(h.t.Context(), h.conn, h.ns, warehouse.VerifyOptions{})
	require.NoError(h.t, err)
	require.Zero(h.t, report.Differences(), "%s", report)
}

// visits sends a visit of three touchpoints of each visitor on a day of March 2026,
// every third with a key that is wrong.
func (h *house) visits(prefix string, visitors, day int) {
	h.t.Helper()
	var recs []*kgo.Record
	for step, event := range []string{"seen", "liked", "bought"} {
		for v := range visitors {
			at := time.Date(2026, 3, day, 10, step, v, 0, time.UTC)
			id := fmt.Sprintf("%s%d", prefix, v)
			if event == "bought" && v%2 == 1 {
				continue
			}
			fields := map[string]any{
				"messageId": fmt.Sprintf("%s-%d-%s", id, day, event), "type": "track", "event": event, "anonymousId": id,
				"timestamp": at.Format(time.RFC3339Nano), "receivedAt": at.Format(time.RFC3339Nano),
			}
			body, err := json.Marshal(fields)
			require.NoError(h.t, err)
			rec := &kgo.Record{Topic: stream.Qualify(h.ns, stream.TopicRaw), Key: []byte(id), Value: body, Timestamp: at}
			if v%3 == 0 {
				rec.Key = []byte("wrong")
			}
			recs = append(recs, rec)
		}
	}
	require.NoError(h.t, h.cl.ProduceSync(h.t.Context(), recs...).FirstErr())
}

// send sends one touchpoint, received at a time and appended at another.
func (h *house) send(id, message string, received, appended time.Time) {
	h.t.Helper()
	body := fmt.Sprintf(`{"messageId":"%s","type":"track","event":"seen","anonymousId":"%s","timestamp":"%s","receivedAt":"%[3]s"}`,
		message, id, received.Format(time.RFC3339Nano))
	require.NoError(h.t, h.cl.ProduceSync(h.t.Context(), &kgo.Record{
		Topic: stream.Qualify(h.ns, stream.TopicRaw), Key: []byte(id), Value: []byte(body), Timestamp: appended,
	}).FirstErr())
}

// watch looks at the journeys all the time until stop is called, which returns what
// readers saw: each different answer once, in order.
func (h *house) watch(query string) (stop func() []string) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan []string, 1)
	go func() {
		var seen []string
		for ctx.Err() == nil {
			now := h.strings(query)[0] //nolint:contextcheck // it reads under the test's context, which outlives ctx
			if len(seen) == 0 || seen[len(seen)-1] != now {
				seen = append(seen, now)
			}
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Millisecond):
			}
		}
		done <- seen
	}()
	return func() []string { cancel(); return <-done }
}

// Under another model everything is rebuilt while readers see the journeys of the
// former one, all of them, and then those of the new one: never none, never both,
// never half made.
func TestReadersSeeNoGap(t *testing.T) {
	h := newHouse(t)
	a, b := compile(t, modelA), compile(t, modelB)
	require.NoError(t, warehouse.PutModel(t.Context(), h.conn, h.ns, a))
	h.sink()
	dir := t.TempDir()
	stop := h.sessionizer(a, dir)
	h.visits("v", 60, 2)
	h.settle()
	former := []string{a.Name + " awareness 2 x30", a.Name + " purchase 3 x30"}
	require.Equal(t, former, h.journeys("1"))
	h.verify()

	_, err := h.plan(b, replay.Earliest(true))
	var running *replay.RunningError
	require.ErrorAs(t, err, &running, "a sessionizer runs")
	require.ErrorContains(t, err, "test at")
	require.NoError(t, stop())

	seen := h.watch("SELECT concat(toString(count()), ' ', toString(sum(touchpoints)), ' ', arrayStringConcat(groupUniqArray(model))) FROM " + h.ns + "_bi.v_journeys")
	r := h.mustPlan(b, replay.Earliest(true))
	require.False(t, r.Resumed)
	require.NoError(t, r.Begin(t.Context()))
	var model *sessionizer.ModelError
	err = h.sessionizer(a, dir)()
	if err == nil { // it was stopped before it could say so
		s, _ := sessionizer.New(t.Context(), sessionizer.Options{Namespace: h.ns, Cluster: h.cluster, Model: a, InstanceID: "old"})
		err = s.Run(t.Context())
	}
	require.ErrorAs(t, err, &model, "the former model has no way back in")
	require.ErrorContains(t, err, "cairn replay --model FILE --from TIME")
	stop = h.sessionizer(b, dir)
	h.visits("late", 2, 2) // comes during the replay
	h.settle()
	require.Equal(t, former, h.journeys("1"), "all is made, and not complete")
	h.finish(r)
	require.Equal(t, []string{
		"60 150 " + a.Name, "62 155 " + b.Name,
	}, seen())
	require.Equal(t, []string{b.Name + " deal 3 x31", b.Name + " interest 2 x31"}, h.journeys("1"))
	h.verify()
	require.Equal(t, []string{"hello", "interest", "deal"}, h.strings("SELECT stage FROM "+h.ns+"_bi.dim_stage ORDER BY stage_order"))

	// It stays in force over a restart without any flag, and goes on.
	require.NoError(t, stop())
	stop = h.sessionizer(b, dir)
	h.visits("more", 4, 3)
	h.settle()
	require.Equal(t, []string{b.Name + " deal 3 x33", b.Name + " interest 2 x33"}, h.journeys("1"))
	h.verify()

	// Back again, and stopped in the middle of it.
	require.NoError(t, stop())
	r = h.mustPlan(a, replay.Earliest(false))
	require.Equal(t, uint32(2), r.Epoch.Epoch)
	require.NoError(t, r.Begin(t.Context()))
	stop = h.sessionizer(a, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, r.Await(ctx, func(replay.Progress) { cancel() }), context.Canceled)
	require.NoError(t, stop())
	stop = h.sessionizer(a, t.TempDir()) // killed: another disk
	r = h.mustPlan(a, replay.Earliest(true))
	require.True(t, r.Resumed)
	require.Equal(t, uint32(2), r.Epoch.Epoch)
	require.NoError(t, r.Begin(t.Context()))
	h.finish(r)
	require.Equal(t, []string{a.Name + " awareness 2 x33", a.Name + " purchase 3 x33"}, h.journeys("1"))
	h.verify()
	require.NoError(t, stop())
}

// A replay from a time leaves what ended before as the former model made it.
func TestFromATimeInTheMiddle(t *testing.T) {
	h := oldHouse(t)
	a, b := compile(t, modelA), compile(t, modelB)
	require.NoError(t, warehouse.PutModel(t.Context(), h.conn, h.ns, a))
	h.sink()
	stop := h.sessionizer(a, "")
	h.visits("old", 20, 2)
	h.visits("both", 6, 2)
	// The collector's clock is a moment behind the broker's: of a minute that the
	// former model has counted the replay reads one record, and another not.
	edge := time.Date(2026, 3, 4, 23, 59, 0, 0, time.UTC)
	h.send("edge", "1", edge.Add(-30*time.Second), edge.Add(-30*time.Second))
	h.send("edge", "2", edge.Add(-5*time.Millisecond), edge.Add(5*time.Millisecond))
	h.visits("both", 6, 9)
	h.visits("new", 20, 9)
	h.settle()
	h.verify()
	require.NoError(t, stop())
	accounts := "SELECT toString(minute) || ' ' || toString(accepted) || ' ' || toString(touchpoints) FROM " + h.ns + "_bi.v_data_quality ORDER BY minute"
	before := h.strings(accounts)
	touchpoints := "SELECT message_id AS x FROM " + h.ns + "_bi.v_touchpoints ORDER BY x"
	all := h.strings(touchpoints)

	from, err := replay.ParseFrom("2026-03-05")
	require.NoError(t, err)
	fewest := h.watch("SELECT toString(count()) FROM (SELECT profile FROM " + h.ns + "_bi.v_journeys GROUP BY profile)")
	r := h.mustPlan(b, from)
	require.NoError(t, r.Begin(t.Context()))
	stop = h.sessionizer(b, "")
	h.finish(r)
	require.Equal(t, []string{"47"}, fewest(), "profiles with journeys, all the time")

	require.Equal(t, []string{a.Name + " awareness 2 x10", a.Name + " purchase 3 x10"}, h.journeys("profile LIKE 'anonymous:old%'"))
	require.Equal(t, []string{b.Name + " deal 3 x10", b.Name + " interest 2 x10"}, h.journeys("profile LIKE 'anonymous:new%'"))
	require.Equal(t, []string{b.Name + " deal 3 x3", b.Name + " interest 2 x3"}, h.journeys("profile LIKE 'anonymous:both%'"), "from what arrived since")
	require.Equal(t, all, h.strings(touchpoints))
	require.Equal(t, before, h.strings(accounts))
	h.verify()

	// A second one over everything leaves nothing of the first two.
	require.NoError(t, stop())
	r = h.mustPlan(b, replay.Earliest(false))
	require.NoError(t, r.Begin(t.Context()))
	stop = h.sessionizer(b, "")
	h.finish(r)
	require.Empty(t, h.journeys("model != '"+b.Name+"'"))
	require.Equal(t, before, h.strings(accounts))
	require.Equal(t, all, h.strings(touchpoints))
	h.verify()
	require.NoError(t, stop())
}
