package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cairnhq/cairn/pkg/telemetry"
	"github.com/cairnhq/cairn/services/cairn/internal/shop"
	"github.com/cairnhq/cairn/services/console/mapview"
)

// text is the result for people, at most tableWidth wide.
func (r *demoResult) text(w *strings.Builder, kept string) error {
	last := r.To.Add(-time.Millisecond)
	fmt.Fprintf(w, "\nA week of an outdoor shop, %s to %s: %s customers, seed %d.\n",
		r.From.Format("Mon 2 Jan"), last.Format("Mon 2 Jan 2006"), mapview.FormatCount(uint64(r.Customers)), r.Seed)
	fmt.Fprintf(w, "Its checkout fails until %s UTC and is then fixed.\n\n", r.Fixed.Format("Mon 2 Jan, 15:04"))
	r.accounting(w)
	r.transitions(w)
	fmt.Fprintf(w, "\nJourney map: unique customers who reached a stage, and on which channels\n\n")
	if err := r.Map.WriteTable(w, tableWidth); err != nil {
		return err
	}
	r.story(w)
	fmt.Fprintf(w, "\n%s\n\n", r.verify)
	if kept == "" {
		fmt.Fprintf(w, "Open it for longer: make up starts cairn and keeps it running;\n"+
			"to look at this very week, cairn demo --keep demo-data, then cairn up --data demo-data.\n\n")
	} else {
		fmt.Fprintf(w, "Open it for longer: cairn up --data %s, then the journey map it names.\n\n", kept)
	}
	return nil
}

// accounting prints the counts, each with what is worth knowing about it.
func (r *demoResult) accounting(w *strings.Builder) {
	var sources []string
	for _, s := range shop.Sources() {
		sources = append(sources, s+" "+mapview.FormatCount(r.SourceEvents[s]))
	}
	sent := fmt.Sprintf("over HTTP in %.1f s, %d requests%s; in ClickHouse %.1f s later", r.Seconds.Send, r.Requests, retries(r.Retries), r.Seconds.Settle)
	for _, l := range []struct {
		what string
		n    uint64
		note string
	}{
		{"events sent", r.EventsSent, sent},
		{"acknowledged", r.Acknowledged, "answered with 200; each one is one of these:"},
		{"  touchpoints", r.Touchpoints, strings.Join(sources, ", ")},
		{"  duplicates", r.Duplicates, "sent twice by their client, counted once"},
		{"  rejected", r.Rejected, "kept whole with the reason: " + list(r.RejectedReasons)},
		{"  late", r.Late, "older than 30 days when they arrived"},
		{"sessions", r.Sessions, "touchpoints of one identifier without a pause over 30 minutes"},
		{"journeys", r.Journeys, list(r.JourneyStatus)},
	} {
		fmt.Fprintf(w, "%-16s %8s   %s\n", l.what, mapview.FormatCount(l.n), l.note)
	}
}

func retries(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", 1 sent again"
	}
	return fmt.Sprintf(", %d sent again", n)
}

// list writes counts as "a 1, b 2", by name.
func list(counts map[string]uint64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, name+" "+mapview.FormatCount(counts[name]))
	}
	return strings.Join(parts, ", ")
}

// transitions prints how often journeys went from stage to stage, as a square.
func (r *demoResult) transitions(w *strings.Builder) {
	fmt.Fprintf(w, "%-16s %8s   from the stage on the left to the one above\n\n", "transitions", mapview.FormatCount(r.Transitions))
	counts := map[[2]string]uint64{}
	for _, t := range r.TransitionsByStage {
		counts[[2]string{t.From, t.To}] += t.Count
	}
	const label, cell = 13, 14
	fmt.Fprintf(w, "  %-*s", label, "")
	for _, to := range r.Map.Stages {
		fmt.Fprintf(w, "%*s", cell, clip(to.Stage, cell-1))
	}
	fmt.Fprintln(w)
	for _, from := range append([]mapview.Stage{{}}, r.Map.Stages...) {
		name := from.Stage
		if name == "" {
			name = "(begin)"
		}
		fmt.Fprintf(w, "  %-*s", label, clip(name, label))
		for _, to := range r.Map.Stages {
			text := "–"
			if n := counts[[2]string{from.Stage, to.Stage}]; n > 0 {
				text = mapview.FormatCount(n)
			}
			fmt.Fprintf(w, "%*s", cell, text)
		}
		fmt.Fprintln(w)
	}
}

func clip(text string, width int) string {
	if r := []rune(text); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return text
}

// story says in two sentences what the days show.
func (r *demoResult) story(w *strings.Builder) {
	if c := r.Conversion; c != nil {
		fmt.Fprintf(w, "\nOf the customers who came to %s, %s went on while the checkout failed (%s to %s)\n"+
			"and %s after it was fixed (%s to %s).\n", c.Stage,
			mapview.FormatShare(c.Before.Conversion), day(c.Before.From), day(c.Before.To),
			mapview.FormatShare(c.After.Conversion), day(c.After.From), day(c.After.To))
	}
	if c := r.Checkouts; c.Before.Started > 0 && c.After.Started > 0 {
		fmt.Fprintf(w, "Of the checkouts started, %s ended with an order before the fix and %s after it.\n",
			mapview.FormatShare(c.Before.share()), mapview.FormatShare(c.After.share()))
	}
}

// day writes 2026-11-23 as 23 Nov.
func day(date string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return date
	}
	return t.Format("2 Jan")
}

// progress is a line on a terminal that says what is going on, and nothing elsewhere.
type progress struct {
	out   io.Writer // nil: no terminal
	shown time.Time
	what  string // the part before a colon
}

func newProgress(w io.Writer) *progress {
	if !telemetry.IsTerminal(w) {
		return &progress{}
	}
	return &progress{out: w}
}

// say replaces the line; the same thing with other numbers at most ten times a second.
func (p *progress) say(text string) {
	what, _, _ := strings.Cut(text, ":")
	if p.out == nil || what == p.what && time.Since(p.shown) < 100*time.Millisecond {
		return
	}
	p.what, p.shown = what, time.Now()
	_, _ = fmt.Fprintf(p.out, "\r\x1b[2K%s …", text)
}

// clear removes the line.
func (p *progress) clear() {
	if p.out != nil && p.what != "" {
		p.what = ""
		_, _ = fmt.Fprint(p.out, "\r\x1b[2K")
	}
}
