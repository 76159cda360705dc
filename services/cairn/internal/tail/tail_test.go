package tail

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "shop.transitions"

// broker starts a broker with one topic of two partitions.
func broker(t *testing.T) stream.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topic))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return stream.Cluster{Brokers: c.ListenAddrs()}
}

// transact writes records numbered from first in one transaction each.
func transact(t *testing.T, cluster stream.Cluster, first, n int, end kgo.TransactionEndTry) {
	t.Helper()
	cl, err := stream.NewClient(cluster, "test", nil, nil, kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer cl.Close()
	for i := first; i < first+n; i++ {
		require.NoError(t, cl.BeginTransaction())
		r := &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: fmt.Appendf(nil, `{"n": %d}`, i), Timestamp: time.UnixMilli(int64(1000 + i))}
		require.NoError(t, cl.ProduceSync(t.Context(), r).FirstErr())
		require.NoError(t, cl.EndTransaction(t.Context(), end))
	}
}

// lines is a writer whose lines can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// numbers are the values' n, in the order printed.
func (l *lines) numbers(t *testing.T) []int {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []int
	for line := range strings.Lines(l.b.String()) {
		var r struct{ Value struct{ N int } }
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		out = append(out, r.Value.N)
	}
	return out
}

func tailed(t *testing.T, o Options) []int {
	t.Helper()
	var out lines
	o.Namespace, o.Topic, o.Out = "shop", "transitions", &out
	require.NoError(t, Run(t.Context(), o))
	return out.numbers(t)
}

func TestTheNewestRecordsInTheOrderOfTime(t *testing.T) {
	cluster := broker(t)
	require.Empty(t, tailed(t, Options{Cluster: cluster}), "an empty topic ends at once")
	transact(t, cluster, 0, 30, kgo.TryCommit)
	transact(t, cluster, 100, 3, kgo.TryAbort) // never to be seen
	require.Equal(t, []int{20, 21, 22, 23, 24, 25, 26, 27, 28, 29}, tailed(t, Options{Cluster: cluster}))
	require.Equal(t, []int{28, 29}, tailed(t, Options{Cluster: cluster, Max: 2}))
	require.Equal(t, []int{29}, tailed(t, Options{Cluster: cluster, Max: 1}), "the offset before the end is a marker")
}

func TestFromTheBeginning(t *testing.T) {
	cluster := broker(t)
	transact(t, cluster, 0, 30, kgo.TryCommit)
	require.Len(t, tailed(t, Options{Cluster: cluster, FromBeginning: true}), 30)
	require.Len(t, tailed(t, Options{Cluster: cluster, FromBeginning: true, Max: 7}), 7)
}

