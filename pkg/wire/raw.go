package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Reasons why a raw touchpoint is rejected, as the header cairn-reason says them.
const (
	ReasonBadJSON      = "bad_json"
	ReasonBadType      = "bad_type"
	ReasonBadActor     = "bad_actor"
	ReasonBadTime      = "bad_time"
	ReasonNoIdentifier = "no_identifier"
	ReasonTooLarge     = "too_large"
)

// MaxRaw is the largest raw touchpoint that is read, in bytes.
const MaxRaw = 1 << 20

// maxText bounds a field that has a column, in bytes; longer ones are cut.
const maxText = 2048

// RawError says why a raw touchpoint cannot be read, and where.
type RawError struct {
	Reason  string // one of the Reason constants
	Pointer string // JSON pointer of the place; "" is the whole
	Err     error
}

func (e *RawError) Error() string {
	if e.Pointer == "" {
		return e.Err.Error()
	}
	return e.Pointer + ": " + e.Err.Error()
}

func (e *RawError) Unwrap() error { return e.Err }

// RawRecord is a record of touchpoints.raw as the codec needs it.
type RawRecord struct {
	Value     []byte
	Partition int32  // of the original, if this is a re-keyed copy
	Offset    int64  // likewise
	Arrival   int64  // the record's time, for bodies without receivedAt; Unix ms
	Source    string // header cairn-source, for bodies without a source
	Backfill  bool   // header cairn-backfill
}

// Raw is a raw touchpoint after reading. Its strings alias the record's value.
type Raw struct {
	Touchpoint journey.Touchpoint
	Key        string   // what the record's key must be: the bare primary identifier
	OtherKeys  []string // bare values of Touchpoint.Others, in the same order
}

// members are the raw JSON texts of a touchpoint's top level.
type members struct {
	typ, event, name, messageID, anonymousID, userID, previousID, externalIDs gjson.Result
	timestamp, original, sent, received                                       gjson.Result
	channel, actor, source, context, properties, traits                       gjson.Result

	other []member // those that are not known, to be kept
}

// member is a name and a value as JSON.
type member struct{ name, value string }

func (m *members) slot(key string) *gjson.Result {
	switch key {
	case "type":
		return &m.typ
	case "event":
		return &m.event
	case "name":
		return &m.name
	case "messageId":
		return &m.messageID
	case "anonymousId":
		return &m.anonymousID
	case "userId":
		return &m.userID
	case "previousId":
		return &m.previousID
	case "externalIds":
		return &m.externalIDs
	case "timestamp":
		return &m.timestamp
	case "originalTimestamp":
		return &m.original
	case "sentAt":
		return &m.sent
	case "receivedAt":
		return &m.received
	case "channel":
		return &m.channel
	case "actor":
		return &m.actor
	case "source":
		return &m.source
	case "context":
		return &m.context
	case "properties":
		return &m.properties
	case "traits":
		return &m.traits
	}
	return nil
}

// DecodeRaw reads a raw touchpoint (docs/touchpoints.md). Errors are *RawError.
// It sets everything but what enrichment and the device step add; on an error,
// what it had read until then.
func DecodeRaw(in *RawRecord, out *Raw) error {
	*out = Raw{}
	if len(in.Value) > MaxRaw {
		return &RawError{ReasonTooLarge, "", fmt.Errorf("the record has %d bytes, the limit is %d", len(in.Value), MaxRaw)}
	}
	if tooDeep(in.Value) {
		return &RawError{ReasonBadJSON, "", fmt.Errorf("the value is nested deeper than %d levels", maxDepth)}
	}
	if !utf8.Valid(in.Value) || !gjson.ValidBytes(in.Value) {
		return &RawError{ReasonBadJSON, "", errors.New("the value is not valid JSON")}
	}
	// gjson would copy the value; nothing changes it while the record lives.
	doc := gjson.Parse(unsafe.String(unsafe.SliceData(in.Value), len(in.Value)))
	if !doc.IsObject() {
		return &RawError{ReasonBadJSON, "", errors.New("the value is JSON, but not an object")}
	}
	var m members
	doc.ForEach(func(k, v gjson.Result) bool {
		switch slot := m.slot(k.Str); {
		case v.Type == gjson.Null:
		case slot != nil:
			*slot = v
		default:
			m.other = append(m.other, member{k.Raw, v.Raw})
		}
		return true
	})
	*out = Raw{Touchpoint: journey.Touchpoint{
		RawPartition: in.Partition, RawOffset: in.Offset,
		Source: cut(first(text(m.source), in.Source)),
	}}
	for _, read := range []func(*RawRecord, *members, *Raw) error{readKind, readIdentifiers, readTimes} {
		if err := read(in, &m, out); err != nil {
			return err
		}
	}
	readContext(&m, &out.Touchpoint)
	readProperties(&m, &out.Touchpoint)
	t := &out.Touchpoint
	if id := text(m.messageID); !journey.Blocked(id) {
		t.MessageID = cut(strings.TrimSpace(id))
	} else {
		t.MessageID = "raw-" + strconv.Itoa(int(in.Partition)) + "-" + strconv.FormatInt(in.Offset, 10)
	}
	if in.Backfill {
		t.Flags |= journey.FlagBackfill
	}
	return nil
}

// maxDepth is how deep a raw touchpoint may be nested: the parser uses the stack.
const maxDepth = 256

