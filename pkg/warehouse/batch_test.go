package warehouse

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// Every field of a touchpoint arrives in its column, the odd values included.
func TestTouchpointRoundTrip(t *testing.T) {
	h := newHouse(t)
	odd := "NUL \x00, not UTF-8 \xff\xfe, quote ' and 日本"
	p := &wirepb.Touchpoint{
		MessageId: "m1", Identifier: "anonymous:a", UserId: "u", Owner: "user:u", OtherIdentifiers: []string{"email:x", odd}, Type: "track",
		Event: "order_completed", TimeMs: minute(0), ReceivedMs: minute(1), OriginalMs: minute(2), Flags: 63, Channel: "email", Actor: "customer", Source: "till",
		SessionId: "s", PageUrl: "https://x/y?z", PagePath: "/y", PageTitle: odd, Referrer: "r", CampaignSource: "c1", CampaignMedium: "c2", CampaignName: "c3",
		CampaignTerm: "c4", CampaignContent: "c5", UserAgent: "ua", Ip: "203.0.113.0", Locale: "de", RevenueMicros: 1, Currency: "EUR",
		Properties: `{"big":"` + strings.Repeat("x", 2<<20) + `"}`, Traits: `{"t":1}`, Context: `{"c":1}`, PreviousId: "old", RawPartition: 3, RawOffset: 4, Revision: 5,
		Sentiment: -150, SentimentSource: "nps", Device: "tv",
	}
	h.touchpoints(p)
	var got wirepb.Touchpoint
	var at, received, original time.Time
	var sentiment int16
	row := h.conn.QueryRow(t.Context(), `SELECT message_id, identifier, user_id, owner, other_identifiers, type, event, event_time, received_at, original_time, flags,
		channel, actor, source, session_id, page_url, page_path, page_title, referrer, campaign_source, campaign_medium, campaign_name, campaign_term,
		campaign_content, user_agent, ip, locale, revenue_micros, currency, properties, traits, context, previous_id, raw_partition, raw_offset, revision,
		sentiment, sentiment_source, device FROM `+h.ns+`.touchpoints`)
	require.NoError(t, row.Scan(&got.MessageId, &got.Identifier, &got.UserId, &got.Owner, &got.OtherIdentifiers, &got.Type, &got.Event, &at, &received, &original, &got.Flags,
		&got.Channel, &got.Actor, &got.Source, &got.SessionId, &got.PageUrl, &got.PagePath, &got.PageTitle, &got.Referrer, &got.CampaignSource, &got.CampaignMedium,
		&got.CampaignName, &got.CampaignTerm, &got.CampaignContent, &got.UserAgent, &got.Ip, &got.Locale, &got.RevenueMicros, &got.Currency, &got.Properties,
		&got.Traits, &got.Context, &got.PreviousId, &got.RawPartition, &got.RawOffset, &got.Revision,
		&sentiment, &got.SentimentSource, &got.Device))
	got.Sentiment = int32(sentiment)
	got.TimeMs, got.ReceivedMs, got.OriginalMs = at.UnixMilli(), received.UnixMilli(), original.UnixMilli()
	require.True(t, proto.Equal(p, &got), "got %v", &got)
}

func TestLateAndRejectedRowsAreKeptWhole(t *testing.T) {
	h := newHouse(t)
	late := NewLateBatch()
	require.NoError(t, late.Add("ns.touchpoints.raw/0/7", "beyond_horizon", touch("m1", "anonymous:a", minute(0))))
	h.insert(late)
	h.insert(late) // again
	require.Equal(t, []string{"ns.touchpoints.raw/0/7 beyond_horizon m1 shop"}, h.bi("origin, reason, message_id, source", "v_late"))

	rejected := NewRejectedBatch()
	rejected.Add(&Rejected{Origin: "o", Reason: "bad_json", Error: "no.", Source: "shop", ReceivedMillis: 1 << 60, Key: []byte{0, 1}, Value: []byte("{\x00\xff")})
	h.insert(rejected)
	require.Equal(t, []string{"o bad_json 3 2261"}, h.bi("origin, reason, toString(value_bytes), toString(toYear(received_at))", "v_rejected"))
	require.Equal(t, []string{"7B00FF 0001"}, h.column("SELECT concat(hex(value), ' ', hex(record_key)) FROM "+h.ns+".rejected"))
}

