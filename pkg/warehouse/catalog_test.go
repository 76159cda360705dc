package warehouse

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What Metabase, Superset and Grafana read before any data: every view of NAME_bi
// with a comment, every column with a type that they know and a comment, in
// system.columns and in information_schema.
func TestTheCatalogueThatBIToolsRead(t *testing.T) {
	h := newHouse(t)
	in := "WHERE database = '" + h.ns + "_bi' AND "
	views := h.column("SELECT name FROM system.tables WHERE database = '" + h.ns + "_bi' ORDER BY name")
	for _, name := range []string{
		"v_touchpoints", "v_sessions", "v_journeys", "v_profiles", "v_transitions", "v_stage_funnel", "v_time_in_stage", "v_journey_map", "v_emotion_curve", "v_friction",
		"v_path_edges", "v_top_paths", "v_next_after_dropoff", "v_attribution", "v_retention", "v_cohort_ltv", "v_response_latency", "v_content_engagement", "v_lead_intent",
		"v_data_quality", "v_freshness", "dim_stage", "dim_channel", "dim_persona",
	} {
		require.Contains(t, views, name)
	}
	require.Empty(t, h.column("SELECT name FROM system.tables "+in+"(comment = '' OR engine != 'View')"))
	require.Empty(t, h.column("SELECT concat(table, '.', name) FROM system.columns "+in+"comment = ''"))
	require.Empty(t, h.column("SELECT concat(table, '.', name) FROM system.columns "+in+"NOT match(name, '^[a-z][a-z0-9_]*$')"), "snake case")
	require.Empty(t, h.column("SELECT concat(table, '.', name) FROM system.columns "+in+"(type LIKE '%AggregateFunction%' OR type LIKE '%DateTime%' AND type NOT LIKE '%UTC%')"))
	require.Empty(t, h.column("SELECT concat(table, '.', name) FROM system.columns "+in+"(name LIKE '%duration%' OR name LIKE '%dwell%' OR name LIKE '%latency%') AND name NOT LIKE '%seconds'"), "units in names")
	require.Empty(t, h.column(`SELECT name FROM system.tables `+in+`match(create_table_query, '\\{\\w+:\\w+')`), "parameters are for cairn_api: Metabase cannot sync them")

	require.Equal(t,
		h.column("SELECT concatWithSeparator(' ', table, name, type, comment) FROM system.columns "+in+"1 ORDER BY table, position"),
		h.column("SELECT concatWithSeparator(' ', table_name, column_name, data_type, column_comment) FROM information_schema.columns WHERE table_schema = '"+h.ns+"_bi' ORDER BY table_name, ordinal_position"))
	for _, view := range views {
		for _, settings := range []string{"", " SETTINGS join_use_nulls = 1, max_execution_time = 30"} { // what a tool may set
			require.NoError(t, h.conn.Exec(t.Context(), "SELECT * FROM "+h.ns+"_bi."+view+" LIMIT 10"+settings), view)
		}
	}
}

// The types that a view declares are those of its query. The server would convert,
// but then it asks the query for what only the declared type has, such as the size
// of a string, and does not find it.
func TestViewsDeclareTheTypesOfTheirQueries(t *testing.T) {
	h := newHouse(t)
	for _, view := range h.column("SELECT name FROM system.tables WHERE database = '" + h.ns + "_bi' ORDER BY name") {
		query := h.column("SELECT as_select FROM system.tables WHERE database = '" + h.ns + "_bi' AND name = '" + view + "'")[0]
		rows, err := h.conn.Query(t.Context(), "SELECT * FROM ("+query+") LIMIT 0")
		require.NoError(t, err, view)
		var yields []string
		for _, c := range rows.ColumnTypes() {
			yields = append(yields, c.Name()+" "+c.DatabaseTypeName())
		}
		require.NoError(t, rows.Close())
		assert.Equal(t, h.column("SELECT concatWithSeparator(' ', name, type) FROM system.columns WHERE database = '"+h.ns+"_bi' AND table = '"+view+"' ORDER BY position"), yields, view)
	}
}

// The data dictionary is what the server says, word by word.
func TestTheDataDictionary(t *testing.T) {
	h := newHouse(t)
	page, err := os.ReadFile("../../docs/data-dictionary.md")
	require.NoError(t, err)
	var got []string
	view := ""
	for line := range strings.Lines(string(page)) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "## "); ok {
			view = name
			continue
		}
		if f := strings.SplitN(line, " | ", 3); len(f) == 3 && strings.HasPrefix(line, "| `") {
			got = append(got, fmt.Sprintf("%s %s %s %s", view, strings.Trim(f[0], "| `"), strings.Trim(f[1], "`"), strings.TrimSuffix(f[2], " |")))
		}
	}
	require.Equal(t, h.column("SELECT concatWithSeparator(' ', table, name, type, comment) FROM system.columns WHERE database = '"+h.ns+"_bi' ORDER BY table, position"), got)
}
