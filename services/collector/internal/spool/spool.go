// Package spool keeps records on disk while they cannot be sent: in order,
// fsynced before Append returns, up to a bound. It knows nothing of HTTP and
// Kafka.
//
// A folder holds segments, NUMBER.seg, each a run of frames; a frame is one
// Append, with a checksum. New frames go behind the last one; a segment whose
// frames are all done is removed. The file position says how far that is within
// the first segment. After a crash a frame may be given out again that was done
// before, never one less than was appended.
package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Errors of Append. With any other one the disk has failed. Nothing of the batch
// will be given out, but if the process ends before what is around it is done, it
// may.
var (
	ErrFull   = errors.New("the spool is full")
	ErrClosed = errors.New("the spool is closed")
)

// Record is one record. Nil and empty keys are told apart.
type Record struct {
	Key, Value []byte
	Headers    []Header
	Time       time.Time // in milliseconds
}

// Header belongs to a record.
type Header struct {
	Key   string
	Value []byte
}

// Options of a spool. Zero values stand for the defaults named here.
type Options struct {
	FS           vfs.FS // default: the system's
	Dir          string // required; made if it is missing, one process at a time
	Bytes        int64  // of all segments; default 1 GiB
	SegmentBytes int64  // above it a new one is begun; default 16 MiB, an eighth of Bytes at most

	// Damaged is told what cannot be read and where it was put; nil: nobody. It is
	// called by Open and Next.
	Damaged func(Damage)
	Now     func() time.Time // nil: time.Now
}

// Damage is a part of a segment that holds no frame.
type Damage struct {
	Torn    bool   // it is the end of what was being written at a crash: nobody was promised it
	Segment string // name of the file
	Offset  int64
	Bytes   int64
	Kept    string // file that holds it now; "": it was empty
}

// Stats of a spool.
type Stats struct {
	Bytes   int64 // of all segments
	Records int64 // not done
	Oldest  time.Time
}

// Spool is a folder of records. Append and Stats may be called at any time;
// Next and Done by one goroutine.
type Spool struct {
	fs           vfs.FS
	dir          string
	max, perFile int64
	damaged      func(Damage)
	now          func() time.Time
	lock         io.Closer
	more         chan struct{} // holds a value after an Append

	commit sync.Mutex // held while writing; before mu
	active *writer    // guarded by commit
	out    []byte     // guarded by commit

	mu       sync.Mutex
	closed   bool
	queue    []*batch   // appended, not yet written
	queued   int64      // bytes of queue
	segments []*segment // oldest first
	next     uint64     // number of the next segment
	size     int64      // of segments
	records  int64      // of queue and segments, less what is done
	oldest   time.Time

	reader reader // Next's
}

// Open takes a folder and finds what an earlier process left there.
func Open(o Options) (s *Spool, err error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Damaged == nil {
		o.Damaged = func(Damage) {}
	}
	if o.Bytes == 0 {
		o.Bytes = 1 << 30
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = min(16<<20, o.Bytes/8)
	}
	if o.Dir == "" || o.Bytes < 0 || o.SegmentBytes < 0 {
		return nil, errors.New("spool: want a folder, and bounds above 0")
	}
	s = &Spool{
		fs: o.FS, dir: o.Dir, max: o.Bytes, perFile: o.SegmentBytes, damaged: o.Damaged, now: o.Now,
		more: make(chan struct{}, 1),
	}
	if err := s.makeDir(); err != nil {
		return nil, fmt.Errorf("spool: make the folder: %w", err)
	}
	if s.lock, err = s.fs.Lock(s.path("lock")); err != nil {
		return nil, fmt.Errorf("spool: the folder %s cannot be locked: if another process has it, stop that one or choose another folder (%w)", s.dir, err)
	}
	if err := s.resume(); err != nil {
		return nil, errors.Join(fmt.Errorf("spool %s: %w", s.dir, err), s.lock.Close())
	}
	return s, nil
}

// makeDir makes the folder so that it is there after a power cut, too.
func (s *Spool) makeDir() error {
	var parents []string // of the folders that are made
	for at := s.dir; ; {
		if _, err := s.fs.Stat(at); err == nil {
			break
		}
		parent := s.fs.PathDir(at)
		parents = append(parents, parent)
		if parent == at {
			break
		}
		at = parent
	}
	if err := s.fs.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	for _, p := range parents {
		if err := s.sync(p); err != nil {
			return err
		}
	}
	return nil
}

// sync makes the names in a folder last.
func (s *Spool) sync(dir string) error {
	d, err := s.fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Spool) path(name string) string { return s.fs.PathJoin(s.dir, name) }

// Close waits for what is being written and gives the folder back. What is not
// done stays.
func (s *Spool) Close() error {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return nil
	}
	s.flushAll()
	return errors.Join(s.seal(), s.reader.close(), s.lock.Close())
}

// Stats are the spool's figures now.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Bytes: s.size + s.queued, Records: s.records}
	if s.records > 0 {
		st.Oldest = s.oldest
	}
	return st
}

// Empty says that nothing is to be given out: whatever was appended is done.
func (s *Spool) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records == 0
}

// Room says whether a batch of so many bytes would fit now.
func (s *Spool) Room(bytes int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size+s.queued+bytes <= s.max
}

// wait returns when something may have been appended.
func (s *Spool) wait(ctx context.Context) error {
	select {
	case <-s.more:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
