package stream

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// TestStateIsAMapWithTransactions compares a State with two plain maps over any
// sequence of writes, commits and rollbacks.
func TestStateIsAMapWithTransactions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		st := newState(NewMemoryStore(), &wirepb.PartitionMeta{})
		committed, open := map[string]string{}, map[string]string{}
		key := rapid.StringMatching(`[ab]{1,3}`)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), rapid.StringN(1, 3, 8).Draw(t, "value")
				st.Put([]byte(k), []byte(v))
				open[k] = v
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				st.Delete([]byte(k))
				delete(open, k)
			},
			"commit": func(t *rapid.T) {
				require.NoError(t, st.commit(st.changes(), 0))
				committed = maps.Clone(open)
			},
			"rollback": func(*rapid.T) {
				st.rollback()
				open = maps.Clone(committed)
			},
			"": func(t *rapid.T) {
				prefix := rapid.StringMatching(`[ab]{0,2}`).Draw(t, "prefix")
				var want, got []string
				for _, k := range slices.Sorted(maps.Keys(open)) {
					if strings.HasPrefix(k, prefix) {
						want = append(want, k+"="+open[k])
					}
					v, err := st.Get([]byte(k))
					require.NoError(t, err)
					require.Equal(t, open[k], string(v))
				}
				require.NoError(t, st.Scan([]byte(prefix), func(k, v []byte) error {
					got = append(got, string(k)+"="+string(v))
					return nil
				}))
				require.Equal(t, want, got)
				require.Equal(t, len(committed), st.store.Len())
			},
		})
	})
}

func TestRevisionsGrowOverRollbacksAndEpochs(t *testing.T) {
	st := newState(NewMemoryStore(), &wirepb.PartitionMeta{Epoch: 2, Counter: 7})
	first := st.NextRevision()
	require.Equal(t, uint64(2)<<40|8, first)
	st.rollback()
	require.Equal(t, first, st.NextRevision(), "an aborted transaction's revisions were never seen")
	require.NoError(t, st.commit(nil, 0))
	st.rollback()
	require.Equal(t, first+1, st.NextRevision())
}
