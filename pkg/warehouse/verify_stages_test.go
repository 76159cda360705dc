package warehouse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

const foldModel = `
version: 1
stages:
  - name: awareness
    enter:
      - {type: page}
      - {events: [glanced], at_least: 2}
  - name: consideration
    substages: [look, compare]
    enter:
      - {substage: look, events: [viewed], at_least: 3, within: 10m}
      - {substage: compare, events: [compared], where: 'properties.items >= 2', channels: [web]}
  - name: purchase
    enter:
      - {events: [bought], actor: customer}
  - name: retention
    returns: [awareness, consideration]
    enter:
      - {events: [used], after: purchase}
`

// A story of one customer, a touchpoint every minute, and what it comes to. The
// arithmetic: the second glance is enough; of views at 1, 2, 20, 25 and 29 the fifth is the first with two more in ten
// minutes; one product is no comparison; "used" counts once something was bought;
// buying again in retention leads nowhere, looking again leads back.
func TestVerifyFoldsTheStages(t *testing.T) {
	m, err := model.Load([]byte(foldModel), "fold.yaml")
	require.NoError(t, err)
	h := newHouse(t)
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, m))
	const who = "anonymous:a"
	var points []*wirepb.Touchpoint
	add := func(at int, event string, edit ...func(*wirepb.Touchpoint)) {
		p := touch(fmt.Sprintf("m%02d", at), who, minute(at))
		p.Event, p.SessionId = event, "s1"
		for _, e := range edit {
			e(p)
		}
		points = append(points, p)
	}
	with := func(properties string) func(*wirepb.Touchpoint) {
		return func(p *wirepb.Touchpoint) { p.Properties = properties }
	}
	add(0, "used")
	add(1, "viewed")
	add(2, "viewed")
	add(3, "compared", with(`{"items":1}`))
	add(4, "compared", with(`{"items":"3"}`))
	add(7, "glanced")
	add(8, "glanced")
	add(9, "page_viewed", func(p *wirepb.Touchpoint) { p.Type = "page" })
	add(6, "page_viewed", func(p *wirepb.Touchpoint) { p.Type, p.Flags = "page", journey.FlagAsset })
	add(20, "viewed")
	add(25, "viewed")
	add(29, "viewed")
	add(40, "compared", with(`{"items":2}`), func(p *wirepb.Touchpoint) { p.Channel = "store" })
	add(41, "compared", with(`{"items":2.5}`))
	add(42, "viewed")
	add(50, "bought", func(p *wirepb.Touchpoint) { p.Actor, p.SessionId = "business", "" })
	add(51, "bought")
	add(60, "used")
	add(61, "bought")
	add(62, "compared", with(`{"items":9}`))
	h.touchpoints(points...)
	h.sessions(&wirepb.Session{SessionId: "s1", Identifier: who, StartedMs: minute(0), EndedMs: minute(62), MintedMs: minute(0), Touchpoints: 19, Revision: 1})
	h.journeys(&wirepb.Journey{JourneyId: "j1", Profile: who, StartedMs: minute(0), EndedMs: minute(62), MintedMs: minute(0), Transitions: 6, Stage: "consideration", Revision: 1})
	step := func(seq uint32, at int, from, to, substage, direction string) {
		s := goodStep(seq, fmt.Sprintf("m%02d", at), from, to, minute(at))
		s.Substage, s.Direction = substage, direction
		h.transitions(s)
	}
	step(1, 8, "", "awareness", "", "advance")
	step(2, 29, "awareness", "consideration", "look", "advance")
	step(3, 41, "consideration", "consideration", "compare", "within")
	step(4, 51, "consideration", "purchase", "", "advance")
	step(5, 60, "purchase", "retention", "", "advance")
	step(6, 62, "retention", "consideration", "compare", "return")
	check := func() Check {
		r, err := Verify(t.Context(), h.conn, h.ns, VerifyOptions{Model: m, Condition: model.WhereSQL})
		require.NoError(t, err)
		require.Empty(t, r.NotFolded)
		last := r.Checks[len(r.Checks)-1]
		require.Equal(t, "stages of journeys", last.Name)
		return last
	}
	right := check()
	require.Equal(t, Check{Name: right.Name, Expected: 6, Found: 6}, right)

	// Mistakes that no check of numbers and joints finds.
	for _, wrong := range []struct {
		change func()
		want   string
	}{
		{func() { step(2, 42, "awareness", "consideration", "look", "advance") }, "journey j1, transition 2: computed 2026-03-01 12:29:00.000 to consideration/look by m29, found 2026-03-01 12:42:00.000"},
		{func() { step(2, 29, "awareness", "consideration", "compare", "advance") }, "transition 2: computed 2026-03-01 12:29:00.000 to consideration/look by m29, found 2026-03-01 12:29:00.000 to consideration/compare by m29"},
		{func() { step(7, 62, "consideration", "consideration", "look", "within") }, "transition 7: computed none, found"},
	} {
		h.exec("TRUNCATE TABLE " + h.ns + ".transitions")
		step(1, 8, "", "awareness", "", "advance")
		step(3, 41, "consideration", "consideration", "compare", "within")
		step(4, 51, "consideration", "purchase", "", "advance")
		step(5, 60, "purchase", "retention", "", "advance")
		step(6, 62, "retention", "consideration", "compare", "return")
		if !strings.Contains(wrong.want, "transition 2") {
			step(2, 29, "awareness", "consideration", "look", "advance")
		}
		wrong.change()
		c := check()
		require.EqualValues(t, 1, c.Differences)
		require.Contains(t, c.Examples[0], wrong.want)
	}
}

