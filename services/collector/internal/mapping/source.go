package mapping

import (
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/model"
)

func sourceKeys() []string {
	return []string{
		"source", "auth", "items", "when", "event", "type", "message_id", "timestamp", "user_id", "anonymous_id", "external_ids",
		"channel", "actor", "revenue", "currency", "properties", "traits",
	}
}

func types() []string  { return []string{"track", "page", "screen", "identify", "group", "alias"} }
func actors() []string { return []string{journey.ActorCustomer, journey.ActorBusiness} }

func (r *reader) source(e entry) *Source {
	s := &Source{Name: e.name, SourceName: e.name, whole: true}
	o := r.object(e.value, "source "+e.name, sourceKeys()...)
	if x, ok := o["source"]; ok {
		s.SourceName = r.text(x.value, "source")
	}
	if x, ok := o["auth"]; ok {
		s.Signature = r.auth(x.value)
	}
	if x, ok := o["source"]; ok && s.Signature == nil {
		r.fail(x.key, "source goes with auth.hmac: a write key has its own source")
	}
	r.fields(s, o)
	r.identifiers(s, o, e)
	if x, ok := o["items"]; ok {
		s.items = r.items(x.value)
	}
	if x, ok := o["when"]; ok {
		s.when = r.when(x.value)
	}
	if x, ok := o["timestamp"]; ok {
		s.timestamp, s.clock = r.timestamp(x.value)
	}
	if x, ok := o["revenue"]; ok {
		s.revenue, s.amounts = r.revenue(x.value)
	}
	if x, ok := o["properties"]; ok {
		s.properties, s.whole = r.properties(x.value)
	}
	if x, ok := o["traits"]; ok {
		s.traits = r.named(x.value, "traits")
	}
	if _, ok := o["event"]; !ok && (s.kind == nil || s.kind.constant == "track") {
		r.fail(e.key, "source %s has no event: name one, or a type other than track", e.name)
	}
	return s
}

// fields reads the fields that are a value and nothing else.
func (r *reader) fields(s *Source, o map[string]entry) {
	for _, f := range []struct {
		name   string
		into   **value
		words  bool // a plain text is the value itself
		wanted []string
	}{
		{"event", &s.event, true, nil},
		{"type", &s.kind, true, types()},
		{"channel", &s.channel, true, nil},
		{"actor", &s.actor, true, actors()},
		{"message_id", &s.messageID, false, nil},
		{"user_id", &s.userID, false, nil},
		{"anonymous_id", &s.anonymousID, false, nil},
		{"currency", &s.currency, false, nil},
	} {
		x, ok := o[f.name]
		if !ok {
			continue
		}
		*f.into = r.value(x.value, f.name, f.words)
		if v := *f.into; v != nil && f.wanted != nil {
			for _, c := range v.constants() {
				if !slices.Contains(f.wanted, c) {
					r.fail(x.value, "%s cannot be %q: want %s", f.name, c, strings.Join(f.wanted, ", "))
				}
			}
		}
	}
}

func (r *reader) identifiers(s *Source, o map[string]entry, e entry) {
	if x, ok := o["external_ids"]; ok {
		for _, n := range r.list(x.value, "external_ids") {
			f := r.object(n, "an external id", "type", "path")
			kind, where := f["type"], f["path"]
			if kind.value == nil || where.value == nil {
				r.fail(n, "an external id has a type and a path")
				continue
			}
			s.externalIDs = append(s.externalIDs, external{r.text(kind.value, "type"), r.value(where.value, "path", false)})
		}
	}
	if s.userID == nil && s.anonymousID == nil && len(s.externalIDs) == 0 {
		r.fail(e.key, "source %s names nobody: give it a user_id, an anonymous_id or external_ids", e.name)
	}
}

// items reads the way to the list of items: within the body, without [*].
func (r *reader) items(n ast.Node) []step {
	text := r.text(n, "items")
	if text == "" {
		return nil
	}
	p, err := parsePath(text)
	switch {
	case err != nil:
		r.fail(n, "items: %v", err)
	case p.many():
		r.fail(n, "items: [*] is not for items: name the list itself")
	case len(p.steps) == 0:
		r.fail(n, "items: leave it out where the body is the item, or the list of them")
	}
	return p.steps
}

