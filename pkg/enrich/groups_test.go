package enrich_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
)

// visit is the touchpoint of a campaign on the web, enriched.
func visit(source, medium, name string) *journey.Touchpoint {
	t := &journey.Touchpoint{
		Type: "page", Channel: "web", Page: journey.Page{URL: "https://shop.example/"},
		Campaign: journey.Campaign{Source: source, Medium: medium, Name: name},
	}
	(&enrich.Enricher{}).Apply(t)
	return t
}

// TestChannelGroups: each of GA4's rules, in their order; a later rule that would
// hold, too, does not count.
func TestChannelGroups(t *testing.T) {
	for _, c := range []struct{ want, source, medium, name string }{
		{"Direct", "(direct)", "(none)", ""},
		{"Direct", "(Direct)", "(not set)", "cross-network"},
		{"Direct", "(direct)", "", ""},
		{"Email", "(direct)", "email", ""},
		{"Cross-network", "google", "cpc", "Cross-Network pmax"},
		{"Cross-network", "amazon", "cpc", "cross-network-shop"},
		{"Paid Shopping", "amazon", "cpc", ""},
		{"Paid Shopping", "google", "CPC", "summer_shopping"},
		{"Paid Shopping", "google", "ppc", "shop-now"},
		{"Paid Shopping", "google", "paid", "eshop"},
		{"Paid Search", "google", "cpc", "workshop"}, // a letter before shop
		{"Paid Search", "Google", "retargeting", ""},
		{"Paid Search", "bing", "paidsearch", ""},
		{"Paid Search", "google", "cpm", ""}, // cpm is paid, and Paid Search comes first
		{"Paid Social", "fb", "paid-social", ""},
		{"Paid Social", "m.facebook.com", "cpc", ""},
		{"Paid Social", "linkedin", "cpm", ""},
		{"Paid Video", "youtube", "cpv cpm", ""},
		{"Paid Video", "youtu.be", "paid", ""},
		{"Display", "adnetwork", "display", ""},
		{"Display", "adnetwork", "banner", ""},
		{"Display", "adnetwork", "expandable", ""},
		{"Display", "adnetwork", "interstitial", ""},
		{"Display", "adnetwork", "cpm", ""}, // and not Paid Other: the order decides
		{"Paid Other", "adnetwork", "cpc", ""},
		{"Paid Other", "adnetwork", "ecpm", ""},
		{"Paid Other", "newsletter", "ppc", ""},
		{"Organic Shopping", "etsy", "referral", ""},
		{"Organic Shopping", "partner", "email", "shop_spring"},
		{"Organic Social", "facebook", "", ""},
		{"Organic Social", "partner", "sm", ""},
		{"Organic Social", "partner", "Social Network", ""},
		{"Organic Social", "partner", "social-media", ""},
		{"Organic Video", "vimeo", "referral", ""},
		{"Organic Video", "partner", "in-video", ""},
		{"Organic Search", "duckduckgo", "", ""},
		{"Organic Search", "www.google.co.uk", "referral", ""},
		{"Organic Search", "partner", "organic", ""},
		{"Chatbot", "chatgpt.com", "", ""},
		{"Chatbot", "perplexity", "referral", ""},
		{"Referral", "partner", "referral", ""},
		{"Referral", "partner", "app", ""},
		{"Referral", "email", "link", ""},
		{"Email", "newsletter", "email", ""},
		{"Email", "e-mail", "", ""},
		{"Email", "partner", "E_Mail", ""},
		{"Email", "e mail", "affiliate", ""},
		{"Affiliates", "awin", "affiliate", ""},
		{"Audio", "podcast", "audio", ""},
		{"SMS", "sms", "", ""},
		{"SMS", "crm", "sms", ""},
		{"Mobile Push", "crm", "webpush", ""},
		{"Mobile Push", "crm", "mobile", ""},
		{"Mobile Push", "crm", "app_notification", ""},
		{"Mobile Push", "firebase", "x", ""},
		{"Unassigned", "partner", "whatever", ""},
		{"Unassigned", "", "", "spring"},
	} {
		require.Equal(t, c.want, visit(c.source, c.medium, c.name).ChannelGroup, c)
	}
}

