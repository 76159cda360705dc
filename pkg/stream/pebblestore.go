package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleStore is a partition's rows in a step's database.
type pebbleStore struct {
	d        *database
	from, to []byte // bounds of the partition's keys
	about    []byte // key of its progress
	at       Progress

	key      []byte // scratch
	iter     *pebble.Iterator
	narrowed bool // iter has the bounds of a Range
	scanning bool // iter is in use
}

// store opens the rows of a partition as they were left.
func (d *database) store(partition int32) (*pebbleStore, error) {
	s := &pebbleStore{
		d:     d,
		from:  binary.BigEndian.AppendUint32(nil, uint32(partition)),
		to:    binary.BigEndian.AppendUint32(nil, uint32(partition)+1),
		about: binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, aboutPartition), uint32(partition)),
	}
	raw, closer, err := d.db.Get(s.about)
	if errors.Is(err, pebble.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return nil, d.check(fmt.Errorf("read the state's progress: %w", err))
	}
	s.at = decodeProgress(raw)
	return s, closer.Close()
}

// progressVersion begins a progress row. Rows under another version are unknown
// to this one, so they are restored.
const progressVersion = 1

func appendProgress(b []byte, p Progress) []byte {
	b = append(b, progressVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Next))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Asof))
	return append(b, p.Origin...)
}

func decodeProgress(b []byte) Progress {
	if len(b) < 17 || b[0] != progressVersion {
		return Progress{Origin: "a state of another format"}
	}
	return Progress{Next: int64(binary.BigEndian.Uint64(b[1:])), Asof: int64(binary.BigEndian.Uint64(b[9:])), Origin: string(b[17:])}
}

// full is a row's key in the database, valid until the next call.
func (s *pebbleStore) full(key []byte) []byte {
	s.key = append(append(s.key[:0], s.from...), key...)
	return s.key
}

