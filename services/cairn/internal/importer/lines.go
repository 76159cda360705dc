package importer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// MaxLine is the longest line that is read, in bytes. A longer one would not fit
// a Kafka record of the default size.
const MaxLine = 900 << 10

const byteOrderMark = "\ufeff"

// errTooLong marks a line longer than MaxLine; it was skipped.
var errTooLong = fmt.Errorf("the line is longer than %d bytes", MaxLine)

// lineReader reads a file line by line in bounded memory. gzip is told by its
// first two bytes, whatever the file is called.
type lineReader struct {
	name   string // as shown in messages: the path, or "-"
	number int64  // of the line last read, from 1
	file   io.ReadCloser
	gz     *gzip.Reader
	in     *bufio.Reader
}

// openLines opens path, or stdin for "-". raw is told of every byte read from
// the file, before decompression.
func openLines(path string, stdin io.Reader, raw func(n int)) (*lineReader, error) {
	r := &lineReader{name: path, file: io.NopCloser(stdin)}
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		if info, err := f.Stat(); err == nil && info.IsDir() {
			_ = f.Close()
			return nil, fmt.Errorf("%s is a folder: name the files in it", path)
		}
		r.file = f
	}
	compressed := bufio.NewReaderSize(&tellingReader{r.file, raw}, 64<<10)
	magic, err := compressed.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		_ = r.file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		r.in = compressed
		return r, nil
	}
	if r.gz, err = gzip.NewReader(compressed); err != nil {
		_ = r.file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.in = bufio.NewReaderSize(r.gz, 64<<10)
	return r, nil
}

// next returns the next line without its line break, valid until the following
// call; io.EOF after the last. errTooLong is no end: the line was skipped.
func (r *lineReader) next(buf []byte) ([]byte, error) {
	buf = buf[:0]
	r.number++
	for tooLong := false; ; {
		part, err := r.in.ReadSlice('\n')
		if len(buf)+len(part) > MaxLine+2 { // and its line break
			tooLong = true
		}
		if !tooLong {
			buf = append(buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(buf) == 0 && !tooLong:
			return buf, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return buf, fmt.Errorf("%s:%d: %w", r.name, r.number, err)
		case tooLong:
			return buf[:0], errTooLong
		}
		buf = bytes.TrimSuffix(buf, []byte("\n"))
		if r.number == 1 {
			buf = bytes.TrimPrefix(buf, []byte(byteOrderMark))
		}
		return bytes.TrimSuffix(buf, []byte("\r")), nil
	}
}

// format looks at the first line that is not blank, without consuming it.
func (r *lineReader) format() Format {
	for n := 512; ; n *= 4 {
		head, err := r.in.Peek(min(n, r.in.Size()))
		if trimmed := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n"); len(trimmed) > 0 {
			if trimmed[0] == '{' {
				return NDJSON
			}
			return AccessLog
		}
		if err != nil || n > r.in.Size() {
			return AccessLog
		}
	}
}

// tellingLines is how many lines must be looked at before a file is called no access log.
const tellingLines = 3

// accessLog looks at the first lines, without consuming them: false only if there
// are some and none of them can be read.
func (r *lineReader) accessLog() bool {
	head, _ := r.in.Peek(r.in.Size()) // less than that is the whole file
	seen := 0
	for line := range bytes.Lines(head) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if _, err := parseAccessLine(line); err == nil {
			return true
		}
		seen++
	}
	return seen < tellingLines
}

func (r *lineReader) close() { _ = r.file.Close() }

// tellingReader reports how much was read.
type tellingReader struct {
	io.Reader
	tell func(n int)
}

func (t *tellingReader) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	if t.tell != nil {
		t.tell(n)
	}
	return n, err
}
