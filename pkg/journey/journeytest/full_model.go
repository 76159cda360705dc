package journeytest

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// FullModel is a model that uses all there is: stages by events, conditions,
// repetition and intent, every kind of friction, sentiment, traits and personas.
// Its gaps and windows are short and close to each other, so that a history of
// a dozen touchpoints meets several of them. Its conditions are Go functions: it
// needs nothing of pkg/model. Each call makes a new one.
func FullModel() *journey.Model {
	m := &journey.Model{
		Name: "full@00000000", SessionGap: 10 * minute, JourneyGap: 2 * hour, Lateness: 30 * day, Goal: 3, UserLimit: 2,
		Stages:    fullStages(),
		Frictions: fullFrictions(),
		Personas:  fullPersonas(),
		Intent:    journey.Intent{HalfLife: 30 * minute, Points: fullPoints},
		Sentiment: fullSentiment,
		Traits:    fullTraits(), ReadTraits: readTraits,
		CountedEvents:   []string{"order_completed", "products_searched"},
		CountedChannels: []string{"app", "store"},
		Events: []string{
			"ad_click", "cart_viewed", "checkout_started", "comparison_viewed", "content_downloaded", "demo_requested",
			"order_completed", "payment_failed", "product_used", "product_viewed", "products_searched", "rage_click",
			"survey_answered", "ticket_closed", "ticket_opened",
		},
	}
	return m.Compile()
}

func fullTraits() []string { return []string{"coupons", "plan"} }

// on is a rule that asks for one of some events and nothing else.
func on(events ...string) journey.Rule {
	return journey.Rule{Events: events, Substage: -1, After: -1}
}

func fullStages() []journey.Stage {
	discover := journey.Rule{Substage: 0, After: -1, Events: []string{"product_viewed", "products_searched"}, AtLeast: 2, Within: 20 * minute}
	compare := journey.Rule{Substage: 1, After: -1, Events: []string{"comparison_viewed"}, Where: func(t *journey.Touchpoint) bool {
		return number(t.Properties, "items") >= 2
	}}
	cart := journey.Rule{Substage: 0, After: -1, Events: []string{"cart_viewed", "checkout_started"}}
	mql := journey.Rule{Substage: 1, After: -1, Actor: journey.ActorCustomer, Intent: 40}
	// Of a rule with both, a match before the intent is there still counts.
	sql := journey.Rule{Substage: 2, After: -1, Events: []string{"demo_requested", "content_downloaded"}, AtLeast: 2, Within: hour, Intent: 60}
	happy := on("survey_answered")
	happy.Where = func(t *journey.Touchpoint) bool { return t.SentimentSource != "" && t.Sentiment >= 100 }
	used := on("product_used", "order_completed")
	used.After = 3
	return []journey.Stage{
		{Name: "awareness", Rules: []journey.Rule{on("ad_click"), {Type: "page", Substage: -1, After: -1}}},
		{Name: "consideration", Substages: []string{"discover", "compare"}, Rules: []journey.Rule{discover, compare}},
		{Name: "decision", Substages: []string{"cart", "mql", "sql"}, Rules: []journey.Rule{cart, mql, sql}},
		{Name: "purchase", Rules: []journey.Rule{on("order_completed")}},
		{Name: "retention", Returns: []int{1, 2}, Rules: []journey.Rule{used}},
		{Name: "advocacy", Returns: []int{1}, Rules: []journey.Rule{happy}},
	}
}

func fullFrictions() []journey.FrictionRule {
	badScore := journey.Rule{Substage: -1, After: -1, Where: func(t *journey.Touchpoint) bool {
		return t.SentimentSource == "nps" && t.Sentiment <= -100
	}}
	byBusiness := journey.Rule{Substage: -1, After: -1, Actor: journey.ActorBusiness}
	query := func(t *journey.Touchpoint) (string, bool) {
		q := textOf(t.Properties, "query")
		return q, q != ""
	}
	return []journey.FrictionRule{
		{Name: "payment_failed", Severity: 3, Event: new(on("payment_failed"))},
		{Name: "bad_score", Severity: 4, Event: &badScore},
		{Name: "search_repeated", Severity: 1, Repetition: &journey.Repetition{
			Match: on("products_searched"), By: query, AtLeast: 3, Within: 5 * minute,
		}},
		{Name: "raging", Severity: 2, Repetition: &journey.Repetition{Match: on("rage_click"), AtLeast: 2, Within: minute}},
		{Name: "checkout_abandoned", Severity: 2, Absence: &journey.Absence{
			After: on("checkout_started"), Without: on("order_completed"), For: 15 * minute,
		}},
		{Name: "support_slow", Severity: 2, Absence: &journey.Absence{After: on("ticket_opened"), Without: byBusiness, For: hour}},
		// What opens an episode may also end one, but not its own.
		{Name: "lost_interest", Severity: 1, Absence: &journey.Absence{
			After: on("product_viewed"), Without: on("product_viewed", "cart_viewed"), For: 10 * minute,
		}},
	}
}

