package spool

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Batch is the oldest records, in the order in which they were appended. They
// are valid until the next call of Next.
type Batch struct {
	Records []Record
	end     position
	count   int64 // records by their frames' heads
	last    time.Time
}

// reader is Next's place. Used by its goroutine only, and by Open and Close.
type reader struct {
	at     position // all before it is done
	file   vfs.File
	number uint64 // of file
	buf    []byte
	batch  Batch
}

func (r *reader) close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// Next returns the oldest records that are not done, whole batches of about
// maxBytes, at least one; it waits until there is one. What is damaged is left
// out, kept aside and told. Called again before Done it returns the same, perhaps
// with more behind it. An error other than ctx's is the disk's, and may pass.
func (s *Spool) Next(ctx context.Context, maxBytes int) (*Batch, error) {
	r := &s.reader
	r.batch.Records, r.batch.count, r.buf = r.batch.Records[:0], 0, r.buf[:0]
	r.batch.end = r.at
	for {
		number, end, err := s.frontier(r.batch.end)
		if err != nil {
			return nil, err
		}
		if number != 0 {
			if err := s.readOn(number, end); err != nil {
				return nil, fmt.Errorf("spool: read %s: %w", segmentName(number), err)
			}
		}
		switch {
		case number != 0 && len(r.buf) < maxBytes:
		case len(r.batch.Records) > 0:
			return &r.batch, nil
		case number == 0:
			r.at = r.batch.end // behind what is damaged
			if err := s.settle(); err != nil {
				return nil, err
			}
			if err := s.wait(ctx); err != nil {
				return nil, err
			}
		}
	}
}

// frontier is the segment that holds what comes next, and how far it may be
// read; 0: nothing comes.
func (s *Spool) frontier(at position) (number uint64, end int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, 0, ErrClosed
	}
	for _, g := range s.segments {
		if g.number > at.segment && g.end > 0 || g.number == at.segment && g.end > at.offset {
			return g.number, g.end, nil
		}
	}
	return 0, 0, nil
}

// readOn reads the next part.
func (s *Spool) readOn(number uint64, end int64) (err error) {
	r := &s.reader
	if r.number != number || r.file == nil {
		_ = r.close() // read only
		if r.file, err = s.fs.Open(s.path(segmentName(number))); err != nil {
			return err
		}
		r.number = number
	}
	offset := int64(0)
	if r.batch.end.segment == number {
		offset = r.batch.end.offset
	}
	start := len(r.buf)
	p, buf, err := partAt(r.file, number, offset, end, r.buf)
	if err != nil {
		return err
	}
	r.buf = buf
	if p.frame {
		known := len(r.batch.Records)
		if r.batch.Records, err = readRecords(r.batch.Records, p.payload); err != nil {
			r.batch.Records, r.buf, p.frame = r.batch.Records[:known], r.buf[:start], false
		}
	}
	if p.frame {
		s.reached(p.at)
	} else {
		p.torn = false // it was whole
		if err := s.keepAside(r.file, number, p); err != nil {
			return err
		}
	}
	r.batch.end = position{number, p.to}
	r.batch.count += p.records
	return nil
}

// reached notes the time of the frame that was read.
func (s *Spool) reached(at time.Time) {
	r := &s.reader
	if r.batch.count == 0 {
		s.mu.Lock()
		s.oldest = at
		s.mu.Unlock()
	}
	r.batch.last = at
}

// Done says that the records of the last Next need not be given out again.
func (s *Spool) Done() error {
	r := &s.reader
	s.mu.Lock()
	s.records = max(s.records-r.batch.count, 0)
	s.oldest = r.batch.last // until Next looks
	s.mu.Unlock()
	r.at = r.batch.end
	r.batch.Records, r.batch.count = r.batch.Records[:0], 0
	if err := s.writePosition(r.at); err != nil {
		return fmt.Errorf("spool: write the position: %w", err)
	}
	return s.settle()
}

// settle removes the segments that are done. The active one is ended first, when
// everything is.
func (s *Spool) settle() error {
	r := &s.reader
	if s.commit.TryLock() { // else somebody is appending: it is not done
		if w := s.active; w != nil && w.number == r.at.segment && w.end == r.at.offset {
			_ = s.seal() // all of it is synced
		}
		s.mu.Lock()
		if len(s.queue) == 0 && !slices.ContainsFunc(s.segments, s.holds) {
			s.records = 0 // damaged frames were counted, but not done
		}
		s.mu.Unlock()
		s.commit.Unlock()
	}
	s.mu.Lock()
	n := 0
	for n < len(s.segments) && s.segments[n].sealed && !s.holds(s.segments[n]) {
		n++
	}
	done := s.segments[:n:n]
	s.segments = s.segments[n:]
	s.mu.Unlock()
	if n > 0 {
		_ = r.close() // read only
	}
	return s.remove(done)
}

// holds says whether a segment has frames that are not done. mu is held.
func (s *Spool) holds(g *segment) bool {
	at := s.reader.at
	return g.number > at.segment && g.end > 0 || g.number == at.segment && g.end > at.offset
}

func (s *Spool) remove(done []*segment) (failed error) {
	for _, g := range done {
		if err := s.fs.Remove(s.path(g.name())); err != nil && failed == nil {
			failed = fmt.Errorf("spool: remove %s: %w", g.name(), err)
		}
		s.mu.Lock()
		s.size -= g.end + g.junk
		s.mu.Unlock()
	}
	return failed
}
