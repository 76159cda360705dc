package privacy

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// identities are the texts that say who a touchpoint is of, in lower case. Doors
// keep what they found them in: a CloudEvent's data and a webhook's item hold the
// customer's number, PostHog's properties the device's and the distinct_id.
type identities []string

func identitiesOf(touchpoint map[string]json.RawMessage) (who identities) {
	var list []struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(touchpoint["externalIds"], &list) // none can be read: there are none
	all := []json.RawMessage{touchpoint["anonymousId"], touchpoint["userId"], touchpoint["previousId"], touchpoint["groupId"]}
	for _, x := range list {
		all = append(all, x.ID)
	}
	for _, raw := range all {
		if id := strings.ToLower(strings.TrimSpace(strings.Trim(string(raw), `"`))); id != "" && id != "null" {
			who = append(who, id)
		}
		if id := strings.ToLower(strings.TrimSpace(text(raw))); id != "" { // with its escapes read
			who = append(who, id)
		}
	}
	return who
}

// within reports whether a text holds one of them. Short ones are in many texts by
// chance.
func (who identities) within(text string) bool {
	const short = 3
	text = strings.ToLower(text)
	return slices.ContainsFunc(who, func(id string) bool { return len(id) > short && strings.Contains(text, id) || id == text })
}

// without is an object without identities: neither members that are called like
// one, nor values that are one, nor the queries and fragments of addresses, where
// ids of clicks and people are, nor what was searched for. nil: it is none.
func (who identities) without(raw json.RawMessage) map[string]any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // numbers keep their digits
	var in map[string]any
	if d.Decode(&in) != nil || in == nil {
		return nil
	}
	return who.object(in)
}

func (who identities) object(in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	for name, v := range in {
		if isIdentity(name) {
			continue
		}
		if n, ok := v.(json.Number); ok && isAmount(name) {
			out[name] = n
		} else if v, stays := who.value(v); stays {
			out[name] = v
		}
	}
	return out
}

func (who identities) value(v any) (cleaned any, stays bool) {
	switch v := v.(type) {
	case map[string]any:
		return who.object(v), true
	case []any:
		list := make([]any, 0, len(v))
		for _, element := range v {
			if element, stays := who.value(element); stays {
				list = append(list, element)
			}
		}
		return list, true
	case json.Number:
		return v, !slices.Contains(who, v.String())
	case string:
		if i := strings.IndexAny(v, "?#"); i >= 0 && (i == 0 || v[0] == '/' || strings.Contains(v[:i], "://")) {
			v = v[:i]
		}
		return v, v != "" && !who.within(v)
	}
	return v, true
}

// isIdentity reports whether a member's name says that it is somebody's: in any
// spelling, as user_id and $userId.
func isIdentity(name string) bool {
	name = strings.NewReplacer("$", "", "_", "", "-", "", " ", "").Replace(strings.ToLower(name))
	switch name {
	case "anonymousid", "userid", "previousid", "customerid", "distinctid", "anondistinctid", "deviceid", "sessionid", "windowid", "visitorid",
		"personid", "alias", "email", "phone", "loyaltyid", "ip", "ipaddress", "useragent", "rawuseragent", "search", "clientid", "insertid":
		return true
	}
	return false
}

// isAmount reports whether a member's name says how much: a number that happens to
// be somebody's is still one.
func isAmount(name string) bool {
	switch strings.ToLower(name) {
	case "revenue", "total", "value", "price", "quantity", "tax", "shipping", "discount", "amount", "position":
		return true
	}
	return false
}
