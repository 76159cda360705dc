package model_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

func whereModel(where string) string {
	return "version: 1\nstages: [{name: a, enter: [{where: '" + where + "'}]}]"
}

func TestWhere(t *testing.T) {
	p := &journey.Touchpoint{
		Type: "track", Event: "comparison_viewed", Channel: "web", Actor: "customer", Source: "shop",
		Page:          journey.Page{Path: "/pricing/teams", URL: "https://x/pricing/teams"},
		Campaign:      journey.Campaign{Name: "spring"},
		RevenueMicros: 49_500_000,
		Properties:    `{"items":3,"price":9.5,"name":"Tent","vip":true,"nothing":null,"tags":["a","b"],"cart":{"total":80},"a\"b":1}`,
		Traits:        `{"coupons_used":3}`,
	}
	for where, want := range map[string]bool{
		`properties.items >= 2`:                              true,
		`properties.items == 3`:                              true,
		`properties.items > 3`:                               false,
		`properties.price > 9`:                               true,
		`properties.name == "Tent"`:                          true,
		`properties.name.startsWith("T")`:                    true,
		`properties.vip`:                                     true,
		`properties.cart.total > 79.5`:                       true,
		`"b" in properties.tags`:                             true,
		`properties.tags[0] == "a"`:                          true,
		`properties["items"] == 3`:                           true,
		`"items" in properties`:                              true,
		`size(properties) == 7`:                              true, // a null is absent
		`properties.tags.exists(t, t == "b")`:                true,
		`traits.coupons_used > 2`:                            true,
		`event == "comparison_viewed" && type == "track"`:    true,
		`channel == "web" && actor == "customer"`:            true,
		`source == "till"`:                                   false,
		`page.path.matches("^/pricing")`:                     true,
		`campaign.name == "spring" && campaign.source == ""`: true,
		`revenue > 49`:                                       true,
		`revenue == 49.5`:                                    true,
		// What is missing makes a rule false, whichever way it is asked.
		`properties.missing > 2`:                     false,
		`properties.missing == 2`:                    false,
		`properties.missing != 2`:                    false,
		`!(properties.missing > 2)`:                  false,
		`properties.nothing != 2`:                    false,
		`properties.cart.missing > 2`:                false,
		`properties.tags[7] == "a"`:                  false,
		`has(properties.missing)`:                    false,
		`!has(properties.missing)`:                   true,
		`properties.missing > 2 || event.size() > 0`: true,
		`sentiment >= 1`:                             false,
		`properties.missing.deeper.still == 1`:       false,
		`traits.missing == "x" || properties.also_missing == properties.items`: false,
	} {
		m := load(t, whereModel(where), model.OnWhereError(func(w string, err error) { t.Errorf("%s: %v", w, err) }))
		require.Equal(t, want, m.Match(p) != 0, where)
	}
}

func TestWhereWithoutProperties(t *testing.T) {
	m := load(t, whereModel("properties.items >= 2"))
	for _, text := range []string{"", "{}", "null", "[]", "3", "{broken"} {
		require.Zero(t, m.Match(&journey.Touchpoint{Properties: text}), text)
	}
}

// Errors that are not absence are false, and counted.
func TestWhereErrorsAreCounted(t *testing.T) {
	var failed []string
	hook := model.OnWhereError(func(where string, err error) { failed = append(failed, where+": "+err.Error()) })
	for where, properties := range map[string]string{
		`properties.items >= 2`:                            `{"items":"many"}`,
		`properties.items`:                                 `{"items":7}`,
		`1 / int(properties.items) == 1`:                   `{"items":0}`,
		`properties.l.all(a, properties.l.all(b, a == b))`: `{"l":[` + strings.Repeat("1,", 3000) + `1]}`, // too costly
	} {
		failed = nil
		m := load(t, whereModel(where), hook)
		require.Zero(t, m.Match(&journey.Touchpoint{Properties: properties}), where)
		require.Len(t, failed, 1, where)
		require.Contains(t, failed[0], where)
	}
}

func TestWhereIsSafeForConcurrentUse(t *testing.T) {
	m := load(t, whereModel("properties.items >= 2"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if m.Match(&journey.Touchpoint{Properties: `{"items":2}`}) == 0 || m.Match(&journey.Touchpoint{Properties: `{"items":1}`}) != 0 {
					t.Error("wrong answer")
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkWhere(b *testing.B) {
	m := load(b, whereModel("properties.items >= 2"))
	p := &journey.Touchpoint{Properties: `{"name":"Tent","items":3,"price":9.5}`}
	b.ReportAllocs()
	for b.Loop() {
		if m.Match(p) == 0 {
			b.Fatal("no match")
		}
	}
}
