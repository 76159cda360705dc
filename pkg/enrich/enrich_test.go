package enrich_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
)

func TestRobotsAreFlagged(t *testing.T) {
	for agent, want := range map[string]bool{
		"": false,
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                        true,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0": true,
		"curl/8.5.0": true, "python-requests/2.32": true, "Tiny Tiny RSS/1.11": true,
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36":  false,
		"Mozilla/5.0 (Linux; Android 13; CUBOT X30) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari": false,
	} {
		require.Equal(t, want, enrich.Bot(agent), agent)
	}
}

func TestAddressesKeepTheirNetworkOnly(t *testing.T) {
	for ip, want := range map[string]string{
		"203.0.113.9": "203.0.113.0", "2001:db8:1:2::3": "2001:db8:1::", "::ffff:203.0.113.9": "203.0.113.0",
		"fe80::1%eth0": "fe80::", "": "", "no address": "", " 10.1.2.3 ": "10.1.2.0",
	} {
		require.Equal(t, want, enrich.TruncateIP(ip), ip)
	}
}

func TestEmailsAndPhonesAreHashedUnderTheSecret(t *testing.T) {
	tp := func() *journey.Touchpoint {
		return &journey.Touchpoint{Identifier: "email:ann@example.com", Others: []string{"phone:+49", "loyalty:L9"}, Type: "page"}
	}
	a, b, c := tp(), tp(), tp()
	(&enrich.Enricher{Secret: []byte("one")}).Apply(a)
	(&enrich.Enricher{Secret: []byte("two")}).Apply(b)
	(&enrich.Enricher{}).Apply(c)
	require.True(t, strings.HasPrefix(a.Identifier, "email:") && len(a.Identifier) == len("email:")+64)
	require.NotContains(t, a.Identifier, "ann")
	require.NotEqual(t, a.Identifier, b.Identifier)
	require.NotEqual(t, "phone:+49", a.Others[0])
	require.Equal(t, "loyalty:L9", a.Others[1])
	require.Equal(t, "email:ann@example.com", c.Identifier)
}

func TestChannelsAndAssets(t *testing.T) {
	apply := func(t journey.Touchpoint) journey.Touchpoint {
		(&enrich.Enricher{}).Apply(&t)
		return t
	}
	require.Equal(t, "web", apply(journey.Touchpoint{Type: "page"}).Channel)
	require.Equal(t, "app", apply(journey.Touchpoint{Type: "screen"}).Channel)
	require.Equal(t, "web", apply(journey.Touchpoint{Type: "track", Page: journey.Page{URL: "https://x"}}).Channel)
	require.Equal(t, "other", apply(journey.Touchpoint{Type: "track"}).Channel)
	require.Equal(t, "store", apply(journey.Touchpoint{Type: "page", Channel: "store"}).Channel)
	style := apply(journey.Touchpoint{Type: "page", Page: journey.Page{Path: "/a/site.CSS"}})
	page := apply(journey.Touchpoint{Type: "page", Page: journey.Page{Path: "/a/index.html"}})
	require.True(t, style.Has(journey.FlagAsset))
	require.False(t, page.Has(journey.FlagAsset))
}
