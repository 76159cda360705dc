package enrich_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
)

func TestReferrers(t *testing.T) {
	for _, c := range []struct{ referrer, host, class, group string }{
		{"", "", "", ""},
		{"https://www.google.com/search?q=x", "google.com", "search", "Organic Search"},
		{"https://WWW.Google.co.uk", "google.co.uk", "search", "Organic Search"},
		{"https://images.google.de/", "images.google.de", "search", "Organic Search"},
		{"android-app://com.google.android.googlequicksearchbox/", "com.google.android.googlequicksearchbox", "search", "Organic Search"},
		{"https://cn.bing.com:443/x", "cn.bing.com", "search", "Organic Search"},
		{"https://de.search.yahoo.com/", "de.search.yahoo.com", "search", "Organic Search"},
		{"https://duckduckgo.com", "duckduckgo.com", "search", "Organic Search"},
		{"https://finance.yahoo.com/", "finance.yahoo.com", "unknown", "Referral"},
		{"https://accounts.google.com/o/oauth2", "accounts.google.com", "unknown", "Referral"},
		{"https://l.facebook.com/l.php?u=1", "l.facebook.com", "social", "Organic Social"},
		{"https://t.co/abc", "t.co", "social", "Organic Social"},
		{"android-app://com.linkedin.android/", "com.linkedin.android", "social", "Organic Social"},
		{"https://m.youtube.com/watch?v=1", "m.youtube.com", "video", "Organic Video"},
		{"https://www.amazon.co.jp/dp/1", "amazon.co.jp", "shopping", "Organic Shopping"},
		{"https://mail.google.com/mail/u/0", "mail.google.com", "email", "Email"},
		{"https://outlook.live.com/", "outlook.live.com", "email", "Email"},
		{"https://chatgpt.com/c/1", "chatgpt.com", "chatbot", "Chatbot"},
		{"https://gemini.google.com/", "gemini.google.com", "chatbot", "Chatbot"},
		{"https://blog.partner.example./x", "blog.partner.example", "unknown", "Referral"},
		{"https://notgoogle.com/", "notgoogle.com", "unknown", "Referral"},
		{"https://google.com.evil.example/", "google.com.evil.example", "unknown", "Referral"},
		{"https://user@evil.example@good.example/", "good.example", "unknown", "Referral"},
		{"http://10.1.2.3:8080/x", "10.1.2.3", "unknown", "Referral"},
		{"http://[2001:db8::1]:80/", "[2001:db8::1]", "unknown", "Referral"},
		{"http://localhost/", "localhost", "unknown", "Referral"},
		{"https://shop.example/cart", "shop.example", "internal", ""},
		{"https://www.shop.example/", "shop.example", "internal", ""},
		{"https://checkout.shop.example:444/", "checkout.shop.example", "internal", ""},
		{"about:blank", "", "", ""},
		{"null", "", "", ""},
		{"://x", "", "", ""},
		{"https://", "", "", ""},
		{"https://www./", "", "", ""},
	} {
		tp := page("https://shop.example/p", c.referrer)
		require.Equal(t, []string{c.host, c.class, c.group}, []string{tp.ReferrerHost, tp.ReferrerClass, tp.ChannelGroup}, c.referrer)
	}
	require.Equal(t, "internal", page("https://a.shop.co.uk/", "https://b.shop.co.uk/").ReferrerClass)
	require.Equal(t, "unknown", page("https://a.co.uk/", "https://b.co.uk/").ReferrerClass, "a suffix is no site")
	require.Equal(t, "unknown", page("https://ann.github.io/", "https://bob.github.io/").ReferrerClass)
	require.Equal(t, "unknown", page("/p", "https://shop.example/").ReferrerClass, "nothing says that it is the site's own")
	require.Equal(t, "Paid Social", page("https://shop.example/?utm_medium=paid", "https://m.facebook.com/").ChannelGroup, "the source is the referrer's")
	require.Equal(t, "Email", page("https://shop.example/?utm_source=news&utm_medium=email", "https://www.google.com/").ChannelGroup, "the campaign goes first")
}

