package warehouse

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
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

// oldRows are inserts of a row into each table, of columns that it had from its
// first version on.
func oldRows() map[string]string {
	const at = "toDateTime64('2026-03-01 12:00:00', 3, 'UTC')"
	return map[string]string{
		"touchpoints":  "(message_id, identifier, type, event, event_time, received_at, actor, session_id, properties, revision) SELECT 'm1', 'anonymous:a', 'page', 'page_viewed', " + at + ", " + at + ", 'customer', 's1', '{}', 1",
		"late":         "(origin, message_id, identifier, event_time, revision) SELECT 'o', 'm2', 'anonymous:a', " + at + ", 1",
		"rejected":     "(origin, reason, received_at, value) SELECT 'o', 'bad_json', " + at + ", '{'",
		"sessions":     "(session_id, identifier, status, started_at, ended_at, minted_at, touchpoints, revision) SELECT 's1', 'anonymous:a', 'open', " + at + ", " + at + ", " + at + ", 1, 1",
		"journeys":     "(journey_id, profile, status, started_at, ended_at, minted_at, touchpoints, transitions, stage, revision) SELECT 'j1', 'anonymous:a', 'open', " + at + ", " + at + ", " + at + ", 1, 1, 'awareness', 1",
		"transitions":  "(journey_id, seq, profile, to_stage, at, touchpoint_id, identifier, revision) SELECT 'j1', 1, 'anonymous:a', 'awareness', " + at + ", 'm1', 'anonymous:a', 1",
		"identities":   "(identifier, map, revision) SELECT 'anonymous:b', [(" + at + ", 'm9', '7')], 1",
		"data_quality": "(minute, source, accepted, touchpoints, revision) SELECT toDateTime('2026-03-01 12:00:00', 'UTC'), 'shop', 1, 1, 1",
		"models":       "(model, goal, revision) SELECT 'shop', 'purchase', 1",
		"stages":       "(model, stage, stage_order, revision) SELECT 'shop', 'awareness', 1, 1",
		"frictions":    "(friction_id, profile, journey_id, name, kind, severity, at, touchpoint_id, identifier, revision) SELECT 'f1', 'anonymous:a', 'j1', 'rage_click', 'event', 3, " + at + ", 'm1', 'anonymous:a', 1",
	}
}

// A database of any earlier version becomes like a new one, keeps every value of
// every row, and takes the rows of today.
func TestUpgradeFromEveryVersion(t *testing.T) {
	fresh := newHouse(t)
	list, err := readMigrations(schemas.Migrations)
	require.NoError(t, err)
	for _, m := range list {
		t.Run("from "+m.file, func(t *testing.T) {
			h := emptyHouse(t)
			require.NoError(t, migrate(t.Context(), h.conn, h.ns, until(t, m.file[:4]), fstest.MapFS{}))
			before := map[string]string{}
			for _, table := range h.column("SELECT name FROM system.tables WHERE database = '" + h.ns + "'") {
				if row, ok := oldRows()[table]; ok {
					h.exec("INSERT INTO " + h.ns + "." + table + " " + row)
					before[table] = h.values(table, h.columnsOf(table))
				}
			}
			require.NotEmpty(t, before)
			old := map[string][]string{}
			for table := range before {
				old[table] = h.columnsOf(table)
			}

			require.NoError(t, Migrate(t.Context(), h.conn, h.ns))
			for table, values := range before {
				require.Equal(t, values, h.values(table, old[table]), "rows of %s", table)
			}
			require.Equal(t, fresh.schema(), h.schema())
			require.Equal(t, []string{"m1 anonymous:a"}, h.bi("message_id, profile", "v_touchpoints"))
			for _, view := range h.column("SELECT name FROM system.tables WHERE database = '" + h.ns + "_bi'") {
				h.exec("SELECT * FROM " + h.ns + "_bi." + view + " FORMAT Null")
			}
			h.epochRows(h.ns, "new", 10, 0)
			h.frictions(&journey.Friction{ID: "f2", Name: "rage_click", AtMillis: minute(0), EmittedMillis: minute(0), Severity: 1, Revision: 1})
			require.Len(t, h.bi("message_id", "v_touchpoints"), 2)
		})
	}
}

func (h *house) columnsOf(table string) []string {
	return h.column("SELECT name FROM system.columns WHERE database = '" + h.ns + "' AND table = '" + table + "' ORDER BY position")
}

// values is the content of some columns of a table, as text.
func (h *house) values(table string, columns []string) string {
	return strings.Join(h.column("SELECT toString(tuple("+strings.Join(columns, ", ")+")) FROM "+h.ns+"."+table+" ORDER BY 1"), "\n")
}

// schema is all tables with columns, types, defaults, comments and engines, without
// the namespace's name, and without those that a refresh fills at the moment.
func (h *house) schema() []string {
	list := h.column("SELECT concat(database, '.', name, ': ', create_table_query) FROM system.tables WHERE database IN ('" + h.ns + "', '" + h.ns + "_next') AND name NOT LIKE '.tmp%' ORDER BY database, name")
	for i := range list {
		list[i] = strings.ReplaceAll(list[i], h.ns, "NS")
	}
	return list
}
