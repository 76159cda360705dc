package stream_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// counter counts records per key and emits each count: after anything that may
// go wrong, the committed counts of a key must be exactly 1, 2, 3, ..., n.
type counter struct {
	state *stream.State
	topic string
	dirty map[string]uint64
}

func newCounter(_ int32, st *stream.State) (stream.Task, error) {
	return &counter{state: st, topic: "ns." + stream.TopicSessions, dirty: map[string]uint64{}}, nil
}

func (c *counter) Process(r *kgo.Record, out stream.Output) error {
	n, ok := c.dirty[string(r.Key)]
	if !ok {
		raw, err := c.state.Get(r.Key)
		if err != nil {
			return err
		}
		if raw != nil {
			n = binary.BigEndian.Uint64(raw)
		}
		if odd, err := c.state.Get(c.odd(string(r.Key))); err != nil || (odd != nil) != (n%2 == 1) {
			return fmt.Errorf("%s stands at %d, its row of odd counts is there: %t, %w", r.Key, n, odd != nil, err)
		}
	}
	c.dirty[string(r.Key)] = n + 1
	out.Produce(&kgo.Record{Topic: c.topic, Key: append([]byte(nil), r.Key...), Value: []byte(strconv.FormatUint(n+1, 10))})
	return nil
}

func (c *counter) Due(stream.Clock) bool                  { return false }
func (c *counter) Tick(stream.Clock, stream.Output) error { return nil }

func (c *counter) Flush(stream.Clock, stream.Output) error {
	for k, n := range c.dirty {
		c.state.Put([]byte(k), binary.BigEndian.AppendUint64(nil, n))
		if n%2 == 1 { // a row that comes and goes, and has no value
			c.state.Put(c.odd(k), []byte{})
		} else {
			c.state.Delete(c.odd(k))
		}
	}
	return nil
}

func (c *counter) odd(k string) []byte { return []byte("odd " + k) }

func (c *counter) Committed() { clear(c.dirty) }
func (c *counter) Rollback()  { clear(c.dirty) }

// bench is a kfake with the namespace's topics.
type bench struct {
	t    *testing.T
	fake *kfake.Cluster
	c    stream.Cluster
	cl   *kgo.Client
	sent map[string]int
	dir  string // for state on disk; "": in memory
	name string // of the instance
	reg  *prometheus.Registry
	core zapcore.Core
	logs *observer.ObservedLogs
}

// eachStore runs a test with state in memory, and on disk.
func eachStore(t *testing.T, test func(b *bench)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(newBench(t)) })
	t.Run("pebble", func(t *testing.T) {
		b := newBench(t)
		b.dir = t.TempDir()
		test(b)
	})
}

func newBench(t *testing.T) *bench {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	return benchOn(t, fake, stream.Cluster{Brokers: fake.ListenAddrs()})
}

func benchOn(t *testing.T, fake *kfake.Cluster, c stream.Cluster) *bench {
	t.Helper()
	cl, err := stream.NewClient(c, "test", nil, nil)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	require.NoError(t, stream.EnsureTopics(t.Context(), cl, "ns", stream.TopicOptions{Partitions: 3, Replication: 1}))
	return &bench{t: t, fake: fake, c: c, cl: cl, sent: map[string]int{}, name: "one"}
}

func (b *bench) produce(n int) {
	b.t.Helper()
	var recs []*kgo.Record
	for range n {
		k := "k" + strconv.Itoa(rand.IntN(20))
		b.sent[k]++
		recs = append(recs, &kgo.Record{Topic: "ns." + stream.TopicRaw, Key: []byte(k), Value: []byte("x")})
	}
	require.NoError(b.t, b.cl.ProduceSync(b.t.Context(), recs...).FirstErr())
}

// start runs a step; a step that fails is made anew while again says so.
func (b *bench) start(again bool) (stop func() error) {
	b.t.Helper()
	b.watch()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		for {
			err := b.run(ctx)
			b.t.Log("step ended:", err)
			if err == nil || !again || ctx.Err() != nil {
				done <- err
				return
			}
		}
	}()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(45 * time.Second):
			return errors.New("the step did not stop")
		}
	}
	b.t.Cleanup(func() { _ = stop() })
	return stop
}

