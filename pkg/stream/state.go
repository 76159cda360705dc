package stream

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// State is a partition's committed Store under the overlay of the open
// transaction. A task reads and writes it; the engine commits or drops the
// overlay. One goroutine uses it at a time.
type State struct {
	store   Store
	overlay overlay
	meta    *wirepb.PartitionMeta
	saved   *wirepb.PartitionMeta
	end     int64 // of the input, when the state was restored
}

func newState(store Store, meta *wirepb.PartitionMeta) *State {
	return &State{store: store, overlay: newOverlay(), meta: meta.CloneVT(), saved: meta}
}

// Get returns a row as the open transaction sees it, nil if there is none. The
// value stays valid; the caller must not change it.
func (s *State) Get(key []byte) ([]byte, error) {
	if c, ok := s.overlay.get(key); ok {
		return slices.Clone(c.Value), nil
	}
	return s.store.Get(key)
}

// Scan calls fn with the rows whose key begins with prefix, in key order, as the
// open transaction sees them. It costs what it matches.
//
// The key is valid during the call only. The value stays valid and is never
// written again, so decoded rows may alias it; fn must not change it. An error of
// fn ends the scan and is returned, ErrStop as nil.
//
// fn may Put and Delete rows. Whether the scan sees that of rows to come is open;
// rows that it has passed do not come again.
func (s *State) Scan(prefix []byte, fn func(key, value []byte) error) error {
	return s.merge(prefix, prefixEnd(prefix), fn, func(fn func(key, value []byte) error) error {
		return s.store.Scan(prefix, fn)
	})
}

// Range is Scan for the rows with from <= key < to, whatever they begin with. A
// nil to has no end. Leaving early, with ErrStop, costs nothing: rows are read one
// by one.
//
// Rows that are keyed by time, say 't' | time | name, are read until now with
//
//	state.Range([]byte{'t'}, appendTime([]byte{'t'}, now+1), fn)
func (s *State) Range(from, to []byte, fn func(key, value []byte) error) error {
	if to != nil && bytes.Compare(from, to) >= 0 {
		return nil
	}
	return s.merge(from, to, fn, func(fn func(key, value []byte) error) error {
		return s.store.Range(from, to, fn)
	})
}

// merge calls fn with the rows that scan finds in the store, under those of the
// overlay between from and to.
func (s *State) merge(from, to []byte, fn func(key, value []byte) error, scan func(func(key, value []byte) error) error) error {
	over := s.overlay.cursor(from, to)
	if _, some := over.peek(); !some {
		return scan(fn)
	}
	// before passes on the overlay's rows before a key, all of them before nil.
	before := func(key []byte) error {
		for {
			c, ok := over.peek()
			if !ok || key != nil && bytes.Compare(c.Key, key) >= 0 {
				return nil
			}
			over.skip()
			if c.Value != nil {
				if err := fn(c.Key, slices.Clone(c.Value)); err != nil {
					return err
				}
			}
		}
	}
	stopped := false
	err := scan(func(key, value []byte) error {
		err := before(key)
		if c, ok := over.peek(); err == nil && ok && bytes.Equal(c.Key, key) {
			over.skip()
			if value = slices.Clone(c.Value); value == nil {
				return nil
			}
		}
		if err == nil {
			err = fn(key, value)
		}
		stopped = err != nil
		return err
	})
	if err == nil && !stopped {
		err = before(nil)
	}
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// Put replaces a row. It keeps copies: key and value may be used again.
func (s *State) Put(key, value []byte) {
	if value == nil {
		value = []byte{}
	}
	s.overlay.put(key, value)
}

// Delete removes a row.
func (s *State) Delete(key []byte) { s.overlay.put(key, nil) }

// NextRevision hands out the next revision of a row (docs/guarantees.md): the
// rebuild epoch, then the partition's counter. Counters belong to the partition,
// never to a row, so that a row that returns outranks its void.
func (s *State) NextRevision() uint64 {
	s.meta.Counter++
	return uint64(s.meta.Epoch)<<EpochShift | s.meta.Counter
}

// Observe moves stream time forward to an event time, never back.
func (s *State) Observe(at int64) { s.meta.StreamMs = max(s.meta.StreamMs, at) }

// StreamTime is the latest event time seen on the partition, Unix ms.
func (s *State) StreamTime() int64 { return s.meta.StreamMs }

// RecordTime is the arrival of the newest record of the partition by Kafka's
// timestamps, Unix ms, at most a little ahead of this machine's clock. By it the
// age of state is measured.
func (s *State) RecordTime() int64 { return s.meta.RecordMs }

// Epoch is the rebuild epoch that the state belongs to.
func (s *State) Epoch() uint32 { return s.meta.Epoch }

// changes lists the overlay by key.
func (s *State) changes() []Change { return s.overlay.list() }

// commit folds the overlay into the store.
func (s *State) commit(changes []Change, changelogNext int64) error {
	if err := s.store.Apply(changes, changelogNext, time.Now().UnixMilli()); err != nil {
		return err
	}
	s.overlay.clear()
	s.saved = s.meta.CloneVT()
	return nil
}

// rollback drops the overlay.
func (s *State) rollback() {
	s.overlay.clear()
	s.meta = s.saved.CloneVT()
}

// trim lets go of memory that transactions have not used lately.
func (s *State) trim() { s.overlay.trim() }

// release gives back what reads have opened in the store.
func (s *State) release() error { return s.store.Release() }
