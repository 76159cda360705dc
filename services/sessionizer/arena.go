package sessionizer

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// Records that an arena asks for at once, and how often that at most is kept between
// transactions.
const (
	arenaRecords = 256
	arenaSlabs   = 8
)

// arena holds the records that a partition puts into the open transaction. When a
// transaction is over, committed or not, the client has let go of its records, so
// the memory serves the next one. What goes into the state must not come from here.
type arena struct {
	bytes   stream.Chunks
	slabs   [][]kgo.Record
	records int // of them in use
}

func newArena() arena { return arena{bytes: stream.Chunks{Size: 256 << 10, Keep: 4}} }

// produce emits a record of a Protobuf topic.
func (a *arena) produce(out stream.Output, topic, key string, m wire.Message, headers []kgo.RecordHeader) {
	b := a.bytes.Take(len(key) + m.SizeVT())
	wire.Encode(b[len(key):], m)
	a.send(out, topic, key, b, headers)
}

// produceBytes emits a record with a copy of a value.
func (a *arena) produceBytes(out stream.Output, topic, key string, value []byte, headers []kgo.RecordHeader) {
	b := a.bytes.Take(len(key) + len(value))
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

// reset takes all memory back.
func (a *arena) reset() {
	if len(a.slabs) > arenaSlabs {
		clear(a.slabs[arenaSlabs:])
		a.slabs = a.slabs[:arenaSlabs]
	}
	a.records = 0
	a.bytes.Reset()
}
