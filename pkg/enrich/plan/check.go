package plan

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"
)

// object is what the plan says of an object: its members, in the order of names.
type object struct {
	members []member
	index   map[string]int
}

type member struct {
	name string
	rule *rule
}

// rule is what one value must be. What is not set is not checked.
type rule struct {
	kind     string // a JSON type or integer; "": any
	required bool
	words    map[string]bool // enum, as enumKey writes values
	listed   string          // enum, for people
	minimum  float64
	maximum  float64
	pattern  *regexp.Regexp
	object   *object
	items    *rule
}

// check is one look at a touchpoint.
type check struct {
	event   *event
	verdict *Verdict
}

func (c *check) violation(kind, pointer, message string, action Action) {
	if action != Allow {
		c.verdict.add(Violation{kind, pointer, message, action})
	}
}

// members checks an object; nil: one that is absent. Of equal names the last counts.
func (c *check) members(o *object, pointer string, have *fastjson.Object) {
	found := make([]*fastjson.Value, len(o.members))
	if have != nil {
		have.Visit(func(key []byte, v *fastjson.Value) {
			if i, ok := o.index[string(key)]; ok {
				found[i] = v
			} else if c.event.additional != Allow {
				name := clip(string(key))
				c.violation(Additional, pointer+"/"+token(name), "the tracking plan does not list "+strconv.Quote(name), c.event.additional)
			}
		})
	}
	for i := range o.members {
		m := &o.members[i]
		if v := found[i]; v != nil && v.Type() != fastjson.TypeNull {
			c.value(m.rule, pointer+"/"+token(m.name), v)
		} else if m.rule.required {
			c.violation(Missing, pointer+"/"+token(m.name), "is missing", c.event.mode)
		}
	}
}

// value checks a value that is not null.
func (c *check) value(r *rule, pointer string, v *fastjson.Value) {
	if r.kind != "" && !isA(v, r.kind) {
		c.violation(WrongType, pointer, "is "+typeOf(v)+", want "+r.kind, c.event.mode)
		return
	}
	if r.words != nil && !r.words[enumKey(v)] {
		c.violation(NotListed, pointer, "is none of "+r.listed, c.event.mode)
	}
	switch v.Type() {
	case fastjson.TypeNumber:
		if n := number(v); n < r.minimum || n > r.maximum {
			c.violation(OutOfRange, pointer, fmt.Sprintf("is %s, want %s", clip(v.String()), r.span()), c.event.mode)
		}
	case fastjson.TypeString:
		if r.pattern != nil && !r.pattern.Match(v.GetStringBytes()) {
			c.violation(NoMatch, pointer, "does not match "+strconv.Quote(r.pattern.String()), c.event.mode)
		}
	case fastjson.TypeObject:
		if r.object != nil {
			c.members(r.object, pointer, v.GetObject())
		}
	case fastjson.TypeArray:
		if r.items != nil {
			for i, item := range v.GetArray() {
				c.value(r.items, pointer+"/"+strconv.Itoa(i), item)
			}
		}
	default: // true, false and null have no inside
	}
}

// span is the range of numbers, for people.
func (r *rule) span() string {
	switch low, high := !math.IsInf(r.minimum, 0), !math.IsInf(r.maximum, 0); {
	case low && high:
		return fmt.Sprintf("%v to %v", r.minimum, r.maximum)
	case low:
		return fmt.Sprintf("%v or more", r.minimum)
	default:
		return fmt.Sprintf("%v or less", r.maximum)
	}
}

func isA(v *fastjson.Value, kind string) bool {
	if kind == "integer" {
		n := number(v)
		return v.Type() == fastjson.TypeNumber && n == math.Trunc(n)
	}
	return typeOf(v) == kind
}

// typeOf is the JSON type of a value.
func typeOf(v *fastjson.Value) string {
	switch v.Type() {
	case fastjson.TypeTrue, fastjson.TypeFalse:
		return "boolean"
	default:
		return v.Type().String()
	}
}

// number is a number's value; those beyond float64 are infinite.
func number(v *fastjson.Value) float64 {
	if v.Type() != fastjson.TypeNumber {
		return 0
	}
	n, _ := strconv.ParseFloat(v.String(), 64)
	return n
}

// enumKey is the same text for values that are the same.
func enumKey(v *fastjson.Value) string {
	switch v.Type() {
	case fastjson.TypeString:
		return "s" + string(v.GetStringBytes())
	case fastjson.TypeNumber:
		return numberKey(number(v))
	default:
		return v.Type().String()
	}
}

func numberKey(n float64) string { return "n" + strconv.FormatFloat(n, 'g', -1, 64) }

// token escapes a name for a JSON pointer (RFC 6901).
func token(name string) string {
	if !strings.ContainsAny(name, "~/") {
		return name
	}
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
