package posthog

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// Request is a decoded request; see door.Request.
type Request struct {
	limits   door.Limits
	kind     string
	body     []byte // JSON
	events   []item
	batch    bool       // the events are a list
	list     string     // JSON pointer of the list
	sentAt   door.Stamp // by the device's clock
	writeKey []byte
	history  bool
	minter   door.Minter
}

// item is an event's place in the body, and what is wrong with it at sight.
type item struct {
	raw    jsonscan.Span
	reject *door.Reject
}

// Decode finds the events of a request: one, a list, or an object with a batch.
func (q *Request) Decode(in *door.Input, limits door.Limits) *door.Reject {
	*q = Request{limits: limits, kind: in.Kind, events: q.events[:0], minter: q.minter}
	q.minter.Reset()
	p, rej := unwrap(in, limits)
	for _, name := range [...]string{"api_key", "token"} {
		if key := p.fields.Get(name); key != "" && q.writeKey == nil {
			q.writeKey = []byte(key)
		}
	}
	if rej != nil {
		return rej
	}
	q.body = p.json
	if rej := q.decode(); rej != nil {
		return rej
	}
	if !q.sentAt.Set {
		q.sentAt = numberStamp(p.field(in, "_"))
	}
	if len(q.events) == 0 {
		return door.NewReject(door.CodeNoBatch, "The batch has no events.", q.list)
	}
	return nil
}

// numberStamp is a time in milliseconds as text. Anything else is as good as none.
func numberStamp(text string) door.Stamp {
	if _, err := strconv.ParseUint(text, 10, 53); err != nil {
		return door.Stamp{}
	}
	st, _ := door.ParseTime([]byte(text))
	return st
}

// WriteKey is the first key that the request names, or nil.
func (q *Request) WriteKey() []byte { return q.writeKey }

// Len is the number of events.
func (q *Request) Len() int { return len(q.events) }

// Backfill reports whether the request brings history.
func (q *Request) Backfill() bool { return q.history }

func (q *Request) decode() *door.Reject {
	s := jsonscan.New(q.body)
	var rej *door.Reject
	switch s.Peek() {
	case '[':
		q.batch = true
		rej = q.items(&s)
	case '{':
		rej = q.object(&s)
	default:
		return door.NewReject(door.CodeBadJSON, "The body must be an event, a list of events or an object with a batch.", "")
	}
	if rej != nil {
		return rej
	}
	if err := s.End(); err != nil {
		return syntax(err)
	}
	return nil
}

// object reads an event, or an object with a list called batch: which of them it
// is may be known only at its end.
func (q *Request) object(s *jsonscan.Scanner) *door.Reject {
	whole, start := *s, s.Offset()
	if err := s.Open('{'); err != nil {
		return syntax(err)
	}
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil {
			return syntax(err)
		}
		if !more {
			break
		}
		name := string(jsonscan.Unquote(key.In(q.body), nil))
		if name == "batch" && s.Peek() == '[' {
			if q.batch {
				return door.NewReject(door.CodeBadJSON, "The body has two members called batch.", "/batch")
			}
			q.batch, q.list = true, "/batch"
			if rej := q.items(s); rej != nil {
				return rej
			}
			continue
		}
		value, err := s.Skip()
		if err != nil {
			return syntax(err)
		}
		q.member(name, value.In(q.body))
	}
	if q.batch {
		return nil
	}
	end := s.Offset()
	if rej := q.item(&whole); rej != nil { // the same text again, measured as an event
		return rej
	}
	q.events[0].raw = jsonscan.Span{Start: int32(start), End: int32(end)}
	return nil
}

// member reads what stands beside the batch, or in a single event.
func (q *Request) member(name string, raw []byte) {
	switch name {
	case "api_key", "token", "$token":
		if raw[0] == '"' {
			q.writeKey = jsonscan.Unquote(raw, nil)
		}
	case "sent_at":
		q.sentAt, _ = door.ParseTime(raw) // unreadable: as good as none
	case "historical_migration":
		q.history = raw[0] == 't'
	case "properties":
		q.keyOf(raw)
	}
}

