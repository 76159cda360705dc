package stream

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// A key in the database is the partition (4 bytes, big endian) and the row's key.
// Behind all partitions stands what is known of each.
const (
	partitionBytes = 4
	aboutPartition = 1<<32 - 1
)

// nameHeader is what stands before the name in a row's key: table and length.
const nameHeader = 3

// nameEnd is where the name in a row's key ends (see Store): all rows of a name
// have the same bytes up to there. Of a key that is not of that form it is the end.
func nameEnd(key []byte) int {
	if len(key) < nameHeader {
		return len(key)
	}
	return min(len(key), nameHeader+int(binary.BigEndian.Uint16(key[1:])))
}

// rowComparer orders keys by their bytes, and has bloom filters hold names instead
// of whole keys. A key of any bytes is fine: a name's length stands before it, so
// no name is the beginning of another, and cutting keys keeps their order.
//
// The files on disk know it by its name: another split needs another name.
func rowComparer() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Name = "cairn.rows.1"
	c.Split = func(key []byte) int {
		if len(key) <= partitionBytes {
			return len(key)
		}
		return partitionBytes + nameEnd(key[partitionBytes:])
	}
	c.ImmediateSuccessor = func(dst, prefix []byte) []byte {
		if len(prefix) >= partitionBytes+nameHeader && c.Split(append(slices.Clip(prefix), 0)) == len(prefix) {
			return append(dst, prefixEnd(prefix)...) // a whole name: nothing longer is a prefix
		}
		return append(append(dst, prefix...), 0)
	}
	c.Compare, c.Equal = bytes.Compare, bytes.Equal
	return &c
}
