//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The gaps of the built-in model: a longer pause splits.
const (
	sessionGap = 30 * time.Minute
	journeyGap = 90 * 24 * time.Hour
)

// hit is something a visitor did, in the order of the input.
type hit struct {
	visitor string
	shown   string // what the tables keep of the visitor; others may look the same
	at      time.Time
}

// span is a session or a journey as the oracle and the tables can both say it.
type span struct {
	shown      string
	start, end time.Time
	hits       uint64
	sessions   uint64 // of a journey; 0 for a session
}

func (s span) String() string {
	return fmt.Sprintf("%s from %s to %s: %d hits, %d sessions", s.shown, s.start.Format(time.DateTime), s.end.Format(time.DateTime), s.hits, s.sessions)
}

// spans sorts each visitor's hits and begins a new span after a pause longer
// than gap. Only for journeys are sessions counted.
func spans(hits []hit, gap time.Duration, journeys bool) []span {
	sorted := slices.Clone(hits)
	slices.SortFunc(sorted, func(a, b hit) int {
		if c := strings.Compare(a.visitor, b.visitor); c != 0 {
			return c
		}
		return a.at.Compare(b.at)
	})
	var out []span
	var before hit
	for i, h := range sorted {
		pause := h.at.Sub(before.at)
		if i == 0 || h.visitor != before.visitor || pause > gap {
			out = append(out, span{shown: h.shown, start: h.at})
			pause = sessionGap + 1
		}
		last := &out[len(out)-1]
		last.end = h.at
		last.hits++
		if journeys && pause > sessionGap {
			last.sessions++
		}
		before = h
	}
	return out
}

// accessPattern is the combined log format. The user agent may lack its final
// quote: it then runs to the end of the line.
var accessPattern = regexp.MustCompile(
	`^(\S+) \S+ .*?\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "(?:[^"\\]|\\.)*" \d{3} (?:\d+|-)(?: "(?:[^"\\]|\\.)*" "((?:[^"\\]|\\.)*)(?:"|$).*)?$`)

// readAccessLog makes hits of the lines, and counts those that are none.
func readAccessLog(t *testing.T, path string) (hits []hit, malformed int) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		m := accessPattern.FindStringSubmatch(lines.Text())
		if m == nil {
			malformed++
			continue
		}
		at, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[2])
		require.NoError(t, err, lines.Text())
		agent := m[3]
		if agent == "-" { // says nothing, like a line in the common format
			agent = ""
		}
		hits = append(hits, hit{m[1] + " " + agent, shown(m[1], agent), at.UTC()})
	}
	require.NoError(t, lines.Err())
	return hits, malformed
}

// shown is the address without its last number, and the user agent as the
// client sent it. JSON carries text, so that a byte of no encoding becomes the
// replacement character.
func shown(address, quotedAgent string) string {
	net := address[:strings.LastIndexByte(address, '.')]
	var b strings.Builder
	for _, r := range unescape(quotedAgent) { // a byte that is no UTF-8 reads as utf8.RuneError
		b.WriteRune(r)
	}
	return net + " " + b.String()
}

var escape = regexp.MustCompile(`\\x[0-9a-fA-F]{2}|\\.`)

// unescape undoes what Apache does to bytes that it does not print.
func unescape(s string) string {
	return escape.ReplaceAllStringFunc(s, func(e string) string {
		if e[1] != 'x' {
			return e[1:]
		}
		b, err := strconv.ParseUint(e[2:], 16, 8)
		if err != nil {
			return e
		}
		return string([]byte{byte(b)})
	})
}

// sameSpans fails with the first differences.
func sameSpans(t *testing.T, what string, want, got []span) {
	t.Helper()
	texts := func(spans []span) []string {
		var out []string
		for _, s := range spans {
			out = append(out, s.String())
		}
		return out
	}
	sameTexts(t, what, texts(want), texts(got))
}
