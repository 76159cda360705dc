package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// resume finds the segments of an earlier process. All are read once: to count,
// and so that damage is known before anything is sent.
func (s *Spool) resume() error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	var numbers []uint64
	for _, name := range names {
		if n, ok := segmentNumber(name); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	at, err := s.readPosition()
	if err != nil {
		return err
	}
	s.next = at.segment + 1
	s.reader.at = at
	for _, n := range numbers {
		s.next = max(s.next, n+1)
		if n < at.segment { // all of it is done
			if err := s.fs.Remove(s.path(segmentName(n))); err != nil {
				return err
			}
			continue
		}
		if err := s.adopt(n); err != nil {
			return fmt.Errorf("%s: %w", segmentName(n), err)
		}
	}
	return nil
}

// adopt takes a segment over. It is sealed: what was torn in it stays behind its
// end.
func (s *Spool) adopt(number uint64) error {
	file, err := s.fs.Open(s.path(segmentName(number)))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	g := &segment{number: number, sealed: true}
	var buf []byte
	for offset := int64(0); offset < info.Size(); {
		var p part
		if p, buf, err = partAt(file, number, offset, info.Size(), buf[:0]); err != nil {
			return err
		}
		switch {
		case p.frame && (number > s.reader.at.segment || offset >= s.reader.at.offset):
			if s.records == 0 {
				s.oldest = p.at
			}
			s.records += p.records
		case p.frame:
		default:
			if err := s.keepAside(file, number, p); err != nil {
				return err
			}
		}
		if offset = p.to; !p.torn {
			g.end = offset
		}
	}
	g.junk = info.Size() - g.end
	s.segments = append(s.segments, g)
	s.size += info.Size()
	return nil
}

// keepAside copies damage to a file of its own, once.
func (s *Spool) keepAside(file vfs.File, number uint64, p part) error {
	d := Damage{Torn: p.torn, Segment: segmentName(number), Offset: p.from, Bytes: p.to - p.from}
	text := make([]byte, d.Bytes)
	if err := readAt(file, text, p.from); err != nil {
		return err
	}
	if !slices.ContainsFunc(text, func(b byte) bool { return b != 0 }) { // grown, never written
		s.damaged(d)
		return nil
	}
	kind := "damaged"
	if p.torn {
		kind = "torn"
	}
	name := fmt.Sprintf("%016x-%d.%s", number, p.from, kind)
	if _, err := s.fs.Stat(s.path(name)); err == nil {
		return nil // known from an earlier start
	}
	if err := s.writeFile(name, text); err != nil {
		return fmt.Errorf("keep %d damaged bytes in %s: %w", d.Bytes, name, err)
	}
	d.Kept = s.path(name)
	s.damaged(d)
	return nil
}

// writeFile makes a file that is there whole or not at all.
func (s *Spool) writeFile(name string, text []byte) error {
	temp := s.path(name + ".new")
	file, err := s.fs.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = s.fs.Rename(temp, s.path(name))
	}
	if err != nil {
		_ = s.fs.Remove(temp)
		return err
	}
	return s.sync(s.dir)
}

// position is how far records are done: all before it.
type position struct {
	segment uint64
	offset  int64
}

const positionName, positionSize = "position", 20

// readPosition is the zero position where there is none, or a torn one: then
// records are given out again. One that is there and cannot be read now is an
// error: numbers would begin anew below it, and at the next start, when it can be
// read, these segments would pass for done.
func (s *Spool) readPosition() (position, error) {
	file, err := s.fs.Open(s.path(positionName))
	if errors.Is(err, os.ErrNotExist) {
		return position{}, nil
	}
	if err != nil {
		return position{}, err
	}
	defer func() { _ = file.Close() }()
	b, err := io.ReadAll(io.LimitReader(file, positionSize+1))
	if err != nil {
		return position{}, fmt.Errorf("read %s: %w", positionName, err)
	}
	if len(b) != positionSize || checksum(b[:16]) != binary.LittleEndian.Uint32(b[16:]) {
		return position{}, nil
	}
	return position{binary.LittleEndian.Uint64(b), int64(binary.LittleEndian.Uint64(b[8:]))}, nil
}

// writePosition is not synced: after a power cut an older position, or none,
// gives records out again, which is allowed and rare.
func (s *Spool) writePosition(at position) error {
	b := place(at.segment, at.offset)
	b = binary.LittleEndian.AppendUint32(b, checksum(b))
	temp := s.path(positionName + ".new")
	file, err := s.fs.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return s.fs.Rename(temp, s.path(positionName))
}
