package sessionizer

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// arena holds the records that a partition puts into the open transaction. When a
// transaction is over, committed or not, the client has let go of its records, so
// the memory serves the next one. What goes into the state must not come from here.
type arena struct {
	bytes   stream.Chunks[byte]
	records stream.Chunks[kgo.Record]
}

func newArena() arena {
	return arena{bytes: stream.Chunks[byte]{Size: 256 << 10}, records: stream.Chunks[kgo.Record]{Size: 256}}
}

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
	r := &a.records.Take(1)[0]
	*r = kgo.Record{}
	return r
}

// reset takes all memory back.
func (a *arena) reset() {
	a.records.Reset()
	a.bytes.Reset()
}

// trim lets go of the memory that was of no use since it was called before.
func (a *arena) trim() {
	a.records.Trim()
	a.bytes.Trim()
}
