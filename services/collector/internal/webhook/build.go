package webhook

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/mapping"
)

// Append makes the record of item i; see door.Request.
func (q *Request) Append(i int, m *door.Meta, dst []byte) (door.Record, []byte) {
	it := &q.items[i]
	rej := it.reject
	var t door.Touchpoint
	if rej == nil {
		rej = q.source.Apply(&mapping.Item{Value: it.value, Body: q.body}, &t)
	}
	if rej != nil {
		start := len(dst)
		dst = append(dst, it.raw...)
		return door.Record{Value: dst[start:len(dst):len(dst)], Reject: q.placed(it, rej)}, dst
	}
	if t.MessageID == "" {
		t.MessageID = q.mint(&t, it.raw)
	}
	t.Context = map[string]any{"library": map[string]any{"name": "cairn-webhook"}}
	rec, dst := t.Append(m, q.limits, it.raw, dst)
	rec.Reject = q.placed(it, rec.Reject)
	return rec, dst
}

// placed adds which item of the list is meant.
func (q *Request) placed(it *item, rej *door.Reject) *door.Reject {
	return rej.Under("/" + strconv.Itoa(it.at))
}

// mint makes the id of an item without one: from its bytes and from what the
// mapping has found, which may stand around it. So a body that is sent again
// brings the same ids. Of equal items of one body each has its own.
func (q *Request) mint(t *door.Touchpoint, raw []byte) string {
	h := sha256.New()
	for _, part := range [...]string{q.source.Name, t.Event, t.UserID, t.AnonymousID, string(raw)} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	for _, x := range t.ExternalIDs {
		h.Write([]byte(x.Type + "\x00" + x.ID + "\x00"))
	}
	if !t.Timestamp.IsZero() {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(t.Timestamp.UnixMicro())))
	}
	id := q.source.Name + ":" + hex.EncodeToString(h.Sum(nil)[:16])
	if q.seen == nil {
		q.seen = map[string]int{}
	}
	q.seen[id]++
	if n := q.seen[id]; n > 1 {
		return id + "-" + strconv.Itoa(n)
	}
	return id
}
