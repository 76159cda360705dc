package collector_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cairnhq/cairn/services/collector"
)

// holdProduce keeps Kafka from answering produce requests. arrived receives one
// value per request held; release lets all go on.
func holdProduce(t *testing.T, kafka *kfake.Cluster) (arrived <-chan struct{}, release func()) {
	t.Helper()
	came, gate := make(chan struct{}, 100), make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	kafka.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		select {
		case <-gate:
		default:
			came <- struct{}{}
			kafka.SleepControl(func() { <-gate })
		}
		return nil, nil, false
	})
	return came, release
}

// swallowProduce has Kafka never answer a produce request.
func swallowProduce(kafka *kfake.Cluster) (arrived <-chan struct{}) {
	came := make(chan struct{}, 100)
	kafka.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		came <- struct{}{}
		return nil, nil, true
	})
	return came
}

// failProduce has every produce request answered with an error.
func failProduce(kafka *kfake.Cluster, with *kerr.Error) {
	kafka.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		return produceError(req, with), nil, true
	})
}

func produceError(req kmsg.Request, with *kerr.Error) kmsg.Response {
	produce := req.(*kmsg.ProduceRequest)
	res := produce.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range produce.Topics {
		out := kmsg.NewProduceResponseTopic()
		out.Topic, out.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.ErrorCode = p.Partition, with.Code
			out.Partitions = append(out.Partitions, part)
		}
		res.Topics = append(res.Topics, out)
	}
	return res
}

type outcome struct {
	reply
	err error
}

// postAsync posts in the background.
func (r *rig) postAsync(path, writeKey, body string) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		got, err := r.send(http.MethodPost, path, writeKey, strings.NewReader(body))
		out <- outcome{got, err}
	}()
	return out
}

func await[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(bound):
		require.FailNow(t, "waited too long for "+what)
		panic("unreachable")
	}
}

func TestA200ComesOnlyAfterTheAcks(t *testing.T) {
	r := start(t, nil)
	arrived, release := holdProduce(t, r.kafka)
	answered := r.postAsync("/v1/batch", shopKey, batch(event, `{"type":"page","userId":"u2","messageId":"m2"}`, `{}`))
	await(t, arrived, "the produce request")
	select {
	case got := <-answered:
		require.Fail(t, "answered before Kafka did", "%d %s", got.status, got.body)
	case <-time.After(300 * time.Millisecond): // not proof, but the answer takes 5 ms
	}
	require.InDelta(t, 1, r.metric("cairn_collector_in_flight_requests"), 0)
	release()
	got := await(t, answered, "the answer")
	require.NoError(t, got.err)
	require.Equal(t, 200, got.status, got.body)
	require.Len(t, r.accepted(), 2)
	require.Len(t, r.rejected(), 1)
}

func TestAnErrorOfKafkaIs503(t *testing.T) {
	for _, with := range []*kerr.Error{kerr.NotEnoughReplicas, kerr.MessageTooLarge, kerr.TopicAuthorizationFailed} {
		t.Run(with.Message, func(t *testing.T) {
			r := start(t, func(o *collector.Options) { o.ProduceTimeout = time.Second })
			failProduce(r.kafka, with)
			got := r.post("/v1/track", shopKey, event)
			require.Equal(t, 503, got.status, got.body)
			require.NotEmpty(t, got.header.Get("Retry-After"))
			require.InDelta(t, 1, r.metric("cairn_collector_events_total", "shop", "failed"), 0)
			require.Zero(t, r.metric("cairn_collector_events_total", "shop", "accepted"))
		})
	}
}

// TestATopicThatIsTooNarrow: a topic that takes small batches only is named, with the
// way out, and used as soon as it has been widened.
func TestATopicThatIsTooNarrow(t *testing.T) {
	r := start(t, nil)
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.ListenAddrs()...))
	require.NoError(t, err)
	defer cl.Close()
	admin := kadm.NewClient(cl)
	set := func(limit string) {
		_, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &limit}}, topic())
		require.NoError(t, err)
	}
	set("500000")
	narrow := startOn(t, r.kafka.ListenAddrs(), nil)
	require.Eventually(t, func() bool {
		return strings.Contains(fmt.Sprint(narrow.service.Ready()), "raise its max.message.bytes")
	}, bound, 20*time.Millisecond)
	got := narrow.post("/v1/track", shopKey, event)
	require.Equal(t, 503, got.status, got.body)
	set("1048588")
	require.Eventually(t, func() bool { return narrow.service.Ready() == nil }, bound, 20*time.Millisecond)
	require.Equal(t, 200, narrow.post("/v1/track", shopKey, event).status)
}

