package segment

import (
	"strconv"
	"strings"
)

// Reasons of rejected events and refused requests: the cairn-reason header, the
// "code" of an answer and a label of metrics.
const (
	CodeInvalidJSON   = "invalid_json"
	CodeWrongType     = "wrong_type"
	CodeUnknownType   = "unknown_type"
	CodeNoIdentifier  = "no_identifier"
	CodeNoEvent       = "no_event"
	CodeBadTime       = "bad_timestamp"
	CodeBadMessageID  = "bad_message_id"
	CodeTooLarge      = "too_large"
	CodeTooDeep       = "too_deep"
	CodeNotUTF8       = "not_utf8"
	CodeTooManyEvents = "too_many_events"
	CodeNoBatch       = "no_batch"
)

// Reject says why an event, or a whole body, cannot be taken.
type Reject struct {
	Code    string // one of the constants above
	Message string // a sentence for people, without the place
	Pointer string // JSON pointer into the request's body, "" for the whole
}

func (r *Reject) Error() string {
	if r.Pointer == "" {
		return r.Message
	}
	return r.Pointer + ": " + r.Message
}

// at returns the reject with its pointer moved below a parent.
func (r *Reject) at(parent string) *Reject {
	if r == nil || parent == "" {
		return r
	}
	moved := *r
	moved.Pointer = parent + r.Pointer
	return &moved
}

func wrongType(name, want string) *Reject {
	return &Reject{CodeWrongType, name + " must be " + want + ".", "/" + pointerToken(name)}
}

func itemPointer(i int) string { return "/batch/" + strconv.Itoa(i) }

// pointerToken escapes a key for a JSON pointer (RFC 6901) and bounds it: it
// comes from the client and goes into answers and logs.
func pointerToken(key string) string {
	if len(key) > 64 {
		key = strings.ToValidUTF8(key[:64], "")
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
