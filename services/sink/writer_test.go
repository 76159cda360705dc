package sink

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/testbed"
	"github.com/cairnhq/cairn/pkg/warehouse"
)

// A sink whose user may read and insert and nothing else waits until somebody who may
// has migrated, says so meanwhile, and then works.
func TestASinkThatMayNotMigrate(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	users := filepath.Join(dir, "users.d", "writer.xml")
	require.NoError(t, os.MkdirAll(filepath.Dir(users), 0o700))
	require.NoError(t, os.WriteFile(users, []byte(strings.ReplaceAll("<clickhouse><users><writer><no_password/><profile>default</profile><quota>default</quota><grants>"+
		"<query>GRANT SELECT, INSERT ON {ns}.*</query><query>GRANT SELECT, INSERT, ALTER DELETE ON {ns}_next.*</query>"+
		"</grants></writer></users></clickhouse>", "{ns}", b.ns)), 0o600))
	c, err := local.StartClickHouse(t.Context(), local.ClickHouseOptions{Dir: dir})
	if err != nil {
		testbed.Require(t, "the engine does not start: "+err.Error())
	}
	t.Cleanup(func() { require.NoError(t, c.Stop()) })
	b.conn, err = warehouse.Open(t.Context(), c.DSN(b.ns))
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.conn.Close() })

	dsn := strings.Replace(c.DSN(b.ns), "default@", "writer@", 1)
	require.Contains(t, dsn, "writer@")
	b.touchpoints(0, 10)
	s := b.start(func(o *Options) { o.DSN = dsn })
	require.Eventually(t, func() bool { return strings.Contains(s.Ready().Error(), "privileges") }, patience, poll)
	require.NoError(t, warehouse.Migrate(t.Context(), b.conn, b.ns))
	b.caughtUp()
	require.Equal(t, []string{"10"}, b.query("toString(count())", "_bi.v_touchpoints"))
	require.NoError(t, s.Ready())
}
