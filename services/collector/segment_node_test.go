package collector_test

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

// nodeClients makes the npm packages of testdata/node ready and returns the
// folder.
func nodeClients(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("testdata", "node")
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			testbed.Require(t, tool+" is not installed: apt-get install nodejs npm")
		}
	}
	// npm writes this file last, and "npm ci" begins by removing it.
	lock, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	require.NoError(t, err)
	done, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if err == nil && !done.ModTime().Before(lock.ModTime()) {
		return dir
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		testbed.Require(t, "npm ci in services/collector/testdata/node failed: "+err.Error()+"\n"+string(out))
	}
	return dir
}

func TestTheRealSegmentClientForNode(t *testing.T) {
	dir := nodeClients(t)
	r := start(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "send.mjs", r.url, shopKey)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	var sent []string
	require.NoError(t, json.Unmarshal(out, &sent), "%s", out)
	require.Len(t, sent, 6)

	type touchpoint struct {
		MessageID, Type, AnonymousID, UserID, PreviousID, GroupID, Name, Event, Source string
		Timestamp, OriginalTimestamp, SentAt, ReceivedAt                               time.Time
		Properties, Traits, Context                                                    map[string]any
	}
	byType := map[string]touchpoint{}
	keys := map[string]string{}
	var stored []string
	for _, rec := range r.accepted() {
		var tp touchpoint
		require.NoError(t, json.Unmarshal(rec.Value, &tp))
		byType[tp.Type], keys[tp.Type] = tp, string(rec.Key)
		stored = append(stored, tp.MessageID)
		require.Equal(t, "shop", tp.Source)
		require.True(t, tp.Timestamp.IsZero(), "the device's clock is not final")
		require.False(t, tp.SentAt.IsZero())
		require.WithinDuration(t, time.Now(), tp.ReceivedAt, time.Minute)
		require.Equal(t, "@segment/analytics-node", tp.Context["library"].(map[string]any)["name"])
		require.NotContains(t, string(rec.Value), shopKey)
	}
	require.ElementsMatch(t, sent, stored, "each event once, under its own messageId")
	require.Empty(t, r.rejected())
	require.Equal(t, map[string]string{
		"identify": "ann-7", "track": "a-1", "page": "a-1", "screen": "a-2", "group": "ann-7", "alias": "ann-7",
	}, keys)

	require.Equal(t, map[string]any{"plan": "pro", "seats": 3.0}, byType["identify"].Traits)
	track := byType["track"]
	require.Equal(t, "Order Completed", track.Event)
	require.Equal(t, map[string]any{"revenue": 49.9, "quantity": 2.0, "currency": "EUR", "note": `grün "x"`}, track.Properties)
	require.Equal(t, time.Date(2026, 11, 23, 10, 0, 0, 250_000_000, time.UTC), track.OriginalTimestamp)
	require.Equal(t, "203.0.113.0", track.Context["ip"])
	require.Equal(t, "https://shop.example/thanks", track.Context["page"].(map[string]any)["url"])
	require.Equal(t, "ann-7", byType["page"].UserID)
	require.Equal(t, "Home", byType["page"].Name)
	require.Equal(t, "g-1", byType["group"].GroupID)
	require.Equal(t, "ann-old", byType["alias"].PreviousID)
	require.WithinDuration(t, time.Now(), byType["screen"].OriginalTimestamp, time.Minute)
}
