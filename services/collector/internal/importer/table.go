package importer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/cairnhq/cairn/pkg/lines"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/mapping"
)

// table is what is known of a CSV body.
type table struct {
	columns []string
	record  []byte // the row being read
}

// header reads the row that names the columns.
func (r *Reader) header() error {
	r.table = &table{}
	_, err := r.next()
	switch {
	case errors.Is(err, io.EOF):
		return &HeaderError{"the body is empty: the first line of CSV names the columns"}
	case errors.Is(err, lines.ErrTooLong):
		return &HeaderError{"the first line is too long: the first line of CSV names the columns"}
	case err != nil:
		return err
	}
	if r.table.columns, err = r.fields(); err != nil {
		return &HeaderError{"the first line, which names the columns, cannot be read: " + err.Error()}
	}
	seen := map[string]bool{}
	for _, name := range r.table.columns {
		if seen[name] && name != "" {
			return &HeaderError{"two columns are called " + strconv.Quote(name)}
		}
		seen[name] = true
	}
	if r.mapping != nil {
		return nil
	}
	if r.mapping, err = mapping.Columns(r.table.columns, r.o.Query); err != nil {
		return &HeaderError{err.Error()}
	}
	return nil
}

// next reads one row into the table's record and returns its first line's
// number: a line break within quotes is part of it. A row that is too long is
// skipped up to there.
func (r *Reader) next() (first int64, err error) {
	t := r.table
	t.record = t.record[:0]
	for quoted := false; ; {
		r.buf, err = r.in.Next(r.buf)
		if first == 0 {
			first = r.in.Number
		}
		switch {
		case errors.Is(err, io.EOF) && len(t.record) > 0: // a quote without an end: fields says so
			return first, nil
		case err != nil:
			return first, err
		case len(t.record)+len(r.buf) > lines.MaxLine:
			return first, lines.ErrTooLong
		}
		t.record = append(append(t.record, r.buf...), '\n')
		quoted = quoted != (bytes.Count(r.buf, []byte{'"'})%2 == 1)
		if !quoted {
			return first, nil
		}
	}
}

// fields reads the record.
func (r *Reader) fields() ([]string, error) {
	if !utf8.Valid(r.table.record) {
		return nil, errors.New("it holds bytes that are not UTF-8")
	}
	c := csv.NewReader(bytes.NewReader(r.table.record))
	c.FieldsPerRecord = len(r.table.columns)
	if c.FieldsPerRecord == 0 {
		c.FieldsPerRecord = -1
	}
	if r.o.Delimiter != 0 {
		c.Comma = rune(r.o.Delimiter)
	}
	return c.Read()
}

// row makes the record of the next row.
func (r *Reader) row(dst []byte) (Line, []byte, error) {
	first, err := r.next()
	l := Line{Number: first, Row: first, Column: 1}
	switch {
	case errors.Is(err, lines.ErrTooLong):
		l.Reject = door.NewReject(door.CodeTooLarge, "The row is longer than "+strconv.Itoa(lines.MaxLine)+" bytes, or a quote in it has no end: it was not kept.", "")
		return l, dst, nil
	case err != nil:
		return l, dst, err
	}
	raw := bytes.TrimSuffix(r.table.record, []byte("\n"))
	if len(bytes.TrimSpace(raw)) == 0 {
		l.Skipped = true
		return l, dst, nil
	}
	fields, err := r.fields()
	if err != nil {
		if at, ok := errors.AsType[*csv.ParseError](err); ok {
			l.Row, l.Column = first+int64(at.Line)-1, max(at.Column, 1)
			err = at.Err
			if errors.Is(err, csv.ErrFieldCount) {
				err = fmt.Errorf("the row has %d fields and the first line names %d columns", len(fields), len(r.table.columns))
			}
		}
		dst = r.rejected(&l, door.NewReject(door.CodeMalformedLine, err.Error()+".", ""), raw, dst)
		return l, dst, nil
	}
	item := make(map[string]any, len(fields))
	for i, name := range r.table.columns {
		if name != "" && fields[i] != "" {
			item[name] = mapping.Cell(fields[i])
		}
	}
	dst = r.item(&l, item, raw, dst)
	return l, dst, nil
}
