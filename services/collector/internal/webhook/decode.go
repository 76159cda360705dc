package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
	"github.com/cairnhq/cairn/services/collector/internal/mapping"
)

// Request is a decoded request; see door.Request.
type Request struct {
	options *Options
	limits  door.Limits
	source  *mapping.Source
	body    any
	items   []item
	seen    map[string]int // what was minted, how often
}

// item is one that the mapping wants.
type item struct {
	raw    []byte
	value  any
	at     int // in the body's list
	reject *door.Reject
}

// treeFactor is how many times a body's size its values take in memory.
const treeFactor = 8

// Decode finds the source, checks its signature and finds its items.
func (q *Request) Decode(in *door.Input, limits door.Limits) *door.Reject {
	clear(q.items)
	clear(q.seen)
	*q = Request{options: q.options, limits: limits, items: q.items[:0], seen: q.seen}
	name := in.Path[strings.LastIndexByte(in.Path, '/')+1:]
	source := q.options.Table().Find(name)
	if source == nil {
		return door.NewReject(door.CodeNotFound, "There is no mapping for this source: add it to the file that collector.webhooks names.", "")
	}
	if source.Signature != nil {
		if err := source.Signature.Verify(in.Header, in.Body, q.options.Now()); err != nil {
			return door.NewReject(door.CodeUnauthorized, "The request is not taken for "+name+"'s: "+err.Error()+".", "")
		}
	}
	body, rej := toJSON(in)
	if rej != nil {
		return rej
	}
	if rej := check(body); rej != nil {
		return rej
	}
	if !in.Reserve(treeFactor * int64(len(body))) {
		return door.NewReject(door.CodeOverloaded, "Too many bytes are in flight: try again.", "")
	}
	q.source = source
	rej = q.find(in, body)
	return rej
}

// WriteKey is nil: bodies do not name one.
func (q *Request) WriteKey() []byte { return nil }

// Len is the number of items that the mapping wants.
func (q *Request) Len() int { return len(q.items) }

// SignedBy is the source that has signed the request, or "".
func (q *Request) SignedBy() string {
	if q.source == nil || q.source.Signature == nil {
		return ""
	}
	return q.source.SourceName
}

// find lists the wanted items.
func (q *Request) find(in *door.Input, body []byte) *door.Reject {
	var err error
	if q.body, err = mapping.Decode(body); err != nil {
		return door.NewReject(door.CodeBadJSON, "The body is not JSON: "+err.Error()+".", "")
	}
	found, ok := q.source.Items(body)
	if !ok { // kept as one: the mapping, or the system, has changed
		q.items = append(q.items, item{raw: body, reject: door.NewReject(door.CodeNoBatch, "The body has no list where the mapping says that its items are.", "")})
		in.Carry = counts{1, 0}.carry()
		return nil
	}
	if len(found) > q.limits.Events {
		return door.NewReject(door.CodeTooManyEvents, fmt.Sprintf("A body may have %d items: send the rest in another.", q.limits.Events), "")
	}
	condition := q.source.Condition(q.body) // of a body of many items it would be too much for each
	for i, raw := range found {
		it := item{raw: raw, at: i}
		if it.reject = q.measure(raw); it.reject == nil {
			if it.value, err = mapping.Decode(raw); err != nil {
				it.reject = door.NewReject(door.CodeBadJSON, "The item is not JSON: "+err.Error()+".", "")
			}
		}
		if it.reject != nil || q.source.Wanted(&mapping.Item{Value: it.value, Body: q.body, Condition: condition}) {
			q.items = append(q.items, it)
		}
	}
	in.Carry = counts{len(found), len(found) - len(q.items)}.carry()
	return nil
}

func (q *Request) measure(raw []byte) *door.Reject {
	s := jsonscan.New(raw)
	_, _ = s.Skip() // checked with the body
	switch {
	case len(raw) > q.limits.EventBytes:
		return door.NewReject(door.CodeTooLarge, fmt.Sprintf("The item has %d bytes and may have %d.", len(raw), q.limits.EventBytes), "")
	case s.Deepest() > q.limits.Depth:
		return door.NewReject(door.CodeTooDeep, fmt.Sprintf("An item may nest %d objects and lists.", q.limits.Depth), "")
	}
	return nil
}

// toJSON turns a form into an object; names that come more than once hold lists.
func toJSON(in *door.Input) ([]byte, *door.Reject) {
	kind, _, _ := mime.ParseMediaType(in.Header.Get("Content-Type"))
	body := bytes.TrimLeft(in.Body, " \t\r\n")
	if len(body) > 0 && body[0] == '<' || strings.HasSuffix(kind, "xml") {
		return nil, door.NewReject(door.CodeBadEncoding, "XML is not supported: send JSON or a form.", "")
	}
	if kind != "application/x-www-form-urlencoded" || len(body) > 0 && (body[0] == '{' || body[0] == '[') {
		return in.Body, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, door.NewReject(door.CodeBadEncoding, "The body is no form: "+err.Error()+".", "")
	}
	object := make(map[string]any, len(form))
	for name, values := range form {
		if len(values) == 1 {
			object[name] = mapping.Cell(values[0])
		} else {
			object[name] = values
		}
	}
	out, err := json.Marshal(object)
	if err != nil {
		return nil, door.NewReject(door.CodeBadEncoding, "The form cannot be read: "+err.Error()+".", "")
	}
	return out, nil
}

// check says where a body stops being JSON.
func check(body []byte) *door.Reject {
	if !utf8.Valid(body) {
		return door.NewReject(door.CodeBadJSON, "The body holds bytes that are not UTF-8.", "")
	}
	s := jsonscan.New(body)
	_, err := s.Skip()
	if err == nil {
		err = s.End()
	}
	if err == nil {
		return nil
	}
	message := "The body is not JSON: " + err.Error()
	if at, ok := errors.AsType[*jsonscan.SyntaxError](err); ok {
		before := body[:min(at.Offset, len(body))]
		line := bytes.Count(before, []byte{'\n'}) + 1
		message += fmt.Sprintf(" (line %d, column %d)", line, len(before)-bytes.LastIndexByte(before, '\n'))
	}
	return door.NewReject(door.CodeBadJSON, message+".", "")
}

func readCounts(carry string) (c counts, err error) {
	items, skipped, _ := strings.Cut(carry, " ")
	if c.items, err = strconv.Atoi(items); err != nil {
		return c, err
	}
	c.skipped, err = strconv.Atoi(skipped)
	return c, err
}
