package stream

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// recycler gives the memory of fetched records to the next ones: unpacked batches,
// and the records in them. A third of what the steps would otherwise ask the garbage
// collector for is that. It is safe for concurrent use.
//
// A record is recycled when its task has processed it. Nothing may alias it after
// that: the client fills what is recycled with zeros.
type recycler struct {
	bytes   shelf[byte]
	records shelf[kgo.Record]
}

// Bounds of what a recycler keeps, together and of one batch: clients send up to 1 MB,
// packed or not.
const (
	keptBytes    = 64 << 20
	keptRecords  = 64 << 10 // some 200 bytes each
	largestBatch = 2 << 20
)

// unpackedRatio is how much larger than packed a batch is taken to be where its codec
// does not say.
const unpackedRatio = 6

// GetDecompressBytes implements kgo.PoolDecompressBytes. What it returns is the room to
// begin with: a decoder that needs more makes its own, which comes back instead.
func (c *recycler) GetDecompressBytes(packed []byte, codec kgo.CompressionCodecType) []byte {
	n := unpackedRatio * len(packed)
	least := n / 2
	if codec == kgo.CodecSnappy && !bytes.HasPrefix(packed, []byte(xerialMagic)) {
		known, err := s2.DecodedLen(packed)
		if err != nil || known > largestBatch {
			return nil // the decoder complains, or makes what would not be kept
		}
		n, least = known, known
	}
	if b := c.bytes.take(least); b != nil {
		return b
	}
	return make([]byte, 0, (n+sizeStep-1)/sizeStep*sizeStep)
}

// xerialMagic begins what Java's writers pack with Snappy: blocks, without the length of
// the whole.
const xerialMagic = "\x82SNAPPY\x00"

// sizeStep is what sizes of batches are rounded up to, so that more of them go into
// the memory of others.
const sizeStep = 32 << 10

// PutDecompressBytes implements kgo.PoolDecompressBytes.
func (c *recycler) PutDecompressBytes(b []byte) {
	if cap(b) > 0 && cap(b) <= largestBatch {
		c.bytes.put(b, keptBytes)
	}
}

// GetRecords implements kgo.PoolRecords.
func (c *recycler) GetRecords(n int) []kgo.Record {
	if rs := c.records.take(n); rs != nil {
		return rs[:n]
	}
	return make([]kgo.Record, n)
}

// PutRecords implements kgo.PoolRecords.
func (c *recycler) PutRecords(rs []kgo.Record) { c.records.put(rs, keptRecords) }

// trim lets go of what was of no use since it was called before.
func (c *recycler) trim() {
	c.bytes.trim()
	c.records.trim()
}

// shelf holds slices that wait for their next use. It is safe for concurrent use.
type shelf[T any] struct {
	mu   sync.Mutex
	list [][]T // guarded by mu
	size int   // guarded by mu: their capacities together
	idle int   // guarded by mu: the least that size was since the last trim
}

// looked is how many of the slices put last are looked at for one that is large enough.
const looked = 8

// take returns a slice without elements that has room for n, nil if there is none.
func (s *shelf[T]) take(n int) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := len(s.list)
	for i := end - 1; i >= max(0, end-looked); i-- {
		if b := s.list[i]; cap(b) >= n {
			s.list[i], s.list[end-1] = s.list[end-1], nil
			s.list = s.list[:end-1]
			s.size -= cap(b)
			s.idle = min(s.idle, s.size)
			return b[:0]
		}
	}
	return nil
}

// put keeps a slice, unless more than limit would be kept then. The oldest ones go,
// so that sizes that nobody asks for do not stay.
func (s *shelf[T]) put(b []T, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, b)
	s.size += cap(b)
	s.shrink(limit)
}

// trim lets go of as much as was never taken since it was called before.
func (s *shelf[T]) trim() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shrink(s.size - s.idle)
	s.idle = s.size
}

// shrink lets go of the oldest slices until no more than limit is kept.
func (s *shelf[T]) shrink(limit int) {
	for s.size > limit {
		s.size -= cap(s.list[0])
		s.list[0] = nil
		s.list = s.list[1:]
	}
	s.idle = min(s.idle, s.size)
}
