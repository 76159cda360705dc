package emit

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
)

// MaxBytes is how large a touchpoint may be as JSON: what the collector takes.
const MaxBytes = 32 << 10

// Types of touchpoints: the calls of the Segment spec.
const (
	Track    = "track"
	Page     = "page"
	Screen   = "screen"
	Identify = "identify"
	Group    = "group"
	Alias    = "alias"
)

// Touchpoint is one interaction with a customer. It needs at least one of
// AnonymousID, UserID and ExternalIDs.
type Touchpoint struct {
	// MessageID makes the touchpoint one: of two with the same identifier and
	// MessageID only the first counts. Empty: Send makes one. Set it to something
	// that stays the same (a receipt's number) where the application may send the
	// same touchpoint twice.
	MessageID string `json:"messageId"`

	Type  string `json:"type"`            // empty: Track
	Event string `json:"event,omitempty"` // needed for Track: "Order Completed"
	Name  string `json:"name,omitempty"`  // of a page or screen

	AnonymousID string       `json:"anonymousId,omitempty"`
	UserID      string       `json:"userId,omitempty"`
	PreviousID  string       `json:"previousId,omitempty"` // Alias: the user id it was before
	GroupID     string       `json:"groupId,omitempty"`
	ExternalIDs []ExternalID `json:"externalIds,omitempty"`

	// Time is when it happened, by a clock that is right; zero: now.
	Time time.Time `json:"timestamp"`

	Channel string `json:"channel,omitempty"` // web, app, email, store, call, ...
	Actor   string `json:"actor,omitempty"`   // customer (if empty) or business
	Source  string `json:"source,omitempty"`  // empty: the client's

	Context    Context        `json:"context,omitzero"`
	Properties map[string]any `json:"properties,omitempty"`
	Traits     map[string]any `json:"traits,omitempty"`
}

// ExternalID is a further identifier: a loyalty card, an email, a phone number.
type ExternalID struct {
	Type string `json:"type"` // loyalty, email, phone, device, ...
	ID   string `json:"id"`
}

// Context is where a touchpoint happened. The zero value says nothing.
type Context struct {
	Page      PageContext    `json:"page,omitzero"`
	Campaign  Campaign       `json:"campaign,omitzero"`
	UserAgent string         `json:"userAgent,omitempty"`
	IP        string         `json:"ip,omitempty"` // Send truncates it to /24 or /48
	Locale    string         `json:"locale,omitempty"`
	Consent   map[string]any `json:"consent,omitempty"`
	Device    map[string]any `json:"device,omitempty"`
	Traits    map[string]any `json:"traits,omitempty"`
	Library   Library        `json:"library"`
}

// PageContext is the page a touchpoint happened on.
type PageContext struct {
	URL      string `json:"url,omitempty"`
	Path     string `json:"path,omitempty"`
	Referrer string `json:"referrer,omitempty"`
	Title    string `json:"title,omitempty"`
}

// Campaign is what brought the customer.
type Campaign struct {
	Source  string `json:"source,omitempty"`
	Medium  string `json:"medium,omitempty"`
	Name    string `json:"name,omitempty"`
	Term    string `json:"term,omitempty"`
	Content string `json:"content,omitempty"`
}

// Library is the program that made the record.
type Library struct {
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

// ErrNoIdentifier says that a touchpoint has no identifier that means anybody.
var ErrNoIdentifier = errors.New("no usable AnonymousID, UserID or ExternalIDs")

// key is the primary identifier: what the record is partitioned by.
func (t *Touchpoint) key() (string, error) {
	if id, ok := journey.CleanIdentifier(journey.KindAnonymous, t.AnonymousID); ok {
		return id, nil
	}
	if id, ok := journey.CleanIdentifier(journey.KindUser, t.UserID); ok {
		return id, nil
	}
	for _, e := range t.ExternalIDs {
		if id, ok := journey.CleanIdentifier(e.Type, e.ID); ok {
			return id, nil
		}
	}
	return "", ErrNoIdentifier
}

// complete fills in what the caller left out and checks the rest.
func (t *Touchpoint) complete(source string, now time.Time) error {
	if journey.Blocked(t.MessageID) {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make a messageId: %w", err)
		}
		t.MessageID = id.String()
	}
	switch t.Type {
	case "":
		t.Type = Track
	case Track, Page, Screen, Identify, Group, Alias:
	default:
		return fmt.Errorf("unknown type %q", t.Type)
	}
	if t.Type == Track && t.Event == "" {
		return errors.New("a track touchpoint needs an Event")
	}
	if t.Actor != "" && t.Actor != "customer" && t.Actor != "business" {
		return fmt.Errorf("unknown actor %q: want customer or business", t.Actor)
	}
	if t.Time.IsZero() {
		t.Time = now
	}
	if t.Source == "" {
		t.Source = source
	}
	if t.Context.Library == (Library{}) {
		t.Context.Library.Name = "cairn/emit"
	}
	t.Context.IP = enrich.TruncateIP(t.Context.IP)
	return nil
}

// stamped is a touchpoint as it is written.
type stamped struct {
	*Touchpoint
	Timestamp  string `json:"timestamp"`
	ReceivedAt string `json:"receivedAt"`
}

// value is the record's value. receivedAt is the writer's clock: an embedded
// broker does not stamp records with their arrival.
func (t *Touchpoint) value(now time.Time) ([]byte, error) {
	value, err := json.Marshal(stamped{t, t.Time.UTC().Format(time.RFC3339Nano), now.UTC().Format("2006-01-02T15:04:05.000Z07:00")})
	if err != nil {
		return nil, err
	}
	if len(value) > MaxBytes {
		return nil, fmt.Errorf("%d bytes, more than %d", len(value), MaxBytes)
	}
	return value, nil
}
