package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cairnhq/cairn/pkg/lines"
)

// MaxLine is the longest line that is read, in bytes.
const MaxLine = lines.MaxLine

// lineReader reads a file line by line in bounded memory. gzip is told by its
// first two bytes, whatever the file is called.
type lineReader struct {
	*lines.Reader
	name string // as shown in messages: the path, or "-"
	file io.ReadCloser
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
	var err error
	if r.Reader, err = lines.NewReader(&tellingReader{r.file, raw}); err != nil {
		_ = r.file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// next is lines.Reader's Next, with errors that name the place.
func (r *lineReader) next(buf []byte) ([]byte, error) {
	buf, err := r.Next(buf)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, lines.ErrTooLong) {
		err = fmt.Errorf("%s:%d: %w", r.name, r.Number, err)
	}
	return buf, err
}

// format looks at the first line that is not blank, without consuming it.
func (r *lineReader) format() Format {
	for n := 512; ; n *= 4 {
		head, err := r.Head(min(n, r.HeadLimit()))
		if trimmed := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(lines.ByteOrderMark)), " \t\r\n"); len(trimmed) > 0 {
			if trimmed[0] == '{' {
				return NDJSON
			}
			return AccessLog
		}
		if err != nil || n > r.HeadLimit() {
			return AccessLog
		}
	}
}

// tellingLines is how many lines must be looked at before a file is called no access log.
const tellingLines = 3

// accessLog looks at the first lines, without consuming them: false only if there
// are some and none of them can be read.
func (r *lineReader) accessLog() bool {
	head, _ := r.Head(0) // less than that is the whole file
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