// tooDeep counts brackets outside of strings.
func tooDeep(b []byte) bool {
	if len(b) < maxDepth {
		return false
	}
	depth, inString, escaped := 0, false, false
	for _, c := range b {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// readKind reads type, event and actor.
func readKind(_ *RawRecord, m *members, out *Raw) error {
	t := &out.Touchpoint
	t.Type = strings.ToLower(text(m.typ))
	event := strings.TrimSpace(text(m.event))
	switch t.Type {
	case "":
		if event == "" {
			return &RawError{ReasonBadType, "/type", errors.New("neither a type nor an event is given")}
		}
		t.Type = "track"
	case "track", "identify", "group", "alias":
	case "page":
		event = first(event, "page_viewed")
	case "screen":
		event = first(event, "screen_viewed")
	default:
		return &RawError{ReasonBadType, "/type", fmt.Errorf("type %q is none of track, page, screen, identify, group, alias", cut(t.Type))}
	}
	t.Event = journey.SnakeCase(cut(first(event, t.Type)))
	switch t.Actor = strings.ToLower(text(m.actor)); t.Actor {
	case "":
		t.Actor = journey.ActorCustomer
	case journey.ActorCustomer, journey.ActorBusiness:
	default:
		return &RawError{ReasonBadActor, "/actor", fmt.Errorf("actor %q is neither customer nor business", cut(t.Actor))}
	}
	t.Channel = strings.ToLower(cut(text(m.channel)))
	return nil
}

// readIdentifiers reads who the touchpoint is of (semantics D3).
func readIdentifiers(_ *RawRecord, m *members, out *Raw) error {
	t := &out.Touchpoint
	add := func(kind, value string) {
		value, ok := journey.CleanIdentifier(kind, cut(value))
		if !ok {
			return
		}
		if kind == journey.KindUser && t.UserID == "" {
			t.UserID = value
		}
		switch id := kind + ":" + value; {
		case t.Identifier == "":
			t.Identifier, out.Key = id, value
		case kind != journey.KindUser && id != t.Identifier:
			t.Others, out.OtherKeys = append(t.Others, id), append(out.OtherKeys, value)
		}
	}
	add(journey.KindAnonymous, text(m.anonymousID))
	add(journey.KindUser, text(m.userID))
	external := func(_, v gjson.Result) bool {
		add(kindOf(text(v.Get("type"))), text(v.Get("id")))
		return len(t.Others) < 16
	}
	if m.externalIDs.IsArray() {
		m.externalIDs.ForEach(external)
	} else if ids := m.context.Get("externalIds"); ids.IsArray() {
		ids.ForEach(external)
	}
	if t.Identifier == "" {
		return &RawError{ReasonNoIdentifier, "", errors.New("no usable anonymousId, userId or externalIds: nobody to count it for")}
	}
	if id, ok := journey.CleanIdentifier(journey.KindUser, text(m.previousID)); ok {
		t.PreviousID = cut(id)
	}
	return nil
}

// kindOf is the kind of an external id's type.
func kindOf(typ string) string {
	typ = journey.SnakeCase(typ)
	switch typ {
	case "":
		return "external"
	case "user_id", "userid":
		return journey.KindUser
	case "anonymous_id":
		return journey.KindAnonymous
	}
	if len(typ) > 32 {
		typ = cutAt(typ, 32)
	}
	return strings.ReplaceAll(typ, ":", "_")
}

// readTimes reads the times and settles the event time (semantics D2).
func readTimes(in *RawRecord, m *members, out *Raw) error {
	t := &out.Touchpoint
	var times journey.Times
	for _, f := range [...]struct {
		name string
		v    *gjson.Result
		into *int64
	}{
		{"/timestamp", &m.timestamp, &times.Timestamp},
		{"/originalTimestamp", &m.original, &times.Original},
		{"/sentAt", &m.sent, &times.Sent},
		{"/receivedAt", &m.received, &times.Received},
	} {
		if !f.v.Exists() {
			continue
		}
		ms, err := parseTime(f.v)
		if err != nil {
			return &RawError{ReasonBadTime, f.name, err}
		}
		*f.into = ms
	}
	if times.Received == 0 || times.Received > in.Arrival+arrivalSlack {
		times.Received = in.Arrival // nothing arrives before it is there
	}
	t.Received = times.Received
	var flags uint32
	t.Time, flags, t.Original = journey.EventTime(times)
	t.Flags |= flags
	return nil
}

// arrivalSlack is how far a writer's clock may be ahead of the broker's, ms.
const arrivalSlack = 5 * 60_000

// Bounds of a time that can be one, in Unix ms: 1970 and 2100.
const (
	minTime = 0
	maxTime = 4_102_444_800_000
)

// parseTime reads RFC 3339, or a number of ms (or s) since 1970.
func parseTime(v *gjson.Result) (int64, error) {
	var ms int64
	switch v.Type {
	case gjson.String:
		at, err := time.Parse(time.RFC3339, v.Str)
		if err != nil {
			return 0, fmt.Errorf("%q is not an RFC 3339 time such as 2026-05-17T10:05:03.000Z", cut(v.Str))
		}
		ms = at.UnixMilli()
	case gjson.Number:
		ms = int64(v.Num)
		if v.Num < 1e11 { // seconds until the year 5138, ms from 1973 on
			ms = int64(v.Num * 1000)
		}
	default:
		return 0, errors.New("a time is a string or a number")
	}
	if ms <= minTime || ms > maxTime {
		return 0, errors.New("the time lies outside 1970 to 2100")
	}
	return ms, nil
}

// text is a string, or the text of a number or boolean.
func text(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Number, gjson.True, gjson.False:
		return v.Raw
	}
	return ""
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// cut bounds a text, at a character.
func cut(s string) string {
	return cutAt(s, maxText)
}

func cutAt(s string, end int) string {
	if len(s) <= end {
		return s
	}
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
