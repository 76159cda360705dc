package warehouse

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
)

// emptyHouse is a namespace that was not migrated.
func emptyHouse(t *testing.T) *house {
	t.Helper()
	env := testbed.ClickHouse(t)
	conn, err := Open(t.Context(), env.DSN)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &house{t, conn, env.Namespace}
}

func (h *house) tables() []string {
	return h.column("SELECT concat(database, '.', name) FROM system.tables WHERE startsWith(database, '" + h.ns + "') AND name NOT LIKE '.tmp%' ORDER BY 1")
}

// While one migrates, another waits and touches nothing.
func TestMigrateWaitsForTheLock(t *testing.T) {
	h := emptyHouse(t)
	require.NoError(t, CreateDatabases(t.Context(), h.conn, h.ns))
	unlock, err := lockSchema(t.Context(), h.conn, h.ns, lockExpiry)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- Migrate(t.Context(), h.conn, h.ns) }()
	require.Never(t, func() bool { return len(done) > 0 || len(h.tables()) > 1 }, 500*time.Millisecond, 20*time.Millisecond)

	short, cancel := context.WithTimeout(t.Context(), 3*time.Second) // a busy server takes a while to say that it is held
	defer cancel()
	require.ErrorContains(t, Migrate(short, h.conn, h.ns), h.ns+".schema_lock", "who gives up says what is in the way")

	unlock()
	require.NoError(t, <-done)
	require.NotContains(t, h.tables(), h.ns+".schema_lock")
}

// slowLook is a connection whose queries take until the time is over.
type slowLook struct{ driver.Conn }

func (slowLook) Query(ctx context.Context, _ string, _ ...any) (driver.Rows, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// Whose time is over while it looks at the lock says the same.
func TestTheLockIsNamedWheneverTimeIsOver(t *testing.T) {
	h := emptyHouse(t)
	require.NoError(t, CreateDatabases(t.Context(), h.conn, h.ns))
	unlock, err := lockSchema(t.Context(), h.conn, h.ns, lockExpiry)
	require.NoError(t, err)
	defer unlock()
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err = lockSchema(short, slowLook{h.conn}, h.ns, lockExpiry)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, h.ns+".schema_lock")
}

// A lock whose holder died is broken, one that is held is not, however long.
func TestADeadLockExpires(t *testing.T) {
	h := emptyHouse(t)
	require.NoError(t, CreateDatabases(t.Context(), h.conn, h.ns))
	const expiry = 2 * time.Second // the server knows whole seconds
	unlock, err := lockSchema(t.Context(), h.conn, h.ns, expiry)
	require.NoError(t, err)
	short, cancel := context.WithTimeout(t.Context(), 2*expiry)
	defer cancel()
	_, err = lockSchema(short, h.conn, h.ns, expiry)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	unlock()

	h.exec("CREATE TABLE " + h.ns + ".schema_lock (x UInt8) ENGINE = Memory") // of a process that is gone
	long, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	unlock, err = lockSchema(long, h.conn, h.ns, expiry)
	require.NoError(t, err)
	unlock()
	require.Empty(t, h.tables(), "nothing is left behind")
}
