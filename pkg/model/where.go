package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"github.com/goccy/go-yaml/ast"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Bounds of one evaluation of a `where`.
const (
	whereCost  = 20_000 // CEL's units; a comparison of two numbers costs about 3
	whereDepth = 32     // nesting of the expression
)

// Fields of the maps page and campaign in a `where`.
func pageFields() []string     { return []string{"url", "path", "title", "referrer"} }
func campaignFields() []string { return []string{"source", "medium", "name", "term", "content"} }

// whereCompiler compiles the CEL expressions of one file.
type whereCompiler struct {
	env *cel.Env
}

func newWhereCompiler() (*whereCompiler, error) {
	object := cel.MapType(cel.StringType, cel.DynType)
	texts := cel.MapType(cel.StringType, cel.StringType)
	env, err := cel.NewEnv(
		cel.CrossTypeNumericComparisons(true),
		cel.ParserRecursionLimit(whereDepth),
		cel.ParserExpressionSizeLimit(MaxWhere),
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
		cel.Variable("sentiment", cel.DoubleType), // reserved: has no value yet, which makes a rule false
	)
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	return &whereCompiler{env: env}, nil
}

// compileWhere reads a CEL expression into a predicate, or nil if it is wrong.
func (l *loader) compileWhere(n ast.Node, what string) func(*journey.Touchpoint) bool {
	text := l.text(n, what)
	if text == "" {
		return nil
	}
	if len(text) > MaxWhere {
		l.fail(n, "%s has %d bytes; it may have %d", what, len(text), MaxWhere)
		return nil
	}
	if l.where == nil {
		c, err := newWhereCompiler()
		if err != nil {
			l.fail(n, "%s: %v", what, err)
			return nil
		}
		l.where = c
	}
	checked, issues := l.where.env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			message, _, _ := strings.Cut(e.Message, " expecting {") // a list of all of CEL's tokens
			l.failAt(n, columnWithin(n, e.Location.Line(), e.Location.Column()), "%s: %s", what, message)
		}
		return nil
	}
	if out := checked.OutputType(); !out.IsExactType(types.BoolType) && !out.IsExactType(types.DynType) {
		l.fail(n, "%s must be true or false, but the expression yields %s", what, out)
		return nil
	}
	needs, wrong := inspect(checked.NativeRep())
	if wrong != "" {
		l.fail(n, "%s: %s", what, wrong)
		return nil
	}
	program, err := l.where.env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(whereCost))
	if err != nil {
		l.fail(n, "%s: %v", what, err)
		return nil
	}
	w := &where{text: text, program: program, needs: needs, hook: l.hook}
	return w.holds
}

// columnWithin is how far right of a one-line scalar's beginning column (from
// 0) of its text stands; of a longer text only the beginning is pointed at.
func columnWithin(n ast.Node, line, column int) int {
	s, ok := n.(*ast.StringNode)
	if !ok || line != 1 || strings.Contains(s.Token.Origin, "\n") && strings.Contains(strings.TrimSpace(s.Token.Origin), "\n") {
		return 0
	}
	if s.Token.Value != strings.TrimSpace(s.Token.Origin) { // quoted
		column++
	}
	return column
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

// inspect finds what a checked expression reads, and names a field of page or
// campaign that does not exist.
func inspect(checked *celast.AST) (needs, string) {
	var n needs
	wrong := ""
	idents := celast.MatchDescendants(celast.NavigateAST(checked), celast.KindMatcher(celast.IdentKind))
	for _, ident := range idents {
		field, selected := selectedField(ident)
		switch ident.AsIdent() {
		case "properties":
			n.properties.add(field, selected)
		case "traits":
			n.traits.add(field, selected)
		case "page":
			wrong = unknownField(wrong, "page", field, selected, pageFields())
		case "campaign":
			wrong = unknownField(wrong, "campaign", field, selected, campaignFields())
		}
	}
	return n, wrong
}

func selectedField(ident celast.NavigableExpr) (string, bool) {
	parent, ok := ident.Parent()
	if !ok || parent.Kind() != celast.SelectKind {
		return "", false
	}
	return parent.AsSelect().FieldName(), true
}

func unknownField(wrong, name, field string, selected bool, known []string) string {
	if wrong != "" || !selected || slices.Contains(known, field) {
		return wrong
	}
	return fmt.Sprintf("%s has no field %q%s (it has %s)", name, field, didYouMean(field, known), strings.Join(known, ", "))
}

func (p *part) add(field string, selected bool) {
	if !selected {
		p.all = true
		return
	}
	if !slices.Contains(p.keys, field) {
		p.keys = append(p.keys, field)
	}
}

// where is a compiled expression; safe for concurrent use.
type where struct {
	text    string
	program cel.Program
	needs   needs
	hook    func(where string, err error)
}

// holds evaluates the expression over one touchpoint. What is missing from the
// touchpoint makes it false; so does any other error, which the hook is told.
func (w *where) holds(t *journey.Touchpoint) bool {
	out, _, err := w.program.Eval(&variables{t: t, needs: &w.needs})
	if err == nil {
		if b, ok := out.(types.Bool); ok {
			return bool(b)
		}
		err = fmt.Errorf("yields %s, not true or false", out.Type().TypeName())
	}
	if w.hook != nil && !isMissing(err) {
		w.hook(w.text, err)
	}
	return false
}

// isMissing recognises CEL's errors for an absent key, index or variable, which
// have no exported type.
func isMissing(err error) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		m := e.Error()
		if strings.HasPrefix(m, "no such key") || strings.HasPrefix(m, "no such attribute") || strings.HasPrefix(m, "index out of bounds") {
			return true
		}
	}
	return false
}
