package model

import (
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/valyala/fastjson"

	"github.com/cairnhq/cairn/pkg/journey"
)

// points says what touchpoints score. It is immutable and safe for concurrent use.
type points struct {
	events   map[string]int32
	content  map[string]int32
	property []string // path of the type of content in properties
	reader   reader
}

// intent reads the section of that name.
func (l *loader) intent(n ast.Node) {
	keys := l.mapping(n, "intent", "half_life", "events", "content", "content_property", "thresholds")
	if keys == nil {
		return
	}
	p := &points{property: []string{"content_type"}}
	if e, ok := keys["half_life"]; ok {
		l.model.Intent.HalfLife = l.duration(e.value, "intent.half_life")
	}
	if e, ok := keys["events"]; ok {
		p.events = l.scores(e.value, "intent.events")
		l.mention(slices.Collect(maps.Keys(p.events))...)
	}
	if e, ok := keys["content"]; ok {
		p.content = l.scores(e.value, "intent.content")
	}
	if e, ok := keys["content_property"]; ok {
		p.property = l.path(e.value, "intent.content_property")
		if keys["content"].value == nil {
			l.fail(e.key, "\"content_property\" needs \"content\" in intent: the points of each type")
		}
	}
	if keys["events"].value == nil && keys["content"].value == nil {
		l.fail(n, "intent needs \"events\" or \"content\": what scores points")
	}
	if e, ok := keys["thresholds"]; ok {
		l.thresholds = map[string]int32{}
		for _, t := range l.bound(e.value, "intent.thresholds") {
			if !namePattern.MatchString(t.name) {
				l.fail(t.key, "%q in intent.thresholds is not a name: lower-case letters, digits and underscores, a letter first, at most 63", t.name)
			}
			l.thresholds[t.name] = int32(l.integer(t.value, "intent.thresholds."+t.name, 1, maxThreshold))
		}
	}
	l.points = p
	l.model.Intent.Points = p.of
}

// maxThreshold keeps a threshold in thousandths of a point far from overflow.
const maxThreshold = 1_000_000

// bound lists the entries of a mapping that is not too long.
func (l *loader) bound(n ast.Node, what string) []entry {
	all := l.entries(n, what)
	l.bounded(n, what, len(all))
	if len(all) == 0 && kindOf(n) == "a mapping" {
		l.fail(n, "%s is empty", what)
	}
	return all
}

// scores reads points by name; names compare in snake case.
func (l *loader) scores(n ast.Node, what string) map[string]int32 {
	all := map[string]int32{}
	for _, e := range l.bound(n, what) {
		name := journey.SnakeCase(e.name)
		if _, twice := all[name]; twice {
			l.fail(e.key, "%q is listed twice in %s", name, what)
		}
		all[name] = int32(l.integer(e.value, what+"."+e.name, 1, MaxPoints))
	}
	return all
}

// maxContentType is how long the type of a content may be, in bytes.
const maxContentType = 256

// of is Model.Intent.Points: what the event scores, and what its content scores.
func (p *points) of(t *journey.Touchpoint) int32 {
	if t.Has(journey.FlagAsset) {
		return 0
	}
	sum := p.events[t.Event]
	if len(p.content) == 0 || !mayHold(t.Properties, p.property) {
		return sum
	}
	p.reader.read(t.Properties, func(object *fastjson.Value) {
		v := object.Get(p.property...)
		if v != nil && v.Type() == fastjson.TypeString && len(v.GetStringBytes()) <= maxContentType {
			sum += p.content[journey.SnakeCase(string(v.GetStringBytes()))]
		}
	})
	return sum
}

// mayHold is false if a JSON text cannot have something at the path: the name is
// not in it, and nothing is escaped. Looking is much cheaper than parsing, and
// most touchpoints are about no content.
func mayHold(text string, path []string) bool {
	return strings.Contains(text, path[len(path)-1]) || strings.IndexByte(text, '\\') >= 0
}

// threshold reads the name of a threshold into a rule. Alone, without a matcher,
// it matches what scores points.
func (l *loader) threshold(n ast.Node, r *journey.Rule, matches bool, what string) {
	name := l.text(n, "intent of "+what)
	if name == "" {
		return
	}
	points, ok := l.thresholds[name]
	if !ok {
		known := slices.Sorted(maps.Keys(l.thresholds))
		if len(known) == 0 {
			l.fail(n, "intent of %s: the model has no thresholds; add \"intent: {events: {...}, thresholds: {%s: ...}}\"", what, name)
			return
		}
		l.fail(n, "intent of %s names no threshold: %q%s (the thresholds are %s)", what, name, didYouMean(name, known), strings.Join(known, ", "))
		return
	}
	r.Intent = points
	switch {
	case matches || l.points == nil:
	case len(l.points.content) == 0:
		r.Events = slices.Sorted(maps.Keys(l.points.events)) // found by the event's name
	default:
		p := l.points
		r.Where = func(t *journey.Touchpoint) bool { return p.of(t) > 0 }
	}
}
