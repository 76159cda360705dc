package snowplow

import (
	"net/url"
	"strings"

	"github.com/cairnhq/cairn/pkg/enrich"
)

// where sets what surrounds the event: page, campaign, channel, device.
func (b *builder) where() {
	page := map[string]any{}
	address := b.take("url")
	setText(page, "url", address)
	setText(page, "title", b.take("page"))
	setText(page, "referrer", b.take("refr"))
	b.keep("page", page)
	b.keep("campaign", campaign(address))
	screen := map[string]any{}
	size(screen, b.take("res"), "width", "height")
	size(screen, b.take("vp"), "innerWidth", "innerHeight")
	b.keep("screen", screen)
	setText(b.context, "timezone", b.take("tz"))
	setText(b.context, "locale", b.take("lang"))
	setText(b.context, "userAgent", b.take("ua"))
	if ip := b.take("ip"); !b.q.visitor.anonymous {
		setText(b.context, "ip", enrich.TruncateIP(ip))
	}
	app := map[string]any{}
	setText(app, "name", b.take("aid"))
	b.keep("app", app)
	b.keep("library", library(b.take("tv")))
	b.t.Channel = channel(b.left["p"])
}

func (b *builder) keep(name string, members map[string]any) {
	if len(members) > 0 {
		b.context[name] = members
	}
}

// channel of a platform; "" where the platform says nothing about it: trackers
// of servers and scripts call themselves srv and pc.
func channel(platform string) string {
	switch platform {
	case "web", "iot", "tv":
		return platform
	case "mob", "app":
		return "app"
	case "cnsl":
		return "console"
	}
	return ""
}

// library takes a tracker's name, node-4.8.0, apart.
func library(tracker string) map[string]any {
	if tracker == "" {
		return nil
	}
	if i := strings.LastIndexByte(tracker, '-'); i > 0 && i+1 < len(tracker) {
		return map[string]any{"name": "snowplow-" + tracker[:i], "version": tracker[i+1:]}
	}
	return map[string]any{"name": "snowplow-" + tracker}
}

// campaign reads the utm parameters of a page's address.
func campaign(address string) map[string]any {
	if !strings.Contains(address, "utm_") {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	out, query := map[string]any{}, u.Query()
	for _, n := range [...][2]string{{"utm_source", "source"}, {"utm_medium", "medium"}, {"utm_campaign", "name"}, {"utm_term", "term"}, {"utm_content", "content"}, {"utm_id", "id"}} {
		setText(out, n[1], strings.ToValidUTF8(query.Get(n[0]), "\uFFFD"))
	}
	return out
}

// size reads 1920x1080.
func size(into map[string]any, text, width, height string) {
	w, h, ok := strings.Cut(text, "x")
	if ok && w != "" && h != "" {
		into[width], into[height] = number(w), number(h)
	}
}
