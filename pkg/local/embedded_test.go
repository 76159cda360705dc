package local_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cairnhq/cairn/pkg/local"
)

func startEmbedded(t *testing.T, dir string) *local.Embedded {
	t.Helper()
	e, err := local.StartEmbedded(t.Context(), dir, 0, nil)
	require.NoError(t, err)
	return e
}

func TestEmbeddedKeepsRecords(t *testing.T) {
	dir := t.TempDir()
	e := startEmbedded(t, dir)
	require.False(t, e.Unclean(), "a new folder needs no rebuild")
	_, err := kadm.NewClient(client(t, e.Addr())).CreateTopic(t.Context(), 1, 1, nil, "kept")
	require.NoError(t, err)
	write(t, e.Addr(), "one", "two")
	require.NoError(t, e.Close())

	e = startEmbedded(t, dir)
	require.False(t, e.Unclean())
	require.Equal(t, []string{"one", "two"}, read(t, e.Addr(), "kept", 2))
	require.NoError(t, e.Close())
}

// After kill -9 the acknowledged records are there, and the need for a rebuild is remembered until one is through.
func TestEmbeddedRemembersAnUncleanStop(t *testing.T) {
	dir := t.TempDir()
	parent, kill := startParent(t, "embedded", dir)
	_, err := kadm.NewClient(client(t, parent.Addr)).CreateTopic(t.Context(), 1, 1, nil, "kept")
	require.NoError(t, err)
	write(t, parent.Addr, "one", "two", "three")
	kill()

	e := startEmbedded(t, dir)
	require.True(t, e.Unclean())
	require.Equal(t, []string{"one", "two", "three"}, read(t, e.Addr(), "kept", 3))
	require.NoError(t, e.Close())

	e = startEmbedded(t, dir)
	require.True(t, e.Unclean(), "a clean stop before the rebuild is through does not make it unneeded")
	e.Rebuilt()
	require.NoError(t, e.Close())

	e = startEmbedded(t, dir)
	require.False(t, e.Unclean())
	require.NoError(t, e.Close())
}

// A port in use is told in a sentence, and does not make the last stop look unclean.
func TestEmbeddedPortInUse(t *testing.T) {
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	dir := t.TempDir()
	_, err = local.StartEmbedded(t.Context(), dir, ln.Addr().(*net.TCPAddr).Port, nil)
	require.ErrorContains(t, err, "choose another with --kafka-port")
	e := startEmbedded(t, dir)
	require.False(t, e.Unclean())
	require.NoError(t, e.Close())
}
