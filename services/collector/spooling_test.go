package collector_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cairnhq/cairn/services/collector"
)

// broker is a kfake that keeps its port and its data over a stop.
type broker struct {
	t    *testing.T
	port int
	dir  string
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	return &broker{t: t, port: ln.Addr().(*net.TCPAddr).Port, dir: t.TempDir()}
}

func (b *broker) addr() []string {
	return []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port))}
}

func (b *broker) start() *kfake.Cluster {
	b.t.Helper()
	var c *kfake.Cluster
	require.Eventually(b.t, func() (up bool) {
		var err error
		c, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(b.port), kfake.DataDir(b.dir), kfake.SeedTopics(6, topic()))
		return err == nil
	}, bound, 20*time.Millisecond)
	b.t.Cleanup(c.Close)
	return c
}

// stream posts numbered events of one person, each after the answer to the one
// before, and notes which were accepted.
func (r *rig) stream(person string, from int, until <-chan struct{}) (accepted []string, next int) {
	for n := from; ; n++ {
		select {
		case <-until:
			return accepted, n
		default:
		}
		id := fmt.Sprintf("%s-%06d", person, n)
		got, err := r.send(http.MethodPost, "/v1/track", shopKey, strings.NewReader(
			fmt.Sprintf(`{"event":"E","userId":%q,"messageId":%q}`, person, id)))
		if err == nil && got.status == 200 {
			accepted = append(accepted, id)
		}
	}
}

// firsts are the messageIds of records by person, without their repetitions.
func firsts(t *testing.T, recs []*kgo.Record) (byPerson map[string][]string, copies int) {
	t.Helper()
	byPerson = map[string][]string{}
	seen := map[string]bool{}
	for _, rec := range recs {
		var e struct{ MessageID, UserID string }
		require.NoError(t, json.Unmarshal(rec.Value, &e))
		if seen[e.MessageID] {
			copies++
			continue
		}
		seen[e.MessageID] = true
		byPerson[e.UserID] = append(byPerson[e.UserID], e.MessageID)
	}
	return byPerson, copies
}

// inOrder demands that all accepted ids are there, in order; ids that were not
// accepted may stand between them.
func inOrder(t *testing.T, accepted, there []string) {
	t.Helper()
	i := 0
	for _, id := range there {
		if i < len(accepted) && id == accepted[i] {
			i++
		}
	}
	if i < len(accepted) {
		require.Failf(t, "lost or out of order", "%s: %d of %d were accepted and found in order", accepted[i], i, len(accepted))
	}
}

func TestAnOutageUnderLoadLosesNothingAndKeepsTheOrder(t *testing.T) {
	b := newBroker(t)
	kafka := b.start()
	dir := t.TempDir()
	r := startOn(t, b.addr(), func(o *collector.Options) { o.SpoolDir, o.ProduceTimeout = dir, 2*time.Second })
	require.Eventually(t, func() bool { return r.metric("cairn_collector_kafka_up") == 1 }, bound, 5*time.Millisecond)
	r.client.Transport = &http.Transport{MaxIdleConnsPerHost: 16}

	const people = 12
	accepted := make([][]string, people)
	end := make(chan struct{})
	var all sync.WaitGroup
	for p := range people {
		all.Go(func() { accepted[p], _ = r.stream(fmt.Sprintf("p%d", p), 0, end) })
	}
	spooled := func() float64 { return r.metric("cairn_collector_spool_events_total", "appended") }
	for range 2 {
		direct := r.metric("cairn_collector_events_total", "shop", "accepted")
		require.Eventually(t, func() bool { return r.metric("cairn_collector_events_total", "shop", "accepted") > direct+200 }, bound, time.Millisecond)
		before := spooled()
		kafka.Close()
		require.Eventually(t, func() bool { return spooled() > before+300 }, bound, time.Millisecond)
		require.NoError(t, r.service.Ready(), "events are taken")
		require.Positive(t, r.metric("cairn_collector_spool_records"))
		require.Positive(t, r.metric("cairn_collector_spool_bytes"))
		require.Positive(t, r.metric("cairn_collector_spool_age_seconds"))
		kafka = b.start()
		require.Eventually(t, func() bool { return r.metric("cairn_collector_spool_records") == 0 }, bound, time.Millisecond, "never drained under load")
	}
	close(end)
	all.Wait()
	require.NoError(t, r.stop())
	r.kafka = kafka
	there, copies := firsts(t, r.records())
	total := 0
	for p := range people {
		inOrder(t, accepted[p], there[fmt.Sprintf("p%d", p)])
		total += len(accepted[p])
	}
	t.Logf("%d accepted, %g of them by way of the spool, %d copies", total, spooled(), copies)
	require.InDelta(t, spooled(), r.metric("cairn_collector_spool_events_total", "sent"), 0)
	require.Zero(t, r.metric("cairn_collector_spool_bytes"))
}

