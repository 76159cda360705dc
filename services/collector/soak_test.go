package collector_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector"
)

// soakEnv is how long TestSoak lasts, as in 30m: "make nightly" sets it. Without
// it the test lasts a moment, so that it stays alive.
const soakEnv = "CAIRN_SOAK"

const (
	soakMoment  = 3 * time.Second
	soakTimeout = 2 * time.Second // of a slow request
	soakQuick   = 10              // clients that send as fast as they are answered
	soakSlow    = 6               // clients that do not
)

// soak is a collector that is sent everything there is, and what its clients
// were told.
type soak struct {
	*rig
	told   told
	reader *kgo.Client
	offset map[int32]int64 // of the next record in Kafka to be read
	found  map[bool]int    // records read: rejected or not
	rss    []float64       // bytes, over time
}

// TestSoak sends valid, invalid, slow and huge requests in no order, at every
// door. The collector must not fall over, nor grow; and what it counted, what
// its clients were told and what is in Kafka must be the same.
func TestSoak(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after the rig's own
	length := soakLength(t)
	s := newSoak(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, for %v", seed, length)
	s.run(seed, length)
	s.addsUp()
	s.staysSmall(length)
}

func soakLength(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(soakEnv)
	if text == "" {
		return soakMoment
	}
	length, err := time.ParseDuration(text)
	require.NoError(t, err, soakEnv)
	return length
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	dir := t.TempDir()
	mappings, keys := filepath.Join(dir, "webhooks.yaml"), filepath.Join(dir, "keys.yaml")
	require.NoError(t, os.WriteFile(mappings, []byte(soakMapping), 0o600))
	require.NoError(t, os.WriteFile(keys, []byte("sources:\n  - {source: limited, events_per_second: 50}\n"), 0o600))
	s := &soak{offset: map[int32]int64{}, found: map[bool]int{}}
	s.told.codes, s.told.kinds, s.told.events = map[string]int{}, map[string]int{}, map[string]int{}
	s.rig = start(t, func(o *collector.Options) {
		o.WriteKeys = nil
		for _, source := range soakSources() {
			o.WriteKeys = append(o.WriteKeys, collector.WriteKey{Key: soakKey(source), Source: source})
		}
		o.Webhooks, o.KeysFile, o.MaxEvents = mappings, keys, soakMaxEvents
		o.ReadTimeout, o.ProduceTimeout = soakTimeout, time.Minute
	})
	s.metrics.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	s.reader, err = kgo.NewClient(kgo.SeedBrokers(s.kafka.ListenAddrs()...), kgo.ConsumeTopics(topic()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	t.Cleanup(s.reader.Close)
	return s
}

// run has clients send for that long. The first that is answered wrongly ends it.
func (s *soak) run(seed uint64, length time.Duration) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), length)
	defer cancel()
	clients, ctx := errgroup.WithContext(ctx)
	quick, slow := &rota{kinds: quickKinds()}, &rota{kinds: slowKinds()}
	for i := range soakQuick + soakSlow {
		turns := quick
		if i >= soakQuick {
			turns = slow
		}
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		clients.Go(func() error {
			for n := 0; ctx.Err() == nil; n++ {
				kind := turns.next()
				if err := kind.do(s, random, fmt.Sprintf("%d-%d", i, n)); err != nil {
					return fmt.Errorf("%s: %w", kind.name, err)
				}
				s.told.kind(kind.name)
			}
			return nil
		})
	}
	clients.Go(func() error { return s.read(ctx) })
	clients.Go(func() error {
		tick := time.NewTicker(length / 100)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				s.rss = append(s.rss, s.metric("process_resident_memory_bytes"))
			}
		}
	})
	require.NoError(s.t, clients.Wait())
}

// read counts what is in Kafka and deletes it there, so that the broker, which is
// in this process, does not grow either.
func (s *soak) read(ctx context.Context) error {
	admin := kadm.NewClient(s.reader)
	over := func() bool {
		select {
		case <-ctx.Done():
			return true
		default:
			return false
		}
	}
	for {
		fetches := s.reader.PollFetches(ctx)
		var done kadm.Offsets
		fetches.EachRecord(func(rec *kgo.Record) {
			s.found[header(rec, wire.HeaderReason) != ""]++
			s.offset[rec.Partition] = rec.Offset + 1
			done.AddOffset(rec.Topic, rec.Partition, rec.Offset+1, -1)
		})
		if over() {
			return nil // the rest is read at the end
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read Kafka: %w", err)
		}
		if _, err := admin.DeleteRecords(context.WithoutCancel(ctx), done); err != nil {
			return fmt.Errorf("delete what was read: %w", err)
		}
	}
}

