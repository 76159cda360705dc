package collector_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/services/collector"
)

// imported is the answer to /import.
type imported struct {
	status    int
	Success   bool
	Import    string
	Chunk     uint64
	NextChunk uint64 `json:"next_chunk"`
	Lines     int64
	Accepted  int64
	Rejected  int64
	Skipped   int64
	Dropped   int64
	Errors    []struct {
		Line          int64
		Column        int
		Code, Message string
	}
	Error *struct{ Code, Message string }
}

func (r *rig) upload(query, body string, headers ...string) imported {
	r.t.Helper()
	got, err := r.send(http.MethodPost, "/import"+query, tillKey, strings.NewReader(body), headers...)
	require.NoError(r.t, err)
	return answerOf(r.t, got)
}

func answerOf(tb testing.TB, got reply) imported {
	tb.Helper()
	out := imported{status: got.status}
	require.NoError(tb, json.Unmarshal([]byte(got.body), &out), "%s", got.body)
	return out
}

func TestImportTakesWhatOthersExport(t *testing.T) {
	r := start(t, nil)
	body := strings.Join([]string{
		`{"type":"page","messageId":"seg","anonymousId":"a","timestamp":"2019-05-01T10:00:00Z","source":"web","context":{"ip":"203.0.113.77"}}`,
		``,
		`{"type":"track","event":"Order Completed","messageId":"rud","userId":"7","originalTimestamp":"2019-05-01T10:00:00Z","sentAt":"2019-05-01T10:00:01Z","receivedAt":"2019-05-01T10:00:02Z","timestamp":"2019-05-01T10:00:01Z"}`,
		`{"uuid":"0190-ph","event":"$pageview","distinct_id":"d","timestamp":"2019-05-01T10:00:00Z","properties":{"$device_id":"d","$current_url":"https://shop.example/x"}}`,
		`{"event":"plan changed","properties":{"distinct_id":"u9"},"timestamp":"2019-05-01T10:00:00Z"}`,
		`{"type":"page",,}`,
		`{"type":"page"}`,
		`{"type":"page","anonymousId":"a","timestamp":"yesterday"}`,
	}, "\n")
	got := r.upload("", body, "Cairn-Import-Id", "i1", "Cairn-Chunk", "4")
	require.Equal(t, 200, got.status)
	require.True(t, got.Success)
	require.Equal(t, []any{"i1", uint64(4), uint64(5), int64(8), int64(4), int64(3), int64(1)},
		[]any{got.Import, got.Chunk, got.NextChunk, got.Lines, got.Accepted, got.Rejected, got.Skipped})
	require.Len(t, got.Errors, 3)
	require.Equal(t, []int64{6, 7, 8}, []int64{got.Errors[0].Line, got.Errors[1].Line, got.Errors[2].Line})
	require.Equal(t, []int{16, 1, 34}, []int{got.Errors[0].Column, got.Errors[1].Column, got.Errors[2].Column})

	points := r.touchpoints()
	require.Len(t, points, 4)
	for id, p := range points {
		require.Equal(t, "1", p.backfill, id)
		require.Equal(t, "till", p.Source, "the key's source, whatever a line says")
	}
	require.Equal(t, "web", points["seg"].Context["source"])
	require.Equal(t, "203.0.113.0", points["seg"].Context["ip"])
	require.Equal(t, "7", points["rud"].key)
	require.Equal(t, "d", points["0190-ph"].AnonymousID)
	bad := r.rejected()
	require.Len(t, bad, 3)
	for _, rec := range bad {
		require.Equal(t, "malformed_line", header(rec, wire.HeaderReason))
		require.Contains(t, body, string(rec.Value), "it is kept whole")
		require.Equal(t, "1", header(rec, wire.HeaderBackfill))
		require.Regexp(t, `i1 chunk 4:[678]:\d+: `, header(rec, wire.HeaderError))
	}
	require.InDelta(t, 4, r.metric("cairn_collector_events_total", "till", "accepted"), 0)
	require.InDelta(t, 3, r.metric("cairn_collector_events_total", "till", "rejected"), 0)
}

