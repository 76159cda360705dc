package mapview

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// tableDays is how many of the newest days WriteTable prints.
const tableDays = 14

// WriteTable prints the map as text: stages as columns, then channels as rows
// with unique profiles, then the conversion of the stage before the goal by day.
// Lines are at most width runes where the numbers allow it: names are cut to
// fit, numbers never. A width of zero or less is 100.
func (m *Map) WriteTable(w io.Writer, width int) error {
	if width <= 0 {
		width = 100
	}
	var b strings.Builder
	if m.Empty() {
		b.WriteString("No journeys in this range.\n")
	} else {
		m.writeGrid(&b, width)
		m.writeDaily(&b, width)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (m *Map) writeGrid(b *strings.Builder, width int) {
	head := []string{""}
	rows := [][]string{{"Profiles"}, {"Of entrants"}, {"Went on"}, {"Conversion"}, {"Median dwell"}}
	for _, s := range m.Stages {
		head = append(head, s.Stage)
		for i, cell := range []string{
			count(s.Profiles), optional(s.OfEntrants, FormatShare), m.wentOn(s),
			optional(s.Conversion, FormatShare), optional(s.MedianDwellSeconds, FormatDuration),
		} {
			rows[i] = append(rows[i], cell)
		}
	}
	var channels [][]string
	for _, c := range m.Channels {
		row := []string{ChannelName(c.Channel)}
		for _, cell := range c.Cells {
			row = append(row, count(cell.Profiles))
		}
		channels = append(channels, row)
	}
	widths := columnWidths(width, head, rows, channels)
	line(b, widths, head)
	rule(b, widths)
	for _, r := range rows {
		line(b, widths, r)
	}
	rule(b, widths)
	for _, r := range channels {
		line(b, widths, r)
	}
	b.WriteString("\nChannels: unique profiles with a touchpoint while in the stage; they overlap.\n")
}

// wentOn is how many went on, and nothing where there is nowhere to go.
func (m *Map) wentOn(s Stage) string {
	if s.Stage == m.Stages[len(m.Stages)-1].Stage {
		return "–"
	}
	return count(s.WentOn)
}

// FocusStage is the stage whose conversion by day is shown first: the one before
// the goal, where a failing checkout shows; without a goal, the first.
func (m *Map) FocusStage() string {
	if len(m.Stages) == 0 {
		return ""
	}
	goal := slices.IndexFunc(m.Stages, func(s Stage) bool { return s.Stage == m.Goal })
	return m.Stages[max(goal-1, 0)].Stage
}

func (m *Map) writeDaily(b *strings.Builder, width int) {
	focus := m.FocusStage()
	var days []Day
	for _, d := range m.Daily {
		if d.Stage == focus {
			days = append(days, d)
		}
	}
	if len(days) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s by day of entry: share of profiles that went on\n", focus)
	if len(days) > tableDays {
		fmt.Fprintf(b, "(the last %d of %d days)\n", tableDays, len(days))
		days = days[len(days)-tableDays:]
	}
	counts := 0
	texts := make([]string, len(days))
	for i, d := range days {
		texts[i] = count(d.WentOn) + " of " + count(d.Profiles)
		counts = max(counts, utf8.RuneCountInString(texts[i]))
	}
	bar := max(min(width-len("2006-01-02  100.0%  ")-2-counts, 40), 0)
	for i, d := range days {
		share := 0.0
		if d.Conversion != nil {
			share = *d.Conversion
		}
		full := int(math.Floor(share*float64(bar) + 0.5))
		fmt.Fprintf(b, "%s  %6s  %s%s  %s\n", d.Day, optional(d.Conversion, FormatShare),
			strings.Repeat("█", full), strings.Repeat("░", bar-full), pad(texts[i], counts, true))
	}
}

// ChannelName is a channel as people read it: call_centre is "Call centre".
func ChannelName(channel string) string {
	if channel == "" {
		return "Unknown"
	}
	text := strings.ReplaceAll(channel, "_", " ")
	r, n := utf8.DecodeRuneInString(text)
	return strings.ToUpper(string(r)) + text[n:]
}

func count(c Count) string {
	switch {
	case c.Hidden:
		return "few"
	case c.N == 0:
		return "–"
	}
	return FormatCount(c.N)
}

func optional(v *float64, format func(float64) string) string {
	if v == nil {
		return "–"
	}
	return format(*v)
}

// columnWidths makes columns as wide as their numbers, and as their names as far
// as width allows; stages get equal columns.
func columnWidths(width int, head []string, blocks ...[][]string) []int {
	widths := make([]int, len(head))
	numbers, names := 0, 0
	for _, rows := range blocks {
		for _, r := range rows {
			for i, cell := range r {
				if n := utf8.RuneCountInString(cell); i == 0 {
					widths[0] = max(widths[0], n)
				} else {
					numbers = max(numbers, n)
				}
			}
		}
	}
	for _, h := range head[1:] {
		names = max(names, utf8.RuneCountInString(h))
	}
	widths[0] = min(widths[0], 24)
	each := max(numbers, min(names, (width-widths[0])/max(len(head)-1, 1)-2))
	for i := range widths[1:] {
		widths[i+1] = each
	}
	return widths
}

func line(b *strings.Builder, widths []int, cells []string) {
	var l strings.Builder
	for i, cell := range cells {
		if i > 0 {
			l.WriteString("  ")
		}
		l.WriteString(pad(cell, widths[i], i > 0))
	}
	b.WriteString(strings.TrimRight(l.String(), " "))
	b.WriteByte('\n')
}

func rule(b *strings.Builder, widths []int) {
	n := 0
	for _, w := range widths {
		n += w + 2
	}
	b.WriteString(strings.Repeat("─", n-2))
	b.WriteByte('\n')
}

// pad fills text up to width runes, on the left for numbers, and cuts what is longer.
func pad(text string, width int, right bool) string {
	n := utf8.RuneCountInString(text)
	if n > width {
		return string([]rune(text)[:max(width-1, 0)]) + "…"
	}
	fill := strings.Repeat(" ", width-n)
	if right {
		return fill + text
	}
	return text + fill
}
