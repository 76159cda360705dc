//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// ida is in everything that is the person's, and in nothing else.
const ida = "idaX"

// TestForgetCommand: a person who came by three doors on three devices is exported,
// then forgotten by a command that is killed again and again. Nothing is left in any
// table or compacted topic, what comes later is held back, and a rebuild does not
// bring them back.
func TestForgetCommand(t *testing.T) {
	data := t.TempDir()
	m := up(t, data)
	conn := m.sql()
	m.family(t, 0)
	m.rest()
	require.NotEmpty(t, m.traces(conn))
	others := m.texts(conn, othersQuery)
	require.NotEmpty(t, others)

	person := []string{"--profile", "user:" + ida, "--data", data, "--clickhouse", m.ClickHouse}
	exported := run(t, append([]string{"export"}, person...)...)
	require.Zero(t, exported.code, exported.stderr)
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(exported.stdout), &all), exported.stdout)
	for table, want := range map[string]int{"touchpoints": 6, "transitions": 2, "journeys": 1, "late": 1} {
		var rows []map[string]any
		require.NoError(t, json.Unmarshal(all[table], &rows))
		require.GreaterOrEqual(t, len(rows), want, "%s: %s", table, all[table])
	}
	require.NotContains(t, exported.stdout, "jan")

	preview := run(t, append([]string{"forget", "--dry-run"}, person...)...)
	require.Zero(t, preview.code, preview.stderr)
	require.Regexp(t, `anonymous:idaX-web\s+no`, preview.stdout)
	require.Regexp(t, `touchpoints\s+6`, preview.stdout)
	require.Equal(t, others, m.texts(conn, othersQuery))

	forget := append([]string{"forget", "--stop", "--yes", "--output", "json", "--kafka", m.Kafka}, person...)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed of the moments of death: %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 4 {
		p := start(t, command{args: forget})
		select {
		case <-p.done:
		case <-time.After(time.Duration(200+rng.IntN(1500)) * time.Millisecond): // any moment will do
			p.kill()
		}
	}
	done := run(t, forget...)
	require.Zero(t, done.code, done.stderr)
	var res struct {
		Name    string
		Erasure struct {
			ID     string
			Topics []struct{ Topic, By string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(done.stdout), &res), done.stdout)
	require.NotEmpty(t, res.Erasure.ID)
	require.Len(t, res.Erasure.Topics, 6)
	m.rest()
	require.Empty(t, m.traces(conn))
	require.Equal(t, others, m.texts(conn, othersQuery), "others' rows are as they were")
	m.verified()

	// What they do later is held back.
	m.family(t, 100)
	m.rest()
	require.Empty(t, m.traces(conn))
	m.verified()

	// A rebuild does not bring them back.
	m.kill()
	m = up(t, data)
	conn = m.sql()
	m.rebuilt(conn, 1)
	m.rest()
	require.Empty(t, m.traces(conn))
	require.NotEmpty(t, m.texts(conn, othersQuery))
	m.verified()
	m.stop()
}

const othersQuery = "SELECT concat(profile, ' ', message_id, ' ', event, ' ', stage) FROM cairn_bi.v_touchpoints WHERE message_id LIKE 'j0-%' ORDER BY message_id"

