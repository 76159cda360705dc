package segment

import (
	"bytes"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// field is a member of an event that the collector reads or writes. All others
// are passed through.
type field uint8

const (
	fOther field = iota
	fType
	fMessageID
	fAnonymousID
	fUserID
	fPreviousID
	fGroupID
	fExternalIDs
	fEvent
	fTimestamp
	fOriginalTimestamp
	fSentAt
	fReceivedAt
	fSource
	fContext
	fIntegrations
	fProperties
	fTraits
	fActor
	fWriteKey
	fChannel
	fCount
)

//nolint:gochecknoglobals // a constant table
var fieldNames = [fCount]string{
	fType: "type", fMessageID: "messageId", fAnonymousID: "anonymousId", fUserID: "userId", fPreviousID: "previousId",
	fGroupID: "groupId", fExternalIDs: "externalIds", fEvent: "event", fTimestamp: "timestamp",
	fOriginalTimestamp: "originalTimestamp", fSentAt: "sentAt", fReceivedAt: "receivedAt", fSource: "source",
	fContext: "context", fIntegrations: "integrations", fProperties: "properties", fTraits: "traits", fActor: "actor", fWriteKey: "writeKey", fChannel: "channel",
}

func fieldOf(name []byte) field {
	switch string(name) {
	case "type":
		return fType
	case "messageId":
		return fMessageID
	case "anonymousId":
		return fAnonymousID
	case "userId":
		return fUserID
	case "previousId":
		return fPreviousID
	case "groupId":
		return fGroupID
	case "externalIds":
		return fExternalIDs
	case "event":
		return fEvent
	case "timestamp":
		return fTimestamp
	case "originalTimestamp":
		return fOriginalTimestamp
	case "sentAt":
		return fSentAt
	case "receivedAt":
		return fReceivedAt
	case "source":
		return fSource
	case "context":
		return fContext
	case "integrations":
		return fIntegrations
	case "properties":
		return fProperties
	case "traits":
		return fTraits
	case "actor":
		return fActor
	case "writeKey":
		return fWriteKey
	case "channel":
		return fChannel
	}
	return fOther
}

// contextField is a member of context that the collector reads or writes.
type contextField uint8

const (
	cOther contextField = iota
	cIP
	cUserAgent
	cSource
	cExternalIDs
)

func contextFieldOf(name []byte) contextField {
	switch string(name) {
	case "ip":
		return cIP
	case "userAgent":
		return cUserAgent
	case "source":
		return cSource
	case "externalIds":
		return cExternalIDs
	}
	return cOther
}

// callName is the call of the Segment spec that name names in any case, or "".
func callName(name []byte) string {
	switch strings.ToLower(string(name)) {
	case "track":
		return "track"
	case "page":
		return "page"
	case "screen":
		return "screen"
	case "identify":
		return "identify"
	case "group":
		return "group"
	case "alias":
		return "alias"
	}
	return ""
}

// isActor reports whether a JSON value names who acted; empty counts as absent.
func isActor(raw []byte) bool {
	if raw[0] != '"' {
		return false
	}
	switch strings.ToLower(string(jsonscan.Unquote(raw, nil))) {
	case "", journey.ActorCustomer, journey.ActorBusiness:
		return true
	}
	return false
}

// misfit names what is wrong with the JSON type of a known member; nil: nothing.
func misfit(f field, raw []byte) *door.Reject {
	c := raw[0]
	switch f {
	case fMessageID, fAnonymousID, fUserID, fPreviousID, fGroupID:
		if c == '{' || c == '[' {
			return door.BadField(fieldNames[f], "a string or a number")
		}
	case fEvent:
		if c != '"' && c != 'n' {
			return door.BadField(fieldNames[f], "a string")
		}
	case fExternalIDs:
		if c != '[' && c != 'n' {
			return door.BadField(fieldNames[f], "a list of {type, id}")
		}
	case fContext, fIntegrations, fProperties, fTraits:
		if c != '{' && c != 'n' && !emptyList(raw) {
			return door.BadField(fieldNames[f], "an object")
		}
	default: // of any type; what reads it decides
	}
	return nil
}

// emptyList recognises [], which PHP clients send for an empty object.
func emptyList(raw []byte) bool {
	return raw[0] == '[' && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}

// member is a key and its value as they stand in the body.
type member struct {
	key, value jsonscan.Span
	field      contextField // of members of context
}

// text is the member's own bytes, from the key's quote to the value's end.
func (m *member) text(body []byte) []byte { return body[m.key.Start:m.value.End] }

// group is a run of members in one of the request's lists.
type group struct{ from, to int32 }