func TestImportOfTables(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.Webhooks = mappings(t, importMapping) })
	const table = "Customer;Date;Total;Note\n7;01.07.2026;49,90;\"two\nlines\"\n8;soon;1,00;x\n9;02.07.2026;5,00\n\n7;03.07.2026;-1;y\n"
	query := "?format=csv&delimiter=semicolon&map=user_id:Customer&map=event:=order_completed&map=timestamp:Date&timestamp_format=%25d.%25m.%25Y"
	got := r.upload(query, table)
	require.Equal(t, 200, got.status, "%+v", got)
	require.EqualValues(t, 2, got.Accepted)
	require.EqualValues(t, 2, got.Rejected)
	require.Equal(t, int64(4), got.Errors[0].Line, "%+v", got.Errors)
	require.Equal(t, "bad_time", got.Errors[0].Code)
	require.Equal(t, int64(5), got.Errors[1].Line)
	require.Contains(t, got.Errors[1].Message, "the row has 3 fields and the first line names 4 columns")

	got = r.upload("?mapping=orders", table+`0;"open`, "Content-Type", "text/csv") // one column: no semicolon is known
	require.EqualValues(t, 0, got.Accepted)
	got = r.upload("?mapping=orders&format=csv&delimiter=semicolon", table, "Cairn-Import-Id", "second")
	require.EqualValues(t, 2, got.Accepted, "%+v", got)
	got = r.upload("?mapping=orders", `{"Customer":"j","Date":"01.07.2026","Total":"1,50"}`+"\n"+`{"Customer":"skip"}`)
	require.EqualValues(t, 1, got.Accepted, "%+v", got)
	require.EqualValues(t, 1, got.Skipped)
	var notes, amounts []any
	for _, p := range r.touchpoints() {
		notes, amounts = append(notes, p.Properties["Note"]), append(amounts, p.Properties["revenue"])
	}
	require.Contains(t, notes, "two\nlines")
	require.Contains(t, amounts, 49.9)
	require.Contains(t, amounts, 1.5)
}

const importMapping = `
version: 1
sources:
  orders:
    when: item.Customer != "skip"
    event: order_completed
    user_id: Customer
    timestamp: {path: Date, format: "%d.%m.%Y"}
    revenue: {path: Total, decimal: ","}
`

// mappings writes a mapping file.
func mappings(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "webhooks.yaml")
	require.NoError(tb, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestImportRefuses(t *testing.T) {
	r := start(t, func(o *collector.Options) { o.MaxImportBytes = 2000 })
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(bytes.Repeat([]byte("\n"), 3000))
	require.NoError(t, z.Close())
	for _, c := range []struct {
		name, query, body string
		headers           []string
		status            int
		says              string
	}{
		{"a format", "?format=xml", "", nil, 400, "ndjson or csv"},
		{"a delimiter", "?delimiter=x", "", nil, 400, "delimiter"},
		{"a mapping", "?mapping=none", "", nil, 404, "no mapping"},
		{"a chunk of nothing", "", "", []string{"Cairn-Chunk", "1"}, 400, "goes with Cairn-Import-Id"},
		{"a chunk that is none", "", "", []string{"Cairn-Import-Id", "x", "Cairn-Chunk", "-1"}, 400, "whole number"},
		{"a long id", "", "", []string{"Cairn-Import-Id", strings.Repeat("x", 129)}, 400, "128 bytes"},
		{"a table without a customer", "?format=csv", "a,b\n", nil, 400, "no column names a customer"},
		{"a table without anything", "?format=csv", "", nil, 400, "the body is empty"},
		{"a column twice", "?format=csv", "a,a\n", nil, 400, `two columns are called "a"`},
		{"too much", "", strings.Repeat("\n", 3000), nil, 413, "2000 bytes"},
		{"too much when unpacked", "", packed.String(), nil, 413, "2000 bytes"},
		{"a gzip that is cut off", "", cutOff(t), nil, 400, "ended early"},
		{"an encoding", "", "", []string{"Content-Encoding", "br"}, 400, "gzip or none"},
	} {
		got := r.upload(c.query, c.body, c.headers...)
		require.Equal(t, c.status, got.status, c.name)
		require.False(t, got.Success)
		require.Contains(t, got.Error.Message, c.says, c.name)
		require.Equal(t, got.Chunk, got.NextChunk, "it is asked for again")
	}
	got, err := r.send(http.MethodPost, "/import", "", strings.NewReader("{}"))
	require.NoError(t, err)
	require.Equal(t, 401, got.status)
	require.Empty(t, r.records())
}

// cutOff is a gzip of little without its end.
func cutOff(tb testing.TB) string {
	tb.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("\n\n"))
	require.NoError(tb, z.Close())
	return packed.String()[:packed.Len()-9]
}