// plainGroup is the group by GA4's own expressions, of a source of a class.
func plainGroup(class, source, medium, name string) string {
	is := func(expr, text string) bool { return regexp.MustCompile(`(?is)` + expr).MatchString(text) }
	paid := is(`^(.*cp.*|ppc|retargeting|paid.*)$`, medium)
	shop := class == "shopping" || is(`^(.*(([^a-df-z]|^)shop|shopping).*)$`, name)
	for _, r := range []struct {
		group string
		is    bool
	}{
		{"Direct", is(`^\(direct\)$`, source) && is(`^(\(not set\)|\(none\)|)$`, medium)},
		{"Cross-network", is(`^.*cross-network.*$`, name)},
		{"Paid Shopping", shop && paid},
		{"Paid Search", class == "search" && paid},
		{"Paid Social", class == "social" && paid},
		{"Paid Video", class == "video" && paid},
		{"Display", is(`^(display|banner|expandable|interstitial|cpm)$`, medium)},
		{"Paid Other", paid},
		{"Organic Shopping", shop},
		{"Organic Social", class == "social" || is(`^(social|social-network|social-media|sm|social network|social media)$`, medium)},
		{"Organic Video", class == "video" || is(`^(.*video.*)$`, medium)},
		{"Organic Search", class == "search" || is(`^organic$`, medium)},
		{"Chatbot", class == "chatbot"},
		{"Referral", is(`^(referral|app|link)$`, medium)},
		{"Email", is(`^(email|e-mail|e_mail|e mail)$`, source) || is(`^(email|e-mail|e_mail|e mail)$`, medium)},
		{"Affiliates", is(`^affiliate$`, medium)},
		{"Audio", is(`^audio$`, medium)},
		{"SMS", is(`^sms$`, source) || is(`^sms$`, medium)},
		{"Mobile Push", is(`push$`, medium) || is(`mobile|notification`, medium) || is(`^firebase$`, source)},
	} {
		if r.is {
			return r.group
		}
	}
	return "Unassigned"
}

func TestChannelGroupsAreGA4sExpressions(t *testing.T) {
	classes := map[string]string{
		"google": "search", "facebook": "social", "youtube": "video", "amazon": "shopping", "chatgpt.com": "chatbot", "(direct)": "", "partner": "", "sms": "",
		"email": "", "firebase": "", "Bing": "search",
	}
	rapid.Check(t, func(t *rapid.T) {
		source := rapid.SampledFrom([]string{"google", "facebook", "youtube", "amazon", "chatgpt.com", "(direct)", "partner", "sms", "email", "firebase", "Bing"}).Draw(t, "source")
		words := rapid.SampledFrom([]string{"", "c", "p", "cp", "pp", "ppc", "paid", "retargeting", "display", "cpm", "banner", "social", "-media", "sm", "video", "organic", "referral", "app", "link", "E-mail", "affiliate", "audio", "sms", "push", "mobile", "notification", "(none)", "(not set)", "x"})
		medium := words.Draw(t, "a") + words.Draw(t, "b")
		name := rapid.StringMatching(`([a-fx_ é-]{0,2}(shop|Shopping|sho|cross-network|p))?[a-f]{0,2}(shop)?`).Draw(t, "name")
		if source == "" && medium == "" && name == "" {
			return
		}
		want := plainGroup(classes[source], strings.TrimSpace(source), strings.TrimSpace(medium), strings.TrimSpace(name))
		require.Equal(t, want, visit(source, medium, name).ChannelGroup, "%q %q %q", source, medium, name)
	})
}

// TestOfflineChannels: where the channel says why the customer came, it is the
// group, unless a campaign says more.
func TestOfflineChannels(t *testing.T) {
	for channel, want := range map[string]string{
		"web": "", "app": "", "other": "", "server": "", "store": "Store", "call": "Call", "support": "Support", "sales": "Sales", "email": "Email", "ads": "Paid Other",
		"sms": "SMS", "push": "Mobile Push", "social": "Organic Social", "kiosk": "Offline",
	} {
		tp := &journey.Touchpoint{Type: "track", Channel: channel}
		(&enrich.Enricher{}).Apply(tp)
		require.Equal(t, want, tp.ChannelGroup, channel)
		tp = &journey.Touchpoint{Type: "track", Channel: channel, Campaign: journey.Campaign{Source: "google", Medium: "cpc"}}
		(&enrich.Enricher{}).Apply(tp)
		require.Equal(t, "Paid Search", tp.ChannelGroup, channel)
	}
	tp := &journey.Touchpoint{Type: "track", Channel: "email", Campaign: journey.Campaign{Source: "june"}}
	(&enrich.Enricher{}).Apply(tp)
	require.Equal(t, "Email", tp.ChannelGroup, "rather than Unassigned")
}
