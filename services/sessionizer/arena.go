package sessionizer

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// Sizes of what an arena asks for at once, and keeps at most between transactions.
const (
	arenaChunk   = 256 << 10 // bytes
	arenaChunks  = 16
	arenaRecords = 256
	arenaSlabs   = 16
)

// arena holds the records that a partition puts into the open transaction. When a
// transaction is over, committed or not, the client has let go of its records, so
// the memory serves the next one. What goes into the state must not come from here.
type arena struct {
	chunks  [][]byte // the first used of them hold records
	used    int
	slabs   [][]kgo.Record // likewise, record by record
	records int            // in use
}

// produce emits a record of a Protobuf topic.
func (a *arena) produce(out stream.Output, topic, key string, m wire.Message, headers []kgo.RecordHeader) {
	b := a.take(len(key) + m.SizeVT())
	wire.Encode(b[len(key):], m)
	a.send(out, topic, key, b, headers)
}

// produceBytes emits a record with a copy of a value.
func (a *arena) produceBytes(out stream.Output, topic, key string, value []byte, headers []kgo.RecordHeader) {
	b := a.take(len(key) + len(value))
	copy(b[len(key):], value)
	a.send(out, topic, key, b, headers)
}

// send emits a record whose value stands in b behind where its key goes.
func (a *arena) send(out stream.Output, topic, key string, b []byte, headers []kgo.RecordHeader) {
	n := copy(b, key)
	r := a.record()
	r.Topic, r.Key, r.Value, r.Headers = topic, b[:n:n], b[n:], headers
	out.Produce(r)
}

// record returns an empty record.
func (a *arena) record() *kgo.Record {
	slab, at := a.records/arenaRecords, a.records%arenaRecords
	if slab == len(a.slabs) {
		a.slabs = append(a.slabs, make([]kgo.Record, arenaRecords))
	}
	a.records++
	r := &a.slabs[slab][at]
	*r = kgo.Record{}
	return r
}

// take returns n bytes.
func (a *arena) take(n int) []byte {
	for ; a.used < len(a.chunks); a.used++ {
		c := a.chunks[a.used]
		if from := len(c); cap(c)-from >= n {
			a.chunks[a.used] = c[:from+n]
			return c[from : from+n : from+n]
		}
	}
	a.chunks = append(a.chunks, make([]byte, n, max(n, arenaChunk)))
	return a.chunks[a.used][:n:n]
}

// reset takes all memory back.
func (a *arena) reset() {
	if len(a.slabs) > arenaSlabs {
		clear(a.slabs[arenaSlabs:])
		a.slabs = a.slabs[:arenaSlabs]
	}
	a.records = 0
	kept := a.chunks[:0]
	for _, c := range a.chunks {
		if cap(c) == arenaChunk && len(kept) < arenaChunks { // not one of a huge record
			kept = append(kept, c[:0])
		}
	}
	clear(a.chunks[len(kept):])
	a.chunks, a.used = kept, 0
}
