//go:build linux

package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
)

// told is an event that a client says it has delivered.
type told struct {
	Step string `json:"step"` // of the story
	ID   string `json:"id"`
	At   int64  `json:"at"` // when it happened, Unix milliseconds
}

// telling is one client telling the story once: straight to the collector, or
// through a front that fails at first.
type telling struct {
	client  client
	name    string // of the run; also the source that its key writes as
	prefix  string // of all ids of the story
	host    string // what the client is pointed at
	key     string
	machine *machine
	front   *front // nil: straight

	told    []told
	visitor string // the visitor's id where the client makes its own, else ""
	err     error
}

// tellings are all runs of the clients that can run here.
func tellings(clients []client, s *stage) []*telling {
	var all []*telling
	for _, c := range clients {
		if s.missing[c.needs] != "" {
			continue
		}
		ways := []string{"straight", "flaky"}
		if len(c.faults) == 0 {
			ways = ways[:1]
		}
		for _, way := range ways {
			name := c.name + "-" + way
			all = append(all, &telling{client: c, name: name, prefix: name + "-", key: "key-" + name})
		}
	}
	return all
}

// settings is a cairn.yaml with a key of its own for every run.
func settings(all []*telling) string {
	var b strings.Builder
	b.WriteString("collector:\n  write_keys:\n")
	for _, r := range all {
		fmt.Fprintf(&b, "    - {key: %s, source: %s}\n", r.key, r.name)
	}
	return b.String()
}

// atOnce is how many clients tell their story at a time.
const atOnce = 6

// The SDKs that applications use, each with nothing but its host changed, tell
// the same story. Every event that a client says is delivered is in ClickHouse
// once, as it was told, also where the client had to send it again; what cannot
// be used is among the rejected.
func TestRealClients(t *testing.T) {
	clients := allClients()
	stage := newStage(t)
	all := tellings(clients, stage)
	if len(all) > 0 {
		m := up(t, t.TempDir(), "--config", written(t, "cairn.yaml", settings(all)))
		began := time.Now()
		tellAll(t, m, all, stage)
		t.Logf("all stories were told after %s", time.Since(began).Round(time.Millisecond))
		m.rest()
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			if reason := stage.missing[c.needs]; reason != "" {
				testbed.Require(t, reason)
			}
			for _, r := range all {
				if r.client.name == c.name {
					t.Run(strings.TrimPrefix(r.name, c.name+"-"), r.check)
				}
			}
		})
	}
	if len(all) > 0 {
		m := all[0].machine
		m.accounts(m.sql())
		m.verified()
		m.stop()
	}
}

// tellAll has every client tell its story, some at a time.
func tellAll(t *testing.T, m *machine, all []*telling, s *stage) {
	t.Helper()
	var done sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for _, r := range all {
		r.machine, r.host = m, m.Collector
		if strings.HasSuffix(r.name, "flaky") {
			r.front = newFront(t, m.Collector, r.client.faults)
			r.host = r.front.url
		}
		done.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			r.err = r.client.tell(t.Context(), r, s)
		})
	}
	done.Wait()
}

// settled is a row less what may differ from run to run.
func (r *telling) settled(step string, got row) row {
	if r.client.lateUser && r.front != nil && got.User == "Pu" {
		got.User = r.client.rows[step].User
	}
	return got
}

// check compares what the client was told with what is in ClickHouse.
func (r *telling) check(t *testing.T) {
	require.NoError(t, r.err)
	m := *r.machine
	m.t = t
	conn := m.sql()
	if r.front != nil {
		require.Empty(t, r.front.unused(), "failures that the client has not met")
	}
	stored := r.stored(t, conn)
	got, want := map[string]row{}, map[string]row{}
	for _, e := range r.told {
		if reason, bad := r.client.rejected[e.Step]; bad {
			require.NotZero(t, number(t, conn, "SELECT count() FROM cairn.rejected FINAL WHERE reason = ? AND position(value, ?) > 0", reason, e.ID),
				"%s (%s) is among the rejected", e.Step, e.ID)
			require.NotContains(t, stored, e.ID, "%s is rejected", e.Step)
			continue
		}
		require.Contains(t, stored, e.ID, "%s was told to be delivered", e.Step)
		require.Equal(t, time.UnixMilli(e.At).UTC(), stored[e.ID].at, "the time of %s", e.Step)
		got[e.Step] = r.settled(e.Step, stored[e.ID].row)
		delete(stored, e.ID)
	}
	for step, w := range r.client.rows {
		if w.Untold {
			got[step] = r.only(t, stored, w.Event)
			w.Untold = false
		}
		want[step] = w
	}
	require.Equal(t, want, got)
	require.Empty(t, stored, "nobody has sent these")

	require.Equal(t, []string{"user:" + r.prefix + "u"}, m.texts(conn, "SELECT DISTINCT profile FROM cairn_bi.v_touchpoints WHERE source = ?", r.name),
		"who the visitor turned out to be")
	if group := r.client.group; group != "" {
		require.Equal(t, []string{group}, m.texts(conn, "SELECT channel_group FROM cairn_bi.v_sessions WHERE source = ? ORDER BY started_at LIMIT 1", r.name))
	}
	doubles := number(t, conn, "SELECT sum(duplicates) FROM cairn_bi.v_data_quality WHERE source = ?", r.name)
	if r.front != nil || r.client.repeats {
		require.NotZero(t, doubles, "what was sent again counts as double")
	}
}
