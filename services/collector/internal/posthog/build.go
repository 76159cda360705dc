package posthog

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"time"

	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// Append makes the record of event i; see door.Request.
func (q *Request) Append(i int, m *door.Meta, dst []byte) (door.Record, []byte) {
	raw := q.raw(i)
	rej := q.events[i].reject
	var t door.Touchpoint
	if rej == nil {
		b := builder{q: q, m: m, t: &t}
		rej = b.build(q.events[i].raw.In(q.body))
	}
	if rej != nil {
		start := len(dst)
		dst = append(dst, raw...)
		return door.Record{Value: dst[start:len(dst):len(dst)], Reject: rej.Under(q.pointer(i))}, dst
	}
	rec, dst := t.Append(m, q.limits, raw, dst)
	rec.Reject = rec.Reject.Under(q.pointer(i))
	return rec, dst
}

// builder makes one touchpoint.
type builder struct {
	q          *Request
	m          *door.Meta
	t          *door.Touchpoint
	event      map[string]any
	properties map[string]any
}

func (b *builder) build(raw []byte) *door.Reject {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // numbers keep their digits
	if err := d.Decode(&b.event); err != nil {
		return door.NewReject(door.CodeBadJSON, "The event is not JSON: "+err.Error()+".", "")
	}
	var isObject bool
	if b.properties, isObject = b.event["properties"].(map[string]any); !isObject && b.event["properties"] != nil {
		return door.BadField("properties", "an object")
	}
	name, isText := b.event["event"].(string)
	if !isText && b.event["event"] != nil {
		return door.BadField("event", "a string")
	}
	if name = strings.TrimSpace(name); name == "" {
		if b.q.kind != kindEngage {
			return door.NewReject(door.CodeNoEvent, "The event has no name.", "/event")
		}
		name = "$set"
	}
	b.identify()
	b.t.Traits = b.merged("$set_once", "$set")
	b.kind(name)
	b.place()
	if rej := b.times(); rej != nil {
		return rej
	}
	b.messageID(raw)
	b.rest(name)
	return nil
}

// renamed are events that have a usual name outside of PostHog.
func renamed(event string) string {
	switch event {
	case "$rageclick":
		return "rage_click"
	case "$exception":
		return "error"
	}
	return event
}

// kind sets the touchpoint's type, and what is of that type alone.
func (b *builder) kind(event string) {
	t := b.t
	switch event {
	case "$identify", "$set":
		t.Type = "identify"
	case "$create_alias", "$merge_dangerously":
		b.alias()
	case "$groupidentify":
		b.group()
	case "$pageview":
		t.Type, t.Name = "page", scalar(b.properties["title"])
	case "$screen":
		t.Type, t.Name = "screen", scalar(b.properties["$screen_name"])
	default:
		t.Type, t.Event = "track", renamed(event)
	}
}

// merged is one object of several members of the properties and of the event;
// later names win, and the event's over the properties'. nil: there is none.
func (b *builder) merged(names ...string) any {
	out := map[string]any{}
	for _, name := range names {
		for _, from := range [...]map[string]any{b.properties, b.event} {
			if set, ok := from[name].(map[string]any); ok {
				maps.Copy(out, set)
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// times sets the event's time by the device's clock, and the clock at sending.
// An event that tells its age instead has a time by ours.
func (b *builder) times() *door.Reject {
	t := b.t
	t.SentAt = b.q.sentAt.At
	if raw, has := b.event["timestamp"]; has && raw != nil {
		st, ok := parse(raw)
		if !ok {
			return door.NewReject(door.CodeBadTime, "timestamp must be a time like 2026-11-23T10:15:00.123Z.", "/timestamp")
		}
		t.DeviceTime = st.At
		if st.Set {
			return nil
		}
	}
	if age, ok := b.event["offset"].(json.Number); ok {
		if ms, err := age.Float64(); err == nil && ms >= 0 && ms < float64(maxAge.Milliseconds()) {
			t.Timestamp = b.m.ReceivedAt.Add(-time.Duration(ms) * time.Millisecond)
		}
	}
	return nil
}

// maxAge bounds the age that an event may tell of itself.
const maxAge = 365 * 24 * time.Hour

func parse(value any) (door.Stamp, bool) {
	raw, err := json.Marshal(value)
	if err != nil {
		return door.Stamp{}, false
	}
	return door.ParseTime(raw)
}

// messageID sets the event's own id, or one made of its bytes.
func (b *builder) messageID(raw []byte) {
	for _, id := range [...]string{scalar(b.event["uuid"]), b.id("$insert_id")} {
		if id = usable(id); id != "" {
			b.t.MessageID = id
			return
		}
	}
	b.t.MessageID = b.q.minter.Mint(b.m.Source, b.t.DeviceTime, raw).String()
}

// rest keeps what has no field of its own: the properties whole, but for keys,
// addresses and what became traits, and the event's unknown members.
func (b *builder) rest(event string) {
	p := b.properties
	for _, name := range [...]string{"token", "api_key", "$ip"} {
		delete(p, name)
	}
	for _, name := range [...]string{"$set", "$set_once", "$group_set"} {
		if _, isMap := p[name].(map[string]any); isMap {
			delete(p, name)
		}
	}
	if event != b.t.Event && b.t.Event != "" {
		b.set("$event", event)
	}
	for name, value := range b.event {
		switch name {
		case "event", "properties", "distinct_id", "$distinct_id", "timestamp", "uuid", "offset", "api_key", "token", "$token", "$set", "$set_once", "sent_at", "$ip", "ip":
		default:
			if _, taken := p[name]; !taken {
				b.set(name, value)
			}
		}
	}
	if len(b.properties) > 0 {
		b.t.Properties = b.properties
	}
}

func (b *builder) set(name string, value any) {
	if b.properties == nil {
		b.properties = map[string]any{}
	}
	b.properties[name] = value
}

func (b *builder) flag(name string) (value, said bool) {
	value, said = b.properties[name].(bool)
	return value, said
}

// scalar is a text, or a number or truth value as text; "" for all else.
func scalar(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}
