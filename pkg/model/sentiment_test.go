package model_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

const oneStage = "version: 1\nstages: [{name: a, enter: [{type: page}]}]\n"

// scored is what a model with that sentiment section says of properties.
func scored(m *journey.Model, event, properties string) string {
	score, source, ok := m.Sentiment(&journey.Touchpoint{Type: "track", Event: event, Properties: properties})
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s %d", source, score)
}

func TestWithoutSentimentNothingIsScored(t *testing.T) {
	require.Nil(t, load(t, oneStage).Sentiment)
	require.Nil(t, load(t, oneStage+"sentiment: {}").Sentiment)
	m := load(t, oneStage+"sentiment: {nps: {}}")
	require.Empty(t, scored(m, "review_submitted", `{"nps":9}`))
	require.Empty(t, scored(m, "", ``))
}

func TestSurveyScores(t *testing.T) {
	nps := []int{-200, -175, -150, -125, -100, -75, -50, 0, 50, 150, 200}
	m := load(t, oneStage+"sentiment: {nps: {}, csat: {}, ces: {}, stars: {}}")
	for answer, want := range nps {
		require.Equal(t, fmt.Sprintf("nps %d", want), scored(m, "survey_answered", fmt.Sprintf(`{"nps":%d}`, answer)))
	}
	for answer, want := range []int{-200, -100, 0, 100, 200} {
		require.Equal(t, fmt.Sprintf("stars %d", want), scored(m, "review_submitted", fmt.Sprintf(`{"rating":%d}`, answer+1)))
		require.Equal(t, fmt.Sprintf("csat %d", want), scored(m, "survey_completed", fmt.Sprintf(`{"csat":%d}`, answer+1)))
	}
	for answer, want := range []int{-200, -133, -67, 0, 67, 133, 200} {
		require.Equal(t, fmt.Sprintf("ces %d", want), scored(m, "survey_answered", fmt.Sprintf(`{"ces":%d}`, answer+1)))
	}
	for properties, want := range map[string]string{
		`{"rating":4.5}`:                    "stars 150",
		`{"rating":3.005}`:                  "stars 1",  // 0.5 hundredths, away from zero
		`{"rating":2.995}`:                  "stars -1", // likewise
		`{"rating":5.0}`:                    "stars 200",
		`{"rating":"4"}`:                    "stars 100",
		`{"rating":" 4.5 "}`:                "stars 150",
		`{"rating":5e0}`:                    "stars 200",
		`{"rating":3,"rating":5}`:           "stars 0", // the first counts
		`{"review":{"rating":5}}`:           "",
		`{"rating":null}`:                   "",
		`{"rating":""}`:                     "",
		`{}`:                                "",
		`[5]`:                               "",
		`{"rating":5`:                       "",
		`{"rating":4,"x":"\u0000\ud800\""}`: "stars 100",
	} {
		require.Equal(t, want, scored(m, "review_submitted", properties), properties)
	}
}

func TestSurveyOptions(t *testing.T) {
	m := load(t, oneStage+`sentiment:
  nps: {events: [NPS Sent], property: answers.score}
  csat: {events: [rated], scale: 100}
  ces: {events: [asked], scale: 5, inverted: true}
  stars: {events: [reviewed], property: stars, scale: 10}
`)
	require.Equal(t, "nps 150", scored(m, "nps_sent", `{"answers":{"score":9}}`))
	require.Equal(t, "csat -200", scored(m, "rated", `{"csat":1}`))
	require.Equal(t, "csat 200", scored(m, "rated", `{"csat":100}`))
	require.Equal(t, "csat -2", scored(m, "rated", `{"csat":50}`))
	require.Equal(t, "ces 200", scored(m, "asked", `{"ces":1}`))
	require.Equal(t, "ces -200", scored(m, "asked", `{"ces":5}`))
	require.Equal(t, "stars 156", scored(m, "reviewed", `{"stars":9}`))
	require.Empty(t, scored(m, "survey_answered", `{"nps":9}`))
	require.Equal(t, []string{"asked", "nps_sent", "rated", "reviewed"}, m.Events)
}

