package segment

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// maxShared bounds the members of a batch's own context and integrations: each
// is compared with those of every event.
const maxShared = 256

// Event is one event of a request: where its parts are in the body.
type Event struct {
	raw          jsonscan.Span
	reject       *door.Reject
	known        [fCount]jsonscan.Span
	others       group // of Request.members
	context      group // of Request.members
	integrations group // of Request.members
}

// Request is a decoded body. It aliases the body, which must not change until
// the last Append, and may be used again for another body. Not for concurrent
// use.
type Request struct {
	Events []Event

	limits       door.Limits
	body         []byte
	call         string // the type that the route names; "" for a batch
	members      []member
	inner        []member // scratch for others, which contexts would interleave
	context      group
	integrations group
	sentAt       door.Stamp // of the batch
	visitor      []byte     // of the header AnonymousId; nil: none
	writeKey     jsonscan.Span
	minter       door.Minter
}

// Decode reads a body: one event of the type that the route names, or a batch.
// A reject refuses the body as a whole. Events that cannot be taken for
// themselves are found by Append.
func (q *Request) Decode(in *door.Input, limits door.Limits) *door.Reject {
	body, call := in.Body, in.Kind
	q.reset(body, call, limits)
	q.visitor = headerID(in)
	s := jsonscan.New(body)
	var rej *door.Reject
	switch {
	case s.Peek() != '{' && s.Offset() < len(body):
		return door.NewReject(door.CodeBadJSON, "The body must be a JSON object.", "")
	case call == "":
		rej = q.decodeBatch(&s)
	default:
		rej = q.decodeEvent(&s)
	}
	if rej != nil {
		return rej
	}
	if err := s.End(); err != nil {
		return q.syntax(err, "")
	}
	if call != "" {
		q.writeKey = q.Events[0].known[fWriteKey]
	}
	return nil
}

func (q *Request) reset(body []byte, call string, limits door.Limits) {
	q.Events, q.members, q.inner = q.Events[:0], q.members[:0], q.inner[:0]
	q.body, q.call, q.limits = body, call, limits
	q.context, q.integrations = group{}, group{}
	q.sentAt, q.writeKey = door.Stamp{}, jsonscan.Span{}
	q.minter.Reset()
}

// Len is the number of events.
func (q *Request) Len() int { return len(q.Events) }

// WriteKey is the key that the body names, or nil. It aliases the body.
func (q *Request) WriteKey() []byte {
	if !q.writeKey.Present() || q.body[q.writeKey.Start] != '"' {
		return nil
	}
	return jsonscan.Unquote(q.writeKey.In(q.body), nil)
}

// syntax makes a reject of a scanner's error; pointer is the member it is in.
func (q *Request) syntax(err error, pointer string) *door.Reject {
	var syntax *jsonscan.SyntaxError
	if !errors.As(err, &syntax) {
		return door.NewReject(door.CodeBadJSON, err.Error(), pointer)
	}
	before := q.body[:min(syntax.Offset, len(q.body))]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return door.NewReject(door.CodeBadJSON, fmt.Sprintf("The body is not JSON: %s (line %d, column %d).", syntax.Error(), line, column), pointer)
}

func (q *Request) name(key jsonscan.Span) []byte { return jsonscan.Unquote(key.In(q.body), nil) }

func (q *Request) decodeBatch(s *jsonscan.Scanner) *door.Reject {
	if err := s.Open('{'); err != nil {
		return q.syntax(err, "")
	}
	seen := false
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil {
			return q.syntax(err, "")
		}
		if !more {
			break
		}
		name := q.name(key)
		if string(name) == "batch" {
			if seen {
				return door.NewReject(door.CodeBadJSON, "The body has two members called batch.", "/batch")
			}
			seen = true
			if rej := q.decodeItems(s); rej != nil {
				return rej
			}
			continue
		}
		if rej := q.decodeShared(s, fieldOf(name)); rej != nil {
			return rej.Under("/" + door.PointerToken(string(name)))
		}
	}
	if !seen {
		return door.NewReject(door.CodeNoBatch, "The body has no list called batch.", "/batch")
	}
	return nil
}

// decodeShared reads a member beside the batch. Pointers are relative to it.
func (q *Request) decodeShared(s *jsonscan.Scanner, f field) *door.Reject {
	if (f == fContext || f == fIntegrations) && s.Peek() == '{' {
		members, err := q.decodeMembers(s)
		if err != nil {
			return q.syntax(err, "")
		}
		if members.to-members.from > maxShared {
			return door.NewReject(door.CodeTooLarge, fmt.Sprintf("A batch's %s may have %d members.", fieldNames[f], maxShared), "")
		}
		if f == fContext {
			q.context = members
		} else {
			q.integrations = members
		}
		return nil
	}
	value, err := s.Skip()
	if err != nil {
		return q.syntax(err, "")
	}
	switch f {
	case fContext, fIntegrations:
		if rej := misfit(f, value.In(q.body)); rej != nil {
			return door.NewReject(rej.Code, rej.Message, "")
		}
	case fSentAt:
		q.sentAt, _ = door.ParseTime(value.In(q.body)) // unreadable: as good as none
	case fWriteKey:
		q.writeKey = value
	default: // means nothing beside a batch
	}
	return nil
}

