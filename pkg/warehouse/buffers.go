package warehouse

import (
	"encoding/binary"
	"unsafe"

	"github.com/ClickHouse/ch-go/proto"

	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// buffer is one column of a batch. Values are held as they travel, or nearly so:
// what a row costs on its way is one copy, and the garbage collector finds no
// pointers in a hundred thousand rows.
type buffer interface {
	column() string
	kind() string // type of the table's column, LowCardinality left out
	// encode appends the rows [from, to) as ClickHouse's native format has them.
	encode(b *proto.Buffer, from, to int)
	reset()
}

// head is what all buffers have in common.
type head struct{ name, typ string }

func (h *head) column() string { return h.name }
func (h *head) kind() string   { return h.typ }

func register[B buffer](c *columns, b B) B {
	c.buffers = append(c.buffers, b)
	return b
}

// textCol is a column of strings, each behind its length.
type textCol struct {
	head
	data []byte
	// Where a row begins: blocks are encoded one after the other.
	row, at int
}

func newText(c *columns, name string) *textCol {
	return register(c, &textCol{head: head{name, "String"}})
}

func (t *textCol) add(v string) {
	if len(v) < 1<<7 {
		t.data = append(append(t.data, byte(len(v))), v...)
		return
	}
	t.data = append(binary.AppendUvarint(t.data, uint64(len(v))), v...)
}

func (t *textCol) encode(b *proto.Buffer, from, to int) {
	if from < t.row {
		t.row, t.at = 0, 0
	}
	t.seek(from)
	begin := t.at
	t.seek(to)
	b.Buf = append(b.Buf, t.data[begin:t.at]...)
}

func (t *textCol) seek(row int) {
	at := t.at
	for ; t.row < row; t.row++ {
		if n := t.data[at]; n < 1<<7 {
			at += 1 + int(n)
			continue
		}
		n, size := binary.Uvarint(t.data[at:])
		at += size + int(n)
	}
	t.at = at
}

func (t *textCol) reset() { t.data, t.row, t.at = t.data[:0], 0, 0 }

// intCol is a column of integers.
type intCol[T integer] struct {
	head
	values []T
}

type integer interface {
	uint8 | int16 | int32 | uint32 | int64 | uint64
}

func newNumber[T integer](c *columns, name, typ string) *intCol[T] {
	return register(c, &intCol[T]{head: head{name, typ}})
}

// moment is a column of times in Unix ms.
func moment(c *columns, name string) *intCol[int64] {
	return newNumber[int64](c, name, "DateTime64(3, 'UTC')")
}

func (n *intCol[T]) add(v T) { n.values = append(n.values, v) }

func (n *intCol[T]) encode(b *proto.Buffer, from, to int) {
	b.Buf = appendNumbers(b.Buf, n.values[from:to])
}

func (n *intCol[T]) reset() { n.values = n.values[:0] }

// appendNumbers appends values in little-endian order, as all processors that
// ClickHouse runs on have them.
func appendNumbers[T integer](to []byte, values []T) []byte {
	switch unsafe.Sizeof(T(0)) {
	case 1:
		for _, v := range values {
			to = append(to, byte(v))
		}
	case 2:
		for _, v := range values {
			to = binary.LittleEndian.AppendUint16(to, uint16(v))
		}
	case 4:
		for _, v := range values {
			to = binary.LittleEndian.AppendUint32(to, uint32(v))
		}
	default:
		for _, v := range values {
			to = binary.LittleEndian.AppendUint64(to, uint64(v))
		}
	}
	return to
}

// boolCol is a column of Bool.
type boolCol struct{ intCol[uint8] }

func newTruth(c *columns, name string) *boolCol {
	return register(c, &boolCol{intCol[uint8]{head: head{name, "Bool"}}})
}

func (t *boolCol) add(v bool) {
	n := uint8(0)
	if v {
		n = 1
	}
	t.intCol.add(n)
}

// nullCol is a column of integers that may be null.
type nullCol[T integer] struct {
	head
	nulls  []uint8
	values []T
}

func newOptional[T integer](c *columns, name, typ string) *nullCol[T] {
	return register(c, &nullCol[T]{head: head{name, "Nullable(" + typ + ")"}})
}

func (o *nullCol[T]) add(v *T) {
	if v == nil {
		o.nulls, o.values = append(o.nulls, 1), append(o.values, 0)
		return
	}
	o.nulls, o.values = append(o.nulls, 0), append(o.values, *v)
}

func (o *nullCol[T]) encode(b *proto.Buffer, from, to int) {
	b.Buf = appendNumbers(append(b.Buf, o.nulls[from:to]...), o.values[from:to])
}

func (o *nullCol[T]) reset() { o.nulls, o.values = o.nulls[:0], o.values[:0] }

// listCol is the ends of a column of lists, whose elements are columns of their own.
type listCol struct{ ends []int }

func (l *listCol) add(n int) {
	last := 0
	if len(l.ends) > 0 {
		last = l.ends[len(l.ends)-1]
	}
	l.ends = append(l.ends, last+n)
}

// encode appends the ends, as counted from the first of the rows, and returns which
// elements the rows have.
func (l *listCol) encode(b *proto.Buffer, from, to int) (first, end int) {
	if from > 0 {
		first = l.ends[from-1]
	}
	end = first
	for _, e := range l.ends[from:to] {
		b.Buf = binary.LittleEndian.AppendUint64(b.Buf, uint64(e-first))
		end = e
	}
	return first, end
}

func (l *listCol) reset() { l.ends = l.ends[:0] }

// textsCol is a column of lists of strings.
type textsCol struct {
	head
	rows  listCol
	items textCol
}

func newTexts(c *columns, name string) *textsCol {
	return register(c, &textsCol{head: head{name, "Array(String)"}})
}

func (t *textsCol) add(list []string) {
	t.rows.add(len(list))
	for _, v := range list {
		t.items.add(v)
	}
}

func (t *textsCol) encode(b *proto.Buffer, from, to int) {
	first, end := t.rows.encode(b, from, to)
	t.items.encode(b, first, end)
}

func (t *textsCol) reset() {
	t.rows.reset()
	t.items.reset()
}

// countsCol is a column of a session's counts by event, in the order they come in: so
// the same record is always the same row.
type countsCol struct {
	head
	rows   listCol
	events textCol
	values intCol[uint64]
}

func newCounts(c *columns, name string) *countsCol {
	return register(c, &countsCol{head: head{name, "Map(String, UInt64)"}})
}

func (m *countsCol) add(list []*wirepb.EventCount) {
	m.rows.add(len(list))
	for _, e := range list {
		m.events.add(e.Event)
		m.values.add(e.Count)
	}
}

func (m *countsCol) encode(b *proto.Buffer, from, to int) {
	first, end := m.rows.encode(b, from, to)
	m.events.encode(b, first, end)
	m.values.encode(b, first, end)
}

func (m *countsCol) reset() {
	m.rows.reset()
	m.events.reset()
	m.values.reset()
}

// ownersCol is a column of an identifier's owners by time.
type ownersCol struct {
	head
	rows          listCol
	from          intCol[int64]
	message, user textCol
}

func newOwners(c *columns, name string) *ownersCol {
	return register(c, &ownersCol{head: head{name, "Array(Tuple(from_at DateTime64(3, 'UTC'), message_id String, user_id String))"}})
}

func (o *ownersCol) add(list []*wirepb.Link) {
	o.rows.add(len(list))
	for _, l := range list {
		o.from.add(l.FromMs)
		o.message.add(l.MessageId)
		o.user.add(l.UserId)
	}
}

func (o *ownersCol) encode(b *proto.Buffer, from, to int) {
	first, end := o.rows.encode(b, from, to)
	o.from.encode(b, first, end)
	o.message.encode(b, first, end)
	o.user.encode(b, first, end)
}

func (o *ownersCol) reset() {
	o.rows.reset()
	o.from.reset()
	o.message.reset()
	o.user.reset()
}
