package model

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
	"github.com/goccy/go-yaml/ast"
)

// Bounds of one evaluation of a condition.
const (
	whereCost  = 20_000 // CEL's units; a comparison of two numbers costs about 3
	whereDepth = 32     // nesting of the expression
)

// newEnv is CEL with the given variables.
func newEnv(variables ...cel.EnvOption) (*cel.Env, error) {
	env, err := cel.NewEnv(append([]cel.EnvOption{
		cel.CrossTypeNumericComparisons(true),
		cel.ParserRecursionLimit(whereDepth),
		cel.ParserExpressionSizeLimit(MaxWhere),
	}, variables...)...)
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	return env, nil
}

// misuse is what inspection of an expression finds wrong, and where.
type misuse struct {
	id      int64 // of the part of the expression
	message string
}

// condition compiles the CEL expression at n, or returns nil if it is wrong.
// newVariables makes the environment when the first expression needs it; inspect
// looks at what the checked expression uses.
func (l *loader) condition(n ast.Node, what string, env **cel.Env, newVariables func() (*cel.Env, error), inspect func(*celast.AST) []misuse) *condition {
	text := l.text(n, what)
	if text == "" {
		return nil
	}
	if len(text) > MaxWhere {
		l.fail(n, "%s has %d bytes; it may have %d", what, len(text), MaxWhere)
		return nil
	}
	if *env == nil {
		e, err := newVariables()
		if err != nil {
			l.fail(n, "%s: %v", what, err)
			return nil
		}
		*env = e
	}
	checked, issues := (*env).Compile(text)
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
	if wrong := inspect(checked.NativeRep()); len(wrong) > 0 {
		for _, w := range wrong {
			at := checked.NativeRep().SourceInfo().GetStartLocation(w.id)
			l.failAt(n, columnWithin(n, at.Line(), at.Column()), "%s: %s", what, w.message)
		}
		return nil
	}
	program, err := (*env).Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(whereCost))
	if err != nil {
		l.fail(n, "%s: %v", what, err)
		return nil
	}
	return &condition{text: text, program: program, hook: l.hook}
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

// condition is a compiled expression; safe for concurrent use.
type condition struct {
	text    string
	program cel.Program
	hook    func(where string, err error)
}

// holds evaluates the expression. What is missing makes it false; so does any
// other error, which the hook is told.
func (c *condition) holds(variables interpreter.Activation) bool {
	out, _, err := c.program.Eval(variables)
	if err == nil {
		if b, ok := out.(types.Bool); ok {
			return bool(b)
		}
		err = fmt.Errorf("yields %s, not true or false", out.Type().TypeName())
	}
	if c.hook != nil && !isMissing(err) {
		c.hook(c.text, err)
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

// idents lists the names that an expression uses.
func idents(checked *celast.AST) []celast.NavigableExpr {
	return celast.MatchDescendants(celast.NavigateAST(checked), celast.KindMatcher(celast.IdentKind))
}

// How a key of a map is used.
type use int

const (
	whole use = iota // the map as such, or a key that is not written out
	get              // m.key, m['key']
	test             // has(m.key), 'key' in m
)

// keyOf is the key that an expression reads of the map it names at ident, if the
// key is written out.
func keyOf(ident celast.NavigableExpr) (key string, how use) {
	parent, ok := ident.Parent()
	if !ok {
		return "", whole
	}
	if parent.Kind() == celast.SelectKind {
		if parent.AsSelect().IsTestOnly() {
			return parent.AsSelect().FieldName(), test
		}
		return parent.AsSelect().FieldName(), get
	}
	if parent.Kind() == celast.CallKind {
		call := parent.AsCall()
		args := call.Args()
		switch {
		case call.FunctionName() == operators.Index && args[0].ID() == ident.ID():
			return literal(args[1], get)
		case call.FunctionName() == operators.In && args[1].ID() == ident.ID():
			return literal(args[0], test)
		}
	}
	return "", whole
}

// literal is the text written at e, used like that; else the whole map is used.
func literal(e celast.Expr, how use) (string, use) {
	if e.Kind() == celast.LiteralKind {
		if s, ok := e.AsLiteral().(types.String); ok {
			return string(s), how
		}
	}
	return "", whole
}
