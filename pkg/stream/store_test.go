package stream

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// openStore opens a test's store; reopen is as after a restart.
type openStore func(tb testing.TB) (store Store, reopen func() Store)

// stores are the kinds of Store that every test of one runs on.
func stores() map[string]openStore {
	return map[string]openStore{
		"memory": func(testing.TB) (Store, func() Store) {
			s := NewMemoryStore()
			return s, func() Store { return s }
		},
		"pebble": func(tb testing.TB) (Store, func() Store) {
			tb.Helper()
			dir := tb.TempDir()
			d := testDatabase(tb, dir)
			s := partitionOf(tb, d, 7)
			shut := func() {
				require.NoError(tb, s.Close())
				require.NoError(tb, d.close())
			}
			tb.Cleanup(func() { shut() })
			return s, func() Store {
				shut()
				d = testDatabase(tb, dir)
				s = partitionOf(tb, d, 7)
				return s
			}
		},
	}
}

func testDatabase(tb testing.TB, dir string) *database {
	tb.Helper()
	d, err := openDatabase(dir, MinStateCache, zap.NewNop())
	require.NoError(tb, err)
	return d
}

func partitionOf(tb testing.TB, d *database, partition int32) Store {
	tb.Helper()
	s, err := d.store(partition)
	require.NoError(tb, err)
	return s
}

// keyGen draws keys that share beginnings: names with rows, and any bytes.
func keyGen() *rapid.Generator[string] {
	name := rapid.SampledFrom([]string{"", "a", "b", "ab", "\xff", "\x00"})
	rest := rapid.SampledFrom([]string{"", "a", "b", "s\x80\x01", "\xff\xff", "\x00"})
	named := rapid.Custom(func(t *rapid.T) string {
		n := name.Draw(t, "name")
		return fmt.Sprintf("d\x00%c%s%s", len(n), n, rest.Draw(t, "rest"))
	})
	short := rapid.SampledFrom([]string{"", "d", "d\x00", "d\x00\x02a", "v", metaKey, "t\x80\x00\x01", "t\x80\x00\x02x", "\xff", "\xff\xff\xff\xff"})
	return rapid.OneOf(named, short)
}

// TestStateIsAMapWithTransactions compares a State with two plain maps over any
// sequence of writes, commits, rollbacks, flushes, restarts and resets, on every
// kind of store.
func TestStateIsAMapWithTransactions(t *testing.T) {
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			store, reopen := open(t)
			rapid.Check(t, func(rt *rapid.T) {
				require.NoError(rt, store.Reset(rapid.StringN(1, 4, 4).Draw(rt, "origin")))
				m := &stateModel{reopen: reopen, st: newState(store, &wirepb.PartitionMeta{}), origin: store.Progress().Origin}
				m.committed, m.open = map[string]string{}, map[string]string{}
				rt.Repeat(map[string]func(*rapid.T){
					"put": m.put, "delete": m.delete, "commit": m.commit, "rollback": m.rollback, "restart": m.restart, "flush": m.flush, "": m.check,
				})
				store = m.st.store
			})
		})
	}
}

type stateModel struct {
	reopen          func() Store
	st              *State
	committed, open map[string]string
	origin          string
	next            int64
}

func (m *stateModel) put(t *rapid.T) {
	k, v := keyGen().Draw(t, "key"), rapid.StringN(0, 3, 8).Draw(t, "value")
	key := []byte(k)
	m.st.Put(key, []byte(v))
	for i := range key { // the key may be reused
		key[i] = 'x'
	}
	m.open[k] = v
}

func (m *stateModel) delete(t *rapid.T) {
	k := keyGen().Draw(t, "key")
	m.st.Delete([]byte(k))
	delete(m.open, k)
}

func (m *stateModel) commit(t *rapid.T) {
	m.next++
	require.NoError(t, m.st.commit(m.st.changes(), m.next))
	m.committed = maps.Clone(m.open)
}

func (m *stateModel) rollback(*rapid.T) {
	m.st.rollback()
	m.open = maps.Clone(m.committed)
}

func (m *stateModel) restart(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "restart") > 0 { // it takes long
		return
	}
	m.st = newState(m.reopen(), &wirepb.PartitionMeta{})
	m.open = maps.Clone(m.committed)
	p := m.st.store.Progress()
	require.Equal(t, m.next, p.Next)
	require.Equal(t, m.origin, p.Origin)
}

// flush brings the rows to disk, where bloom filters are asked for them.
func (m *stateModel) flush(t *rapid.T) {
	if p, ok := m.st.store.(*pebbleStore); ok {
		require.NoError(t, p.Release())
		require.NoError(t, p.d.db.Flush())
	}
}