// However long the spool takes: what is accepted later does not overtake it.
func TestNothingOvertakesTheSpool(t *testing.T) {
	// Long enough for the client to try again after what it was told for m1.
	r := start(t, func(o *collector.Options) { o.SpoolDir, o.ProduceTimeout = t.TempDir(), 4*time.Second })
	var spooled, let atomic.Bool
	var spool atomic.Int64 // its client's producer id, once it is known
	r.kafka.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		r.kafka.KeepControl()
		const at = 43 // in a record batch
		id := int64(binary.BigEndian.Uint64(req.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records[at:])) + 1
		if spooled.Load() && (!spool.CompareAndSwap(0, id) && spool.Load() != id || let.Load()) {
			return nil, nil, false
		}
		return produceError(req, kerr.NotEnoughReplicas), nil, true
	})
	post := func(id string) {
		t.Helper()
		require.Equal(t, 200, r.post("/v1/track", shopKey, strings.Replace(event, "m1", id, 1)).status)
	}
	post("m1")
	require.InDelta(t, 1, r.metric("cairn_collector_spool_events_total", "appended"), 0)
	spooled.Store(true)
	require.Eventually(t, func() bool { return spool.Load() != 0 }, bound, time.Millisecond, "the spool's records")
	post("m2")
	let.Store(true)
	require.Eventually(t, func() bool { return r.metric("cairn_collector_spool_records") == 0 }, bound, 5*time.Millisecond)
	post("m3")
	var ids []string
	for _, rec := range r.accepted() {
		ids = append(ids, string(rec.Value[len(`{"messageId":"`):][:2]))
	}
	require.Equal(t, []string{"m1", "m2", "m3"}, ids)
	require.InDelta(t, 2, r.metric("cairn_collector_spool_events_total", "sent"), 0, "m3 went directly")
}

func TestAFullSpoolIs503(t *testing.T) {
	b := newBroker(t)
	r := startOn(t, b.addr(), func(o *collector.Options) {
		o.SpoolDir, o.SpoolBytes, o.MaxBatchBytes, o.MaxEventBytes = t.TempDir(), 64<<10, 8<<10, 8<<10
	})
	body := `{"type":"page","userId":"u","p":"` + strings.Repeat("x", 6000) + `"}`
	accepted := 0
	var got reply
	for got = r.post("/v1/page", shopKey, body); got.status == 200; got = r.post("/v1/page", shopKey, body) {
		accepted++
	}
	require.InDelta(t, 10, accepted, 1)
	require.Equal(t, 503, got.status)
	require.Equal(t, "kafka_unavailable", got.said.Error.Code)
	require.Contains(t, got.said.Error.Message, "spool is full")
	require.Equal(t, "5", got.header.Get("Retry-After"))
	require.Eventually(t, func() bool {
		return r.post("/v1/page", shopKey, strings.Replace(body, "xxxxxx", "", 400)).status == 503
	}, bound, time.Millisecond)
	require.ErrorContains(t, r.service.Ready(), "spool is full")
	require.LessOrEqual(t, r.metric("cairn_collector_spool_bytes"), 64.*1024)
	r.kafka = b.start()
	require.Eventually(t, func() bool {
		return r.service.Ready() == nil && r.metric("cairn_collector_spool_records") == 0 && r.metric("cairn_collector_kafka_up") == 1
	}, bound, 5*time.Millisecond)
	require.Equal(t, 200, r.post("/v1/page", shopKey, body).status)
	require.Len(t, r.records(), int(r.metric("cairn_collector_events_total", "shop", "accepted")))
}

