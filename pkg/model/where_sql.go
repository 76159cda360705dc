package model

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types/ref"
)

// WhereSQL formulates the `where` of a stage rule in ClickHouse's SQL, over the
// columns of cairn_bi.v_touchpoints: for those who want its answer by another way
// than CEL's. NULL is an error, such as an absent property, which && and || swallow
// as CEL's do. The error says what of the expression has no formulation here:
// comparisons, && || !, in, has, startsWith, endsWith and contains have one, traits
// and everything else has none.
func WhereSQL(where string) (string, error) {
	env, err := newTouchpointEnv()
	if err != nil {
		return "", err
	}
	checked, issues := env.Compile(where)
	if issues.Err() != nil {
		return "", fmt.Errorf("read the condition: %w", issues.Err())
	}
	v, err := sqlOf(checked.NativeRep().Expr())
	if err != nil {
		return "", err
	}
	return "ifNull(" + v.as("bool") + ", false)", nil
}

// sqlValue is an expression. Of one that is not in JSON, kind is text, number or
// bool; of one in JSON, kind is empty and path the arguments that lead to it.
type sqlValue struct {
	text, kind string
	path       string
}

// as is the value as one of a kind, or NULL where it is of another.
func (v sqlValue) as(kind string) string {
	if v.path == "" {
		if v.kind == kind {
			return v.text
		}
		return "NULL"
	}
	read := map[string][2]string{ // ClickHouse's names for the types of JSON, and its functions
		"text": {"'String'", "JSONExtractString"}, "number": {"'Int64', 'UInt64', 'Double'", "JSONExtractFloat"}, "bool": {"'Bool'", "JSONExtractBool"},
	}[kind]
	return "if(JSONType(" + v.path + ") IN (" + read[0] + "), " + read[1] + "(" + v.path + "), NULL)"
}

// missing tells that a value in JSON is absent.
func (v sqlValue) missing() string { return "JSONType(" + v.path + ") = 'Null'" }

func sqlOf(e celast.Expr) (sqlValue, error) {
	switch e.Kind() {
	case celast.LiteralKind:
		return sqlLiteral(e.AsLiteral())
	case celast.IdentKind:
		return sqlName(e.AsIdent())
	case celast.SelectKind:
		return sqlField(e)
	case celast.CallKind:
		return sqlCall(e.AsCall())
	default:
		return sqlValue{}, errors.New("it has a list, an object or a loop")
	}
}

func sqlLiteral(v ref.Val) (sqlValue, error) {
	switch x := v.Value().(type) {
	case string:
		return sqlValue{text: quoteSQL(x), kind: "text"}, nil
	case bool:
		return sqlValue{text: strconv.FormatBool(x), kind: "bool"}, nil
	case int64:
		return sqlValue{text: "toFloat64(" + strconv.FormatInt(x, 10) + ")", kind: "number"}, nil
	case uint64:
		return sqlValue{text: "toFloat64(" + strconv.FormatUint(x, 10) + ")", kind: "number"}, nil
	case float64:
		return sqlValue{text: "toFloat64(" + strconv.FormatFloat(x, 'g', -1, 64) + ")", kind: "number"}, nil
	}
	return sqlValue{}, fmt.Errorf("it has a value of type %s", v.Type().TypeName())
}