func (m *stateModel) check(t *rapid.T) {
	prefix, from, to := keyGen().Draw(t, "prefix"), keyGen().Draw(t, "from"), keyGen().Draw(t, "to")
	prefix = prefix[:rapid.IntRange(0, len(prefix)).Draw(t, "cut")]
	stop := rapid.IntRange(0, 3).Draw(t, "stop after")
	var scan, span, some []string
	for _, k := range slices.Sorted(maps.Keys(m.open)) {
		row := k + "=" + m.open[k]
		if strings.HasPrefix(k, prefix) {
			scan = append(scan, row)
			if len(some) < stop {
				some = append(some, row)
			}
		}
		if k >= from && k < to {
			span = append(span, row)
		}
		v, err := m.st.Get([]byte(k))
		require.NoError(t, err)
		require.NotNil(t, v, "%q is not there", k)
		require.Equal(t, m.open[k], string(v))
	}
	read := func(limit int, scan func(fn func(k, v []byte) error) error) (got []string) {
		require.NoError(t, scan(func(k, v []byte) error {
			if len(got) == limit {
				return ErrStop
			}
			got = append(got, string(k)+"="+string(v))
			return nil
		}))
		return got
	}
	require.Equal(t, scan, read(-1, func(fn func(k, v []byte) error) error { return m.st.Scan([]byte(prefix), fn) }), "scan %q", prefix)
	require.Equal(t, some, read(stop, func(fn func(k, v []byte) error) error { return m.st.Scan([]byte(prefix), fn) }), "scan %q, some", prefix)
	require.Equal(t, span, read(-1, func(fn func(k, v []byte) error) error { return m.st.Range([]byte(from), []byte(to), fn) }), "range %q to %q", from, to)
	gone := keyGen().Draw(t, "other")
	if _, ok := m.open[gone]; !ok {
		v, err := m.st.Get([]byte(gone))
		require.NoError(t, err)
		require.Nil(t, v)
	}
	rows, _, err := m.st.store.Size()
	require.NoError(t, err)
	require.EqualValues(t, len(m.committed), rows)
}

// TestScansWithinScans: rows may be looked up, scanned and written while a scan runs.
func TestScansWithinScans(t *testing.T) {
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			store, _ := open(t)
			st := newState(store, &wirepb.PartitionMeta{})
			for i := range 100 {
				st.Put(fmt.Appendf(nil, "t%03d", i), []byte{})
				st.Put(fmt.Appendf(nil, "d%03d", i), fmt.Appendf(nil, "%d", i))
			}
			require.NoError(t, st.commit(st.changes(), 1))
			for i := range 50 { // every second is in the overlay, too
				st.Put(fmt.Appendf(nil, "t%03d", 2*i), []byte("again"))
			}
			seen := 0
			require.NoError(t, st.Range([]byte("t"), []byte("t080"), func(key, _ []byte) error {
				seen++
				st.Delete(key)
				inner := 0
				require.NoError(t, st.Scan(append([]byte("d"), key[1:]...), func(_, value []byte) error {
					inner++
					require.Equal(t, fmt.Sprintf("%03s", value), string(key[1:]))
					return nil
				}))
				require.Equal(t, 1, inner)
				if seen == 70 {
					return ErrStop
				}
				return nil
			}))
			require.Equal(t, 70, seen)
			left := 0
			require.NoError(t, st.Scan([]byte("t"), func(_, _ []byte) error { left++; return nil }))
			require.Equal(t, 30, left)
			failed := errors.New("failed")
			require.ErrorIs(t, st.Scan(nil, func(_, _ []byte) error { return failed }), failed)
		})
	}
}

// TestValuesStayValid: decoders keep pieces of what they read, over the next scan,
// the next commit and the end of the file that it was in.
func TestValuesStayValid(t *testing.T) {
	for name, open := range stores() {
		t.Run(name, func(t *testing.T) {
			store, _ := open(t)
			st := newState(store, &wirepb.PartitionMeta{})
			want := map[string][]byte{}
			for i := range 500 {
				key := fmt.Sprintf("d%03d", i)
				want[key] = bytes.Repeat([]byte{byte(i)}, 400)
				st.Put([]byte(key), bytes.Clone(want[key]))
			}
			require.NoError(t, st.commit(st.changes(), 1))
			for round := range 2 {
				for i := range 250 { // some are read from the open transaction, some only there
					key := fmt.Sprintf("d%03d", 2*i+2)
					if want[key] == nil {
						want[key] = bytes.Repeat([]byte{byte(i)}, 400)
					}
					st.Put([]byte(key), want[key])
				}
				kept := map[string][]byte{}
				require.NoError(t, st.Scan([]byte("d"), func(key, value []byte) error {
					kept[string(key)] = value
					return nil
				}))
				one, err := st.Get([]byte("d008"))
				require.NoError(t, err)
				for i := range 501 {
					st.Put(fmt.Appendf(nil, "d%03d", i), bytes.Repeat([]byte{0xee}, 400))
				}
				for range 2 { // the memory of a transaction serves the next one
					require.NoError(t, st.commit(st.changes(), int64(2+round)))
					for i := range 1000 {
						st.Put(fmt.Appendf(nil, "e%03d", i), bytes.Repeat([]byte{0xdd}, 400))
					}
				}
				require.NoError(t, st.commit(st.changes(), int64(2+round)))
				if p, ok := store.(*pebbleStore); ok {
					require.NoError(t, p.d.db.Flush())
					require.NoError(t, p.d.db.Compact(t.Context(), []byte{0}, []byte{255}, false))
				}
				require.Equal(t, want, kept)
				require.Equal(t, want["d008"], one)
				for key := range want {
					want[key] = bytes.Repeat([]byte{0xee}, 400)
				}
			}
		})
	}
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
