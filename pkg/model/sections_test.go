package model_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

// Two files that say different things in any section have different names.
func TestNameCoversEverySection(t *testing.T) {
	base := oneStage + `sentiment: {nps: {property: nps}, signals: {boom: -1}}
intent: {half_life: 30d, events: {a: 1}, thresholds: {mql: 5}}
friction: [{name: f, severity: 1, event: boom}]
personas: [{name: p, where: 'touchpoints > 3'}]
identity: {user_limit: 10}
`
	names := []string{load(t, base).Name}
	for was, is := range map[string]string{
		"property: nps": "property: score", "boom: -1": "boom: -0.5", "half_life: 30d": "half_life: 31d", "a: 1}": "a: 2}", "mql: 5": "mql: 6",
		"severity: 1": "severity: 2", "event: boom": "event: bang", "points > 3": "points > 4", "name: p": "name: q", "user_limit: 10": "user_limit: 9",
	} {
		require.Contains(t, base, was)
		name := load(t, strings.Replace(base, was, is, 1)).Name
		require.NotContains(t, names, name, was)
		names = append(names, name)
	}
}

func TestEventsAreThoseMentioned(t *testing.T) {
	m := load(t, `version: 1
stages: [{name: a, enter: [{events: [Order Completed, b]}, {type: page}, {intent: mql}]}]
friction: [{name: f, absence: {after: c, without: {events: [d], actor: business}, for: 1h}}]
sentiment: {text: {events: [e]}, signals: {b: 1, Z z: 1}}
intent: {events: {g: 1}, content: {paper: 1}, thresholds: {mql: 5}}
personas: [{name: p, where: 'events.h > 1'}]
`)
	require.Equal(t, []string{"b", "c", "d", "e", "g", "h", "order_completed", "z_z"}, m.Events)
	many := func(n int) string {
		return "version: 1\nstages: [{name: a, enter: [" + times(n, func(i int) string {
			if i%200 == 0 { // a rule has room for so many
				return strings.Repeat("]}, ", min(i, 1)) + fmt.Sprintf("{events: [e%d, ", i)
			}
			return fmt.Sprintf("e%d, ", i)
		}) + "]}]}]"
	}
	load(t, many(model.MaxEvents))
	_, err := model.Load([]byte(many(model.MaxEvents+1)), "j.yaml")
	require.EqualError(t, err, "j.yaml:1:1: the model mentions 513 events by name; it may mention 512")
}

// The built-in models use every section, and each pattern and persona can come about.
func TestBuiltinSections(t *testing.T) {
	shop, err := model.Builtin("shop", model.OnWhereError(func(where string, err error) { t.Error(where, err) }))
	require.NoError(t, err)
	require.Equal(t, []string{
		"payment_failed", "rage_click", "error_shown", "search_repeated", "checkout_abandoned", "support_slow", "low_rating",
	}, frictionNames(shop))
	require.Equal(t, []string{"coupons_used", "loyalty"}, shop.Traits)
	for want, b := range map[string]*journey.Behaviour{
		"bargain_hunter": behaviour(shop, `{"coupons_used":3,"loyalty":"gold"}`, nil),
		"loyal":          behaviour(shop, `{"coupons_used":1,"loyalty":"gold"}`, nil),
		"store_shopper":  behaviour(shop, ``, map[string]uint64{"store": 2}),
		"newcomer":       {Sessions: 1, Journeys: 1},
		"browser":        {Sessions: 4, Journeys: 1},
		"":               behaviour(shop, ``, map[string]uint64{"order_completed": 1}),
	} {
		require.Equal(t, want, personaOf(shop, b))
	}
	require.Equal(t, "stars -100", scored(shop, "review_submitted", `{"rating":2,"comment":"great"}`))
	require.True(t, strings.HasPrefix(scored(shop, "review_submitted", `{"comment":"great"}`), "text "))
	require.Equal(t, "signal 100", scored(shop, "order_completed", `{}`))
	advocacy := journey.Touchpoint{Event: "comment_posted", Sentiment: 100, SentimentSource: "text"}
	require.NotZero(t, shop.Match(&advocacy))
	advocacy.Sentiment = 99
	require.Zero(t, shop.Match(&advocacy))

	b2b, err := model.Builtin("b2b", model.OnWhereError(func(where string, err error) { t.Error(where, err) }))
	require.NoError(t, err)
	require.Contains(t, frictionNames(b2b), "demo_unanswered")
	require.Equal(t, int32(15), b2b.Intent.Points(&journey.Touchpoint{Event: "content_downloaded", Properties: `{"content_type":"Webinar"}`}))
	require.Equal(t, int32(30), b2b.Intent.Points(&journey.Touchpoint{Event: "demo_requested"}))
	decision := slices.IndexFunc(b2b.Stages, func(s journey.Stage) bool { return s.Name == "decision" })
	var wanted []int32
	for _, r := range b2b.Stages[decision].Rules {
		if r.Intent > 0 {
			wanted = append(wanted, r.Intent)
		}
	}
	require.Equal(t, []int32{50, 120}, wanted)
	for want, b := range map[string]*journey.Behaviour{
		"customer":       behaviour(b2b, `{"seniority":"vp"}`, map[string]uint64{"contract_signed": 1}),
		"decision_maker": behaviour(b2b, `{"seniority":"vp"}`, nil),
		"researcher":     behaviour(b2b, `{"seniority":"intern"}`, map[string]uint64{"article_read": 2, "webinar_attended": 1}),
		"":               behaviour(b2b, ``, nil),
	} {
		require.Equal(t, want, personaOf(b2b, b))
	}
	champion := behaviour(b2b, ``, map[string]uint64{"demo_requested": 1, "demo_attended": 1})
	champion.Sessions = 3
	require.Equal(t, "champion", personaOf(b2b, champion))
}

func frictionNames(m *journey.Model) []string {
	var list []string
	for _, f := range m.Frictions {
		list = append(list, f.Name)
	}
	return list
}

func personaOf(m *journey.Model, b *journey.Behaviour) string {
	for _, p := range m.Personas {
		if p.Where(b) {
			return p.Name
		}
	}
	return ""
}
