package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

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
	// ReasonPlan is the device step's: the tracking plan rejects the touchpoint.
	ReasonPlan = "plan_violation"
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

// DecodeRaw reads a raw touchpoint (docs/touchpoints.md). Errors are *RawError.
// It sets everything but what enrichment and the device step add; on an error,
// what it had read until then.
func DecodeRaw(in *RawRecord, out *Raw) error {
	*out = Raw{}
	if len(in.Value) > MaxRaw {
		return &RawError{ReasonTooLarge, "", fmt.Errorf("the record has %d bytes, the limit is %d", len(in.Value), MaxRaw)}
	}
	var d document
	if !d.read(in.Value) {
		return badJSON(in.Value)
	}
	t := &out.Touchpoint
	t.RawPartition, t.RawOffset = in.Partition, in.Offset
	t.Source = cut(first(d.get(sourceSlot), in.Source))
	if err := readKind(&d, t); err != nil {
		return err
	}
	if err := readIdentifiers(&d, out); err != nil {
		return err
	}
	if err := readTimes(in, &d, out); err != nil {
		return err
	}
	readContext(&d, t)
	readProperties(&d, t)
	if id := d.get(messageIDSlot); !journey.Blocked(id) {
		t.MessageID = cut(strings.TrimSpace(id))
	} else {
		t.MessageID = "raw-" + strconv.Itoa(int(in.Partition)) + "-" + strconv.FormatInt(in.Offset, 10)
	}
	if in.Backfill {
		t.Flags |= journey.FlagBackfill
	}
	return nil
}

// badJSON says why a value is not read as an object.
func badJSON(value []byte) *RawError {
	why := "the value is not valid JSON"
	s := scanner{data: value}
	if tooDeep(value) {
		why = fmt.Sprintf("the value is nested deeper than %d levels", maxDepth)
	} else if _, end := s.value(s.space(0), 0); end != bad && s.space(end) == len(value) && utf8.Valid(value) {
		why = "the value is JSON, but not an object"
	}
	return &RawError{ReasonBadJSON, "", errors.New(why)}
}

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
func readKind(d *document, t *journey.Touchpoint) error {
	t.Type = strings.ToLower(d.get(typeSlot))
	event := strings.TrimSpace(d.get(eventSlot))
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
	switch t.Actor = strings.ToLower(d.get(actorSlot)); t.Actor {
	case "":
		t.Actor = journey.ActorCustomer
	case journey.ActorCustomer, journey.ActorBusiness:
	default:
		return &RawError{ReasonBadActor, "/actor", fmt.Errorf("actor %q is neither customer nor business", cut(t.Actor))}
	}
	t.Channel = strings.ToLower(cut(d.get(channelSlot)))
	return nil
}

// maxOthers bounds the further identifiers of a touchpoint.
const maxOthers = 16

// readIdentifiers reads who the touchpoint is of (semantics D3).
func readIdentifiers(d *document, out *Raw) error {
	t := &out.Touchpoint
	out.identify(journey.KindAnonymous, d.get(anonymousIDSlot))
	out.identify(journey.KindUser, d.get(userIDSlot))
	if ids := d.at[externalIDsSlot]; ids.kind == jsonArray {
		readExternalIDs(d, ids, out)
	} else if ids = d.at[contextIDsSlot]; ids.kind == jsonArray {
		readExternalIDs(d, ids, out)
	}
	if t.Identifier == "" {
		return &RawError{ReasonNoIdentifier, "", errors.New("no usable anonymousId, userId or externalIds: nobody to count it for")}
	}
	if id, ok := journey.CleanIdentifier(journey.KindUser, d.get(previousIDSlot)); ok {
		t.PreviousID = cut(id)
	}
	return nil
}

// identify takes in an identifier, if it is one.
func (r *Raw) identify(kind, value string) {
	value, ok := journey.CleanIdentifier(kind, cut(value))
	if !ok {
		return
	}
	t := &r.Touchpoint
	if kind == journey.KindUser && t.UserID == "" {
		t.UserID = value
	}
	if t.Identifier == "" {
		t.Identifier, r.Key = kind+":"+value, value
		return
	}
	if kind == journey.KindUser {
		return
	}
	if id := kind + ":" + value; id != t.Identifier {
		if t.Others == nil {
			t.Others, r.OtherKeys = make([]string, 0, 4), make([]string, 0, 4)
		}
		t.Others, r.OtherKeys = append(t.Others, id), append(r.OtherKeys, value)
	}
}

// readExternalIDs reads a list of {type, id} that has been checked.
func readExternalIDs(d *document, list value, out *Raw) {
	for i := int(list.from) + 1; len(out.Touchpoint.Others) < maxOthers; {
		if i = d.space(i); d.data[i] == ']' {
			return
		}
		if d.data[i] == ',' {
			i = d.space(i + 1)
		}
		if d.data[i] != '{' {
			_, i = d.value(i, 0)
			continue
		}
		var typ, id value
		i++
		for begun := true; ; begun = false {
			name, at := d.member(i, begun)
			if name.kind == absent {
				i = at
				break
			}
			var v value
			v, i = d.value(at, 0)
			switch n := d.string(name); { // of equal names the first counts
			case n == "type" && typ.kind == absent:
				typ = v
			case n == "id" && id.kind == absent:
				id = v
			}
		}
		out.identify(KindOf(d.textOf(typ)), d.textOf(id))
	}
}

// KindOf is the kind of identifier that an external id's type, or what people call it,
// stands for.
func KindOf(typ string) string {
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

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// cut bounds a text, at a character.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
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
