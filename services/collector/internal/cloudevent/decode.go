package cloudevent

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// carrySingle tells the answer that the request held one event.
const carrySingle = "single"

// Request is a decoded request; see door.Request.
type Request struct {
	limits door.Limits
	events []event
	batch  bool
}

// event is one event as it came.
type event struct {
	attributes map[string]string
	data       []byte // as it came
	mode       mode   // of data
	raw        []byte
	reject     *door.Reject
}

// mode says how an event's data are written.
type mode uint8

const (
	noData   mode = iota
	jsonData      // JSON, checked
	bytesData
)

// Decode tells the modes apart by the ce- headers and by how the body begins:
// senders are careless with content types.
func (q *Request) Decode(in *door.Input, limits door.Limits) *door.Reject {
	clear(q.events)
	*q = Request{limits: limits, events: q.events[:0]}
	s := jsonscan.New(in.Body)
	switch {
	case in.Header.Get("Ce-Specversion") != "" || in.Header.Get("Ce-Id") != "":
		in.Carry = carrySingle
		q.events = append(q.events, q.binary(in))
		return nil
	case s.Peek() == '[':
		q.batch = true
		if rej := q.list(&s, in.Body); rej != nil {
			return rej
		}
	case s.Peek() == '{':
		in.Carry = carrySingle
		if rej := q.next(&s, in.Body); rej != nil {
			return rej
		}
	default:
		return door.NewReject(door.CodeBadJSON, "This is no CloudEvent: the body is neither a JSON object nor a list of them, and there are no ce- headers.", "")
	}
	return syntax(s.End(), "")
}

// WriteKey is nil: events do not name one.
func (q *Request) WriteKey() []byte { return nil }

// Len is the number of events.
func (q *Request) Len() int { return len(q.events) }

func (q *Request) list(s *jsonscan.Scanner, body []byte) *door.Reject {
	_ = s.Open('[') // it was seen
	for first := true; ; first = false {
		more, err := s.Element(first)
		if err != nil {
			return syntax(err, pointer(len(q.events)))
		}
		if !more {
			return nil
		}
		if len(q.events) >= q.limits.Events {
			return door.NewReject(door.CodeTooManyEvents, fmt.Sprintf("A batch may have %d events: send the rest in another.", q.limits.Events), "")
		}
		if rej := q.next(s, body); rej != nil {
			return rej.Under(pointer(len(q.events)))
		}
	}
}

// next reads one event in structured mode.
func (q *Request) next(s *jsonscan.Scanner, body []byte) *door.Reject {
	s.ResetDeepest()
	outside := s.Depth()
	span, err := s.Skip()
	if err != nil {
		return syntax(err, "")
	}
	e := event{raw: span.In(body)}
	switch {
	case e.raw[0] != '{':
		e.reject = door.NewReject(door.CodeBadField, "An event must be an object.", "")
	case len(e.raw) > q.limits.EventBytes:
		e.reject = tooLarge(len(e.raw), q.limits)
	case s.Deepest()-outside > q.limits.Depth:
		e.reject = tooDeep(q.limits)
	case !utf8.Valid(e.raw):
		e.reject = door.NewReject(door.CodeBadJSON, "The event holds bytes that are not UTF-8.", "")
	default:
		e.reject = e.structured()
	}
	q.events = append(q.events, e)
	return nil
}

// structured reads the members of an event that has been scanned.
func (e *event) structured() (rej *door.Reject) {
	e.attributes = map[string]string{}
	s := jsonscan.New(e.raw)
	_ = s.Open('{')
	coded := ""
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil || !more { // no error can come
			break
		}
		value, err := s.Skip()
		if err != nil {
			break
		}
		name, raw := string(jsonscan.Unquote(key.In(e.raw), nil)), value.In(e.raw)
		switch c := raw[0]; {
		case name == "data":
			e.data, e.mode = raw, jsonData
		case name == "data_base64" && c == '"':
			coded = string(jsonscan.Unquote(raw, nil))
		case c == 'n':
		case c == '"':
			e.attributes[name] = string(jsonscan.Unquote(raw, nil))
		case c == '{' || c == '[':
			rej = door.BadField(name, "a text, a number, true or false: only data may be nested")
		default:
			e.attributes[name] = string(raw)
		}
	}
	if rej != nil || coded == "" || e.mode != noData {
		return rej
	}
	data, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return door.BadField("data_base64", "base64")
	}
	e.data, e.mode = data, bytesData
	return nil
}

func pointer(i int) string { return "/" + strconv.Itoa(i) }

func tooLarge(size int, limits door.Limits) *door.Reject {
	return door.NewReject(door.CodeTooLarge, fmt.Sprintf("The event has %d bytes and may have %d.", size, limits.EventBytes), "")
}

func tooDeep(limits door.Limits) *door.Reject {
	return door.NewReject(door.CodeTooDeep, fmt.Sprintf("An event may nest %d objects and lists.", limits.Depth), "")
}

// syntax is the reject of a body that is no JSON; nil for no error.
func syntax(err error, at string) *door.Reject {
	var s *jsonscan.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &s):
		return door.NewReject(door.CodeBadJSON, "The body is not JSON: "+s.Error()+".", at)
	}
	return door.NewReject(door.CodeBadJSON, "The body is not JSON: "+err.Error()+".", at)
}
