package enrich

import (
	"strings"
	"unicode/utf8"

	"github.com/cairnhq/cairn/pkg/journey"
)

// maxClickID bounds a click id, in bytes. Part of one is of no use to anybody, so
// longer ones are not kept; their kind is.
const maxClickID = 512

// readURL takes from the page's address what brought the customer there: the utm
// parameters, unless the touchpoint names a campaign itself, and the click id. Of
// a parameter given twice the first counts; of click ids the first of an ad.
//
// It copies a value only if something in it is escaped.
func readURL(t *journey.Touchpoint) {
	at := strings.IndexByte(t.Page.URL, '?')
	if at < 0 {
		return
	}
	query := t.Page.URL[at+1:]
	if end := strings.IndexByte(query, '#'); end >= 0 {
		query = query[:end]
	}
	utm := t.Campaign == journey.Campaign{} && t.CampaignID == ""
	paid := false
	for query != "" {
		var name, value string
		if end := strings.IndexByte(query, '&'); end >= 0 {
			name, query = query[:end], query[end+1:]
		} else {
			name, query = query, ""
		}
		eq := strings.IndexByte(name, '=')
		if eq < 0 {
			continue
		}
		name, value = name[:eq], name[eq+1:]
		if strings.HasPrefix(name, "utm_") {
			if utm {
				readUTM(t, name, value)
			}
			continue
		}
		if click, ok := clickOf(name); ok && value != "" && (t.ClickIDKind == "" || click.paid() && !paid) {
			paid = click.paid()
			t.ClickIDKind, t.ClickID = click.kind, clickID(value)
		}
	}
}

// readUTM takes in a parameter that is not known yet.
func readUTM(t *journey.Touchpoint, name, value string) {
	var into *string
	switch name {
	case "utm_source":
		into = &t.Campaign.Source
	case "utm_medium":
		into = &t.Campaign.Medium
	case "utm_campaign":
		into = &t.Campaign.Name
	case "utm_term":
		into = &t.Campaign.Term
	case "utm_content":
		into = &t.Campaign.Content
	case "utm_id":
		into = &t.CampaignID
	default:
		return
	}
	if *into == "" {
		*into = strings.TrimSpace(unescape(value))
	}
}

func clickID(value string) string {
	if value = unescape(value); len(value) > maxClickID {
		return ""
	}
	return value
}

// unescape reads a value of a query. What is no escape stands for itself, and what
// is no UTF-8 becomes U+FFFD: links are made by hand, too.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+':
			b = append(b, ' ')
		case c == '%' && i+2 < len(s) && digit(s[i+1]) < 16 && digit(s[i+2]) < 16:
			b = append(b, digit(s[i+1])<<4|digit(s[i+2]))
			i += 2
		default:
			b = append(b, c)
		}
	}
	if !utf8.Valid(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(b)
}

// digit is the value of a hexadecimal digit, 16 for what is none.
func digit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}

// click is what a click id says: who hands it out, and for what.
type click struct {
	kind           string // the parameter
	source, medium string // of the traffic, where the campaign does not say
}

// paid reports whether only ads have such an id.
func (c *click) paid() bool { return c.medium == "cpc" || c.medium == "display" }

// clickOf is what the parameter of a click id says. Facebook's and Instagram's
// stand in every link that leaves them, so they name the source and no ad; those
// of senders of emails say email, those of affiliate networks affiliate.
func clickOf(parameter string) (click, bool) {
	switch parameter {
	case "gclid", "gbraid", "wbraid": // Google Ads; the latter two of apps and iOS
		return click{parameter, "google", "cpc"}, true
	case "dclid": // Google's display networks
		return click{parameter, "doubleclick", "display"}, true
	case "msclkid":
		return click{parameter, "bing", "cpc"}, true
	case "yclid":
		return click{parameter, "yandex", "cpc"}, true
	case "fbclid":
		return click{parameter, "facebook", "social"}, true
	case "igsh", "igshid":
		return click{parameter, "instagram", "social"}, true
	case "ttclid":
		return click{parameter, "tiktok", "cpc"}, true
	case "twclid":
		return click{parameter, "twitter", "cpc"}, true
	case "li_fat_id":
		return click{parameter, "linkedin", "cpc"}, true
	case "epik":
		return click{parameter, "pinterest", "cpc"}, true
	case "rdt_cid":
		return click{parameter, "reddit", "cpc"}, true
	case "ScCid", "sccid":
		return click{"sccid", "snapchat", "cpc"}, true
	case "qclid":
		return click{parameter, "quora", "cpc"}, true
	case "tblci":
		return click{parameter, "taboola", "display"}, true
	case "obclid", "dicbo":
		return click{parameter, "outbrain", "display"}, true
	case "irclickid":
		return click{parameter, "impact", "affiliate"}, true
	case "cjevent":
		return click{parameter, "cj", "affiliate"}, true
	case "awc":
		return click{parameter, "awin", "affiliate"}, true
	case "mc_eid":
		return click{parameter, "mailchimp", "email"}, true
	case "_hsenc":
		return click{parameter, "hubspot", "email"}, true
	case "_kx":
		return click{parameter, "klaviyo", "email"}, true
	}
	return click{}, false
}
