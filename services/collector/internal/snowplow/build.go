package snowplow

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// maxTime is the first moment that no event has: 2100, in Unix milliseconds.
const maxTime = 4_102_444_800_000

// Append makes the record of event i; see door.Request.
func (q *Request) Append(i int, m *door.Meta, dst []byte) (door.Record, []byte) {
	e := &q.events[i]
	b := builder{q: q, left: maps.Clone(e.fields), context: map[string]any{}}
	rej := e.reject
	if rej == nil {
		rej = b.build(m)
	}
	var rec door.Record
	if rej == nil {
		meta := *m
		if q.visitor.anonymous {
			meta.IP = ""
		}
		b.t.Context = b.context
		rec, dst = b.t.Append(&meta, q.limits, e.raw, dst)
	} else {
		start := len(dst)
		dst = append(dst, e.raw...)
		rec = door.Record{Value: dst[start:len(dst):len(dst)], Reject: rej}
	}
	if rec.Reject != nil && q.fromBody {
		rec.Reject = rec.Reject.Under(pointer(i))
	}
	return rec, dst
}

// builder makes one touchpoint.
type builder struct {
	q       *Request
	left    map[string]string // fields that have found no place yet
	context map[string]any
	t       door.Touchpoint

	entities                               []entity
	clientUser, clientSession, clientIndex string // of the client_session context
}

// take is the value of a field, which then counts as placed.
func (b *builder) take(name string) string {
	value := b.left[name]
	delete(b.left, name)
	return value
}

func (b *builder) build(m *door.Meta) *door.Reject {
	parts := canonical(b.left)
	for _, step := range [...]func() *door.Reject{b.times, b.contexts, b.what} {
		if rej := step(); rej != nil {
			return rej
		}
	}
	b.identify()
	b.where()
	if b.t.MessageID = usable(b.take("eid")); b.t.MessageID == "" { // "undefined" would be one id for all
		at := b.t.Timestamp
		if at.IsZero() {
			at = b.t.DeviceTime
		}
		b.t.MessageID = b.q.minter.Mint(m.Source, at, parts...).String()
	}
	if len(b.left) > 0 {
		b.context["snowplow"] = b.left
	}
	return nil
}

// canonical is what stays the same of an event that is sent again.
func canonical(fields map[string]string) (parts [][]byte) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "stm" {
			parts = append(parts, strconv.AppendQuote(strconv.AppendQuote(nil, name), fields[name]))
		}
	}
	return parts
}

// times: the true timestamp is final, dtm and stm are the device's clock.
func (b *builder) times() *door.Reject {
	for _, f := range [...]struct {
		name string
		into *time.Time
	}{{"dtm", &b.t.DeviceTime}, {"ttm", &b.t.Timestamp}} {
		text := b.take(f.name)
		if text == "" {
			continue
		}
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil || ms <= 0 || ms >= maxTime {
			return door.NewReject(door.CodeBadTime, f.name+" must be milliseconds since 1970, before 2100.", "/"+f.name)
		}
		*f.into = time.UnixMilli(ms)
	}
	if ms, err := strconv.ParseInt(b.take("stm"), 10, 64); err == nil && ms > 0 && ms < maxTime {
		b.t.SentAt = time.UnixMilli(ms) // unreadable: as good as none
	}
	return nil
}

// what sets the call, the event's name and its properties.
func (b *builder) what() *door.Reject {
	t := &b.t
	t.Type = "track"
	props := map[string]any{}
	switch kind := b.take("e"); kind {
	case "pv":
		t.Type, t.Name = "page", b.left["page"]
	case "pp":
		t.Event = "page_pinged"
		b.moveNumbers(props, [][2]string{{"pp_mix", "min_x"}, {"pp_max", "max_x"}, {"pp_miy", "min_y"}, {"pp_may", "max_y"}})
	case "se":
		t.Event = b.take("se_ac")
		b.move(props, [][2]string{{"se_ca", "category"}, {"se_la", "label"}, {"se_pr", "property"}})
		b.moveNumbers(props, [][2]string{{"se_va", "value"}})
		setText(props, "action", t.Event)
	case "tr":
		t.Event = "order_completed"
		b.move(props, [][2]string{{"tr_id", "order_id"}, {"tr_af", "affiliation"}, {"tr_ci", "city"}, {"tr_st", "state"}, {"tr_co", "country"}, {"tr_cu", "currency"}})
		b.moveNumbers(props, [][2]string{{"tr_tt", "revenue"}, {"tr_tx", "tax"}, {"tr_sh", "shipping"}})
	case "ti":
		t.Event = "order_item"
		b.move(props, [][2]string{{"ti_id", "order_id"}, {"ti_sk", "sku"}, {"ti_nm", "name"}, {"ti_ca", "category"}, {"ti_cu", "currency"}})
		b.moveNumbers(props, [][2]string{{"ti_pr", "price"}, {"ti_qu", "quantity"}})
	case "ue":
		return b.selfDescribing()
	case "":
		return door.NewReject(door.CodeBadType, "The event has no e: pv, pp, se, ue, tr or ti.", "/e")
	default:
		return door.NewReject(door.CodeBadType, "e is none of pv, pp, se, ue, tr, ti.", "/e")
	}
	if len(props) > 0 {
		t.Properties = props
	}
	return nil
}

// move places fields, by {field, member}.
func (b *builder) move(into map[string]any, names [][2]string) {
	for _, n := range names {
		setText(into, n[1], b.take(n[0]))
	}
}

func (b *builder) moveNumbers(into map[string]any, names [][2]string) {
	for _, n := range names {
		if text := b.take(n[0]); text != "" {
			into[n[1]] = number(text)
		}
	}
}

func setText(into map[string]any, name, value string) {
	if value != "" {
		into[name] = value
	}
}

// number is a text as the number that it says, or as it is.
func number(text string) any {
	if (text[0] == '-' || '0' <= text[0] && text[0] <= '9') && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}
