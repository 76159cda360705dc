package model

import (
	"fmt"
	"math"
	"slices"

	"github.com/goccy/go-yaml/ast"
	"github.com/valyala/fastjson"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Sources of a score that is no survey's.
const (
	sourceText   = "text"
	sourceSignal = "signal"
)

// scorer scores the evidence that touchpoints carry. It is immutable and safe
// for concurrent use.
type scorer struct {
	events  map[string]*evidence
	reader  *reader
	text    *text // nil: none is read
	surveys []*survey
	hook    func(where string, err error)
}

// evidence is what touchpoints of one event may carry, the strongest first.
type evidence struct {
	surveys  []*survey
	text     bool
	signal   int32
	signaled bool
}

// of is the evidence of an event, made if there is none yet.
func (s *scorer) of(event string) *evidence {
	if s.events[event] == nil {
		s.events[event] = &evidence{}
	}
	return s.events[event]
}

// sentiment reads the section of that name.
func (l *loader) sentiment(n ast.Node) {
	keys := l.mapping(n, "sentiment", append(surveyNames(), "text", "signals")...)
	s := &scorer{events: map[string]*evidence{}, reader: &reader{}, hook: l.hook}
	l.scorer = s
	for _, name := range surveyNames() {
		if e, ok := keys[name]; ok {
			one := l.readSurvey(e.value, name)
			s.surveys = append(s.surveys, one)
			for _, event := range one.events {
				ev := s.of(event)
				ev.surveys = append(ev.surveys, one)
			}
		}
	}
	if e, ok := keys["text"]; ok {
		s.text = l.readText(e.value)
		for _, event := range s.text.events {
			s.of(event).text = true
		}
	}
	if e, ok := keys["signals"]; ok {
		l.signals(e.value, s)
	}
	for event := range s.events {
		l.mention(event)
	}
	if len(s.events) > 0 {
		l.model.Sentiment = s.score
	}
}

// survey is a survey that the model reads, or nil.
func (l *loader) survey(name string) *survey {
	if l.scorer == nil {
		return nil
	}
	i := slices.IndexFunc(l.scorer.surveys, func(s *survey) bool { return s.name == name })
	if i < 0 {
		return nil
	}
	return l.scorer.surveys[i]
}

// signals reads the events that say something by having happened.
func (l *loader) signals(n ast.Node, s *scorer) {
	all := l.entries(n, "sentiment.signals")
	l.bounded(n, "sentiment.signals", len(all))
	for _, e := range all {
		what := "sentiment.signals." + e.name
		ev := s.of(journey.SnakeCase(e.name))
		if ev.signaled {
			l.fail(e.key, "%q is listed twice in sentiment.signals", journey.SnakeCase(e.name))
		}
		ev.signal, ev.signaled = l.hundredths(e.value, what, -2, 2), true
	}
}

// hundredths reads a number with up to two digits after the point.
func (l *loader) hundredths(n ast.Node, what string, lowest, highest float64) int32 {
	n, ok := l.value(n)
	if !ok {
		return 0
	}
	var v float64
	switch number := n.(type) {
	case *ast.IntegerNode:
		return 100 * int32(l.integer(n, what, int(lowest), int(highest)))
	case *ast.FloatNode:
		v = number.Value
	case *ast.InfinityNode, *ast.NanNode:
		v = math.NaN()
	default:
		l.fail(n, "%s must be a number, not %s", what, kindOf(n))
		return 0
	}
	whole := math.Round(v * 100)
	switch {
	case !(v >= lowest && v <= highest):
		l.fail(n, "%s must be between %g and %g", what, lowest, highest)
		return 0
	case math.Abs(v*100-whole) > 1e-6:
		l.fail(n, "%s has more than two digits after the point", what)
		return 0
	}
	return int32(whole)
}

// score is Model.Sentiment: the strongest evidence that the touchpoint carries,
// surveys before text before signals.
func (s *scorer) score(t *journey.Touchpoint) (score int32, source string, ok bool) {
	e := s.events[t.Event]
	if e == nil || t.Has(journey.FlagAsset) {
		return 0, "", false
	}
	if len(e.surveys) > 0 || e.text {
		s.reader.read(t.Properties, func(object *fastjson.Value) { score, source, ok = s.said(e, t, object) })
	}
	if !ok && e.signaled {
		return e.signal, sourceSignal, true
	}
	return score, source, ok
}

// said scores what the customer answered or wrote.
func (s *scorer) said(e *evidence, t *journey.Touchpoint, properties *fastjson.Value) (int32, string, bool) {
	for _, survey := range e.surveys {
		a, err := survey.read(properties)
		switch {
		case err != nil && s.hook != nil:
			s.hook("sentiment."+survey.name, fmt.Errorf("event %s: %w", t.Event, err))
		case err == nil && a.given:
			return survey.score(a.thousandths), survey.name, true
		}
	}
	if e.text && t.Actor != journey.ActorBusiness { // what the business writes is not what the customer feels
		if score, ok := s.text.score(t.Locale, properties); ok {
			return score, sourceText, true
		}
	}
	return 0, "", false
}
