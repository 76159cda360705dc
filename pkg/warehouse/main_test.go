package warehouse

import (
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// house is a migrated namespace of a test.
type house struct {
	t    testing.TB
	conn driver.Conn
	ns   string
}

func newHouse(tb testing.TB) *house {
	tb.Helper()
	env := testbed.ClickHouse(tb)
	conn, err := Open(tb.Context(), env.DSN)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	require.NoError(tb, Migrate(tb.Context(), conn, env.Namespace))
	return &house{tb, conn, env.Namespace}
}

func (h *house) insert(b Batch) {
	h.t.Helper()
	require.NoError(h.t, b.Insert(h.t.Context(), h.conn, h.ns, 0, b.Len()))
}

// touchpoints inserts rows, each month by itself as the sink does.
func (h *house) touchpoints(list ...*wirepb.Touchpoint) {
	h.t.Helper()
	months := map[int32]*TouchpointBatch{}
	for _, t := range list {
		month := MonthOf(t.TimeMs)
		if months[month] == nil {
			months[month] = NewTouchpointBatch()
		}
		require.NoError(h.t, months[month].Add(t))
	}
	for _, b := range months {
		h.insert(b)
	}
}

func (h *house) sessions(list ...*wirepb.Session) {
	h.t.Helper()
	for _, s := range list {
		b := NewSessionBatch()
		require.NoError(h.t, b.Add(s))
		h.insert(b)
	}
}

func (h *house) journeys(list ...*wirepb.Journey) {
	h.t.Helper()
	for _, j := range list {
		b := NewJourneyBatch()
		require.NoError(h.t, b.Add(j))
		h.insert(b)
	}
}

func (h *house) transitions(list ...*wire.Transition) {
	h.t.Helper()
	b := NewTransitionBatch()
	for _, t := range list {
		require.NoError(h.t, b.Add(t))
	}
	h.insert(b)
}

func (h *house) frictions(list ...*journey.Friction) {
	h.t.Helper()
	b := NewFrictionBatch()
	for _, f := range list {
		require.NoError(h.t, b.Add(f))
	}
	h.insert(b)
}

func (h *house) identities(list ...*wirepb.Identity) {
	h.t.Helper()
	b := NewIdentityBatch()
	for _, i := range list {
		require.NoError(h.t, b.Add(i))
	}
	h.insert(b)
}

func (h *house) quality(list ...*wirepb.Quality) {
	h.t.Helper()
	b := NewQualityBatch()
	for _, q := range list {
		require.NoError(h.t, b.Add(q))
	}
	h.insert(b)
}

func (h *house) epoch(step string) {
	h.t.Helper()
	b := NewEpochBatch()
	require.NoError(h.t, b.Add(&wirepb.Epoch{Step: step, Epoch: 1, CompletedMs: minute(0)}))
	h.insert(b)
}

func (h *house) exec(query string) {
	h.t.Helper()
	require.NoError(h.t, h.conn.Exec(h.t.Context(), query))
}

// column returns the single string column of a query.
func (h *house) column(query string) []string {
	h.t.Helper()
	rows, err := h.conn.Query(h.t.Context(), query)
	require.NoError(h.t, err)
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

// bi selects columns of a view, joined by spaces.
func (h *house) bi(columns, from string) []string {
	h.t.Helper()
	return h.column(fmt.Sprintf("SELECT concatWithSeparator(' ', %s) FROM %s_bi.%s", columns, h.ns, from))
}

// minute is a time in Unix ms, n minutes into the story all tests tell.
func minute(n int) int64 {
	return time.Date(2026, 3, 1, 12, n, 0, 0, time.UTC).UnixMilli()
}

// touch is a customer's touchpoint.
func touch(id, identifier string, at int64) *wirepb.Touchpoint {
	return &wirepb.Touchpoint{
		MessageId: id, Identifier: identifier, Owner: identifier, Type: "track", Event: "product_viewed", TimeMs: at, ReceivedMs: at + 1,
		Channel: "web", Actor: "customer", Source: "shop", SessionId: "s1", Revision: 1,
	}
}
