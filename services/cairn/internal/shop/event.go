package shop

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Sources are the systems of the shop that send events, each with a write key of
// its own.
const (
	SourceWeb        = "webshop"
	SourceNewsletter = "newsletter"
	SourceTill       = "till"
	SourceHelpdesk   = "helpdesk"
)

// Sources lists them.
func Sources() []string { return []string{SourceWeb, SourceNewsletter, SourceTill, SourceHelpdesk} }

// Channels on which the shop and its customers meet.
const (
	channelWeb     = "web"
	channelEmail   = "email"
	channelStore   = "store"
	channelSupport = "support"
)

const actorBusiness = "business"

// Event is an event of Segment's HTTP API, with cairn's channel and actor.
type Event struct {
	MessageID   string       `json:"messageId"`
	Type        string       `json:"type"`
	Event       string       `json:"event,omitempty"`
	Name        string       `json:"name,omitempty"` // of a page
	AnonymousID string       `json:"anonymousId,omitempty"`
	UserID      string       `json:"userId,omitempty"`
	ExternalIDs []ExternalID `json:"externalIds,omitempty"`
	Timestamp   Time         `json:"timestamp"`
	Channel     string       `json:"channel,omitempty"`
	Actor       string       `json:"actor,omitempty"` // "": the customer
	Context     *Context     `json:"context,omitempty"`
	Properties  *Properties  `json:"properties,omitempty"`
	Traits      *Traits      `json:"traits,omitempty"`
}

// JSON renders the event.
func (e *Event) JSON() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("render event %s: %w", e.MessageID, err)
	}
	return b, nil
}

// ExternalID names the customer in another system, such as a loyalty card.
type ExternalID struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// Context is where an event happened.
type Context struct {
	Page      *Page     `json:"page,omitempty"`
	Campaign  *Campaign `json:"campaign,omitempty"`
	UserAgent string    `json:"userAgent,omitempty"`
	IP        string    `json:"ip,omitempty"`
	Locale    string    `json:"locale,omitempty"`
	Library   *Library  `json:"library,omitempty"`
}

// Page is the page of a web event.
type Page struct {
	URL      string `json:"url"`
	Path     string `json:"path"`
	Title    string `json:"title"`
	Referrer string `json:"referrer,omitempty"`
}

// Campaign is what the link that led here was tagged with (utm).
type Campaign struct {
	Source  string `json:"source"`
	Medium  string `json:"medium"`
	Name    string `json:"name"`
	Term    string `json:"term,omitempty"`
	Content string `json:"content,omitempty"`
}

// Library is the SDK that sent the event.
type Library struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Properties are those of all events; each sets its own.
type Properties struct {
	ProductID     string `json:"product_id,omitempty"`
	Name          string `json:"name,omitempty"`
	Category      string `json:"category,omitempty"`
	Price         Cents  `json:"price,omitempty"`
	Quantity      int    `json:"quantity,omitempty"`
	Items         int    `json:"items,omitempty"`
	Query         string `json:"query,omitempty"`
	CartID        string `json:"cart_id,omitempty"`
	OrderID       string `json:"order_id,omitempty"`
	Step          int    `json:"step,omitempty"`
	PaymentMethod string `json:"payment_method,omitempty"`
	Reason        string `json:"reason,omitempty"`
	Coupon        string `json:"coupon,omitempty"`
	Revenue       Cents  `json:"revenue,omitempty"`
	Currency      string `json:"currency,omitempty"`
	Store         string `json:"store,omitempty"`
	TicketID      string `json:"ticket_id,omitempty"`
	Topic         string `json:"topic,omitempty"`
	CampaignID    string `json:"campaign_id,omitempty"`
	Rating        int    `json:"rating,omitempty"`
	NPS           *int   `json:"nps,omitempty"`
}

// Traits describe a customer who is identified.
type Traits struct {
	FirstName   string `json:"firstName,omitempty"`
	Email       string `json:"email,omitempty"`
	City        string `json:"city,omitempty"`
	Loyalty     string `json:"loyalty,omitempty"`
	CouponsUsed int    `json:"coupons_used"`
}

// Cents is an amount in hundredths of the currency, in JSON a decimal number.
type Cents int64

// MarshalJSON writes 12.90, without going through a float.
func (c Cents) MarshalJSON() ([]byte, error) {
	b := strconv.AppendInt(nil, int64(c/100), 10)
	return fmt.Appendf(b, ".%02d", int64(c%100)), nil
}

// Time is a moment to the millisecond, in UTC.
type Time struct{ time.Time }

// MarshalJSON writes RFC 3339.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}
