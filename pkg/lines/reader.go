package lines

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the longest line that is read, in bytes. A longer one would not fit
// a Kafka record of the default size.
const MaxLine = 900 << 10

// ByteOrderMark is no part of the first line.
const ByteOrderMark = "\ufeff"

// ErrTooLong marks a line longer than MaxLine; it was skipped.
var ErrTooLong = fmt.Errorf("the line is longer than %d bytes", MaxLine)

// ErrTooMuch ends a Reader that has read Max bytes.
var ErrTooMuch = errors.New("there is more than may be read")

// Reader reads lines in bounded memory. Make it with NewReader. Not for
// concurrent use.
type Reader struct {
	Number int64 // of the line last read, from 1
	Bytes  int64 // of the lines read, unpacked, with their breaks
	Max    int64 // of Bytes; 0: no bound. One line may be more than a bomb's worth
	in     *bufio.Reader
}

// NewReader begins to read in. gzip is told by its first two bytes.
func NewReader(in io.Reader) (*Reader, error) {
	compressed := bufio.NewReaderSize(in, 64<<10)
	magic, err := compressed.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return &Reader{in: compressed}, nil
	}
	gz, err := gzip.NewReader(compressed)
	if err != nil {
		return nil, err
	}
	return &Reader{in: bufio.NewReaderSize(gz, 64<<10)}, nil
}

// Head is what comes next, up to n bytes, without reading on; 0: as much as is
// at hand at most.
func (r *Reader) Head(n int) ([]byte, error) {
	if n == 0 || n > r.in.Size() {
		n = r.in.Size()
	}
	return r.in.Peek(n)
}

// HeadLimit is the most that Head gives.
func (r *Reader) HeadLimit() int { return r.in.Size() }

// Next returns the next line without its line break, valid until the following
// call, in buf if it fits; io.EOF after the last. ErrTooLong is no end: the line
// was skipped. ErrTooMuch is one. Other errors are those of the reader beneath: what came of a line
// before one is no line.
func (r *Reader) Next(buf []byte) ([]byte, error) {
	buf = buf[:0]
	r.Number++
	for tooLong := false; ; {
		part, err := r.in.ReadSlice('\n')
		r.Bytes += int64(len(part))
		if len(buf)+len(part) > MaxLine+2 { // and its line break
			tooLong = true
		}
		if !tooLong {
			buf = append(buf, part...)
		}
		switch {
		case r.Max > 0 && r.Bytes > r.Max:
			return buf[:0], ErrTooMuch
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(buf) == 0 && !tooLong:
			return buf, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return buf, err
		case tooLong:
			return buf[:0], ErrTooLong
		}
		buf = bytes.TrimSuffix(buf, []byte("\n"))
		if r.Number == 1 {
			buf = bytes.TrimPrefix(buf, []byte(ByteOrderMark))
		}
		return bytes.TrimSuffix(buf, []byte("\r")), nil
	}
}
