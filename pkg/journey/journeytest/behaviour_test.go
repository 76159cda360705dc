package journeytest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
)

// behaviours asks for the behaviour as of each journey's last touchpoint.
func behaviours(log ...journey.Touchpoint) []journey.Behaviour {
	m := journeytest.FullModel()
	var seen []journey.Behaviour
	m.Stages = nil // no transition asks
	m.Frictions = nil
	m.Personas = []journey.Persona{{Name: "spy", Where: func(b *journey.Behaviour) bool {
		seen = append(seen, *b)
		return true
	}}}
	m.Goal = -1
	journeytest.Batch(m.Compile(), log, journeytest.Base)
	return seen
}

func with(t journey.Touchpoint, change func(*journey.Touchpoint)) journey.Touchpoint {
	change(&t)
	return t
}

func TestBehaviourCountsTheCustomer(t *testing.T) {
	nps := func(t *journey.Touchpoint) { t.Properties, t.Channel = `{"nps":0}`, "store" }
	log := []journey.Touchpoint{
		a(0, "products_searched", "1"),
		with(a(1, "order_completed", "1"), func(t *journey.Touchpoint) { t.RevenueMicros, t.Channel = 7, "app" }),
		business(with(a(2, "products_searched", "1"), nps)),
		business(with(a(3, "order_completed", "1"), func(t *journey.Touchpoint) { t.RevenueMicros = 2 })),
	}
	require.Equal(t, []journey.Behaviour{{
		Traits: []string{"", ""}, EventCounts: []uint64{1, 1}, ChannelCounts: []uint64{1, 0}, Touchpoints: 2, Sessions: 1, Journeys: 1,
		RevenueMicros: 9, SentimentSum: 100 - 200 + 100, SentimentCount: 3,
	}}, behaviours(log...))
}

func TestBehaviourIsOfAllJourneysSoFar(t *testing.T) {
	phone := func(minutes int64) journey.Touchpoint { return tp(minutes*minute, "anonymous:B", "1", "v") }
	got := behaviours(a(0, "v", "1"), phone(5), a(10, "v", "1"), a(21, "v", "1"), business(phone(30)), // one journey; 11 minutes later another session
		phone(142), phone(152), a(153, "v", "1")) // 121 minutes later another journey
	require.Len(t, got, 2)
	require.Equal(t, [3]uint64{4, 3, 1}, [3]uint64{got[0].Touchpoints, got[0].Sessions, got[0].Journeys})
	require.Equal(t, [3]uint64{7, 5, 2}, [3]uint64{got[1].Touchpoints, got[1].Sessions, got[1].Journeys})
}

func TestTraits(t *testing.T) {
	said := func(minutes int64, traits string) journey.Touchpoint {
		return with(a(minutes, "identify", "1"), func(t *journey.Touchpoint) { t.Traits = traits })
	}
	long := `"` + strings.Repeat("x", journey.MaxTrait-2) + `"`
	longer := `"` + strings.Repeat("x", journey.MaxTrait-1) + `"`
	for name, c := range map[string]struct {
		coupons, plan string
		log           []journey.Touchpoint
	}{
		"the last counts":                    {"2", `"gold"`, []journey.Touchpoint{said(1, `{"coupons":1,"plan":"gold"}`), said(2, `{"coupons":2}`)}},
		"the last in time":                   {"1", "", []journey.Touchpoint{said(2, `{"coupons":1}`), said(1, `{"coupons":2}`)}},
		"null removes":                       {"", `"gold"`, []journey.Touchpoint{said(1, `{"coupons":1,"plan":"gold"}`), said(2, `{"coupons":null}`)}},
		"and what comes later is there":      {"3", "", []journey.Touchpoint{said(1, `{"coupons":null}`), said(2, `{"coupons":3}`)}},
		"an object removes":                  {"", "", []journey.Touchpoint{said(1, `{"coupons":1}`), said(2, `{"coupons":{"n":1}}`)}},
		"a list removes":                     {"", "", []journey.Touchpoint{said(1, `{"coupons":1}`), said(2, `{"coupons":[1]}`)}},
		"256 bytes are kept":                 {"", long, []journey.Touchpoint{said(1, `{"plan":`+long+`}`)}},
		"257 remove":                         {"", "", []journey.Touchpoint{said(1, `{"plan":"gold"}`), said(2, `{"plan":`+longer+`}`)}},
		"of the business, too":               {"", `"gold"`, []journey.Touchpoint{a(0, "v", "1"), business(said(1, `{"plan":"gold"}`))}},
		"no object says nothing":             {"1", "", []journey.Touchpoint{said(1, `{"coupons":1}`), said(2, `[]`)}},
		"names of no interest say nothing":   {"1", "", []journey.Touchpoint{said(1, `{"coupons":1}`), said(2, `{"colour":"red"}`)}},
		"at one time the message id decides": {"2", "", []journey.Touchpoint{as("b", said(1, `{"coupons":2}`)), as("a", said(1, `{"coupons":1}`))}},
	} {
		require.Equal(t, []string{c.coupons, c.plan}, behaviours(c.log...)[0].Traits, name)
	}
}

