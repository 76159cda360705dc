package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/cairnhq/cairn/pkg/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const rawTopic = "shop.touchpoints.raw"

// world is a broker with the namespace "shop", a monitor of its device group
// and a clock.
type world struct {
	t       *testing.T
	cluster stream.Cluster
	cl      *kgo.Client
	adm     *kadm.Client
	mon     *Service
	member  *kgo.Client // of the group; nil: nobody joined
	now     time.Time
}

func newWorld(t *testing.T, partitions int32, change func(*Options)) *world {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, rawTopic))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	w := &world{t: t, cluster: stream.Cluster{Brokers: c.ListenAddrs()}, now: time.Now()}
	w.cl = w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	w.adm = kadm.NewClient(w.cl)
	o := Options{Namespace: "shop", Cluster: w.cluster, Groups: []string{stream.GroupDevice}, Now: func() time.Time { return w.now }}
	if change != nil {
		change(&o)
	}
	w.mon, err = New(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(w.mon.Close)
	return w
}

func (w *world) client(opts ...kgo.Opt) *kgo.Client {
	cl, err := stream.NewClient(w.cluster, "test", nil, nil, opts...)
	require.NoError(w.t, err)
	w.t.Cleanup(cl.Close)
	return cl
}

// write appends a record that is age old to partition 0.
func (w *world) write(age time.Duration) {
	r := &kgo.Record{Topic: rawTopic, Value: []byte("x"), Timestamp: w.now.Add(-age)}
	require.NoError(w.t, w.cl.ProduceSync(w.t.Context(), r).FirstErr())
}

// transact writes n records in a transaction and ends it as told.
func (w *world) transact(n int, age time.Duration, end kgo.TransactionEndTry) {
	cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("t1"))
	require.NoError(w.t, cl.BeginTransaction())
	for range n {
		r := &kgo.Record{Topic: rawTopic, Value: []byte("x"), Timestamp: w.now.Add(-age)}
		require.NoError(w.t, cl.ProduceSync(w.t.Context(), r).FirstErr())
	}
	require.NoError(w.t, cl.EndTransaction(w.t.Context(), end))
}

// commit commits an offset of partition 0, by the member if there is one: a
// group that lives takes commits from nobody else.
func (w *world) commit(offset int64) {
	if w.member == nil {
		offsets := kadm.Offsets{}
		offsets.AddOffset(rawTopic, 0, offset, -1)
		require.NoError(w.t, w.adm.CommitAllOffsets(w.t.Context(), "shop.device", offsets))
		return
	}
	var failed error
	w.member.CommitOffsetsSync(w.t.Context(), map[string]map[int32]kgo.EpochOffset{rawTopic: {0: {Epoch: -1, Offset: offset}}},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			failed = err
			if err == nil {
				failed = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
			}
		})
	require.NoError(w.t, failed)
}

// join connects a consumer to the group until the test ends; it commits nothing by itself.
func (w *world) join() {
	w.member = w.client(kgo.ConsumeTopics(rawTopic), kgo.ConsumerGroup("shop.device"), kgo.DisableAutoCommit())
	go func(cl *kgo.Client) {
		for !cl.PollFetches(context.Background()).IsClientClosed() {
		}
	}(w.member)
	require.Eventually(w.t, func() bool {
		d, err := w.adm.DescribeGroups(w.t.Context(), "shop.device")
		return err == nil && d["shop.device"].State == "Stable"
	}, 20*time.Second, 20*time.Millisecond)
}

// look is the monitor's view of partition 0.
func (w *world) look() PartitionLag {
	snap, err := w.mon.Snapshot(w.t.Context())
	require.NoError(w.t, err)
	require.NotEmpty(w.t, snap.Partitions)
	return snap.Partitions[0]
}

func (w *world) requireLag(records int64, seconds float64, status Status) PartitionLag {
	w.t.Helper()
	p := w.look()
	require.NotNil(w.t, p.Lag, p.Reason)
	require.NotNil(w.t, p.Seconds, p.Reason)
	require.Equal(w.t, records, *p.Lag, p.Reason)
	require.InDelta(w.t, seconds, *p.Seconds, 0.01, p.Reason)
	require.Equal(w.t, status, p.Status, p.Reason)
	return p
}

