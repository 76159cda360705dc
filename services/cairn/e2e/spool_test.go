//go:build linux

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// sender posts events of one person to a collector that comes and goes, each
// again until it is accepted or given up, and remembers what was promised.
func sender(url, person string, until <-chan struct{}) (promised []string) {
	client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	for n := 0; ; n++ {
		select {
		case <-until:
			return promised
		default:
		}
		id := fmt.Sprintf("%s-%05d", person, n)
		body := fmt.Sprintf(`{"event":"E","userId":%q,"messageId":%q}`, person, id)
		for range 3 { // a client that sends again makes copies, too
			req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+"/v1/track", strings.NewReader(body))
			if err != nil {
				panic(err)
			}
			req.SetBasicAuth("key", "")
			res, err := client.Do(req)
			if err != nil {
				continue
			}
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				promised = append(promised, id)
				break
			}
		}
	}
}

// The collector is killed again and again while Kafka is there, away, and back:
// what it promised is counted once by the device step.
func TestKillDashNineOfTheCollector(t *testing.T) {
	port := func() int {
		ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { _ = ln.Close() }()
		return ln.Addr().(*net.TCPAddr).Port
	}
	kafkaPort, data, logs := port(), t.TempDir(), t.TempDir()
	broker := func() *kfake.Cluster {
		var c *kfake.Cluster
		eventually(t, "the broker's port", func(context.Context) (err error) {
			c, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(kafkaPort), kfake.DataDir(logs))
			return err
		})
		t.Cleanup(c.Close)
		return c
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port()))
	m := &machine{t: t, namespace: "spool", Kafka: net.JoinHostPort("127.0.0.1", strconv.Itoa(kafkaPort))}
	collector := func() *child {
		p := start(t, command{
			args: []string{"collector", "--namespace", m.namespace, "--kafka", m.Kafka, "--addr", addr, "--admin-addr", "127.0.0.1:0"},
			env:  []string{"CAIRN_COLLECTOR_WRITE_KEYS=key:shop", "CAIRN_DATA=" + data},
		})
		p.ready()
		return p
	}

	kafka := broker()
	p := collector()
	const people = 5
	promised := make([][]string, people)
	end := make(chan struct{})
	var all sync.WaitGroup
	stop := sync.OnceFunc(func() { close(end); all.Wait() })
	defer stop()
	for i := range people {
		all.Go(func() { promised[i] = sender("http://"+addr, fmt.Sprintf("p%d", i), end) })
	}
	moment := func() {
		timer := time.NewTimer(time.Duration(200+rand.IntN(500)) * time.Millisecond)
		<-timer.C
	}
	for round := range 3 {
		moment()
		kafka.Close()
		for range 2 {
			moment()
			p.kill()
			p = collector() // without Kafka: readiness means that events are taken
		}
		moment()
		kafka = broker()
		if round == 1 { // while it sends
			p.kill()
			p = collector()
		}
	}
	stop()
	p.stop()
	p = collector() // what was left is sent
	m.sessionizer(t.TempDir())

	counts := map[string]int{}
	total := 0
	for _, ids := range promised {
		total += len(ids)
	}
	require.Greater(t, total, 100)
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.Kafka), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeTopics(stream.Qualify(m.namespace, stream.TopicTouchpoints)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer cl.Close()
	order := map[string][]string{}
	missing := func() (n int) {
		for _, ids := range promised {
			for _, id := range ids {
				if counts[id] == 0 {
					n++
				}
			}
		}
		return n
	}
	eventually(t, "all promised touchpoints", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		for _, rec := range cl.PollFetches(ctx).Records() {
			if typeOf(rec) != "" {
				continue
			}
			var tp wirepb.Touchpoint
			if err := tp.UnmarshalVTUnsafe(rec.Value); err != nil {
				return err
			}
			counts[tp.MessageId]++
			order[tp.UserId] = append(order[tp.UserId], tp.MessageId)
		}
		if n := missing(); n > 0 {
			return fmt.Errorf("%d of %d are missing", n, total)
		}
		return nil
	})
	for id, n := range counts {
		require.Equal(t, 1, n, "%s was counted %d times", id, n)
	}
	for i := range people {
		at := 0
		for _, id := range order[fmt.Sprintf("p%d", i)] {
			if at < len(promised[i]) && promised[i][at] == id {
				at++
			}
		}
		require.Equal(t, len(promised[i]), at, "p%d is out of order", i)
	}
	t.Logf("%d promised", total)
	p.stop()
}

func typeOf(rec *kgo.Record) string {
	for _, h := range rec.Headers {
		if h.Key == wire.HeaderType {
			return string(h.Value)
		}
	}
	return ""
}
