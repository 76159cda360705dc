//go:build linux

package e2e

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
)

// servers are a real Kafka and ClickHouse, and a namespace there of the test's own.
func servers(t *testing.T) *machine {
	t.Helper()
	k := testbed.Kafka(t)
	ch := testbed.ClickHouse(t)
	return &machine{t: t, namespace: k.Namespace, Kafka: strings.Join(k.Cluster.Brokers, ","), ClickHouse: ch.DSN}
}

// service starts a command of its own and waits until it is ready.
func (m *machine) service(args ...string) *child {
	m.t.Helper()
	p := start(m.t, command{
		args: append(args, "--namespace", m.namespace, "--kafka", m.Kafka, "--admin-addr", "127.0.0.1:0"),
		env:  []string{"CAIRN_IDENTITY_SECRET=of-this-test"},
	})
	p.ready()
	return p
}

func (m *machine) sessionizer(data string) *child {
	m.t.Helper()
	return m.service("sessionizer", "--data", data)
}

func (m *machine) sink() *child {
	m.t.Helper()
	return m.service("sink", "--clickhouse", m.ClickHouse)
}

// On real Kafka the sessionizer is killed again and again while records come:
// it goes on with its disk, with an empty one, and in another instance that was
// just about to share the work. Once it is not killed but stopped, for longer than
// its group waits, and wakes up when another has its partitions. The sink dies
// once, too. `make chaos` is the same at large.
func TestKillDashNineOfTheSessionizer(t *testing.T) {
	m := servers(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed: %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	events := rawStreamOf(t, seed, 3000)
	t.Logf("%d records", len(events.messages))

	folder := t.TempDir()
	data := func(name string) string { return filepath.Join(folder, name) }
	step, sink := m.sessionizer(data("one")), m.sink()
	var zombie *child
	deaths := []func(){
		func() { step.kill(); step = m.sessionizer(data("one")) },
		func() { step.kill(); step = m.sessionizer(data("one")) },
		func() { step.kill(); step = m.sessionizer(data("two")) }, // the disk is lost
		func() { sink.kill(); sink = m.sink() },
		func() { other := m.sessionizer(data("three")); step.kill(); step = other },
		func() {
			zombie = step
			zombie.signal(syscall.SIGSTOP)
			step = m.sessionizer(data("four")) // ready once it has the partitions of the one that is silent
			zombie.signal(syscall.SIGCONT)
		},
	}
	portion := len(events.messages)/len(deaths) + 1
	for i, die := range deaths {
		produced := make(chan error, 1)
		records := events.messages[i*portion : min((i+1)*portion, len(events.messages))]
		go func() { produced <- produce(t.Context(), m.Kafka, m.namespace+".touchpoints.raw", records) }()
		moment := time.Duration(rng.IntN(1200)) * time.Millisecond
		time.Sleep(moment) // any moment will do
		began := time.Now()
		die()
		t.Logf("death %d, %s after its records began to come: ready again after %s", i, moment, time.Since(began).Round(time.Millisecond))
		require.NoError(t, <-produced)
	}
	m.rest()
	conn := m.sql()
	m.equals(conn, events)
	m.verified()
	if !zombie.ended() { // it is fenced, or a member again
		zombie.stop()
	}
	step.stop()
	sink.stop()
}

// equals compares the tables with what the events make.
func (m *machine) equals(conn clickhouse.Conn, events *rawStream) {
	m.t.Helper()
	all := uint64(len(events.messages))
	require.Equal(m.t, books{
		Accepted: all, Touchpoints: all - events.late - events.duplicates, Duplicates: events.duplicates, Late: events.late,
	}, m.accounts(conn))
	require.Equal(m.t, events.late, number(m.t, conn, "SELECT count() FROM "+m.namespace+"_bi.v_late"))
	sameSpans(m.t, "sessions", spans(events.hits, sessionGap, false), m.spans(conn,
		"SELECT identifier, started_at, ended_at, touchpoints, toUInt64(0), true FROM "+m.namespace+"_bi.v_sessions WHERE source = ?", ""))
	m.sameJourneys(conn, events)
}

// cairn up on servers of others has nothing to rebuild after kill -9: what it
// was in the middle of is in their transactions.
func TestKillDashNineOfUpOnRealKafka(t *testing.T) {
	s := servers(t)
	lines := syntheticLog(6, 2000)
	path := writeLines(t, "access.log", lines)
	hits, _ := readAccessLog(t, path)
	data := t.TempDir()
	flags := []string{"--kafka", s.Kafka, "--clickhouse", s.ClickHouse, "--namespace", s.namespace}
	m := up(t, data, flags...)
	m.namespace = s.namespace
	killDuringImport(t, m, lines, 700*time.Millisecond)

	began := time.Now()
	m = up(t, data, flags...)
	t.Logf("ready again after %s", time.Since(began).Round(time.Millisecond))
	m.namespace, m.ClickHouse = s.namespace, s.ClickHouse
	m.imported(path)
	m.rest()
	conn := m.sql()
	b := m.accounts(conn)
	require.Equal(t, books{Accepted: m.rawRecords(), Touchpoints: uint64(len(hits)), Duplicates: m.rawRecords() - uint64(len(hits))}, b)
	m.matches(conn, "access.log", hits)
	m.verified()
	m.stop()
}
