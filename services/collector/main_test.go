package collector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	namespace = "test"
	shopKey   = "key-of-the-shop"
	tillKey   = "key-of-the-till"
	bound     = 20 * time.Second // of every wait
)

// rig is a running collector on a kfake of its own.
type rig struct {
	t       testing.TB
	kafka   *kfake.Cluster
	service *collector.Service
	url     string
	metrics *prometheus.Registry
	client  *http.Client
	stop    func() error // ends Run and returns what it returned; may be called again
}

func topic() string { return stream.Qualify(namespace, stream.TopicRaw) }

// start runs a collector that is ready. change may alter its options.
func start(tb testing.TB, change func(*collector.Options)) *rig {
	tb.Helper()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(6, topic()))
	require.NoError(tb, err)
	tb.Cleanup(kafka.Close)
	r := startOn(tb, kafka.ListenAddrs(), change)
	r.kafka = kafka
	require.Eventually(tb, func() bool { return r.service.Ready() == nil && r.metric("cairn_collector_kafka_up") == 1 }, bound, 5*time.Millisecond, "never ready: %v", r.service.Ready())
	return r
}

// startOn runs a collector that need not find a Kafka.
func startOn(tb testing.TB, brokers []string, change func(*collector.Options)) *rig {
	tb.Helper()
	ln, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	r := &rig{
		t: tb, url: "http://" + ln.Addr().String(), metrics: prometheus.NewRegistry(),
		client: &http.Client{Transport: &http.Transport{}, Timeout: bound},
	}
	o := collector.Options{
		Namespace: namespace, Cluster: stream.Cluster{Brokers: brokers}, Listener: ln,
		WriteKeys:  []collector.WriteKey{{Key: shopKey, Source: "shop"}, {Key: tillKey, Source: "till"}},
		Registerer: r.metrics,
	}
	if change != nil {
		change(&o)
	}
	r.service, err = collector.New(tb.Context(), o)
	require.NoError(tb, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.service.Run(ctx) }()
	r.stop = func() error {
		cancel()
		r.client.CloseIdleConnections()
		select {
		case err := <-ended:
			ended <- err
			return err
		case <-time.After(bound):
			return fmt.Errorf("the collector did not stop in %v", bound)
		}
	}
	tb.Cleanup(func() { _ = r.stop() })
	return r
}

// stays asks for a while whether something holds, and waits for each answer: those of
// require.Never may come when the test is over.
func stays(t *testing.T, holds func() bool, why ...any) {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < 150*time.Millisecond; {
		require.True(t, holds(), why...)
	}
}

// reply is an answer of the collector.
type reply struct {
	status int
	header http.Header
	body   string
	said   struct {
		Success bool
		Error   *struct{ Code, Message, Pointer string }
		Errors  []struct{ Code, Message, Pointer string }
	}
}

// send makes a request. A write key of "" sends none; headers come in pairs.
func (r *rig) send(method, path, writeKey string, body io.Reader, headers ...string) (reply, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, r.url+path, body)
	if err != nil {
		return reply{}, err
	}
	if writeKey != "" {
		req.SetBasicAuth(writeKey, "")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := r.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	out := reply{status: res.StatusCode, header: res.Header, body: strings.TrimSpace(string(text))}
	if len(text) > 0 {
		err = json.Unmarshal(text, &out.said)
	}
	return out, err
}

func (r *rig) post(path, writeKey, body string, headers ...string) reply {
	r.t.Helper()
	out, err := r.send(http.MethodPost, path, writeKey, strings.NewReader(body), headers...)
	require.NoError(r.t, err)
	return out
}

// records are all of touchpoints.raw, by partition and offset.
func (r *rig) records() []*kgo.Record {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.ListenAddrs()...), kgo.ConsumeTopics(topic()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(r.t, err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic())
	require.NoError(r.t, err)
	var want int64
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	var out []*kgo.Record
	for int64(len(out)) < want {
		fetches := cl.PollFetches(ctx)
		require.NoError(r.t, fetches.Err())
		out = append(out, fetches.Records()...)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		return a.Partition < b.Partition || a.Partition == b.Partition && a.Offset < b.Offset
	})
	return out
}

// accepted and rejected are the records without and with a reason.
func (r *rig) accepted() []*kgo.Record { return r.divided(false) }
func (r *rig) rejected() []*kgo.Record { return r.divided(true) }

func (r *rig) divided(rejected bool) (out []*kgo.Record) {
	for _, rec := range r.records() {
		if (header(rec, wire.HeaderReason) != "") == rejected {
			out = append(out, rec)
		}
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

// metric is the value of a counter or gauge with these label values, in any
// order; 0 if there is none.
func (r *rig) metric(name string, labels ...string) float64 {
	r.t.Helper()
	families, err := r.metrics.Gather()
	require.NoError(r.t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			found := 0
			for _, l := range m.GetLabel() {
				for _, want := range labels {
					if l.GetValue() == want {
						found++
					}
				}
			}
			if found == len(labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}