func fullPersonas() []journey.Persona {
	return []journey.Persona{
		{Name: "vip", Where: func(b *journey.Behaviour) bool { return b.Traits[1] == `"gold"` }},
		{Name: "bargain_hunter", Where: func(b *journey.Behaviour) bool { return b.Traits[0] != "" && b.Traits[0] != "1" }},
		{Name: "unhappy", Where: func(b *journey.Behaviour) bool {
			mean, ok := journey.MeanSentiment(b.SentimentSum, b.SentimentCount)
			return ok && mean <= -50
		}},
		{Name: "big_spender", Where: func(b *journey.Behaviour) bool { return b.RevenueMicros >= 120_000_000 || b.EventCounts[0] >= 3 }},
		{Name: "searcher", Where: func(b *journey.Behaviour) bool { return b.EventCounts[1] >= 2 }},
		{Name: "in_person", Where: func(b *journey.Behaviour) bool { return b.ChannelCounts[1]*2 > b.Touchpoints }},
		{Name: "mobile", Where: func(b *journey.Behaviour) bool { return b.ChannelCounts[0] >= 3 }},
		{Name: "faithful", Where: func(b *journey.Behaviour) bool { return b.Journeys >= 2 }},
		{Name: "regular", Where: func(b *journey.Behaviour) bool { return b.Sessions >= 3 }},
	}
}

func fullPoints(t *journey.Touchpoint) int32 {
	switch {
	case t.Event == "demo_requested":
		return 30
	case t.Event == "content_downloaded" && textOf(t.Properties, "content") == "whitepaper":
		return 20
	case t.Event == "cart_viewed":
		return 10
	}
	return 0
}

// fullSentiment scores a survey's answer, else a text, else a signal.
func fullSentiment(t *journey.Touchpoint) (int32, string, bool) {
	o := object(t.Properties)
	if n, ok := o["nps"].(float64); ok {
		return int32(n)*40 - 200, "nps", true
	}
	if n, ok := o["stars"].(float64); ok {
		return int32(n)*100 - 300, "stars", true
	}
	if s, ok := o["text"].(string); ok {
		return 133 * int32(strings.Count(s, "good")-strings.Count(s, "bad")), "text", true
	}
	switch t.Event {
	case "rage_click":
		return -100, "signal", true
	case "order_completed":
		return 100, "signal", true
	}
	return 0, "", false
}

// readTraits reads FullModel's traits as the contract of Model.ReadTraits says.
func readTraits(traits string) []journey.Trait {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(traits), &members) != nil {
		return nil
	}
	var list []journey.Trait
	for i, name := range fullTraits() {
		raw, ok := members[name]
		if !ok {
			continue
		}
		value := string(bytes.TrimSpace(raw))
		if value == "null" || value[0] == '{' || value[0] == '[' || len(value) > journey.MaxTrait {
			value = ""
		}
		list = append(list, journey.Trait{Index: i, Value: value})
	}
	return list
}

func object(text string) map[string]any {
	o := map[string]any{}
	_ = json.Unmarshal([]byte(text), &o) // what is no object has no members
	return o
}

func number(text, key string) float64 {
	n, _ := object(text)[key].(float64)
	return n
}

func textOf(text, key string) string {
	s, _ := object(text)[key].(string)
	return s
}

// FullConfig draws histories that use everything FullModel looks at.
func FullConfig(m *journey.Model) GenConfig {
	return GenConfig{
		Model: m, Users: 3, Links: true, Others: true, Aliases: true, Business: true, SharedIDs: true, Backfill: true,
		Patterns: true, Evidence: true, Traits: true, Channels: true, Flags: true,
	}
}
