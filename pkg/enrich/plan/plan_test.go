package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/enrich/plan"
	"github.com/cairnhq/cairn/pkg/journey"
)

const shop = `version: 1
mode: reject
unknown_events: warn
events:
  Order Completed:
    description: money came in
    properties:
      revenue: {type: number, required: true, minimum: 0, maximum: 100000}
      currency: {type: string, enum: [EUR, USD]}
      count: {type: integer}
      code: {type: string, pattern: "^[A-Z]{3}"}
      gift: {type: boolean}
      level: {enum: [1, 2.5, gold, true]}
      a/b~c: {type: string}
      customer:
        type: object
        properties:
          tier: {type: string, required: true}
      products:
        type: array
        items:
          type: object
          properties:
            sku: {type: string, required: true}
            price: {type: number}
    additional: warn
  page_viewed: {mode: warn, properties: {title: {required: true}}}
  identify:
    mode: warn
    traits: {plan: {type: string, enum: [free, pro]}}
    additional: reject
`

func parse(tb testing.TB, text string) *plan.Plan {
	tb.Helper()
	p, err := plan.Parse([]byte(text), "plan.yaml")
	require.NoError(tb, err)
	return p
}

// said is a verdict as lines.
func said(v plan.Verdict) string {
	var b strings.Builder
	for _, x := range v.Violations {
		b.WriteString(x.Action.String() + " " + x.Kind + " " + x.Pointer + ": " + x.Message + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestCheck(t *testing.T) {
	p := parse(t, shop)
	require.Equal(t, 3, p.Events())
	for name, c := range map[string]struct{ event, properties, want string }{
		"right":                {"order_completed", `{"revenue":1,"currency":"EUR","count":3.0,"code":"ABCD","gift":false,"customer":{"tier":"x"},"products":[{"sku":"1"}],"level":2.50}`, ""},
		"nothing":              {"order_completed", ``, "reject missing /properties/revenue: is missing"},
		"null is absent":       {"order_completed", `{"revenue":null}`, "reject missing /properties/revenue: is missing"},
		"a text for a number":  {"order_completed", `{"revenue":"1"}`, "reject wrong_type /properties/revenue: is string, want number"},
		"not in the enum":      {"order_completed", `{"revenue":1,"currency":"GBP"}`, `reject not_in_enum /properties/currency: is none of "EUR", "USD"`},
		"a fraction":           {"order_completed", `{"revenue":1,"count":3.5}`, "reject wrong_type /properties/count: is number, want integer"},
		"below":                {"order_completed", `{"revenue":-0.01}`, "reject out_of_range /properties/revenue: is -0.01, want 0 to 100000"},
		"above":                {"order_completed", `{"revenue":1e400}`, "reject out_of_range /properties/revenue: is 1e400, want 0 to 100000"},
		"no match":             {"order_completed", `{"revenue":1,"code":"ab"}`, `reject no_match /properties/code: does not match "^[A-Z]{3}"`},
		"inside an object":     {"order_completed", `{"revenue":1,"customer":{}}`, "reject missing /properties/customer/tier: is missing"},
		"inside a list":        {"order_completed", `{"revenue":1,"products":[{"sku":"1"},{"price":"x"},7]}`, "reject wrong_type /properties/products/1/price: is string, want number\nreject missing /properties/products/1/sku: is missing\nreject wrong_type /properties/products/2: is number, want object"},
		"a name with / and ~":  {"order_completed", `{"revenue":1,"a/b~c":1}`, "reject wrong_type /properties/a~1b~0c: is number, want string"},
		"another property":     {"order_completed", `{"revenue":1,"colour":"red"}`, `warn additional /properties/colour: the tracking plan does not list "colour"`},
		"twice: the last":      {"order_completed", `{"revenue":"x","revenue":1}`, ""},
		"an enum of all kinds": {"order_completed", `{"revenue":1,"level":false}`, `reject not_in_enum /properties/level: is none of 1, 2.5, "gold", true`},
		"another event":        {"door_opened", `{}`, `warn unknown_event /event: the tracking plan has no event "door_opened"`},
		"an event's own mode":  {"page_viewed", `{"title":null}`, "warn missing /properties/title: is missing"},
	} {
		require.Equal(t, c.want, said(p.Check(&journey.Touchpoint{Type: "track", Event: c.event, Properties: c.properties})), name)
	}
	require.Equal(t, "reject additional /traits/x: the tracking plan does not list \"x\"\nwarn not_in_enum /traits/plan: is none of \"free\", \"pro\"",
		said(p.Check(&journey.Touchpoint{Type: "identify", Event: "identify", Traits: `{"x":1,"plan":"gold"}`})))
	require.Empty(t, said(p.Check(&journey.Touchpoint{Type: "group", Event: "group"})), "only track calls have events of the customer's own")
}

func TestTheWorstViolationIsTold(t *testing.T) {
	p := parse(t, shop)
	v := p.Check(&journey.Touchpoint{Type: "track", Event: "order_completed", Properties: `{"a":1,"b":1,"revenue":"x","gift":1}`})
	require.Equal(t, plan.Reject, v.Action)
	worst, ok := v.Worst()
	require.True(t, ok)
	require.Equal(t, "/properties/gift", worst.Pointer)
	require.Equal(t, "is number, want boolean; and 3 more", worst.Message)
	list := strings.TrimSuffix(strings.Repeat(`7,`, 500), ",")
	v = p.Check(&journey.Touchpoint{Type: "track", Event: "order_completed", Properties: `{"revenue":1,"products":[` + list + `]}`})
	require.Len(t, v.Violations, 10)
	require.Equal(t, 490, v.More)
}

func TestNoPlanAllowsEverything(t *testing.T) {
	var p *plan.Plan
	require.Zero(t, p.Check(&journey.Touchpoint{Type: "track", Event: "e", Properties: `{"a":1}`}))
	p, err := plan.Load("")
	require.NoError(t, err)
	require.Nil(t, p)
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Check(&journey.Touchpoint{Type: "track", Event: "e"}) }))
	p = parse(t, shop)
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Check(&journey.Touchpoint{Type: "page", Event: "x", Properties: `{"a":1}`}) }), "events that are not in the plan cost a look into a map")
}

