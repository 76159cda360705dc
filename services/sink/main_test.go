package sink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zaptest"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		os.Exit(runChild())
	}
	testbed.Main(m)
}

const (
	patience = time.Minute
	poll     = 20 * time.Millisecond
)

// bench is a namespace with topics on a real Kafka and a real ClickHouse.
type bench struct {
	t       testing.TB
	ns      string
	cluster stream.Cluster
	dsn     string
	conn    driver.Conn
	client  *kgo.Client // a transactional producer
}

func newBench(tb testing.TB) *bench {
	tb.Helper()
	k, c := testbed.Kafka(tb), testbed.ClickHouse(tb)
	ctx := tb.Context()
	conn, err := warehouse.Open(ctx, c.DSN)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	// One namespace for both: that of ClickHouse, whose databases testbed drops.
	client, err := stream.NewClient(k.Cluster, "test", nil, nil, kgo.TransactionalID(c.Namespace), kgo.DefaultProduceTopic("none"),
		kgo.ProducerBatchMaxBytes(stream.MaxRecordBytes))
	require.NoError(tb, err)
	tb.Cleanup(client.Close)
	b := &bench{t: tb, ns: c.Namespace, cluster: k.Cluster, dsn: c.DSN, conn: conn, client: client}
	tb.Cleanup(b.deleteTopics)
	// A topic that was created a moment ago may not be described yet.
	require.Eventually(tb, func() bool {
		err = stream.EnsureTopics(ctx, client, b.ns, stream.TopicOptions{Partitions: 3})
		return err == nil
	}, patience, 20*time.Millisecond, "%v", err)
	return b
}

