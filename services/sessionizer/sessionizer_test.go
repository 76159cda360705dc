package sessionizer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
	"github.com/cairnhq/cairn/services/sessionizer"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// rig is a namespace on some Kafka, with helpers to run steps in it.
type rig struct {
	t       *testing.T
	cluster stream.Cluster
	ns      string
	cl      *kgo.Client
}

func newRig(t *testing.T, cluster stream.Cluster, ns string) *rig {
	t.Helper()
	cl, err := stream.NewClient(cluster, "test", nil, nil)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	require.NoError(t, stream.EnsureTopics(t.Context(), cl, ns, stream.TopicOptions{Partitions: 3, Replication: 1}))
	return &rig{t, cluster, ns, cl}
}

func fakeRig(t *testing.T) *rig {
	t.Helper()
	return newRig(t, testbed.Fake(t), "shop")
}

// start runs a sessionizer until stop is called.
func (r *rig) start(change ...func(*sessionizer.Options)) (stop func() error) {
	r.t.Helper()
	m, err := model.Builtin("shop")
	require.NoError(r.t, err)
	log := zap.NewNop()
	if os.Getenv("CAIRN_TEST_LOG") != "" {
		log = zaptest.NewLogger(r.t)
	}
	o := sessionizer.Options{
		Namespace: r.ns, Cluster: r.cluster, Model: m, InstanceID: "test", CommitInterval: 20 * time.Millisecond, Log: log,
	}
	sessionizer.SmallCache(&o)
	for _, c := range change {
		c(&o)
	}
	s, err := sessionizer.New(r.t.Context(), o)
	require.NoError(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	r.t.Cleanup(func() { _ = stop() })
	return stop
}

func (r *rig) produce(recs ...*kgo.Record) {
	r.t.Helper()
	for _, rec := range recs {
		rec.Topic = stream.Qualify(r.ns, stream.TopicRaw)
	}
	require.NoError(r.t, r.cl.ProduceSync(r.t.Context(), recs...).FirstErr())
}

// settle waits until the steps have committed everything there is.
func (r *rig) settle() {
	r.t.Helper()
	adm := kadm.NewClient(r.cl)
	pairs := map[string]string{stream.GroupDevice: stream.TopicRaw, stream.GroupProfile: stream.TopicTouchpoints}
	quiet := 0
	require.Eventually(r.t, func() bool {
		for group, topic := range pairs {
			topic = stream.Qualify(r.ns, topic)
			offsets, err := adm.FetchOffsets(r.t.Context(), stream.Qualify(r.ns, group))
			if err != nil {
				return false
			}
			read := r.read(topic)
			for _, rec := range read {
				if o, ok := offsets.Lookup(topic, rec.Partition); !ok || o.At <= rec.Offset {
					quiet = 0
					return false
				}
			}
		}
		quiet++
		return quiet > 1
	}, time.Minute, 50*time.Millisecond)
}

// read returns the committed records of a topic.
func (r *rig) read(topic string) []*kgo.Record {
	r.t.Helper()
	adm := kadm.NewClient(r.cl)
	ends, err := adm.ListCommittedOffsets(r.t.Context(), topic)
	require.NoError(r.t, err)
	from := map[int32]kgo.Offset{}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().At(0), o.Offset
		}
	})
	if len(from) == 0 {
		return nil
	}
	cl, err := stream.NewClient(r.cluster, "reader", nil, nil, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	require.NoError(r.t, err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	var out []*kgo.Record
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		require.NoError(r.t, fetches.Err0())
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

func (r *rig) derived(topic string) []*kgo.Record { return r.read(stream.Qualify(r.ns, topic)) }

// sessions are the newest rows, voids aside, as identifier/start/end/count.
func (r *rig) sessions() map[string]int {
	rows := map[string]*wirepb.Session{}
	for _, rec := range r.derived(stream.TopicSessions) {
		s := &wirepb.Session{}
		require.NoError(r.t, s.UnmarshalVTUnsafe(rec.Value))
		if have := rows[s.SessionId]; have == nil || have.Revision < s.Revision {
			rows[s.SessionId] = s
		}
	}
	out := map[string]int{}
	for _, s := range rows {
		if s.Status != "void" {
			out[fmt.Sprintf("%s %d-%d n=%d", s.Identifier, s.StartedMs, s.EndedMs, s.Touchpoints)]++
		}
	}
	return out
}

func (r *rig) quality() *wirepb.Quality {
	sum := &wirepb.Quality{}
	rows := map[string]*wirepb.Quality{}
	for _, rec := range r.derived(stream.TopicQuality) {
		q := &wirepb.Quality{}
		require.NoError(r.t, q.UnmarshalVTUnsafe(rec.Value))
		if have := rows[string(rec.Key)]; have == nil || have.Revision < q.Revision {
			rows[string(rec.Key)] = q
		}
	}
	for _, q := range rows {
		sum.Accepted += q.Accepted
		sum.Touchpoints += q.Touchpoints
		sum.Duplicates += q.Duplicates
		sum.Rejected += q.Rejected
		sum.Late += q.Late
		sum.Rekeyed += q.Rekeyed
	}
	return sum
}

func t0() time.Time { return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) }

// raw is a raw record of a visitor, minutes after t0, arriving at once.
func raw(id, message string, minutes float64, event string) *kgo.Record {
	at := t0().Add(time.Duration(minutes * float64(time.Minute)))
	body, _ := json.Marshal(map[string]any{
		"messageId": message, "type": "track", "event": event, "anonymousId": id,
		"timestamp": at.Format(time.RFC3339Nano), "receivedAt": at.Format(time.RFC3339Nano),
	})
	return &kgo.Record{Key: []byte(id), Value: body}
}

func TestSessionsSurviveDisorderAndCopies(t *testing.T) {
	r := fakeRig(t)
	r.start()
	r.produce(raw("a", "1", 0, "x"), raw("a", "3", 40, "x"), raw("b", "1", 5, "x"))
	r.settle()
	r.produce(raw("a", "2", 20, "x"), raw("a", "1", 0, "x"), raw("a", "1", 3, "x")) // merges; two copies
	r.settle()
	require.Equal(t, map[string]int{
		fmt.Sprintf("anonymous:a %d-%d n=3", t0().UnixMilli(), t0().Add(40*time.Minute).UnixMilli()):                   1,
		fmt.Sprintf("anonymous:b %d-%d n=1", t0().Add(5*time.Minute).UnixMilli(), t0().Add(5*time.Minute).UnixMilli()): 1,
	}, r.sessions())
	q := r.quality()
	require.Equal(t, [6]uint64{6, 4, 2, 0, 0, 0}, [6]uint64{q.Accepted, q.Touchpoints, q.Duplicates, q.Rejected, q.Late, q.Rekeyed})
}

func TestWronglyKeyedRecordsAreRekeyedOnce(t *testing.T) {
	r := fakeRig(t)
	r.start()
	wrongKey := raw("a", "1", 0, "x")
	wrongKey.Key = []byte("something else")
	noKey := raw("a", "2", 1, "x")
	noKey.Key = nil
	r.produce(wrongKey, noKey, raw("a", "3", 2, "x"))
	r.settle()
	require.Len(t, r.sessions(), 1)
	q := r.quality()
	require.Equal(t, [3]uint64{3, 3, 2}, [3]uint64{q.Accepted, q.Touchpoints, q.Rekeyed})
}

func TestBadRecordsAreKeptWholeAndNeverStopTheLoop(t *testing.T) {
	r := fakeRig(t)
	r.start()
	bad := map[string]string{
		`{"messageId": "1", "type": "track",`: wire.ReasonBadJSON,
		`[1, 2]`:                              wire.ReasonBadJSON,
		`{"messageId": "2", "type": "dance", "anonymousId": "a"}`:                   wire.ReasonBadType,
		`{"messageId": "3", "type": "track", "event": "e", "anonymousId": "null"}`:  wire.ReasonNoIdentifier,
		`{"messageId": "4", "type": "page", "anonymousId": "a", "timestamp": "eh"}`: wire.ReasonBadTime,
		`{"type": "page", "anonymousId": "a", "actor": "robot"}`:                    wire.ReasonBadActor,
	}
	for body := range bad {
		r.produce(&kgo.Record{Key: []byte("a"), Value: []byte(body)})
	}
	r.produce(raw("a", "ok", 0, "x"))
	r.settle()
	require.Len(t, r.sessions(), 1)
	got := map[string]string{}
	for _, rec := range r.derived(stream.TopicRejected) {
		for _, h := range rec.Headers {
			if h.Key == wire.HeaderReason {
				got[string(rec.Value)] = string(h.Value)
			}
		}
	}
	require.Equal(t, bad, got)
	q := r.quality()
	require.Equal(t, [3]uint64{uint64(len(bad) + 1), 1, uint64(len(bad))}, [3]uint64{q.Accepted, q.Touchpoints, q.Rejected})
}

// TestAnotherModelIsRefused: state that was cut and matched by other rules must
// not be mixed with new ones.
func TestAnotherModelIsRefused(t *testing.T) {
	r := fakeRig(t)
	stop := r.start()
	r.produce(raw("a", "1", 0, "order_completed"))
	r.settle()
	require.NoError(t, stop())
	b2b, err := model.Builtin("b2b")
	require.NoError(t, err)
	s, err := sessionizer.New(t.Context(), sessionizer.Options{
		Namespace: r.ns, Cluster: r.cluster, Model: b2b, InstanceID: "test", MaxRestarts: 10,
	})
	require.NoError(t, err)
	var other *sessionizer.ModelError
	require.ErrorAs(t, s.Run(t.Context()), &other)
	want := b2b.Name
	require.Equal(t, want, other.Want)
	require.Contains(t, other.Have, "shop@")
}

// TestForgedInternalRecordsAreRejected: whatever a writer puts into the header of
// the steps' own talk, the loop goes on and the record is counted.
func TestForgedInternalRecordsAreRejected(t *testing.T) {
	r := fakeRig(t)
	r.start()
	for _, typ := range []string{wire.TypeLink, wire.TypeCopy, wire.TypeAdopt, "whatever"} {
		r.produce(&kgo.Record{Key: []byte("a"), Value: []byte("rubbish"), Headers: []kgo.RecordHeader{{Key: wire.HeaderType, Value: []byte(typ)}}})
	}
	stray := raw("a", "2", 1, "x") // reads well, and says it is a copy of nothing
	stray.Headers = []kgo.RecordHeader{{Key: wire.HeaderType, Value: []byte(wire.TypeCopy)}}
	r.produce(stray, raw("a", "1", 0, "x"))
	r.settle()
	require.Len(t, r.sessions(), 1)
	require.Len(t, r.derived(stream.TopicRejected), 5)
	q := r.quality()
	require.Equal(t, [3]uint64{6, 1, 5}, [3]uint64{q.Accepted, q.Touchpoints, q.Rejected}, "the books must add up")
}

// TestAWritersComplaintRejects: a front door sends what it cannot accept with its
// reason, so that it is counted where everything is.
func TestAWritersComplaintRejects(t *testing.T) {
	r := fakeRig(t)
	r.start()
	fine := raw("a", "1", 0, "x")
	fine.Headers = []kgo.RecordHeader{
		{Key: wire.HeaderReason, Value: []byte("event_too_large")},
		{Key: wire.HeaderError, Value: []byte("/batch/3: 40 KB")},
		{Key: wire.HeaderSource, Value: []byte("shop")},
	}
	r.produce(fine)
	r.settle()
	got := r.derived(stream.TopicRejected)
	require.Len(t, got, 1)
	require.Equal(t, fine.Value, got[0].Value)
	require.Contains(t, got[0].Headers, kgo.RecordHeader{Key: wire.HeaderReason, Value: []byte("event_too_large")})
	require.Contains(t, got[0].Headers, kgo.RecordHeader{Key: wire.HeaderError, Value: []byte("/batch/3: 40 KB")})
	q := r.quality()
	require.Equal(t, [3]uint64{1, 0, 1}, [3]uint64{q.Accepted, q.Touchpoints, q.Rejected})
}

func TestLateGoesToItsTopicUnlessItIsABackfill(t *testing.T) {
	r := fakeRig(t)
	r.start()
	late := raw("a", "1", 0, "x")
	body := map[string]any{}
	require.NoError(t, json.Unmarshal(late.Value, &body))
	body["receivedAt"] = t0().Add(31 * 24 * time.Hour).Format(time.RFC3339)
	late.Value, _ = json.Marshal(body)
	body["messageId"] = "2"
	value, _ := json.Marshal(body)
	backfill := &kgo.Record{Key: late.Key, Value: value, Headers: []kgo.RecordHeader{{Key: wire.HeaderBackfill, Value: []byte("1")}}}
	r.produce(late, backfill)
	r.settle()
	require.Len(t, r.derived(stream.TopicLate), 1)
	require.Len(t, r.sessions(), 1)
	q := r.quality()
	require.Equal(t, [3]uint64{2, 1, 1}, [3]uint64{q.Accepted, q.Touchpoints, q.Late})
}

// TestALateMessageIsRememberedOverARestart: it was seen, so its copy is one.
func TestALateMessageIsRememberedOverARestart(t *testing.T) {
	r := fakeRig(t)
	late := func() *kgo.Record {
		body := `{"messageId": "1", "type": "page", "anonymousId": "a", "timestamp": "2026-01-01T00:00:00Z", "receivedAt": "2026-03-01T00:00:00Z"}`
		return &kgo.Record{Key: []byte("a"), Value: []byte(body)}
	}
	stop := r.start()
	r.produce(late())
	r.settle()
	require.NoError(t, stop())
	r.start()
	r.produce(late())
	r.settle()
	q := r.quality()
	require.Equal(t, [3]uint64{2, 1, 1}, [3]uint64{q.Accepted, q.Late, q.Duplicates})
}

func TestJourneyTransitionsAreCloudEvents(t *testing.T) {
	r := fakeRig(t)
	r.start()
	r.produce(raw("a", "1", 0, "ad_click"), raw("a", "2", 10, "Checkout Started"), raw("a", "3", 12, "Order Completed"))
	r.settle()
	var path []string
	for _, rec := range r.derived(stream.TopicTransitions) {
		var tr wire.Transition
		require.NoError(t, wire.DecodeTransition(rec.Value, &tr))
		require.Equal(t, "anonymous:a", tr.Profile)
		path = append(path, strconv.Itoa(int(tr.Seq))+" "+tr.From+">"+tr.To)
	}
	require.Subset(t, path, []string{"1 >awareness", "2 awareness>decision", "3 decision>purchase"})
}

// journeys are the newest rows, voids aside, as profile/start/n; transitions as
// profile/seq/from>to.
func (r *rig) journeys() (journeys, transitions []string) {
	js, ts := map[string]*wirepb.Journey{}, map[string]wire.Transition{}
	for _, rec := range r.derived(stream.TopicJourneys) {
		j := &wirepb.Journey{}
		require.NoError(r.t, j.UnmarshalVTUnsafe(rec.Value))
		if have := js[j.JourneyId]; have == nil || have.Revision < j.Revision {
			js[j.JourneyId] = j
		}
	}
	for _, rec := range r.derived(stream.TopicTransitions) {
		var tr wire.Transition
		require.NoError(r.t, wire.DecodeTransition(rec.Value, &tr))
		key := tr.JourneyID + "/" + strconv.Itoa(int(tr.Seq))
		if have, ok := ts[key]; !ok || have.Revision < tr.Revision {
			ts[key] = tr
		}
	}
	for _, j := range js {
		if j.Status != "void" {
			journeys = append(journeys, fmt.Sprintf("%s n=%d %s", j.Profile, j.Touchpoints, j.Stage))
		}
	}
	for _, tr := range ts {
		if tr.Status != "void" {
			transitions = append(transitions, fmt.Sprintf("%s %d %s>%s", tr.Profile, tr.Seq, tr.From, tr.To))
		}
	}
	slices.Sort(journeys)
	slices.Sort(transitions)
	return journeys, transitions
}

// TestHistoryMovesToTheUser: what an identifier did before it was first linked
// becomes the user's journey, over partitions, and its own journey is withdrawn;
// a second user on the device gets what follows its own login only.
func TestHistoryMovesToTheUser(t *testing.T) {
	r := fakeRig(t)
	r.start()
	as := func(rec *kgo.Record, user string) *kgo.Record {
		rec.Value = []byte(strings.Replace(string(rec.Value), `{`, `{"userId": "`+user+`", `, 1))
		return rec
	}
	r.produce(raw("tablet", "1", 0, "ad_click"), raw("tablet", "2", 10, "checkout_started"))
	r.settle()
	journeys, _ := r.journeys()
	require.Equal(t, []string{"anonymous:tablet n=2 decision"}, journeys)
	r.produce(as(raw("tablet", "3", 12, "order_completed"), "ann"))
	r.settle()
	r.produce(as(raw("tablet", "5", 30, "ad_click"), "bob"), raw("tablet", "4", 20, "product_used"), raw("tablet", "6", 31, "x"))
	r.settle()
	journeys, transitions := r.journeys()
	require.Equal(t, []string{"user:ann n=4 retention", "user:bob n=2 awareness"}, journeys)
	require.Equal(t, []string{
		"user:ann 1 >awareness", "user:ann 2 awareness>decision", "user:ann 3 decision>purchase", "user:ann 4 purchase>retention",
		"user:bob 1 >awareness",
	}, transitions)
}

// TestAliasesJoinUsers: after an alias both users' touchpoints are one journey
// under the newer name, over partitions, and a later alias renames it again.
func TestAliasesJoinUsers(t *testing.T) {
	r := fakeRig(t)
	r.start()
	user := func(user, message string, minutes float64, event string, more string) *kgo.Record {
		rec := raw(user, message, minutes, event)
		rec.Value = []byte(strings.Replace(string(rec.Value), `"anonymousId"`, more+`"userId"`, 1))
		return rec
	}
	alias := func(user_, previous, message string, minutes float64) *kgo.Record {
		rec := user(user_, message, minutes, "", `"previousId": "`+previous+`", `)
		rec.Value = []byte(strings.Replace(string(rec.Value), `"track"`, `"alias"`, 1))
		return rec
	}
	r.produce(user("old", "1", 0, "ad_click", ""), user("new", "2", 10, "checkout_started", ""), alias("new", "old", "3", 20))
	r.settle()
	journeys, transitions := r.journeys()
	require.Equal(t, []string{"user:new n=3 decision"}, journeys)
	require.Equal(t, []string{"user:new 1 >awareness", "user:new 2 awareness>decision"}, transitions)
	r.produce(user("old", "4", 25, "order_completed", ""), alias("final", "new", "5", 30))
	r.settle()
	journeys, _ = r.journeys()
	require.Equal(t, []string{"user:final n=5 purchase"}, journeys)
}

// history is a random but reproducible stream of raw records.
func history(seed uint64, n int) []*kgo.Record {
	rnd := rand.New(rand.NewPCG(seed, 7))
	events := []string{"page_viewed", "product_viewed", "checkout_started", "order_completed"}
	var out []*kgo.Record
	for i := range n {
		id := "v" + strconv.Itoa(rnd.IntN(40))
		out = append(out, raw(id, "m"+strconv.Itoa(i), float64(rnd.IntN(60*24)), events[rnd.IntN(len(events))]))
		if rnd.IntN(10) == 0 {
			out = append(out, out[rnd.IntN(len(out))])
		}
	}
	rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	for i, r := range out { // records are changed by producing: copies need their own
		c := *r
		out[i] = &c
	}
	return out
}

// oracle computes what sessions() must be, from the records alone.
func oracle(t *testing.T, recs []*kgo.Record) map[string]int {
	t.Helper()
	seen := map[string]bool{}
	times := map[string][]int64{}
	for _, rec := range recs {
		var b struct{ MessageID, AnonymousID, Timestamp string }
		require.NoError(t, json.Unmarshal(rec.Value, &b))
		if seen[b.AnonymousID+"/"+b.MessageID] {
			continue
		}
		seen[b.AnonymousID+"/"+b.MessageID] = true
		at, err := time.Parse(time.RFC3339Nano, b.Timestamp)
		require.NoError(t, err)
		times[b.AnonymousID] = append(times[b.AnonymousID], at.UnixMilli())
	}
	return cutAtGaps(times)
}

// TestCrashesChangeNothing stops the steps without warning, again and again, in
// the middle of the stream, and loses their state each time.
func TestCrashesChangeNothing(t *testing.T) {
	r := fakeRig(t)
	recs := history(1, 3000)
	for chunk := range 6 {
		stop := r.start()
		r.produce(recs[chunk*len(recs)/6 : (chunk+1)*len(recs)/6]...)
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // wherever it happens to be
		require.NoError(t, stop())
	}
	r.start()
	r.settle()
	require.Equal(t, oracle(t, recs), r.sessions())
	q := r.quality()
	require.Equal(t, uint64(len(recs)), q.Accepted)
	require.Equal(t, q.Accepted, q.Touchpoints+q.Duplicates)
}

// TestInstancesShareTheWork moves partitions between three instances while the
// stream flows.
func TestInstancesShareTheWork(t *testing.T) {
	r := fakeRig(t)
	recs := history(2, 3000)
	as := func(id string) func(*sessionizer.Options) {
		return func(o *sessionizer.Options) { o.InstanceID, o.MaxRestarts = id, 10 }
	}
	r.start(as("one"))
	r.produce(recs[:1000]...)
	stop := r.start(as("two"))
	r.produce(recs[1000:2000]...)
	r.start(as("three"))
	r.produce(recs[2000:]...)
	require.NoError(t, stop())
	r.settle()
	require.Equal(t, oracle(t, recs), r.sessions())
}
