package model

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// Expression is a condition in CEL, with the limits of a journey model's
// conditions, over variables that its user names. Safe for concurrent use.
type Expression struct{ condition condition }

// ExpressionError says what is wrong with an expression, and where: the line
// from 1, the column from 0.
type ExpressionError struct {
	Line, Column int
	Message      string
}

func (e *ExpressionError) Error() string { return e.Message }

// CompileExpression compiles text over variables of any type. Its error is an
// *ExpressionError.
func CompileExpression(text string, variables ...string) (*Expression, error) {
	fail := func(line, column int, format string, args ...any) (*Expression, error) {
		return nil, &ExpressionError{line, column, fmt.Sprintf(format, args...)}
	}
	if len(text) > MaxWhere {
		return fail(1, 0, "the condition has %d bytes; it may have %d", len(text), MaxWhere)
	}
	var declared []cel.EnvOption
	for _, name := range variables {
		declared = append(declared, cel.Variable(name, cel.DynType))
	}
	env, err := newEnv(declared...)
	if err != nil {
		return fail(1, 0, "%v", err)
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		message, _, _ := strings.Cut(first.Message, " expecting {") // a list of all of CEL's tokens
		return fail(first.Location.Line(), first.Location.Column(), "%s", message)
	}
	if out := checked.OutputType(); !out.IsExactType(types.BoolType) && !out.IsExactType(types.DynType) {
		return fail(1, 0, "the condition must be true or false, but it yields %s", out)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(whereCost))
	if err != nil {
		return fail(1, 0, "%v", err)
	}
	return &Expression{condition{text: text, program: program}}, nil
}

// Holds evaluates the expression. What is missing makes it false, and so does
// any other failure. Numbers of the variables are float64.
func (e *Expression) Holds(variables map[string]any) bool {
	activation, err := interpreter.NewActivation(variables)
	return err == nil && e.condition.holds(activation)
}