func TestFollowPrintsWhatComes(t *testing.T) {
	cluster := broker(t)
	transact(t, cluster, 0, 5, kgo.TryCommit)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out lines
	ended := make(chan error)
	go func() {
		ended <- Run(ctx, Options{Cluster: cluster, Namespace: "shop", Topic: topic, Follow: true, Out: &out})
	}()
	n := 100
	require.Eventually(t, func() bool { // until the first one after the start is seen
		transact(t, cluster, n, 1, kgo.TryCommit)
		n++
		return len(out.numbers(t)) > 0
	}, 20*time.Second, 50*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
	require.GreaterOrEqual(t, out.numbers(t)[0], 100, "what was there before is not printed")
}

func TestAnUnknownTopicNamesThoseThatExist(t *testing.T) {
	cluster := broker(t)
	err := Run(t.Context(), Options{Cluster: cluster, Namespace: "shop", Topic: "transition"})
	require.EqualError(t, err, "there is no topic shop.transition: there are transitions")
	err = Run(t.Context(), Options{Cluster: cluster, Namespace: "shpo", Topic: "transitions"})
	require.ErrorContains(t, err, `the namespace "shpo" has no topics here`)
}

func TestEveryTopicIsDecoded(t *testing.T) {
	touchpoint, err := (&wirepb.Touchpoint{MessageId: "m", Event: "page_viewed", TimeMs: 5}).MarshalVT()
	require.NoError(t, err)
	session, err := (&wirepb.Session{SessionId: "s1", Events: []*wirepb.EventCount{{Event: "other", Count: 2}}, SentimentSum: -150, SentimentCount: 1}).MarshalVT()
	require.NoError(t, err)
	epoch, err := (&wirepb.Epoch{Step: "device", Epoch: 3}).MarshalVT()
	require.NoError(t, err)
	friction := wire.AppendFriction(nil, "shop", &journey.Friction{
		ID: "f1", Profile: "user:1", JourneyID: "j1", Name: "checkout_abandoned", Kind: journey.FrictionAbsence, Severity: 2, Stage: "decision",
		AtMillis: 1772366400000, TouchpointID: "m1", Identifier: "anonymous:a", Channel: "web", Revision: 7, Model: "shop", EmittedMillis: 1772366400001,
	})
	cases := []struct {
		name   string
		record kgo.Record
		want   string
	}{
		{
			"a friction",
			kgo.Record{Topic: "shop.frictions", Key: []byte("user:1"), Value: friction},
			`"key":"user:1","value":{"specversion":"1.0","id":"f1/7","source":"/cairn/shop","type":"cairn.friction.v1","subject":"user:1","time":"2026-03-01T12:00:00.000Z","datacontenttype":"application/json",` +
				`"data":{"friction_id":"f1","profile":"user:1","journey_id":"j1","name":"checkout_abandoned","kind":"absence","severity":2,"stage":"decision","substage":"","at":"2026-03-01T12:00:00.000Z",` +
				`"touchpoint_id":"m1","identifier":"anonymous:a","session_id":"","channel":"web","persona":"","status":"","revision":7,"live":false,"model":"shop","emitted_at":"2026-03-01T12:00:00.001Z"}},"encoding":"json"}`,
		},
		{"a session with its events", kgo.Record{Topic: "shop.sessions", Value: session}, `"value":{"session_id":"s1","events":[{"event":"other","count":"2"}],"sentiment_sum":"-150","sentiment_count":"1"},"encoding":"protobuf"`},
		{"protobuf", kgo.Record{Topic: "shop.touchpoints", Value: touchpoint}, `"value":{"message_id":"m","event":"page_viewed","time_ms":"5"},"encoding":"protobuf"`},
		{"a late one", kgo.Record{Topic: "shop.touchpoints.late", Value: touchpoint}, `"encoding":"protobuf"`},
		{
			"the end of a rebuild",
			kgo.Record{Topic: "shop.quality", Value: epoch, Headers: []kgo.RecordHeader{{Key: "cairn-type", Value: []byte("epoch")}}},
			`"headers":{"cairn-type":"epoch"},"value":{"step":"device","epoch":3},"encoding":"protobuf"`,
		},
		{"JSON", kgo.Record{Topic: topic, Value: []byte(`{ "a": "<b>" }`)}, `"value":{"a":"<b>"},"encoding":"json"`},
		{"text", kgo.Record{Topic: "shop.touchpoints.rejected", Value: []byte("no JSON\n")}, `"value":"no JSON\n","encoding":"text"`},
		{"bytes", kgo.Record{Topic: "shop.touchpoints.rejected", Key: []byte{0xff}, Value: []byte{0xff, 0xfe}}, `"key":"/w==","value":"//4=","encoding":"base64"`},
		{"a tombstone", kgo.Record{Topic: "shop.device.changelog", Key: []byte("k")}, `"value":null`},
		{"not what the topic should hold", kgo.Record{Topic: "shop.sessions", Value: []byte("oops")}, `"value":"oops"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Line(&c.record)
			require.NoError(t, err)
			require.True(t, json.Valid(got))
			require.Contains(t, string(got), c.want)
		})
	}
}
