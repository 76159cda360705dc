package pixel

import (
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// Kinds of the door's routes.
const (
	kindOpen  = "open"
	kindClick = "click"
)

// Request is a decoded request; see door.Request. There is one event in each.
type Request struct {
	hosts  *hosts
	limits door.Limits
	minter door.Minter
	fields map[string]string
	raw    []byte
	target string // of a click
	click  bool
	cookie string // the visitor id that the browser brings, or ""
}

// Decode reads the query. It refuses a click that leads to nowhere it may go.
func (q *Request) Decode(in *door.Input, limits door.Limits) *door.Reject {
	*q = Request{hosts: q.hosts, limits: limits, click: in.Kind == kindClick, cookie: visitor(in)}
	if q.click {
		var err error
		if q.target, err = q.hosts.target(in.Query.Get("u")); err != nil {
			return door.NewReject(door.CodeBadField, sentence(err), "/u")
		}
	}
	q.fields = make(map[string]string, len(in.Query))
	for name := range in.Query {
		if value := strings.TrimSpace(strings.ToValidUTF8(in.Query.Get(name), "\uFFFD")); value != "" && name != "writeKey" && name != "u" {
			q.fields[strings.ToValidUTF8(name, "\uFFFD")] = value
		}
	}
	q.raw, _ = json.Marshal(q.fields) // a map of texts always can
	return nil
}

// WriteKey is nil: there is no body.
func (q *Request) WriteKey() []byte { return nil }

// Len is 1.
func (q *Request) Len() int { return 1 }

// Append makes the record; see door.Request.
func (q *Request) Append(_ int, m *door.Meta, dst []byte) (door.Record, []byte) {
	t := door.Touchpoint{Type: "track", Actor: journey.ActorCustomer, Context: map[string]any{}}
	left := make(map[string]string, len(q.fields))
	maps.Copy(left, q.fields)
	take := func(name string) string {
		value := left[name]
		delete(left, name)
		return value
	}
	t.UserID, t.AnonymousID = filled(take("userId")), filled(take("anonymousId"))
	if t.AnonymousID == "" {
		t.AnonymousID = q.cookie
	}
	for _, kind := range [...]string{"email", "phone", "loyalty"} {
		if id := filled(take(kind)); id != "" {
			t.ExternalIDs = append(t.ExternalIDs, door.ExternalID{Type: kind, ID: id})
		}
	}
	if t.MessageID = filled(take("messageId")); t.MessageID == "" {
		t.MessageID = q.minter.Mint(m.Source, t.DeviceTime).String()
	}
	camp := campaign(take)
	props := map[string]any{}
	mail := !q.click || camp["medium"] == "email" || left["channel"] == "email"
	if q.click {
		props["url"] = q.target
		if u, err := url.Parse(q.target); err == nil && len(camp) == 0 {
			camp = campaign(u.Query().Get)
			mail = mail || camp["medium"] == "email"
		}
	}
	t.Event, t.Channel = names(q.click, mail)
	if event := take("event"); event != "" {
		t.Event = event
	}
	if channel := take("channel"); channel != "" {
		t.Channel = channel
	}
	if len(camp) > 0 {
		t.Context["campaign"] = camp
	}
	for name, value := range left {
		props[name] = value
	}
	if len(props) > 0 {
		t.Properties = props
	}
	return t.Append(m, q.limits, q.raw, dst)
}

// cookieName is the cookie of cairn's own tracker, which sites on the
// collector's domain share with it.
const cookieName = "cairn_id"

// visitor is the visitor id of the tracker's cookie, or "".
func visitor(in *door.Input) string {
	id := strings.TrimSpace(in.Cookie(cookieName))
	if len(id) > door.MaxMessageID || !utf8.ValidString(id) || journey.Blocked(id) {
		return ""
	}
	return id
}

// names are the usual event and channel of a request.
func names(click, mail bool) (event, channel string) {
	switch {
	case !click:
		return "email_opened", "email"
	case mail:
		return "email_clicked", "email"
	}
	return "link_clicked", "web"
}

// campaign reads what brought the customer: campaign, or the utm parameters.
func campaign(get func(string) string) map[string]any {
	out := map[string]any{}
	for _, n := range [...][2]string{{"campaign", "name"}, {"utm_campaign", "name"}, {"utm_source", "source"}, {"utm_medium", "medium"}, {"utm_term", "term"}, {"utm_content", "content"}, {"utm_id", "id"}} {
		if value := get(n[0]); value != "" {
			out[n[1]] = strings.ToValidUTF8(value, "\uFFFD")
		}
	}
	return out
}

// filled is an identifier, or "" for a placeholder that the mailing program has
// not filled in: it would make one customer of all who read the mail.
func filled(id string) string {
	for _, mark := range [...]string{"{{", "}}", "{%", "%%", "*|", "|*", "[[", "]]", "${", "<%"} {
		if strings.Contains(id, mark) {
			return ""
		}
	}
	if journey.Blocked(id) {
		return ""
	}
	return id
}

// sentence is an error as people read it.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