func TestLagIsTheAgeOfTheFirstUncommittedRecord(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.join()
	for _, age := range []time.Duration{40 * time.Second, 30 * time.Second, 20 * time.Second, 10 * time.Second} {
		w.write(age)
	}
	w.commit(1)
	p := w.requireLag(3, 30, OK)
	require.Equal(t, "3 records, 30s behind", p.Reason)
	w.commit(4)
	p = w.requireLag(0, 0, OK)
	require.Equal(t, "caught up", p.Reason)
	w.write(0)
	w.commit(5)
	w.requireLag(0, 0, OK)
}

func TestTheSecondsGrowWhileAConsumerHangs(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.join()
	w.write(0)
	w.commit(0)
	w.requireLag(1, 0, OK)
	w.now = w.now.Add(20 * time.Second)
	w.requireLag(1, 20, OK)
	w.now = w.now.Add(20 * time.Second)
	p := w.requireLag(1, 40, Stalled)
	require.Equal(t, "no commit for 40s; 1 records, 40s behind", p.Reason)
	w.commit(1)
	w.requireLag(0, 0, OK)
}

func TestAConsumerThatMovesButIsFarBehindLags(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.join()
	for i := range 5 {
		w.write(time.Duration(5-i) * time.Hour)
	}
	for i := range int64(4) {
		w.commit(i)
		w.now = w.now.Add(25 * time.Second)
		require.Equal(t, Lagging, w.look().Status)
	}
}

func TestAQuietTopicIsNoStall(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.join()
	w.write(0)
	w.commit(1)
	w.requireLag(0, 0, OK)
	w.now = w.now.Add(24 * time.Hour)
	w.requireLag(0, 0, OK)
	w.write(0) // the first record after a day is no day late
	w.requireLag(1, 0, OK)
}

func TestNoCommitIsAbsentNotZero(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.write(time.Hour)
	p := w.look()
	require.Nil(t, p.Lag)
	require.Nil(t, p.Seconds)
	require.Nil(t, p.Committed)
	require.Equal(t, NoCommit, p.Status)
	require.Equal(t, "nothing was ever committed and no consumer is connected; up to 1 records wait", p.Reason)

	w.join()
	snap, err := w.mon.Snapshot(t.Context())
	require.NoError(t, err)
	require.Equal(t, NoCommit, snap.Partitions[0].Status)
	require.Equal(t, OK, snap.Partitions[1].Status, "an empty partition has nothing to commit")
	require.Nil(t, snap.Partitions[1].Lag)
}

func TestAGroupThatIsDownIsStillReported(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.write(time.Hour)
	w.commit(0)
	p := w.requireLag(1, 3600, NoConsumers)
	require.Equal(t, "no consumer is connected; 1 records, 1h0m0s behind", p.Reason)
}

func TestMarkersOfTransactionsAreNoLag(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.join()
	w.transact(2, time.Minute, kgo.TryCommit) // offsets 0 and 1, marker 2
	w.commit(2)
	p := w.requireLag(0, 0, OK)
	require.EqualValues(t, 3, *p.End, "the marker is in the log")

	w.transact(3, time.Minute, kgo.TryAbort) // 3 to 5, marker 6: nobody will ever read them
	w.requireLag(0, 0, OK)

	w.transact(1, 7*time.Second, kgo.TryCommit)
	w.requireLag(7, 7, OK) // markers and aborted records among them, the age is the data's
}

func TestAnOpenTransactionIsNoLagButAReasonWhenItStays(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.join()
	w.write(0)
	w.commit(1)
	cl := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("t2"))
	require.NoError(t, cl.BeginTransaction())
	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: rawTopic, Value: []byte("x")}).FirstErr())
	w.requireLag(0, 0, OK)
	w.now = w.now.Add(31 * time.Second)
	p := w.requireLag(0, 0, Stalled)
	require.Equal(t, "an open transaction has held back 1 offsets for 31s; caught up", p.Reason)
	require.NoError(t, cl.EndTransaction(t.Context(), kgo.TryAbort))
	w.requireLag(0, 0, OK)
}

