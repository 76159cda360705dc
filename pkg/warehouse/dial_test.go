package warehouse

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
)

// served accepts one connection and returns it with the client's side.
func served(t *testing.T) (server, client net.Conn) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	client, err = dialer(nil)(t.Context(), l.Addr().String())
	require.NoError(t, err)
	server, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = server.Close(), client.Close() })
	return server, client
}

// A server that writes to a client which has closed, before and after, sees the
// end of the stream and no reset.
func TestCloseDoesNotReset(t *testing.T) {
	server, client := served(t)
	_, err := server.Write(make([]byte, 10_000)) // never read by the client
	require.NoError(t, err)
	require.NoError(t, client.Close())
	for range 50 {
		_, err = server.Write(make([]byte, 10_000))
		require.NoError(t, err)
	}
	n, err := server.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, n)
	require.NoError(t, server.Close())
}

// The story above, with a connection that is not polite: the test can fail.
func TestAnOrdinaryCloseResets(t *testing.T) {
	server, client := served(t)
	_, err := server.Write(make([]byte, 10_000))
	require.NoError(t, err)
	require.NoError(t, client.(*politeConn).TCPConn.Close())
	require.NoError(t, server.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = server.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

// Whoever waits in Read when the connection is closed is woken up.
func TestCloseWakesTheReader(t *testing.T) {
	_, client := served(t)
	woken := make(chan error, 1)
	go func() {
		_, err := client.Read(make([]byte, 1))
		woken <- err
	}()
	require.NoError(t, client.Close())
	select {
	case err := <-woken:
		require.Error(t, err)
	case <-time.After(time.Minute):
		t.Fatal("the reader sleeps on")
	}
	_, err := client.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = client.Write([]byte{1})
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, client.SetDeadline(time.Now()), net.ErrClosed)
}

// Queries and inserts that are cancelled at any moment leave the server standing.
func TestCancelledQueriesLeaveTheServerAlone(t *testing.T) {
	h := newHouse(t)
	env := testbed.ClickHouse(t)
	b := NewTouchpointBatch()
	for range 20_000 {
		require.NoError(t, b.Add(touch("m1", "anonymous:a", minute(0))))
	}
	for i := range 20 {
		conn, err := Open(t.Context(), env.DSN)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i*5)*time.Millisecond)
		_ = b.Insert(ctx, conn, h.ns, 0, b.Len()) // in time or not
		rows, err := conn.Query(ctx, "SELECT number FROM numbers(100000) SETTINGS max_block_size = 1000")
		if err == nil {
			rows.Next()
			_ = rows.Err() // cancelled or not
		}
		cancel()
		if err == nil {
			_ = rows.Close()
		}
		_ = conn.Close()
	}
	require.NoError(t, h.conn.Ping(t.Context()))
	require.LessOrEqual(t, len(h.bi("message_id", "v_touchpoints")), 1, "an insert happens whole or not at all")
}
