package posthog

import (
	"encoding/json"
	"strings"

	"github.com/cairnhq/cairn/pkg/enrich"
)

// place sets the context and the channel: where it happened, and on what.
func (b *builder) place() {
	b.t.Context = map[string]any{}
	page := b.texts("url", "$current_url", "path", "$pathname", "title", "title", "referrer", "$referrer")
	if page["referrer"] == "$direct" {
		delete(page, "referrer")
	}
	b.into("page", page)
	b.into("library", b.texts("name", "$lib", "version", "$lib_version"))
	b.into("device", b.texts("type", "$device_type", "model", "$device_model", "manufacturer", "$device_manufacturer", "id", "$device_id"))
	b.into("os", b.texts("name", "$os", "version", "$os_version"))
	b.into("app", b.texts("name", "$app_name", "version", "$app_version", "build", "$app_build", "namespace", "$app_namespace"))
	b.into("screen", b.numbers("width", "$screen_width", "height", "$screen_height"))
	for _, c := range [...]struct{ to, from string }{
		{"userAgent", "$useragent"},
		{"userAgent", "$user_agent"},
		{"userAgent", "$raw_user_agent"},
		{"locale", "$locale"},
		{"locale", "$browser_language"},
		{"timezone", "$timezone"},
		{"sessionId", "$session_id"},
	} {
		if text := scalar(b.properties[c.from]); text != "" {
			b.t.Context[c.to] = text
		}
	}
	for _, said := range [...]any{b.event["ip"], b.event["$ip"], b.properties["$ip"]} {
		if ip := enrich.TruncateIP(scalar(said)); ip != "" {
			b.t.Context["ip"] = ip
		}
	}
	if page["url"] == nil { // posthog-js repeats the campaign of an earlier visit: its pages' addresses tell
		b.into("campaign", b.texts("source", "utm_source", "medium", "utm_medium", "name", "utm_campaign", "term", "utm_term", "content", "utm_content"))
	}
	if isMobile(scalar(b.properties["$lib"])) {
		b.t.Channel = "app"
	}
}

func isMobile(library string) bool {
	for _, name := range [...]string{"posthog-ios", "posthog-android", "posthog-react-native", "posthog-flutter"} {
		if strings.EqualFold(library, name) {
			return true
		}
	}
	return false
}

func (b *builder) into(name string, members map[string]any) {
	if len(members) > 0 {
		b.t.Context[name] = members
	}
}

// texts are properties under other names: pairs of the new name and the old.
func (b *builder) texts(pairs ...string) map[string]any {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if text := scalar(b.properties[pairs[i+1]]); text != "" {
			out[pairs[i]] = text
		}
	}
	return out
}

func (b *builder) numbers(pairs ...string) map[string]any {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if n, ok := b.properties[pairs[i+1]].(json.Number); ok {
			out[pairs[i]] = n
		}
	}
	return out
}
