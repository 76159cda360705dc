package warehouse

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// superset is a file of the export in deployments/superset.
type superset map[string]any

// readSuperset reads the export's files that a pattern names, by their uuid.
func readSuperset(t *testing.T, pattern string) map[string]superset {
	t.Helper()
	files, err := filepath.Glob("../../deployments/superset/cairn/" + pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, pattern)
	all := map[string]superset{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var s superset
		require.NoError(t, yaml.Unmarshal(text, &s), file)
		require.NotContains(t, all, s.text("uuid"), file)
		all[s.text("uuid")] = s
	}
	return all
}

// text is the string at a key, empty if there is none.
func (s superset) text(key string) string {
	text, _ := s[key].(string)
	return text
}

// list is the strings at a key, which may be one string.
func (s superset) list(keys ...string) []string {
	var list []string
	for _, key := range keys {
		switch v := s[key].(type) {
		case string:
			list = append(list, v)
		case []any:
			for _, item := range v {
				list = append(list, fmt.Sprint(item))
			}
		}
	}
	return list
}

// children are the maps in a list at a key.
func (s superset) children(key string) []superset {
	var list []superset
	items, _ := s[key].([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			list = append(list, m)
		}
	}
	return list
}

// expressions are a dataset's columns or metrics as SQL, by name.
func (s superset) expressions(key, name string) map[string]string {
	all := map[string]string{}
	for _, c := range s.children(key) {
		all[c.text(name)] = c.text("expression")
		if c.text("expression") == "" {
			all[c.text(name)] = "`" + c.text(name) + "`"
		}
	}
	return all
}

// Each dataset is a view with all of its columns, their types and what they mean,
// and what it adds to them can be asked for.
func TestTheDatasetsForSuperset(t *testing.T) {
	h := newHouse(t)
	for _, d := range readSuperset(t, "datasets/cairn/*.yaml") {
		view := d.text("table_name")
		require.Equal(t, "cairn_bi", d.text("schema"), view)
		require.Contains(t, readSuperset(t, "databases/*.yaml"), d.text("database_uuid"), view)
		var columns []string
		for _, c := range d.children("columns") {
			if c.text("expression") == "" {
				columns = append(columns, c.text("column_name")+" "+c.text("type")+" "+c.text("description"))
			}
		}
		of := "FROM system.columns WHERE database = '" + h.ns + "_bi' AND table = '" + view + "'"
		require.Equal(t, h.column("SELECT concatWithSeparator(' ', name, type, comment) "+of+" ORDER BY position"), columns, view)
		if at := d.text("main_dttm_col"); at != "" {
			require.Len(t, h.column("SELECT name "+of+" AND type LIKE '%Date%' AND name = '"+at+"'"), 1, view)
		}
		for metric := range d.expressions("metrics", "metric_name") {
			require.NotContains(t, d.expressions("columns", "column_name"), metric, "%s: Superset would take the metric for the column where it sorts", view)
		}
		for _, kind := range [][2]string{{"columns", "column_name"}, {"metrics", "metric_name"}} {
			for name, expression := range d.expressions(kind[0], kind[1]) {
				assert.NoError(t, h.conn.Exec(t.Context(), "SELECT "+expression+" AS `"+name+"` FROM "+h.ns+"_bi."+view+" FORMAT Null"), view)
			}
		}
	}
}

// supersetQuery is what Superset asks for a chart: its columns and metrics of the
// dataset under their names, filtered and grouped.
func supersetQuery(t *testing.T, chart, dataset superset, ns string) string {
	t.Helper()
	var params superset
	params, _ = chart["params"].(map[string]any)
	columns, metrics := dataset.expressions("columns", "column_name"), dataset.expressions("metrics", "metric_name")
	var selected, groups, where []string
	for _, name := range params.list("x_axis", "groupby", "groupbyRows", "groupbyColumns", "source", "target", "all_columns") {
		require.Contains(t, columns, name)
		groups = append(groups, columns[name])
		selected = append(selected, columns[name]+" AS `"+name+"`")
	}
	for _, name := range params.list("metric", "metrics") {
		require.Contains(t, metrics, name)
		selected = append(selected, metrics[name]+" AS `"+name+"`")
	}
	for _, f := range params.children("adhoc_filters") {
		require.Contains(t, columns, f.text("subject"))
		value := fmt.Sprint(f["comparator"])
		if text, ok := f["comparator"].(string); ok {
			value = "'" + text + "'"
		}
		where = append(where, columns[f.text("subject")]+" "+strings.Replace(f.text("operator"), "==", "=", 1)+" "+value)
	}
	for _, order := range params.list("order_by_cols") {
		name, _, _ := strings.Cut(strings.TrimPrefix(order, `["`), `"`)
		require.Contains(t, columns, name)
	}
	sql := "SELECT " + strings.Join(selected, ", ") + " FROM " + ns + "_bi." + dataset.text("table_name")
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	if params.text("query_mode") != "raw" {
		sql += " GROUP BY " + strings.Join(groups, ", ")
	}
	return sql
}

// Every chart's query runs and finds something in a shop that has some of everything.
func TestTheQueriesOfTheChartsForSuperset(t *testing.T) {
	h := someOfEverything(t)
	datasets := readSuperset(t, "datasets/cairn/*.yaml")
	for _, chart := range readSuperset(t, "charts/*.yaml") {
		t.Run(chart.text("slice_name"), func(t *testing.T) {
			require.Contains(t, datasets, chart.text("dataset_uuid"))
			h := h.of(t)
			require.NotEqual(t, "0", h.rows(supersetQuery(t, chart, datasets[chart.text("dataset_uuid")], h.ns)))
		})
	}
}

// The dashboard shows every chart once, in rows that are full at most.
func TestTheDashboardForSuperset(t *testing.T) {
	charts := readSuperset(t, "charts/*.yaml")
	for _, d := range readSuperset(t, "dashboards/*.yaml") {
		shown := map[string]bool{}
		position, _ := d["position"].(map[string]any)
		var grid superset
		grid, _ = position["GRID_ID"].(map[string]any)
		for _, id := range grid.list("children") {
			var row superset
			row, _ = position[id].(map[string]any)
			var width uint64
			for _, id := range row.list("children") {
				var cell superset
				cell, _ = position[id].(map[string]any)
				meta, _ := cell["meta"].(map[string]any)
				uuid := superset(meta).text("uuid")
				require.Contains(t, charts, uuid, id)
				require.Equal(t, charts[uuid].text("slice_name"), superset(meta).text("sliceName"))
				require.NotContains(t, shown, uuid, id)
				shown[uuid] = true
				n, _ := meta["width"].(uint64)
				width += n
			}
			require.LessOrEqual(t, width, uint64(12), id)
			require.Positive(t, width, id)
		}
		require.Len(t, shown, len(charts))
	}
}