func TestTimesThatNoColumnHoldsAreRefused(t *testing.T) {
	for _, ms := range []int64{minMillis - 1, maxMillis + 1, 1 << 62, -1 << 62} {
		p := touch("m1", "anonymous:a", ms)
		b := NewTouchpointBatch()
		require.ErrorIs(t, b.Add(p), ErrTime)
		require.ErrorContains(t, b.Add(p), "event_time")
		require.Zero(t, b.Len(), "nothing of the row is left behind")
		require.Zero(t, MonthOf(ms))
		require.ErrorIs(t, NewTransitionBatch().Add(&wire.Transition{AtMillis: ms}), ErrTime)
		require.ErrorIs(t, NewSessionBatch().Add(&wirepb.Session{MintedMs: ms}), ErrTime)
		require.ErrorIs(t, NewJourneyBatch().Add(&wirepb.Journey{StartedMs: ms}), ErrTime)
		require.ErrorIs(t, NewIdentityBatch().Add(&wirepb.Identity{Map: []*wirepb.Link{{FromMs: ms}}}), ErrTime)
		require.Error(t, NewQualityBatch().Add(&wirepb.Quality{MinuteMs: ms}))
		require.ErrorIs(t, NewEpochBatch().Add(&wirepb.Epoch{CompletedMs: ms}), ErrTime)
	}
}

