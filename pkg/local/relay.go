package local

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// relay stands before the ClickHouse engine and lets no connection be reset towards
// it. This kind of engine ends by itself (std::terminate in Poco's error handler of
// clickhouse-local) when the client of an idle connection was killed before it had read
// everything, which the kernel answers with a reset. A server of its own, not of this
// kind, only logs that. Bytes pass through the kernel alone (splice).
type relay struct {
	listener *net.TCPListener
	target   string
	mu       sync.Mutex
	open     map[*net.TCPConn]bool // both sides; guarded by mu
	closed   bool                  // guarded by mu
	running  sync.WaitGroup
}

// startRelay listens on a port of 127.0.0.1.
func startRelay(port, target int, flag string) (*relay, error) {
	ln, err := net.Listen("tcp", address(port)) //nolint:noctx // an address without a name: nothing to wait for
	if err != nil {
		return nil, portError(port, flag, err)
	}
	r := &relay{listener: ln.(*net.TCPListener), target: address(target), open: map[*net.TCPConn]bool{}}
	r.running.Go(r.accept)
	return r, nil
}

func (r *relay) accept() {
	for {
		client, err := r.listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			r.running.Go(func() { r.serve(client) })
		}
	}
}

func (r *relay) serve(client *net.TCPConn) {
	if !r.keep(client) {
		return
	}
	defer r.drop(client)
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", r.target)
	if err != nil {
		return // the engine is gone
	}
	engine := conn.(*net.TCPConn)
	if !r.keep(engine) {
		return
	}
	defer r.drop(engine)
	r.running.Go(func() {
		_, _ = io.Copy(engine, client) // however it ends, it is the end
		_ = engine.CloseWrite()
	})
	if _, err := io.Copy(client, engine); err != nil {
		_, _ = io.Copy(io.Discard, engine) // closing before the engine has ended would be a reset
	}
}

// keep notes a connection, or closes it where the relay has ended.
func (r *relay) keep(c *net.TCPConn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = c.Close()
		return false
	}
	r.open[c] = true
	return true
}

func (r *relay) drop(c *net.TCPConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
	_ = c.Close()
}

// close ends the listener and all connections, once the engine is gone.
func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	r.closed = true
	for c := range r.open {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.running.Wait()
}
