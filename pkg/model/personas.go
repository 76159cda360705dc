package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"github.com/goccy/go-yaml/ast"

	"github.com/cairnhq/cairn/pkg/journey"
)

// newBehaviourEnv is CEL about a customer.
func newBehaviourEnv() (*cel.Env, error) {
	counts := cel.MapType(cel.StringType, cel.IntType)
	return newEnv(
		cel.Variable("traits", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("events", counts),
		cel.Variable("channels", counts),
		cel.Variable("touchpoints", cel.IntType),
		cel.Variable("sessions", cel.IntType),
		cel.Variable("journeys", cel.IntType),
		cel.Variable("revenue", cel.DoubleType),
		cel.Variable("sentiment", cel.DoubleType), // no value without evidence
	)
}

// names maps the names that one condition uses, as written, to their index in
// the model's list.
type names map[string]int

// known is what one condition reads of a customer.
type known struct {
	traits, events, channels names
	numbers                  []string // others of its variables
}

// personas reads the kinds of customer. What all their conditions use is listed
// first, in order, and then numbered.
func (l *loader) personas(n ast.Node) {
	items := l.list(n, "personas")
	if len(items) > MaxPersonas {
		l.fail(n, "there are %d personas; a model may have %d", len(items), MaxPersonas)
		return
	}
	var taken []string
	var uses []*known
	for _, item := range items {
		keys := l.mapping(item, "a persona", "name", "where")
		if keys == nil {
			continue
		}
		name := l.required(item, keys, "name", "a persona", taken)
		taken = append(taken, name)
		e, ok := keys["where"]
		if !ok {
			l.fail(item, "a persona needs a \"where\": what is true of such customers")
			continue
		}
		c, k := l.behaviourCondition(e.value, "where of persona "+name)
		if c == nil {
			continue
		}
		uses = append(uses, k)
		l.model.Personas = append(l.model.Personas, journey.Persona{
			Name: name, Where: newMemo(c, k).holds,
		})
	}
	l.model.Traits = l.number(n, "traits", uses, func(k *known) names { return k.traits }, verbatim)
	l.model.CountedEvents = l.number(n, "events", uses, func(k *known) names { return k.events }, journey.SnakeCase)
	l.model.CountedChannels = l.number(n, "channels", uses, func(k *known) names { return k.channels }, strings.ToLower)
	l.mention(l.model.CountedEvents...)
	l.model.ReadTraits = newTraitReader(l.model.Traits).read
}

func verbatim(name string) string { return name }

// number sorts the names that conditions use of one kind, and puts each one's
// position in the conditions' maps.
func (l *loader) number(n ast.Node, kind string, uses []*known, of func(*known) names, normal func(string) string) []string {
	set := map[string]bool{}
	for _, k := range uses {
		for written := range of(k) {
			set[normal(written)] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(set))
	if len(sorted) > MaxNames {
		l.fail(n, "the personas use %d %s together; they may use %d", len(sorted), kind, MaxNames)
		return nil
	}
	for _, k := range uses {
		for written := range of(k) {
			of(k)[written], _ = slices.BinarySearch(sorted, normal(written))
		}
	}
	return sorted
}

// behaviourCondition compiles the condition of a persona, or returns nil.
func (l *loader) behaviourCondition(n ast.Node, what string) (*condition, *known) {
	k := &known{traits: names{}, events: names{}, channels: names{}}
	c := l.condition(n, what, &l.behaviourEnv, newBehaviourEnv, k.inspect)
	return c, k
}

// inspect collects the names that a condition uses. They must be written out:
// what is not named is not kept.
func (k *known) inspect(checked *celast.AST) []misuse {
	var wrong []misuse
	for _, ident := range idents(checked) {
		var into names
		name := ident.AsIdent()
		switch name {
		case "traits":
			into = k.traits
		case "events":
			into = k.events
		case "channels":
			into = k.channels
		default:
			if !slices.Contains(k.numbers, name) {
				k.numbers = append(k.numbers, name)
			}
			continue
		}
		key, how := keyOf(ident)
		switch {
		case how == whole:
			wrong = append(wrong, misuse{ident.ID(), fmt.Sprintf(
				"names in %s must be written out, as %s.some_name or %s['some name']: nothing else is kept of a customer", name, name, name)})
		case how == test && name != "traits":
			wrong = append(wrong, misuse{ident.ID(), fmt.Sprintf("%s.%s is always there, 0 if there was none; write %s.%s > 0", name, key, name, key)})
		case name == "traits" && how == get && goesDeeper(ident):
			wrong = append(wrong, misuse{ident.ID(), fmt.Sprintf("traits.%s cannot be taken apart: of traits, objects and lists are not kept", key)})
		default:
			into[key] = 0
		}
	}
	return wrong
}

// goesDeeper reports whether something is selected from the trait read at ident.
func goesDeeper(ident celast.NavigableExpr) bool {
	trait, ok := ident.Parent()
	if !ok {
		return false
	}
	_, how := keyOf(trait)
	return how != whole
}
