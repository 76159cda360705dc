package warehouse

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
	schemas "github.com/cairnhq/cairn/schemas/clickhouse"
)

// until holds the migrations up to a number.
func until(t *testing.T, last string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	paths, err := fs.Glob(schemas.Migrations, "migrations/*.sql")
	require.NoError(t, err)
	for _, path := range paths {
		if strings.TrimPrefix(path, "migrations/") > last+"_~" {
			continue
		}
		text, err := fs.ReadFile(schemas.Migrations, path)
		require.NoError(t, err)
		files[path] = &fstest.MapFile{Data: text}
	}
	return files
}

// A database of the version before friction keeps its rows; what was not known
// then reads as not known.
func TestUpgradeFromBeforeFriction(t *testing.T) {
	env := testbed.ClickHouse(t)
	conn, err := Open(t.Context(), env.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	h := &house{t, conn, env.Namespace}
	old := until(t, "0003")
	require.Len(t, old, 3)
	require.NoError(t, migrate(t.Context(), conn, h.ns, old, fstest.MapFS{}))
	const at = "toDateTime64('2026-03-01 12:00:00', 3, 'UTC')"
	for _, q := range []string{
		"touchpoints (message_id, identifier, type, event, event_time, received_at, actor, session_id, revision) SELECT 'm1', 'anonymous:a', 'page', 'page_viewed', " + at + ", " + at + ", 'customer', 's1', 1",
		"late (origin, message_id, identifier, event_time, revision) SELECT 'o', 'm2', 'anonymous:a', " + at + ", 1",
		"sessions (session_id, identifier, status, started_at, ended_at, minted_at, touchpoints, revision) SELECT 's1', 'anonymous:a', 'open', " + at + ", " + at + ", " + at + ", 1, 1",
		"journeys (journey_id, profile, status, started_at, ended_at, minted_at, touchpoints, transitions, stage, revision) SELECT 'j1', 'anonymous:a', 'open', " + at + ", " + at + ", " + at + ", 1, 1, 'awareness', 1",
		"transitions (journey_id, seq, profile, to_stage, at, touchpoint_id, identifier, revision) SELECT 'j1', 1, 'anonymous:a', 'awareness', " + at + ", 'm1', 'anonymous:a', 1",
	} {
		h.exec("INSERT INTO " + h.ns + "." + q)
	}

	require.NoError(t, Migrate(t.Context(), conn, h.ns))
	require.Equal(t, []string{"m1 anonymous:a s1 j1 awareness null  "},
		h.bi("message_id, profile, session_id, journey_id, stage, ifNull(toString(sentiment), 'null'), sentiment_source, device", "v_touchpoints"))
	require.Equal(t, []string{"s1 1  0 true {} null  false"},
		h.bi("session_id, toString(touchpoints), device, toString(pages), toString(is_bounce), toString(event_counts), ifNull(toString(sentiment), 'null'), persona, toString(oversized)", "v_sessions"))
	require.Equal(t, []string{"j1  null 0 0 0"},
		h.bi("journey_id, persona, ifNull(toString(sentiment), 'null'), toString(intent), toString(frictions), toString(business_touchpoints)", "v_journeys"))
	require.Equal(t, []string{"j1 null "}, h.bi("journey_id, ifNull(toString(sentiment), 'null'), persona", "v_transitions"))
	require.Empty(t, h.bi("friction_id", "v_frictions"))
	require.Equal(t, []string{"o m2"}, h.bi("origin, message_id", "v_late"))
	// Verify tells which sessions must be made anew, and finds nothing else.
	r := h.verify()
	for _, c := range r.Checks {
		if strings.HasPrefix(c.Name, "accounting") {
			continue // no counters were written
		}
		if c.Name == "values of sessions" {
			require.Equal(t, []string{"session s1 says 0 pages and has 1", "session s1 says events [] and has [('other',1)]"}, c.Examples)
			continue
		}
		require.Zero(t, c.Differences, r.String())
	}

	// Old and new rows of one key go together.
	scored := touch("m1", "anonymous:a", minute(0))
	scored.Sentiment, scored.SentimentSource, scored.Device, scored.Revision = 150, "stars", "tablet", 2
	h.touchpoints(scored)
	h.sessions(&wirepb.Session{SessionId: "s1", Identifier: "anonymous:a", Status: "open", StartedMs: minute(0), EndedMs: minute(0), MintedMs: minute(0), Touchpoints: 1, Pages: 1, Revision: 2})
	require.Equal(t, []string{"m1 1.5 tablet"}, h.bi("message_id, toString(sentiment), device", "v_touchpoints"))
	require.Equal(t, []string{"s1 1"}, h.bi("session_id, toString(pages)", "v_sessions"))
	h.exec("OPTIMIZE TABLE " + h.ns + ".sessions FINAL")
	require.Equal(t, []string{"s1 1"}, h.bi("session_id, toString(pages)", "v_sessions"))
	require.NoError(t, Migrate(t.Context(), conn, h.ns), "again")
}