func quoteSQL(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

func sqlName(name string) (sqlValue, error) {
	switch name {
	case "event", "type", "channel", "actor", "source":
		return sqlValue{text: "toString(" + name + ")", kind: "text"}, nil
	case "revenue", "sentiment":
		return sqlValue{text: "toFloat64(" + name + ")", kind: "number"}, nil
	}
	return sqlValue{}, fmt.Errorf("it reads %s", name)
}

// sqlField is a.b, or has(a.b).
func sqlField(e celast.Expr) (sqlValue, error) {
	s := e.AsSelect()
	of := s.Operand()
	if of.Kind() == celast.IdentKind && !s.IsTestOnly() {
		field := s.FieldName()
		switch of.AsIdent() {
		case "page":
			column := map[string]string{"url": "page_url", "path": "page_path", "title": "page_title", "referrer": "referrer"}[field]
			return sqlValue{text: "toString(" + column + ")", kind: "text"}, nil
		case "campaign":
			return sqlValue{text: "toString(campaign_" + field + ")", kind: "text"}, nil
		}
	}
	path, err := sqlPath(e)
	if err != nil {
		return sqlValue{}, err
	}
	v := sqlValue{path: path}
	if !s.IsTestOnly() {
		return v, nil
	}
	if of.Kind() != celast.IdentKind {
		return sqlValue{}, errors.New("it asks has() of something within a property")
	}
	return sqlValue{text: "NOT " + v.missing(), kind: "bool"}, nil
}

// sqlPath are the arguments of ClickHouse's functions on JSON for properties.a.b.
func sqlPath(e celast.Expr) (string, error) {
	if e.Kind() == celast.IdentKind {
		if e.AsIdent() == "properties" {
			return "properties", nil
		}
		return "", fmt.Errorf("it reads %s", e.AsIdent())
	}
	if e.Kind() == celast.SelectKind {
		inner, err := sqlPath(e.AsSelect().Operand())
		return inner + ", " + quoteSQL(e.AsSelect().FieldName()), err
	}
	return "", errors.New("it computes what to read")
}

func sqlCall(c celast.CallExpr) (sqlValue, error) {
	args := c.Args()
	if c.IsMemberFunction() {
		args = append([]celast.Expr{c.Target()}, args...)
	}
	if c.FunctionName() == operators.In {
		return sqlIn(args)
	}
	var values []sqlValue
	for _, a := range args {
		v, err := sqlOf(a)
		if err != nil {
			return sqlValue{}, err
		}
		values = append(values, v)
	}
	truth := func(format string, args ...any) (sqlValue, error) {
		return sqlValue{text: fmt.Sprintf(format, args...), kind: "bool"}, nil
	}
	switch name := c.FunctionName(); name {
	case operators.LogicalAnd, operators.LogicalOr:
		word := map[string]string{operators.LogicalAnd: "AND", operators.LogicalOr: "OR"}[name]
		return truth("(%s %s %s)", values[0].as("bool"), word, values[1].as("bool"))
	case operators.LogicalNot:
		return truth("NOT %s", values[0].as("bool"))
	case operators.Equals, operators.NotEquals:
		if _, err := commonKind(values[0], values[1]); err != nil {
			return sqlValue{}, err
		}
		return truth(map[string]string{operators.Equals: "%s", operators.NotEquals: "NOT %s"}[name], sqlEquals(values[0], values[1]))
	case operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		word := map[string]string{operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">", operators.GreaterEquals: ">="}[name]
		kind, err := commonKind(values[0], values[1])
		if err != nil {
			return sqlValue{}, err
		}
		return truth("(%s %s %s)", values[0].as(kind), word, values[1].as(kind))
	case operators.Negate:
		return sqlValue{text: "-(" + values[0].as("number") + ")", kind: "number"}, nil
	case "startsWith", "endsWith":
		return truth("%s(%s, %s)", name, values[0].as("text"), values[1].as("text"))
	case "contains":
		return truth("(position(%s, %s) > 0)", values[0].as("text"), values[1].as("text"))
	default:
		return sqlValue{}, fmt.Errorf("it calls %s", strings.Trim(name, "_"))
	}
}

// commonKind is what two values have to be to compare: one of them says.
func commonKind(a, b sqlValue) (string, error) {
	switch {
	case a.kind != "":
		return a.kind, nil
	case b.kind != "":
		return b.kind, nil
	}
	return "", errors.New("it compares two properties")
}

// sqlEquals follows CEL's equality: values of two types are unequal, which is no
// error; an absent one is.
func sqlEquals(a, b sqlValue) string {
	if a.path == "" {
		a, b = b, a
	}
	switch {
	case a.path != "" && b.path != "":
		return "NULL" // commonKind has refused it
	case a.path != "":
		return "multiIf(" + a.missing() + ", NULL, ifNull(" + a.as(b.kind) + " = " + b.text + ", false))"
	case a.kind != b.kind:
		return "false"
	}
	return "(" + a.text + " = " + b.text + ")"
}

// sqlIn is x in [a, b], of literals.
func sqlIn(args []celast.Expr) (sqlValue, error) {
	x, err := sqlOf(args[0])
	if err != nil {
		return sqlValue{}, err
	}
	if args[1].Kind() != celast.ListKind {
		return sqlValue{}, errors.New("it looks into something that is no list")
	}
	var same []string
	for _, item := range args[1].AsList().Elements() {
		v, err := sqlOf(item)
		if err != nil {
			return sqlValue{}, err
		}
		if item.Kind() != celast.LiteralKind {
			return sqlValue{}, errors.New("its list is not of values alone")
		}
		same = append(same, sqlEquals(x, v))
	}
	if len(same) == 0 {
		same = []string{"false"}
	}
	return sqlValue{text: "(" + strings.Join(slices.Compact(same), " OR ") + ")", kind: "bool"}, nil
}