func load(t *testing.T, f enrich.Files) *enrich.Enricher {
	t.Helper()
	rules, err := enrich.Load(f)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rules.Close()) })
	return &enrich.Enricher{Rules: rules}
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestReferrersOfTheOperator: an operator's file goes before the built-in hosts, in
// the form that referer-parser made common.
func TestReferrersOfTheOperator(t *testing.T) {
	e := load(t, enrich.Files{InternalHosts: []string{" WWW.pay.example "}, Referrers: file(t, "referers.yml", `
search:
  Intranet:
    parameters: [q]
    domains: [find.corp.example, google.com/Imgres]
social:
  Our Club:
    domains:
      - club.example
paid:
  Ads:
    domains: [ads.example]
unknown:
  Duck:
    domains: [duckduckgo.com]
`)})
	for referrer, want := range map[string]string{
		"https://find.corp.example/x": "search Organic Search", "https://www.club.example/": "social Organic Social", "https://ads.example/": "paid Paid Other",
		"https://duckduckgo.com/": "unknown Referral", "https://www.bing.com/": "search Organic Search", "https://a.pay.example/back": "internal ",
		"https://google.com/imgres?x": "search Organic Search", "https://google.com/other": "search Organic Search", "https://pay.example": "internal ",
	} {
		tp := &journey.Touchpoint{Type: "page", Channel: "web", Page: journey.Page{URL: "https://shop.example/", Referrer: referrer}}
		e.Apply(tp)
		require.Equal(t, want, tp.ReferrerClass+" "+tp.ChannelGroup, referrer)
	}
	tp := &journey.Touchpoint{Type: "page", Channel: "web", Campaign: journey.Campaign{Source: "Our Club", Medium: "cpc"}}
	e.Apply(tp)
	require.Equal(t, "Paid Social", tp.ChannelGroup, "its names are sources, too")
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"- a":                             "f.yml:1",
		"serach: {A: {domains: [a]}}":     `"serach" is no class of referrers: want one of unknown, search`,
		"search: {A: {}}":                 "A of search has no domains",
		"search: {A: [x]}":                "A of search has no domains",
		"search:\n  A: {domains: [a]\n x": "f.yml:",
	} {
		_, err := enrich.Load(enrich.Files{Referrers: file(t, "f.yml", text)})
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "\n")
	}
	for text, want := range map[string]string{
		"group: a":        "f.yml:1",
		"- {group: A}":    "entry 1 (A) matches everything",
		"- {medium: cpc}": "entry 1 has no group",
		"- {group: A, medium: [cpc]}\n- {group: B, meduim: x}": "f.yml:2",
		"- {group: A, medium: {a: b}}":                         "want a text or a list of texts",
		"- {group: A":                                          "f.yml:",
	} {
		_, err := enrich.Load(enrich.Files{ChannelGroups: file(t, "f.yml", text)})
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "\n")
	}
	for _, f := range []enrich.Files{{ChannelGroups: "no.yml"}, {Referrers: "no.yml"}, {Geo: "no.yml"}} {
		_, err := enrich.Load(f)
		require.ErrorContains(t, err, "no.yml")
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	_, err := enrich.Load(enrich.Files{Geo: file(t, "f.mmdb", "no database")})
	require.ErrorContains(t, err, "f.mmdb")
}

func TestOverrides(t *testing.T) {
	e := load(t, enrich.Files{ChannelGroups: file(t, "groups.yml", `
- {group: Partners, source: [partner-*, "*.partner.example"], medium: referral}
- {group: Brand Search, source: google, medium: cpc, campaign: "*brand*"}
- {group: Forum, referrer: forum.example}
- {group: TikTok, click_id: ttclid}
- {group: Kiosk, channel: kiosk}
- {group: Second, campaign: brand}
`)})
	for _, c := range []struct {
		channel, address, referrer, want string
	}{
		{"web", "?utm_source=Partner-7&utm_medium=REFERRAL", "", "Partners"},
		{"web", "?utm_source=partner-7&utm_medium=email", "", "Email"},
		{"web", "", "https://x.partner.example/", "Partners"}, // what the referrer implies
		{"web", "?gclid=1&utm_campaign=my-brand", "", "Brand Search"},
		{"web", "?utm_campaign=brand", "", "Second"},
		{"web", "?utm_source=google&utm_medium=cpc&utm_campaign=brand", "", "Brand Search"}, // the first
		{"web", "", "https://de.forum.example/t/1", "Forum"},
		{"web", "", "https://noforum.example/", "Referral"},
		{"web", "?ttclid=1", "", "TikTok"},
		{"kiosk", "", "", "Kiosk"},
		{"store", "", "", "Store"},
		{"web", "", "", ""},
	} {
		tp := &journey.Touchpoint{Type: "page", Channel: c.channel, Page: journey.Page{URL: "https://shop.example/" + c.address, Referrer: c.referrer}}
		e.Apply(tp)
		require.Equal(t, c.want, tp.ChannelGroup, c)
	}
}