func TestSilenceOfKafkaIs503(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.ProduceTimeout = time.Second })
	_, release := holdProduce(t, r.kafka)
	got := r.post("/v1/track", shopKey, event)
	require.Equal(t, 503, got.status, got.body)
	require.Contains(t, []string{"delivery_unknown", "kafka_unavailable"}, got.said.Error.Code)
	release()
	require.Eventually(t, func() bool {
		got, err := r.send(http.MethodPost, "/v1/track", shopKey, strings.NewReader(event))
		return err == nil && got.status == 200
	}, bound, 20*time.Millisecond)
}

func TestKafkaAway(t *testing.T) {
	t.Run("never there", func(t *testing.T) {
		ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, ln.Close()) // nobody listens there now
		r := startOn(t, []string{ln.Addr().String()}, nil)
		require.ErrorContains(t, r.service.Ready(), "afka")
		got := r.post("/v1/track", shopKey, event)
		require.Equal(t, 503, got.status, got.body)
		require.Equal(t, "kafka_unavailable", got.said.Error.Code)
		require.Equal(t, "5", got.header.Get("Retry-After"))
		require.NoError(t, r.stop())
	})
	t.Run("goes", func(t *testing.T) {
		r := start(t, func(o *collector.Options) { o.ProduceTimeout = time.Second })
		require.Equal(t, 200, r.post("/v1/track", shopKey, event).status)
		r.kafka.Close()
		require.Equal(t, 503, r.post("/v1/track", shopKey, event).status)
		require.Eventually(t, func() bool { return r.service.Ready() != nil }, bound, 5*time.Millisecond)
		require.Equal(t, 503, r.post("/v1/track", shopKey, event).status)
		require.Zero(t, r.metric("cairn_collector_kafka_up"))
	})
	t.Run("without its topic", func(t *testing.T) {
		kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
		require.NoError(t, err)
		t.Cleanup(kafka.Close)
		r := startOn(t, kafka.ListenAddrs(), nil)
		require.Eventually(t, func() bool {
			return r.service.Ready() != nil && strings.Contains(r.service.Ready().Error(), "topic "+topic()+" does not exist")
		}, bound, 5*time.Millisecond)
		require.Equal(t, 503, r.post("/v1/track", shopKey, event).status)
	})
}

func TestBoundsAre503(t *testing.T) {
	t.Run("requests in flight", func(t *testing.T) {
		r := start(t, func(o *collector.Options) { o.MaxInFlight = 2 })
		arrived, release := holdProduce(t, r.kafka)
		first, second := r.postAsync("/v1/track", shopKey, event), r.postAsync("/v1/track", tillKey, event)
		await(t, arrived, "a produce request")
		require.Eventually(t, func() bool { return r.metric("cairn_collector_in_flight_requests") == 2 }, bound, time.Millisecond)
		got := r.post("/v1/track", shopKey, event)
		require.Equal(t, 503, got.status, got.body)
		require.Equal(t, "overloaded", got.said.Error.Code)
		require.Equal(t, "1", got.header.Get("Retry-After"))
		release()
		require.Equal(t, 200, await(t, first, "an answer").status)
		require.Equal(t, 200, await(t, second, "an answer").status)
	})
	t.Run("bytes in flight", func(t *testing.T) {
		r := start(t, func(o *collector.Options) { o.MaxBatchBytes, o.MaxBufferedBytes = 64<<10, 256<<10 })
		arrived, release := holdProduce(t, r.kafka)
		big := batch(strings.Split(strings.Repeat(`{"type":"page","userId":"u","messageId":"m","p":"`+strings.Repeat("x", 10<<10)+"\"}\n", 5), "\n")[:5]...)
		first, second := r.postAsync("/v1/batch", shopKey, big), r.postAsync("/v1/batch", tillKey, big)
		await(t, arrived, "a produce request")
		require.Eventually(t, func() bool { return r.metric("cairn_kafka_buffered_produce_records_total", "collector") == 10 }, bound, time.Millisecond)
		got := r.post("/v1/batch", shopKey, big)
		require.Equal(t, 503, got.status, got.body)
		require.Equal(t, "overloaded", got.said.Error.Code)
		release()
		require.Equal(t, 200, await(t, first, "an answer").status)
		require.Equal(t, 200, await(t, second, "an answer").status)
		require.Equal(t, 200, r.post("/v1/batch", shopKey, big).status, "what was refused is given back")
	})
}

