package door

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cairnhq/cairn/pkg/journey"
)

// MaxMessageID is how many characters a messageId may have: Segment's limit.
const MaxMessageID = 100

// Touchpoint is a raw touchpoint that a door writes (docs/touchpoints.md). Zero
// values are left out.
type Touchpoint struct {
	MessageID   string // required: Minter makes one
	Type        string // required: one of the six calls
	Event       string // required for track
	Name        string // of pages and screens
	AnonymousID string
	UserID      string
	PreviousID  string
	GroupID     string
	ExternalIDs []ExternalID
	Timestamp   time.Time // final
	DeviceTime  time.Time // originalTimestamp: by the device's clock
	SentAt      time.Time // by the device's clock
	Channel     string
	Actor       string
	Context     map[string]any // an ip in it must be truncated already
	Properties  any            // a map or a json.RawMessage with an object
	Traits      any            // as Properties
}

// ExternalID is a further identifier.
type ExternalID struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type written struct {
	MessageID   string          `json:"messageId"`
	Type        string          `json:"type"`
	AnonymousID string          `json:"anonymousId,omitempty"`
	UserID      string          `json:"userId,omitempty"`
	PreviousID  string          `json:"previousId,omitempty"`
	GroupID     string          `json:"groupId,omitempty"`
	ExternalIDs []ExternalID    `json:"externalIds,omitempty"`
	Event       string          `json:"event,omitempty"`
	Name        string          `json:"name,omitempty"`
	Actor       string          `json:"actor,omitempty"`
	Channel     string          `json:"channel,omitempty"`
	Timestamp   string          `json:"timestamp,omitempty"`
	DeviceTime  string          `json:"originalTimestamp,omitempty"`
	SentAt      string          `json:"sentAt,omitempty"`
	ReceivedAt  json.RawMessage `json:"receivedAt"`
	Source      string          `json:"source"`
	Context     map[string]any  `json:"context,omitempty"`
	Properties  any             `json:"properties,omitempty"`
	Traits      any             `json:"traits,omitempty"`
}

// Append appends the touchpoint's record to dst. raw is the event as it came,
// kept where the touchpoint cannot be taken.
func (t *Touchpoint) Append(m *Meta, limits Limits, raw, dst []byte) (Record, []byte) {
	start := len(dst)
	key, value, rej := t.record(m, limits)
	if rej != nil {
		dst = append(dst, raw...)
		return Record{Value: dst[start:len(dst):len(dst)], Reject: rej}, dst
	}
	dst = append(dst, key...)
	mid := len(dst)
	dst = append(dst, value...)
	return Record{Key: dst[start:mid:mid], Value: dst[mid:len(dst):len(dst)]}, dst
}

func (t *Touchpoint) record(m *Meta, limits Limits) (key string, value []byte, rej *Reject) {
	if key = t.primary(); key == "" {
		return "", nil, &Reject{CodeNoIdentifier, "The event has no usable identifier.", ""}
	}
	switch {
	case t.Type == "track" && t.Event == "":
		return "", nil, &Reject{CodeNoEvent, "The event has no name.", ""}
	case utf8.RuneCountInString(t.MessageID) > MaxMessageID:
		return "", nil, &Reject{CodeBadMessageID, fmt.Sprintf("An event's id may have %d characters.", MaxMessageID), ""}
	}
	for _, at := range [...]time.Time{t.Timestamp, t.DeviceTime} {
		if ms := at.UnixMilli(); !at.IsZero() && (ms <= minTime || ms > maxTime) {
			return "", nil, &Reject{CodeBadTime, "The event's time is before 1970 or far in the future.", ""}
		}
	}
	t.connection(m)
	value, err := json.Marshal(&written{
		MessageID: t.MessageID, Type: t.Type, AnonymousID: t.AnonymousID, UserID: t.UserID, PreviousID: t.PreviousID, GroupID: t.GroupID,
		ExternalIDs: t.ExternalIDs, Event: t.Event, Name: t.Name, Actor: t.Actor, Channel: t.Channel,
		Timestamp: timeText(t.Timestamp), DeviceTime: timeText(t.DeviceTime), SentAt: timeText(t.SentAt),
		ReceivedAt: m.ReceivedText(), Source: m.Source, Context: t.Context, Properties: t.Properties, Traits: t.Traits,
	})
	if err != nil {
		return "", nil, &Reject{CodeBadJSON, "The event cannot be written as JSON: " + err.Error() + ".", ""}
	}
	if len(value) > limits.EventBytes {
		return "", nil, &Reject{CodeTooLarge, fmt.Sprintf("An event may have %d bytes, this one has %d.", limits.EventBytes, len(value)), ""}
	}
	return key, value, nil
}

// primary is the record's key: D3 of docs/semantics.md.
func (t *Touchpoint) primary() string {
	for _, id := range [...]*string{&t.AnonymousID, &t.UserID} {
		if *id = strings.TrimSpace(*id); *id != "" && !journey.Blocked(*id) {
			return *id
		}
	}
	for _, x := range t.ExternalIDs {
		if id := strings.TrimSpace(x.ID); id != "" && !journey.Blocked(id) {
			if journey.SnakeCase(x.Type) == journey.KindEmail {
				id = strings.ToLower(id)
			}
			return id
		}
	}
	return ""
}

// connection fills in what the connection tells.
func (t *Touchpoint) connection(m *Meta) {
	set := func(name, value string) {
		if value == "" {
			return
		}
		if t.Context == nil {
			t.Context = map[string]any{}
		}
		if _, has := t.Context[name]; !has {
			t.Context[name] = value
		}
	}
	set("ip", m.IP)
	set("userAgent", m.UserAgent)
}

func timeText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}
