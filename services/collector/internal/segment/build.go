package segment

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// Append makes the record of event i. Key and Value are appended to dst, which
// is returned; they alias it, or the memory it had before it grew.
func (q *Request) Append(i int, m *door.Meta, dst []byte) (door.Record, []byte) {
	b := builder{q: q, e: &q.Events[i], m: m, out: dst}
	start := len(dst)
	key, rej := b.build()
	if rej == nil {
		return door.Record{Key: b.out[start:key:key], Value: b.out[key:len(b.out):len(b.out)]}, b.out
	}
	if q.call == "" {
		rej = rej.Under(itemPointer(i))
	}
	out := b.appendRaw(b.out[:start])
	return door.Record{Value: out[start:len(out):len(out)], Reject: rej}, out
}

// builder writes one record.
type builder struct {
	q   *Request
	e   *Event
	m   *door.Meta
	out []byte
}

// raw is the value of a known member; nil when it is absent or null.
func (b *builder) raw(f field) []byte {
	v := b.e.known[f]
	if !v.Present() {
		return nil
	}
	if raw := v.In(b.q.body); raw[0] != 'n' {
		return raw
	}
	return nil
}

// appendRaw appends the event as it came, less its write key: a secret.
func (b *builder) appendRaw(dst []byte) []byte {
	k := b.e.known[fWriteKey]
	if !k.Present() {
		return append(dst, b.e.raw.In(b.q.body)...)
	}
	dst = append(dst, b.q.body[b.e.raw.Start:k.Start]...)
	dst = append(dst, `"[removed]"`...)
	return append(dst, b.q.body[k.End:b.e.raw.End]...)
}

// identity is the part of the event that stays the same when it is sent again.
func (b *builder) identity() [][]byte {
	e, body := b.e, b.q.body
	if at := e.known[fSentAt]; at.Present() {
		return [][]byte{body[e.raw.Start:at.Start], body[at.End:e.raw.End]}
	}
	return [][]byte{e.raw.In(body)}
}

// time is the event's time as the client gave it, or zero.
func (b *builder) time() time.Time {
	for _, f := range [...]field{fTimestamp, fOriginalTimestamp} {
		if raw := b.raw(f); raw != nil {
			if st, ok := door.ParseTime(raw); ok && st.Set {
				return st.At
			}
		}
	}
	return time.Time{}
}

// build appends the record's key and value and returns where the key ends.
func (b *builder) build() (key int, rej *door.Reject) {
	if rej := b.check(); rej != nil {
		return 0, rej
	}
	start := len(b.out)
	if b.out, rej = b.e.primaryID(b.q.body, b.out); rej != nil {
		return 0, rej
	}
	forwarded := len(b.out) == start && b.q.visitor != nil // nobody but the header says who
	if forwarded {
		b.out = append(b.out, b.q.visitor...)
	}
	key = len(b.out)
	if key == start {
		return 0, door.NewReject(door.CodeNoIdentifier, "The event has no usable anonymousId, userId or externalIds.", "")
	}
	b.out = append(b.out, '{')
	if rej := b.messageID(); rej != nil {
		return 0, rej
	}
	b.name("type")
	b.out = append(append(append(b.out, '"'), b.call()...), '"')
	if forwarded {
		b.name(fieldNames[fAnonymousID])
		b.out = jsonscan.AppendQuoted(b.out, b.q.visitor)
	} else {
		b.id(fAnonymousID)
	}
	for _, f := range [...]field{fUserID, fPreviousID, fGroupID} {
		b.id(f)
	}
	b.copy(fExternalIDs)
	b.copy(fEvent)
	b.copy(fActor)
	b.channel()
	if rej := b.times(); rej != nil {
		return 0, rej
	}
	b.name("source")
	b.out = jsonscan.AppendQuoted(b.out, b.m.Source)
	b.context()
	b.integrations()
	b.object(fProperties)
	b.object(fTraits)
	for _, m := range b.q.in(b.e.others) {
		b.comma()
		b.out = append(b.out, m.text(b.q.body)...)
	}
	b.out = append(b.out, '}')
	return key, nil
}

// check finds what makes the event unfit, but for its ids and times.
func (b *builder) check() *door.Reject {
	e := b.e
	if e.reject != nil {
		return e.reject
	}
	shared := size(b.q.in(b.q.context)) + size(b.q.in(b.q.integrations))
	if n := int(e.raw.End-e.raw.Start) + shared; n > b.q.limits.EventBytes {
		return b.q.tooLarge(n)
	}
	for f := fType; f < fCount; f++ {
		if v := e.known[f]; v.Present() {
			if rej := misfit(f, v.In(b.q.body)); rej != nil {
				return rej
			}
		}
	}
	switch call := b.call(); {
	case call == "":
		return door.NewReject(door.CodeBadType, "type must be track, page, screen, identify, group or alias.", "/type")
	case call == "track" && len(b.raw(fEvent)) <= len(`""`):
		return door.NewReject(door.CodeNoEvent, "A track call needs the event's name.", "/event")
	}
	if raw := b.raw(fActor); raw != nil && !isActor(raw) {
		return door.NewReject(door.CodeBadActor, "actor must be customer or business.", "/actor")
	}
	if b.raw(fExternalIDs) == nil {
		e.known[fExternalIDs] = jsonscan.Span{}
		for _, m := range b.q.in(e.context) {
			if m.field == cExternalIDs && b.q.body[m.value.Start] == '[' {
				e.known[fExternalIDs] = m.value
			}
		}
	}
	return nil
}