func (b *bench) run(ctx context.Context) error {
	s, err := stream.NewStep(stream.StepOptions{
		Cluster: b.c, Namespace: "ns", Name: stream.GroupDevice, Input: stream.TopicRaw, InstanceID: b.name,
		NewTask: newCounter, CommitInterval: 10 * time.Millisecond, Registerer: &kept{b.reg},
		Log:      zaptest.NewLogger(b.t, zaptest.WrapOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return zapcore.NewTee(c, b.core) }))),
		StateDir: b.dir, StateCache: stream.MinStateCache,
	})
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// watch collects metrics and logs anew.
func (b *bench) watch() {
	b.reg = prometheus.NewRegistry()
	b.core, b.logs = observer.New(zap.InfoLevel)
}

// kept keeps the metrics of a step that has ended, until the next replaces them.
type kept struct{ *prometheus.Registry }

func (*kept) Unregister(prometheus.Collector) bool { return false }

func (k *kept) Register(c prometheus.Collector) error {
	err := k.Registry.Register(c)
	if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		k.Registry.Unregister(c)
		err = k.Registry.Register(c)
	}
	return err
}

// metric is the sum over the labels of a metric of the last run.
func (b *bench) metric(name string) (sum float64) {
	b.t.Helper()
	families, err := b.reg.Gather()
	require.NoError(b.t, err)
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// wrong is "" if every key's committed counts are 1 to the number sent.
func (b *bench) wrong() string {
	ends, err := stream.DataEnds(b.t.Context(), b.cl, "ns."+stream.TopicSessions)
	require.NoError(b.t, err)
	from := map[int32]kgo.Offset{}
	for p, end := range ends["ns."+stream.TopicSessions] {
		if end > 0 {
			from[p] = kgo.NewOffset().At(0)
		}
	}
	got := map[string]int{}
	if len(from) > 0 {
		cl, err := stream.NewClient(b.c, "reader", nil, nil, kgo.FetchMaxWait(100*time.Millisecond), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"ns." + stream.TopicSessions: from}))
		require.NoError(b.t, err)
		defer cl.Close()
		for len(from) > 0 {
			for r := range cl.PollFetches(b.t.Context()).RecordsAll() {
				got[string(r.Key)]++
				if string(r.Value) != strconv.Itoa(got[string(r.Key)]) {
					return fmt.Sprintf("%s: count %s is committed as number %d", r.Key, r.Value, got[string(r.Key)])
				}
				if r.Offset+1 >= ends["ns."+stream.TopicSessions][r.Partition] {
					delete(from, r.Partition)
				}
			}
		}
	}
	for k, n := range b.sent {
		if got[k] != n {
			return fmt.Sprintf("%s: %d of %d counted", k, got[k], n)
		}
	}
	return ""
}

func (b *bench) requireExact() {
	b.t.Helper()
	b.requireExactWithin(40 * time.Second)
}

func (b *bench) requireExactWithin(d time.Duration) {
	b.t.Helper()
	last := ""
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if last = b.wrong(); last == "" {
			return
		}
	}
	require.Empty(b.t, last, "the counts never became exact")
}

func TestExactlyOnceWithoutTrouble(t *testing.T) {
	eachStore(t, func(b *bench) {
		stop := b.start(false)
		b.produce(500)
		b.requireExact()
		b.produce(500)
		b.requireExact()
		require.NoError(b.t, stop())
	})
}

