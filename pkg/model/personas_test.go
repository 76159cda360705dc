package model_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

func personaModel(where string) string {
	return oneStage + "personas: [{name: p, where: '" + where + "'}]"
}

// behaviour is what a model knows of a customer who did and has these things.
func behaviour(m *journey.Model, traits string, counts map[string]uint64) *journey.Behaviour {
	b := &journey.Behaviour{
		Traits:        make([]string, len(m.Traits)),
		EventCounts:   make([]uint64, len(m.CountedEvents)),
		ChannelCounts: make([]uint64, len(m.CountedChannels)),
	}
	for _, tr := range m.ReadTraits(traits) {
		b.Traits[tr.Index] = tr.Value
	}
	for i, name := range m.CountedEvents {
		b.EventCounts[i] = counts[name]
	}
	for i, name := range m.CountedChannels {
		b.ChannelCounts[i] = counts[name]
	}
	return b
}

func TestPersonas(t *testing.T) {
	traits := `{"coupons_used":3,"plan":"pro","vip":true,"b c":1.5,"gone":null,"address":{"city":"Graz"},"quote":"say \"hi\"\n"}`
	for where, want := range map[string]bool{
		`traits.coupons_used > 2`:         true,
		`traits.coupons_used == 3`:        true,
		`traits["coupons_used"] > 3`:      false,
		`traits["b c"] == 1.5`:            true,
		`traits.plan in ["pro", "team"]`:  true,
		`traits.plan.startsWith("p")`:     true,
		`traits.vip`:                      true,
		`traits.quote == "say \"hi\"\n"`:  true,
		`has(traits.plan)`:                true,
		`"plan" in traits`:                true,
		`has(traits.none)`:                false,
		`!has(traits.none)`:               true,
		`"none" in traits`:                false,
		`!("gone" in traits)`:             true,
		`has(traits.address)`:             false, // an object is not kept
		`traits.none == 2`:                false,
		`traits.none != 2`:                false,
		`!(traits.none > 2)`:              false,
		`traits.none > 2 || sessions > 0`: true,
		// Counts are there, always.
		`events.order_completed >= 2`:         true,
		`events["Order Completed"] == 2`:      true,
		`events.never == 0`:                   true,
		`events.never >= 1`:                   false,
		`!(events.never >= 1)`:                true,
		`channels.store > channels["Web"]`:    true,
		`channels.app == 0`:                   true,
		`touchpoints == 7 && sessions == 3`:   true,
		`journeys > 1`:                        true,
		`revenue > 49`:                        true,
		`revenue == 49.5`:                     true,
		`sentiment <= -0.33`:                  true,
		`sentiment == -0.33`:                  true,
		`revenue / double(sessions) == 16.5`:  true,
		`["pro"].exists(x, traits.plan == x)`: true,
	} {
		m := load(t, personaModel(where), model.OnWhereError(func(w string, err error) { t.Errorf("%s: %v", w, err) }))
		b := behaviour(m, traits, map[string]uint64{"order_completed": 2, "store": 4, "web": 3})
		b.Touchpoints, b.Sessions, b.Journeys = 7, 3, 2
		b.RevenueMicros, b.SentimentSum, b.SentimentCount = 49_500_000, -100, 3
		require.Equal(t, want, m.Personas[0].Where(b), where)
	}
}

func TestPersonaWithoutEvidence(t *testing.T) {
	var failed []string
	hook := model.OnWhereError(func(where string, err error) { failed = append(failed, where) })
	m := load(t, personaModel("sentiment < 1.0 || sentiment >= 1.0"), hook)
	require.False(t, m.Personas[0].Where(&journey.Behaviour{}))
	require.Empty(t, failed)
	m = load(t, personaModel("traits.plan > 2"), hook)
	require.False(t, m.Personas[0].Where(behaviour(m, `{"plan":"pro"}`, nil)))
	require.Equal(t, []string{"traits.plan > 2"}, failed)
	m = load(t, personaModel("events.a == 0 && touchpoints > 5"))
	require.True(t, m.Personas[0].Where(&journey.Behaviour{Touchpoints: math.MaxUint64}), "a count never turns negative")
}

// Only what conditions name is kept of a customer.
func TestPersonasNameWhatIsKept(t *testing.T) {
	m := load(t, oneStage+`personas:
- {name: a, where: 'traits.z == 1 || events.Zeta > 1 || channels.Web > 0'}
- {name: b, where: 'has(traits.a) && "m" in traits && traits["z"] == 2'}
- {name: c, where: 'events["Order Completed"] + events.orderCompleted + events.order_completed > 3 && channels.store > 1 && .traits.dot == 1'}
`)
	require.Equal(t, []string{"a", "dot", "m", "z"}, m.Traits)
	require.Equal(t, []string{"order_completed", "zeta"}, m.CountedEvents)
	require.Equal(t, []string{"store", "web"}, m.CountedChannels)
	require.Equal(t, []string{"order_completed", "zeta"}, m.Events)
	require.Equal(t, "c", m.Personas[2].Name)
	b := behaviour(m, `{"dot":1}`, map[string]uint64{"order_completed": 2, "store": 2})
	require.True(t, m.Personas[2].Where(b), "three spellings of one event")
	b.Traits[1] = ""
	require.False(t, m.Personas[2].Where(b))
}