// history is n lines without ids.
func history(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(`{"type":"page","anonymousId":"a%d","timestamp":"2020-01-01T00:00:00Z"}`, i%7)
	}
	return out
}

// broken gives its text and then fails, as a client that goes away.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = errors.New("gone")
	}
	return n, err
}

// TestAChunkThatIsSentAgainCountsOnce: what was acknowledged of a chunk whose
// client went away stays, and its repetition has the same ids and keys, which is
// what the device step tells repetitions by. Equal lines stay many.
func TestAChunkThatIsSentAgainCountsOnce(t *testing.T) {
	r := start(t, nil)
	lines := history(5000)
	whole := strings.Join(lines, "\n") + "\n"
	cut := len(strings.Join(lines[:4500], "\n")) + 20 // within a line
	chunk := []string{"Cairn-Import-Id", "i", "Cairn-Chunk", "0"}
	_, err := r.send(http.MethodPost, "/import", tillKey, broken{strings.NewReader(whole[:cut])}, chunk...)
	require.Error(t, err)
	require.Eventually(t, func() bool { return r.metric("cairn_collector_requests_total", "import", "400") == 1 }, bound, 5*time.Millisecond)
	first := r.ids()
	require.Len(t, first, 4000, "full batches only, and no half of a line")

	got := r.upload("", whole, chunk...)
	require.EqualValues(t, 5000, got.Accepted)
	all := r.ids()
	distinct := func() int { return len(r.ids()) }
	require.Equal(t, 5000, distinct(), "equal lines are many, repeated ones are not")
	for id, key := range first {
		require.Equal(t, key, all[id])
	}
	again := r.upload("", whole, chunk...)
	require.Equal(t, got, again, "the same counts")
	require.Equal(t, 5000, distinct())

	r.upload("", whole, "Cairn-Import-Id", "i", "Cairn-Chunk", "1")
	require.Equal(t, 10000, distinct(), "another chunk")
	r.upload("", whole, "Cairn-Import-Id", "j", "Cairn-Chunk", "1")
	require.Equal(t, 15000, distinct(), "another import")
}

// ids are the keys of all records by messageId; one id has one key.
func (r *rig) ids() map[string]string {
	r.t.Helper()
	out := map[string]string{}
	for _, rec := range r.accepted() {
		var v struct {
			MessageID string `json:"messageId"`
		}
		require.NoError(r.t, json.Unmarshal(rec.Value, &v))
		require.NotEmpty(r.t, v.MessageID)
		if key, seen := out[v.MessageID]; seen {
			require.Equal(r.t, key, string(rec.Key))
		}
		out[v.MessageID] = string(rec.Key)
	}
	return out
}

// flood gives many lines without holding them.
type flood struct {
	left int
	rest []byte
	pad  string
}

