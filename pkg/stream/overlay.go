package stream

import (
	"bytes"
	"slices"

	"github.com/google/btree"
)

// overlay is what the open transaction has changed, in key order, so that a scan
// costs what it matches and not what the transaction holds. Its memory serves each
// transaction anew.
type overlay struct {
	rows   *btree.BTreeG[Change]
	memory Chunks[byte] // of keys and values
	listed []Change     // to be used again
	most   int          // rows that were listed since the last trim
}

func newOverlay() overlay {
	less := func(a, b Change) bool { return bytes.Compare(a.Key, b.Key) < 0 }
	return overlay{rows: btree.NewWithFreeListG(32, less, btree.NewFreeListG[Change](256)), memory: Chunks[byte]{Size: 64 << 10}}
}

func (o *overlay) get(key []byte) (Change, bool) {
	if o.rows.Len() == 0 {
		return Change{}, false
	}
	return o.rows.Get(Change{Key: key})
}

// put notes a change. It keeps copies; a nil value stays nil.
func (o *overlay) put(key, value []byte) {
	both := o.memory.Take(len(key) + len(value))
	n := copy(both, key)
	c := Change{Key: both[:n:n]}
	if value != nil {
		copy(both[n:], value)
		c.Value = both[n:]
	}
	o.rows.ReplaceOrInsert(c)
}

// list is all changes by key, valid until it is called again.
func (o *overlay) list() []Change {
	clear(o.listed)
	o.most = max(o.most, o.rows.Len())
	out := slices.Grow(o.listed[:0], o.rows.Len())
	o.rows.Ascend(func(c Change) bool {
		out = append(out, c)
		return true
	})
	o.listed = out
	return out
}

// clear forgets the changes and takes their memory back.
func (o *overlay) clear() {
	o.rows.Clear(true)
	o.memory.Reset()
}

// trim lets go of the memory that was of no use since it was called before.
func (o *overlay) trim() {
	o.memory.Trim()
	clear(o.listed)
	if cap(o.listed) > 2*o.most {
		o.listed = nil
	}
	o.most = 0
}

// cursor walks a range of the overlay. It fetches a few rows at a time, so it is
// as cheap to leave early as to begin, and the overlay may be written meanwhile.
type cursor struct {
	rows *btree.BTreeG[Change]
	from []byte // where the next fetch begins
	to   []byte // nil: no end
	next []Change
	end  bool // the fetch before was the last
}

// cursorChunk is how many rows a cursor fetches at a time.
const cursorChunk = 16

func (o *overlay) cursor(from, to []byte) cursor {
	return cursor{rows: o.rows, from: from, to: to, end: o.rows.Len() == 0}
}

// peek is the next change, or false at the end.
func (c *cursor) peek() (Change, bool) {
	if len(c.next) == 0 && !c.end {
		c.fetch()
	}
	if len(c.next) == 0 {
		return Change{}, false
	}
	return c.next[0], true
}

// skip goes on behind what peek has returned.
func (c *cursor) skip() { c.next = c.next[1:] }

func (c *cursor) fetch() {
	c.next = nil
	c.end = true
	c.rows.AscendGreaterOrEqual(Change{Key: c.from}, func(row Change) bool {
		if c.to != nil && bytes.Compare(row.Key, c.to) >= 0 {
			return false
		}
		c.next = append(c.next, row)
		c.end = len(c.next) < cursorChunk
		return c.end
	})
	if !c.end {
		last := c.next[len(c.next)-1].Key
		c.from = append(append(make([]byte, 0, len(last)+1), last...), 0)
	}
}