func TestMistakesOfAPlanHaveTheirPlace(t *testing.T) {
	for want, text := range map[string]string{
		`plan.yaml:1:1: "version" is missing`:                                                              "events: {}\n",
		"plan.yaml:1:10: value must be 1":                                                                  "version: 2\n",
		`plan.yaml:2:1: unknown key "evnts"`:                                                               "version: 1\nevnts: {}\n",
		"plan.yaml:2:7: value must be one of 'warn', 'reject'":                                             "version: 1\nmode: drop\n",
		`plan.yaml:5:17: value must be one of 'string', 'number', 'integer', 'boolean', 'object', 'array'`: "version: 1\nevents:\n  a:\n    properties:\n      b: {type: decimal}\n",
		`plan.yaml:5:25: unknown key "requird"`:                                                            "version: 1\nevents:\n  a:\n    properties:\n      b: {type: string, requird: true}\n",
		"plan.yaml:5:21: got string, want boolean":                                                         "version: 1\nevents:\n  a:\n    properties:\n      b: {required: maybe}\n",
		`plan.yaml:4:3: the event "order_completed" stands there twice: names are compared in snake case`:  "version: 1\nevents:\n  Order Completed: {}\n  order_completed: {}\n",
		"plan.yaml:5:25: pattern is for a value of type string, this one is number":                        "version: 1\nevents:\n  a:\n    properties:\n      b: {type: number, pattern: x}\n",
		"plan.yaml:5:20: pattern is no regular expression":                                                 "version: 1\nevents:\n  a:\n    properties:\n      b: {pattern: \"(\"}\n",
		"plan.yaml:5:32: maximum is below minimum: no number fits":                                         "version: 1\nevents:\n  a:\n    properties:\n      b: {minimum: 3, maximum: 2}\n",
		"plan.yaml:3:7: additional says nothing without properties or traits: list some, or none with {}":  "version: 1\nevents:\n  a: {additional: warn}\n",
		"plan.yaml:2:7: ": "version: 1\nmode: [\n",
		"plan.yaml: a tracking plan is one YAML document that begins": "",
		"plan.yaml:1:1: got array, want object":                       "[]\n",
	} {
		p, err := plan.Parse([]byte(text), "plan.yaml")
		require.ErrorContains(t, err, want, text)
		require.Nil(t, p)
	}
	_, err := plan.Parse([]byte("version: 3\nmode: x\n"), "plan.yaml")
	require.ErrorContains(t, err, "plan.yaml:1:10")
	require.ErrorContains(t, err, "plan.yaml:2:7")
	_, err = plan.Load("no/such/plan.yaml")
	require.ErrorContains(t, err, "read the tracking plan")
}

// Whatever the file and the touchpoint, there is no panic, the answer is the same
// twice, and what a plan that only warns says is never to reject.
func TestCheckIsPure(t *testing.T) {
	strict, lenient := parse(t, shop), parse(t, strings.NewReplacer("mode: reject", "mode: warn", "additional: reject", "additional: warn").Replace(shop))
	value := rapid.SampledFrom([]any{nil, 1, -1.5, "EUR", "", true, []any{}, []any{1, map[string]any{"sku": 1}}, map[string]any{}, map[string]any{"tier": "x"}})
	name := rapid.SampledFrom([]string{"revenue", "currency", "count", "code", "gift", "products", "customer", "plan", "title", "x", ""})
	rapid.Check(t, func(rt *rapid.T) {
		raw, err := json.Marshal(rapid.MapOf(name, value).Draw(rt, "properties"))
		require.NoError(rt, err)
		tp := journey.Touchpoint{
			Type:       rapid.SampledFrom([]string{"track", "page", "identify"}).Draw(rt, "type"),
			Event:      rapid.SampledFrom([]string{"order_completed", "page_viewed", "identify", "other"}).Draw(rt, "event"),
			Properties: string(raw), Traits: string(raw),
		}
		v := strict.Check(&tp)
		require.Equal(rt, v, strict.Check(&tp))
		w := lenient.Check(&tp)
		require.NotEqual(rt, plan.Reject, w.Action)
		require.Len(rt, w.Violations, len(v.Violations))
		require.Equal(rt, v.Action == plan.Allow, w.Action == plan.Allow)
	})
}

func BenchmarkCheck(b *testing.B) {
	p := parse(b, shop)
	tp := journey.Touchpoint{Type: "track", Event: "order_completed", Properties: `{"revenue":49.90,"currency":"EUR","products":[{"sku":"1","price":1},{"sku":"2","price":2}],"order_id":"o-7"}`}
	for b.Loop() {
		p.Check(&tp)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(shop))
	f.Add([]byte("version: 1\nevents: {a: {properties: {b: {items: {items: {enum: [1]}}}}}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := plan.Parse(text, "plan.yaml")
		require.Equal(t, err == nil, p != nil)
		p.Check(&journey.Touchpoint{Type: "track", Event: "a", Properties: `{"b":[[2]]}`})
	})
}
