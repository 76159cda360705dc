package warehouse

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// dialer returns what the driver dials with. Its connections close politely.
func dialer(conf *tls.Config) func(ctx context.Context, addr string) (net.Conn, error) {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		d := net.Dialer{Timeout: dialTimeout}
		raw, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		conn := &politeConn{TCPConn: raw.(*net.TCPConn)}
		if conf == nil {
			return conn, nil
		}
		if conf.ServerName == "" {
			host, _, err := net.SplitHostPort(addr)
			if err != nil {
				_ = conn.Close()
				return nil, fmt.Errorf("read address %s: %w", addr, err)
			}
			conf = conf.Clone()
			conf.ServerName = host
		}
		secure := tls.Client(conn, conf)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return secure, nil
	}
}

const (
	// drainBound is how long a closed connection waits for the server to close it
	// too, closeBound how long Close itself waits for that.
	drainBound = 30 * time.Second
	closeBound = 250 * time.Millisecond
)

// politeConn is a TCP connection whose Close says that nothing more will come and
// then reads on until the server has closed it as well.
//
// The driver ends a cancelled query by closing the connection. A socket that is
// closed with unread data, or gets data after, answers with a reset, and the
// engine of @chdb/lib (26.7) does not survive a reset between two queries: its
// server loop has no handler for that error and aborts the whole process. So a
// closed browser tab could end the ClickHouse of "cairn up". A server of its own
// survives a reset, and loses nothing by this.
type politeConn struct {
	*net.TCPConn
	closed  atomic.Bool
	reading sync.Mutex // held while reading, so that nobody reads beside the drain
}

// Read is as of net.Conn; a Close wakes it up.
func (c *politeConn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	n, err := c.TCPConn.Read(b)
	if err != nil && c.closed.Load() {
		err = net.ErrClosed
	}
	return n, err
}

// Write is as of net.Conn; a Close wakes it up.
func (c *politeConn) Write(b []byte) (int, error) {
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	n, err := c.TCPConn.Write(b)
	if err != nil && c.closed.Load() {
		err = net.ErrClosed
	}
	return n, err
}

// SetDeadline, SetReadDeadline and SetWriteDeadline fail once closed: the
// deadlines are the drain's then.
func (c *politeConn) SetDeadline(t time.Time) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	return c.TCPConn.SetDeadline(t)
}

// SetReadDeadline sets the deadline of reads.
func (c *politeConn) SetReadDeadline(t time.Time) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	return c.TCPConn.SetReadDeadline(t)
}

// SetWriteDeadline sets the deadline of writes.
func (c *politeConn) SetWriteDeadline(t time.Time) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	return c.TCPConn.SetWriteDeadline(t)
}

// Close ends the connection for the caller at once and for the server politely. It
// waits a moment for the server, so that a process which ends next does not reset
// the connection after all; the rest happens behind it, within a bound.
func (c *politeConn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	past := time.Unix(1, 0)
	if err := c.TCPConn.SetDeadline(past); err != nil { // wakes readers and writers
		return c.TCPConn.Close()
	}
	if err := c.CloseWrite(); err != nil { // the server has closed it before
		return c.TCPConn.Close()
	}
	done := make(chan error, 1)
	go func() { done <- c.drain() }()
	wait := time.NewTimer(closeBound)
	defer wait.Stop()
	select {
	case err := <-done:
		return err
	case <-wait.C:
		return nil
	}
}

func (c *politeConn) drain() error {
	c.reading.Lock()
	defer c.reading.Unlock()
	if err := c.TCPConn.SetReadDeadline(time.Now().Add(drainBound)); err == nil {
		_, _ = io.Copy(io.Discard, c.TCPConn) // until the server closes, or the bound
	}
	return c.TCPConn.Close()
}