// call is the event's type: the route's, else its own, else track if it has an
// event's name; "" if it is none of the six.
func (b *builder) call() string {
	if b.q.call != "" {
		return b.q.call
	}
	raw := b.raw(fType)
	switch {
	case raw == nil && b.raw(fEvent) != nil:
		return "track"
	case raw == nil || raw[0] != '"':
		return ""
	}
	return callName(jsonscan.Unquote(raw, nil))
}

func (b *builder) comma() {
	if last := b.out[len(b.out)-1]; last != '{' {
		b.out = append(b.out, ',')
	}
}

func (b *builder) name(name string) {
	b.comma()
	b.out = append(append(append(b.out, '"'), name...), '"', ':')
}

func (b *builder) copy(f field) {
	if raw := b.raw(f); raw != nil {
		b.name(fieldNames[f])
		b.out = append(b.out, raw...)
	}
}

func (b *builder) object(f field) {
	if raw := b.raw(f); raw != nil && raw[0] == '{' {
		b.copy(f)
	}
}

// id copies an id; a number becomes the string it is equal to.
func (b *builder) id(f field) {
	raw := b.raw(f)
	switch {
	case raw == nil || raw[0] == 't' || raw[0] == 'f':
	case raw[0] == '"':
		b.copy(f)
	default:
		b.name(fieldNames[f])
		b.out = jsonscan.AppendQuoted(b.out, decimal(raw))
	}
}

// messageID writes the client's messageId, or one made for the event.
func (b *builder) messageID() *door.Reject {
	var id []byte
	raw := b.raw(fMessageID)
	if raw != nil {
		id, _ = idText(raw, nil)
	}
	b.name("messageId")
	if id == nil {
		minted := b.q.minter.Mint(b.m.Source, b.time(), b.identity()...)
		b.out = append(append(append(b.out, '"'), minted.String()...), '"')
		return nil
	}
	if len(id) > door.MaxMessageID && utf8.RuneCount(id) > door.MaxMessageID {
		return door.NewReject(door.CodeBadMessageID, fmt.Sprintf("messageId may have %d characters.", door.MaxMessageID), "/messageId")
	}
	if len(id)+len(`""`) == len(raw) { // nothing trimmed, nothing escaped
		b.out = append(b.out, raw...)
	} else {
		b.out = jsonscan.AppendQuoted(b.out, id)
	}
	return nil
}

// times writes the event's time, the client's clock at sending and ours. A
// timestamp alone is the device's clock and becomes originalTimestamp; beside an
// originalTimestamp it is the time that the caller declared, and stays.
func (b *builder) times() *door.Reject {
	declared, rej := b.stamp(fTimestamp)
	if rej != nil {
		return rej
	}
	device, rej := b.stamp(fOriginalTimestamp)
	if rej != nil {
		return rej
	}
	if !device.Set {
		declared, device = door.Stamp{}, declared
	}
	b.stampOut("timestamp", declared)
	b.stampOut("originalTimestamp", device)
	b.stampOut("sentAt", b.sentAt())
	b.name("receivedAt")
	b.out = append(b.out, b.m.ReceivedText()...)
	return nil
}

// sentAt is the batch's, so that one correction holds for all its events; else
// the event's. One that cannot be read is as good as none.
func (b *builder) sentAt() door.Stamp {
	if b.q.sentAt.Set {
		return b.q.sentAt
	}
	if raw := b.raw(fSentAt); raw != nil {
		if st, ok := door.ParseTime(raw); ok {
			return st
		}
	}
	return door.Stamp{}
}

func (b *builder) stamp(f field) (door.Stamp, *door.Reject) {
	raw := b.raw(f)
	if raw == nil {
		return door.Stamp{}, nil
	}
	st, ok := door.ParseTime(raw)
	if !ok {
		return door.Stamp{}, door.NewReject(door.CodeBadTime, fieldNames[f]+" must be a time like 2026-11-23T10:15:00.123Z.", "/"+fieldNames[f])
	}
	return st, nil
}

func (b *builder) stampOut(name string, st door.Stamp) {
	if st.Set {
		b.name(name)
		b.out = append(b.out, st.Text...)
	}
}