// An answer that cannot be one is no evidence, and somebody is told; no answer
// at all is nothing to tell.
func TestAnswersOutOfRange(t *testing.T) {
	var told []string
	m := load(t, oneStage+"sentiment: {nps: {}, csat: {}}", model.OnWhereError(func(where string, err error) {
		told = append(told, where+": "+err.Error())
	}))
	deep := strings.Repeat(`{"a":`, 250) + "1" + strings.Repeat("}", 250)
	for _, answer := range []string{
		"11", "-1", "10.0000001", "1e400", "-1e400", "NaN", "nan", "-inf", "9.5", `"nine"`, `"0x9"`, `"NaN"`, `"Inf"`, `"1_0"`, `"11"`, "true", "[9]", "{}", deep,
		strings.Repeat("9", 5000), `"` + strings.Repeat("0", 40) + `9"`,
	} {
		told = nil
		require.Empty(t, scored(m, "survey_answered", `{"nps":`+answer+`}`), answer)
		if answer != "NaN" && answer != "-inf" { // whole text is no JSON, or is it: either way nothing is scored
			require.Len(t, told, 1, answer)
			require.True(t, strings.HasPrefix(told[0], "sentiment.nps: event survey_answered: the answer is not a"), told[0])
		}
	}
	told = nil
	for _, none := range []string{`{"nps":null}`, `{"nps":""}`, `{"nps":" "}`, `{}`, ``, `x`} {
		require.Empty(t, scored(m, "survey_answered", none))
	}
	require.Empty(t, told)
	require.Equal(t, "csat 100", scored(m, "survey_answered", `{"nps":11,"csat":4}`), "the next survey still counts")
}

func TestStrongestEvidenceCounts(t *testing.T) {
	m := load(t, oneStage+`sentiment:
  stars: {events: [said]}
  nps: {events: [said]}
  csat: {events: [said]}
  ces: {events: [said]}
  text: {events: [said]}
  signals: {said: -0.25, Done Well: 1.5, undone: -2, silent: 0}
`)
	all := []string{`"nps":7`, `"csat":1`, `"ces":7`, `"rating":2`, `"comment":"This is great!"`}
	for i, want := range []string{"nps 0", "csat -200", "ces 200", "stars -100", "text", "signal -25"} {
		require.True(t, strings.HasPrefix(scored(m, "said", "{"+strings.Join(all[i:], ",")+"}"), want), want)
	}
	require.Equal(t, "signal 150", scored(m, "done_well", "{broken"))
	require.Equal(t, "signal -200", scored(m, "undone", ""))
	require.Equal(t, "signal 0", scored(m, "silent", ""), "a neutral signal is evidence")
	_, _, ok := m.Sentiment(&journey.Touchpoint{Event: "undone", Flags: journey.FlagAsset})
	require.False(t, ok, "assets carry no sentiment")
}

func TestTextIsScored(t *testing.T) {
	m := load(t, oneStage+"sentiment: {text: {events: [said], property: [comment, body.text]}}")
	score := func(p journey.Touchpoint) (int32, bool) {
		p.Event = "said"
		n, source, ok := m.Sentiment(&p)
		require.Equal(t, ok, source == "text")
		require.True(t, n >= -200 && n <= 200)
		return n, ok
	}
	for text, want := range map[string]int{
		"I love this tent, it is wonderful.":  1,
		"It\\nis\\tterrible\\r\\nindeed":      -1,
		"This is not good at all":             -1,
		"It doesn’t help":                     -1,
		"The worst shop ever, I hate it!!!":   -1,
		"👍😀 I like it":                        1,
		"The tent leaks":                      0,
		"The tent has two doors":              0, // no word of the lexicon
		"":                                    0,
		"  ":                                  0,
		strings.Repeat("tent ", 500) + "hate": 0, // beyond what is read
		"love " + strings.Repeat("x", 5000):   1,
		"love " + strings.Repeat("é", 3000):   1,
		strings.Repeat("hate", 2000):          0, // one endless word
	} {
		n, ok := score(journey.Touchpoint{Properties: `{"comment":"` + text + `"}`})
		require.Equal(t, want != 0, ok, text)
		require.Equal(t, want, sign(n), text)
	}
	for properties, want := range map[string]bool{
		`{"body":{"text":"lovely"}}`:              true,
		`{"comment":"","body":{"text":"lovely"}}`: true,
		`{"comment":["lovely"]}`:                  false,
		`{"comment":7}`:                           false,
		`{"body":"lovely"}`:                       false,
	} {
		_, ok := score(journey.Touchpoint{Properties: properties})
		require.Equal(t, want, ok, properties)
	}
	lovely := `{"comment":"lovely"}`
	for locale, want := range map[string]bool{"": true, "en": true, "en-GB": true, "EN_us": true, "de": false, "de-AT": false, "enx": false} {
		_, ok := score(journey.Touchpoint{Properties: lovely, Locale: locale})
		require.Equal(t, want, ok, locale)
	}
	_, ok := score(journey.Touchpoint{Properties: lovely, Actor: journey.ActorBusiness})
	require.False(t, ok, "what the business writes is not what the customer feels")
}

