package snowplow

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// Request is a decoded request of a tracker; see door.Request.
type Request struct {
	limits   door.Limits
	events   []event
	fromBody bool // else from the query
	visitor  visitor
	minter   door.Minter
}

// event is one event as it came.
type event struct {
	fields map[string]string // of the protocol; nil where reject is set
	raw    []byte
	reject *door.Reject
}

// Decode reads a request: its body where it is a POST, else its query.
func (q *Request) Decode(in *door.Input, limits door.Limits) *door.Reject {
	clear(q.events)
	q.events, q.limits = q.events[:0], limits
	q.minter.Reset()
	q.visitor = newVisitor(in)
	q.fromBody = in.Method == http.MethodPost
	if !q.fromBody {
		q.events = append(q.events, fromQuery(in.Query))
		return nil
	}
	if len(in.Body) == 0 {
		return door.NewReject(door.CodeBadJSON, "The body is empty: events come as payload_data.", "")
	}
	return q.payload(in.Body)
}

// WriteKey is the app id of the first event that has one.
func (q *Request) WriteKey() []byte {
	for i := range q.events {
		if id := q.events[i].fields["aid"]; id != "" {
			return []byte(id)
		}
	}
	return nil
}

// Len is the number of events.
func (q *Request) Len() int { return len(q.events) }

// fromQuery is the one event of a GET.
func fromQuery(query url.Values) event {
	e := event{fields: make(map[string]string, len(query))}
	for name := range query {
		if value := query.Get(name); value != "" && name != "writeKey" {
			e.fields[strings.ToValidUTF8(name, "\uFFFD")] = strings.ToValidUTF8(value, "\uFFFD")
		}
	}
	e.raw, _ = json.Marshal(e.fields) // a map of texts always can
	return e
}

// payload reads payload_data: {"schema": ..., "data": [...]}.
func (q *Request) payload(body []byte) *door.Reject {
	s := jsonscan.New(body)
	if s.Peek() != '{' {
		return door.NewReject(door.CodeBadJSON, `The body must be payload_data: {"schema": ..., "data": [...]}.`, "")
	}
	_ = s.Open('{') // it was seen
	seen := false
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil {
			return syntax(err, "")
		}
		if !more {
			break
		}
		if string(jsonscan.Unquote(key.In(body), nil)) != "data" {
			if _, err := s.Skip(); err != nil {
				return syntax(err, "")
			}
			continue
		}
		if seen {
			return door.NewReject(door.CodeBadJSON, "The body has two members called data.", "/data")
		}
		seen = true
		if rej := q.items(&s, body); rej != nil {
			return rej
		}
	}
	if err := s.End(); err != nil {
		return syntax(err, "")
	}
	if !seen {
		return door.NewReject(door.CodeNoBatch, "The body has no list called data.", "/data")
	}
	return nil
}

func (q *Request) items(s *jsonscan.Scanner, body []byte) *door.Reject {
	if s.Peek() != '[' {
		if _, err := s.Skip(); err != nil {
			return syntax(err, "/data")
		}
		return door.BadField("data", "a list of events")
	}
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
			return door.NewReject(door.CodeTooManyEvents, fmt.Sprintf("A payload may have %d events: send the rest in another.", q.limits.Events), "/data")
		}
		s.ResetDeepest()
		outside := s.Depth()
		span, err := s.Skip()
		if err != nil {
			return syntax(err, pointer(len(q.events)))
		}
		q.events = append(q.events, q.item(span.In(body), s.Deepest()-outside))
	}
}

// item reads one event of a payload, which is JSON.
func (q *Request) item(raw []byte, depth int) event {
	e := event{raw: raw}
	switch {
	case raw[0] != '{':
		e.reject = door.NewReject(door.CodeBadField, "An event must be an object.", "")
	case len(raw) > q.limits.EventBytes:
		e.reject = door.NewReject(door.CodeTooLarge, fmt.Sprintf("The event has %d bytes and may have %d.", len(raw), q.limits.EventBytes), "")
	case depth > q.limits.Depth:
		e.reject = tooDeep(q.limits.Depth, "")
	case !utf8.Valid(raw):
		e.reject = door.NewReject(door.CodeBadJSON, "The event holds bytes that are not UTF-8.", "")
	default:
		e.fields = members(raw)
	}
	return e
}

// members are an object's members as texts. Trackers write all values as
// strings; numbers and what is nested is taken by its own text.
func members(raw []byte) map[string]string {
	fields := map[string]string{}
	s := jsonscan.New(raw)
	_ = s.Open('{')
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil || !more { // no error can come: it was scanned before
			return fields
		}
		value, err := s.Skip()
		if err != nil {
			return fields
		}
		name := string(jsonscan.Unquote(key.In(raw), nil))
		switch text := value.In(raw); text[0] {
		case '"':
			fields[name] = string(jsonscan.Unquote(text, nil))
		case 'n':
			delete(fields, name) // given twice, the last counts
		default:
			fields[name] = string(text)
		}
		if fields[name] == "" {
			delete(fields, name)
		}
	}
}

func pointer(i int) string { return "/data/" + strconv.Itoa(i) }

func tooDeep(limit int, at string) *door.Reject {
	return door.NewReject(door.CodeTooDeep, fmt.Sprintf("An event may nest %d objects and lists.", limit), at)
}

func syntax(err error, at string) *door.Reject {
	if s, ok := errors.AsType[*jsonscan.SyntaxError](err); ok {
		return door.NewReject(door.CodeBadJSON, "The body is not JSON: "+s.Error()+".", at)
	}
	return door.NewReject(door.CodeBadJSON, "The body is not JSON: "+err.Error()+".", at)
}
