package cloudevent

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// lastYear is the year from which on no event can be.
const lastYear = 2100

// Append makes the record of event i; see door.Request.
func (q *Request) Append(i int, m *door.Meta, dst []byte) (rec door.Record, out []byte) {
	e := &q.events[i]
	var t door.Touchpoint
	rej := e.reject
	if rej == nil {
		rej = e.touchpoint(&t, q.limits)
	}
	if rej == nil {
		rec, out = t.Append(m, q.limits, e.raw, dst)
	} else {
		start := len(dst)
		out = append(dst, e.raw...)
		rec = door.Record{Value: out[start:len(out):len(out)], Reject: rej}
	}
	if rec.Reject != nil && q.batch {
		rec.Reject = rec.Reject.Under(pointer(i))
	}
	return rec, out
}

func (e *event) touchpoint(t *door.Touchpoint, limits door.Limits) *door.Reject {
	a := e.attributes
	switch {
	case !strings.HasPrefix(a["specversion"], "1."):
		return door.BadField("specversion", "1.0")
	case a["id"] == "":
		return door.NewReject(door.CodeBadMessageID, "A CloudEvent has an id.", "/id")
	case a["source"] == "":
		return door.BadField("source", "given")
	}
	t.Type, t.MessageID = "track", messageID(a["source"], a["id"])
	if t.Event = a["event"]; t.Event == "" {
		t.Event = eventName(a["type"])
	}
	if text := a["time"]; text != "" {
		stamp, ok := door.ParseTime(jsonscan.AppendQuoted(nil, text))
		if !ok || stamp.At.UTC().Year() >= lastYear {
			return door.NewReject(door.CodeBadTime, "time must be an RFC 3339 time such as 2026-05-17T10:05:03Z, before 2100.", "/time")
		}
		t.Timestamp = stamp.At
	}
	props, rej := e.properties(limits)
	if rej != nil {
		return rej
	}
	if props != nil {
		t.Properties = props
	}
	switch t.Actor = strings.ToLower(a["actor"]); t.Actor {
	case "", journey.ActorCustomer, journey.ActorBusiness:
	default:
		return door.NewReject(door.CodeBadActor, "actor must be customer or business.", "/actor")
	}
	t.Channel = a["channel"]
	identify(t, a, props)
	t.Context = map[string]any{"cloudevent": a}
	return nil
}

// messageID is one for each pair of source and id: "source|id" where that is
// unmistakable and short enough (no URI has a |), else a hash.
func messageID(source, id string) string {
	if plain := source + "|" + id; !strings.Contains(source, "|") && utf8.RuneCountInString(plain) <= door.MaxMessageID {
		return plain
	}
	h := sha256.New()
	h.Write(strconv.AppendInt(nil, int64(len(source)), 10))
	h.Write([]byte(":" + source + id))
	return "ce-" + hex.EncodeToString(h.Sum(nil))
}

// eventName is what a type such as com.example.order.completed says happened:
// order_completed. A version at the end and a reversed domain at the beginning
// do not count; of what is left the last part, and the one before it where the
// last is a single word.
func eventName(typ string) string {
	parts := strings.FieldsFunc(typ, func(r rune) bool { return r == '.' || r == '/' || r == ':' })
	if n := len(parts); n > 1 && isVersion(parts[n-1]) {
		parts = parts[:n-1]
	}
	if len(parts) > 2 && isTopLevel(parts[0]) {
		parts = parts[2:]
	}
	n := len(parts)
	if n == 0 {
		return ""
	}
	last := journey.SnakeCase(parts[n-1])
	if n == 1 || strings.Contains(last, "_") {
		return last
	}
	return journey.SnakeCase(parts[n-2] + "_" + last)
}

// isVersion reports whether a part is v1, v2beta, 2...
func isVersion(part string) bool {
	digits := strings.TrimPrefix(strings.ToLower(part), "v")
	return digits != "" && '0' <= digits[0] && digits[0] <= '9'
}

// isTopLevel reports whether a part looks like the end of a domain: com, io,
// example...
func isTopLevel(part string) bool {
	switch part {
	case "com", "org", "net", "gov", "edu", "int", "biz", "info", "name", "app", "dev", "cloud", "shop", "store", "example", "test", "local":
		return true
	}
	return len(part) == 2 // of a country
}
