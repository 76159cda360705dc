package spool

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// groupBytes is about how much is written with one fsync.
const groupBytes = 4 << 20

// batch is one Append on its way to the disk.
type batch struct {
	payload []byte
	records int64
	at      time.Time
	done    bool // guarded by commit, as is err
	err     error
}

func (b *batch) size() int64 { return headSize + int64(len(b.payload)) }

// writer is the segment that is being written.
type writer struct {
	*segment
	file vfs.File
}

// Append writes a batch, whole or not at all, and returns when it is on the disk
// to stay. Those who append at the same time share an fsync.
func (s *Spool) Append(records []Record) error {
	if len(records) == 0 {
		return nil
	}
	b := &batch{payload: appendRecords(nil, records), records: int64(len(records)), at: s.now()}
	if len(b.payload) > maxPayload {
		return fmt.Errorf("spool: a batch of %d bytes is too large", len(b.payload))
	}
	if err := s.enqueue(b); err != nil {
		return err
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	for !b.done { // else another one has written it
		s.flush()
	}
	return b.err
}

func (s *Spool) enqueue(b *batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.size+s.queued+b.size() > s.max:
		return ErrFull
	}
	if s.records == 0 {
		s.oldest = b.at
	}
	s.queue = append(s.queue, b)
	s.queued += b.size()
	s.records += b.records
	return nil
}

// flushAll writes what is queued. commit is held.
func (s *Spool) flushAll() {
	for {
		s.mu.Lock()
		n := len(s.queue)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		s.flush()
	}
}

// flush writes the first batches of the queue with one fsync. commit is held.
func (s *Spool) flush() {
	s.mu.Lock()
	var size int64
	n := 0
	for n < len(s.queue) && (n == 0 || size+s.queue[n].size() <= groupBytes) {
		size += s.queue[n].size()
		n++
	}
	group := s.queue[:n:n]
	s.queue = s.queue[n:]
	s.mu.Unlock()

	written, err := s.write(group)

	s.mu.Lock()
	s.queued -= size
	s.size += written
	for _, b := range group {
		b.done, b.err = true, err
		if err != nil {
			s.records -= b.records
		}
	}
	if err == nil {
		s.active.end += written
	}
	s.mu.Unlock()
	if err != nil {
		return
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// write puts a group into the active segment, and returns by how many bytes that
// has grown. After an error nothing is known about what is on the disk: the
// segment ends before it, and the next write begins another.
func (s *Spool) write(group []*batch) (int64, error) {
	if s.active != nil && s.active.end >= s.perFile {
		_ = s.seal() // all of it is synced
	}
	if s.active == nil {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	w := s.active
	s.out = s.out[:0]
	for _, b := range group {
		s.out = appendFrame(s.out, w.number, w.end+int64(len(s.out)), b)
	}
	size := int64(len(s.out))
	_, err := w.file.Write(s.out)
	if err == nil {
		err = w.file.Sync()
	}
	if cap(s.out) > 2*groupBytes {
		s.out = nil
	}
	if err == nil {
		return size, nil
	}
	err = fmt.Errorf("spool: write %s: %w", w.name(), err)
	if info, e := w.file.Stat(); e == nil {
		size = max(info.Size()-w.end, 0)
	}
	return s.abandon(size), errors.Join(err, s.seal())
}

// abandon gives up what may stand behind the active segment's end, and returns
// how many bytes that keeps. One without frames would only be in the way: a full
// disk must not fill with names.
func (s *Spool) abandon(junk int64) int64 {
	w := s.active
	s.mu.Lock()
	empty := w.end == 0
	if empty {
		s.segments = s.segments[:len(s.segments)-1]
		junk = 0
	}
	w.junk = junk
	s.mu.Unlock()
	if empty {
		_ = s.fs.Remove(s.path(w.name())) // else the next start reads it
	}
	return junk
}

// begin makes the next segment. commit is held.
func (s *Spool) begin() error {
	s.mu.Lock()
	g := &segment{number: s.next}
	s.mu.Unlock()
	file, err := s.fs.Create(s.path(g.name()), vfs.WriteCategoryUnspecified)
	if err == nil {
		if err = s.sync(s.dir); err != nil {
			err = errors.Join(err, file.Close(), s.fs.Remove(s.path(g.name())))
		}
	}
	if err != nil {
		return fmt.Errorf("spool: begin %s: %w", g.name(), err)
	}
	s.active = &writer{segment: g, file: file}
	s.mu.Lock()
	s.next++
	s.segments = append(s.segments, g)
	s.mu.Unlock()
	return nil
}

// seal ends the active segment: nothing is written to it any more. commit is
// held.
func (s *Spool) seal() error {
	if s.active == nil {
		return nil
	}
	w := s.active
	s.active = nil
	s.mu.Lock()
	w.sealed = true
	s.mu.Unlock()
	select { // Next may remove it
	case s.more <- struct{}{}:
	default:
	}
	return w.file.Close()
}
