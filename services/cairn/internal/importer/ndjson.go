package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
)

// ndjsonEvent reads a line that is one event of the Segment spec. The event is
// kept as it is but for what it lacks:
//   - messageId: derived by id from the line.
//   - timestamp: it is final. An export without one has its originalTimestamp
//     taken, because the clocks it could be corrected by are gone.
//   - receivedAt: the time of the import, unless received is zero.
//   - source: source, if the line has none.
//
// It returns the event and the key its record must have. Errors are *lineError.
func ndjsonEvent(line []byte, id func() (string, error), source string, received time.Time) (event, key []byte, err error) {
	if at, reason := syntaxError(line); reason != "" {
		return nil, nil, &lineError{at, reason}
	}
	v, err := fastjson.ParseBytes(line)
	if err != nil {
		return nil, nil, &lineError{1, err.Error()}
	}
	if v.Type() != fastjson.TypeObject {
		return nil, nil, &lineError{1, fmt.Sprintf("want a JSON object, got a JSON %s", v.Type())}
	}
	var a fastjson.Arena
	set := func(name, value string) {
		if value != "" && isAbsent(v.Get(name)) {
			v.Set(name, a.NewString(value))
		}
	}
	if noMessageID(v.Get("messageId")) {
		v.Del("messageId")
		derived, err := id()
		if err != nil {
			return nil, nil, err
		}
		set("messageId", derived)
	}
	if isAbsent(v.Get("timestamp")) && isAbsent(v.Get("receivedAt")) {
		if original := v.Get("originalTimestamp"); !isAbsent(original) {
			v.Set("timestamp", original)
		}
	}
	if !received.IsZero() {
		set("receivedAt", received.UTC().Format(rfc3339ms))
	}
	set("source", source)
	event = v.MarshalTo(nil)
	var raw wire.Raw
	in := &wire.RawRecord{Value: event, Arrival: received.UnixMilli()}
	if received.IsZero() {
		in.Arrival = time.Now().UnixMilli()
	}
	if err := wire.DecodeRaw(in, &raw); err != nil {
		if re, ok := errors.AsType[*wire.RawError](err); ok {
			return nil, nil, &lineError{columnOf(line, re.Pointer), err.Error()}
		}
		return nil, nil, &lineError{1, err.Error()}
	}
	return event, []byte(raw.Key), nil
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