func TestDeletedRecordsAreNoLag(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.join()
	for i := range 5 {
		w.write(time.Duration(50-10*i) * time.Second)
	}
	w.commit(1)
	offsets := kadm.Offsets{}
	offsets.AddOffset(rawTopic, 0, 4, -1)
	_, err := w.adm.DeleteRecords(t.Context(), offsets)
	require.NoError(t, err)
	p := w.requireLag(1, 10, OK)
	require.Contains(t, p.Reason, "3 offsets were deleted before they were read")
}

func TestACommitBeyondTheLogIsUnknown(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.join()
	w.commit(7)
	p := w.look()
	require.Nil(t, p.Lag)
	require.Equal(t, Unknown, p.Status)
	require.Contains(t, p.Reason, "beyond the log's end")
}

func TestAllGroupsOfANamespaceWithoutTopics(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer c.Close()
	m, err := New(t.Context(), Options{Namespace: "empty", Cluster: stream.Cluster{Brokers: c.ListenAddrs()}})
	require.NoError(t, err)
	defer m.Close()
	snap, err := m.Snapshot(t.Context())
	require.NoError(t, err)
	require.Empty(t, snap.Partitions)
}

func TestTheOutputFieldsAreTheContract(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.write(0)
	out, err := json.Marshal(w.look())
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(out, &fields))
	for _, name := range []string{"group", "topic", "partition", "lag", "lag_seconds", "status", "reason"} {
		require.Contains(t, fields, name)
	}
	require.Nil(t, fields["lag"])
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWorld(t, 2, func(o *Options) { o.Registerer = reg })
	w.join()
	w.write(5 * time.Second)
	require.Error(t, w.mon.Ready())
	w.commit(0)
	w.look()
	require.NoError(t, w.mon.Ready())
	require.Equal(t, map[string]float64{
		`kafka_consumergroup_group_lag cluster_name=shop group=shop.device partition=0 topic=shop.touchpoints.raw`:         1,
		`kafka_consumergroup_group_lag_seconds cluster_name=shop group=shop.device partition=0 topic=shop.touchpoints.raw`: 5,
		`kafka_consumergroup_group_max_lag_seconds cluster_name=shop group=shop.device`:                                    5,
		`kafka_consumergroup_group_sum_lag cluster_name=shop group=shop.device`:                                            1,
	}, gather(t, reg, "kafka_"), "partition 1 has no commit, so no lag")
	require.Len(t, gather(t, reg, "cairn_monitor_status"), 2*len(Statuses()))

	w.now = w.now.Add(time.Hour)
	require.Empty(t, gather(t, reg, "kafka_"), "an old look is not shown as now")
}

// gather lists the series whose names begin with prefix, seconds rounded.
func gather(t *testing.T, reg *prometheus.Registry, prefix string) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), prefix) {
			continue
		}
		for _, m := range f.GetMetric() {
			name := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				name = append(name, l.GetName()+"="+l.GetValue())
			}
			out[strings.Join(name, " ")] = math.Round(m.GetGauge().GetValue())
		}
	}
	return out
}

func TestABrokerThatIsAwayMakesItNotReady(t *testing.T) {
	m, err := New(t.Context(), Options{Namespace: "shop", Cluster: stream.Cluster{Brokers: []string{"127.0.0.1:1"}}})
	require.NoError(t, err)
	defer m.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err = m.Snapshot(ctx)
	require.Error(t, err)
	require.Error(t, m.Ready())
}

func TestRunLooksUntilTheContextEnds(t *testing.T) {
	w := newWorld(t, 1, func(o *Options) { o.Interval = 10 * time.Millisecond })
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() { done <- w.mon.Run(ctx) }()
	require.Eventually(t, func() bool { return w.mon.Ready() == nil }, 10*time.Second, 5*time.Millisecond)
	cancel(errors.New("enough"))
	require.NoError(t, <-done)
}