func TestReadTraits(t *testing.T) {
	m := load(t, personaModel("traits.a == 1 || traits.b == 2 || has(traits.c)"))
	long := strings.Repeat("x", journey.MaxTrait-2)
	for text, want := range map[string]string{
		``:                              ``,
		`{}`:                            ``,
		`{"d":1}`:                       ``,
		`null`:                          ``,
		`[1]`:                           ``,
		`{"a":1`:                        ``,
		`{"a":1}`:                       `0=1`,
		`{"c":true,"a":"x","z":9}`:      `0="x" 2=true`,
		`{"b":false,"a":-1.50e3}`:       `0=-1.50e3 1=false`,
		`{"a":null}`:                    `0=`,
		`{"a":{}, "b":[1]}`:             `0= 1=`,
		`{"a":""}`:                      `0=""`,
		`{"a":nan,"b":-inf}`:            `0= 1=`,
		`{"a":1-2,"b":01,"c":1.}`:       `0= 1= 2=`, // the parser lets it pass; it is no number of JSON
		`{"a":1,"a":2}`:                 `0=1`,      // the first counts
		`{"\u0061":1}`:                  `0=1`,
		`{"a":"\u00e9\"\\\n\u0001<\/"}`: `0="é\"\\\n\u0001</"`, // always JSON
		`{"a":"` + long + `"}`:          `0="` + long + `"`,
		`{"a":"` + long + `x"}`:         `0=`,
		`{"a":` + strings.Repeat("1", journey.MaxTrait) + `}`:   `0=` + strings.Repeat("1", journey.MaxTrait),
		`{"a":` + strings.Repeat("1", journey.MaxTrait+1) + `}`: `0=`,
		`{"o":{"a":1}}`: ``,
	} {
		var got []string
		for _, tr := range m.ReadTraits(text) {
			got = append(got, fmt.Sprintf("%d=%s", tr.Index, tr.Value))
		}
		require.Equal(t, want, strings.Join(got, " "), text)
	}
	require.Nil(t, load(t, personaModel("true")).ReadTraits(`{"a":1}`))
}

func TestPersonaLimits(t *testing.T) {
	persona := func(i int, where string) string { return fmt.Sprintf("- {name: p%d, where: '%s'}\n", i, where) }
	list := func(n int, where func(int) string) string {
		return oneStage + "personas:\n" + times(n, func(i int) string { return persona(i, where(i)) })
	}
	yes := func(int) string { return "true" }
	_, err := model.Load([]byte(list(model.MaxPersonas, yes)), "j.yaml")
	require.NoError(t, err)
	_, err = model.Load([]byte(list(model.MaxPersonas+1, yes)), "j.yaml")
	require.EqualError(t, err, "j.yaml:4:1: there are 33 personas; a model may have 32")
	for _, kind := range []string{"traits", "events", "channels"} {
		pairs := func(i int) string { return fmt.Sprintf("%s.a%d == 1 || %s.b%d == 1", kind, i, kind, i) }
		_, err = model.Load([]byte(list(model.MaxNames/2, pairs)), "j.yaml")
		require.NoError(t, err)
		text := strings.Replace(list(model.MaxNames/2, pairs), ".a0 ==", ".c == 2 || "+kind+".a0 ==", 1)
		_, err = model.Load([]byte(text), "j.yaml")
		require.EqualError(t, err, fmt.Sprintf("j.yaml:4:1: the personas use 65 %s together; they may use 64", kind))
	}
	friction := func(n int) string {
		return oneStage + "friction:\n" + times(n, func(i int) string { return fmt.Sprintf("- {name: f%d, event: boom}\n", i) })
	}
	_, err = model.Load([]byte(friction(model.MaxFrictions)), "j.yaml")
	require.NoError(t, err)
	_, err = model.Load([]byte(friction(model.MaxFrictions+1)), "j.yaml")
	require.EqualError(t, err, "j.yaml:4:1: there are 33 frictions; a model may have 32")
}

// A condition that costs too much is false, and counted.
func TestPersonaCostIsBounded(t *testing.T) {
	failed := 0
	m := load(t, personaModel("[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, a+b+c+d < sessions))))"),
		model.OnWhereError(func(string, error) { failed++ }))
	require.False(t, m.Personas[0].Where(&journey.Behaviour{Sessions: 100}))
	require.Equal(t, 1, failed)
}

func TestPersonasAreSafeForConcurrentUse(t *testing.T) {
	m := load(t, personaModel("traits.plan == \"pro\" && events.order_completed >= 2"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				b := behaviour(m, `{"x":1,"plan":"pro"}`, map[string]uint64{"order_completed": 2})
				if !m.Personas[0].Where(b) || m.Personas[0].Where(behaviour(m, `{}`, nil)) {
					t.Error("wrong answer")
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkPersonas(b *testing.B) {
	m, err := model.Builtin("shop")
	require.NoError(b, err)
	known := behaviour(m, `{"coupons_used":2,"city":"Graz"}`, map[string]uint64{"store": 1})
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range m.Personas {
			p.Where(known)
		}
	}
}

func BenchmarkReadTraits(b *testing.B) {
	m := load(b, personaModel("traits.coupons_used > 2 || has(traits.loyalty)"))
	b.ReportAllocs()
	for b.Loop() {
		m.ReadTraits(`{"firstName":"Anna","email":"anna.7@mail.example","city":"Graz","loyalty":"silver","coupons_used":3}`)
	}
}
