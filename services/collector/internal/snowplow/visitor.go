package snowplow

import (
	"strings"

	"github.com/google/uuid"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
)

// CookieName is the cookie that holds the network user id.
const CookieName = "sp"

// cookieAge is how long a browser keeps the network user id, in seconds.
const cookieAge = 365 * 24 * 60 * 60

// visitor is what a request's headers tell of who sent it.
type visitor struct {
	anonymous bool   // SP-Anonymous: no cookie, no address
	network   string // network user id; "" for anonymous ones
	known     bool   // network came with the request; else it is a new one
	browser   bool   // a visitor's own browser, which will send the cookie again
}

// newVisitor also leaves the network user id for the answer's cookie.
func newVisitor(in *door.Input) visitor {
	v := visitor{
		anonymous: len(in.Header.Values("SP-Anonymous")) > 0,
		browser:   strings.HasPrefix(in.Header.Get("User-Agent"), "Mozilla/"),
	}
	if v.anonymous {
		return v
	}
	if v.network = cookie(in); v.network != "" {
		v.known = true
	} else {
		v.network = uuid.NewString()
	}
	in.Carry = v.network
	return v
}

// cookie is the network user id that a request brings, or "". Only ids as
// this door gives them out count: the value becomes an identifier.
func cookie(in *door.Input) string {
	value := in.Cookie(CookieName)
	if id, err := uuid.Parse(value); err == nil && id.String() == value && !journey.Blocked(value) {
		return value
	}
	return ""
}

// identify sets who acted. anonymousId is the first of: the tracker's own
// visitor id, the session context's, the network user id, and, where there is no
// user either, a new network user id (of browsers only: others forget cookies)
// or the session's id.
func (b *builder) identify() {
	t, v := &b.t, &b.q.visitor
	t.UserID = usable(b.take("uid"))
	network := usable(b.take("tnuid"))
	if n := usable(b.take("nuid")); network == "" {
		network = n
	}
	switch {
	case v.anonymous:
		network = ""
	case network == "" && v.known:
		network = v.network
	}
	if network != "" {
		b.context["networkUserId"] = network
	}
	session := b.session()
	candidates := []string{b.take("duid"), b.clientUser, network}
	if t.UserID == "" {
		if v.browser {
			candidates = append(candidates, v.network)
		}
		candidates = append(candidates, session)
	}
	for _, id := range candidates {
		if t.AnonymousID = usable(id); t.AnonymousID != "" {
			return
		}
	}
}

// session keeps the session's id and number, and returns the id.
func (b *builder) session() string {
	id, index := b.take("sid"), b.take("vid")
	if id == "" {
		id = b.clientSession
	}
	if index == "" {
		index = b.clientIndex
	}
	s := map[string]any{}
	setText(s, "id", id)
	if index != "" {
		s["index"] = number(index)
	}
	if len(s) > 0 {
		b.context["session"] = s
	}
	return id
}

// usable is an identifier without white space around it, or "" for one that
// names nobody.
func usable(id string) string {
	if id = strings.TrimSpace(id); journey.Blocked(id) {
		return ""
	}
	return id
}
