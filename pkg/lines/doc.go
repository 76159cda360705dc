// Package lines reads files of events line by line, for `cairn import` and for
// the collector's /import: one event of the Segment spec a line, gzipped or not,
// in bounded memory.
package lines

import "strconv"

// Error says what is wrong with a line, and where.
type Error struct {
	Column int // byte, from 1
	Reason string
}

func (e *Error) Error() string { return strconv.Itoa(e.Column) + ": " + e.Reason }
