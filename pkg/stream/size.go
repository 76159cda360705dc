package stream

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// countedBytes is up to which size on disk rows are counted one by one: so few may
// well be all in memtables, of which there is no other measure.
const countedBytes = 4 << 20

// size estimates the rows between two keys and the bytes they take on disk. Of a
// table that holds other rows, too, it takes the part that its bytes are. A row
// that was replaced counts until compaction drops its former versions.
func (d *database) size(from, to []byte) (rows, size int64, err error) {
	d.open.RLock()
	defer d.open.RUnlock()
	if d.closed {
		return 0, 0, nil
	}
	levels, err := d.db.SSTables(pebble.WithKeyRangeFilter(from, to), pebble.WithApproximateSpanBytes())
	if err != nil {
		return 0, 0, d.check(fmt.Errorf("measure the state: %w", err))
	}
	for _, level := range levels {
		for i := range level {
			t := &level[i]
			// A tombstone is an entry, and so is the row it hides.
			live := max(0, float64(t.TableStats.NumEntries)-2*float64(t.TableStats.NumDeletions))
			rows += int64(live * float64(t.ApproximateSpanBytes) / float64(max(t.Size, 1)))
			size += int64(t.ApproximateSpanBytes)
		}
	}
	if size < countedBytes {
		return d.count(from, to)
	}
	return rows, size, nil
}

// count reads the rows between two keys.
func (d *database) count(from, to []byte) (rows, size int64, err error) {
	it, err := d.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return 0, 0, d.check(fmt.Errorf("measure the state: %w", err))
	}
	for ok := it.First(); ok; ok = it.Next() {
		rows++
		size += int64(len(it.Key()) - partitionBytes + len(it.Value()))
	}
	if err := it.Close(); err != nil {
		return 0, 0, d.check(fmt.Errorf("measure the state: %w", err))
	}
	return rows, size, nil
}
