package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// TestShedBlocksComeAgain: shedding empties the cache of blocks, changes nothing of what
// is read, and leaves the cache as large as it was.
func TestShedBlocksComeAgain(t *testing.T) {
	d, err := openDatabase(t.TempDir(), MinStateCache, zap.NewNop())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.close()) })
	store, err := d.store(0)
	require.NoError(t, err)
	st := newState(store, &wirepb.PartitionMeta{})
	const rows = 10_000
	for i := range rows {
		st.Put(benchRow(i))
	}
	require.NoError(t, st.commit(st.changes(), rows))
	require.NoError(t, d.db.Flush())
	read := func() {
		for i := range rows {
			key, want := benchRow(i)
			got, err := st.Get(key)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
	read()
	filled := d.blocks.Size()
	require.Greater(t, filled, int64(100<<10))
	d.shed()
	require.Less(t, d.blocks.Size(), filled/10)
	read()
	require.Greater(t, d.blocks.Size(), filled/2)
}
