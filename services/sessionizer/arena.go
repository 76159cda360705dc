package sessionizer

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// arenaChunk is how much memory an arena asks for at once, in bytes, and how much
// it keeps between transactions.
const arenaChunk = 1 << 20

// arenaRecords is how many records it asks for at once.
const arenaRecords = 256

// arena holds the records that a partition puts into the open transaction. When a
// transaction is over, committed or not, the client has let go of its records, so
// the memory serves the next one. What goes into the state must not come from here.
type arena struct {
	bytes   []byte
	records []kgo.Record
}

// produce emits a record of a Protobuf topic.
func (a *arena) produce(out stream.Output, topic, key string, m wire.Message, headers []kgo.RecordHeader) {
	if len(a.records) == 0 {
		a.records = make([]kgo.Record, arenaRecords)
	}
	r := &a.records[0]
	a.records = a.records[1:]
	b := a.take(len(key) + m.SizeVT())
	n := copy(b, key)
	wire.Encode(b[n:], m)
	r.Topic, r.Key, r.Value, r.Headers = topic, b[:n:n], b[n:], headers
	out.Produce(r)
}

// take returns n bytes.
func (a *arena) take(n int) []byte {
	if cap(a.bytes)-len(a.bytes) < n {
		a.bytes = make([]byte, 0, max(n, arenaChunk)) // what was handed out keeps the old chunk alive
	}
	from := len(a.bytes)
	a.bytes = a.bytes[:from+n]
	return a.bytes[from : from+n : from+n]
}

// reset takes all memory back; the records themselves are the client's.
func (a *arena) reset() { a.bytes = a.bytes[:0] }
