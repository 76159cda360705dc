package model_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

// matches says whether a rule of a friction matches, as the core asks it.
func matches(r *journey.Rule, p *journey.Touchpoint) bool {
	m := (&journey.Model{Stages: []journey.Stage{{Name: "x", Rules: []journey.Rule{*r}}}}).Compile()
	return m.Match(p) != 0
}

func TestFrictionsCompile(t *testing.T) {
	m := load(t, oneStage+`journeys: {inactivity_gap: 2d}
sentiment: {nps: {events: [survey_sent]}, ces: {inverted: true}}
friction:
- {name: payment, event: Payment Failed, severity: 3}
- {name: big, event: {events: [order_refused], where: 'revenue > 100.0'}}
- {name: searched, repetition: {events: [products_searched], by: properties.query, at_least: 3, within: 5m}}
- {name: reloaded, repetition: {type: page, at_least: 4, within: 2d}, severity: 2}
- {name: slow, absence: {after: ticket_opened, without: {actor: business, channels: [Support]}, for: 2d}, severity: 5}
- {name: detractor, score: {survey: nps, at_most: 6}}
- {name: effort, score: {survey: ces, at_least: 5}}
`)
	require.Len(t, m.Frictions, 7)
	kinds, severities := []string{}, []int{}
	for _, f := range m.Frictions {
		kinds, severities = append(kinds, f.Kind()), append(severities, f.Severity)
		set := 0
		for _, is := range []bool{f.Event != nil, f.Repetition != nil, f.Absence != nil} {
			if is {
				set++
			}
		}
		require.Equal(t, 1, set, f.Name)
	}
	require.Equal(t, []string{"event", "event", "repetition", "repetition", "absence", "event", "event"}, kinds)
	require.Equal(t, []int{3, 1, 1, 2, 5, 1, 1}, severities)

	require.True(t, matches(m.Frictions[0].Event, &journey.Touchpoint{Event: "payment_failed"}))
	require.False(t, matches(m.Frictions[0].Event, &journey.Touchpoint{Event: "payment"}))
	require.True(t, matches(m.Frictions[1].Event, &journey.Touchpoint{Event: "order_refused", RevenueMicros: 100_000_001}))
	require.False(t, matches(m.Frictions[1].Event, &journey.Touchpoint{Event: "order_refused"}))

	searched := m.Frictions[2].Repetition
	require.Equal(t, 3, searched.AtLeast)
	require.Equal(t, int64(300_000), searched.Within)
	require.Equal(t, []string{"products_searched"}, searched.Match.Events)
	require.Nil(t, m.Frictions[3].Repetition.By)
	slow := m.Frictions[4].Absence
	require.Equal(t, int64(2*86_400_000), slow.For)
	require.True(t, matches(&slow.After, &journey.Touchpoint{Event: "ticket_opened"}))
	require.True(t, matches(&slow.Without, &journey.Touchpoint{Actor: "business", Channel: "support"}))
	require.False(t, matches(&slow.Without, &journey.Touchpoint{Actor: "customer", Channel: "support"}))

	for properties, want := range map[string]bool{
		`{"nps":6}`: true, `{"nps":"0"}`: true, `{"nps":7}`: false, `{"nps":-1}`: false, `{"nps":null}`: false, `{}`: false, ``: false, `{"nps":[]}`: false,
	} {
		require.Equal(t, want, matches(m.Frictions[5].Event, &journey.Touchpoint{Event: "survey_sent", Properties: properties}), properties)
	}
	require.False(t, matches(m.Frictions[5].Event, &journey.Touchpoint{Event: "survey_answered", Properties: `{"nps":6}`}))
	for properties, want := range map[string]bool{`{"ces":5}`: true, `{"ces":7}`: true, `{"ces":8}`: false, `{"ces":4.9}`: false} {
		require.Equal(t, want, matches(m.Frictions[6].Event, &journey.Touchpoint{Event: "survey_answered", Properties: properties}), properties)
	}
	require.Equal(t, []string{
		"order_refused", "payment_failed", "products_searched", "survey_answered", "survey_completed", "survey_sent", "survey_submitted", "ticket_opened",
	}, m.Events)
}

func TestRepetitionBy(t *testing.T) {
	p := &journey.Touchpoint{
		Event: "products_searched", Type: "track", Channel: "web", Source: "Shop", Identifier: "anonymous:1",
		Page: journey.Page{URL: "https://x/a?b", Path: "/A ", Title: "T"}, Campaign: journey.Campaign{Name: "Spring"},
		Properties: `{"query":" 2 Person TENT ","n":5.50,"big":12345678901234567890,"yes":true,"null":null,"list":[1],"o":{"p":"Q","empty":" "},"nan":nan}`,
		Traits:     `{"plan":"Gold"}`,
	}
	long := strings.Repeat("a", 10_000)
	for by, want := range map[string]string{
		"properties.query": "2 person tent", "properties.n": "5.50", "properties.big": "12345678901234567890", "properties.yes": "true",
		"properties.o.p": "q", "properties.list.0": "1", "traits.plan": "gold", "page.path": "/a", "page.url": "https://x/a?b", "page.title": "t",
		"event": "products_searched", "type": "track", "channel": "web", "source": "shop", "identifier": "anonymous:1", "campaign.name": "spring",
		// What is no scalar, or blank, is missing.
		"properties.null": "", "properties.list": "", "properties.o": "", "properties.o.empty": "", "properties.nan": "", "properties.none": "",
		"properties.query.x": "", "traits.none": "", "page.referrer": "", "campaign.term": "",
	} {
		m := load(t, oneStage+"friction: [{name: a, repetition: {type: track, by: "+by+", at_least: 2, within: 1m}}]")
		got, ok := m.Frictions[0].Repetition.By(p)
		require.Equal(t, want != "", ok, by)
		require.Equal(t, want, got, by)
	}
	m := load(t, oneStage+"friction: [{name: a, repetition: {type: track, by: properties.q, at_least: 2, within: 1m}}]")
	by := func(text string) string {
		v, ok := m.Frictions[0].Repetition.By(&journey.Touchpoint{Properties: `{"q":"` + text + `"}`})
		require.True(t, ok)
		return v
	}
	require.Less(t, len(by(long)), 100, "a long value is kept as its hash")
	require.Equal(t, by(long), by(strings.ToUpper(long)))
	require.NotEqual(t, by(long+"b"), by(long+"c"))
}

func TestScoreWithoutSentimentNamesTheWayOut(t *testing.T) {
	_, err := model.Load([]byte(oneStage+"friction: [{name: a, score: {survey: nps, at_most: 3}}]"), "j.yaml")
	require.EqualError(t, err, `j.yaml:3:38: score of friction a: the model does not read the survey nps; add "sentiment: {nps: {}}"`)
}
