package model

import (
	"slices"

	"github.com/goccy/go-yaml/ast"

	"github.com/cairnhq/cairn/pkg/journey"
)

// extras checks the sections that the journey core does not use yet: their
// keys and shape, so that a file written for them is not refused and one with a
// typing error is.
func (l *loader) extras(top map[string]entry) {
	if e, ok := top["friction"]; ok {
		var names []string
		for _, item := range l.list(e.value, "friction") {
			names = append(names, l.friction(item, names))
		}
	}
	if e, ok := top["sentiment"]; ok {
		keys := l.mapping(e.value, "sentiment", "nps", "csat", "ces", "stars", "text", "signals")
		if signals, ok := keys["signals"]; ok {
			for _, s := range l.entries(signals.value, "sentiment.signals") {
				l.integer(s.value, "sentiment.signals."+s.name, -2, 2)
			}
		}
	}
	if e, ok := top["personas"]; ok {
		var names []string
		for _, item := range l.list(e.value, "personas") {
			keys := l.mapping(item, "a persona", "name", "where")
			names = append(names, l.required(item, keys, "name", "a persona", names))
			if where, ok := keys["where"]; ok {
				l.text(where.value, "where of a persona")
			}
		}
	}
	if e, ok := top["intent"]; ok {
		keys := l.mapping(e.value, "intent", "points", "half_life", "thresholds")
		if half, ok := keys["half_life"]; ok {
			l.duration(half.value, "intent.half_life")
		}
		for _, k := range []string{"points", "thresholds"} {
			if table, ok := keys[k]; ok {
				for _, p := range l.entries(table.value, "intent."+k) {
					l.integer(p.value, "intent."+k+"."+p.name, 1, 1000)
				}
			}
		}
	}
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

// friction reads one pattern: a name, a severity and exactly one kind.
func (l *loader) friction(n ast.Node, taken []string) string {
	kinds := []string{"event", "repetition", "absence", "score"}
	keys := l.mapping(n, "a friction", append([]string{"name", "severity"}, kinds...)...)
	name := l.required(n, keys, "name", "a friction", taken)
	if e, ok := keys["severity"]; ok {
		l.integer(e.value, "severity of friction "+name, 1, 5)
	}
	found := slices.DeleteFunc(kinds, func(k string) bool { _, ok := keys[k]; return !ok })
	if len(found) != 1 {
		l.fail(n, "friction %q needs exactly one of event, repetition, absence, score", name)
		return name
	}
	what, value := found[0]+" of friction "+name, keys[found[0]].value
	switch found[0] {
	case "event":
		l.eventOrMatcher(value, what)
	case "repetition":
		k := l.matcher(value, &journey.Rule{}, what, "by", "at_least", "within")
		l.needDuration(value, k, "within", what)
		if e, ok := k["at_least"]; ok {
			l.integer(e.value, "at_least of "+what, 2, MaxAtLeast)
		}
	case "absence":
		k := l.mapping(value, what, "after", "without", "for")
		for _, key := range []string{"after", "without"} {
			if e, ok := k[key]; ok {
				l.eventOrMatcher(e.value, key+" of "+what)
			} else {
				l.fail(value, "%s needs %q", what, key)
			}
		}
		if ms := l.needDuration(value, k, "for", what); ms > l.model.JourneyGap && l.model.JourneyGap > 0 {
			l.fail(k["for"].value, "for of %s is longer than journeys.inactivity_gap", what)
		}
	case "score":
		l.mapping(value, what, "survey", "at_most")
	}
	return name
}

func (l *loader) needDuration(n ast.Node, keys map[string]entry, key, what string) int64 {
	e, ok := keys[key]
	if !ok {
		l.fail(n, "%s needs %q", what, key)
		return 0
	}
	return l.duration(e.value, key+" of "+what)
}

// eventOrMatcher reads an event's name or a mapping with a rule's matching keys.
func (l *loader) eventOrMatcher(n ast.Node, what string) {
	if _, ok := n.(*ast.StringNode); ok {
		l.text(n, what)
		return
	}
	l.matcher(n, &journey.Rule{}, what)
}
