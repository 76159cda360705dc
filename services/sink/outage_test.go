package sink

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/stream"
)

// proxy stands between the sink and ClickHouse and can be cut.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	var accepting sync.WaitGroup
	accepting.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.set(true)
		accepting.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		p.mu.Lock()
		if err != nil || p.cut {
			p.mu.Unlock()
			in.Close()
			if out != nil {
				out.Close()
			}
			continue
		}
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1]) // ends when either side closes
				pair[0].Close()
				pair[1].Close()
			}()
		}
	}
}

// set cuts all connections and refuses new ones, or lets them through again.
func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.conns {
			c.Close()
			delete(p.conns, c)
		}
	}
}

func TestClickHouseGoesAwayAndComesBack(t *testing.T) {
	b := newBench(t)
	o, err := clickhouse.ParseDSN(b.dsn)
	require.NoError(t, err)
	p := newProxy(t, o.Addr[0])
	s := b.start(func(opt *Options) {
		opt.DSN = strings.Replace(b.dsn, o.Addr[0], p.listener.Addr().String(), 1)
		opt.MaxRows = 500
	})
	b.touchpoints(0, 1000)
	b.caughtUp()
	require.NoError(t, s.Ready())

	p.set(true)
	b.touchpoints(1000, 6000)
	require.Eventually(t, func() bool { return s.Ready() != nil }, patience, 20*time.Millisecond)
	require.ErrorContains(t, s.Ready(), "ClickHouse")
	// Only so much is read ahead: a batch in the works, one full, and a poll.
	require.Never(t, func() bool { return s.metric("cairn_sink_pending_rows") > 4*500 }, 300*time.Millisecond, 20*time.Millisecond)
	require.GreaterOrEqual(t, b.lag(), int64(5000), "nothing is committed that is not stored")

	p.set(false)
	b.caughtUp()
	require.NoError(t, s.Ready())
	require.Equal(t, []string{"6000 6000"}, b.query("toString(count()), toString(uniqExact(message_id))", "_bi.v_touchpoints"))
}

func TestClickHouseIsAwayAtTheStart(t *testing.T) {
	b := newBench(t)
	o, err := clickhouse.ParseDSN(b.dsn)
	require.NoError(t, err)
	p := newProxy(t, o.Addr[0])
	p.set(true)
	s := b.start(func(opt *Options) { opt.DSN = strings.Replace(b.dsn, o.Addr[0], p.listener.Addr().String(), 1) })
	b.touchpoints(0, 10)
	require.ErrorContains(t, s.Ready(), "ClickHouse")
	p.set(false)
	b.caughtUp()
	require.NoError(t, s.Ready())
	require.Equal(t, []string{"10"}, b.query("toString(count())", "_bi.v_touchpoints"))
}

// A stop while ClickHouse is away is bounded, and the next sink reads again what
// was not stored.
func TestStopWhileClickHouseIsAway(t *testing.T) {
	b := newBench(t)
	o, err := clickhouse.ParseDSN(b.dsn)
	require.NoError(t, err)
	p := newProxy(t, o.Addr[0])
	s := b.start(func(opt *Options) {
		opt.DSN = strings.Replace(b.dsn, o.Addr[0], p.listener.Addr().String(), 1)
		opt.StopTimeout = 200 * time.Millisecond
	})
	require.Eventually(t, func() bool { return s.Ready() == nil }, patience, 20*time.Millisecond)
	p.set(true)
	b.touchpoints(0, 1000)
	require.Eventually(t, func() bool { return s.Ready() != nil }, patience, 20*time.Millisecond)
	require.NoError(t, s.stop())
	require.GreaterOrEqual(t, b.lag(), int64(1000))

	b.start(nil)
	b.caughtUp()
	require.Equal(t, []string{"1000"}, b.query("toString(count())", "_bi.v_touchpoints"))
}

func TestKafkaIsAway(t *testing.T) {
	b := newBench(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never answers
	require.NoError(t, err)
	defer l.Close()
	s := b.start(func(o *Options) {
		o.Cluster = stream.Cluster{Brokers: []string{l.Addr().String()}}
		o.StopTimeout = 100 * time.Millisecond
	})
	require.Eventually(t, func() bool { return s.Ready() != nil && strings.Contains(s.Ready().Error(), "group") }, patience, 20*time.Millisecond)
	begin := time.Now()
	require.NoError(t, s.stop())
	require.Less(t, time.Since(begin), patience, "a stop is bounded")
}
