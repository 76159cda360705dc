package model

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"github.com/goccy/go-yaml/ast"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Fields of the maps page and campaign in a `where`.
func pageFields() []string     { return []string{"url", "path", "title", "referrer"} }
func campaignFields() []string { return []string{"source", "medium", "name", "term", "content"} }

// newTouchpointEnv is CEL about one touchpoint.
func newTouchpointEnv() (*cel.Env, error) {
	object := cel.MapType(cel.StringType, cel.DynType)
	texts := cel.MapType(cel.StringType, cel.StringType)
	return newEnv(
		cel.Variable("properties", object),
		cel.Variable("traits", object),
		cel.Variable("event", cel.StringType),
		cel.Variable("type", cel.StringType),
		cel.Variable("channel", cel.StringType),
		cel.Variable("actor", cel.StringType),
		cel.Variable("source", cel.StringType),
		cel.Variable("page", texts),
		cel.Variable("campaign", texts),
		cel.Variable("revenue", cel.DoubleType),
		cel.Variable("sentiment", cel.DoubleType), // no value without evidence, which makes a rule false
	)
}

// compileWhere reads a CEL expression into a predicate, or nil if it is wrong. The
// second result is its text.
func (l *loader) compileWhere(n ast.Node, what string) (func(*journey.Touchpoint) bool, string) {
	var need needs
	c := l.condition(n, what, &l.touchpointEnv, newTouchpointEnv, func(checked *celast.AST) (wrong []misuse) {
		need, wrong = inspect(checked)
		return wrong
	})
	if c == nil {
		return nil, ""
	}
	return func(t *journey.Touchpoint) bool { return c.holds(&variables{t: t, needs: &need}) }, c.text
}

// needs is what an expression reads from the JSON of a touchpoint, so that
// nothing else is decoded.
type needs struct {
	properties, traits part
}

// part is some top-level keys of an object, or all of it.
type part struct {
	all  bool
	keys []string
}

// inspect finds what a checked expression reads, and fields of page or campaign
// that do not exist.
func inspect(checked *celast.AST) (needs, []misuse) {
	var n needs
	var wrong []misuse
	for _, ident := range idents(checked) {
		field, how := keyOf(ident)
		switch ident.AsIdent() {
		case "properties":
			n.properties.add(field, how)
		case "traits":
			n.traits.add(field, how)
		case "page":
			wrong = append(wrong, unknownField(ident, field, how, pageFields())...)
		case "campaign":
			wrong = append(wrong, unknownField(ident, field, how, campaignFields())...)
		}
	}
	return n, wrong
}

func unknownField(ident celast.NavigableExpr, field string, how use, known []string) []misuse {
	if how == whole || slices.Contains(known, field) {
		return nil
	}
	return []misuse{{ident.ID(), fmt.Sprintf("%s has no field %q%s (it has %s)",
		ident.AsIdent(), field, didYouMean(field, known), strings.Join(known, ", "))}}
}

func (p *part) add(field string, how use) {
	if how == whole {
		p.all = true
		return
	}
	if !slices.Contains(p.keys, field) {
		p.keys = append(p.keys, field)
	}
}