func (q *Request) decodeItems(s *jsonscan.Scanner) *door.Reject {
	if s.Peek() != '[' {
		if _, err := s.Skip(); err != nil {
			return q.syntax(err, "/batch")
		}
		return door.BadField("batch", "a list of events")
	}
	if err := s.Open('['); err != nil {
		return q.syntax(err, "/batch")
	}
	for first := true; ; first = false {
		more, err := s.Element(first)
		if err != nil {
			return q.syntax(err, itemPointer(len(q.Events)))
		}
		if !more {
			return nil
		}
		if len(q.Events) >= q.limits.Events {
			return door.NewReject(door.CodeTooManyEvents, fmt.Sprintf("A batch may have %d events: send the rest in another.", q.limits.Events), "/batch")
		}
		if rej := q.decodeEvent(s); rej != nil {
			return rej.Under(itemPointer(len(q.Events) - 1))
		}
	}
}

// decodeEvent appends the next event. Pointers are relative to it.
func (q *Request) decodeEvent(s *jsonscan.Scanner) *door.Reject {
	q.Events = append(q.Events, Event{})
	e := &q.Events[len(q.Events)-1]
	c := s.Peek()
	outside, start := s.Depth(), s.Offset()
	s.ResetDeepest()
	if c == '{' {
		if rej := q.decodeBody(s, e); rej != nil {
			return rej
		}
	} else {
		if _, err := s.Skip(); err != nil {
			return q.syntax(err, "")
		}
		e.reject = door.NewReject(door.CodeBadField, "An event must be an object.", "")
	}
	e.raw = jsonscan.Span{Start: int32(start), End: int32(s.Offset())}
	switch raw := e.raw.In(q.body); {
	case len(raw) > q.limits.EventBytes:
		e.reject = q.tooLarge(len(raw))
	case s.Deepest()-outside > q.limits.Depth:
		e.reject = door.NewReject(door.CodeTooDeep, fmt.Sprintf("An event may nest %d objects and lists.", q.limits.Depth), "")
	case !utf8.Valid(raw):
		e.reject = door.NewReject(door.CodeBadJSON, "The event holds bytes that are not UTF-8.", "")
	}
	return nil
}

func (q *Request) tooLarge(size int) *door.Reject {
	return door.NewReject(door.CodeTooLarge, fmt.Sprintf("The event has %d bytes and may have %d.", size, q.limits.EventBytes), "")
}

func (q *Request) decodeBody(s *jsonscan.Scanner, e *Event) *door.Reject {
	if err := s.Open('{'); err != nil {
		return q.syntax(err, "")
	}
	q.inner = q.inner[:0]
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil {
			return q.syntax(err, "")
		}
		if !more {
			break
		}
		if err := q.decodeMember(s, e, key); err != nil {
			return q.syntax(err, "/"+door.PointerToken(string(q.name(key))))
		}
	}
	e.others = q.keep(q.inner)
	return nil
}

// decodeMember reads one member of an event. A key given twice counts with its
// last value, as in JavaScript.
func (q *Request) decodeMember(s *jsonscan.Scanner, e *Event, key jsonscan.Span) error {
	f := fieldOf(q.name(key))
	if (f == fContext || f == fIntegrations) && s.Peek() == '{' {
		start := s.Offset()
		members, err := q.decodeMembers(s)
		if err != nil {
			return err
		}
		e.known[f] = jsonscan.Span{Start: int32(start), End: int32(s.Offset())}
		if f == fContext {
			e.context = members
		} else {
			e.integrations = members
		}
		return nil
	}
	value, err := s.Skip()
	if err != nil {
		return err
	}
	if f == fOther {
		q.inner = append(q.inner, member{key: key, value: value})
		return nil
	}
	e.known[f] = value
	switch f {
	case fContext:
		e.context = group{}
	case fIntegrations:
		e.integrations = group{}
	default: // known by its place alone
	}
	return nil
}

// decodeMembers reads a whole object, member by member.
func (q *Request) decodeMembers(s *jsonscan.Scanner) (group, error) {
	if err := s.Open('{'); err != nil {
		return group{}, err
	}
	from := int32(len(q.members))
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil {
			return group{}, err
		}
		if !more {
			return group{from, int32(len(q.members))}, nil
		}
		value, err := s.Skip()
		if err != nil {
			return group{}, err
		}
		q.members = append(q.members, member{key, value, contextFieldOf(q.name(key))})
	}
}

func (q *Request) keep(list []member) group {
	from := int32(len(q.members))
	q.members = append(q.members, list...)
	return group{from, int32(len(q.members))}
}

func (q *Request) in(g group) []member { return q.members[g.from:g.to] }

func itemPointer(i int) string { return "/batch/" + strconv.Itoa(i) }