// family sends what ida and jan do: ida on the web with Segment's SDK, in an app with
// PostHog's, at a till whose file is imported. Message ids have the round in them.
func (m *machine) family(t *testing.T, round int) {
	t.Helper()
	at := time.Now().UTC().Add(-3*time.Hour + time.Duration(round)*time.Second)
	moment := func(minutes int) string {
		return at.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339Nano)
	}
	id := func(who string, n int) string { return fmt.Sprintf("%s%d-%d", who, round, n) }
	m.send(t, "/v1/batch", map[string]any{"batch": []map[string]any{
		{"type": "track", "event": "Product Viewed", "anonymousId": ida + "-web", "messageId": id("i", 1), "timestamp": moment(1)},
		{"type": "identify", "userId": ida, "anonymousId": ida + "-web", "messageId": id("i", 2), "timestamp": moment(2)},
		{"type": "track", "event": "Order Completed", "anonymousId": ida + "-web", "messageId": id("i", 3), "timestamp": moment(3), "properties": map[string]any{"revenue": 12}},
		{"type": "track", "event": "Product Viewed", "anonymousId": ida + "-web", "messageId": id("i", 4), "timestamp": "2020-01-02T03:04:05Z"},
		{"type": "track", "event": "Product Viewed", "anonymousId": "jans", "userId": "jan", "messageId": id("j", 1), "timestamp": moment(1)},
		{"type": "track", "event": "Order Completed", "anonymousId": "jans", "userId": "jan", "messageId": id("j", 2), "timestamp": moment(4)},
	}})
	m.send(t, "/batch/", map[string]any{"api_key": m.WriteKey, "batch": []map[string]any{
		{"event": "$pageview", "distinct_id": ida + "-app", "uuid": fmt.Sprintf("018f0000-0000-7000-8000-%012d", round+1), "timestamp": moment(20), "properties": map[string]any{"$device_id": ida + "-app"}},
		{
			"event": "$identify", "distinct_id": ida, "uuid": fmt.Sprintf("018f0000-0000-7000-8000-%012d", round+2), "timestamp": moment(21),
			"properties": map[string]any{"$anon_distinct_id": ida + "-app"},
		},
	}})
	line, err := json.Marshal(map[string]any{
		"type": "track", "event": "store_purchase_completed", "anonymousId": ida + "-till", "userId": ida, "messageId": id("i", 5), "timestamp": moment(40),
	})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "till.ndjson")
	require.NoError(t, os.WriteFile(file, append(line, '\n'), 0o600))
	r := run(t, "import", file, "--source", "till", "--kafka", m.Kafka)
	require.Zero(t, r.code, r.stderr)
}

// send sends a document to the collector, with the write key.
func (m *machine) send(t *testing.T, path string, body any) {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.Collector+path, bytes.NewReader(raw))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(m.WriteKey, "")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	require.Equal(t, http.StatusOK, resp.StatusCode, path)
}

// traces lists where ida is still named: in every column of every table, and in what
// compaction leaves of the compacted topics.
func (m *machine) traces(conn clickhouse.Conn) (found []string) {
	m.t.Helper()
	for _, table := range m.texts(conn, "SELECT concat(database, '.', name) FROM system.tables WHERE startsWith(database, 'cairn') AND engine LIKE '%MergeTree'") {
		if n := number(m.t, conn, "SELECT countIf(position(toString(tuple(*)), '"+ida+"') > 0) FROM "+table); n > 0 {
			found = append(found, fmt.Sprintf("%s: %d", table, n))
		}
	}
	for _, topic := range []string{
		stream.TopicSessions, stream.TopicJourneys, stream.TopicIdentities, stream.TopicDeviceChangelog, stream.TopicProfileChangelog, stream.TopicErasures, stream.TopicQuality,
	} {
		for key, value := range m.compacted(topic) {
			if strings.Contains(key, ida) || bytes.Contains(value, []byte(ida)) {
				found = append(found, fmt.Sprintf("%s: %q", topic, key))
			}
		}
	}
	return found
}

// compacted is what compaction leaves of a topic.
func (m *machine) compacted(name string) map[string][]byte {
	m.t.Helper()
	cluster, topic := stream.Cluster{Brokers: strings.Split(m.Kafka, ",")}, stream.Qualify(m.namespace, name)
	ask, err := stream.NewClient(cluster, "e2e", nil, nil)
	require.NoError(m.t, err)
	defer ask.Close()
	begins, err := kadm.NewClient(ask).ListStartOffsets(m.t.Context(), topic)
	require.NoError(m.t, err)
	ends, err := kadm.NewClient(ask).ListCommittedOffsets(m.t.Context(), topic)
	require.NoError(m.t, err)
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if b, _ := begins.Lookup(topic, o.Partition); o.Offset > b.Offset {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().At(b.Offset), o.Offset
		}
	})
	out := map[string][]byte{}
	if len(left) == 0 {
		return out
	}
	cl, err := stream.NewClient(cluster, "e2e", nil, nil, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	require.NoError(m.t, err)
	defer cl.Close()
	for len(left) > 0 {
		fetches := cl.PollFetches(m.t.Context())
		require.NoError(m.t, fetches.Err0())
		for r := range fetches.RecordsAll() {
			switch key := string(r.Key); {
			case r.Attrs.IsControl():
			case r.Value == nil:
				delete(out, key)
			default:
				out[key] = r.Value
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return out
}
