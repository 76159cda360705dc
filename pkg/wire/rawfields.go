package wire

import (
	"math"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/cairnhq/cairn/pkg/journey"
)

// readContext reads what has a column, and keeps the rest of the context; members
// of the touchpoint that are not known go there, too, under "other".
func readContext(m *members, t *journey.Touchpoint) {
	var rest, other strings.Builder
	for _, o := range m.other {
		appendMember(&other, o.name, o.value)
	}
	if m.context.IsObject() {
		readContextMembers(m, t, &rest)
	}
	if other.Len() > 0 {
		appendMember(&rest, `"other"`, other.String()+"}")
	}
	if rest.Len() > 0 {
		t.Context = rest.String() + "}"
	}
}

// appendMember adds a member to a JSON object that is still open.
func appendMember(b *strings.Builder, name, value string) {
	if b.Len() == 0 {
		b.WriteByte('{')
	} else {
		b.WriteByte(',')
	}
	b.WriteString(name)
	b.WriteByte(':')
	b.WriteString(value)
}

func readContextMembers(m *members, t *journey.Touchpoint, rest *strings.Builder) {
	m.context.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "page":
			readPage(v, &t.Page)
		case "campaign":
			v.ForEach(func(k, v gjson.Result) bool {
				switch s := cut(text(v)); k.Str {
				case "source":
					t.Campaign.Source = s
				case "medium":
					t.Campaign.Medium = s
				case "name":
					t.Campaign.Name = s
				case "term":
					t.Campaign.Term = s
				case "content":
					t.Campaign.Content = s
				}
				return true
			})
		case "userAgent":
			t.UserAgent = cut(text(v))
		case "ip":
			t.IP = cut(text(v))
		case "locale":
			t.Locale = cut(text(v))
		case "traits":
			if !m.traits.Exists() {
				t.Traits = object(v)
			}
		default:
			appendMember(rest, k.Raw, v.Raw)
		}
		return true
	})
}

func readPage(v gjson.Result, p *journey.Page) {
	v.ForEach(func(k, v gjson.Result) bool {
		switch s := cut(text(v)); k.Str {
		case "url":
			p.URL = s
		case "path":
			p.Path = s
		case "title":
			p.Title = s
		case "referrer":
			p.Referrer = s
		}
		return true
	})
}

// readProperties keeps properties and traits whole, and reads what has a column.
func readProperties(m *members, t *journey.Touchpoint) {
	t.Properties = object(m.properties)
	if s := object(m.traits); s != "" {
		t.Traits = s
	}
	var revenue, total gjson.Result
	var page journey.Page
	m.properties.ForEach(func(k, v gjson.Result) bool {
		switch k.Str {
		case "revenue":
			revenue = v
		case "total":
			total = v
		case "currency":
			t.Currency = cut(text(v))
		case "url":
			page.URL = cut(text(v))
		case "path":
			page.Path = cut(text(v))
		case "title":
			page.Title = cut(text(v))
		case "referrer":
			page.Referrer = cut(text(v))
		}
		return true
	})
	if t.Type == "page" || t.Type == "screen" { // the spec puts the page there, too
		t.Page = journey.Page{
			URL: first(t.Page.URL, page.URL), Path: first(t.Page.Path, page.Path),
			Title: first(t.Page.Title, first(page.Title, cut(text(m.name)))), Referrer: first(t.Page.Referrer, page.Referrer),
		}
	}
	if t.Page.Path == "" {
		t.Page.Path = pathOf(t.Page.URL)
	}
	if !revenue.Exists() && t.Event == "order_completed" {
		revenue = total
	}
	t.RevenueMicros = micros(text(revenue))
}

// object is the JSON text of a non-empty object, else "".
func object(v gjson.Result) string {
	if !v.IsObject() || strings.TrimSpace(strings.Trim(v.Raw, "{}")) == "" {
		return ""
	}
	return v.Raw
}

// pathOf is the path of a URL without query and fragment.
func pathOf(url string) string {
	if url == "" {
		return ""
	}
	if i := strings.Index(url, "://"); i >= 0 {
		url = url[i+3:]
		i = strings.IndexAny(url, "/?#")
		if i < 0 {
			return "/"
		}
		url = url[i:]
	}
	if i := strings.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	return first(url, "/")
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