// TestExactlyOnceUnderFaults fails requests of every kind that a transaction
// takes, each a few times, while records flow. An abort must take the state back.
func TestExactlyOnceUnderFaults(t *testing.T) {
	for _, f := range []struct {
		key  kmsg.Key
		errs []*kerr.Error
	}{
		{kmsg.TxnOffsetCommit, []*kerr.Error{kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.CoordinatorLoadInProgress}},
		{kmsg.EndTxn, []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.UnknownServerError, kerr.InvalidProducerEpoch}},
		{kmsg.Produce, []*kerr.Error{kerr.NotLeaderForPartition, kerr.InvalidTxnState, kerr.TransactionAbortable}},
		{kmsg.AddPartitionsToTxn, []*kerr.Error{kerr.ConcurrentTransactions}},
		{kmsg.AddOffsetsToTxn, []*kerr.Error{kerr.ConcurrentTransactions, kerr.NotCoordinator}},
		{kmsg.InitProducerID, []*kerr.Error{kerr.ConcurrentTransactions}},
		{kmsg.Heartbeat, []*kerr.Error{kerr.RebalanceInProgress, kerr.UnknownMemberID}},
		{kmsg.OffsetFetch, []*kerr.Error{kerr.UnstableOffsetCommit, kerr.CoordinatorLoadInProgress}},
		{kmsg.Fetch, []*kerr.Error{kerr.NotLeaderForPartition}},
	} {
		t.Run(f.key.Name(), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.dir = t.TempDir() // what matters is the loop: one kind of store is enough
			b.start(true)
			b.produce(100)
			for _, err := range f.errs {
				fault := kfake.Fault{Keys: []kmsg.Key{f.key}, Err: err, Count: 2}
				if f.key == kmsg.Produce { // the steps' transactions, not the test's records
					fault.When = func(r kmsg.Request) bool { return r.(*kmsg.ProduceRequest).TransactionID != nil }
				}
				b.fake.Fault(fault)
				b.produce(200)
			}
			b.produce(100)
			b.requireExact()
		})
	}
}

// TestRestartsRestoreTheState stops and starts, with nothing but the changelog left.
func TestRestartsRestoreTheState(t *testing.T) {
	eachStore(t, func(b *bench) {
		for range 5 {
			stop := b.start(false)
			b.produce(200)
			time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) // wherever it happens to be
			require.NoError(b.t, stop())
		}
		b.start(false)
		b.requireExact()
	})
}

// TestOffsetsOfAnotherHistoryHalt: a state that does not belong to the group's
// offsets would lose or double records, so the step refuses it.
func TestOffsetsOfAnotherHistoryHalt(t *testing.T) {
	eachStore(t, func(b *bench) {
		stop := b.start(false)
		b.produce(300)
		b.requireExact()
		require.NoError(b.t, stop())
		var offsets kadm.Offsets
		offsets.AddOffset("ns."+stream.TopicRaw, 0, 1, -1)
		require.NoError(b.t, kadm.NewClient(b.cl).CommitAllOffsets(b.t.Context(), "ns."+stream.GroupDevice, offsets))
		var mismatch *stream.MismatchError
		b.watch()
		require.ErrorAs(b.t, b.run(b.t.Context()), &mismatch)
		require.EqualValues(b.t, 0, mismatch.Partition)
		require.EqualValues(b.t, 1, mismatch.Committed)
	})
}

// TestExpiredOffsetsResumeFromTheState: the broker forgets the offsets of an
// idle group, the changelog's meta record does not.
func TestExpiredOffsetsResumeFromTheState(t *testing.T) {
	eachStore(t, func(b *bench) {
		stop := b.start(false)
		b.produce(300)
		b.requireExact()
		require.NoError(b.t, stop())
		_, err := kadm.NewClient(b.cl).DeleteGroup(b.t.Context(), "ns."+stream.GroupDevice)
		require.NoError(b.t, err)
		b.start(false)
		b.produce(300)
		b.requireExact()
	})
}

func TestDifferentPartitionCountsAreAnError(t *testing.T) {
	b := newBench(t)
	_, err := kadm.NewClient(b.cl).CreatePartitions(t.Context(), 1, "ns."+stream.TopicDeviceChangelog)
	require.NoError(t, err)
	err = stream.EnsureTopics(t.Context(), b.cl, "ns", stream.TopicOptions{Partitions: 3, Replication: 1})
	require.ErrorContains(t, err, "ns.device.changelog has 4 partitions and ns.touchpoints.raw has 3")
}
