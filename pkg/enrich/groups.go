package enrich

import (
	"slices"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Channel groups of GA4's manual traffic, as journey.Touchpoint.ChannelGroup
// holds them; and Chatbot, which is ours.
const (
	GroupDirect          = journey.GroupDirect
	GroupCrossNetwork    = "Cross-network"
	GroupPaidShopping    = "Paid Shopping"
	GroupPaidSearch      = "Paid Search"
	GroupPaidSocial      = "Paid Social"
	GroupPaidVideo       = "Paid Video"
	GroupDisplay         = "Display"
	GroupPaidOther       = "Paid Other"
	GroupOrganicShopping = "Organic Shopping"
	GroupOrganicSocial   = "Organic Social"
	GroupOrganicVideo    = "Organic Video"
	GroupOrganicSearch   = "Organic Search"
	GroupChatbot         = "Chatbot"
	GroupReferral        = "Referral"
	GroupEmail           = "Email"
	GroupAffiliates      = "Affiliates"
	GroupAudio           = "Audio"
	GroupSMS             = "SMS"
	GroupMobilePush      = "Mobile Push"
	GroupUnassigned      = "Unassigned"
)

// Channel groups of what happens elsewhere than on a site or in an app.
const (
	GroupStore   = "Store"
	GroupCall    = "Call"
	GroupSupport = "Support"
	GroupSales   = "Sales"
	GroupOffline = "Offline" // a channel that cairn does not know
)

// traffic is what tells why a customer came. Texts are in lower case.
type traffic struct {
	source, medium, campaign string
	class                    string // of the source: one of the Class constants, or ""
}

// rule is a channel group and what makes it.
type rule struct {
	group string
	is    func(t *traffic) bool
}

// manualTraffic are GA4's rules for manual traffic; the first that holds counts.
// The order matters: cpm is a paid medium by PAID, and Display all the same,
// because Display is asked for before Paid Other.
//
// Chatbot stands before Referral: it takes what would be that or unassigned.
func manualTraffic() []rule {
	return []rule{
		{GroupDirect, func(t *traffic) bool {
			return t.source == "(direct)" && (t.medium == "(not set)" || t.medium == "(none)" || t.medium == "")
		}},
		{GroupCrossNetwork, func(t *traffic) bool { return strings.Contains(t.campaign, "cross-network") }},
		{GroupPaidShopping, func(t *traffic) bool { return t.shopping() && t.paid() }},
		{GroupPaidSearch, func(t *traffic) bool { return t.class == ClassSearch && t.paid() }},
		{GroupPaidSocial, func(t *traffic) bool { return t.class == ClassSocial && t.paid() }},
		{GroupPaidVideo, func(t *traffic) bool { return t.class == ClassVideo && t.paid() }},
		{GroupDisplay, func(t *traffic) bool {
			return oneOf(t.medium, "display", "banner", "expandable", "interstitial", "cpm")
		}},
		{GroupPaidOther, (*traffic).paid},
		{GroupOrganicShopping, (*traffic).shopping},
		{GroupOrganicSocial, func(t *traffic) bool {
			return t.class == ClassSocial || oneOf(t.medium, "social", "social-network", "social-media", "sm", "social network", "social media")
		}},
		{GroupOrganicVideo, func(t *traffic) bool { return t.class == ClassVideo || strings.Contains(t.medium, "video") }},
		{GroupOrganicSearch, func(t *traffic) bool { return t.class == ClassSearch || t.medium == "organic" }},
		{GroupChatbot, func(t *traffic) bool { return t.class == ClassChatbot }},
		{GroupReferral, func(t *traffic) bool { return oneOf(t.medium, "referral", "app", "link") }},
		{GroupEmail, func(t *traffic) bool { return email(t.source) || email(t.medium) }},
		{GroupAffiliates, func(t *traffic) bool { return t.medium == "affiliate" }},
		{GroupAudio, func(t *traffic) bool { return t.medium == "audio" }},
		{GroupSMS, func(t *traffic) bool { return t.source == "sms" || t.medium == "sms" }},
		{GroupMobilePush, func(t *traffic) bool {
			return strings.HasSuffix(t.medium, "push") || strings.Contains(t.medium, "mobile") ||
				strings.Contains(t.medium, "notification") || t.source == "firebase"
		}},
	}
}

// group is the channel group that GA4's rules give.
func (t *traffic) group(rules []rule) string {
	for _, r := range rules {
		if r.is(t) {
			return r.group
		}
	}
	return GroupUnassigned
}

// paid is GA4's ^(.*cp.*|ppc|retargeting|paid.*)$ of the medium.
func (t *traffic) paid() bool {
	return strings.Contains(t.medium, "cp") || t.medium == "ppc" || t.medium == "retargeting" || strings.HasPrefix(t.medium, "paid")
}

// shopping: the source is a shop's, or the campaign is GA4's
// ^(.*(([^a-df-z]|^)shop|shopping).*)$.
func (t *traffic) shopping() bool {
	if t.class == ClassShopping || strings.Contains(t.campaign, "shopping") {
		return true
	}
	for i, rest := 0, t.campaign; ; {
		at := strings.Index(rest, "shop")
		if at < 0 {
			return false
		}
		i += at
		if i == 0 || !letterButE(t.campaign[i-1]) {
			return true
		}
		i++
		rest = t.campaign[i:]
	}
}

// letterButE is [a-df-z].
func letterButE(c byte) bool { return c >= 'a' && c <= 'z' && c != 'e' }

func email(s string) bool { return oneOf(s, "email", "e-mail", "e_mail", "e mail") }

func oneOf(s string, list ...string) bool {
	return slices.Contains(list, s)
}

// offline is the channel group of a touchpoint whose channel alone says why the
// customer came; "" for sites and apps, where it says nothing.
func offline(channel string) string {
	switch channel {
	case "", "web", "app", "mobile", "server", "other":
		return ""
	case "store", "shop", "pos", "till":
		return GroupStore
	case "call", "phone", "call_centre", "call_center":
		return GroupCall
	case "support", "helpdesk", "chat":
		return GroupSupport
	case "sales", "crm":
		return GroupSales
	case "email":
		return GroupEmail
	case "sms":
		return GroupSMS
	case "push":
		return GroupMobilePush
	case "ads", "ad", "paid":
		return GroupPaidOther
	case "display":
		return GroupDisplay
	case "paid_search":
		return GroupPaidSearch
	case "paid_social":
		return GroupPaidSocial
	case "search":
		return GroupOrganicSearch
	case "social":
		return GroupOrganicSocial
	case "video":
		return GroupOrganicVideo
	case "affiliate":
		return GroupAffiliates
	case "audio":
		return GroupAudio
	case "referral":
		return GroupReferral
	}
	return GroupOffline
}
