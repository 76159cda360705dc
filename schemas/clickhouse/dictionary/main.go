// Command dictionary writes docs/data-dictionary.md from the comments of the views
// for people and BI tools. It reads the DDL, so that it needs no server; a test of
// pkg/warehouse holds the page against what a server says.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	clickhouse "github.com/cairnhq/cairn/schemas/clickhouse"
)

const head = `# Data dictionary

Every view of ` + "`cairn_bi`" + `, the public interface for people and BI tools, with every column. Made by ` + "`make generate`" + ` from the comments of the views, which
ClickHouse shows, too: ` + "`DESCRIBE cairn_bi.v_journeys`" + `. What the views mean, with example queries: [warehouse.md](warehouse.md).

`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dictionary FILE\nexample: dictionary docs/data-dictionary.md")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dictionary:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	list, err := views()
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(head+page(list)), 0o644) //nolint:gosec // a page for everyone
}

// view is a view of NAME_bi.
type view struct {
	name, comment string
	columns       []column
}

type column struct{ name, typ, comment string }

var (
	create = regexp.MustCompile(`(?s)CREATE OR REPLACE VIEW \{\{\.DB\}\}_bi\.(\w+)\s*\((.*?)\n\)\s*AS\b(.*?);\n`)
	// A column is a line: a name, a type, a comment.
	columnLine = regexp.MustCompile(`^\s*(\w+)\s+(.+?)\s+COMMENT '((?:[^']|'')*)',?$`)
	viewText   = regexp.MustCompile(`(?s)\nCOMMENT '((?:[^']|'')*)'$`)
)

// views reads all views in name order.
func views() ([]view, error) {
	files, err := fs.Glob(clickhouse.Views, "views/*.sql")
	if err != nil {
		return nil, err
	}
	var list []view
	for _, file := range files {
		text, err := fs.ReadFile(clickhouse.Views, file)
		if err != nil {
			return nil, err
		}
		found := create.FindAllStringSubmatch(string(text), -1)
		if want := strings.Count(string(text), "VIEW {{.DB}}_bi."); len(found) != want {
			return nil, fmt.Errorf("%s: %d of its %d views are written as columns in lines, then AS", file, len(found), want)
		}
		for _, m := range found {
			v, err := readView(m[1], m[2], m[3])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b view) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

func readView(name, columns, query string) (view, error) {
	comment := viewText.FindStringSubmatch(query)
	if comment == nil {
		return view{}, fmt.Errorf("the view %s does not end in a COMMENT", name)
	}
	v := view{name: name, comment: unquote(comment[1])}
	for line := range strings.Lines(columns) {
		line = strings.TrimRight(line, "\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		m := columnLine.FindStringSubmatch(line)
		if m == nil {
			return view{}, fmt.Errorf("the view %s has a line that is no column with a comment: %s", name, strings.TrimSpace(line))
		}
		v.columns = append(v.columns, column{m[1], m[2], unquote(m[3])})
	}
	return v, nil
}

func unquote(s string) string { return strings.ReplaceAll(s, "''", "'") }

// page draws the views.
func page(list []view) string {
	var out strings.Builder
	for _, v := range list {
		fmt.Fprintf(&out, "- [`%s`](#%s): %s\n", v.name, v.name, v.comment)
	}
	for _, v := range list {
		fmt.Fprintf(&out, "\n## %s\n\n%s.\n\n| column | type | meaning |\n|---|---|---|\n", v.name, v.comment)
		for _, c := range v.columns {
			fmt.Fprintf(&out, "| `%s` | `%s` | %s |\n", c.name, c.typ, strings.ReplaceAll(c.comment, "|", "\\|"))
		}
	}
	return out.String()
}
