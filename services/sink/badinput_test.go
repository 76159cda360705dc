package sink

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

const odd = "NUL \x00, no UTF-8 \xff\xfe\xc0, ' \\ \n 日本"

// manyNames is a JSON object of n properties.
func manyNames(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `,"property_%d":%d`, i, i)
	}
	return "{" + s.String()[1:] + "}"
}

// Values that a table could choke on go through the whole sink: each is stored as it
// came, or set aside with a reason. The rows around them arrive, and every view can
// be read after.
func TestOddValues(t *testing.T) {
	const year1899, year2300 = -2208988800001, 10413792000000
	stored := map[string]*wirepb.Touchpoint{
		"first":    {TimeMs: -2208988800000, ReceivedMs: start},
		"last":     {TimeMs: 9214646399999, ReceivedMs: start},
		"odd":      {Event: odd, Channel: odd, Source: odd, UserId: odd, PageUrl: odd, PageTitle: odd, CampaignName: odd, Properties: odd, SessionId: odd, OtherIdentifiers: []string{odd}},
		"large":    {Properties: `{"x":"` + strings.Repeat("ä\\u0000", 1<<18) + `"}`}, // 2 MB
		"names":    {Properties: manyNames(5000)},
		"number":   {Properties: `{"x":1e400,"y":-1e400,"z":1e-400,"n":123456789012345678901234567890}`},
		"numbers":  {RevenueMicros: math.MaxInt64, Flags: math.MaxUint32, RawPartition: math.MaxInt32, RawOffset: math.MaxInt64, Revision: 1<<40 - 1},
		"negative": {RevenueMicros: math.MinInt64, RawPartition: math.MinInt32, RawOffset: math.MinInt64},
		"empty":    {},
		"no json":  {Properties: "{", Traits: "nonsense", Context: "[[["},
	}
	refused := map[string]*wirepb.Touchpoint{
		"before 1900":   {TimeMs: year1899},
		"after 2261":    {TimeMs: year2300},
		"min":           {TimeMs: math.MinInt64},
		"max":           {TimeMs: math.MaxInt64},
		"received 1899": {ReceivedMs: year1899},
		"original 2300": {OriginalMs: year2300},
		"score":         {Sentiment: math.MinInt32},
	}
	b := newBench(t)
	record := func(name string, p *wirepb.Touchpoint) *kgo.Record {
		p.MessageId, p.Identifier, p.Owner, p.Type, p.Actor = name, "anonymous:a", "anonymous:a", "track", "customer"
		if p.TimeMs == 0 {
			p.TimeMs = start
		}
		if p.Revision == 0 {
			p.Revision = 1
		}
		return b.record(stream.TopicTouchpoints, "anonymous:a", b.encode(p))
	}
	want := map[string]string{}
	for name, p := range stored {
		b.send(kgo.TryCommit, record(name, p))
		want[name] = fmt.Sprintf("%X %X %d %d", p.Event, p.Properties, p.RevenueMicros, p.TimeMs)
	}
	for name, p := range refused {
		b.send(kgo.TryCommit, record(name, p))
	}
	b.oddOthers()
	s := b.start(nil)
	b.caughtUp()

	have := map[string]string{}
	for _, row := range b.query("hex(message_id), concatWithSeparator(' ', hex(event), hex(properties), toString(revenue_micros), toString(toUnixTimestamp64Milli(event_time)))", ".touchpoints FINAL") {
		name, rest, _ := strings.Cut(row, " ")
		have[unhex(t, name)] = rest
	}
	require.Equal(t, want, have)
	for name := range refused {
		require.NotContains(t, have, name)
	}
	rejected := b.query("reason, error", ".rejected FINAL WHERE position(record_key, 'anonymous:a') > 0")
	require.Len(t, rejected, len(refused))
	for _, r := range rejected {
		require.Regexp(t, `^sink_out_of_range (event_time|received_at|original_time|sentiment) is -?\d+`, r, "it names the column")
	}
	require.Equal(t, []string{"2"}, b.query("toString(countIf(reason = 'sink_undecodable') + countIf(reason = 'sink_out_of_range' AND record_key = 'q'))", ".rejected FINAL"))
	require.Equal(t, []string{"1 1 1"}, b.query("(SELECT toString(count()) FROM "+b.ns+".sessions), (SELECT toString(count()) FROM "+b.ns+".journeys), toString(count())", ".transitions"))
	b.views() // none of them fails
	require.NoError(t, s.Ready())
	require.Zero(t, s.metric("cairn_sink_insert_errors_total"))
}

func unhex(t *testing.T, s string) string {
	t.Helper()
	raw, err := hex.DecodeString(s)
	require.NoError(t, err)
	return string(raw)
}

