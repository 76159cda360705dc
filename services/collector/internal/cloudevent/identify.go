package cloudevent

import (
	"encoding/json"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// names are the members of data, and before them the extension attributes, that
// name the customer, by kind of identifier; the first that is usable counts.
func names() []struct {
	kind    string
	members []string
} {
	return []struct {
		kind    string
		members []string
	}{
		{journey.KindAnonymous, []string{"anonymousid", "anonymousId", "anonymous_id"}},
		{journey.KindUser, []string{"userid", "userId", "user_id", "customerId", "customer_id"}},
		{journey.KindEmail, []string{"email"}},
		{journey.KindPhone, []string{"phone"}},
		{journey.KindLoyalty, []string{"loyaltyid", "loyaltyId", "loyalty_id"}},
	}
}

// identify sets who the event is about.
func identify(t *door.Touchpoint, attributes map[string]string, props json.RawMessage) {
	data := texts(props)
	found := map[string]string{}
	for _, n := range names() {
		for _, from := range [...]map[string]string{attributes, data} {
			for _, name := range n.members {
				if id := usable(from[name]); id != "" && found[n.kind] == "" {
					found[n.kind] = id
				}
			}
		}
	}
	for _, name := range [...]string{"subject", "partitionkey"} {
		if kind, id, ok := strings.Cut(attributes[name], ":"); ok && isKind(kind) && found[kind] == "" {
			if id = usable(id); id != "" {
				found[kind] = id
			}
		}
	}
	if key := attributes["partitionkey"]; len(found) == 0 && !strings.Contains(key, ":") {
		if id := usable(key); id != "" {
			found[journey.KindUser] = id
		}
	}
	t.AnonymousID, t.UserID = found[journey.KindAnonymous], found[journey.KindUser]
	for _, kind := range [...]string{journey.KindEmail, journey.KindPhone, journey.KindLoyalty, journey.KindDevice} {
		if id := found[kind]; id != "" {
			t.ExternalIDs = append(t.ExternalIDs, door.ExternalID{Type: kind, ID: id})
		}
	}
}

// isKind reports whether the word before a colon is a kind of identifier.
func isKind(word string) bool {
	switch word {
	case journey.KindAnonymous, journey.KindUser, journey.KindEmail, journey.KindPhone, journey.KindLoyalty, journey.KindDevice:
		return true
	}
	return false
}

// usable is an identifier without white space around it, or "" for one that
// names nobody.
func usable(id string) string {
	if id = strings.TrimSpace(id); journey.Blocked(id) {
		return ""
	}
	return id
}

// texts are the members of an object that are texts or numbers, as texts.
func texts(object json.RawMessage) map[string]string {
	out := map[string]string{}
	s := jsonscan.New(object)
	if s.Peek() != '{' {
		return out
	}
	_ = s.Open('{')
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil || !more {
			return out
		}
		value, err := s.Skip()
		if err != nil {
			return out
		}
		name := string(jsonscan.Unquote(key.In(object), nil))
		raw := value.In(object)
		switch c := raw[0]; {
		case c == '"':
			out[name] = string(jsonscan.Unquote(raw, nil))
		case c == '-' || '0' <= c && c <= '9':
			out[name] = string(raw)
		default:
			delete(out, name) // given twice, the last counts
		}
	}
}
