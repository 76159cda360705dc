package model

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/jonreiter/govader"
	"github.com/valyala/fastjson"
)

// maxText is how much of a text is scored, in bytes.
const maxText = 2000

// text scores what customers write, with the English lexicon VADER.
type text struct {
	events   []string
	property [][]string // paths; the first that holds text counts
	lexicon  *govader.SentimentIntensityAnalyzer
	typed    *strings.Replacer
}

// readText reads sentiment.text; {} takes its defaults.
func (l *loader) readText(n ast.Node) *text {
	const what = "sentiment.text"
	t := &text{
		events: []string{"review_submitted", "product_reviewed", "survey_answered", "survey_completed", "survey_submitted", "comment_posted"},
		// Only read once made (checked under the race detector), so that all partitions share it.
		lexicon: govader.NewSentimentIntensityAnalyzer(),
		typed:   strings.NewReplacer("’", "'", "‘", "'"),
	}
	for _, name := range []string{"comment", "text", "review", "review_body", "message"} {
		t.property = append(t.property, []string{name})
	}
	keys := l.mapping(n, what, "events", "property")
	if e, ok := keys["events"]; ok {
		t.events = l.eventNames(e.value, "events of "+what)
	}
	if e, ok := keys["property"]; ok {
		t.property = nil
		if _, many := e.value.(*ast.SequenceNode); !many {
			t.property = append(t.property, l.path(e.value, "property of "+what))
			return t
		}
		items := l.list(e.value, "property of "+what)
		l.bounded(e.value, "property of "+what, len(items))
		for _, item := range items {
			t.property = append(t.property, l.path(item, "an item of property of "+what))
		}
	}
	return t
}

// score is the sentiment of a text in hundredths. Text in another language than
// English is not scored ("die" is an article in German), nor is text without a
// word of the lexicon: it says nothing.
func (x *text) score(locale string, properties *fastjson.Value) (int32, bool) {
	if !english(locale) {
		return 0, false
	}
	for _, path := range x.property {
		v := properties.Get(path...)
		if v == nil || v.Type() != fastjson.TypeString {
			continue
		}
		words := x.words(string(v.GetStringBytes()))
		if words == "" {
			continue
		}
		s := x.lexicon.PolarityScores(words)
		if s.Positive == 0 && s.Negative == 0 || math.IsNaN(s.Compound) {
			return 0, false
		}
		return int32(math.Round(200 * s.Compound)), true
	}
	return 0, false
}

// words is the beginning of a text as the lexicon wants it: single spaces
// between words, straight apostrophes.
func (x *text) words(s string) string {
	if len(s) > maxText {
		end := maxText
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		if space := strings.LastIndexFunc(s[:end+1], unicode.IsSpace); space > 0 {
			end = space // half a word may mean something else
		}
		s = s[:end]
	}
	return x.typed.Replace(strings.Join(strings.Fields(s), " "))
}

// english reports whether a locale such as en-GB is English or unknown.
func english(locale string) bool {
	language := strings.ToLower(strings.TrimSpace(locale))
	if end := strings.IndexAny(language, "-_"); end >= 0 {
		language = language[:end]
	}
	return language == "" || language == "en" || language == "eng"
}
