package model

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/cairnhq/cairn/pkg/journey"
)

// frictions reads the patterns of trouble.
func (l *loader) frictions(n ast.Node) {
	items := l.list(n, "friction")
	if len(items) > MaxFrictions {
		l.fail(n, "there are %d frictions; a model may have %d", len(items), MaxFrictions)
		return
	}
	var names []string
	for _, item := range items {
		f := l.friction(item, names)
		names = append(names, f.Name)
		l.model.Frictions = append(l.model.Frictions, f)
	}
}

// frictionKinds are the keys of which a friction has exactly one.
func frictionKinds() []string { return []string{"event", "repetition", "absence", "score"} }

// friction reads one pattern: a name, a severity and exactly one kind.
func (l *loader) friction(n ast.Node, taken []string) journey.FrictionRule {
	keys := l.mapping(n, "a friction", append([]string{"name", "severity"}, frictionKinds()...)...)
	if keys == nil {
		return journey.FrictionRule{}
	}
	f := journey.FrictionRule{Name: l.required(n, keys, "name", "a friction", taken), Severity: 1}
	if e, ok := keys["severity"]; ok {
		f.Severity = l.integer(e.value, "severity of friction "+f.Name, 1, 5)
	}
	found := slices.DeleteFunc(frictionKinds(), func(k string) bool { _, ok := keys[k]; return !ok })
	if len(found) != 1 {
		l.fail(n, "friction %q needs exactly one of %s", f.Name, strings.Join(frictionKinds(), ", "))
		return f
	}
	what, value := found[0]+" of friction "+f.Name, keys[found[0]].value
	switch found[0] {
	case "event":
		r := l.eventOrMatcher(value, what)
		f.Event = &r
	case "repetition":
		f.Repetition = l.repetition(value, what)
	case "absence":
		f.Absence = l.absence(value, what)
	case "score":
		f.Event = l.score(value, what)
	}
	return f
}

func (l *loader) repetition(n ast.Node, what string) *journey.Repetition {
	r := &journey.Repetition{Match: alone()}
	keys := l.matcher(n, &r.Match, what, "by", "at_least", "within")
	if keys == nil {
		return r
	}
	r.Within = l.period(n, keys, "within", what)
	if e, ok := keys["at_least"]; ok {
		r.AtLeast = l.integer(e.value, "at_least of "+what, 2, MaxAtLeast)
	} else {
		l.fail(n, "%s needs %q: how often is too often", what, "at_least")
	}
	if e, ok := keys["by"]; ok {
		r.By = l.by(e.value, "by of "+what)
	}
	return r
}

func (l *loader) absence(n ast.Node, what string) *journey.Absence {
	keys := l.mapping(n, what, "after", "without", "for")
	if keys == nil {
		return &journey.Absence{}
	}
	rule := func(key string) journey.Rule {
		e, ok := keys[key]
		if !ok {
			l.fail(n, "%s needs %q", what, key)
			return alone()
		}
		return l.eventOrMatcher(e.value, key+" of "+what)
	}
	return &journey.Absence{After: rule("after"), Without: rule("without"), For: l.period(n, keys, "for", what)}
}

// period reads a duration that must be there and at most the journey gap: what
// lies further apart is no longer kept together.
func (l *loader) period(n ast.Node, keys map[string]entry, key, what string) int64 {
	e, ok := keys[key]
	if !ok {
		l.fail(n, "%s needs %q", what, key)
		return 0
	}
	ms := l.duration(e.value, key+" of "+what)
	if ms > l.model.JourneyGap && l.model.JourneyGap > 0 {
		l.fail(e.value, "%s of %s is longer than journeys.inactivity_gap", key, what)
	}
	return ms
}

// alone is a rule that looks at a touchpoint only, without its journey.
func alone() journey.Rule { return journey.Rule{Substage: -1, After: -1} }

// eventOrMatcher reads an event's name or a mapping with a rule's matching keys.
func (l *loader) eventOrMatcher(n ast.Node, what string) journey.Rule {
	r := alone()
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		if name := l.text(n, what); name != "" {
			r.Events = []string{journey.SnakeCase(name)}
			l.mention(r.Events...)
		}
	case *ast.MappingNode, *ast.MappingValueNode:
		l.matcher(n, &r, what)
	default:
		if n, ok := l.value(n); ok {
			l.fail(n, "%s must be an event's name or a mapping of what it matches, not %s", what, kindOf(n))
		}
	}
	return r
}

// required reads the name of an item that must have one.
func (l *loader) required(n ast.Node, keys map[string]entry, key, what string, taken []string) string {
	e, ok := keys[key]
	if !ok {
		l.fail(n, "%s needs a %q", what, key)
		return ""
	}
	return l.newName(e.value, key+" of "+what, taken)
}

// score reads the answer to a survey that is bad.
func (l *loader) score(n ast.Node, what string) *journey.Rule {
	r := alone()
	keys := l.mapping(n, what, "survey", "at_most", "at_least")
	if keys == nil {
		return &r
	}
	e, ok := keys["survey"]
	if !ok {
		l.fail(n, "%s needs %q: one of %s", what, "survey", strings.Join(surveyNames(), ", "))
		return &r
	}
	name := l.oneOf(e.value, "survey of "+what, surveyNames()...)
	if name == "" {
		return &r
	}
	s := l.survey(name)
	if s == nil {
		l.fail(e.value, "%s: the model does not read the survey %s; add \"sentiment: {%s: {}}\"", what, name, name)
		return &r
	}
	most, hasMost := keys["at_most"]
	least, hasLeast := keys["at_least"]
	if hasMost == hasLeast {
		l.fail(n, "%s needs either %q or, if high answers are the bad ones, %q", what, "at_most", "at_least")
		return &r
	}
	low, high := int64(s.lowest), int64(s.highest)
	if hasMost {
		high = int64(l.integer(most.value, "at_most of "+what, s.lowest, s.highest))
	} else {
		low = int64(l.integer(least.value, "at_least of "+what, s.lowest, s.highest))
	}
	r.Events = s.events
	read := &reader{}
	r.Where = func(t *journey.Touchpoint) bool {
		a, err := s.answer(read, t.Properties)
		return err == nil && a.given && a.thousandths >= low*1000 && a.thousandths <= high*1000
	}
	return &r
}
