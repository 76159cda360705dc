package importer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cairnhq/cairn/pkg/stream"
)

// broker starts a kfake with the topics of namespace "shop".
func broker(t *testing.T) stream.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	cluster := stream.Cluster{Brokers: c.ListenAddrs()}
	cl, err := stream.NewClient(cluster, "test", nil, nil)
	require.NoError(t, err)
	defer cl.Close()
	require.NoError(t, stream.EnsureTopics(t.Context(), cl, "shop", stream.TopicOptions{Partitions: 4, Replication: 1, Embedded: true}))
	return cluster
}

// readRaw reads n records of the raw topic.
func readRaw(t *testing.T, cluster stream.Cluster, n int) []*kgo.Record {
	t.Helper()
	cl, err := stream.NewClient(cluster, "test", nil, nil,
		kgo.ConsumeTopics("shop.touchpoints.raw"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var out []*kgo.Record
	for len(out) < n {
		fetches := cl.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		out = append(out, fetches.Records()...)
	}
	require.Len(t, out, n)
	return out
}

func TestKafkaGetsEveryLineKeyedAndMarked(t *testing.T) {
	cluster := broker(t)
	sender, err := NewKafkaSender(t.Context(), cluster, "shop")
	require.NoError(t, err)
	defer sender.Close()
	text := strings.Join(append(visits(50), "no log line"), "\n")
	before := time.Now().Add(-time.Second)
	sum, err := Run(t.Context(), Options{Files: []string{"-"}, Stdin: strings.NewReader(text), Sender: sender, Source: "till"})
	require.NoError(t, err)
	require.EqualValues(t, 50, sum.Sent)

	hash := kgo.StickyKeyPartitioner(nil).ForTopic("")
	for _, r := range readRaw(t, cluster, 51) {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		require.Equal(t, "1", headers["cairn-backfill"])
		require.Equal(t, "till", headers["cairn-source"])
		require.True(t, r.Timestamp.After(before), "the record's time is its arrival, never the log's time")
		if string(r.Value) == "no log line" {
			require.Equal(t, "malformed_line", headers["cairn-reason"])
			require.Contains(t, headers["cairn-error"], "-:51:4: want a time")
			continue
		}
		var event struct{ AnonymousID, ReceivedAt string }
		require.NoError(t, json.Unmarshal(r.Value, &event))
		require.Equal(t, event.AnonymousID, string(r.Key))
		require.NotEmpty(t, event.ReceivedAt)
		require.EqualValues(t, hash.Partition(r, 4), r.Partition)
	}
}

func TestAnUnknownNamespaceIsNotCreated(t *testing.T) {
	cluster := broker(t)
	_, err := NewKafkaSender(t.Context(), cluster, "shpo")
	require.ErrorContains(t, err, "there is no topic shpo.touchpoints.raw at "+cluster.Brokers[0])
	cl, err := stream.NewClient(cluster, "test", nil, nil)
	require.NoError(t, err)
	defer cl.Close()
	topics, err := kadm.NewClient(cl).ListTopics(t.Context())
	require.NoError(t, err)
	require.NotContains(t, topics.Names(), "shpo.touchpoints.raw")
}

func TestARefusedRecordIsAnErrorNotASuccess(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "shop.touchpoints.raw"))
	require.NoError(t, err)
	defer c.Close()
	sender, err := NewKafkaSender(t.Context(), stream.Cluster{Brokers: c.ListenAddrs()}, "shop")
	require.NoError(t, err)
	defer sender.Close()
	c.ControlKey(0, func(kreq kmsg.Request) (kmsg.Response, error, bool) { // produce
		c.KeepControl()
		return refuse(kreq.(*kmsg.ProduceRequest)), nil, true
	})
	_, err = Run(t.Context(), Options{Files: []string{"-"}, Stdin: strings.NewReader(visits(1)[0]), Sender: sender})
	require.ErrorContains(t, err, "write to shop.touchpoints.raw")
}

