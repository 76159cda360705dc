package journey

import (
	"cmp"
	"strings"
)

// Flags of a touchpoint. The values are those of Flag in schemas/proto.
const (
	FlagBot      uint32 = 1 << iota // the user agent is a known robot's
	FlagAsset                       // an image, script or style sheet, not a page
	FlagClamped                     // the event time lay in the future; set to the arrival
	FlagSkewed                      // the device's clock was off; the event time was corrected
	FlagBackfill                    // carried the backfill header: the lateness horizon is waived
	FlagNotLive                     // late or backfilled: not happening now
	FlagOffPlan                     // violates the tracking plan, which warns of it
)

// Kinds of identifier, the part before the colon.
const (
	KindAnonymous = "anonymous"
	KindUser      = "user"
	KindEmail     = "email"
	KindPhone     = "phone"
	KindLoyalty   = "loyalty"
	KindDevice    = "device"
)

// Values of Touchpoint.Actor.
const (
	ActorCustomer = "customer"
	ActorBusiness = "business"
)

// Touchpoint is one accepted interaction of a customer, or of the business with
// a customer. It is a value: the core keeps no reference to what it is given.
type Touchpoint struct {
	MessageID  string
	Identifier string   // primary identifier, kind:value
	UserID     string   // bare user id the touchpoint carries; "" if none
	Others     []string // further identifiers, kind:value, without the user
	PreviousID string   // alias only: the user id it was before

	Type  string // track, page, screen, identify, group, alias
	Event string // snake case

	Time     int64 // event time
	Received int64 // arrival
	Original int64 // event time before correction; 0 if unchanged
	Flags    uint32

	Channel string
	Actor   string // ActorCustomer or ActorBusiness
	Source  string

	Page       Page
	Campaign   Campaign
	CampaignID string // utm_id

	// What enrichment adds. Texts that it does not take from the touchpoint are
	// shared by many.
	ChannelGroup  string // why the customer came (Organic Search, Paid Social, Store...); "": nothing says
	ReferrerHost  string // in lower case, without www.
	ReferrerClass string // search, social, video, shopping, email, chatbot, paid, internal, unknown; "" without referrer
	ClickIDKind   string // parameter of the page's address: gclid, msclkid...; "": none
	ClickID       string
	Agent         Agent
	Place         Place

	UserAgent string
	IP        string // truncated
	Locale    string

	RevenueMicros int64
	Currency      string

	Properties string // JSON object; "" if none
	Traits     string // JSON object; "" if none
	Context    string // JSON object, less what has a field here; "" if none

	Sentiment       int32  // hundredths, -200 to 200; set by the device step
	SentimentSource string // "": no evidence. nps, csat, ces, stars, text, signal

	Device string // desktop, mobile, tablet, tv, bot or other, by the user agent; "" without one

	SessionID string // set by the device step
	Owner     string // profile it was sent to, set by the device step
	MapEpoch  uint64 // epoch of the identifier's map by which the owner was found

	RawPartition int32 // where it stands in the raw topic
	RawOffset    int64
	Revision     uint64
}

// Page is the web page or screen a touchpoint happened on.
type Page struct {
	URL, Path, Title, Referrer string
}

// Campaign is what brought the customer, as the UTM parameters name it.
type Campaign struct {
	Source, Medium, Name, Term, Content string
}

// Agent is the browser and operating system that the user agent names; versions are
// the first number alone.
type Agent struct {
	Browser, BrowserVersion, OS, OSVersion string
}

// Place is where the truncated address is: ISO 3166 code of the country, names in
// English. Empty unless the operator gives a database.
type Place struct {
	Country, Region, City string
}

// GroupDirect is the channel group of a session that nothing says of where it came
// from.
const GroupDirect = "Direct"

// Business reports whether the business acted, not the customer. Such a
// touchpoint belongs to no session and never extends a journey.
func (t *Touchpoint) Business() bool { return t.Actor == ActorBusiness }

// Has reports whether all the given flags are set.
func (t *Touchpoint) Has(flags uint32) bool { return t.Flags&flags == flags }

// OrderKey is the position of a touchpoint in the total order of its profile.
type OrderKey struct {
	Time       int64
	MessageID  string
	Identifier string
}

// Key is where the touchpoint stands in the total order.
func (t *Touchpoint) Key() OrderKey { return OrderKey{t.Time, t.MessageID, t.Identifier} }

// Compare orders keys by time, then message, then identifier (semantics D1).
func (k OrderKey) Compare(o OrderKey) int {
	if c := cmp.Compare(k.Time, o.Time); c != 0 {
		return c
	}
	if c := strings.Compare(k.MessageID, o.MessageID); c != 0 {
		return c
	}
	return strings.Compare(k.Identifier, o.Identifier)
}

// UserProfile is the identifier kind:value of a user id.
func UserProfile(userID string) string { return KindUser + ":" + userID }
