package warehouse

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// What every view answers about a small shop, with the arithmetic beside it. "go
// test -run Golden -rewrite" writes the answers anew: check them on paper then.
func TestGoldenAnswersOfTheViews(t *testing.T) {
	h := newHouse(t)
	now := time.Now().UTC()
	ago := regexp.MustCompile(`\{ago (\d+)\}`)
	datadriven.RunTest(t, "testdata/golden.txt", func(t *testing.T, d *datadriven.TestData) string {
		t.Helper()
		h.t = t
		sql := strings.ReplaceAll(d.Input, "{ns}", h.ns)
		sql = ago.ReplaceAllStringFunc(sql, func(s string) string {
			minutes, err := time.ParseDuration(ago.FindStringSubmatch(s)[1] + "m")
			require.NoError(t, err)
			return "'" + now.Add(-minutes).Format(time.DateTime) + "'"
		})
		if d.Cmd == "exec" {
			h.exec(sql)
			return ""
		}
		require.Equal(t, "query", d.Cmd)
		return h.text(sql)
	})
}

// No view is without an answer in the file.
func TestGoldenAnswersOfEveryView(t *testing.T) {
	h := newHouse(t)
	file, err := os.ReadFile("testdata/golden.txt")
	require.NoError(t, err)
	for _, view := range h.column("SELECT name FROM system.tables WHERE database = '" + h.ns + "_bi'") {
		require.Regexp(t, `(?m)^SELECT .* FROM \{ns\}_bi\.`+view+`\b`, string(file))
	}
}

// text is a result with its columns' names, separated by " | ".
func (h *house) text(sql string) string {
	h.t.Helper()
	rows, err := h.conn.Query(h.t.Context(), sql+" LIMIT 0")
	require.NoError(h.t, err, sql)
	require.NoError(h.t, rows.Close())
	var texts []string
	for _, name := range rows.Columns() {
		texts = append(texts, "ifNull(toString(`"+name+"`), '-')")
	}
	var out strings.Builder
	fmt.Fprintln(&out, strings.Join(rows.Columns(), " | "))
	for _, line := range h.column("SELECT arrayStringConcat([" + strings.Join(texts, ", ") + "], ' | ') FROM (" + sql + ")") {
		fmt.Fprintln(&out, line)
	}
	return out.String()
}
