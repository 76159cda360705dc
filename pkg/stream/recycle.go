package stream

import (
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// recycler gives the memory of fetched records to the next ones: unpacked batches,
// and the records in them. Half of what the steps would otherwise ask the garbage
// collector for is that. It is safe for concurrent use.
//
// A record is recycled when its task has processed it. Nothing may alias it after
// that: the client fills what is recycled with zeros.
type recycler struct{ bytes, records sync.Pool }

// unpackedRatio is how much larger than packed a batch is taken to be where its codec
// does not say.
const unpackedRatio = 6

// GetDecompressBytes implements kgo.PoolDecompressBytes.
func (c *recycler) GetDecompressBytes(packed []byte, codec kgo.CompressionCodecType) []byte {
	least, n := 0, unpackedRatio*len(packed) // what is too small grows, and comes back so
	if known, err := s2.DecodedLen(packed); err == nil && codec == kgo.CodecSnappy {
		n = min(known, maxRecycled) // it may say anything: the decoder finds out
		least = n
	}
	if b, ok := c.bytes.Get().(*[]byte); ok && cap(*b) >= least {
		return (*b)[:0]
	}
	return make([]byte, 0, n)
}

// PutDecompressBytes implements kgo.PoolDecompressBytes.
func (c *recycler) PutDecompressBytes(b []byte) {
	if cap(b) <= maxRecycled {
		c.bytes.Put(&b)
	}
}

// maxRecycled bounds what is kept of one batch, in bytes: clients send up to 1 MB.
const maxRecycled = 4 << 20

// GetRecords implements kgo.PoolRecords.
func (c *recycler) GetRecords(n int) []kgo.Record {
	if rs, ok := c.records.Get().(*[]kgo.Record); ok && cap(*rs) >= n {
		return (*rs)[:n]
	}
	return make([]kgo.Record, n)
}

// PutRecords implements kgo.PoolRecords.
func (c *recycler) PutRecords(rs []kgo.Record) {
	if len(rs) <= maxRecycled/200 {
		c.records.Put(&rs)
	}
}