// Get implements Store.
func (s *pebbleStore) Get(key []byte) ([]byte, error) {
	raw, closer, err := s.d.db.Get(s.full(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.d.check(fmt.Errorf("read state: %w", err))
	}
	return clone(raw), closer.Close()
}

// clone copies what Pebble takes back. Decoders keep pieces of it.
func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// Scan implements Store.
func (s *pebbleStore) Scan(prefix []byte, fn func(key, value []byte) error) error {
	it, release, err := s.iterator()
	if err != nil {
		return err
	}
	defer release()
	if s.narrowed && it == s.iter {
		it.SetBounds(s.from, s.to)
		s.narrowed = false
	}
	full := s.full(prefix)
	var found bool
	if len(prefix) >= nameHeader && len(prefix) == nameHeader+int(binary.BigEndian.Uint16(prefix[1:])) {
		found = it.SeekPrefixGE(full) // a whole name: asks the bloom filters
	} else {
		found = it.SeekGE(full)
	}
	for ; found; found = it.Next() {
		key := it.Key()[partitionBytes:]
		if !bytes.HasPrefix(key, prefix) {
			break
		}
		if err := s.emit(it, key, fn); err != nil {
			return stopped(err)
		}
	}
	return s.ended(it)
}

// Range implements Store.
func (s *pebbleStore) Range(from, to []byte, fn func(key, value []byte) error) error {
	it, release, err := s.iterator()
	if err != nil {
		return err
	}
	defer release()
	lower, upper := append(clone(s.from), from...), s.to
	if to != nil {
		upper = append(clone(s.from), to...)
	}
	it.SetBounds(lower, upper)
	if it == s.iter {
		s.narrowed = true
	}
	for found := it.SeekGE(lower); found; found = it.Next() {
		if err := s.emit(it, it.Key()[partitionBytes:], fn); err != nil {
			return stopped(err)
		}
	}
	return s.ended(it)
}

func (s *pebbleStore) emit(it *pebble.Iterator, key []byte, fn func(key, value []byte) error) error {
	value, err := it.ValueAndErr()
	if err != nil {
		return s.d.check(fmt.Errorf("read state: %w", err))
	}
	return fn(key, clone(value))
}

// stopped is what a scan returns for the error of its function.
func stopped(err error) error {
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

func (s *pebbleStore) ended(it *pebble.Iterator) error {
	if err := it.Error(); err != nil {
		return s.d.check(fmt.Errorf("read state: %w", err))
	}
	return nil
}

// iterator is the one that all reads since the last Apply share, because opening
// one costs more than most scans; a scan within a scan gets its own.
func (s *pebbleStore) iterator() (it *pebble.Iterator, release func(), err error) {
	if s.iter != nil && !s.scanning {
		s.scanning = true
		return s.iter, s.rest, nil
	}
	it, err = s.d.db.NewIter(&pebble.IterOptions{LowerBound: s.from, UpperBound: s.to, UseL6Filters: true})
	if err != nil {
		return nil, nil, s.d.check(fmt.Errorf("read state: %w", err))
	}
	if s.scanning {
		return it, func() { _ = it.Close() }, nil // its errors were seen in the scan
	}
	s.iter, s.narrowed, s.scanning = it, false, true
	return it, s.rest, nil
}

func (s *pebbleStore) rest() { s.scanning = false }

// Release implements Store: an iterator keeps memtables and files that have been
// replaced since.
func (s *pebbleStore) Release() error {
	if s.iter == nil {
		return nil
	}
	err := s.iter.Close()
	s.iter = nil
	return err
}

// Apply implements Store.
func (s *pebbleStore) Apply(changes []Change, next, asof int64) error {
	at := Progress{Origin: s.at.Origin, Next: next, Asof: asof}
	if err := s.Release(); err != nil {
		return s.d.check(fmt.Errorf("read state: %w", err))
	}
	size := 0
	for _, c := range changes {
		size += partitionBytes + len(c.Key) + len(c.Value) + 8
	}
	b := s.d.db.NewBatchWithSize(size + 128)
	defer func() { _ = b.Close() }() // it gives memory back, no more: what counts is Commit
	for _, c := range changes {
		if err := s.stage(b, c); err != nil {
			return err
		}
	}
	if err := b.Set(s.about, appendProgress(s.key[:0], at), nil); err != nil {
		return err
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return s.d.check(fmt.Errorf("write state: %w", err))
	}
	s.at = at
	return nil
}

// stage puts a change into the batch, without a detour over a joined key.
func (s *pebbleStore) stage(b *pebble.Batch, c Change) error {
	n := partitionBytes + len(c.Key)
	var op *pebble.DeferredBatchOp
	if c.Value == nil {
		op = b.DeleteDeferred(n)
	} else {
		op = b.SetDeferred(n, len(c.Value))
		copy(op.Value, c.Value)
	}
	copy(op.Key, s.from)
	copy(op.Key[partitionBytes:], c.Key)
	return op.Finish()
}

// Progress implements Store.
func (s *pebbleStore) Progress() Progress { return s.at }

// Reset implements Store.
func (s *pebbleStore) Reset(origin string) error {
	if err := s.Release(); err != nil {
		return s.d.check(fmt.Errorf("read state: %w", err))
	}
	b := s.d.db.NewBatch()
	defer func() { _ = b.Close() }() // it gives memory back, no more: what counts is Commit
	at := Progress{Origin: origin}
	err := errors.Join(b.DeleteRange(s.from, s.to, nil), b.Set(s.about, appendProgress(nil, at), nil), b.Commit(pebble.NoSync))
	if err != nil {
		return s.d.check(fmt.Errorf("empty the state: %w", err))
	}
	s.at = at
	return nil
}

// Size implements Store.
func (s *pebbleStore) Size() (rows, size int64, err error) { return s.d.size(s.from, s.to) }

// Close implements Store. The rows stay for the partition's return.
func (s *pebbleStore) Close() error { return s.Release() }
