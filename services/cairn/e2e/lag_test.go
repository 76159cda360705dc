//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// lagRow is a row of `cairn lag --output json`.
type lagRow struct {
	Group     string   `json:"group"`
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Lag       *int64   `json:"lag"`
	Seconds   *float64 `json:"lag_seconds"`
	Status    string   `json:"status"`
}

// lag asks `cairn lag` and returns the rows of a group.
func (m *machine) lag(group string) []lagRow {
	m.t.Helper()
	r := run(m.t, "lag", "--kafka", m.Kafka, "--namespace", m.namespace, "--output", "json")
	require.Zero(m.t, r.code, r.stderr)
	var all, rows []lagRow
	require.NoError(m.t, json.Unmarshal([]byte(r.stdout), &all), r.stdout)
	for _, row := range all {
		if row.Group == m.namespace+"."+group {
			rows = append(rows, row)
		}
	}
	require.NotEmpty(m.t, rows, r.stdout)
	return rows
}

// worst are the most records and seconds that any partition is behind.
func worst(rows []lagRow) (records int64, seconds float64) {
	for _, r := range rows {
		if r.Lag != nil {
			records = max(records, *r.Lag)
		}
		if r.Seconds != nil {
			seconds = max(seconds, *r.Seconds)
		}
	}
	return records, seconds
}

// A paused sink is behind, more so with every second, and catches up once it
// may go on.
func TestPausedSinkShowsInLag(t *testing.T) {
	m := servers(t)
	step := m.sessionizer(t.TempDir())
	sink := m.sink()
	conn := m.sql()
	path := writeLines(t, "access.log", syntheticLog(3, 200))
	hits, _ := readAccessLog(t, path)
	m.imported(path)
	m.rest()
	caughtUp := func() {
		eventually(t, "the lag of the sink is zero", func(context.Context) error {
			for _, r := range m.lag("sink") {
				if r.Lag != nil && *r.Lag == 0 && r.Seconds != nil && *r.Seconds == 0 && r.Status == "ok" {
					continue
				}
				if r.Lag != nil || r.Status != "ok" { // nothing was ever committed on an empty partition
					return fmt.Errorf("%s/%d: %+v", r.Topic, r.Partition, r)
				}
			}
			return nil
		})
	}
	caughtUp()

	sink.signal(syscall.SIGSTOP)
	more := syntheticLog(4, 200)
	moreHits, _ := readAccessLog(t, writeLines(t, "x", more))
	m.imported(writeLines(t, "more.log", more))
	var records int64
	var seconds float64
	eventually(t, "the paused sink is behind", func(context.Context) error {
		if records, seconds = worst(m.lag("sink")); records == 0 || seconds == 0 {
			return fmt.Errorf("it is behind by %d records, %.1f s", records, seconds)
		}
		return nil
	})
	before := seconds
	eventually(t, "the seconds grow", func(context.Context) error {
		if records, seconds = worst(m.lag("sink")); seconds < before+2 {
			return fmt.Errorf("from %.1f s to %.1f s", before, seconds)
		}
		return nil
	})
	r := run(t, "lag", "--kafka", m.Kafka, "--namespace", m.namespace, "--max-lag-seconds", "1")
	require.Equal(t, 3, r.code, "exit code of cairn lag beyond --max-lag-seconds\n%s", r.stderr)

	sink.signal(syscall.SIGCONT)
	caughtUp()
	m.rest()
	require.Equal(t, uint64(len(hits)+len(moreHits)), m.accounts(conn).Touchpoints)
	require.Zero(t, run(t, "lag", "--kafka", m.Kafka, "--namespace", m.namespace, "--max-lag-seconds", "1").code)
	sink.stop()
	step.stop()
}
