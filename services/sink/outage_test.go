package sink

import (
	"context"
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

// proxy stands between the sink and ClickHouse and can be cut. It is rude to the
// sink only: the server sees its connections end, never reset, as the engine that
// these tests may share would not survive that (see warehouse.Open).
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu      sync.Mutex
	cut     bool
	clients map[net.Conn]bool
}

// newProxy returns a proxy and the DSN that leads through it.
func newProxy(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	o, err := clickhouse.ParseDSN(dsn)
	require.NoError(t, err)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: l, target: o.Addr[0], clients: map[net.Conn]bool{}}
	p.running.Go(func() { p.accept(t.Context()) })
	t.Cleanup(func() {
		_ = l.Close()
		p.set(true)
		p.running.Wait()
	})
	return p, strings.Replace(dsn, o.Addr[0], l.Addr().String(), 1)
}

func (p *proxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.cut {
			_ = client.Close()
		} else {
			p.clients[client] = true
			p.running.Go(func() { p.serve(ctx, client) })
		}
		p.mu.Unlock()
	}
}

func (p *proxy) serve(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client) // ends with the client
		_ = server.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(client, server)     // ends with either
	_, _ = io.Copy(io.Discard, server) // whatever the client no longer takes
	_ = client.Close()
	up.Wait()
}

// set cuts all connections and refuses new ones, or lets them through again.
func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.clients {
			_ = c.Close()
			delete(p.clients, c)
		}
	}
}

func TestClickHouseGoesAwayAndComesBack(t *testing.T) {
	b := newBench(t)
	p, dsn := newProxy(t, b.dsn)
	s := b.start(func(opt *Options) {
		opt.DSN = dsn
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
	p, dsn := newProxy(t, b.dsn)
	p.set(true)
	s := b.start(func(opt *Options) { opt.DSN = dsn })
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
	p, dsn := newProxy(t, b.dsn)
	s := b.start(func(opt *Options) {
		opt.DSN = dsn
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
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts and never answers
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	s := b.start(func(o *Options) {
		o.Cluster = stream.Cluster{Brokers: []string{l.Addr().String()}}
		o.StopTimeout = 100 * time.Millisecond
	})
	require.Eventually(t, func() bool { return s.Ready() != nil && strings.Contains(s.Ready().Error(), "group") }, patience, 20*time.Millisecond)
	begin := time.Now()
	require.NoError(t, s.stop())
	require.Less(t, time.Since(begin), patience, "a stop is bounded")
}
