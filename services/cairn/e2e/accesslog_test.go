//go:build linux

package e2e

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
)

// A real web site's log, where strangers have it.
func TestRealAccessLog(t *testing.T) {
	path := testbed.Data(t, "apache_logs/access.log")
	lines := readLines(t, path)
	require.Len(t, lines, 10_000)
	accessLogStory(t, writeLines(t, "access.log", lines), 0)
}

// The same with a log of our own, which everyone has.
func TestSyntheticAccessLog(t *testing.T) {
	lines := syntheticLog(1, 800)
	const broken = 3
	lines[10], lines[500], lines[len(lines)-1] = "no access log line", `1.2.3.4 - - [yesterday] "GET / HTTP/1.1" 200 1 "-" "x"`, "{}"
	for i := 100; i < 120; i++ { // cut off at the end: the user agent lacks its last letters
		if cut, ok := strings.CutSuffix(lines[i], `)"`); ok {
			lines[i] = cut
		}
	}
	accessLogStory(t, writeLines(t, "access.log", lines), broken)
}

// accessLogStory imports a log, imports it again, imports it shuffled into
// another folder, and after today's events into a third: it always makes the
// sessions that the oracle computes from the file.
func accessLogStory(t *testing.T, path string, broken int) {
	t.Helper()
	source := filepath.Base(path)
	hits, malformed := readAccessLog(t, path)
	require.Equal(t, broken, malformed, "what the oracle cannot read")
	total := uint64(len(hits) + malformed)

	t.Run("in order", func(t *testing.T) {
		m := up(t, t.TempDir())
		conn := m.sql()
		s := m.imported(path)
		require.Equal(t, summary{Lines: int(total), Sent: len(hits), Malformed: broken}, s)
		m.rest()
		once := books{Accepted: total, Touchpoints: uint64(len(hits)), Rejected: uint64(broken)}
		require.Equal(t, once, m.accounts(conn))
		m.matches(conn, source, hits)
		m.verified()

		before := m.transitions(conn)
		require.NotEmpty(t, before)
		m.imported(path)
		m.rest()
		twice := books{Accepted: 2 * total, Touchpoints: once.Touchpoints, Duplicates: once.Touchpoints, Rejected: 2 * once.Rejected}
		require.Equal(t, twice, m.accounts(conn), "after a second import of the same file")
		m.matches(conn, source, hits)
		sameTexts(t, "transitions", before, m.transitions(conn))
		m.verified()
		m.stop()
	})
	t.Run("shuffled", func(t *testing.T) {
		lines := readLines(t, path)
		rng := rand.New(rand.NewPCG(7, 7))
		rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		m := up(t, t.TempDir())
		conn := m.sql()
		m.imported(writeLines(t, source, lines))
		m.rest()
		require.Equal(t, books{Accepted: total, Touchpoints: uint64(len(hits)), Rejected: uint64(broken)}, m.accounts(conn))
		m.matches(conn, source, hits)
		m.stop()
	})
	t.Run("after live events of today", func(t *testing.T) {
		m := up(t, t.TempDir())
		conn := m.sql()
		const live = 300 // so that the clock of every partition stands at today
		m.sendLive(live)
		m.rest()
		require.Equal(t, books{Accepted: live, Touchpoints: live}, m.accounts(conn))
		m.imported(path)
		m.rest()
		require.Equal(t, books{Accepted: live + total, Touchpoints: live + uint64(len(hits)), Rejected: uint64(broken)}, m.accounts(conn))
		m.matches(conn, source, hits)
		m.verified()
		m.stop()
	})
}
