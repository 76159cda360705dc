//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
)

// nodeFolder is a folder with our script and the SDK beside it. The packages are
// those of the collector's tests: taken from there where they are installed, else
// installed anew, because other tests may be at that folder at this moment.
func nodeFolder(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			testbed.Require(t, tool+" is not installed: apt-get install nodejs npm")
		}
	}
	from, dir := filepath.Join(testbed.Root(t), "services", "collector", "testdata", "node"), t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		raw, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), raw, 0o600))
	}
	script, err := os.ReadFile(filepath.Join("testdata", "shop.mjs"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shop.mjs"), script, 0o600))
	// npm writes this file last.
	if _, err := os.Stat(filepath.Join(from, "node_modules", ".package-lock.json")); err == nil {
		require.NoError(t, os.CopyFS(filepath.Join(dir, "node_modules"), os.DirFS(filepath.Join(from, "node_modules"))))
		return dir
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		testbed.Require(t, "npm ci failed: "+err.Error()+"\n"+string(out))
	}
	return dir
}

// sentCall is a call that the SDK says it has delivered.
type sentCall struct {
	ID   string    `json:"id"`
	Call string    `json:"call"`
	At   time.Time `json:"at"`
}

// What the real SDK for Node sends becomes touchpoints, sessions and a journey
// of the user that the visitor turns out to be.
func TestSegmentClientForNode(t *testing.T) {
	dir := nodeFolder(t)
	m := up(t, t.TempDir(), "--write-key", "a-key-of-the-test")
	require.Equal(t, "a-key-of-the-test", m.WriteKey)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "shop.mjs", m.Collector, m.WriteKey)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	var sent []sentCall
	require.NoError(t, json.Unmarshal(out, &sent), "%s", out)
	require.Len(t, sent, 6)
	m.rest()
	conn := m.sql()
	require.Equal(t, books{Accepted: 6, Touchpoints: 6}, m.accounts(conn))

	for _, s := range sent {
		require.Equal(t, uint64(1), number(t, conn, "SELECT count() FROM cairn.touchpoints FINAL WHERE message_id = ? AND type = ? AND toUnixTimestamp64Milli(event_time) = ? AND abs(dateDiff('second', received_at, now64(3))) < 300",
			s.ID, s.Call, s.At.UnixMilli()), "%+v, once and at its time", s)
	}
	columns := "concat(identifier, ' ', user_id, ' ', type, ' ', event, ' ', channel, ' ', source, ' ', toString(revenue_micros), ' ', currency, ' ', page_url, ' ', campaign_source, '/', campaign_medium, '/', campaign_name)"
	require.Equal(t, []string{
		"anonymous:a-1  page page_viewed web default 0  https://shop.example/ news/email/spring",
		"anonymous:a-1  track product_viewed other default 0   //",
		"anonymous:a-1 ann-7 identify identify other default 0   //",
		"anonymous:a-1 ann-7 track order_completed other default 49900000 EUR  //",
		"anonymous:a-1  page page_viewed web default 0   //",
		"user:ann-7 ann-7 track product_used other default 0   //",
	}, m.texts(conn, "SELECT "+columns+" FROM cairn.touchpoints FINAL ORDER BY event_time"))
	for _, profile := range m.texts(conn, "SELECT profile FROM cairn_bi.v_touchpoints") {
		require.Equal(t, "user:ann-7", profile, "also before the visitor said who it is")
	}
	require.Equal(t, []string{"anonymous:a-1 4 180.25", "anonymous:a-1 1 0", "user:ann-7 1 0"},
		m.texts(conn, "SELECT concat(identifier, ' ', toString(touchpoints), ' ', toString(duration_seconds)) FROM cairn_bi.v_sessions ORDER BY started_at"))
	require.Equal(t, []string{"awareness", "purchase", "retention"}, m.texts(conn, "SELECT to_stage FROM cairn_bi.v_transitions WHERE profile = 'user:ann-7' ORDER BY seq"))
	require.Equal(t, []string{"49.9"}, m.texts(conn, "SELECT toString(sum(revenue)) FROM cairn_bi.v_touchpoints"))
	m.verified()
	m.stop()
}
