package warehouse

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// page is docs/warehouse.md.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/warehouse.md")
	require.NoError(t, err)
	return string(text)
}

// The page says of each view's columns what the view says.
func TestTheDocumentationKnowsEveryColumn(t *testing.T) {
	h := newHouse(t)
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| .* \\| (.*) \\|$")
	_, views, found := strings.Cut(page(t), "\n# Views of `cairn_bi`\n")
	require.True(t, found)
	views, _, _ = strings.Cut(views, "\n# ")
	documented := []string{}
	for _, section := range strings.Split(views, "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		var want []string
		for _, m := range row.FindAllStringSubmatch(text, -1) {
			want = append(want, m[1]+": "+m[2])
		}
		require.Equal(t, want, h.column("SELECT concat(name, ': ', comment) FROM system.columns WHERE database = '"+h.ns+"_bi' AND table = '"+name+"' ORDER BY position"), name)
		documented = append(documented, name)
	}
	require.ElementsMatch(t, h.column("SELECT name FROM system.tables WHERE database = '"+h.ns+"_bi'"), documented)
}

// Each query of the page runs, and where the page quotes a result of this shop's
// it is the result.
func TestTheQueriesOfTheDocumentation(t *testing.T) {
	h := frictionShop(t)
	quoted := 0
	query := regexp.MustCompile("(?s)\\*\\*([^*]+)\\*\\*[^`]*?\n\n```sql\n(.*?)```\n(?:\n```\n(.*?)```)?")
	for _, m := range query.FindAllStringSubmatch(page(t), -1) {
		sql := strings.NewReplacer("cairn_bi.", h.ns+"_bi.", "cairn_api.", h.ns+"_api.", ";", "").Replace(m[2])
		t.Run(m[1], func(t *testing.T) {
			require.NoError(t, h.conn.Exec(t.Context(), sql+" FORMAT Null"))
			switch m[1] {
			case "Friction by stage and channel", "The emotion curve", "Conversion by persona":
				quoted++
				require.Equal(t, m[3], h.of(t).pretty(sql))
			}
		})
	}
	require.Equal(t, 3, quoted)
	require.Equal(t, strings.Count(page(t), "```sql"), len(query.FindAllString(page(t), -1))+1, "all but the one about parameterised views")
}

// pretty is a result as clickhouse-client draws it: numbers to the right.
func (h *house) pretty(sql string) string {
	h.t.Helper()
	rows, err := h.conn.Query(h.t.Context(), sql+" LIMIT 0")
	require.NoError(h.t, err)
	require.NoError(h.t, rows.Close())
	var texts []string
	var right []bool
	for _, c := range rows.ColumnTypes() {
		texts = append(texts, "ifNull(toString("+c.Name()+"), 'ᴺᵁᴸᴸ')")
		right = append(right, regexp.MustCompile("Int|Float|Decimal").MatchString(c.DatabaseTypeName()))
	}
	table := [][]string{rows.Columns()}
	rows, err = h.conn.Query(h.t.Context(), "SELECT ["+strings.Join(texts, ", ")+"] FROM ("+sql+")")
	require.NoError(h.t, err)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var cells []string
		require.NoError(h.t, rows.Scan(&cells))
		table = append(table, cells)
	}
	require.NoError(h.t, rows.Err())
	return draw(table, right)
}

// draw draws a table whose first row is its head.
func draw(table [][]string, right []bool) string {
	width := make([]int, len(right))
	for _, row := range table {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	line := func(row []string, left, between, end, space string) string {
		cells := make([]string, len(row))
		for i, cell := range row {
			fill := strings.Repeat(space, width[i]-utf8.RuneCountInString(cell))
			if right[i] {
				cells[i] = fill + cell
			} else {
				cells[i] = cell + fill
			}
		}
		return left + space + strings.Join(cells, space+between+space) + space + end + "\n"
	}
	var out strings.Builder
	out.WriteString(line(table[0], "┌", "┬", "┐", "─"))
	for _, row := range table[1:] {
		out.WriteString(line(row, "│", "│", "│", " "))
	}
	out.WriteString(line(make([]string, len(right)), "└", "┴", "┘", "─"))
	return out.String()
}

// frictionShop is a made-up shop: twelve customers, of whom those who hunt for
// bargains fail at the checkout more often.
func frictionShop(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shop()))
	for n := range 12 {
		id, profile := fmt.Sprintf("j%02d", n), fmt.Sprintf("anonymous:%02d", n)
		persona := []string{"bargain_hunter", "regular", ""}[n%3]
		converted := n%4 == 0 || n%3 == 1 && n%4 != 3
		j := &wirepb.Journey{
			JourneyId: id, Profile: profile, Status: "lapsed", StartedMs: minute(0), EndedMs: minute(10), MintedMs: minute(0), Touchpoints: 3,
			Transitions: 2, Stage: "consideration", Persona: persona, Revision: 1,
		}
		at := func(name string, ms int64, hundredths int32, source string) *wirepb.Touchpoint {
			p := touch(id+name, profile, ms)
			p.Sentiment, p.SentimentSource, p.Channel = hundredths, source, []string{"web", "email"}[n%2]
			if source != "" {
				j.SentimentSum += int64(hundredths)
				j.SentimentCount++
			}
			return p
		}
		list := []*wirepb.Touchpoint{at("a", minute(0), 0, ""), at("b", minute(5), -100, "signal")}
		if converted {
			j.Status, j.Stage, j.Transitions = "converted", "purchase", 3
			list = append(list, at("c", minute(10), int32(100+n*10), "stars"))
		} else {
			list = append(list, at("c", minute(10), 0, ""))
		}
		h.touchpoints(list...)
		h.journeys(j)
		step := func(seq uint32, to, touchpoint string, ms int64) *wire.Transition {
			return &wire.Transition{JourneyID: id, Seq: seq, Profile: profile, To: to, AtMillis: ms, TouchpointID: touchpoint, Identifier: profile, Persona: persona, Revision: 1}
		}
		h.transitions(step(1, "awareness", id+"a", minute(0)), step(2, "consideration", id+"b", minute(5)))
		if converted {
			h.transitions(step(3, "purchase", id+"c", minute(10)))
		}
		h.shopFrictions(n, id, profile, persona, converted)
	}
	return h
}

// shopFrictions writes the trouble of customer n.
func (h *house) shopFrictions(n int, id, profile, persona string, converted bool) {
	h.t.Helper()
	f := &journey.Friction{
		ID: id + "/rage", Profile: profile, JourneyID: id, Name: "rage_click", Kind: "event", Severity: 1, Stage: "consideration", AtMillis: minute(5),
		TouchpointID: id + "b", Identifier: profile, Channel: []string{"web", "email"}[n%2], Persona: persona, Revision: 1,
	}
	if n%3 == 0 {
		h.frictions(f)
	}
	if !converted {
		a := *f
		a.ID, a.Name, a.Kind, a.Severity, a.AtMillis, a.TouchpointID = id+"/abandoned", "checkout_abandoned", "absence", 3, minute(40), id+"c"
		h.frictions(&a)
	}
}
