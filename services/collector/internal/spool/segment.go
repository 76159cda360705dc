package spool

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// segment is one file of frames. Its number does not change; the rest is guarded
// by Spool.mu.
type segment struct {
	number uint64
	end    int64 // of the last frame that is synced
	junk   int64 // bytes behind end
	sealed bool  // no frame will follow
}

const segmentSuffix = ".seg"

func (g *segment) name() string { return segmentName(g.number) }

func segmentName(n uint64) string { return fmt.Sprintf("%016x%s", n, segmentSuffix) }

func segmentNumber(name string) (uint64, bool) {
	hex, ok := strings.CutSuffix(name, segmentSuffix)
	n, err := strconv.ParseUint(hex, 16, 64)
	return n, ok && err == nil && segmentName(n) == name
}

// part is what stands somewhere in a segment: a frame, or damage.
type part struct {
	from, to int64
	frame    bool
	torn     bool // damage that nothing follows
	records  int64
	at       time.Time
	payload  []byte // of a frame
}

// partAt reads what stands at an offset, which is before end. payload is
// appended to buf.
func partAt(file vfs.File, number uint64, offset, end int64, buf []byte) (part, []byte, error) {
	var raw [headSize]byte
	n := min(headSize, end-offset)
	if err := readAt(file, raw[:n], offset); err != nil {
		return part{}, buf, err
	}
	h, ok := readHead(raw[:n], number, offset)
	to := offset + headSize + h.size
	switch {
	case !ok:
		return gap(file, number, offset, end, buf)
	case to > end:
		return part{from: offset, to: end, torn: true}, buf, nil
	}
	start := len(buf)
	buf = append(buf, make([]byte, h.size)...)
	payload := buf[start:]
	if err := readAt(file, payload, offset+headSize); err != nil {
		return part{}, buf, err
	}
	if checksum(payload) != h.sum {
		return part{from: offset, to: to}, buf[:start], nil
	}
	return part{from: offset, to: to, frame: true, records: h.records, at: h.at, payload: payload}, buf, nil
}

// gap reads damage up to the next frame.
func gap(file vfs.File, number uint64, offset, end int64, buf []byte) (part, []byte, error) {
	text := make([]byte, end-offset)
	if err := readAt(file, text, offset); err != nil {
		return part{}, buf, err
	}
	if i := findHead(text, 0, number, offset); i >= 0 {
		return part{from: offset, to: offset + int64(i)}, buf, nil
	}
	return part{from: offset, to: end, torn: true}, buf, nil
}

func readAt(file vfs.File, b []byte, offset int64) error {
	n, err := file.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
