package stream

import (
	"bytes"
	"slices"
	"strings"

	"github.com/google/btree"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// Store holds the committed state of one input partition: ordered rows of bytes.
// It is a cache of the changelog topic: losing it costs a restore, nothing else.
// One goroutine uses it at a time.
type Store interface {
	// Get returns a row, nil if there is none. The caller must not change it.
	Get(key []byte) ([]byte, error)
	// Scan calls fn with the rows whose key begins with prefix, in key order,
	// until fn returns an error, which it passes on. fn must not keep or change
	// the key; the value stays valid and unchanged.
	Scan(prefix []byte, fn func(key, value []byte) error) error
	// Apply replaces rows and remembers the changelog offset they reflect, as one.
	Apply(changes []Change, changelogNext int64) error
	// ChangelogNext is the changelog offset to catch up from; 0: from the start.
	ChangelogNext() int64
	// Len is the number of rows, and Bytes their size.
	Len() int
	Bytes() int64
	Close() error
}

// Change replaces one row; a nil Value deletes it.
type Change struct {
	Key   []byte
	Value []byte
}

// memoryStore keeps all rows in memory.
type memoryStore struct {
	rows  *btree.BTreeG[row]
	bytes int64
	next  int64
}

type row struct {
	key   string
	value []byte
}

// NewMemoryStore is an empty Store in memory.
func NewMemoryStore() Store {
	return &memoryStore{rows: btree.NewG(32, func(a, b row) bool { return a.key < b.key })}
}

func (s *memoryStore) Get(key []byte) ([]byte, error) {
	r, _ := s.rows.Get(row{key: string(key)})
	return r.value, nil
}

func (s *memoryStore) Scan(prefix []byte, fn func(key, value []byte) error) error {
	var err error
	p := string(prefix)
	s.rows.AscendGreaterOrEqual(row{key: p}, func(r row) bool {
		if !strings.HasPrefix(r.key, p) {
			return false
		}
		err = fn([]byte(r.key), r.value)
		return err == nil
	})
	return err
}

func (s *memoryStore) Apply(changes []Change, changelogNext int64) error {
	for _, c := range changes {
		var old row
		var had bool
		if c.Value == nil {
			old, had = s.rows.Delete(row{key: string(c.Key)})
		} else {
			old, had = s.rows.ReplaceOrInsert(row{string(c.Key), c.Value})
			s.bytes += int64(len(c.Key) + len(c.Value))
		}
		if had {
			s.bytes -= int64(len(old.key) + len(old.value))
		}
	}
	s.next = max(s.next, changelogNext)
	return nil
}

func (s *memoryStore) ChangelogNext() int64 { return s.next }
func (s *memoryStore) Len() int             { return s.rows.Len() }
func (s *memoryStore) Bytes() int64         { return s.bytes }
func (s *memoryStore) Close() error         { return nil }

// State is a partition's committed Store under the overlay of the open
// transaction. A task reads and writes it; the engine commits or drops the
// overlay. One goroutine uses it at a time.
type State struct {
	store   Store
	overlay map[string][]byte // nil value: deleted
	meta    *wirepb.PartitionMeta
	saved   *wirepb.PartitionMeta
}

func newState(store Store, meta *wirepb.PartitionMeta) *State {
	return &State{store: store, overlay: map[string][]byte{}, meta: meta.CloneVT(), saved: meta}
}

// Get returns a row as the open transaction sees it, nil if there is none.
func (s *State) Get(key []byte) ([]byte, error) {
	if v, ok := s.overlay[string(key)]; ok {
		return v, nil
	}
	return s.store.Get(key)
}

// Scan is Store.Scan as the open transaction sees it.
func (s *State) Scan(prefix []byte, fn func(key, value []byte) error) error {
	var added []string
	for k, v := range s.overlay {
		if v != nil && strings.HasPrefix(k, string(prefix)) {
			added = append(added, k)
		}
	}
	slices.Sort(added)
	emit := func(limit []byte) error {
		for len(added) > 0 && (limit == nil || added[0] < string(limit)) {
			if err := fn([]byte(added[0]), s.overlay[added[0]]); err != nil {
				return err
			}
			added = added[1:]
		}
		return nil
	}
	err := s.store.Scan(prefix, func(key, value []byte) error {
		if err := emit(key); err != nil {
			return err
		}
		if v, ok := s.overlay[string(key)]; ok {
			if v == nil {
				return nil
			}
			value = v
			if len(added) > 0 && added[0] == string(key) {
				added = added[1:]
			}
		}
		return fn(key, value)
	})
	if err != nil {
		return err
	}
	return emit(nil)
}

// Put replaces a row. The state keeps value; key may be reused.
func (s *State) Put(key, value []byte) { s.overlay[string(key)] = value }

// Delete removes a row.
func (s *State) Delete(key []byte) { s.overlay[string(key)] = nil }

// NextRevision hands out the next revision of a row (docs/guarantees.md): the
// rebuild epoch, then the partition's counter. Counters belong to the partition,
// never to a row, so that a row that returns outranks its void.
func (s *State) NextRevision() uint64 {
	s.meta.Counter++
	return uint64(s.meta.Epoch)<<40 | s.meta.Counter
}

// Observe moves stream time forward to an event time, never back.
func (s *State) Observe(at int64) { s.meta.StreamMs = max(s.meta.StreamMs, at) }

// StreamTime is the latest event time seen on the partition, Unix ms.
func (s *State) StreamTime() int64 { return s.meta.StreamMs }

// Epoch is the rebuild epoch that the state belongs to.
func (s *State) Epoch() uint32 { return s.meta.Epoch }

// changes lists the overlay by key.
func (s *State) changes() []Change {
	out := make([]Change, 0, len(s.overlay)+1)
	for k, v := range s.overlay {
		out = append(out, Change{[]byte(k), v})
	}
	slices.SortFunc(out, func(a, b Change) int { return bytes.Compare(a.Key, b.Key) })
	return out
}

// commit folds the overlay into the store.
func (s *State) commit(changes []Change, changelogNext int64) error {
	if err := s.store.Apply(changes, changelogNext); err != nil {
		return err
	}
	clear(s.overlay)
	s.saved = s.meta.CloneVT()
	return nil
}

// rollback drops the overlay.
func (s *State) rollback() {
	clear(s.overlay)
	s.meta = s.saved.CloneVT()
}
