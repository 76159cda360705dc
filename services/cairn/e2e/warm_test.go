//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// warmStart are the figures of a start on a folder that has been used before.
// With CAIRN_BENCH=1 they are printed as a line of JSON.
type warmStart struct {
	Bench        string  `json:"bench"`         // "up"
	ReadySeconds float64 `json:"ready_seconds"` // from the start of the process to its banner
	IdleMB       float64 `json:"idle_mb"`       // resident memory of cairn and its ClickHouse, a few seconds later
	CairnMB      float64 `json:"cairn_mb"`
	ClickHouseMB float64 `json:"clickhouse_mb"`
	Touchpoints  uint64  `json:"touchpoints"` // in the folder
}

// How long a warm start takes and how much memory it idles with is measured and
// shown; nothing is asserted about it, because this machine does other things.
func TestWarmStart(t *testing.T) {
	data := t.TempDir()
	m := up(t, data)
	m.imported(writeLines(t, "access.log", syntheticLog(5, 1500)))
	m.rest()
	n := m.accounts(m.sql()).Touchpoints
	m.stop()

	began := time.Now()
	m = up(t, data)
	took := time.Since(began)
	const idle = 5 * time.Second
	time.Sleep(idle) // what a start has used and does not need is given back by then
	w := warmStart{Bench: "up", ReadySeconds: took.Seconds(), CairnMB: resident(t, m.pid()), Touchpoints: n}
	for _, pid := range children(t, m.pid()) {
		w.ClickHouseMB += resident(t, pid)
	}
	w.IdleMB = w.CairnMB + w.ClickHouseMB
	require.Positive(t, w.ClickHouseMB)
	require.Equal(t, n, m.accounts(m.sql()).Touchpoints)
	m.stop()
	line, err := json.Marshal(w)
	require.NoError(t, err)
	t.Logf("%s", line)
	if os.Getenv("CAIRN_BENCH") == "1" {
		fmt.Println(string(line))
	}
}

// resident is the resident memory of a process in MB (10^6 bytes).
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(raw), "VmRSS:")
	require.True(t, ok)
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	require.NoError(t, err)
	return kb * 1024 / 1e6
}