func TestVerifySaysWhyItDoesNotFold(t *testing.T) {
	h := newHouse(t)
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shop()))
	for text, want := range map[string]string{
		"":     "the model given is other",
		"a":    "stage a, rule 1: it reads traits",
		"b2b":  "it asks for intent",
		"tail": "stage b, rule 1: it counts what comes after a stage",
	} {
		var m *journey.Model
		var err error
		switch text {
		case "b2b":
			m, err = model.Builtin("b2b")
		case "tail":
			m, err = model.Load([]byte("version: 1\nstages: [{name: a, enter: [{type: page}]}, {name: b, enter: [{events: [x], after: a, at_least: 2}]}]"), "other.yaml")
		default:
			m, err = model.Load([]byte("version: 1\nstages: [{name: a, enter: [{type: page, where: 'traits.x == 1'}]}]"), "other.yaml")
		}
		require.NoError(t, err)
		if text != "" {
			require.NoError(t, PutModel(t.Context(), h.conn, h.ns, m))
		}
		r, err := Verify(t.Context(), h.conn, h.ns, VerifyOptions{Model: m, Condition: model.WhereSQL})
		require.NoError(t, err)
		require.Contains(t, r.NotFolded, want)
		require.Contains(t, r.String(), "not folded again")
	}
}

// Conditions in SQL answer as they do in CEL, on touchpoints that try to divide the
// two: absent values, values of another type, null, errors beside an answer.
func TestConditionsInSQLAnswerAsInCEL(t *testing.T) {
	h := newHouse(t)
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shop()))
	var points []*wirepb.Touchpoint
	for i, properties := range []string{
		``, `{}`, `{"n":1}`, `{"n":2.5,"s":"abc"}`, `{"n":"2","s":7,"b":true}`, `{"n":null,"b":false}`, `{"n":-3,"s":"","o":{"k":"v","n":4}}`, `{"o":"text","b":"true"}`,
		`{"n":18446744073709551615,"s":"it's \\ \"so\""}`, `{"n":[1],"s":["abc"],"o":{}}`, `{"n":true}`, `not json`,
	} {
		p := touch(fmt.Sprintf("p%02d", i), "anonymous:a", minute(i))
		p.Properties, p.PagePath, p.RevenueMicros = properties, []string{"/pricing/x", "", "/a'b"}[i%3], int64(i)*1_500_000
		if i%2 == 0 {
			p.Sentiment, p.SentimentSource = int32(i*25-100), "nps"
		}
		points = append(points, p)
	}
	h.touchpoints(points...)
	for _, where := range []string{
		`properties.n >= 2`, `properties.n < 2`, `properties.n == 1`, `properties.n != 1`, `!(properties.n == 1)`, `properties.s == "abc"`, `properties.s != "abc"`, `properties.s < "b"`,
		`properties.b == true`, `properties.b`, `!properties.b`, `properties.b == "true"`, `has(properties.n)`, `!has(properties.n) || properties.n > 2`, `has(properties.n) && properties.n > 2`,
		`properties.n > 2 || properties.s == "abc"`, `properties.n > 2 && properties.s == "abc"`, `properties.o.k == "v"`, `properties.o.n > 3`, `properties.o.n != 4`,
		`properties.n in [1, 2.5, "2"]`, `!(properties.s in ["abc"])`, `properties.s.startsWith("a")`, `properties.s.contains("\\ \"so")`, `page.path.startsWith("/pricing")`, `page.path.endsWith("a'b")`,
		`page.path == ""`, `revenue >= 3.0`, `revenue > 2`, `sentiment >= 1`, `sentiment < 0`, `!(sentiment >= 1)`, `event == "product_viewed"`, `channel in ["web", "app"]`, `type != "page"`,
		`actor == "customer" && source == "shop"`, `campaign.source == ""`, `-1 * 0 == 0 || true`, `properties.n > -4`, `properties.s.contains(page.path)`, `1 == 1 && "a" < "b"`, `properties.n > 1e3`,
	} {
		m, err := model.Load([]byte("version: 1\nstages: [{name: a, enter: [{where: "+yamlText(where)+"}]}]"), "m.yaml")
		require.NoError(t, err, where)
		sql, err := model.WhereSQL(where)
		if strings.Contains(where, "*") {
			require.ErrorContains(t, err, "it calls *", where)
			continue
		}
		require.NoError(t, err, where)
		var want []string
		for _, p := range points {
			touchpoint := &journey.Touchpoint{
				Properties: p.Properties, Event: p.Event, Type: p.Type, Channel: p.Channel, Actor: p.Actor, Source: p.Source, Page: journey.Page{Path: p.PagePath},
				RevenueMicros: p.RevenueMicros, Sentiment: p.Sentiment, SentimentSource: p.SentimentSource,
			}
			if m.Stages[0].Rules[0].Where(touchpoint) {
				want = append(want, p.MessageId)
			}
		}
		require.ElementsMatch(t, want, h.bi("message_id", "v_touchpoints WHERE "+sql), "%s\n%s", where, sql)
	}
}

func yamlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
