package sink

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// past makes the records of touchpoint n of an import, and of its session, at a
// random time of the years before start.
func (b *bench) past(n, years int, random *rand.Rand) []*kgo.Record {
	at := start - random.Int64N(int64(years)*365*24*3600*1000)
	id := "anonymous:p" + strconv.Itoa(n)
	return []*kgo.Record{
		b.record(stream.TopicTouchpoints, id, b.encode(&wirepb.Touchpoint{
			MessageId: "p" + strconv.Itoa(n), Identifier: id, Owner: id, Type: "track", Event: "product_viewed", TimeMs: at, ReceivedMs: start,
			Actor: "customer", SessionId: id, Revision: 1,
		})),
		b.record(stream.TopicSessions, id, b.encode(&wirepb.Session{
			SessionId: id, Identifier: id, Status: "closed", StartedMs: at, EndedMs: at, MintedMs: at, Touchpoints: 1, Revision: 1,
		})),
	}
}

// The import of years in no order: rows of each month arrive all the time, the sink
// flushes dozens of times, and yet each partition gets few parts. Merges are
// stopped, so that every part that was made is counted.
func TestABackfillMakesFewParts(t *testing.T) {
	for _, c := range []struct{ years, rows int }{{1, 20_000}, {10, 40_000}} {
		t.Run(fmt.Sprintf("%d years", c.years), func(t *testing.T) {
			const maxRows = 1000
			b := newBench(t)
			s := b.start(func(o *Options) { o.MaxRows, o.FlushInterval = maxRows, 20*time.Millisecond })
			require.Eventually(t, func() bool { return s.Ready() == nil }, patience, poll)
			for _, table := range []string{"touchpoints", "sessions"} {
				b.exec("SYSTEM STOP MERGES " + b.ns + "." + table)
			}
			random := rand.New(rand.NewPCG(1, 2))
			began := time.Now()
			const transaction = 500
			for n := 0; n < c.rows; n += transaction {
				var list []*kgo.Record
				for i := range transaction {
					list = append(list, b.past(n+i, c.years, random)...)
				}
				b.send(kgo.TryCommit, list...)
			}
			b.caughtUp()
			took := time.Since(began)
			want := strconv.Itoa(c.rows)
			require.Equal(t, []string{want}, b.query("toString(count())", ".touchpoints"))
			require.Equal(t, []string{want}, b.query("toString(count())", ".sessions"))
			parts := b.parts()
			require.GreaterOrEqual(t, len(parts), 2*12*c.years)
			most, sum := 0, 0
			for _, n := range parts {
				most, sum = max(most, n), sum+n
			}
			// One when a month has waited long enough or has enough rows, and one when
			// nothing more comes.
			bound := 2 + int(took/(time.Duration(len(parts))*holdPerShard)) + c.rows/(12*c.years)/(maxRows/4)
			for _, partition := range slices.Sorted(maps.Keys(parts)) {
				t.Logf("%s: %d parts", partition, parts[partition])
			}
			flushes := int(s.metric("cairn_sink_batch_age_seconds"))
			t.Logf("%d rows, %d partitions, %d flushes: %d parts, %d in one partition at most", 2*c.rows, len(parts), flushes, sum, most)
			require.LessOrEqual(t, most, bound, "parts in one partition after %v", took)
			require.Less(t, 2*bound, flushes, "a part at every flush would be as good: the test shows nothing")
		})
	}
}

// parts counts the active parts of each partition of touchpoints and sessions.
func (b *bench) parts() map[string]int {
	b.t.Helper()
	rows, err := b.conn.Query(b.t.Context(), "SELECT concat(table, ' ', partition), toInt64(count()) FROM system.parts WHERE active AND database = ? AND table IN ('touchpoints', 'sessions') GROUP BY 1", b.ns)
	require.NoError(b.t, err)
	defer func() { _ = rows.Close() }()
	parts := map[string]int{}
	for rows.Next() {
		var name string
		var n int64
		require.NoError(b.t, rows.Scan(&name, &n))
		parts[name] = int(n)
	}
	require.NoError(b.t, rows.Err())
	return parts
}

// While a backfill goes on, rows of now do not wait for company, and nothing is
// committed that still waits.
func TestABackfillDoesNotDelayTheLiveStream(t *testing.T) {
	b := newBench(t)
	s := b.start(func(o *Options) { o.MaxHold = time.Hour })
	require.Eventually(t, func() bool { return s.Ready() == nil }, patience, poll)
	random := rand.New(rand.NewPCG(1, 2))
	live := func(n int) *kgo.Record {
		id := "anonymous:live" + strconv.Itoa(n)
		return b.record(stream.TopicTouchpoints, id, b.encode(&wirepb.Touchpoint{
			MessageId: id, Identifier: id, Owner: id, Type: "track", Event: "product_viewed", TimeMs: time.Now().UnixMilli(), ReceivedMs: start, Actor: "customer", Revision: 1,
		}))
	}
	seen := false
	for n := 0; n < 40 && !seen; n++ {
		var list []*kgo.Record
		for i := range 200 {
			list = append(list, b.past(n*200+i, 10, random)...)
		}
		b.send(kgo.TryCommit, append(list, live(n))...)
		seen = s.metric("cairn_sink_held_rows") > 0 && b.query("toString(countIf(message_id LIKE '%live%') > 0)", ".touchpoints")[0] == "1"
		if seen {
			require.Positive(t, b.lag(), "rows that wait are not committed")
		}
	}
	require.True(t, seen, "live rows went in while old ones waited")
	b.caughtUp() // no company comes any more, so that the rest goes too
	require.Zero(t, s.metric("cairn_sink_held_rows"))
	require.Zero(t, s.metric("cairn_sink_pending_rows"))
}

// A late touchpoint changes a session of long ago, months after: the row finds its
// partition again, because that follows the touchpoint that gave the id.
func TestLateRevisionsKeepTheirPartition(t *testing.T) {
	b := newBench(t)
	const month = 30 * 24 * 3600 * 1000
	session := func(started, ended int64, revision uint64) *kgo.Record {
		return b.record(stream.TopicSessions, "s1", b.encode(&wirepb.Session{
			SessionId: "s1", Identifier: "anonymous:a", Status: "closed", StartedMs: started, EndedMs: ended, MintedMs: start, Touchpoints: revision, Revision: revision,
		}))
	}
	journey := func(started, ended int64, revision uint64) *kgo.Record {
		return b.record(stream.TopicJourneys, "j1", b.encode(&wirepb.Journey{
			JourneyId: "j1", Profile: "anonymous:a", Status: "open", StartedMs: started, EndedMs: ended, MintedMs: start, Touchpoints: revision, Revision: revision,
		}))
	}
	b.send(kgo.TryCommit, session(start, start, 1), journey(start, start, 1))
	b.start(nil)
	b.caughtUp()
	b.send(kgo.TryCommit, session(start-month, start, 2), journey(start-2*month, start+3*month, 2))
	b.caughtUp()
	for _, table := range []string{"sessions", "journeys"} {
		require.Equal(t, []string{"2 2"}, b.query("toString(touchpoints), toString(revision)", "."+table+" FINAL"))
		require.Equal(t, []string{"202603"}, b.query("arrayStringConcat(groupUniqArray(_partition_id), ' ')", "."+table))
		b.exec("OPTIMIZE TABLE " + b.ns + "." + table + " FINAL")
		require.Equal(t, []string{"2"}, b.query("toString(revision)", "."+table), "merges within a partition find both")
	}
}
