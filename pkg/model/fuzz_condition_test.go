package model_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

// slow is how long compiling and evaluating one condition may take. It is far
// more than the cost limit allows, and far less than an unlimited one takes.
const slow = 10 * time.Second

// loadCondition is the model with a condition at %s of text, or nil if the
// condition is refused.
func loadCondition(t *testing.T, text, condition string, opts ...model.Option) *journey.Model {
	t.Helper()
	quoted, err := json.Marshal(condition)
	if err != nil {
		t.Skip()
	}
	m, err := model.Load([]byte(strings.Replace(text, "%s", string(quoted), 1)), "fuzz.yaml", opts...)
	if err != nil && !strings.HasPrefix(err.Error(), "fuzz.yaml:") {
		t.Fatalf("an error without its place: %v", err)
	}
	return m
}

// FuzzWhere: whatever the condition and the touchpoint, the answer is the same
// twice, in bounded time, without a panic; and so are the score, the points and
// the value of a repetition.
func FuzzWhere(f *testing.F) {
	for _, where := range []string{
		"properties.items >= 2", "sentiment >= 1.0", "has(properties.a.b)", `"x" in traits`, "properties.l.all(a, properties.l.all(b, a == b))",
		`event.matches("(a+)+b")`, "properties.l[0] + properties.l[1] > 2", `page.path.startsWith(campaign.name)`, "revenue / 0.0 > 1", "1 / int(properties.n) == 1",
		"properties.s + properties.s + properties.s == ''", "[1,2,3].map(x, x * 9223372036854775807).size() > 0", "type == event ? true : channel == source",
		`timestamp(properties.s) < timestamp("2026-01-01T00:00:00Z")`, "dyn(properties) == dyn(traits)", ".properties.items == 1",
	} {
		f.Add(where, "survey_answered", `{"items":3,"l":[1,2,3],"n":0,"s":"x","nps":"9","comment":"great","content_type":"webinar","q":" A "}`, `{"x":1}`, int32(150), int64(5))
	}
	f.Add("properties.a == 1", "said", `{"nps":1e999,"nps":3,"q":nan,"comment":"`+strings.Repeat("no ", 50)+`"}`, `{"x":`+strings.Repeat("[", 50)+strings.Repeat("]", 50)+`}`, int32(-200), int64(-1))
	whole := load(f, oneStage+`sentiment: {nps: {}, csat: {}, ces: {}, stars: {}, text: {}, signals: {said: -1}}
intent: {content: {webinar: 5}}
friction: [{name: q, repetition: {type: track, by: properties.q, at_least: 2, within: 1m}}]
`)
	f.Fuzz(func(t *testing.T, where, event, properties, traits string, sentiment int32, revenue int64) {
		if len(properties)+len(traits) > 1<<16 {
			t.Skip()
		}
		began := time.Now()
		p := &journey.Touchpoint{
			Type: "track", Event: event, Properties: properties, Traits: traits, Sentiment: sentiment, SentimentSource: "nps",
			RevenueMicros: revenue, Page: journey.Page{Path: event}, Campaign: journey.Campaign{Name: traits},
		}
		if m := loadCondition(t, "version: 1\nstages: [{name: a, enter: [{where: %s}]}]", where); m != nil {
			if first, second := m.Match(p), m.Match(p); first != second {
				t.Fatal("two answers")
			}
		}
		if score, source, ok := whole.Sentiment(p); score < -200 || score > 200 || ok != (source != "") {
			t.Fatal(score, source, ok)
		}
		if n := whole.Intent.Points(p); n != 0 && n != 5 {
			t.Fatal(n)
		}
		if value, ok := whole.Frictions[0].Repetition.By(p); ok != (value != "") || len(value) > 256 {
			t.Fatal(len(value), ok)
		}
		if took := time.Since(began); took > slow {
			t.Fatalf("took %v", took)
		}
	})
}

// FuzzPersona: whatever the condition and the traits, the answer is the same
// twice, in bounded time, without a panic; and a trait that is kept is a JSON
// scalar of bounded length.
func FuzzPersona(f *testing.F) {
	for _, where := range []string{
		"traits.coupons_used > 2", "events.order_completed + events['Order Refunded'] >= 2", "channels.store >= 2 && journeys == 1", "has(traits.a) || 'b' in traits",
		"sentiment < -1.0", "revenue / double(sessions) > 3.5", "traits[string(sessions)] == 1", "size(events) > 1", "has(events.a)", "traits.a.b == 1",
		"[1,2].exists(traits, traits > 1)", "touchpoints % sessions == 0", "events.a * 9223372036854775807 > 1", ".traits.a == traits['a']", "traits.a.matches(traits.b)",
	} {
		f.Add(where, `{"coupons_used":3,"a":"x","b":null,"\u0061":2}`, uint64(2), uint64(3), int64(-100))
	}
	f.Add("traits.a == traits.b", `{"a":"`+strings.Repeat("é", 127)+`","b":"\u0001\ud800\"\\"}`, ^uint64(0), uint64(0), int64(-1<<63))
	f.Fuzz(func(t *testing.T, where, traits string, n, sessions uint64, sum int64) {
		if len(traits) > 1<<16 {
			t.Skip()
		}
		began := time.Now()
		m := loadCondition(t, oneStage+"personas: [{name: p, where: %s}]", where)
		if m == nil {
			return
		}
		b := &journey.Behaviour{
			Traits: make([]string, len(m.Traits)), Touchpoints: n, Sessions: sessions, Journeys: 1, RevenueMicros: sum,
			SentimentSum: sum % 1000, SentimentCount: n % 1000,
		}
		for range m.CountedEvents {
			b.EventCounts = append(b.EventCounts, n)
		}
		for range m.CountedChannels {
			b.ChannelCounts = append(b.ChannelCounts, n)
		}
		last := -1
		for _, tr := range m.ReadTraits(traits) {
			if tr.Index <= last || tr.Index >= len(m.Traits) || len(tr.Value) > journey.MaxTrait {
				t.Fatalf("trait %d (after %d) has %d bytes", tr.Index, last, len(tr.Value))
			}
			if tr.Value != "" && !json.Valid([]byte(tr.Value)) {
				t.Fatalf("%q is no JSON", tr.Value)
			}
			last, b.Traits[tr.Index] = tr.Index, tr.Value
		}
		if first, second := m.Personas[0].Where(b), m.Personas[0].Where(b); first != second {
			t.Fatal("two answers")
		}
		if took := time.Since(began); took > slow {
			t.Fatalf("took %v", took)
		}
	})
}
