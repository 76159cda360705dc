package model_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
)

const intentSection = `intent:
  half_life: 30d
  events: {demo_requested: 30, Pricing Viewed: 5}
  content: {White Paper: 10, webinar: 15}
  thresholds: {mql: 50, sql: 120, unused: 7}
`

func TestIntentPoints(t *testing.T) {
	m := load(t, oneStage+intentSection)
	require.Equal(t, int64(30*86_400_000), m.Intent.HalfLife)
	for _, c := range []struct {
		event, properties string
		want              int32
	}{
		{"demo_requested", "", 30},
		{"pricing_viewed", `{"a":1}`, 5},
		{"other", "", 0},
		{"", "", 0},
		{"content_downloaded", `{"content_type":"whitePaper"}`, 10},
		{"content_downloaded", `{"content_type":"White-Paper"}`, 10},
		{"pricing_viewed", `{"content_type":"webinar"}`, 20},
		{"content_downloaded", `{"content\u005ftype":"webinar"}`, 15},
		{"content_downloaded", `{"content_type":"web\u0069nar"}`, 15},
		{"content_downloaded", `{"content_type":"poem"}`, 0},
		{"content_downloaded", `{"content_type":["webinar"]}`, 0},
		{"content_downloaded", `{"content_type":7}`, 0},
		{"content_downloaded", `{"o":{"content_type":"webinar"}}`, 0},
		{"content_downloaded", `{"content_type":"webinar"`, 0},
		{"content_downloaded", `{"content_type":"` + strings.Repeat(" ", 300) + `webinar"}`, 0},
	} {
		require.Equal(t, c.want, m.Intent.Points(&journey.Touchpoint{Event: c.event, Properties: c.properties}), c)
	}
	require.Zero(t, m.Intent.Points(&journey.Touchpoint{Event: "demo_requested", Flags: journey.FlagAsset}))
	require.Equal(t, []string{"demo_requested", "pricing_viewed"}, m.Events)
	require.Nil(t, load(t, oneStage).Intent.Points)
	require.Zero(t, load(t, oneStage+"intent: {events: {a: 1}}").Intent.HalfLife)
	other := load(t, oneStage+"intent: {content: {a: 7}, content_property: asset.kind}")
	require.Equal(t, int32(7), other.Intent.Points(&journey.Touchpoint{Properties: `{"asset":{"kind":"A"}}`}))
}

func TestIntentInRules(t *testing.T) {
	m := load(t, "version: 1\nstages: [{name: a, enter: [{intent: mql}, {events: [meeting_held], intent: sql}, {type: page}]}]\n"+intentSection)
	rules := m.Stages[0].Rules
	require.Equal(t, []int32{50, 120, 0}, []int32{rules[0].Intent, rules[1].Intent, rules[2].Intent})
	for _, c := range []struct {
		p    journey.Touchpoint
		want uint64
	}{
		{journey.Touchpoint{Event: "demo_requested"}, 1},
		{journey.Touchpoint{Event: "content_downloaded", Properties: `{"content_type":"webinar"}`}, 1},
		{journey.Touchpoint{Event: "content_downloaded"}, 0}, // scores nothing
		{journey.Touchpoint{Event: "meeting_held"}, 2},       // matches, whatever it scores
		{journey.Touchpoint{Event: "demo_requested", Type: "page"}, 5},
	} {
		require.Equal(t, c.want, m.Match(&c.p), c.p)
	}
	// Without content a rule is found by the names of the events that score.
	byEvent := load(t, "version: 1\nstages: [{name: a, enter: [{intent: x}]}]\nintent: {events: {b: 3, a: 2}, thresholds: {x: 5}}")
	require.Equal(t, []string{"a", "b"}, byEvent.Stages[0].Rules[0].Events)
	require.Equal(t, uint64(1), byEvent.Match(&journey.Touchpoint{Event: "b"}))
	require.Zero(t, byEvent.Match(&journey.Touchpoint{Event: "c"}))
}