// refuse answers a produce request as a broker without rights to write would.
func refuse(req *kmsg.ProduceRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// door is a collector that notes what it takes and answers what it is told to.
type door struct {
	mu     sync.Mutex
	events []json.RawMessage
	sizes  []int
	wrong  string // something a request lacked
	answer func(n int64, w http.ResponseWriter) bool
	n      atomic.Int64
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := d.n.Add(1)
	if d.answer != nil && d.answer(n, w) {
		return
	}
	var body struct{ Batch []json.RawMessage }
	err := json.NewDecoder(r.Body).Decode(&body)
	key, _, _ := r.BasicAuth()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || key != "k1" || r.URL.Path != "/v1/batch" || r.Header.Get(BackfillHeader) != "1" {
		d.wrong = fmt.Sprint(err, key, r.URL, r.Header)
	}
	d.events = append(d.events, body.Batch...)
	d.sizes = append(d.sizes, len(body.Batch))
}

func sendTo(t *testing.T, d *door, lines []string) (*Summary, error) {
	t.Helper()
	server := httptest.NewServer(d)
	defer server.Close()
	c := &CollectorSender{
		URL: server.URL + "/", WriteKey: "k1", Client: server.Client(),
		Pause: func(context.Context, time.Duration) error { return nil },
	}
	require.NoError(t, c.Check())
	return Run(t.Context(), Options{Files: []string{"-"}, Stdin: strings.NewReader(strings.Join(lines, "\n")), Sender: c})
}

func TestTheCollectorGetsBatches(t *testing.T) {
	d := new(door)
	_, err := sendTo(t, d, visits(2500))
	require.NoError(t, err)
	require.Empty(t, d.wrong)
	require.Len(t, d.events, 2500)
	require.Greater(t, len(d.sizes), 2)
	var event map[string]any
	require.NoError(t, json.Unmarshal(d.events[0], &event))
	require.Contains(t, event, "timestamp")
	require.NotContains(t, event, "sentAt", "no clock to correct")
	require.NotContains(t, event, "receivedAt", "the collector says when it arrived")
}

func TestABusyCollectorIsAskedAgain(t *testing.T) {
	d := &door{answer: func(n int64, w http.ResponseWriter) bool {
		if n > 3 {
			return false
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader([]int{429, 503, 500}[n-1])
		return true
	}}
	_, err := sendTo(t, d, visits(10))
	require.NoError(t, err)
	require.Len(t, d.events, 10)
}

func TestRetryAfterIsHonoured(t *testing.T) {
	d := &door{answer: func(n int64, w http.ResponseWriter) bool {
		if n > 1 {
			return false
		}
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}}
	server := httptest.NewServer(d)
	defer server.Close()
	var pauses []time.Duration
	c := &CollectorSender{URL: server.URL, WriteKey: "k1", Pause: func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	}, Client: server.Client()}
	require.NoError(t, c.deliver(t.Context(), []byte(`{"batch":[]}`)))
	require.Equal(t, []time.Duration{7 * time.Second}, pauses)
}

func TestACollectorThatNeverTakesItIsGivenUpOn(t *testing.T) {
	d := &door{answer: func(_ int64, w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprint(w, `{"success":false,"error":{"code":"kafka_unavailable","message":"kafka is away"}}`)
		return true
	}}
	_, err := sendTo(t, d, visits(10))
	require.ErrorContains(t, err, "does not take a batch for 2m0s: it answers 503 Service Unavailable: kafka is away")
}

func TestAWrongKeyEndsTheImportAtOnce(t *testing.T) {
	d := &door{answer: func(_ int64, w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}}
	_, err := sendTo(t, d, visits(5000))
	require.ErrorContains(t, err, "give the right one with --write-key")
	require.LessOrEqual(t, d.n.Load(), int64(6), "the rest is not even tried")
}

func TestMalformedLinesDoNotGoToTheCollector(t *testing.T) {
	d := new(door)
	sum, err := sendTo(t, d, []string{"nonsense", visits(1)[0]})
	require.NoError(t, err)
	require.EqualValues(t, 1, sum.Malformed)
	require.Len(t, d.events, 1)
}

func TestCollectorURLIsChecked(t *testing.T) {
	for _, bad := range []string{"", "127.0.0.1:8080", "ftp://x", "http://"} {
		require.ErrorContains(t, (&CollectorSender{URL: bad}).Check(), "want http://host:port", bad)
	}
}