// The months that batches are split by are those of the table, so that an insert
// touches one partition.
func TestMonthOfIsThePartition(t *testing.T) {
	h := newHouse(t)
	for _, ms := range []int64{minMillis, -1, 0, minute(0), time.Date(2025, 12, 31, 23, 59, 59, 999e6, time.UTC).UnixMilli(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), maxMillis} {
		h.exec("TRUNCATE TABLE " + h.ns + ".touchpoints")
		p := touch("m", "anonymous:a", ms)
		p.ReceivedMs = ms
		h.touchpoints(p)
		require.Equal(t, []string{time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.000")}, h.bi("toString(event_time)", "v_touchpoints"))
		var part string
		require.NoError(t, h.conn.QueryRow(t.Context(), "SELECT partition FROM system.parts WHERE database = ? AND table = 'touchpoints' AND active", h.ns).Scan(&part))
		require.Equal(t, time.UnixMilli(ms).UTC().Format("200601"), part)
		require.Equal(t, part, time.UnixMilli(ms).UTC().Format("200601"))
		require.Equal(t, part, formatMonth(MonthOf(ms)))
	}
}

func formatMonth(m int32) string {
	return time.Date(int(m/100), time.Month(m%100), 1, 0, 0, 0, 0, time.UTC).Format("200601")
}

func TestInsertOfARange(t *testing.T) {
	h := newHouse(t)
	b := NewTouchpointBatch()
	for _, id := range []string{"a", "b", "c", "d"} {
		require.NoError(t, b.Add(touch(id, "anonymous:a", minute(0))))
	}
	require.NoError(t, b.Insert(t.Context(), h.conn, h.ns, 1, 3))
	require.Equal(t, []string{"b", "c"}, h.bi("message_id", "v_touchpoints ORDER BY message_id"))
	require.Error(t, b.Insert(t.Context(), h.conn, h.ns, 3, 5))
	b.Reset()
	require.Zero(t, b.Len())
	require.Error(t, b.Insert(t.Context(), h.conn, h.ns, 0, 0))
}

// An insert of several blocks is one part: it happens whole or not at all, and
// ClickHouse's reason comes back whichever block it is about.
func TestALargeInsertIsOnePart(t *testing.T) {
	h := newHouse(t)
	const rows = 3*blockRows + 1
	b := NewTouchpointBatch()
	for i := range rows {
		require.NoError(t, b.Add(touch(strconv.Itoa(i), "anonymous:a", minute(0))))
	}
	for _, poison := range []int{0, blockRows, rows - 1} {
		h.exec(fmt.Sprintf("ALTER TABLE %s.touchpoints ADD CONSTRAINT poison CHECK message_id != '%d'", h.ns, poison))
		for range 3 {
			err := b.Insert(t.Context(), h.conn, h.ns, 0, rows)
			require.Error(t, err)
			require.True(t, IsDataError(err), "row %d: %v", poison, err)
		}
		require.Equal(t, []string{"0"}, h.column("SELECT toString(count()) FROM "+h.ns+".touchpoints"))
		h.exec("ALTER TABLE " + h.ns + ".touchpoints DROP CONSTRAINT poison")
	}
	h.exec("SYSTEM STOP MERGES " + h.ns + ".touchpoints")
	h.insert(b)
	require.Equal(t, []string{"1"}, h.column("SELECT toString(count()) FROM system.parts WHERE active AND table = 'touchpoints' AND database = '"+h.ns+"'"))
	require.Equal(t, []string{strconv.Itoa(rows)}, h.column("SELECT toString(uniqExact(message_id)) FROM "+h.ns+".touchpoints"))
}

// Rows of any length, lists and nulls arrive as they were, whichever block they
// travel in and wherever the insert begins.
func TestRowsOfManyBlocks(t *testing.T) {
	h := newHouse(t)
	const rows, from = 2*blockRows + 100, 10
	tp, tr, se := NewTouchpointBatch(), NewTransitionBatch(), NewSessionBatch()
	for i := range rows {
		p := touch(strconv.Itoa(i), "anonymous:a", minute(0))
		p.Properties = strings.Repeat("x", i%300)
		for n := range i % 4 {
			p.OtherIdentifiers = append(p.OtherIdentifiers, strings.Repeat("o", 100*n)+strconv.Itoa(i))
		}
		require.NoError(t, tp.Add(p))
		transition := &wire.Transition{JourneyID: "j", Seq: uint32(i), AtMillis: minute(0), EmittedMillis: minute(0)}
		session := &wirepb.Session{SessionId: strconv.Itoa(i), StartedMs: minute(0), EndedMs: minute(0), MintedMs: minute(0)}
		if i%3 > 0 {
			dwell := int64(-i)
			transition.DwellMillis = &dwell
			session.Events = []*wirepb.EventCount{{Event: "e" + strconv.Itoa(i), Count: uint64(i)}}
		}
		require.NoError(t, tr.Add(transition))
		require.NoError(t, se.Add(session))
	}
	for range 2 { // a range again, as a retry does
		for _, b := range []Batch{tp, tr, se} {
			require.NoError(t, b.Insert(t.Context(), h.conn, h.ns, from, rows))
		}
	}
	want := []string{strconv.Itoa(rows - from)}
	require.Equal(t, want, h.column("SELECT toString(countIf(length(properties) = n % 300 AND other_identifiers = arrayMap(k -> concat(repeat('o', 100 * k), message_id), range(n % 4)))) FROM (SELECT *, toUInt32(message_id) AS n FROM "+h.ns+".touchpoints FINAL)"))
	require.Equal(t, want, h.column("SELECT toString(countIf(dwell_ms IS NOT DISTINCT FROM if(seq % 3 > 0, -toInt64(seq), NULL))) FROM "+h.ns+".transitions FINAL"))
	require.Equal(t, want, h.column("SELECT toString(countIf(event_counts = if(n % 3 > 0, map(concat('e', session_id), toUInt64(n)), map()))) FROM (SELECT *, toUInt32(session_id) AS n FROM "+h.ns+".sessions FINAL)"))
}

// An idle connection that the server has closed is noticed before it is used.
func TestAClosedConnectionIsReplaced(t *testing.T) {
	h := newHouse(t)
	pool := h.conn.(*connection).pool
	client, err := pool.get(t.Context())
	require.NoError(t, err)
	require.NoError(t, client.Close())
	pool.idle = append(pool.idle, idleClient{client, time.Now().Add(-2 * freshFor)})
	h.touchpoints(touch("m1", "anonymous:a", minute(0)))
	require.Equal(t, []string{"m1"}, h.bi("message_id", "v_touchpoints"))
	require.Len(t, pool.idle, 1)
	require.NoError(t, h.conn.Close())
	require.Empty(t, pool.idle)
}

func TestDataErrors(t *testing.T) {
	h := newHouse(t)
	b := NewTouchpointBatch()
	require.NoError(t, b.Add(touch("m1", "anonymous:a", minute(0))))

	h.exec("ALTER TABLE " + h.ns + ".touchpoints ADD CONSTRAINT poison CHECK message_id != 'm1'")
	err := b.Insert(t.Context(), h.conn, h.ns, 0, 1)
	require.Error(t, err)
	require.True(t, IsDataError(err), "%v", err)

	// A table that was altered by hand is not the row's fault; the error names the column.
	h.exec("ALTER TABLE " + h.ns + ".touchpoints DROP CONSTRAINT poison, DROP COLUMN locale")
	err = b.Insert(t.Context(), h.conn, h.ns, 0, 1)
	require.ErrorContains(t, err, "locale")
	require.False(t, IsDataError(err))
	require.False(t, IsDataError(errors.New("connection refused")))

	h.exec("ALTER TABLE " + h.ns + ".touchpoints ADD COLUMN locale UInt64")
	err = b.Insert(t.Context(), h.conn, h.ns, 0, 1)
	require.ErrorContains(t, err, "locale")
	require.False(t, IsDataError(err))
	require.NoError(t, h.conn.Ping(t.Context()), "the connection is usable after")
}
