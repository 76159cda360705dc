package stream

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/google/btree"
)

// memoryStore keeps all rows in memory: for tests, and for a step without a
// state folder, which restores everything at each start.
type memoryStore struct {
	rows  *btree.BTreeG[row]
	at    Progress
	count atomic.Int64
	bytes atomic.Int64
}

type row struct {
	key   string
	value []byte
}

// NewMemoryStore is an empty Store in memory.
func NewMemoryStore() Store {
	return &memoryStore{rows: btree.NewG(32, func(a, b row) bool { return a.key < b.key })}
}

// Get implements Store.
func (s *memoryStore) Get(key []byte) ([]byte, error) {
	r, _ := s.rows.Get(row{key: string(key)})
	return r.value, nil
}

// Scan implements Store.
func (s *memoryStore) Scan(prefix []byte, fn func(key, value []byte) error) error {
	p := string(prefix)
	return s.ascend(p, func(key string) bool { return strings.HasPrefix(key, p) }, fn)
}

// Range implements Store.
func (s *memoryStore) Range(from, to []byte, fn func(key, value []byte) error) error {
	end := string(to)
	return s.ascend(string(from), func(key string) bool { return to == nil || key < end }, fn)
}

func (s *memoryStore) ascend(from string, within func(string) bool, fn func(key, value []byte) error) error {
	var err error
	s.rows.AscendGreaterOrEqual(row{key: from}, func(r row) bool {
		if !within(r.key) {
			return false
		}
		err = fn([]byte(r.key), r.value)
		return err == nil
	})
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// Release implements Store.
func (s *memoryStore) Release() error { return nil }

// Apply implements Store.
func (s *memoryStore) Apply(changes []Change, next, asof int64) error {
	for _, c := range changes {
		var old row
		var had bool
		if c.Value == nil {
			old, had = s.rows.Delete(row{key: string(c.Key)})
		} else {
			old, had = s.rows.ReplaceOrInsert(row{string(c.Key), bytes.Clone(c.Value)})
			s.bytes.Add(int64(len(c.Key) + len(c.Value)))
		}
		if had {
			s.bytes.Add(-int64(len(old.key) + len(old.value)))
		}
	}
	s.count.Store(int64(s.rows.Len()))
	s.at.Next, s.at.Asof = next, asof
	return nil
}

// Progress implements Store.
func (s *memoryStore) Progress() Progress { return s.at }

// Reset implements Store.
func (s *memoryStore) Reset(origin string) error {
	s.rows.Clear(false)
	s.count.Store(0)
	s.bytes.Store(0)
	s.at = Progress{Origin: origin}
	return nil
}

// Size implements Store.
func (s *memoryStore) Size() (rows, size int64, err error) {
	return s.count.Load(), s.bytes.Load(), nil
}

// Close implements Store.
func (s *memoryStore) Close() error { return nil }
