package emit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/cairnhq/cairn/pkg/emit"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

const bound = 30 * time.Second

// fake gives a kfake with the raw topic. It checks at the end that no goroutine
// is left.
func fake(t *testing.T, more ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
	kafka, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(6, "n.touchpoints.raw")}, more...)...)
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	return kafka
}

func client(t *testing.T, brokers []string, change func(*emit.Options)) *emit.Client {
	t.Helper()
	o := emit.Options{Brokers: brokers, Source: "till", Namespace: "n"}
	if change != nil {
		change(&o)
	}
	c, err := emit.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// records reads a topic from its beginning to its end.
func records(t *testing.T, topic string, opts ...kgo.Opt) []*kgo.Record {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	require.NoError(t, err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	require.NoError(t, err)
	var want int64
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	var out []*kgo.Record
	for int64(len(out)) < want {
		fetches := cl.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		out = append(out, fetches.Records()...)
	}
	return out
}

// sendAndCheck sends a few hundred touchpoints and reads them back.
func sendAndCheck(t *testing.T, c *emit.Client, topic string, partitions int, opts ...kgo.Opt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	var all []emit.Touchpoint
	for i := range 300 {
		all = append(all, emit.Touchpoint{Event: "Scanned", UserID: fmt.Sprintf("kunde-%d-ü", i), Properties: map[string]any{"n": i}})
	}
	require.NoError(t, c.Send(ctx, all...))
	require.Empty(t, all[0].MessageID, "the caller's touchpoints are not changed")
	recs := records(t, topic, opts...)
	require.Len(t, recs, 300)
	ids := map[string]bool{}
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic(topic)
	for _, rec := range recs {
		var tp struct {
			MessageID, Type, UserID, Source string
			Timestamp, ReceivedAt           time.Time
		}
		require.NoError(t, json.Unmarshal(rec.Value, &tp), "%s", rec.Value)
		require.Equal(t, tp.UserID, string(rec.Key))
		require.Equal(t, int32(partitioner.Partition(&kgo.Record{Key: rec.Key}, partitions)), rec.Partition, "%s", rec.Key)
		require.Equal(t, "track", tp.Type)
		require.Equal(t, "till", tp.Source)
		require.WithinDuration(t, time.Now(), tp.ReceivedAt, time.Minute)
		require.WithinDuration(t, tp.ReceivedAt, tp.Timestamp, time.Millisecond)
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7`, tp.MessageID)
		ids[tp.MessageID] = true
	}
	require.Len(t, ids, 300)
}

func TestSend(t *testing.T) {
	kafka := fake(t)
	c := client(t, kafka.ListenAddrs(), nil)
	sendAndCheck(t, c, "n.touchpoints.raw", 6, kgo.SeedBrokers(kafka.ListenAddrs()...))
}

func TestSendToRealKafka(t *testing.T) {
	env := testbed.Kafka(t)
	cl, err := stream.NewClient(env.Cluster, "emit-test", nil, nil)
	require.NoError(t, err)
	defer cl.Close()
	require.NoError(t, stream.EnsureTopics(t.Context(), cl, env.Namespace, stream.TopicOptions{}))
	c := client(t, env.Cluster.Brokers, func(o *emit.Options) { o.Namespace = env.Namespace })
	opts, err := env.Cluster.Options()
	require.NoError(t, err)
	sendAndCheck(t, c, stream.Qualify(env.Namespace, stream.TopicRaw), 6, opts...)
}

func TestAllFields(t *testing.T) {
	kafka := fake(t)
	c := client(t, kafka.ListenAddrs(), nil)
	require.NoError(t, c.Send(t.Context(), emit.Touchpoint{
		MessageID: "m1", Type: emit.Page, Name: "Home", AnonymousID: " undefined ", UserID: "u1", GroupID: "g1",
		ExternalIDs: []emit.ExternalID{{Type: "email", ID: "Ann@Example.com"}},
		Time:        time.Date(2026, 11, 23, 10, 0, 0, 123456789, time.FixedZone("CET", 3600)),
		Channel:     "web", Actor: "customer", Source: "kiosk",
		Context: emit.Context{
			Page: emit.PageContext{URL: "https://x.example/"}, Campaign: emit.Campaign{Source: "news"},
			IP: "2001:db8:1:2::3", UserAgent: "Mozilla/5.0", Library: emit.Library{Name: "mine", Version: "2"},
		},
		Properties: map[string]any{"a": 1}, Traits: map[string]any{"plan": "pro"},
	}))
	rec := records(t, "n.touchpoints.raw", kgo.SeedBrokers(kafka.ListenAddrs()...))[0]
	require.Equal(t, "u1", string(rec.Key))
	var got map[string]any
	require.NoError(t, json.Unmarshal(rec.Value, &got))
	require.WithinDuration(t, time.Now(), rec.Timestamp, time.Minute, "a record's time is its arrival")
	delete(got, "receivedAt")
	require.Equal(t, map[string]any{
		"messageId": "m1", "type": "page", "name": "Home", "anonymousId": " undefined ", "userId": "u1", "groupId": "g1",
		"externalIds": []any{map[string]any{"type": "email", "id": "Ann@Example.com"}},
		"timestamp":   "2026-11-23T09:00:00.123456789Z", "channel": "web", "actor": "customer", "source": "kiosk",
		"context": map[string]any{
			"page": map[string]any{"url": "https://x.example/"}, "campaign": map[string]any{"source": "news"},
			"ip": "2001:db8:1::", "userAgent": "Mozilla/5.0", "library": map[string]any{"name": "mine", "version": "2"},
		},
		"properties": map[string]any{"a": 1.0}, "traits": map[string]any{"plan": "pro"},
	}, got)
}

func TestNothingIsSentOfACallWithABadTouchpoint(t *testing.T) {
	kafka := fake(t)
	c := client(t, kafka.ListenAddrs(), nil)
	good := emit.Touchpoint{Event: "E", UserID: "u"}
	for want, bad := range map[string]emit.Touchpoint{
		"no usable AnonymousID":      {Event: "E", UserID: "null", AnonymousID: "0000-00", ExternalIDs: []emit.ExternalID{{Type: "loyalty", ID: "-"}}},
		"needs an Event":             {UserID: "u"},
		`unknown type "buy"`:         {UserID: "u", Type: "buy"},
		`unknown actor "robot"`:      {UserID: "u", Event: "E", Actor: "robot"},
		"more than 32768":            {UserID: "u", Event: "E", Properties: map[string]any{"p": strings.Repeat("x", 33<<10)}},
		"json: unsupported value: +": {UserID: "u", Event: "E", Properties: map[string]any{"p": math.Inf(1)}},
	} {
		err := c.Send(t.Context(), good, bad)
		var invalid *emit.InvalidError
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, 1, invalid.Index)
		require.ErrorContains(t, err, want)
	}
	require.ErrorIs(t, c.Send(t.Context(), emit.Touchpoint{Event: "E"}), emit.ErrNoIdentifier)
	require.NoError(t, c.Send(t.Context()))
	require.Empty(t, records(t, "n.touchpoints.raw", kgo.SeedBrokers(kafka.ListenAddrs()...)))
}

func TestWhatIsNotAcknowledgedCanBeSentAgain(t *testing.T) {
	kafka := fake(t)
	refuse := true // read and written by kfake's loop only
	kafka.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if !refuse {
			return nil, nil, false
		}
		refuse = false
		produce := req.(*kmsg.ProduceRequest)
		res := produce.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range produce.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic, topic.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				part := kmsg.NewProduceResponseTopicPartition()
				part.Partition, part.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code // not retried
				topic.Partitions = append(topic.Partitions, part)
			}
			res.Topics = append(res.Topics, topic)
		}
		return res, nil, true
	})
	c := client(t, kafka.ListenAddrs(), nil)
	var both []emit.Touchpoint
	for i := range 40 { // over several partitions, of which one is refused
		both = append(both, emit.Touchpoint{Event: "E", UserID: fmt.Sprint("u", i)})
	}
	err := c.Send(t.Context(), both...)
	var unsure *emit.SendError
	require.ErrorAs(t, err, &unsure)
	require.NotEmpty(t, unsure.Unacknowledged)
	require.Less(t, len(unsure.Unacknowledged), len(both))
	require.NotEmpty(t, unsure.Unacknowledged[0].MessageID)
	require.NoError(t, c.Send(t.Context(), unsure.Unacknowledged...))
	recs := records(t, "n.touchpoints.raw", kgo.SeedBrokers(kafka.ListenAddrs()...))
	require.Len(t, recs, len(both))
}

func TestSendEndsWithItsContext(t *testing.T) {
	kafka := fake(t)
	held, gate := make(chan struct{}, 10), make(chan struct{})
	kafka.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		held <- struct{}{}
		kafka.SleepControl(func() { <-gate })
		return nil, nil, false
	})
	c := client(t, kafka.ListenAddrs(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Send(ctx, emit.Touchpoint{Event: "E", UserID: "u"}) }()
	<-held
	cancel()
	err := <-ended
	close(gate)
	require.ErrorIs(t, err, context.Canceled)
	var unsure *emit.SendError
	require.ErrorAs(t, err, &unsure)
	require.Len(t, unsure.Unacknowledged, 1)
}

func TestSASL(t *testing.T) {
	kafka := fake(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "app", "right"))
	good := client(t, kafka.ListenAddrs(), func(o *emit.Options) {
		o.SASL = emit.SASL{Mechanism: "SCRAM-SHA-256", Username: "app", Password: "right"}
	})
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	require.NoError(t, good.Send(ctx, emit.Touchpoint{Event: "E", UserID: "u"}))
	bad := client(t, kafka.ListenAddrs(), func(o *emit.Options) {
		o.SASL = emit.SASL{Mechanism: "SCRAM-SHA-256", Username: "app", Password: "wrong"}
	})
	require.Error(t, bad.Send(ctx, emit.Touchpoint{Event: "E", UserID: "u"}))
}

func TestOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]emit.Options{
		"Brokers is empty":          {Source: "s"},
		"Source is empty":           {Brokers: []string{"h:1"}},
		`SASL.Mechanism is "OAUTH"`: {Brokers: []string{"h:1"}, Source: "s", SASL: emit.SASL{Mechanism: "OAUTH"}},
	} {
		_, err := emit.New(o)
		require.ErrorContains(t, err, want)
	}
}