// TestSlowBodiesTakeNobodysPlace: who announces much and sends little holds
// neither memory nor the place of a request.
func TestSlowBodiesTakeNobodysPlace(t *testing.T) {
	r := start(t, func(o *collector.Options) {
		o.MaxBatchBytes, o.MaxBufferedBytes, o.MaxInFlight = 64<<10, 256<<10, 4
	})
	const slow = 8
	for range slow {
		_, err := io.WriteString(dial(t, r), "POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{")
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return r.metric("cairn_collector_in_flight_requests") == slow }, bound, time.Millisecond)
	got := r.post("/v1/track", shopKey, event)
	require.Equal(t, 200, got.status, got.body)
}

// TestABodyThatNeverFitsIsTooLarge: to send it again would be of no use.
func TestABodyThatNeverFitsIsTooLarge(t *testing.T) {
	r := start(t, func(o *collector.Options) {
		o.MaxBatchBytes, o.MaxBufferedBytes = 64<<10, 256<<10
		o.Webhooks = mappings(t, "version: 1\nsources:\n  s: {event: e, user_id: u}\n")
	})
	status := func(n int) int {
		code, _, _ := r.ask(http.MethodPost, "/webhook/s?writeKey="+shopKey, `{"u":"1","p":"`+strings.Repeat("x", n)+`"}`)
		return code
	}
	require.Equal(t, []int{200, 413, 200}, []int{status(10 << 10), status(50 << 10), status(10 << 10)})
}

func TestShutdown(t *testing.T) {
	t.Run("finishes what has begun", func(t *testing.T) {
		r := start(t, nil)
		arrived, release := holdProduce(t, r.kafka)
		answered := r.postAsync("/v1/track", shopKey, event)
		await(t, arrived, "the produce request")
		stopped := make(chan error, 1)
		go func() { stopped <- r.stop() }()
		require.Eventually(t, func() bool { return r.service.Ready() != nil }, bound, time.Millisecond)
		require.ErrorContains(t, r.service.Ready(), "shutting down")
		require.Eventually(t, func() bool {
			_, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
			return err != nil
		}, bound, 5*time.Millisecond, "still accepts")
		release()
		require.Equal(t, 200, await(t, answered, "the answer").status)
		require.NoError(t, await(t, stopped, "the end"))
		require.Len(t, r.accepted(), 1)
	})
	t.Run("ends within its bound", func(t *testing.T) {
		r := start(t, func(o *collector.Options) { o.ShutdownTimeout = 200 * time.Millisecond })
		arrived := swallowProduce(r.kafka)
		answered := r.postAsync("/v1/track", shopKey, event)
		await(t, arrived, "the produce request")
		require.ErrorContains(t, r.stop(), "still in flight")
		got := await(t, answered, "the end of the connection")
		require.True(t, got.err != nil || got.status == 503, "a 200 without acks: %+v", got)
	})
}

func TestAClientThatHangsUpCancelsNothing(t *testing.T) {
	r := start(t, nil)
	arrived, release := holdProduce(t, r.kafka)
	conn := dial(t, r)
	body := batch(event, event, event)
	_, err := fmt.Fprintf(conn, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic a2V5LW9mLXRoZS1zaG9wOg\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	require.NoError(t, err)
	await(t, arrived, "the produce request")
	require.NoError(t, conn.Close())
	release()
	require.Eventually(t, func() bool { return r.metric("cairn_collector_events_total", "shop", "accepted") == 3 }, bound, 5*time.Millisecond)
	require.Len(t, r.accepted(), 3)
}

func dial(t *testing.T, r *rig) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(bound)))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestSlowClientsAreCutOff(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.ReadTimeout = 300 * time.Millisecond })
	for _, begin := range []string{
		"POST /v1/ba",
		"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic a2V5LW9mLXRoZS1zaG9wOg\r\nContent-Length: 100\r\n\r\n{\"batch\":",
	} {
		conn := dial(t, r)
		_, err := io.WriteString(conn, begin)
		require.NoError(t, err)
		text, err := io.ReadAll(conn)
		require.NoError(t, err, "the collector should have closed the connection")
		if strings.Contains(begin, "HTTP/1.1") {
			require.Contains(t, string(text), "408 Request Timeout")
			require.Contains(t, string(text), "read_failed")
		}
	}
}

