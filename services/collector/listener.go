package collector

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// limitListener lets at most cap(slots) connections be open. A further one takes
// the place of the one that has been idle longest: browsers keep theirs open long
// after their last event. Where none is idle it waits in the system's queue.
type limitListener struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once

	mu      sync.Mutex
	waiting bool // Accept waits for a slot
	idle    list.List
	at      map[net.Conn]*list.Element // of idle, which holds connections, the longest idle first
}

func newLimitListener(ln net.Listener, limit int) *limitListener {
	return &limitListener{Listener: ln, slots: make(chan struct{}, limit), closed: make(chan struct{}), at: map[net.Conn]*list.Element{}}
}

// Accept waits for a free slot, then for a connection.
func (l *limitListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !l.slot() {
		_ = conn.Close() // nothing was read of it
		return nil, net.ErrClosed
	}
	return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

// slot takes one; false: the listener is closed.
func (l *limitListener) slot() bool {
	select {
	case l.slots <- struct{}{}:
		return true
	default:
	}
	l.wait(true)
	defer l.wait(false)
	select {
	case l.slots <- struct{}{}:
		return true
	case <-l.closed:
		return false
	}
}

// wait notes that Accept needs a slot, and makes one free if a connection is idle.
func (l *limitListener) wait(is bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting = is; is {
		l.shed()
	}
}

// shed closes the connection that has been idle longest. mu is held.
func (l *limitListener) shed() {
	if first := l.idle.Front(); first != nil {
		conn := l.idle.Remove(first).(net.Conn)
		delete(l.at, conn)
		_ = conn.Close() // nobody waits for an answer on it
	}
}

// state is the server's ConnState: it tells which connections are idle.
func (l *limitListener) state(conn net.Conn, now http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.at[conn]; e != nil {
		l.idle.Remove(e)
		delete(l.at, conn)
	}
	if now != http.StateIdle {
		return
	}
	l.at[conn] = l.idle.PushBack(conn)
	if l.waiting {
		l.waiting = false // one is enough
		l.shed()
	}
}

// Close also ends a wait for a slot.
func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}