// addsUp compares answers, counters and Kafka, once all is counted.
func (s *soak) addsUp() {
	s.t.Helper()
	s.client.CloseIdleConnections()
	require.Eventually(s.t, func() bool {
		return s.metric("cairn_collector_in_flight_requests") == 0 && s.answered() == s.told.answered()
	}, bound, 10*time.Millisecond,
		"requests answered: %v by the counter, %v by the clients", s.sums("cairn_collector_requests_total", "code"), s.told.codes)
	require.NoError(s.t, s.stop())
	require.Equal(s.t, s.told.codes, s.sums("cairn_collector_requests_total", "code"), "requests by status")

	counted := s.sums("cairn_collector_events_total", "source", "outcome")
	for _, name := range soakSources() { // refused requests were not read to their end, so nobody knows of how many events
		delete(counted, name+" refused")
	}
	require.Equal(s.t, s.told.events, counted, "events by source and outcome")

	ends, err := kadm.NewClient(s.reader).ListEndOffsets(s.t.Context(), topic())
	require.NoError(s.t, err)
	ctx, cancel := context.WithTimeout(s.t.Context(), bound)
	defer cancel()
	left := func() (n int64) {
		ends.Each(func(o kadm.ListedOffset) { n += o.Offset - s.offset[o.Partition] })
		return n
	}
	for left() > 0 {
		fetches := s.reader.PollFetches(ctx)
		require.NoError(s.t, fetches.Err())
		fetches.EachRecord(func(rec *kgo.Record) {
			s.found[header(rec, wire.HeaderReason) != ""]++
			s.offset[rec.Partition] = rec.Offset + 1
		})
	}
	require.Equal(s.t, map[bool]int{false: s.told.sum("accepted"), true: s.told.sum("rejected")}, s.found, "records in Kafka: false are the accepted ones, true the rejected")
	s.t.Logf("requests by kind: %v", s.told.kinds)
	s.t.Logf("events: %d accepted, %d rejected; answers: %v", s.told.sum("accepted"), s.told.sum("rejected"), s.told.codes)
	for _, kind := range append(quickKinds(), slowKinds()...) {
		require.NotZero(s.t, s.told.kinds[kind.name], "%s was never sent", kind.name)
	}
}

// answered is how many requests the collector has counted.
func (s *soak) answered() (n int) {
	for _, of := range s.sums("cairn_collector_requests_total", "code") {
		n += of
	}
	return n
}

// staysSmall compares the memory of the process in the first third and the last.
func (s *soak) staysSmall(length time.Duration) {
	s.t.Helper()
	third := len(s.rss) / 3
	require.Positive(s.t, third, "no samples in %v", length)
	first, last := median(s.rss[:third]), median(s.rss[2*third:])
	s.t.Logf("resident memory: %.0f MiB in the first third, %.0f MiB in the last", first/(1<<20), last/(1<<20))
	// What the garbage collector has not yet taken away may differ that much. A
	// few bytes per request would be more in a few minutes.
	require.Less(s.t, last, 1.2*first+32<<20, "the process grows")
}

func median(of []float64) float64 {
	sorted := slices.Clone(of)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}

// sums adds the values of a counter up by the values of its labels.
func (s *soak) sums(name string, labels ...string) map[string]int {
	s.t.Helper()
	families, err := s.metrics.Gather()
	require.NoError(s.t, err)
	out := map[string]int{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var at []string
			for _, want := range labels {
				for _, l := range m.GetLabel() {
					if l.GetName() == want {
						at = append(at, l.GetValue())
					}
				}
			}
			if n := int(m.GetCounter().GetValue()); n > 0 {
				out[strings.Join(at, " ")] += n
			}
		}
	}
	return out
}

// status is a code as counters have it.
func status(code int) string { return strconv.Itoa(code) }
