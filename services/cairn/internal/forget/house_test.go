package forget_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/cairn/internal/forget"
	"github.com/cairnhq/cairn/services/cairn/internal/replay"
	"github.com/cairnhq/cairn/services/sessionizer"
	"github.com/cairnhq/cairn/services/sink"
)

func TestMain(m *testing.M) { testbed.Main(m) }

const secret = "of this namespace"

// house is a namespace on an embedded broker and a real ClickHouse.
type house struct {
	t       *testing.T
	cluster stream.Cluster
	ns, dsn string
	cl      *kgo.Client
	conn    driver.Conn
	model   *journey.Model
	stop    func() error // the sessionizer
}

func newHouse(t *testing.T) *house {
	t.Helper()
	env := testbed.ClickHouse(t)
	h := &house{t: t, cluster: testbed.Fake(t), ns: env.Namespace, dsn: env.DSN}
	var err error
	h.model, err = model.Builtin("shop")
	require.NoError(t, err)
	h.cl, err = stream.NewClient(h.cluster, "test", nil, nil)
	require.NoError(t, err)
	t.Cleanup(h.cl.Close)
	require.NoError(t, stream.EnsureTopics(t.Context(), h.cl, h.ns, stream.TopicOptions{Partitions: 3, Replication: 1, Embedded: true}))
	h.conn, err = warehouse.Open(t.Context(), h.dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.conn.Close() })
	require.NoError(t, warehouse.Migrate(t.Context(), h.conn, h.ns))
	require.NoError(t, warehouse.PutModel(t.Context(), h.conn, h.ns, h.model))
	s, err := sink.New(t.Context(), sink.Options{Namespace: h.ns, Cluster: h.cluster, DSN: h.dsn, FlushInterval: 30 * time.Millisecond})
	require.NoError(t, err)
	h.run(s.Run)
	h.stop = h.sessionizer()
	return h
}

func (h *house) run(fn func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- fn(ctx) }()
	ended := false
	stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return <-done
	}
	h.t.Cleanup(func() { _ = stop() })
	return stop
}

func (h *house) sessionizer() (stop func() error) {
	h.t.Helper()
	log := zap.NewNop()
	if os.Getenv("CAIRN_TEST_LOG") != "" {
		log = zaptest.NewLogger(h.t)
	}
	s, err := sessionizer.New(h.t.Context(), sessionizer.Options{
		Namespace: h.ns, Cluster: h.cluster, Model: h.model, InstanceID: "test", CommitInterval: 20 * time.Millisecond, Secret: []byte(secret), Log: log,
	})
	require.NoError(h.t, err)
	return h.run(s.Run)
}

func (h *house) settle() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	require.NoError(h.t, replay.WorkedOff(ctx, h.cl, h.ns))
}

// event is a raw record, minutes after a morning two days ago.
func (h *house) event(key string, minutes float64, fields map[string]any) *kgo.Record {
	at := time.Now().Add(-48 * time.Hour).Truncate(time.Hour).Add(time.Duration(minutes * float64(time.Minute)))
	all := map[string]any{"type": "track", "timestamp": at.Format(time.RFC3339Nano), "receivedAt": at.Format(time.RFC3339Nano), "source": "shop"}
	maps.Copy(all, fields)
	body, err := json.Marshal(all)
	require.NoError(h.t, err)
	return &kgo.Record{Topic: stream.Qualify(h.ns, stream.TopicRaw), Key: []byte(key), Value: body, Timestamp: at}
}

func (h *house) send(recs ...*kgo.Record) {
	h.t.Helper()
	for _, r := range recs { // one by one: they go to several partitions, and their order matters
		require.NoError(h.t, h.cl.ProduceSync(h.t.Context(), r).FirstErr())
	}
}

func (h *house) strings(query string) []string {
	h.t.Helper()
	rows, err := h.conn.Query(context.Background(), strings.ReplaceAll(query, "DB.", h.ns+"."))
	require.NoError(h.t, err, query)
	defer func() { _ = rows.Close() }()
	list := []string{}
	for rows.Next() {
		var s string
		require.NoError(h.t, rows.Scan(&s))
		list = append(list, s)
	}
	require.NoError(h.t, rows.Err())
	return list
}

func (h *house) verify() {
	h.t.Helper()
	report, err := warehouse.Verify(h.t.Context(), h.conn, h.ns, warehouse.VerifyOptions{})
	require.NoError(h.t, err)
	require.Zero(h.t, report.Differences(), "%s", report)
	require.Equal(h.t, []string{"0"}, h.strings("SELECT toString(sum(abs(difference))) FROM "+h.ns+"_bi.v_data_quality"))
}

func (h *house) forget(name string, stop bool) *forget.Result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 25*time.Second)
	defer cancel()
	res, err := forget.Run(ctx, h.cl, h.conn, forget.Options{Namespace: h.ns, Secret: []byte(secret), Name: forget.Name{Stored: name}, Stop: stop, Tell: func(s string) { h.t.Log(time.Now().Format("05.000"), s) }})
	require.NoError(h.t, err)
	return res
}

// traces lists where a word still stands: in every text of every table, and in the
// compacted view of every compacted topic.
func (h *house) traces(word string) []string {
	h.t.Helper()
	found := []string{}
	for _, table := range h.strings("SELECT concat(database, '.', name) FROM system.tables WHERE database IN ('" + h.ns + "', '" + h.ns + "_next') AND engine LIKE '%MergeTree'") {
		n := h.strings("SELECT toString(countIf(position(toString(tuple(*)), '" + word + "') > 0)) FROM " + table)
		if n[0] != "0" {
			found = append(found, table+": "+n[0])
		}
	}
	for _, name := range []string{
		stream.TopicSessions, stream.TopicJourneys, stream.TopicIdentities, stream.TopicDeviceChangelog, stream.TopicProfileChangelog, stream.TopicErasures, stream.TopicQuality,
	} {
		for key, value := range h.compacted(name) {
			if bytes.Contains([]byte(key), []byte(word)) || bytes.Contains(value, []byte(word)) {
				found = append(found, name+": "+key)
			}
		}
	}
	return found
}

// compacted is what compaction leaves of a topic.
func (h *house) compacted(name string) map[string][]byte {
	h.t.Helper()
	topic := stream.Qualify(h.ns, name)
	ends, err := kadm.NewClient(h.cl).ListCommittedOffsets(h.t.Context(), topic)
	require.NoError(h.t, err)
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().At(0), o.Offset
		}
	})
	out := map[string][]byte{}
	if len(left) == 0 {
		return out
	}
	cl, err := stream.NewClient(h.cluster, "reader", nil, nil, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	require.NoError(h.t, err)
	defer cl.Close()
	for len(left) > 0 {
		fetches := cl.PollFetches(h.t.Context())
		require.NoError(h.t, fetches.Err0())
		for r := range fetches.RecordsAll() {
			if !r.Attrs.IsControl() {
				if key := string(r.Key); r.Value == nil {
					delete(out, key)
				} else {
					out[key] = r.Value
				}
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return out
}