func (b *bench) deleteTopics() {
	var names []string
	for _, name := range stream.AllTopics() {
		names = append(names, stream.Qualify(b.ns, name))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := kadm.NewClient(b.client).DeleteTopics(ctx, names...)
	require.NoError(b.t, err)
}

// send produces records in one transaction, which ends as end says.
func (b *bench) send(end kgo.TransactionEndTry, records ...*kgo.Record) {
	b.t.Helper()
	ctx := b.t.Context()
	require.NoError(b.t, b.client.BeginTransaction())
	require.NoError(b.t, b.client.ProduceSync(ctx, records...).FirstErr())
	require.NoError(b.t, b.client.EndTransaction(ctx, end))
}

// record makes a record of a topic of the namespace.
func (b *bench) record(topic, key string, value []byte, headers ...string) *kgo.Record {
	r := &kgo.Record{Topic: stream.Qualify(b.ns, topic), Key: []byte(key), Value: value}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return r
}

type message interface{ MarshalVT() ([]byte, error) }

func (b *bench) encode(m message) []byte {
	b.t.Helper()
	v, err := m.MarshalVT()
	require.NoError(b.t, err)
	return v
}

// touchpoint makes the record of touchpoint n; hundred of them have an identifier.
func (b *bench) touchpoint(n int) *kgo.Record {
	id := "anonymous:a" + strconv.Itoa(n/100)
	return b.record(stream.TopicTouchpoints, id, b.encode(&wirepb.Touchpoint{
		MessageId: fmt.Sprintf("m%07d", n), Identifier: id, Owner: id, Type: "track", Event: "product_viewed", TimeMs: start + int64(n)*1000,
		ReceivedMs: start + int64(n)*1000, Channel: "web", Actor: "customer", Source: "shop", SessionId: id, Properties: `{"n":` + strconv.Itoa(n) + `}`, Revision: uint64(n + 1),
	}), wire.HeaderSchema, "touchpoint/1")
}

// friction makes the record of a friction.
func (b *bench) friction(f *journey.Friction) *kgo.Record {
	b.t.Helper()
	value := wire.AppendFriction(nil, b.ns, f)
	return b.record(stream.TopicFrictions, f.Profile, value)
}

func (b *bench) touchpoints(from, to int) {
	b.t.Helper()
	var list []*kgo.Record
	for n := from; n < to; n++ {
		list = append(list, b.touchpoint(n))
	}
	b.send(kgo.TryCommit, list...)
}

// running is a sink that runs.
type running struct {
	*Service
	stop func() error // ends it and returns what Run returned
	reg  *prometheus.Registry
}

func (b *bench) start(change func(*Options)) *running {
	b.t.Helper()
	reg := prometheus.NewRegistry()
	o := Options{
		Namespace: b.ns, Cluster: b.cluster, DSN: b.dsn, Registerer: reg, FlushInterval: 50 * time.Millisecond,
		Log: zaptest.NewLogger(b.t),
	}
	if change != nil {
		change(&o)
	}
	s, err := New(b.t.Context(), o)
	require.NoError(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	r := &running{Service: s, reg: reg}
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	b.t.Cleanup(func() { require.NoError(b.t, r.stop()) })
	return r
}

// metric is the sum of a counter or gauge, or the number of a histogram's samples, over
// its label sets, of those with the label value if one is given.
func (r *running) metric(name string, label ...string) float64 {
	families, err := r.reg.Gather()
	if err != nil {
		return -1
	}
	var sum float64
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != name || (len(label) > 0 && (len(m.GetLabel()) == 0 || m.GetLabel()[0].GetValue() != label[0])) {
				continue
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// caughtUp waits until the sink's group has committed everything, transaction
// markers included.
func (b *bench) caughtUp() {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.lag() == 0 }, patience, 20*time.Millisecond, "lag is %d", b.lag())
}

// lag is the sum of the sink's lag; partitions that hold nothing count 0.
func (b *bench) lag() int64 {
	adm := kadm.NewClient(b.client)
	var names []string
	for _, name := range topics() {
		names = append(names, stream.Qualify(b.ns, name))
	}
	var committed kadm.OffsetResponses
	var err error
	require.Eventually(b.t, func() bool { // a broker that has just started has no coordinator yet
		committed, err = adm.FetchOffsetsForTopics(b.t.Context(), stream.Qualify(b.ns, stream.GroupSink), names...)
		return !errors.Is(err, kerr.CoordinatorNotAvailable)
	}, patience, 20*time.Millisecond)
	require.NoError(b.t, err)
	ends, err := adm.ListEndOffsets(b.t.Context(), names...)
	require.NoError(b.t, err)
	var sum int64
	ends.Each(func(e kadm.ListedOffset) {
		at := int64(0)
		if c, ok := committed.Lookup(e.Topic, e.Partition); ok && c.At > 0 {
			at = c.At
		}
		sum += e.Offset - at
	})
	return sum
}

// query returns the single string column of a query, {ns} replaced.
func (b *bench) query(columns, from string) []string {
	b.t.Helper()
	rows, err := b.conn.Query(b.t.Context(), fmt.Sprintf("SELECT concatWithSeparator(' ', %s) FROM %s%s", columns, b.ns, from))
	require.NoError(b.t, err)
	defer func() { _ = rows.Close() }()
	list := []string{}
	for rows.Next() {
		var s string
		require.NoError(b.t, rows.Scan(&s))
		list = append(list, s)
	}
	require.NoError(b.t, rows.Err())
	return list
}

func (b *bench) exec(query string) {
	b.t.Helper()
	require.NoError(b.t, b.conn.Exec(b.t.Context(), query))
}

// views is what the views say, row by row.
func (b *bench) views() map[string][]string {
	b.t.Helper()
	all := map[string][]string{}
	for _, view := range []string{"v_touchpoints", "v_sessions", "v_journeys", "v_transitions", "v_frictions", "v_data_quality", "v_rejected", "v_late"} {
		all[view] = b.query("toString(tuple(*))", "_bi."+view+" ORDER BY ALL")
	}
	return all
}

// start of all stories, in Unix ms.
const start = 1772366400000 // 2026-03-01T12:00:00Z
