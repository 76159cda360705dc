//go:build linux

package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// syntheticLog makes the lines of an access log with everything that has ever
// made one hard to read, in no order of time. They depend on the seed alone.
func syntheticLog(seed uint64, visitors int) []string {
	rng := rand.New(rand.NewPCG(seed, 1))
	var lines []string
	for v := range visitors {
		address := fmt.Sprintf("10.%d.%d.%d", rng.IntN(4), rng.IntN(200), 1+rng.IntN(250))
		agent := agents()[rng.IntN(len(agents()))]
		at := time.Date(2015, 5, 17, 0, 0, rng.IntN(3*86400), 0, time.UTC)
		for range 1 + rng.IntN(12) {
			lines = append(lines, accessLine(rng, address, agent, at))
			at = at.Add(pause(rng))
		}
		if v%7 == 0 { // the same request twice in a second is two touchpoints
			lines = append(lines, lines[len(lines)-1])
		}
	}
	rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	return lines
}

// pause is short, about the gap to the second, or long; seldom longer than a
// journey lasts.
func pause(rng *rand.Rand) time.Duration {
	switch n := rng.IntN(100); {
	case n < 70:
		return time.Duration(rng.IntN(300)) * time.Second
	case n < 80:
		return sessionGap + time.Duration(rng.IntN(3)-1)*time.Second
	case n < 99:
		return time.Duration(1+rng.IntN(40)) * time.Hour
	default:
		return journeyGap + time.Duration(rng.IntN(3)-1)*time.Second
	}
}

func agents() []string {
	return []string{
		`Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36`,
		`Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 Safari/537.36`,
		`Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)`,
		`-`,
		`an \"odd\" agent \\ with escapes`,
		`\xe4\xf6\xfc in no encoding`,
		`FeedBurner/1.0 (http://www.FeedBurner.com)`,
	}
}

// accessLine writes a line in one of the forms that servers do.
func accessLine(rng *rand.Rand, address, agent string, at time.Time) string {
	zone := time.FixedZone("", []int{0, 0, 0, 2 * 3600, -8 * 3600, 19800}[rng.IntN(6)])
	path := []string{"/", "/blog/?flav=rss20", "/images/logo.png", "/favicon.ico", "/a%20b", "/style2.css", `/\"quoted\"`}[rng.IntN(7)]
	referrer := []string{"-", "http://www.example.com/search?q=a", "http://shop.example/", ""}[rng.IntN(4)]
	user := []string{"-", "-", "frank", "ann lee"}[rng.IntN(4)]
	line := fmt.Sprintf(`%s - %s [%s] "GET %s HTTP/1.1" %d %s`, address, user, at.In(zone).Format("02/Jan/2006:15:04:05 -0700"),
		path, []int{200, 304, 404}[rng.IntN(3)], []string{"-", "0", "203023"}[rng.IntN(3)])
	if agent == "-" && rng.IntN(2) == 0 {
		return line // the common format: no referrer, no agent
	}
	return fmt.Sprintf(`%s "%s" "%s"`, line, referrer, agent)
}

// writeLines makes a file of that name in a new folder. Its name is the source
// of the touchpoints.
func writeLines(t *testing.T, name string, lines []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return path
}

// readLines is the other way.
func readLines(t *testing.T, path string) []string {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
}
