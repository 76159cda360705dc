package local_test

import (
	"bufio"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// resetAfterHello makes the native protocol's first exchange and then resets the
// connection, as the kernel does for a client that was killed.
func resetAfterHello(t *testing.T, addr string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	text := func(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	hello := text([]byte{0}, "test")
	for _, number := range []uint64{24, 8, 54450} { // version, and a revision of the protocol without an addendum
		hello = binary.AppendUvarint(hello, number)
	}
	for _, s := range []string{"", "default", ""} {
		hello = text(hello, s)
	}
	_, err = conn.Write(hello)
	require.NoError(t, err)
	kind, err := bufio.NewReader(conn).ReadByte()
	require.NoError(t, err)
	require.Zero(t, kind, "the server says hello")
	require.NoError(t, conn.(*net.TCPConn).SetLinger(0))
	require.NoError(t, conn.Close())
}

// Clients may be killed: the engine does not end with them.
func TestKilledClientsDoNotEndTheEngine(t *testing.T) {
	needEngine(t)
	c := startClickHouse(t, t.TempDir())
	conn := connect(t, c.Addr())
	for range 20 {
		resetAfterHello(t, c.Addr())
	}
	for begin := time.Now(); time.Since(begin) < 300*time.Millisecond; {
		require.NoError(t, conn.Exec(t.Context(), "SELECT 1"))
	}
	// A server that has a query under way for a client which is gone.
	slow, err := new(net.Dialer).DialContext(t.Context(), "tcp", c.HTTP()[len("http://"):])
	require.NoError(t, err)
	_, err = slow.Write([]byte("POST /?query=SELECT+number+FROM+numbers(100000000) HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"))
	require.NoError(t, err)
	_, err = bufio.NewReader(slow).ReadByte()
	require.NoError(t, err)
	require.NoError(t, slow.(*net.TCPConn).SetLinger(0))
	require.NoError(t, slow.Close())
	for begin := time.Now(); time.Since(begin) < 300*time.Millisecond; {
		require.NoError(t, conn.Exec(t.Context(), "SELECT 1"))
	}
}
