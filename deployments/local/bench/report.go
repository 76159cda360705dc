package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// result is one row of the table of throughputs.
type result struct {
	name         string
	rate         float64 // events per second
	cpu, servers float64 // CPU seconds per million events, of the program and of the servers
	rss          int     // peak, MiB
	check, note  string
}

// table is what is printed of a part.
type table struct {
	title string
	head  []string // the first is aligned left, the others right
	rows  [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// target is something that was aimed at.
type target struct {
	what, want, got string
	met             bool
}

// report is what is printed in the end.
type report struct {
	results []result
	tables  []*table
	targets []target
	failed  bool // a check
}

func (r *report) add(x result) {
	r.results = append(r.results, x)
	r.verdict(x.check)
}

// verdict notes the outcome of a row's check and passes it on.
func (r *report) verdict(check string) string {
	if check != "ok" {
		r.failed = true
	}
	return check
}

func (r *report) table(title string, head ...string) *table {
	t := &table{title: title, head: head}
	r.tables = append(r.tables, t)
	return t
}

// aim notes a target.
func (r *report) aim(what, want, got string, met bool) {
	r.targets = append(r.targets, target{what, want, got, met})
}

func (r *report) print(w io.Writer) {
	var all []*table
	if len(r.results) > 0 {
		t := &table{title: "Throughput", head: []string{"what", "events/s", "CPU s/M events", "servers' CPU s/M", "peak RSS MB", "check", "note"}}
		for _, x := range r.results {
			t.add(x.name, fmt.Sprintf("%.0f", x.rate), fmt.Sprintf("%.2f", x.cpu), fmt.Sprintf("%.2f", x.servers), strconv.Itoa(x.rss), x.check, x.note)
		}
		all = append(all, t)
	}
	all = append(all, r.tables...)
	if len(r.targets) > 0 {
		t := &table{title: "Targets", head: []string{"what", "target", "measured", "met"}}
		for _, x := range r.targets {
			t.add(x.what, x.want, x.got, map[bool]string{true: "yes", false: "NO"}[x.met])
		}
		all = append(all, t)
	}
	for _, t := range all {
		t.print(w)
	}
}

func (t *table) print(w io.Writer) {
	_, _ = fmt.Fprintf(w, "\n%s\n\n| %s |\n|---%s|\n", t.title, strings.Join(t.head, " | "), strings.Repeat("|---:", len(t.head)-1))
	for _, row := range t.rows {
		_, _ = fmt.Fprintln(w, "| "+strings.Join(row, " | ")+" |")
	}
}

// failedPrefix begins the outcome of a check that failed, as the peers have it.
const failedPrefix = "FAILED: "

// failure is a check's outcome: ok, or what is wrong.
func failure(problems ...string) string {
	var list []string
	for _, p := range problems {
		if p != "" {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return "ok"
	}
	return failedPrefix + strings.Join(list, "; ")
}

// differs is a problem if a count is not what it should be.
func differs(what string, got, want int) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("%d %s, want %d", got, what, want)
}

// join puts problems together.
func join(problems ...string) string {
	return strings.TrimPrefix(strings.TrimPrefix(failure(problems...), "ok"), failedPrefix)
}