func (f *flood) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		if f.left == 0 {
			return 0, io.EOF
		}
		f.left--
		f.rest = fmt.Appendf(f.rest, `{"type":"track","event":"e","anonymousId":"a%d","timestamp":"2020-01-01T00:00:00Z","properties":{"pad":"%s"}}`+"\n", f.left, f.pad)
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// TestAHugeImportTakesLittleMemory: 200,000 lines, 140 MB, in bounded memory.
func TestAHugeImportTakesLittleMemory(t *testing.T) {
	const lines, mib = 200_000, 1 << 20
	r := start(t, nil)
	r.client.Timeout = 5 * time.Minute
	defer debug.SetGCPercent(debug.SetGCPercent(25))
	before := heap()
	done := make(chan struct{})
	var peak uint64
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				peak = max(peak, heap())
			}
		}
	})
	begin := time.Now()
	sent, err := r.send(http.MethodPost, "/import", tillKey, &flood{left: lines, pad: strings.Repeat("x", 600)})
	took := time.Since(begin)
	close(done)
	wg.Wait()
	require.NoError(t, err)
	got := answerOf(t, sent)
	require.Equal(t, 200, got.status, "%+v", got)
	require.EqualValues(t, lines, got.Accepted)
	grown := int64(peak) - int64(before)
	t.Logf("%d lines in %v, the heap grew by %.1f MiB at most", lines, took, float64(grown)/mib)
	require.Less(t, grown, int64(48*mib))

	cl, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.ListenAddrs()...))
	require.NoError(t, err)
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(context.Background(), topic())
	require.NoError(t, err)
	var total int64
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	require.EqualValues(t, lines, total)
}

func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestAnImportThatStallsIsCutOff, and one that outlives its time; and one under
// way when the collector ends.
func TestAnImportEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*collector.Options)
		status int
		says   string
		stop   bool
	}{
		{"stalled", func(o *collector.Options) { o.ReadTimeout = 300 * time.Millisecond }, 408, "too slowly", false},
		{"too long", func(o *collector.Options) { o.ImportTimeout = 300 * time.Millisecond }, 408, "took longer", false},
		{"the end", func(*collector.Options) {}, 503, "shutting down", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, c.change)
			out, in := io.Pipe()
			defer func() { _ = in.Close() }()
			sent := make(chan error, 1)
			go func() {
				_, err := in.Write([]byte(strings.Join(history(2001), "\n") + "\n"))
				sent <- err
			}()
			answered := make(chan reply, 1)
			go func() {
				got, err := r.send(http.MethodPost, "/import", tillKey, out)
				if err == nil {
					answered <- got
				}
				close(answered)
			}()
			require.NoError(t, <-sent)
			require.Eventually(t, func() bool { return r.metric("cairn_collector_events_total", "till", "accepted") == 2000 }, bound, 5*time.Millisecond)
			if c.stop {
				begin := time.Now()
				require.NoError(t, r.stop())
				require.Less(t, time.Since(begin), 5*time.Second)
			}
			got, ok := <-answered
			require.True(t, ok, "there was no answer")
			require.Equal(t, c.status, got.status)
			require.Contains(t, got.body, c.says)
			require.Contains(t, got.body, `"accepted":2000`, "what is in Kafka is said")
			require.Len(t, r.ids(), 2000)
		})
	}
}

// TestImportsKeepTheRulesOfASource: history is screened as news is.
func TestImportsKeepTheRulesOfASource(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "keys.yaml")
	require.NoError(t, os.WriteFile(rules, []byte("sources:\n  - source: till\n    origins: [\"https://shop.example\"]\n    consent: {required: [analytics], on_missing: drop}\n"), 0o600))
	r := start(t, func(o *collector.Options) { o.KeysFile = rules })
	got := r.upload("", `{"type":"page","anonymousId":"a","messageId":"no"}`+"\n"+
		`{"type":"page","anonymousId":"a","messageId":"yes","context":{"consent":{"analytics":true}}}`)
	require.Equal(t, []int64{1, 1, 0}, []int64{got.Accepted, got.Dropped, got.Rejected}, "%+v", got)
	require.Equal(t, map[string]string{"yes": "a"}, r.ids())
	require.Equal(t, 403, r.upload("", "{}", "Origin", "https://other.example").status)
}