// keyOf takes the key of an event's properties, where SDKs put it, too.
func (q *Request) keyOf(properties []byte) {
	if q.writeKey != nil || properties[0] != '{' {
		return
	}
	s := jsonscan.New(properties)
	if s.Open('{') != nil {
		return
	}
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil || !more {
			return
		}
		value, err := s.Skip()
		if err != nil {
			return
		}
		raw := value.In(properties)
		switch string(key.In(properties)) {
		case `"token"`, `"api_key"`:
			if raw[0] == '"' {
				q.writeKey = jsonscan.Unquote(raw, nil)
				return
			}
		}
	}
}

// items reads a list of events.
func (q *Request) items(s *jsonscan.Scanner) *door.Reject {
	if err := s.Open('['); err != nil {
		return syntax(err)
	}
	for first := true; ; first = false {
		more, err := s.Element(first)
		if err != nil {
			return syntax(err)
		}
		if !more {
			break
		}
		if len(q.events) >= q.limits.Events {
			return door.NewReject(door.CodeTooManyEvents, fmt.Sprintf("A batch may have %d events: send the rest in another.", q.limits.Events), q.list)
		}
		if rej := q.item(s); rej != nil {
			return rej
		}
	}
	return nil
}

// item reads one event and measures it.
func (q *Request) item(s *jsonscan.Scanner) *door.Reject {
	c := s.Peek()
	outside := s.Depth()
	s.ResetDeepest()
	value, err := s.Skip()
	if err != nil {
		return syntax(err)
	}
	it := item{raw: value}
	switch raw := value.In(q.body); {
	case c != '{':
		it.reject = door.NewReject(door.CodeBadField, "An event must be an object.", "")
	case len(raw) > q.limits.EventBytes:
		it.reject = door.NewReject(door.CodeTooLarge, fmt.Sprintf("The event has %d bytes and may have %d.", len(raw), q.limits.EventBytes), "")
	case s.Deepest()-outside > q.limits.Depth:
		it.reject = door.NewReject(door.CodeTooDeep, fmt.Sprintf("An event may nest %d objects and lists.", q.limits.Depth), "")
	case !utf8.Valid(raw):
		it.reject = door.NewReject(door.CodeBadJSON, "The event holds bytes that are not UTF-8.", "")
	case q.batch && len(q.events) == 0 && q.writeKey == nil:
		q.firstKey(raw)
	}
	q.events = append(q.events, it)
	return nil
}

// firstKey takes the key of a list's first event.
func (q *Request) firstKey(event []byte) {
	s := jsonscan.New(event)
	if s.Open('{') != nil {
		return
	}
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil || !more {
			return
		}
		value, err := s.Skip()
		if err != nil {
			return
		}
		switch raw := value.In(event); string(key.In(event)) {
		case `"api_key"`, `"token"`, `"$token"`:
			if raw[0] == '"' && q.writeKey == nil {
				q.writeKey = jsonscan.Unquote(raw, nil)
			}
		case `"properties"`:
			q.keyOf(raw)
		}
	}
}

func (q *Request) pointer(i int) string {
	if !q.batch {
		return ""
	}
	return q.list + "/" + strconv.Itoa(i)
}

// raw is an event as it came, without the write key.
func (q *Request) raw(i int) []byte {
	raw := q.events[i].raw.In(q.body)
	if len(q.writeKey) == 0 {
		return raw
	}
	return bytes.ReplaceAll(raw, jsonscan.AppendQuoted(nil, q.writeKey), []byte(`"[removed]"`))
}

func syntax(err error) *door.Reject {
	if at, ok := errors.AsType[*jsonscan.SyntaxError](err); ok {
		return door.NewReject(door.CodeBadJSON, "The body is not JSON: "+at.Error()+".", "")
	}
	return door.NewReject(door.CodeBadJSON, "The body is not JSON: "+err.Error()+".", "")
}