// Many clients that send a byte now and then are cut off one and all, and the
// others are served meanwhile.
func TestASlowLorisGetsNowhere(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.ReadTimeout = 500 * time.Millisecond })
	const n = 100
	begin := time.Now()
	var all sync.WaitGroup
	lived := make([]time.Duration, n)
	for i := range n {
		conn := dial(t, r)
		_, err := io.WriteString(conn, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nX-A: ")
		require.NoError(t, err)
		all.Go(func() {
			defer func() { lived[i] = time.Since(begin) }()
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				_, _ = io.Copy(io.Discard, conn)
			}()
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					if _, err := io.WriteString(conn, "a"); err != nil {
						<-closed
						return
					}
				case <-closed:
					return
				}
			}
		})
	}
	require.Equal(t, 200, r.post("/v1/track", shopKey, event).status)
	all.Wait()
	for _, d := range lived {
		require.Less(t, d, 5*time.Second)
	}
}

// What a client packs small takes no more memory than it may.
func TestABombTakesNoMemory(t *testing.T) {
	r := start(t, nil)
	bomb := zipped(strings.Repeat(" ", 300<<20))
	require.Less(t, len(bomb), 500<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		require.Equal(t, 413, r.post("/v1/batch", shopKey, bomb).status)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(60<<20), "ten times 300 MiB were packed")
}

func TestConnectionsAreBounded(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.MaxConnections = 1 })
	first := dial(t, r)
	ask := "OPTIONS /v1/batch HTTP/1.1\r\nHost: x\r\n\r\n"
	busy := "POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
	line := func(c net.Conn) (string, error) {
		buf := make([]byte, 12)
		_, err := io.ReadFull(c, buf)
		return string(buf), err
	}
	_, err := io.WriteString(first, ask)
	require.NoError(t, err)
	got, err := line(first)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 204", got)
	_, err = io.WriteString(first, busy)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return r.metric("cairn_collector_in_flight_requests") == 1 }, bound, time.Millisecond)
	second := dial(t, r)
	_, err = io.WriteString(second, ask)
	require.NoError(t, err)
	require.NoError(t, second.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	_, err = line(second)
	require.Error(t, err, "served beside the first")
	require.NoError(t, first.Close())
	require.NoError(t, second.SetReadDeadline(time.Now().Add(bound)))
	got, err = line(second)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 204", got)
}

// TestIdleConnectionsGiveWay: browsers keep theirs open; 4096 of them must not
// keep all others out for as long as the server lets them be idle.
func TestIdleConnectionsGiveWay(t *testing.T) {
	const limit = 3
	r := start(t, func(o *collector.Options) { o.MaxConnections = limit })
	for i := range 5 * limit { // each stays open
		conn := dial(t, r)
		require.NoError(t, conn.SetDeadline(time.Now().Add(bound)))
		_, err := io.WriteString(conn, "OPTIONS /v1/batch HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		buf := make([]byte, 12)
		_, err = io.ReadFull(conn, buf)
		require.NoError(t, err, "connection %d", i)
		require.Equal(t, "HTTP/1.1 204", string(buf))
	}
	require.Equal(t, 200, r.post("/v1/track", shopKey, event).status)
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	for want, change := range map[string]func(*collector.Options){
		"namespace is empty":  func(o *collector.Options) { o.Namespace = "" },
		"listener is missing": func(o *collector.Options) { o.Listener = nil },
		"there is none":       func(o *collector.Options) { o.WriteKeys = nil },
		"entry 2 needs a key": func(o *collector.Options) { o.WriteKeys = append(o.WriteKeys, collector.WriteKey{Key: "x"}) },
		"entry 2 (source b) has the key": func(o *collector.Options) {
			o.WriteKeys = append(o.WriteKeys, collector.WriteKey{Key: "secret", Source: "b"})
		},
		"entry 2 (source b) has a colon": func(o *collector.Options) {
			o.WriteKeys = append(o.WriteKeys, collector.WriteKey{Key: "a:b", Source: "b"})
		},
		"1s or more":                      func(o *collector.Options) { o.ProduceTimeout = time.Millisecond },
		"kafka.brokers is empty":          func(o *collector.Options) { o.Cluster.Brokers = nil },
		"the batch must have room":        func(o *collector.Options) { o.MaxBatchBytes = 10 },
		"Kafka takes up to":               func(o *collector.Options) { o.MaxEventBytes, o.MaxBatchBytes = 2<<20, 4<<20 },
		"smaller than what one batch may": func(o *collector.Options) { o.MaxBufferedBytes = 1000 },
		"none may be negative":            func(o *collector.Options) { o.MaxInFlight = -1 },
	} {
		o := collector.Options{Namespace: "n", Listener: ln, WriteKeys: []collector.WriteKey{{Key: "secret", Source: "a"}}}
		o.Cluster.Brokers = []string{"127.0.0.1:1"}
		change(&o)
		_, err := collector.New(t.Context(), o)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}
