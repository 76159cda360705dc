// Package importer reads the bodies of POST /import line by line into records: it
// holds one line at a time, whatever the body's size. See docs/webhooks.md.
package importer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/cairnhq/cairn/pkg/lines"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/mapping"
	"github.com/cairnhq/cairn/services/collector/internal/posthog"
)

// Format is how a body is read.
type Format string

// The formats.
const (
	NDJSON Format = "ndjson" // an event, or with a mapping any JSON, a line
	CSV    Format = "csv"    // the first line names the columns
)

// Options of a body.
type Options struct {
	Format    Format
	Delimiter byte            // of CSV; 0: a comma
	Mapping   *mapping.Source // nil: events of NDJSON, columns named in Query
	Query     url.Values      // see mapping.Columns
	ID        string          // of the import
	Chunk     uint64
	Source    string
	Received  time.Time
	Limits    door.Limits
	MaxBytes  int64 // of the body, unpacked: lines.ErrTooMuch
}

// Line is what became of a line.
type Line struct {
	door.Record       // with a Reject the line as it came; Value is nil for one that is too long
	Number      int64 // where it begins, from 1
	Column      int   // of what is wrong, from 1
	Row         int64 // line of what is wrong: within quotes a row of CSV has several
	Skipped     bool  // blank, or not wanted by the mapping
}

// HeaderError says that the body as a whole cannot be read.
type HeaderError struct{ reason string }

func (e *HeaderError) Error() string { return e.reason }

// Reader makes records of a body's lines. Make it with NewReader. Not for
// concurrent use.
type Reader struct {
	o       Options
	in      *lines.Reader
	buf     []byte
	mapping *mapping.Source
	meta    door.Meta
	posthog posthog.Request
	table   *table // of CSV
}

// NewReader begins to read a body, gzipped or not. Errors that are no
// *HeaderError are those of in.
func NewReader(in io.Reader, o Options) (*Reader, error) {
	o.Limits.EventBytes = lines.MaxLine // history is not cut to what SDKs send
	r := &Reader{o: o, mapping: o.Mapping, meta: door.Meta{ReceivedAt: o.Received, Source: o.Source}}
	var err error
	if r.in, err = lines.NewReader(in); err != nil {
		return nil, err
	}
	r.in.Max = o.MaxBytes
	if o.Format == CSV {
		err = r.header()
	}
	return r, err
}

// Next makes the record of the next line. Key and Value are appended to dst,
// which is returned, and alias it. io.EOF after the last line.
func (r *Reader) Next(dst []byte) (Line, []byte, error) {
	var err error
	if r.table != nil {
		return r.row(dst)
	}
	r.buf, err = r.in.Next(r.buf)
	l := Line{Number: r.in.Number, Row: r.in.Number, Column: 1}
	switch {
	case errors.Is(err, lines.ErrTooLong):
		l.Column = lines.MaxLine + 1
		l.Reject = door.NewReject(door.CodeTooLarge, "The line is longer than "+strconv.Itoa(lines.MaxLine)+" bytes: it was not kept.", "")
		return l, dst, nil
	case err != nil:
		return l, dst, err
	case len(bytes.TrimSpace(r.buf)) == 0:
		l.Skipped = true
		return l, dst, nil
	case r.mapping != nil:
		dst = r.mapped(&l, dst)
	default:
		dst = r.event(&l, dst)
	}
	return l, dst, nil
}

// event makes the record of a line that is one event.
func (r *Reader) event(l *Line, dst []byte) []byte {
	if line, ok := r.ofPostHog(); ok {
		return r.capture(l, line, dst)
	}
	value, key, err := lines.Event(r.buf, lines.Options{
		ID: func() (string, error) { return r.id(l.Number, r.buf), nil }, Source: r.o.Source, Owned: true, Received: r.o.Received,
	})
	if err != nil {
		if at, ok := errors.AsType[*lines.Error](err); ok {
			l.Column = at.Column
			err = errors.New(at.Reason)
		}
		return r.rejected(l, door.NewReject(door.CodeMalformedLine, err.Error()+".", ""), r.buf, dst)
	}
	return record(l, key, value, dst)
}

// mapped makes the record of a line of JSON by the mapping.
func (r *Reader) mapped(l *Line, dst []byte) []byte {
	if err := check(r.buf, r.o.Limits.Depth); err != nil {
		if err.Column > 0 {
			l.Column = err.Column
		}
		return r.rejected(l, door.NewReject(door.CodeMalformedLine, err.Reason+".", ""), r.buf, dst)
	}
	v, err := mapping.Decode(r.buf)
	if err != nil {
		return r.rejected(l, door.NewReject(door.CodeMalformedLine, err.Error()+".", ""), r.buf, dst)
	}
	return r.item(l, v, r.buf, dst)
}

// item makes the record of one item.
func (r *Reader) item(l *Line, v any, raw, dst []byte) []byte {
	it := mapping.Item{Value: v, Body: v}
	if !r.mapping.Wanted(&it) {
		l.Skipped = true
		return dst
	}
	var t door.Touchpoint
	if rej := r.mapping.Apply(&it, &t); rej != nil {
		return r.rejected(l, rej, raw, dst)
	}
	if t.MessageID == "" {
		t.MessageID = r.id(l.Number, raw)
	}
	t.Context = map[string]any{"library": map[string]any{"name": "cairn-import"}}
	l.Record, dst = t.Append(&r.meta, r.o.Limits, raw, dst)
	return dst
}

func (r *Reader) rejected(l *Line, rej *door.Reject, raw, dst []byte) []byte {
	start := len(dst)
	dst = append(dst, raw...)
	l.Record = door.Record{Value: dst[start:len(dst):len(dst)], Reject: rej}
	return dst
}

func record(l *Line, key, value, dst []byte) []byte {
	start := len(dst)
	dst = append(dst, key...)
	mid := len(dst)
	dst = append(dst, value...)
	l.Record = door.Record{Key: dst[start:mid:mid], Value: dst[mid:len(dst):len(dst)]}
	return dst
}

// id is the message id of a line without one. It depends on the import, the
// chunk, the line's place in it and its bytes: a chunk that is sent again brings
// the same ids, and two equal lines have two.
func (r *Reader) id(number int64, line []byte) string {
	h := sha256.New()
	for _, part := range [...]string{r.o.Source, r.o.ID} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	h.Write(binary.BigEndian.AppendUint64(nil, r.o.Chunk))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(number)))
	h.Write(line)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// check is what stops a line from being JSON.
func check(line []byte, depth int) *lines.Error {
	if err := lines.Syntax(line); err != nil {
		return err
	}
	if deepest(line) > depth {
		return &lines.Error{Column: 1, Reason: fmt.Sprintf("objects and lists are nested more than %d deep", depth)}
	}
	return nil
}
