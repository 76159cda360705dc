package console

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
)

// road is a way to ClickHouse that can be closed: what runs on it is cut off,
// and nothing can enter until it is opened again.
type road struct {
	dsn string

	mu     sync.Mutex
	closed bool                  // guarded by mu
	inside map[net.Conn]struct{} // guarded by mu
}

func newRoad(t *testing.T, dsn string) *road {
	t.Helper()
	o, err := clickhouse.ParseDSN(dsn)
	require.NoError(t, err)
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &road{inside: map[net.Conn]struct{}{}}
	user := o.Auth.Username
	if o.Auth.Password != "" {
		user += ":" + o.Auth.Password
	}
	r.dsn = "clickhouse://" + user + "@" + ln.Addr().String() + "/default"
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { r.carry(t.Context(), c, o.Addr[0]) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		r.close()
		running.Wait()
	})
	return r
}

// carry passes bytes both ways until one side ends.
func (r *road) carry(ctx context.Context, in net.Conn, to string) {
	defer func() { _ = in.Close() }()
	out, err := new(net.Dialer).DialContext(ctx, "tcp", to)
	if err != nil || !r.enter(in) {
		return
	}
	defer func() { _ = out.Close() }()
	defer r.leave(in)
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(in, out)
		_ = in.Close()
	})
	_, _ = io.Copy(out, in)
	_ = out.Close()
	back.Wait()
}

func (r *road) enter(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.inside[c] = struct{}{}
	}
	return !r.closed
}

func (r *road) leave(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inside, c)
}

func (r *road) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for c := range r.inside {
		_ = c.Close()
	}
}

func (r *road) open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = false
}
