package model

import (
	"fmt"
	"math"

	"github.com/goccy/go-yaml/ast"
	"github.com/valyala/fastjson"

	"github.com/cairnhq/cairn/pkg/journey"
)

// surveyNames lists the surveys, the one that counts more first.
func surveyNames() []string { return []string{"nps", "csat", "ces", "stars"} }

// survey says where the answers to one survey stand and what they are worth.
type survey struct {
	name            string
	events          []string
	property        []string // path in properties
	lowest, highest int      // of an answer
	inverted        bool     // the lowest answer is the best
}

// nps is what the whole answers 0 to 10 are worth: detractors (0 to 6) are
// unhappy by degrees, passives (7, 8) hardly anything, promoters (9, 10) happy.
// So `sentiment >= 1` holds for promoters and `sentiment < 0` for detractors.
func npsScores() [11]int32 { return [11]int32{-200, -175, -150, -125, -100, -75, -50, 0, 50, 150, 200} }

// readSurvey reads one survey of the section sentiment; {} takes its defaults.
func (l *loader) readSurvey(n ast.Node, name string) *survey {
	what := "sentiment." + name
	s := &survey{name: name, property: []string{name}, lowest: 1, highest: 5, events: surveyEvents(name)}
	known := []string{"events", "property"}
	switch name {
	case "nps":
		s.lowest, s.highest = 0, 10
	case "ces":
		s.highest = 7
		known = append(known, "scale", "inverted")
	case "stars":
		s.property = []string{"rating"}
		known = append(known, "scale")
	default:
		known = append(known, "scale")
	}
	keys := l.mapping(n, what, known...)
	if e, ok := keys["events"]; ok {
		s.events = l.eventNames(e.value, "events of "+what)
	}
	if e, ok := keys["property"]; ok {
		s.property = l.path(e.value, "property of "+what)
	}
	if e, ok := keys["scale"]; ok {
		s.highest = l.integer(e.value, "scale of "+what, 2, 100)
	}
	if e, ok := keys["inverted"]; ok {
		s.inverted = l.boolean(e.value, "inverted of "+what)
	}
	return s
}

func surveyEvents(name string) []string {
	if name == "stars" {
		return []string{"review_submitted", "product_reviewed"}
	}
	return []string{"survey_answered", "survey_completed", "survey_submitted"}
}

// eventNames reads a list of event names.
func (l *loader) eventNames(n ast.Node, what string) []string {
	names := l.texts(n, what, journey.SnakeCase)
	l.bounded(n, what, len(names))
	return names
}

// path reads the path of a property, without "properties".
func (l *loader) path(n ast.Node, what string) []string {
	text := l.text(n, what)
	if text == "" {
		return nil
	}
	parts, ok := splitPath(text)
	switch {
	case !ok:
		l.fail(n, "%s %q is not the name of a property; write it as it stands in properties, with dots into objects: answers.nps", what, text)
	case len(parts) > 1 && parts[0] == "properties":
		l.fail(n, "%s is a name in properties already; leave out \"properties.\"", what)
	}
	return parts
}

// answer is what one customer answered.
type answer struct {
	thousandths int64
	given       bool
}

// answer reads the answer out of the text of the properties.
func (s *survey) answer(r *reader, properties string) (a answer, err error) {
	r.read(properties, func(object *fastjson.Value) { a, err = s.read(object) })
	return a, err
}

// read reads the answer. One that cannot be an answer to this survey is an error.
func (s *survey) read(properties *fastjson.Value) (answer, error) {
	n, given := number(properties.Get(s.property...))
	if !given {
		return answer{}, nil
	}
	if !(n >= float64(s.lowest) && n <= float64(s.highest)) { // NaN lies nowhere
		return answer{}, fmt.Errorf("the answer is not a number from %d to %d", s.lowest, s.highest)
	}
	thousandths := int64(math.Round(n * 1000))
	if s.name == "nps" && thousandths%1000 != 0 {
		return answer{}, fmt.Errorf("the answer is not a whole number from %d to %d", s.lowest, s.highest)
	}
	return answer{thousandths, true}, nil
}

// score is the worth of an answer, in hundredths from -200 to 200. All but NPS
// are linear: the middle of the scale is 0. Half a hundredth is rounded away
// from zero.
func (s *survey) score(thousandths int64) int32 {
	if s.name == "nps" {
		return npsScores()[thousandths/1000]
	}
	span := int64(s.highest-s.lowest) * 1000
	fromMiddle := 2*thousandths - int64(s.highest+s.lowest)*1000 // -span to span
	if s.inverted {
		fromMiddle = -fromMiddle
	}
	half := span / 2
	if fromMiddle < 0 {
		half = -half
	}
	return int32((200*fromMiddle + half) / span)
}
