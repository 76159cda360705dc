package door

import (
	"strings"

	"github.com/cairnhq/cairn/pkg/wire"
)

// Reasons of rejected events and refused requests: the cairn-reason header, the
// "code" of an answer and a label of metrics. What the device step would reject
// for the same reason has the same name there.
const (
	CodeBadJSON       = wire.ReasonBadJSON
	CodeBadType       = wire.ReasonBadType
	CodeBadActor      = wire.ReasonBadActor
	CodeBadTime       = wire.ReasonBadTime
	CodeNoIdentifier  = wire.ReasonNoIdentifier
	CodeTooLarge      = wire.ReasonTooLarge
	CodeBadField      = "bad_field" // a member of a JSON type that it cannot have
	CodeBadMessageID  = "bad_message_id"
	CodeNoEvent       = "no_event"
	CodeTooDeep       = "too_deep"
	CodeTooManyFields = "too_many_properties"
	CodeTooManyEvents = "too_many_events"
	CodeNoBatch       = "no_batch"
	CodeBadEncoding   = "bad_encoding"   // of a body, or of what is packed into it
	CodeOverloaded    = "overloaded"     // no memory is left for the request: it may come again
	CodeMalformedLine = "malformed_line" // of an imported body
	CodeNotFound      = "not_found"      // the path names nothing that there is
	CodeUnauthorized  = "unauthorized"   // the request does not prove whose it is
)

// Reject says why an event, or a whole body, cannot be taken.
type Reject struct {
	Code    string // one of the constants above
	Message string // a sentence for people, without the place
	Pointer string // JSON pointer into the request's body, "" for the whole
}

// NewReject makes a reject; see the fields of Reject.
func NewReject(code, message, pointer string) *Reject { return &Reject{code, message, pointer} }

// String is the reject for people, with the place.
func (r *Reject) String() string {
	if r.Pointer == "" {
		return r.Message
	}
	return r.Pointer + ": " + r.Message
}

// Under returns the reject with its pointer moved below a parent.
func (r *Reject) Under(parent string) *Reject {
	if r == nil || parent == "" {
		return r
	}
	moved := *r
	moved.Pointer = parent + r.Pointer
	return &moved
}

// BadField rejects a member of a JSON type that it cannot have. want says what it
// may be.
func BadField(name, want string) *Reject {
	return &Reject{CodeBadField, name + " must be " + want + ".", "/" + PointerToken(name)}
}

// PointerToken escapes a key for a JSON pointer (RFC 6901) and bounds it: it
// comes from the client and goes into answers and logs.
func PointerToken(key string) string {
	if len(key) > 64 {
		key = strings.ToValidUTF8(key[:64], "")
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
