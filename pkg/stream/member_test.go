package stream_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// line is the network of a step that can be cut for good: to Kafka, the step is
// killed then.
type line struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, errors.New("cut")
	}
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		l.conns = append(l.conns, c)
	}
	return c, err
}

func (l *line) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for _, c := range l.conns {
		_ = c.Close() // that is the point
	}
}

// member is another instance that works on the same topics.
func (b *bench) member(name string) *bench {
	m := *b
	m.name, m.dir = name, b.t.TempDir()
	return &m
}

// together starts two members and waits until both have counted something.
func (b *bench) together(one, two *bench) (stop func() error) {
	b.t.Helper()
	stop = one.start(false)
	two.start(false)
	require.Eventually(b.t, func() bool {
		b.produce(10)
		return one.metric("cairn_step_records_total") > 0 && two.metric("cairn_step_records_total") > 0
	}, 20*time.Second, 20*time.Millisecond, "one of two never had a partition")
	b.requireExact()
	return stop
}

// soon is well below the session timeout, after which everything comes right.
const soon = 8 * time.Second

// TestKilledInstanceTakesItsPartitionsBack: nobody waits for the session timeout.
func TestKilledInstanceTakesItsPartitionsBack(t *testing.T) {
	b := newBench(t)
	b.dir = t.TempDir()
	wire, victim := new(line), b.member("one")
	victim.c = b.c.Over(wire.dial)
	b.together(victim, b.member("two"))
	wire.kill()
	b.member("one").start(true)
	b.produce(100)
	b.requireExactWithin(soon)
}

// TestStoppedInstanceHandsOver: whoever is left has all partitions at once.
func TestStoppedInstanceHandsOver(t *testing.T) {
	b := newBench(t)
	stop := b.together(b.member("one"), b.member("two"))
	require.NoError(t, stop())
	b.produce(100)
	b.requireExactWithin(soon)
}

// TestSuccessorStays: a process that was cut off comes to its end only when another
// with its id has taken over. Its leaving must not take the successor's partitions.
func TestSuccessorStays(t *testing.T) {
	b := newBench(t)
	b.dir = t.TempDir()
	stop := b.start(false)
	b.produce(100)
	b.requireExact()
	b.member("one").start(true)
	b.produce(100)
	b.requireExactWithin(soon)
	_ = stop() // fenced, or told to stop: it is over
	b.produce(100)
	b.requireExactWithin(soon)
}
