package lines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
)

// Options of Event.
type Options struct {
	// ID derives a message id from the line; asked for when it has none.
	ID     func() (string, error)
	Source string
	// Owned says that Source wins over the line's own, which is kept in
	// context.source: whoever reads the line knows better than its writer.
	Owned    bool
	Received time.Time // zero: receivedAt stays as it is, or absent
}

// rfc3339ms is how times are written: UTC, with milliseconds.
const rfc3339ms = "2006-01-02T15:04:05.000Z"

// Event reads a line that is one event of the Segment spec. The event is kept as
// it is but for what it lacks:
//   - messageId: derived by o.ID.
//   - timestamp: it is final. An export without one has its originalTimestamp
//     taken, because the clocks it could be corrected by are gone.
//   - receivedAt: o.Received.
//   - source: o.Source.
//
// An address in its context is truncated. It returns the event and the key its
// record must have. Errors are *Error, or those of o.ID.
func Event(line []byte, o Options) (event, key []byte, err error) {
	if at, reason := syntaxError(line); reason != "" {
		return nil, nil, &Error{at, reason}
	}
	v, err := fastjson.ParseBytes(line)
	if err != nil {
		return nil, nil, &Error{1, err.Error()}
	}
	if v.Type() != fastjson.TypeObject {
		return nil, nil, &Error{1, fmt.Sprintf("want a JSON object, got a JSON %s", v.Type())}
	}
	lastWins(v)
	lastWins(v.Get("context"))
	if err := complete(v, o); err != nil {
		return nil, nil, err
	}
	event = v.MarshalTo(nil)
	var raw wire.Raw
	in := &wire.RawRecord{Value: event, Arrival: o.Received.UnixMilli()}
	if o.Received.IsZero() {
		in.Arrival = time.Now().UnixMilli()
	}
	if err := wire.DecodeRaw(in, &raw); err != nil {
		if re, ok := errors.AsType[*wire.RawError](err); ok {
			return nil, nil, &Error{columnOf(line, re.Pointer), err.Error()}
		}
		return nil, nil, &Error{1, err.Error()}
	}
	return event, []byte(raw.Key), nil
}

// complete sets what an event lacks.
func complete(v *fastjson.Value, o Options) error {
	var a fastjson.Arena
	set := func(name, value string) {
		if value != "" && isAbsent(v.Get(name)) {
			v.Set(name, a.NewString(value))
		}
	}
	if noMessageID(v.Get("messageId")) {
		v.Del("messageId")
		derived, err := o.ID()
		if err != nil {
			return err
		}
		set("messageId", derived)
	}
	if isAbsent(v.Get("timestamp")) && isAbsent(v.Get("receivedAt")) {
		if original := v.Get("originalTimestamp"); !isAbsent(original) {
			v.Set("timestamp", original)
		}
	}
	if !o.Received.IsZero() {
		set("receivedAt", o.Received.UTC().Format(rfc3339ms))
	}
	if o.Owned {
		own(v, &a, o.Source)
	}
	set("source", o.Source)
	truncate(v.Get("context"), &a)
	return nil
}

// truncate keeps the network of a context's address. What is no address goes: it
// may be a list of them.
func truncate(context *fastjson.Value, a *fastjson.Arena) {
	ip := context.Get("ip")
	if isAbsent(ip) {
		return
	}
	if short := enrich.TruncateIP(string(ip.GetStringBytes())); short != "" {
		context.Set("ip", a.NewString(short))
	} else {
		context.Del("ip")
	}
}

// lastWins drops all but the last of the members with one name, as readers of the
// event count them: package fastjson reads the first, and keeps all.
func lastWins(v *fastjson.Value) {
	if v == nil || v.Type() != fastjson.TypeObject {
		return
	}
	object := v.GetObject()
	seen := make(map[string]int, object.Len())
	object.Visit(func(key []byte, _ *fastjson.Value) { seen[string(key)]++ })
	for name, times := range seen {
		for ; times > 1; times-- {
			object.Del(name) // the first of them
		}
	}
}

// own moves a line's source out of the way of the one that counts.
func own(v *fastjson.Value, a *fastjson.Arena, source string) {
	said := v.Get("source")
	if isAbsent(said) || said.Type() == fastjson.TypeString && string(said.GetStringBytes()) == source {
		return
	}
	v.Del("source")
	context := v.Get("context")
	if isAbsent(context) {
		context = a.NewObject()
		v.Set("context", context)
	}
	if context.Type() == fastjson.TypeObject && isAbsent(context.Get("source")) {
		context.Set("source", said)
	}
}

func isAbsent(v *fastjson.Value) bool { return v == nil || v.Type() == fastjson.TypeNull }

// noMessageID says whether the sessionizer would take the value for none.
func noMessageID(v *fastjson.Value) bool {
	if isAbsent(v) {
		return true
	}
	if v.Type() == fastjson.TypeString {
		return journey.Blocked(string(v.GetStringBytes()))
	}
	return v.Type() != fastjson.TypeNumber
}

// Syntax is what stops a line from being JSON, or nil.
func Syntax(line []byte) *Error {
	if at, reason := syntaxError(line); reason != "" {
		return &Error{at, reason}
	}
	return nil
}

// syntaxError finds the place of a JSON mistake: the column, from 1.
func syntaxError(line []byte) (int, string) {
	if !utf8.Valid(line) {
		for i := 0; i < len(line); {
			r, n := utf8.DecodeRune(line[i:])
			if r == utf8.RuneError && n == 1 {
				return i + 1, "not valid UTF-8"
			}
			i += n
		}
	}
	if json.Valid(line) {
		return 0, ""
	}
	var se *json.SyntaxError
	var into json.RawMessage
	if err := json.Unmarshal(line, &into); errors.As(err, &se) {
		return int(max(se.Offset, 1)), se.Error()
	}
	return 1, "not valid JSON"
}

// columnOf is where the member that a JSON pointer of one step names stands in
// the line, else the line's start.
func columnOf(line []byte, pointer string) int {
	if len(pointer) > 1 {
		if at := bytes.Index(line, []byte(`"`+pointer[1:]+`"`)); at >= 0 {
			return at + 1
		}
	}
	return 1
}
