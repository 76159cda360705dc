// Package importer reads access logs and files of events and sends each line as
// a touchpoint.
//
// Importing is idempotent: message ids depend on the lines alone, so an import
// that broke off is resumed by running it again, and a second run or a file in
// another order changes no count of touchpoints. (A line that is no touchpoint
// is accepted and rejected once more by each run; its key is the same each time.)
package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/cairnhq/cairn/pkg/lines"
)

// Format is how a file is read.
type Format string

// The formats.
const (
	Auto      Format = "auto"   // by the first line
	AccessLog Format = "access" // common or combined
	NDJSON    Format = "ndjson" // one event of the Segment spec a line
)

// Record is a line on its way.
type Record struct {
	Key       []byte // of the Kafka record
	Value     []byte
	Source    string
	Malformed string // empty, or why Value, a whole line, could not be read: file:line:column: reason
}

// Sender takes records. Send may block, keeps the record, and returns the error
// of any record sent before; Flush returns once every record is stored.
type Sender interface {
	Send(ctx context.Context, r *Record) error
	Flush(ctx context.Context) error
	// SetsArrival says whether the receiver notes the arrival time itself.
	SetsArrival() bool
}

// Options of an import.
type Options struct {
	Files  []string  // "-" is Stdin
	Stdin  io.Reader // for "-"
	Format Format    // empty: Auto
	Source string    // empty: each file's name
	Site   string    // https://shop.example: put before the paths of access logs
	Sender Sender
	// Complaints gets a line "file:line:column: reason" for each malformed line,
	// up to MaxComplaints, then one that says so.
	Complaints    io.Writer
	MaxComplaints int // 0: 20
	// Progress is told of bytes read from the files; nil: nobody asks.
	Progress func(n int)
	Now      func() time.Time // nil: time.Now
}

// FileSummary counts what became of a file's lines: Lines = Sent + Malformed +
// Blank + TooLong.
type FileSummary struct {
	File      string `json:"file,omitempty"`
	Lines     int64  `json:"lines"`
	Sent      int64  `json:"sent"`      // touchpoints
	Malformed int64  `json:"malformed"` // sent whole, to be rejected with the reason
	Blank     int64  `json:"blank"`
	TooLong   int64  `json:"too_long"` // not sent
}

// Summary is FileSummary for all files together and each one.
type Summary struct {
	FileSummary
	Files []FileSummary `json:"files"`
}

func (s *Summary) add(f FileSummary) {
	s.Files = append(s.Files, f)
	s.Lines += f.Lines
	s.Sent += f.Sent
	s.Malformed += f.Malformed
	s.Blank += f.Blank
	s.TooLong += f.TooLong
}

// Run imports the files. The summary counts what was stored, also after an
// error, but then only as far as the lines were handed to the sender.
func Run(ctx context.Context, o Options) (*Summary, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxComplaints == 0 {
		o.MaxComplaints = 20
	}
	r := &run{Options: o}
	var failed error
	for _, path := range o.Files {
		f, err := r.file(ctx, path)
		r.summary.add(f)
		if err != nil {
			failed = err
			break
		}
	}
	r.complaintsEnd()
	if err := o.Sender.Flush(ctx); err != nil {
		failed = errors.Join(failed, err)
	}
	return &r.summary, failed
}

// run is the state of one Run.
type run struct {
	Options
	ids        occurrences
	complaints int
	summary    Summary
}

func (r *run) file(ctx context.Context, path string) (FileSummary, error) {
	f := FileSummary{File: path}
	in, err := openLines(path, r.Stdin, r.Progress)
	if err != nil {
		return f, err
	}
	defer in.close()
	format := r.Format
	if format == "" || format == Auto {
		format = in.format()
		if format == AccessLog && path != "-" && !in.accessLog() {
			return f, fmt.Errorf("%s is neither an access log nor a file with one JSON event a line: nothing of it was sent; if it is one, name it with --format", path)
		}
	}
	source := r.Source
	if source == "" {
		source = sourceName(path)
	}
	buf := make([]byte, 0, 4096)
	for {
		if ctx.Err() != nil {
			return f, fmt.Errorf("%s:%d: stopped: run the same import again to go on, what is sent already is not counted twice", path, in.Number)
		}
		buf, err = in.next(buf)
		if errors.Is(err, io.EOF) {
			return f, nil
		}
		f.Lines++
		switch {
		case errors.Is(err, lines.ErrTooLong):
			f.TooLong++
			r.complain(path, in.Number, &lineError{Column: MaxLine + 1, Reason: err.Error() + ", it was not sent"})
			continue
		case err != nil:
			f.Lines--
			return f, err
		case len(strings.TrimSpace(string(buf))) == 0:
			f.Blank++
			continue
		}
		if err := r.line(ctx, &f, in, buf, format, source); err != nil {
			return f, err
		}
	}
}

// line sends one line.
func (r *run) line(ctx context.Context, f *FileSummary, in *lineReader, line []byte, format Format, source string) error {
	rec, err := r.record(line, format, source)
	var bad *lineError
	switch {
	case errors.As(err, &bad):
		f.Malformed++
		r.complain(f.File, in.Number, bad)
		id, err := r.ids.messageID(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", f.File, in.Number, err)
		}
		rec = &Record{
			Key: []byte(id), Value: append([]byte(nil), line...), Source: source,
			Malformed: fmt.Sprintf("%s:%d:%s", filepath.Base(f.File), in.Number, bad),
		}
	case err != nil:
		return fmt.Errorf("%s:%d: %w", f.File, in.Number, err)
	default:
		f.Sent++
	}
	if err := r.Sender.Send(ctx, rec); err != nil {
		return fmt.Errorf("%s:%d: %w", f.File, in.Number, err)
	}
	return nil
}

func (r *run) record(line []byte, format Format, source string) (*Record, error) {
	var received time.Time
	if !r.Sender.SetsArrival() {
		received = r.Now()
	}
	if format == NDJSON {
		event, key, err := lines.Event(line, lines.Options{ID: func() (string, error) { return r.ids.messageID(line) }, Source: source, Received: received})
		if err != nil {
			return nil, err
		}
		return &Record{Key: key, Value: event, Source: source}, nil
	}
	a, err := parseAccessLine(line)
	if err != nil {
		return nil, err
	}
	id, err := r.ids.messageID(line)
	if err != nil {
		return nil, err
	}
	event, err := accessEvent(a, id, source, r.Site, received)
	if err != nil {
		return nil, err
	}
	return &Record{Key: []byte(visitorID(a.Host, a.UserAgent)), Value: event, Source: source}, nil
}

func (r *run) complain(file string, line int64, e *lineError) {
	if r.complaints++; r.complaints <= r.MaxComplaints && r.Complaints != nil {
		_, _ = fmt.Fprintf(r.Complaints, "%s:%d:%s\n", file, line, e)
	}
}

func (r *run) complaintsEnd() {
	if more := r.complaints - r.MaxComplaints; more > 0 && r.Complaints != nil {
		_, _ = fmt.Fprintf(r.Complaints, "and %d more malformed lines\n", more)
	}
}

// sourceName is the source of a file nobody named one for: its name, without
// the folder and .gz.
func sourceName(path string) string {
	if path == "-" {
		return "stdin"
	}
	return strings.TrimSuffix(filepath.Base(path), ".gz")
}