// A late identify changes who the customer was from then on, not before.
func TestPersonaFollowsTheTouchpoint(t *testing.T) {
	log := []journey.Touchpoint{
		a(0, "ad_click", "1"), a(10, "cart_viewed", "1"), a(20, "payment_failed", "1"), a(30, "order_completed", "1"), a(40, "checkout_started", "1"),
	}
	answer := func(log ...journey.Touchpoint) *journeytest.Answer {
		return journeytest.Batch(journeytest.FullModel(), log, journeytest.Base+60*minute)
	}
	require.Equal(t, []string{
		"+1 #1 awareness: none", "+1 #2 decision/cart: none", "+1 #3 purchase: none", "+1 d1 00:00..00:40: none",
	}, answer(log...).Lines("personas"))
	gold := with(a(15, "identify", "1"), func(t *journey.Touchpoint) { t.Traits = `{"plan":"gold"}` })
	gone := with(a(35, "identify", "1"), func(t *journey.Touchpoint) { t.Traits = `{"plan":null}` })
	late := answer(append(log, gone, gold)...)
	require.Equal(t, []string{
		"+1 #1 awareness: none", "+1 #2 decision/cart: none", "+1 #3 purchase: vip", "+1 d1 00:00..00:40: none",
	}, late.Lines("personas"))
	require.Equal(t, []string{
		"+1 payment_failed at d1 00:20 in decision/cart as vip by payment_failed@1200000",
		"+1 checkout_abandoned at d1 00:55 in purchase by checkout_started@2400000",
	}, late.Lines("frictions"))
	require.Equal(t, "vip", answer(append(log, business(with(gold, func(t *journey.Touchpoint) { t.Time += 90 * minute })))...).Journeys[0].Persona,
		"the journey's last touchpoint may be the business's")
}

func TestSentimentIsOfTheModel(t *testing.T) {
	p := a(0, "ad_click", "1")
	p.Sentiment, p.SentimentSource = 200, "stars" // whatever it came with
	happy := with(a(5, "survey_answered", "1"), func(t *journey.Touchpoint) { t.Properties = `{"nps":9}` })
	sad := with(a(6, "order_completed", "1"), func(t *journey.Touchpoint) { t.Properties = `{"stars":1,"text":"good"}` })
	reply := business(with(a(7, "note", "1"), func(t *journey.Touchpoint) { t.Properties = `{"text":"bad"}` }))
	got := journeytest.Batch(journeytest.FullModel(), []journey.Touchpoint{p, happy, sad, reply}, journeytest.Base)
	require.Equal(t, []string{
		"+1 #1 awareness: none", "+1 #2 advocacy: +1.60", "+1 d1 00:00..00:06: -0.58 of 3", // (160 - 200 - 133) / 3 = -57.7
	}, got.Lines("sentiment"))
	require.EqualValues(t, -40, got.Sessions[0].SentimentSum, "the customer's only")
	require.Equal(t, 2, got.Sessions[0].SentimentCount)
}

func TestMeanIsRoundedAwayFromZero(t *testing.T) {
	for want, texts := range map[string][]string{
		"+0.67 of 2": {"good", "hm"}, "-0.67 of 2": {"bad", "hm"}, "+0.44 of 3": {"good", "hm", "hm"},
	} {
		var log []journey.Touchpoint
		for i, text := range texts {
			log = append(log, with(a(int64(i), "note"), func(t *journey.Touchpoint) { t.Properties = `{"text":"` + text + `"}` }))
		}
		got := journeytest.Batch(journeytest.FullModel(), log, journeytest.Base)
		require.Equal(t, []string{"A d1 00:00..00:0" + string(rune('0'+len(texts)-1)) + ": " + want}, got.Lines("sentiment"))
		sum, n := got.Journeys[0].SentimentSum, got.Journeys[0].SentimentCount
		mean, ok := journey.MeanSentiment(sum, uint64(n))
		require.True(t, ok)
		require.Contains(t, want, string([]byte{want[0], '0', '.', byte('0' + abs(mean)/10), byte('0' + abs(mean)%10)}))
	}
}

func abs(n int32) int32 { return max(n, -n) }

func TestSessionRow(t *testing.T) {
	page := func(minutes int64, path, channel, device string) journey.Touchpoint {
		return with(a(minutes, "page"), func(t *journey.Touchpoint) { t.Page.Path, t.Channel, t.Device = path, channel, device })
	}
	first := with(a(0, "ad_click"), func(t *journey.Touchpoint) { t.Channel, t.Device, t.Campaign.Name = "ads", "mobile", "spring" })
	log := []journey.Touchpoint{
		page(3, "/late", "app", "tablet"), page(1, "/early", "web", "desktop"), first, a(2, "unheard_of"), a(2, "rage_click"), page(4, "", "app", ""),
		business(page(5, "/not-mine", "store", "")), with(a(4, "page"), func(t *journey.Touchpoint) { t.Type, t.MessageID = "screen", "s" }),
	}
	got := journeytest.Batch(journeytest.FullModel(), log, journeytest.Base)
	require.Equal(t, []string{
		"A d1 00:00 ads..web device=mobile campaign=spring landing=/early exit=/late pages=4 ad_click=1 other=1 rage_click=1",
	}, got.Lines("visits"))
}

func TestTransitionIsOfItsTouchpointsChannel(t *testing.T) {
	log := []journey.Touchpoint{a(0, "ad_click"), with(a(1, "cart_viewed"), func(t *journey.Touchpoint) { t.Channel = "app" }), a(2, "page")}
	got := journeytest.Batch(journeytest.FullModel(), log, journeytest.Base).Transitions
	require.Equal(t, [2]string{"web", "app"}, [2]string{got[0].Channel, got[1].Channel})
}
