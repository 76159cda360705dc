package wire

import (
	"math"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// readContext reads what has a column, and keeps the rest of the context; members
// of the touchpoint that are not known go there, too, under "other".
func readContext(d *document, t *journey.Touchpoint) {
	if d.at[contextSlot].kind == jsonObject {
		t.Page = journey.Page{
			URL: cut(d.get(pageURLSlot)), Path: cut(d.get(pagePathSlot)),
			Title: cut(d.get(pageTitleSlot)), Referrer: cut(d.get(pageReferrerSlot)),
		}
		t.Campaign = journey.Campaign{
			Source: cut(d.get(campaignSourceSlot)), Medium: cut(d.get(campaignMediumSlot)), Name: cut(d.get(campaignNameSlot)),
			Term: cut(d.get(campaignTermSlot)), Content: cut(d.get(campaignContentSlot)),
		}
		t.CampaignID = cut(d.get(campaignIDSlot))
		t.UserAgent, t.IP, t.Locale = cut(d.get(userAgentSlot)), cut(d.get(ipSlot)), cut(d.get(localeSlot))
		t.Device = deviceOf(d.get(deviceTypeSlot), d.get(deviceModelSlot))
	}
	if d.rest.n == 0 && d.other.n == 0 {
		return
	}
	var b strings.Builder
	b.Grow(d.rest.size() + d.other.size() + len(`{,"other":{}}`))
	b.WriteByte('{')
	d.rest.appendTo(&b, d.text)
	if d.other.n > 0 {
		if d.rest.n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"other":{`)
		d.other.appendTo(&b, d.text)
		b.WriteByte('}')
	}
	b.WriteByte('}')
	t.Context = b.String()
}

// deviceOf is the class of device that an SDK names in context.device, "" where
// it names none that is known.
func deviceOf(typ, model string) string {
	switch strings.ToLower(typ) {
	case "ios", "android":
		if strings.HasPrefix(model, "iPad") {
			return "tablet"
		}
		return "mobile"
	case "mobile", "phone", "smartphone":
		return "mobile"
	case "tablet", "ipad":
		return "tablet"
	case "desktop", "macos", "windows", "linux":
		return "desktop"
	case "tv", "tvos", "smarttv", "smart_tv", "android_tv":
		return "tv"
	}
	return ""
}

// readProperties keeps properties and traits whole, and reads what has a column.
func readProperties(d *document, t *journey.Touchpoint) {
	t.Properties = d.object(propertiesSlot)
	if t.Traits = d.object(traitsSlot); d.at[traitsSlot].kind == absent {
		t.Traits = d.object(contextTraitsSlot)
	}
	t.Currency = cut(d.get(currencySlot))
	if t.Type == "page" || t.Type == "screen" { // the spec puts the page there, too
		fill(&t.Page.URL, d, urlSlot)
		fill(&t.Page.Path, d, pathSlot)
		fill(&t.Page.Title, d, titleSlot)
		fill(&t.Page.Title, d, nameSlot)
		fill(&t.Page.Referrer, d, referrerSlot)
	}
	if t.Page.Path == "" {
		t.Page.Path = pathOf(t.Page.URL)
	}
	revenue := revenueSlot
	if d.at[revenueSlot].kind == absent && t.Event == "order_completed" {
		revenue = totalSlot
	}
	if d.at[revenue].kind != absent {
		t.RevenueMicros = micros(d.get(revenue))
	}
}

// fill sets what is still empty.
func fill(into *string, d *document, f slot) {
	if *into == "" {
		*into = cut(d.get(f))
	}
}

// pathOf is the path of a URL without query and fragment.
func pathOf(url string) string {
	if url == "" {
		return ""
	}
	if i := strings.Index(url, "://"); i >= 0 {
		url = url[i+3:]
		if i = indexEnd(url, true); i < 0 {
			return "/"
		}
		url = url[i:]
	}
	if i := indexEnd(url, false); i >= 0 {
		url = url[:i]
	}
	return first(url, "/")
}

// indexEnd is where a query or fragment begins, or a path (slash); -1 if none does.
func indexEnd(url string, slash bool) int {
	for i := range len(url) {
		if c := url[i]; c == '?' || c == '#' || c == '/' && slash {
			return i
		}
	}
	return -1
}

// micros reads a decimal number as micro-units, exactly: sums must not depend on
// their order, and those of floats do. What is not a plain decimal number within
// +-9 * 10^12 is 0.
func micros(s string) int64 {
	s = strings.TrimSpace(s)
	neg := strings.HasPrefix(s, "-")
	whole, frac, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if whole == "" || len(whole) > 12 {
		return 0
	}
	if len(frac) > 6 {
		frac = frac[:6]
	}
	var n int64
	for _, digits := range [2]string{whole, frac + "000000"[len(frac):]} {
		for _, c := range digits {
			if c < '0' || c > '9' {
				return 0
			}
			if n > (math.MaxInt64-9)/10 {
				return 0
			}
			n = n*10 + int64(c-'0')
		}
	}
	if neg {
		return -n
	}
	return n
}
