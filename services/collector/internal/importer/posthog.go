package importer

import (
	"bytes"

	"github.com/valyala/fastjson"

	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// ofPostHog reports whether the line is an event of PostHog's, and returns it
// with a uuid.
func (r *Reader) ofPostHog() ([]byte, bool) {
	if !bytes.Contains(r.buf, []byte(`"distinct_id"`)) {
		return nil, false
	}
	v, err := fastjson.ParseBytes(r.buf)
	if err != nil || v.Type() != fastjson.TypeObject {
		return nil, false
	}
	if !v.Exists("distinct_id") && !v.Exists("properties", "distinct_id") {
		return nil, false
	}
	for _, name := range [...]string{"anonymousId", "userId", "messageId", "externalIds"} {
		if v.Exists(name) { // the Segment spec's
			return nil, false
		}
	}
	if len(v.GetStringBytes("uuid")) > 0 || v.Exists("properties", "$insert_id") {
		return r.buf, true
	}
	var a fastjson.Arena
	v.Set("uuid", a.NewString(r.id(r.in.Number, r.buf)))
	return v.MarshalTo(nil), true
}

// capture makes the record of an event of PostHog's, as its front door does.
func (r *Reader) capture(l *Line, line, dst []byte) []byte {
	in := door.Input{Method: "POST", Path: "/capture", Body: line, Reserve: func(int64) bool { return true }}
	if rej := r.posthog.Decode(&in, r.o.Limits); rej != nil {
		return r.rejected(l, rej, r.buf, dst)
	}
	rec, out := r.posthog.Append(0, &r.meta, dst)
	if rec.Reject != nil { // as it came, not with the uuid
		return r.rejected(l, rec.Reject, r.buf, out[:len(dst)])
	}
	l.Record = rec
	return out
}

// deepest is how deep the objects and lists of a line of JSON are nested.
func deepest(line []byte) int {
	s := jsonscan.New(line)
	if _, err := s.Skip(); err != nil { // too deep for the scanner
		return int(^uint(0) >> 1)
	}
	return s.Deepest()
}