func (r *reader) when(n ast.Node) *model.Expression {
	text := r.text(n, "when")
	if text == "" {
		return nil
	}
	x, err := model.CompileExpression(text, "item", "body")
	if err == nil {
		return x
	}
	right := 0
	if at, ok := errors.AsType[*model.ExpressionError](err); ok && at.Line == 1 {
		right = at.Column
		if s, isString := n.(*ast.StringNode); isString && s.Token.Value != strings.TrimSpace(s.Token.Origin) {
			right++ // the quote
		}
	}
	r.failAt(n, right, "when: %v", err)
	return nil
}

// properties reads what becomes properties: "item" is all of it.
func (r *reader) properties(n ast.Node) (list []named, whole bool) {
	if word, isText := scalar(n); isText {
		if word != "item" {
			r.fail(n, "properties cannot be %q: want item (the whole item), or a mapping of names to paths", word)
		}
		return nil, true
	}
	return r.named(n, "properties"), false
}

func (r *reader) named(n ast.Node, what string) []named {
	var all []named
	for _, e := range r.entries(n, what) {
		all = append(all, named{e.name, r.value(e.value, e.name+" of "+what, false)})
	}
	return all
}

// value reads where a field comes from. A plain text is a constant where words
// is true, else a path, or a text with paths in braces.
func (r *reader) value(n ast.Node, what string, words bool) *value {
	if _, isText := scalar(n); isText {
		text := r.text(n, what)
		if words {
			return &value{constant: text}
		}
		return r.reference(n, text, what)
	}
	o := r.object(n, what, "path", "value", "map", "default")
	return r.parts(n, o, what)
}

func (r *reader) parts(n ast.Node, o map[string]entry, what string) *value {
	var v *value
	from, hasPath := o["path"]
	constant, hasValue := o["value"]
	switch {
	case hasPath && hasValue:
		r.fail(constant.key, "%s has a path and a value: give one", what)
		return nil
	case hasPath:
		if v = r.reference(from.value, r.text(from.value, what+".path"), what); v == nil {
			return nil
		}
	case hasValue:
		v = &value{constant: r.text(constant.value, what+".value")}
	default:
		r.fail(n, "%s needs a path or a value", what)
		return nil
	}
	if x, ok := o["map"]; ok {
		v.words = map[string]string{}
		for _, e := range r.entries(x.value, what+".map") {
			v.words[e.name] = r.text(e.value, e.name)
		}
	}
	if x, ok := o["default"]; ok {
		v.fallback = r.text(x.value, what+".default")
	}
	return v
}

// reference is a path, or a template if the text has braces.
func (r *reader) reference(n ast.Node, text, what string) *value {
	v := new(value)
	if text == "" {
		return v
	}
	if !strings.Contains(text, "{") {
		p, err := parsePath(text)
		if err != nil {
			r.fail(n, "%s: %v", what, err)
		}
		v.path = &p
		return v
	}
	for rest := text; rest != ""; {
		plain, after, found := strings.Cut(rest, "{")
		if plain != "" {
			v.template = append(v.template, piece{text: plain})
		}
		if !found {
			break
		}
		inside, tail, closed := strings.Cut(after, "}")
		if !closed {
			r.fail(n, "%s: a brace of %q is not closed", what, text)
			return v
		}
		p, err := parsePath(inside)
		if err != nil {
			r.fail(n, "%s: %v", what, err)
			return v
		}
		v.template, rest = append(v.template, piece{path: &p}), tail
	}
	return v
}

// constants are the texts that a value may have, as far as the file says them.
func (v *value) constants() []string {
	var all []string
	if c, ok := v.constant.(string); ok && v.words == nil {
		all = append(all, c)
	}
	for _, word := range v.words {
		all = append(all, word)
	}
	if f, ok := v.fallback.(string); ok {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}
