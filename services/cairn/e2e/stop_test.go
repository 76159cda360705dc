//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Told to stop before it is up, cairn up ends with 0 and leaves nobody behind.
func TestUpStopsAtAnyMoment(t *testing.T) {
	data := t.TempDir()
	for _, after := range []int{0, 100, 200, 350, 550, 900} {
		p := start(t, command{args: append([]string{"up", "--data", data}, freePorts()...)})
		p.admin() // it has begun to listen to signals
		time.Sleep(time.Duration(after) * time.Millisecond)
		left := children(t, p.pid())
		p.stop()
		nobody(t, left)
		require.Empty(t, sentences(result{stderr: p.stderr.String()}), "after %d ms", after)
	}
	m := up(t, data)
	require.NotContains(t, m.stderr.String(), "rebuild", "every stop was a clean one")
	m.sendLive(1)
	m.rest()
	require.Equal(t, books{Accepted: 1, Touchpoints: 1}, m.accounts(m.sql()))
	m.stop()
}

// A rebuild that is stopped is done by the next start.
func TestStopDuringRebuild(t *testing.T) {
	path := writeLines(t, "access.log", syntheticLog(8, 1500))
	hits, _ := readAccessLog(t, path)
	data := t.TempDir()
	m := up(t, data)
	m.imported(path)
	m.rest()
	m.kill()
	for range 2 {
		up(t, data).stop() // its banner comes before the rebuild is through
	}
	m = up(t, data)
	conn := m.sql()
	m.rebuilt(conn, epochOf(t, data))
	m.rest()
	require.Equal(t, books{Accepted: uint64(len(hits)), Touchpoints: uint64(len(hits))}, m.accounts(conn))
	m.matches(conn, "access.log", hits)
	m.verified()
	m.stop()

	m = up(t, data)
	require.NotContains(t, m.stderr.String(), "rebuilding", "a rebuild that is through is not done again")
	m.stop()
}

// epochOf reads the epoch of the last rebuild from the data folder.
func epochOf(t *testing.T, data string) uint32 {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(data, "epoch.json"))
	require.NoError(t, err)
	var ledger struct {
		Epoch uint32 `json:"epoch"`
	}
	require.NoError(t, json.Unmarshal(raw, &ledger), "%s", raw)
	return ledger.Epoch
}

// When the ClickHouse engine dies, cairn up starts it again and loses nothing.
func TestUpStartsItsEngineAgain(t *testing.T) {
	m := up(t, t.TempDir())
	m.sendLive(50)
	first := children(t, m.pid())
	require.Len(t, first, 1, "the ClickHouse engine")
	require.NoError(t, syscall.Kill(first[0], syscall.SIGKILL))
	m.sendLive(100) // of which 50 are copies
	m.rest()
	require.Equal(t, books{Accepted: 150, Touchpoints: 100, Duplicates: 50}, m.accounts(m.sql()))
	m.verified()
	second := children(t, m.pid())
	require.Len(t, second, 1)
	require.NotEqual(t, first, second)
	m.stop()
	nobody(t, second)
}