// oddOthers sends odd rows of the other tables.
func (b *bench) oddOthers() {
	b.t.Helper()
	transition := wire.AppendTransition(nil, b.ns, &wire.Transition{JourneyID: odd, Seq: math.MaxUint32, Profile: odd, To: odd, Skipped: []string{odd, ""}, AtMillis: start, Channel: odd, Revision: 1<<40 - 1})
	b.send(kgo.TryCommit,
		b.record(stream.TopicSessions, odd, b.encode(&wirepb.Session{
			SessionId: odd, Identifier: odd, Status: odd, StartedMs: start, EndedMs: start, MintedMs: start, Touchpoints: math.MaxUint64, RevenueMicros: math.MinInt64,
			LandingPage: odd, Events: []*wirepb.EventCount{{Event: odd, Count: math.MaxUint64}, {Event: odd, Count: 1}}, SentimentSum: math.MaxInt64, Revision: 1,
		})),
		b.record(stream.TopicJourneys, odd, b.encode(&wirepb.Journey{
			JourneyId: odd, Profile: odd, Status: odd, StartedMs: start, EndedMs: start, MintedMs: start, RevenueMicros: math.MaxInt64, IntentMillis: math.MinInt64, Stage: odd, Revision: 1,
		})),
		b.record(stream.TopicTransitions, odd, transition),
		b.record(stream.TopicTransitions, odd, []byte(`{"type":"cairn.transition.v1","data":{"seq":1e400}}`)),
		b.record(stream.TopicQuality, "q", b.encode(&wirepb.Quality{MinuteMs: 5_000_000_000_000, Source: odd})),
	)
}

// A table that somebody altered by hand: the sink says which column is wrong, keeps
// what it has, and goes on by itself once the table is repaired.
func TestATableAlteredByHand(t *testing.T) {
	for name, c := range map[string]struct{ alter, repair, column string }{
		"dropped": {"DROP COLUMN locale", "ADD COLUMN locale LowCardinality(String)", "locale"},
		"renamed": {"RENAME COLUMN locale TO language", "RENAME COLUMN language TO locale", "locale"},
		// The driver would store milliseconds as seconds, and nobody would notice.
		"another type": {"MODIFY COLUMN received_at DateTime('UTC')", "MODIFY COLUMN received_at DateTime64(3, 'UTC')", "received_at"},
		"another unit": {"MODIFY COLUMN received_at DateTime64(6, 'UTC')", "MODIFY COLUMN received_at DateTime64(3, 'UTC')", "received_at"},
		"narrower":     {"MODIFY COLUMN revenue_micros Int32", "MODIFY COLUMN revenue_micros Int64", "revenue_micros"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := b.start(nil)
			require.Eventually(t, func() bool { return s.Ready() == nil }, patience, poll)
			b.exec("ALTER TABLE " + b.ns + ".touchpoints " + c.alter)
			b.touchpoints(0, 10)
			require.Eventually(t, func() bool { return s.Ready() != nil }, patience, poll)
			require.ErrorContains(t, s.Ready(), c.column)
			require.ErrorContains(t, s.Ready(), b.ns+".touchpoints")
			require.GreaterOrEqual(t, b.lag(), int64(10))

			b.exec("ALTER TABLE " + b.ns + ".touchpoints " + c.repair)
			b.caughtUp()
			require.NoError(t, s.Ready())
			require.Equal(t, []string{fmt.Sprintf("10 %d", int64(start))}, b.query("toString(count()), toString(toUnixTimestamp64Milli(min(received_at)))", ".touchpoints"))
			require.Equal(t, []string{"0"}, b.query("toString(count())", ".rejected"))
		})
	}
}

// A batch for which the server has not the memory goes in by parts: repeated whole
// it would fail for ever.
func TestABatchThatIsTooMuchForTheServer(t *testing.T) {
	const rows, size, limit = 200, 200 << 10, 24 << 20
	b := newBench(t)
	var list []*kgo.Record
	for n := range rows {
		list = append(list, b.record(stream.TopicTouchpoints, "anonymous:a", b.encode(&wirepb.Touchpoint{
			MessageId: strconv.Itoa(n), Identifier: "anonymous:a", Owner: "anonymous:a", Type: "track", Actor: "customer", TimeMs: start, ReceivedMs: start,
			Properties: `{"x":"` + strings.Repeat("x", size) + `"}`, Revision: 1,
		})))
	}
	b.send(kgo.TryCommit, list...)
	s := b.start(func(o *Options) {
		o.DSN += fmt.Sprintf("?max_memory_usage=%d", limit)
		o.MaxRows, o.FlushInterval = rows, 2*time.Second
	})
	b.caughtUp()
	require.Equal(t, []string{fmt.Sprintf("%d %d", rows, rows*(size+len(`{"x":""}`)))}, b.query("toString(uniqExact(message_id)), toString(sum(length(properties)))", ".touchpoints FINAL"))
	require.Equal(t, []string{"0"}, b.query("toString(count())", ".rejected"))
	require.Positive(t, s.metric("cairn_sink_insert_errors_total"), "the server had enough, and the test shows nothing")
	require.NoError(t, s.Ready())
}

// Likewise one that takes longer than an insert may. The table looks at each row for
// 10 ms.
func TestABatchThatTakesTooLong(t *testing.T) {
	const rows = 100
	b := newBench(t)
	first := b.start(nil)
	require.Eventually(t, func() bool { return first.Ready() == nil }, patience, poll)
	require.NoError(t, first.stop())
	b.exec("ALTER TABLE " + b.ns + ".touchpoints ADD CONSTRAINT slow CHECK sleepEachRow(0.01) = 0")
	b.touchpoints(0, rows)
	s := b.start(func(o *Options) {
		o.MaxRows, o.FlushInterval, o.insertTimeout = rows, time.Second, 600*time.Millisecond
	})
	b.caughtUp()
	require.Equal(t, []string{strconv.Itoa(rows)}, b.query("toString(uniqExact(message_id))", ".touchpoints FINAL"))
	require.Equal(t, []string{"0"}, b.query("toString(count())", ".rejected"))
	require.Positive(t, s.metric("cairn_sink_insert_errors_total"), "it was fast enough, and the test shows nothing")
}
