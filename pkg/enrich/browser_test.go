package enrich_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/ua-parser/uap-go/uaparser"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
)

func agentOf(e *enrich.Enricher, userAgent string) journey.Agent {
	t := &journey.Touchpoint{UserAgent: userAgent}
	e.Apply(t)
	return t.Agent
}

func TestBrowsers(t *testing.T) {
	e := &enrich.Enricher{}
	for userAgent, want := range map[string]journey.Agent{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36":                            {Browser: "Chrome", BrowserVersion: "131", OS: "Windows", OSVersion: "10"},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0":              {Browser: "Edge", BrowserVersion: "131", OS: "Windows", OSVersion: "10"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15":                      {Browser: "Safari", BrowserVersion: "18", OS: "Mac OS X", OSVersion: "10"},
		"Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0":                                                                     {Browser: "Firefox", BrowserVersion: "132", OS: "Linux"},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1":    {Browser: "Mobile Safari", BrowserVersion: "18", OS: "iOS", OSVersion: "18"},
		"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36":                      {Browser: "Chrome Mobile", BrowserVersion: "131", OS: "Android", OSVersion: "15"},
		"Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36": {Browser: "Samsung Internet", BrowserVersion: "23", OS: "Android", OSVersion: "13"},
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                                                                   {},
		"curl/8.5.0": {}, "till 7": {}, "": {}, "Mozilla/5.0 (Windows NT 10.0) Chrome/131 \u00e9": {},
		"Mozilla/5.0 (Windows NT 10.0; " + strings.Repeat("x", 512) + ") Chrome/131.0.0.0": {},
	} {
		require.Equal(t, want, agentOf(e, userAgent), userAgent)
		require.Equal(t, want, agentOf(e, userAgent), "and remembered")
	}
}

// pieces are what user agents are made of.
func pieces() []string {
	return []string{
		"Mozilla/5.0", "Mozilla/4.0", "(Windows NT 10.0; Win64; x64)", "(Windows NT 6.1; WOW64; Trident/7.0; rv:11.0)", "(compatible; MSIE 9.0; Windows NT 6.1)",
		"(Macintosh; Intel Mac OS X 10_15_7)", "(X11; Linux x86_64)", "(X11; Ubuntu; Linux x86_64; rv:132.0)", "(X11; CrOS x86_64 14541.0.0)", "(iPhone; CPU iPhone OS 18_1 like Mac OS X)",
		"(iPad; CPU OS 12_5 like Mac OS X)", "(Linux; Android 13; SM-X906C)", "(Linux; Android 9; KFMUWI)", "(Android 14; Mobile; rv:132.0)", "(Linux; U; Android 4.0.3; de-de; GT-I9100)",
		"(SMART-TV; Linux; Tizen 5.0)", "(Web0S; Linux/SmartTV)", "(PlayStation 5 3.11)", "(Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950)", "(BB10; Touch)",
		"AppleWebKit/537.36", "(KHTML, like Gecko)", "Gecko/20100101", "Chrome/131.0.0.0", "Chromium/90.1", "Safari/537.36", "Mobile/15E148", "Version/18.1", "Edg/131.0", "EdgA/120.0", "EdgiOS/46.1",
		"OPR/114.0", "Opera/9.80", "Presto/2.12", "Firefox/132.0", "FxiOS/34.0", "CriOS/131.0", "SamsungBrowser/23.0", "UCBrowser/13.4", "YaBrowser/24.1", "Vivaldi/6.5", "Brave/1.2", "DuckDuckGo/7",
		"Whale/3.2", "Silk/108.4", "MiuiBrowser/14", "HuaweiBrowser/12", "Instagram 300.0.0.1", "[FBAN/FBIOS;FBAV/390.0;]", "GSA/300.0", "Snapchat/12.1", "MicroMessenger/8.0", "TikTok 30.1",
		"Electron/28.1", "Slack_SSB/4.0", "Dalvik/2.1.0", "CFNetwork/1410.0.3", "Darwin/22.6.0", "ShopApp/412", "wv", "Focus/8.0", "Iceweasel/38.0", "SeaMonkey/2.53", "Konqueror/5.0", "K-Meleon/76", "Thunderbird/115.0",
		"QtWebEngine/5.15", "PaleMoon/32", "Maxthon/6", "Puffin/9", "Kindle/3.0", "Nokia6100/1.0", "BlackBerry9700/5.0", "SonyEricssonK800", "Trident/7.0", "like Gecko",
	}
}

// TestBrowsersAreThoseOfTheModule: what is passed over would not have matched.
func TestBrowsersAreThoseOfTheModule(t *testing.T) {
	plain, err := uaparser.New(uaparser.WithMode(uaparser.EUserAgentLookUpMode | uaparser.EOsLookUpMode))
	require.NoError(t, err)
	orNone := func(s string) string {
		if s == "Other" {
			return ""
		}
		return s
	}
	e := &enrich.Enricher{}
	list := rapid.SliceOfN(rapid.SampledFrom(pieces()), 1, 7)
	rapid.Check(t, func(t *rapid.T) {
		begin := rapid.SampledFrom([]string{"Mozilla/5.0", "Mozilla/5.0", "Opera/9.80", "Dalvik/2.1.0", "ShopApp/412 CFNetwork/1410.0.3"}).Draw(t, "begin")
		userAgent := begin + " " + strings.Join(list.Draw(t, "pieces"), rapid.SampledFrom([]string{" ", "; "}).Draw(t, "between"))
		if rapid.Bool().Draw(t, "upper") {
			userAgent = begin + strings.ToUpper(userAgent[len(begin):])
		}
		if enrich.Bot(userAgent) || len(userAgent) > 512 {
			return
		}
		c := plain.Parse(userAgent)
		want := journey.Agent{Browser: orNone(c.UserAgent.Family), BrowserVersion: c.UserAgent.Major, OS: orNone(c.Os.Family), OSVersion: c.Os.Major}
		require.Equal(t, want, agentOf(e, userAgent), userAgent)
	})
}

func BenchmarkBrowsers(b *testing.B) {
	b.Run("new agent", func(b *testing.B) {
		e := &enrich.Enricher{}
		agentOf(e, "Mozilla/5.0 (Windows NT 10.0) Chrome/1")
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			agentOf(e, fmt.Sprintf("Mozilla/5.0 (Linux; Android 13; SM-%d) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.%d.0 Mobile Safari/537.36", i, i))
		}
	})
	b.Run("new agent, by the module", func(b *testing.B) {
		plain, err := uaparser.New(uaparser.WithMode(uaparser.EUserAgentLookUpMode | uaparser.EOsLookUpMode))
		require.NoError(b, err)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			plain.Parse(fmt.Sprintf("Mozilla/5.0 (Linux; Android 13; SM-%d) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.%d.0 Mobile Safari/537.36", i, i))
		}
	})
}
