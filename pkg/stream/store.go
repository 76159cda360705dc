package stream

import "errors"

// Store holds the committed state of one input partition: ordered rows of bytes.
// It is a cache of the changelog topic: losing it costs a restore, nothing else.
// One goroutine uses it at a time.
//
// Any key is fine. Those of the form
//
//	table (1 byte) | length of name (2 bytes, big endian) | name | rest
//
// are the quick ones: Scan of everything about a name is answered from a bloom
// filter when there is nothing, which is so for every new device and profile.
type Store interface {
	// Get returns a row, nil if there is none. The value stays valid; the caller
	// must not change it.
	Get(key []byte) ([]byte, error)
	// Scan calls fn with the rows whose key begins with prefix, in key order. The
	// key is valid during the call only; the value stays valid, and must not be
	// changed. An error of fn ends the scan and is returned, ErrStop as nil.
	Scan(prefix []byte, fn func(key, value []byte) error) error
	// Range is Scan for the rows with from <= key < to. A nil to has no end.
	Range(from, to []byte, fn func(key, value []byte) error) error
	// Release gives back what reads have opened. Reads may follow.
	Release() error
	// Apply replaces rows and remembers as one how far they reflect the changelog:
	// see Progress. It copies what it keeps.
	Apply(changes []Change, next, asof int64) error
	// Progress tells what the rows are a copy of, and how far.
	Progress() Progress
	// Reset removes all rows: what follows is a copy of another origin.
	Reset(origin string) error
	// Size estimates the number of rows and the bytes they take where they are kept.
	// It may be called by any goroutine.
	Size() (rows, bytes int64, err error)
	// Close gives back what the store holds. The rows stay, if they are on disk.
	Close() error
}

// Progress says how far a store has followed its changelog.
type Progress struct {
	Origin string // which changelog; "": none yet
	Next   int64  // offset to go on from; 0: the start
	Asof   int64  // Unix ms; what stands behind Next in the changelog is not older
}

// Change replaces one row; a nil Value deletes it.
type Change struct {
	Key   []byte
	Value []byte
}

// ErrStop ends a scan without an error when the function that it calls returns it.
var ErrStop = errors.New("stop the scan")

// prefixEnd is the first key behind all that begin with prefix, nil if there is none.
func prefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}
