package enrich_test

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/enrich"
	"github.com/cairnhq/cairn/pkg/journey"
)

// TestWhatIsAddedFollowsFromTheTouchpoint: whatever came before, however much, and
// though the memory of each record is used for the next one.
func TestWhatIsAddedFollowsFromTheTouchpoint(t *testing.T) {
	rules := enrich.Builtin()
	old := &enrich.Enricher{Rules: rules}
	for i := range 9000 { // beyond every bound
		old.Apply(&journey.Touchpoint{
			Channel: "web", UserAgent: fmt.Sprintf("till %d", i), Campaign: journey.Campaign{Source: fmt.Sprint("s", i)}, Page: journey.Page{Referrer: fmt.Sprintf("https://h%d.example/", i)},
		})
	}
	hosts := []string{"", "https://www.google.com/", "https://news.site.example/x", "https://shop.example/", "https://chatgpt.com", "https://h8999.example/", "https://h1.example/"}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, list ...string) string { return rapid.SampledFrom(list).Draw(t, name) }
		one := journey.Touchpoint{
			Type: "page", Channel: draw("channel", "", "web", "store", "kiosk"), UserAgent: draw("agent", "", "till 1", "till 8999", "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"),
			Page:     journey.Page{URL: draw("url", "", "https://shop.example/?utm_source=google&gclid=1", "https://shop.example/?fbclid=2", "https://www.shop.example/?utm_medium=a%20b"), Referrer: draw("referrer", hosts...)},
			Campaign: journey.Campaign{Source: draw("source", "", "s1", "s8999", "google"), Medium: draw("medium", "", "cpc", "email")},
		}
		want := one
		(&enrich.Enricher{Rules: rules}).Apply(&want)
		var buffers [][]byte
		alias := func(s string) string {
			if s == "" {
				return ""
			}
			b := []byte(s)
			buffers = append(buffers, b)
			return unsafe.String(&b[0], len(b))
		}
		got := one
		for _, s := range []*string{&got.Channel, &got.UserAgent, &got.Page.URL, &got.Page.Referrer, &got.Campaign.Source, &got.Campaign.Medium} {
			*s = alias(*s)
		}
		old.Apply(&got)
		require.Equal(t, want, got)
		for _, b := range buffers { // as the memory of a record is used again
			copy(b, strings.Repeat("#", len(b)))
		}
	})
}

// TestReasonsKeepNoRecordAlive: what is remembered is a copy.
func TestReasonsKeepNoRecordAlive(t *testing.T) {
	e := &enrich.Enricher{}
	memory := []byte("webgooglecpc")
	text := unsafe.String(&memory[0], len(memory))
	e.Apply(&journey.Touchpoint{Channel: text[:3], Campaign: journey.Campaign{Source: text[3:9], Medium: text[9:]}})
	copy(memory, "############")
	require.True(t, enrich.KnowsReason(e, "web", "google", "cpc"))
}

func TestApplyAllocatesNothingOnceItKnowsTheReason(t *testing.T) {
	e := &enrich.Enricher{}
	one := journey.Touchpoint{
		Type: "page", Page: journey.Page{URL: "https://shop.example/p?utm_source=google&utm_medium=cpc&gclid=abc", Path: "/p", Referrer: "https://www.google.com/"},
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", Identifier: "anonymous:a", IP: "203.0.113.0",
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { t := one; e.Apply(&t) }))
}

func BenchmarkTraffic(b *testing.B) {
	for name, page := range map[string]journey.Page{
		"nothing":  {URL: "https://shop.example/products/1"},
		"internal": {URL: "https://shop.example/products/1", Referrer: "https://shop.example/products"},
		"search":   {URL: "https://shop.example/products/1", Referrer: "https://www.google.com/"},
		"campaign": {URL: "https://shop.example/products/1?utm_source=newsletter&utm_medium=email&utm_campaign=spring", Referrer: "https://mail.google.com/"},
		"ad":       {URL: "https://shop.example/products/1?gclid=Cj0KCQiA1234567890", Referrer: "https://www.google.com/"},
	} {
		b.Run(name, func(b *testing.B) {
			e := &enrich.Enricher{}
			b.ReportAllocs()
			for b.Loop() {
				t := journey.Touchpoint{Type: "page", Channel: "web", Page: page}
				e.Apply(&t)
			}
		})
	}
}
