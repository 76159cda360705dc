//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cairnhq/cairn/pkg/stream"
)

// Three times in a row cairn up is killed while an import runs, the last time
// while it is still rebuilding what the kill before has torn. After the import
// was run to its end the tables are those of a run that nobody disturbed.
func TestKillDashNineOfUp(t *testing.T) {
	lines := syntheticLog(2, 2500)
	path := writeLines(t, "access.log", lines)
	hits, malformed := readAccessLog(t, path)
	require.Zero(t, malformed)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed of the moments of death: %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	data := t.TempDir()
	const kills = 3
	for i := range kills {
		m := up(t, data)
		moment := time.Duration(rng.IntN(1500)) * time.Millisecond
		if i == kills-1 {
			moment /= 10
		}
		t.Logf("kill -9 %s after the import began", moment)
		killDuringImport(t, m, lines, moment)
	}

	m := up(t, data)
	conn := m.sql()
	m.imported(path)
	m.rebuilt(conn, kills)
	m.rest()
	b := m.accounts(conn)
	require.Equal(t, m.rawRecords(), b.Accepted, "every raw record is accounted for once")
	require.Equal(t, books{Accepted: b.Accepted, Touchpoints: uint64(len(hits)), Duplicates: b.Accepted - uint64(len(hits))}, b)
	m.matches(conn, "access.log", hits)
	m.verified()
	transitions := m.transitions(conn)

	// A clean stop: exit code 0 and nobody left; and going on without a rebuild.
	left := children(t, m.pid())
	require.NotEmpty(t, left, "the ClickHouse engine is a child")
	m.stop()
	nobody(t, left)
	m = up(t, data)
	conn = m.sql()
	m.rest()
	require.Equal(t, b, m.accounts(conn), "after a clean stop and a start")
	require.Equal(t, uint64(kills), number(t, conn, "SELECT toUInt64(max(epoch)) FROM cairn.epochs"), "there was no reason for another rebuild")
	require.NotContains(t, m.stderr.String(), "rebuil")
	m.matches(conn, "access.log", hits)
	m.stop()

	// What nobody disturbed.
	calm := up(t, t.TempDir())
	calm.imported(path)
	calm.rest()
	sameTexts(t, "transitions", calm.transitions(calm.sql()), transitions)
	calm.stop()
}

// killDuringImport feeds an import slowly and kills cairn up while it runs.
func killDuringImport(t *testing.T, m *machine, lines []string, moment time.Duration) {
	t.Helper()
	r, w := io.Pipe()
	go func() {
		for i := 0; i < len(lines); i += 100 {
			if _, err := io.WriteString(w, strings.Join(lines[i:min(i+100, len(lines))], "\n")+"\n"); err != nil {
				return // the import is gone
			}
			time.Sleep(10 * time.Millisecond) // paces the lines: 10,000 a second at most
		}
		_ = w.Close()
	}()
	imp := start(t, command{args: []string{"import", "-", "--source", "access.log", "--kafka", m.Kafka, "--namespace", m.namespace}, stdin: r})
	defer func() { require.NoError(t, r.Close()) }()
	time.Sleep(moment) // any moment will do
	left := children(t, m.pid())
	m.kill()
	nobody(t, left)
	imp.signal(9)
	require.NoError(t, r.Close())
	<-imp.done
}

// nobody waits until none of the processes is left.
func nobody(t *testing.T, pids []int) {
	t.Helper()
	eventually(t, "all children are gone", func(context.Context) error {
		for _, pid := range pids {
			if alive(pid) {
				return fmt.Errorf("pid %d is still there", pid)
			}
		}
		return nil
	})
}

// rebuilt waits until both steps have completed the epoch.
func (m *machine) rebuilt(conn clickhouse.Conn, epoch uint32) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("rebuild %d is complete", epoch), func(ctx context.Context) error {
		steps, err := count(ctx, conn, "SELECT uniqExact(step) FROM "+m.namespace+".epochs WHERE epoch = ?", epoch)
		if err == nil && steps != 2 {
			err = fmt.Errorf("%d steps have completed it", steps)
		}
		if m.ended() {
			err = errors.Join(err, errors.New("cairn up has ended"))
		}
		return err
	})
}

// rawRecords is the number of records in the raw topic.
func (m *machine) rawRecords() uint64 {
	m.t.Helper()
	cl, err := stream.NewClient(stream.Cluster{Brokers: strings.Split(m.Kafka, ",")}, "e2e", nil, nil)
	require.NoError(m.t, err)
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(m.t.Context(), m.namespace+".touchpoints.raw")
	require.NoError(m.t, err)
	var n int64
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return uint64(n)
}