// A broker that has the records but does not say so: they are spooled too, and
// are there twice with the same id.
func TestSilenceOfKafkaIsNoFailureWithASpool(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.SpoolDir, o.ProduceTimeout = t.TempDir(), time.Second })
	_, release := holdProduce(t, r.kafka)
	require.Equal(t, 200, r.post("/v1/track", shopKey, event).status)
	require.InDelta(t, 1, r.metric("cairn_collector_spool_events_total", "appended"), 0)
	release()
	require.Eventually(t, func() bool { return r.metric("cairn_collector_spool_records") == 0 }, bound, 5*time.Millisecond)
	there, _ := firsts(t, r.records())
	require.Len(t, there, 1)
}

func TestWhatKafkaWillNeverTakeIsNotSpooled(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.SpoolDir, o.ProduceTimeout = t.TempDir(), time.Second })
	failProduce(r.kafka, kerr.MessageTooLarge)
	require.Equal(t, 503, r.post("/v1/track", shopKey, event).status)
	require.Zero(t, r.metric("cairn_collector_spool_events_total", "appended"))
}

func TestWhatKafkaWillNeverTakeLeavesTheSpool(t *testing.T) {
	b, dir := newBroker(t), t.TempDir()
	r := startOn(t, b.addr(), func(o *collector.Options) { o.SpoolDir = dir })
	require.Equal(t, 200, r.post("/v1/track", shopKey, event).status)
	kafka := b.start()
	failProduce(kafka, kerr.MessageTooLarge)
	require.Eventually(t, func() bool { return r.metric("cairn_collector_spool_events_total", "refused") == 1 }, bound, 5*time.Millisecond)
	require.Eventually(t, func() bool { return r.metric("cairn_collector_spool_records") == 0 }, bound, 5*time.Millisecond)
	files, err := filepath.Glob(filepath.Join(dir, "*.refused.ndjson"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Contains(t, string(text), `\"messageId\":\"m1\"`)
}

func TestRejectedEventsAreSpooledToo(t *testing.T) {
	b := newBroker(t)
	r := startOn(t, b.addr(), func(o *collector.Options) { o.SpoolDir = t.TempDir() })
	require.Equal(t, 400, r.post("/v1/track", shopKey, `{"event":"E"}`).status, "told, after it is safe")
	r.kafka = b.start()
	require.Eventually(t, func() bool { return r.metric("cairn_collector_spool_events_total", "sent") == 1 }, bound, 5*time.Millisecond)
	recs := r.rejected()
	require.Len(t, recs, 1)
	require.Nil(t, recs[0].Key)
	require.Equal(t, "shop", header(recs[0], "cairn-source"))
}

func TestTwoCollectorsMayNotShareAFolder(t *testing.T) {
	dir := t.TempDir()
	r := startOn(t, newBroker(t).addr(), func(o *collector.Options) { o.SpoolDir = dir })
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	o := collector.Options{Namespace: "n", Listener: ln, WriteKeys: []collector.WriteKey{{Key: "k", Source: "a"}}, SpoolDir: dir}
	o.Cluster.Brokers = []string{"127.0.0.1:1"}
	_, err = collector.New(t.Context(), o)
	require.ErrorContains(t, err, "another process")
	require.NoError(t, r.stop())
}

func TestShutdownLeavesTheRestInTheSpool(t *testing.T) {
	b, dir := newBroker(t), t.TempDir()
	change := func(o *collector.Options) { o.SpoolDir = dir }
	r := startOn(t, b.addr(), change)
	require.Equal(t, 200, r.post("/v1/track", shopKey, event).status)
	begin := time.Now()
	require.NoError(t, r.stop())
	require.Less(t, time.Since(begin), 5*time.Second)

	kafka := b.start()
	r = startOn(t, b.addr(), change)
	r.kafka = kafka
	require.Eventually(t, func() bool { return r.metric("cairn_collector_spool_events_total", "sent") == 1 }, bound, 5*time.Millisecond)
	require.NoError(t, r.stop())
	require.Len(t, r.accepted(), 1)
}

const childEnv = "CAIRN_TEST_COLLECTOR_CHILD"

// TestChildCollector is no test of its own: it is the process that
// TestKillDashNineDuringAnOutage kills.
func TestChildCollector(t *testing.T) {
	args := strings.Split(os.Getenv(childEnv), ",")
	if len(args) != 3 {
		t.Skip("only as a child process")
	}
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", args[0])
	require.NoError(t, err)
	o := collector.Options{
		Namespace: namespace, Listener: ln, SpoolDir: args[2],
		WriteKeys: []collector.WriteKey{{Key: shopKey, Source: "shop"}},
	}
	o.Cluster.Brokers = []string{args[1]}
	s, err := collector.New(t.Context(), o)
	require.NoError(t, err)
	fmt.Println("child is ready")
	require.NoError(t, s.Run(context.Background()))
}

// child starts a collector as a process of its own.
func child(t *testing.T, addr, kafka, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildCollector$", "-test.v") //nolint:noctx // it is killed
	cmd.Env = append(os.Environ(), childEnv+"="+addr+","+kafka+","+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	ready := make(chan struct{})
	go func() {
		var text strings.Builder
		buf := make([]byte, 4096)
		for told := false; ; {
			n, err := out.Read(buf)
			text.Write(buf[:n])
			if !told && strings.Contains(text.String(), "child is ready") {
				told = true
				close(ready)
			}
			if err != nil {
				if !told {
					t.Log(text.String())
				}
				return
			}
		}
	}()
	await(t, ready, "the child")
	return cmd
}

func TestKillDashNineDuringAnOutage(t *testing.T) {
	b, dir := newBroker(t), t.TempDir()
	free := newBroker(t) // a port for the collector
	r := &rig{t: t, url: "http://" + free.addr()[0], client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 2 * time.Second}}
	defer r.client.CloseIdleConnections()
	const people = 6
	accepted := make([][]string, people)
	var count atomic.Int64
	end := make(chan struct{})
	var all sync.WaitGroup
	stopClients := sync.OnceFunc(func() { close(end); all.Wait() })
	defer stopClients()
	for p := range people {
		all.Go(func() {
			for next := 0; ; {
				until := make(chan struct{})
				stop := time.AfterFunc(20*time.Millisecond, func() { close(until) })
				var got []string
				got, next = r.stream(fmt.Sprintf("p%d", p), next, until)
				stop.Stop()
				accepted[p] = append(accepted[p], got...)
				count.Add(int64(len(got)))
				select {
				case <-end:
					return
				default:
				}
			}
		})
	}
	var kafka *kfake.Cluster
	const kills = 8
	for i := range kills {
		if i == kills-2 { // the last ones die while they send
			kafka = b.start()
		}
		cmd := child(t, free.addr()[0], b.addr()[0], dir)
		before := count.Load()
		require.Eventually(t, func() bool { return count.Load() > before+20 }, bound, time.Millisecond)
		timer := time.NewTimer(time.Duration(rand.IntN(150)) * time.Millisecond)
		<-timer.C
		require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
		_ = cmd.Wait() // killed
	}
	stopClients()
	last := startOn(t, b.addr(), func(o *collector.Options) { o.SpoolDir = dir })
	last.kafka = kafka
	require.Eventually(t, func() bool {
		return last.metric("cairn_collector_spool_records") == 0 && last.metric("cairn_collector_kafka_up") == 1
	}, bound, 5*time.Millisecond)
	require.NoError(t, last.stop())
	there, copies := firsts(t, last.records())
	for p := range people {
		inOrder(t, accepted[p], there[fmt.Sprintf("p%d", p)])
	}
	t.Logf("%d accepted in %d lives, %d copies", count.Load(), kills, copies)
	require.Zero(t, last.metric("cairn_collector_spool_damaged_bytes_total", "damaged"))
}
