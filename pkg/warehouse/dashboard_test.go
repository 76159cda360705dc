package warehouse

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dashboard is what the tests read of a Grafana dashboard.
type dashboard struct {
	Panels []struct {
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ RawSQL string }
	}
	Templating struct {
		List []struct{ Name, Type, Query string }
	}
}

func dashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	files, err := filepath.Glob("../../deployments/grafana/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string]dashboard{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var d dashboard
		require.NoError(t, json.Unmarshal(text, &d), file)
		all[filepath.Base(file)] = d
	}
	return all
}

// asGrafana puts in what Grafana's ClickHouse source and the dashboard's variables
// stand for.
func asGrafana(sql, ns string) string {
	sql = regexp.MustCompile(`\$__dateFilter\((\w+)\)`).ReplaceAllString(sql, "$1 >= toDate('2024-01-01') AND $1 <= toDate('2027-01-01')")
	sql = regexp.MustCompile(`\$__timeFilter\((\w+)\)`).ReplaceAllString(sql, "$1 >= toDateTime(1704067200) AND $1 <= toDateTime(1798761600)")
	return strings.NewReplacer("${bi}", ns+"_bi", "${persona:singlequote}", "'', 'loyal', 'browser'", "${kind:raw}", "stage", "${model:raw}", "linear").Replace(sql)
}

// someOfEverything is a shop in which every view finds something.
func someOfEverything(t *testing.T) *house {
	t.Helper()
	h, _ := newCrowd(t, 6, 100)
	reply := touch("reply", "anonymous:000", minute(60*24*-350))
	reply.Actor, reply.SessionId = "business", ""
	page := touch("page", "anonymous:000", minute(60*24*-351))
	page.Type, page.PagePath = "page", "/"
	h.touchpoints(reply, page)
	h.exec("INSERT INTO " + h.ns + ".data_quality (minute, source, accepted, touchpoints, revision) VALUES ('2026-03-01 12:00:00', 'shop', 1, 1, 1)")
	h.exec("INSERT INTO " + h.ns + ".journeys (journey_id, profile, status, started_at, ended_at, minted_at, touchpoints, revision) VALUES ('open', 'anonymous:open', 'open', now(), now(), now(), 1, 1)")
	return h
}

// Every query of the dashboards runs, on the views of cairn_bi alone, and finds
// something in a shop that has some of everything.
func TestTheQueriesOfTheDashboards(t *testing.T) {
	h := someOfEverything(t)
	for file, d := range dashboards(t) {
		queries := map[string]string{}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				queries[p.Title] = target.RawSQL
			}
			require.True(t, p.Type == "row" || len(p.Targets) == 1, "%s: %s", file, p.Title)
		}
		for _, v := range d.Templating.List {
			if v.Type == "query" {
				queries["variable "+v.Name] = v.Query
			}
		}
		require.Greater(t, len(queries), 10)
		for title, sql := range queries {
			t.Run(file+": "+title, func(t *testing.T) {
				h := h.of(t)
				for _, source := range regexp.MustCompile(`(?:FROM|JOIN)\s+(\S+)`).FindAllStringSubmatch(sql, -1) {
					require.True(t, strings.HasPrefix(source[1], "${bi}."), "%s is no view of ${bi}", source[1])
				}
				sql := asGrafana(sql, h.ns)
				require.NotContains(t, sql, "$", "a macro or variable that the test does not know")
				require.NotEqual(t, "0", h.rows(sql))
			})
		}
	}
}

// No panel covers another.
func TestThePanelsOfTheDashboards(t *testing.T) {
	for file, d := range dashboards(t) {
		for i, a := range d.Panels {
			for _, b := range d.Panels[:i] {
				x := a.GridPos.X < b.GridPos.X+b.GridPos.W && b.GridPos.X < a.GridPos.X+a.GridPos.W
				y := a.GridPos.Y < b.GridPos.Y+b.GridPos.H && b.GridPos.Y < a.GridPos.Y+a.GridPos.H
				require.False(t, x && y, "%s: %q covers %q", file, a.Title, b.Title)
			}
		}
	}
}
