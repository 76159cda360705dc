package privacy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// AnonymousPrefix begins the anonymousId of an anonymised touchpoint.
const AnonymousPrefix = "anonymised-"

// anonymise keeps what happened and drops who it was. The anonymousId follows
// from the messageId: so nothing ties two touchpoints together, and one that is
// sent again still counts once. ok is false for what is nothing but identity, or
// cannot be read.
func anonymise(value, secret []byte) (out, key []byte, ok bool) {
	var in map[string]json.RawMessage
	if json.Unmarshal(value, &in) != nil {
		return nil, nil, false
	}
	switch text(in["type"]) {
	case "track", "page", "screen":
	default: // identify, group, alias
		return nil, nil, false
	}
	kept := map[string]any{}
	for _, name := range [...]string{
		"messageId", "type", "event", "name", "actor", "channel", "timestamp", "originalTimestamp", "sentAt", "receivedAt", "source",
	} {
		if raw, has := in[name]; has {
			kept[name] = raw
		}
	}
	who := identitiesOf(in)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("anonymise\x00" + text(in["source"]) + "\x00" + text(in["messageId"])))
	id := AnonymousPrefix + hex.EncodeToString(mac.Sum(nil)[:16])
	kept["anonymousId"] = id
	if who.within(text(in["messageId"])) {
		kept["messageId"] = id
	}
	if p := who.without(in["properties"]); p != nil {
		kept["properties"] = p
	}
	kept["context"] = anonymousContext(in["context"], who)
	out, err := json.Marshal(kept)
	return out, []byte(id), err == nil
}

// anonymousContext keeps the page, the campaign and the consent.
func anonymousContext(raw json.RawMessage, who identities) map[string]any {
	var in map[string]json.RawMessage
	_ = json.Unmarshal(raw, &in) // else nothing is kept
	out := map[string]any{"anonymised": true}
	for _, name := range [...]string{"campaign", "consent", "consentManagement", "library"} {
		if v, has := in[name]; has {
			out[name] = v
		}
	}
	if page := who.without(in["page"]); page != nil {
		out["page"] = page
	}
	return out
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // "" for anything else
	return s
}
