package enrich_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
)

// page is a page at an address, enriched.
func page(address, referrer string) *journey.Touchpoint {
	t := &journey.Touchpoint{Type: "page", Channel: "web", Page: journey.Page{URL: address, Referrer: referrer}}
	(&enrich.Enricher{}).Apply(t)
	return t
}

func TestCampaignsAreReadFromTheAddress(t *testing.T) {
	tp := page("https://shop.example/?a=1&utm_source=News+Letter&utm_medium=email&utm_campaign=f%C3%BCr%20dich&utm_term=%zz%&utm_content=%ff&utm_id=7&utm_source=second#utm_term=x", "")
	require.Equal(t, journey.Campaign{Source: "News Letter", Medium: "email", Name: "für dich", Term: "%zz%", Content: "\uFFFD"}, tp.Campaign)
	require.Equal(t, "7", tp.CampaignID)
	require.Equal(t, "Email", tp.ChannelGroup)

	// What the touchpoint says of itself stays, and is not mixed with the address.
	own := &journey.Touchpoint{Type: "page", Page: journey.Page{URL: "https://shop.example/?utm_source=a&utm_medium=email&utm_id=7"}, Campaign: journey.Campaign{Name: "spring"}}
	(&enrich.Enricher{}).Apply(own)
	require.Equal(t, journey.Campaign{Name: "spring"}, own.Campaign)
	require.Empty(t, own.CampaignID)

	for _, address := range []string{"", "?", "https://a", "https://a/?", "https://a/?utm_source", "https://a/?utm_source=", "https://a/?=x&&&utm_", "/p#?utm_source=", "https://a/?UTM_SOURCE=x"} {
		require.Zero(t, page(address, "").Campaign, address)
	}
}

func TestClickIDs(t *testing.T) {
	for _, c := range []struct{ query, kind, id, group string }{
		{"gclid=Cj0K_x-1", "gclid", "Cj0K_x-1", "Paid Search"},
		{"gbraid=1", "gbraid", "1", "Paid Search"},
		{"wbraid=1", "wbraid", "1", "Paid Search"},
		{"dclid=1", "dclid", "1", "Display"},
		{"msclkid=1", "msclkid", "1", "Paid Search"},
		{"yclid=1", "yclid", "1", "Paid Search"},
		{"fbclid=1", "fbclid", "1", "Organic Social"}, // in every link out of Facebook
		{"fbclid=1&utm_medium=paid", "fbclid", "1", "Paid Other"},
		{"fbclid=1&utm_medium=paid&utm_source=fb", "fbclid", "1", "Paid Social"},
		{"igsh=1", "igsh", "1", "Organic Social"},
		{"ttclid=1", "ttclid", "1", "Paid Social"},
		{"twclid=1", "twclid", "1", "Paid Social"},
		{"li_fat_id=1", "li_fat_id", "1", "Paid Social"},
		{"epik=dj0y", "epik", "dj0y", "Paid Social"},
		{"ScCid=1", "sccid", "1", "Paid Social"},
		{"irclickid=1", "irclickid", "1", "Affiliates"},
		{"mc_eid=1", "mc_eid", "1", "Email"},
		{"fbclid=1&gclid=2", "gclid", "2", "Paid Search"}, // that of an ad
		{"gclid=2&fbclid=1&msclkid=3", "gclid", "2", "Paid Search"},
		{"gclid=2&utm_source=google&utm_medium=organic", "gclid", "2", "Organic Search"}, // the medium is given
		{"gclid=2&utm_campaign=spring", "gclid", "2", "Paid Search"},
		{"gclid=", "", "", ""},
		{"gclid=a%2Bb", "gclid", "a+b", "Paid Search"},
		{"gclid=" + strings.Repeat("x", 513), "gclid", "", "Paid Search"},
		{"xgclid=1", "", "", ""},
	} {
		tp := page("https://shop.example/p?x=1&"+c.query, "")
		require.Equal(t, []string{c.kind, c.id, c.group}, []string{tp.ClickIDKind, tp.ClickID, tp.ChannelGroup}, c.query)
	}
	require.Empty(t, page("https://shop.example/?gclid=1", "").Campaign, "what is implied is not made up")
}

// TestUnescapingIsThePlainOne: where net/url can read a query, the values are its.
func TestUnescapingIsThePlainOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`([a-z+ é]|%[0-9a-fA-F]{2}){0,12}`).Draw(t, "value")
		want, err := url.QueryUnescape(value)
		if err != nil || !utf8.ValidString(want) {
			return
		}
		require.Equal(t, strings.TrimSpace(want), page("https://a.example/?utm_source="+value+"&x", "").Campaign.Source)
	})
}

// FuzzAddress: whatever the addresses are, the columns are valid text within their
// bounds, and the same again.
func FuzzAddress(f *testing.F) {
	f.Add("https://shop.example/?utm_source=a%20b&gclid=1#x", "https://www.google.com/search?q=x")
	f.Add("https://u:p@[::1]:80/?utm_id=%ff&fbclid=%", "android-app://com.google.android.gm/")
	f.Add("://", "http://@:/")
	known := &enrich.Enricher{}
	f.Fuzz(func(t *testing.T, address, referrer string) {
		if !utf8.ValidString(address) || !utf8.ValidString(referrer) || len(address) > 2048 || len(referrer) > 2048 {
			return // the decoder lets neither through
		}
		tp := page(address, referrer)
		for _, text := range []string{tp.Campaign.Source, tp.Campaign.Medium, tp.Campaign.Name, tp.Campaign.Term, tp.Campaign.Content, tp.CampaignID, tp.ClickID, tp.ReferrerHost, tp.ChannelGroup} {
			require.True(t, utf8.ValidString(text), "%q", text)
			require.LessOrEqual(t, len(text), 3*2048)
		}
		require.LessOrEqual(t, len(tp.ClickID), 512)
		require.LessOrEqual(t, len(tp.ReferrerHost), 2*253)
		require.Equal(t, tp.ReferrerHost == "", tp.ReferrerClass == "")
		require.True(t, tp.ClickIDKind != "" || tp.ClickID == "")
		again := &journey.Touchpoint{Type: "page", Channel: "web", Page: journey.Page{URL: address, Referrer: referrer}}
		known.Apply(again)
		require.Equal(t, tp, again)
	})
}