func sign(n int32) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

// A long text full of the lexicon's words, brackets or emoji costs little.
func TestTextIsBounded(t *testing.T) {
	m := load(t, oneStage+"sentiment: {text: {events: [said]}}")
	began := time.Now()
	for _, unit := range []string{"no not never ", "! ", "a ", "😀", "((((", "but ", "\\u0000", "kind of "} {
		for range 2 {
			scored(m, "said", `{"comment":"`+strings.Repeat(unit, 1<<20/len(unit))+`"}`)
		}
	}
	require.Less(t, time.Since(began), 10*time.Second) // generous: 16 texts of 1 MiB
}

func TestSentimentIsSafeForConcurrentUse(t *testing.T) {
	m := load(t, oneStage+"sentiment: {nps: {}, text: {}, signals: {boom: -1}}")
	happy := scored(m, "survey_answered", `{"comment":"really great, NOT bad"}`)
	require.NotEmpty(t, happy)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if scored(m, "survey_answered", `{"comment":"really great, NOT bad"}`) != happy ||
					scored(m, "survey_answered", `{"nps":9}`) != "nps 150" || scored(m, "boom", "") != "signal -100" {
					t.Error("wrong answer")
				}
			}
		})
	}
	wg.Wait()
}

// A stage may ask for the score, which the device step has put there.
func TestWhereReadsSentiment(t *testing.T) {
	m := load(t, whereModel("sentiment >= 1.5"))
	for want, p := range map[bool]journey.Touchpoint{
		true:  {Sentiment: 150, SentimentSource: "stars"},
		false: {Sentiment: 149, SentimentSource: "stars"},
	} {
		require.Equal(t, want, m.Match(&p) != 0)
	}
	none := load(t, whereModel("sentiment < 5.0 || sentiment >= 5.0"), model.OnWhereError(func(where string, err error) { t.Error(where, err) }))
	require.Zero(t, none.Match(&journey.Touchpoint{Sentiment: 200}), "without evidence there is no score")
	require.NotZero(t, none.Match(&journey.Touchpoint{SentimentSource: "text"}), "0 is a score")
	require.NotZero(t, load(t, whereModel("sentiment == -0.33")).Match(&journey.Touchpoint{Sentiment: -33, SentimentSource: "text"}))
}

func TestHundredthsAreExact(t *testing.T) {
	for i := -200; i <= 200; i++ {
		m := load(t, oneStage+fmt.Sprintf("sentiment: {signals: {e: %.2f}}", float64(i)/100))
		n, _, ok := m.Sentiment(&journey.Touchpoint{Event: "e"})
		require.True(t, ok)
		require.Equal(t, int32(math.Round(float64(i))), n)
	}
}

func BenchmarkSentiment(b *testing.B) {
	m := load(b, oneStage+"sentiment: {nps: {}, text: {}}")
	for name, p := range map[string]journey.Touchpoint{
		"other": {Event: "page"},
		"nps":   {Event: "survey_answered", Properties: `{"nps":9,"comment":"fine"}`},
		"worst": {Event: "survey_answered", Properties: `{"comment":"` + strings.Repeat("no ", 700) + `"}`},
		"text":  {Event: "survey_answered", Properties: `{"comment":"` + strings.Repeat("this tent is really great and I am happy ", 48) + `"}`},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Sentiment(&p)
			}
		})
	}
}
