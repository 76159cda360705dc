package model

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/cairnhq/cairn/pkg/journey"
)

// stages reads the list of stages in two passes, because a rule may name a
// stage further down.
func (l *loader) stages(n ast.Node) {
	items := l.list(n, "stages")
	if len(items) > MaxStages {
		l.fail(n, "there are %d stages; a model may have %d", len(items), MaxStages)
		return
	}
	keys := make([]map[string]entry, len(items))
	for i, item := range items {
		keys[i] = l.mapping(item, "a stage", "name", "substages", "returns", "window", "enter")
		name := ""
		if e, ok := keys[i]["name"]; ok {
			name = l.newName(e.value, "a stage's name", l.stageNames)
		} else {
			l.fail(item, "this stage has no name")
		}
		l.stageNames = append(l.stageNames, name)
	}
	for i, item := range items {
		l.model.Stages = append(l.model.Stages, l.stage(i, item, keys[i]))
	}
	if l.rules > journey.MaxRules {
		l.fail(n, "the stages have %d rules together; a model may have %d: list several events in one rule", l.rules, journey.MaxRules)
	}
}

func (l *loader) stage(i int, n ast.Node, keys map[string]entry) journey.Stage {
	stage := journey.Stage{Name: l.stageNames[i]}
	what := "stage " + stage.Name
	if stage.Name == "" {
		what = fmt.Sprintf("stage number %d", i+1)
	}
	if e, ok := keys["substages"]; ok {
		for _, item := range l.list(e.value, "substages of "+what) {
			stage.Substages = append(stage.Substages, l.newName(item, "a substage of "+what, stage.Substages))
		}
		if len(stage.Substages) > MaxSubstages {
			l.fail(e.value, "%s has %d substages; it may have %d", what, len(stage.Substages), MaxSubstages)
		}
	}
	if e, ok := keys["returns"]; ok {
		stage.Returns = l.returns(i, e.value, what)
	}
	if e, ok := keys["window"]; ok {
		stage.Window = l.duration(e.value, "window of "+what)
	}
	e, ok := keys["enter"]
	if !ok {
		l.fail(n, "%s has no \"enter\"; list the rules that signal it", what)
		return stage
	}
	for _, item := range l.list(e.value, "enter of "+what) {
		stage.Rules = append(stage.Rules, l.rule(item, stage, "a rule of "+what))
	}
	l.rules += len(stage.Rules)
	return stage
}

// returns reads the earlier stages a journey may go back to.
func (l *loader) returns(i int, n ast.Node, what string) []int {
	var back []int
	for _, item := range l.list(n, "returns of "+what) {
		to := l.stageRef(item, "returns of "+what)
		if to >= i {
			l.fail(item, "returns of %s: %s is not an earlier stage; later stages are entered without being listed", what, l.stageNames[to])
			continue
		}
		if to >= 0 {
			back = append(back, to)
		}
	}
	return back
}

// rule reads what signals a stage.
func (l *loader) rule(n ast.Node, stage journey.Stage, what string) journey.Rule {
	r := journey.Rule{Substage: -1, After: -1}
	keys := l.matcher(n, &r, what, "substage", "at_least", "within", "after", "intent")
	if e, ok := keys["intent"]; ok {
		l.threshold(e.value, &r, hasAny(keys, matcherKeys()), what)
	}
	if e, ok := keys["substage"]; ok {
		name := l.text(e.value, "substage of "+what)
		for i, s := range stage.Substages {
			if s == name {
				r.Substage = i
			}
		}
		switch {
		case name == "" || r.Substage >= 0:
		case len(stage.Substages) == 0:
			l.fail(e.value, "stage %s has no substages; add \"substages: [%s]\" to it", stage.Name, name)
		default:
			l.fail(e.value, "stage %s has no substage %q%s (it has %s)", stage.Name, name,
				didYouMean(name, stage.Substages), strings.Join(stage.Substages, ", "))
		}
	}
	if e, ok := keys["at_least"]; ok {
		r.AtLeast = l.integer(e.value, "at_least of "+what, 1, MaxAtLeast)
	}
	if e, ok := keys["within"]; ok {
		r.Within = l.duration(e.value, "within of "+what)
		if _, ok := keys["at_least"]; !ok || r.AtLeast == 1 {
			l.fail(e.key, "\"within\" needs \"at_least: 2\" or more in %s; one touchpoint always lies within", what)
		}
	}
	if e, ok := keys["after"]; ok {
		r.After = l.stageRef(e.value, "after of "+what)
	}
	return r
}

// matcherKeys are the keys by which a touchpoint is matched alone.
func matcherKeys() []string { return []string{"events", "type", "channels", "actor", "where"} }

func hasAny(keys map[string]entry, names []string) bool {
	return slices.ContainsFunc(names, func(k string) bool { _, ok := keys[k]; return ok })
}

// matcher reads what a touchpoint must be, whatever came before it, and returns
// the mapping, which may have further keys. At least one of its own is needed,
// or "intent", which matches what scores.
func (l *loader) matcher(n ast.Node, r *journey.Rule, what string, further ...string) map[string]entry {
	before := len(l.errs)
	keys := l.mapping(n, what, append(matcherKeys(), further...)...)
	enough := matcherKeys()
	if slices.Contains(further, "intent") {
		enough = append(enough, "intent")
	}
	if !hasAny(keys, enough) && len(l.errs) == before {
		l.fail(n, "%s matches every touchpoint; give it one of %s", what, strings.Join(enough, ", "))
	}
	if e, ok := keys["events"]; ok {
		r.Events = l.eventNames(e.value, "events of "+what)
		l.mention(r.Events...)
	}
	if e, ok := keys["type"]; ok {
		r.Type = l.oneOf(e.value, "type of "+what, "track", "page", "screen", "identify", "group", "alias")
	}
	if e, ok := keys["channels"]; ok {
		r.Channels = l.texts(e.value, "channels of "+what, strings.ToLower)
		l.bounded(e.value, "channels of "+what, len(r.Channels))
	}
	if e, ok := keys["actor"]; ok {
		r.Actor = l.oneOf(e.value, "actor of "+what, journey.ActorCustomer, journey.ActorBusiness)
	}
	if e, ok := keys["where"]; ok {
		r.Where, r.Condition = l.compileWhere(e.value, "where of "+what)
	}
	return keys
}

func (l *loader) bounded(n ast.Node, what string, items int) {
	if items > MaxList {
		l.fail(n, "%s has %d items; it may have %d", what, items, MaxList)
	}
}
