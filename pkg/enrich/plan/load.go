package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Load reads the tracking plan at path; "": none, which is nil. The error joins all
// mistakes, each with file:line:column.
func Load(path string) (*Plan, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nil is the plan that allows everything
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the tracking plan: %w", err)
	}
	return Parse(text, path)
}

// The file, as its schema (schemas/jsonschema/tracking-plan.json) has it.
type (
	planFile struct {
		Version       int                   `yaml:"version"`
		Mode          string                `yaml:"mode"`
		UnknownEvents string                `yaml:"unknown_events"`
		Events        map[string]*eventFile `yaml:"events"`
	}
	eventFile struct {
		Description string               `yaml:"description"`
		Mode        string               `yaml:"mode"`
		Additional  string               `yaml:"additional"`
		Properties  map[string]*ruleFile `yaml:"properties"`
		Traits      map[string]*ruleFile `yaml:"traits"`
	}
	ruleFile struct {
		Description string               `yaml:"description"`
		Type        string               `yaml:"type"`
		Required    bool                 `yaml:"required"`
		Enum        []any                `yaml:"enum"`
		Minimum     *float64             `yaml:"minimum"`
		Maximum     *float64             `yaml:"maximum"`
		Pattern     string               `yaml:"pattern"`
		Properties  map[string]*ruleFile `yaml:"properties"`
		Items       *ruleFile            `yaml:"items"`
	}
)

// Parse is Load for a file's text; file is its name in messages.
func Parse(text []byte, file string) (*Plan, error) {
	r := &reader{file: file}
	if !r.read(text) || !r.fitsSchema() {
		return nil, r.err()
	}
	var f planFile
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		r.yamlError(err)
		return nil, r.err()
	}
	p := &Plan{events: map[string]*event{}, unknown: action(f.UnknownEvents, Allow)}
	mode := action(f.Mode, Warn)
	for _, name := range slices.Sorted(maps.Keys(f.Events)) {
		from, at := f.Events[name], []string{"events", name}
		e := &event{name: journey.SnakeCase(strings.TrimSpace(name)), mode: action(from.Mode, mode), additional: action(from.Additional, Allow)}
		switch other := p.events[e.name]; {
		case e.name == "":
			r.fail(at, true, "the event %q has neither a letter nor a digit", name)
		case other != nil:
			r.fail(at, true, "the event %q stands there twice: names are compared in snake case, as %s", name, e.name)
		}
		p.events[e.name] = e
		e.properties = r.object(from.Properties, append(at, "properties"))
		e.traits = r.object(from.Traits, append(at, "traits"))
		if from.Additional != "" && e.properties == nil && e.traits == nil {
			r.fail(append(at, "additional"), true, "additional says nothing without properties or traits: list some, or none with {}")
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return p, nil
}

func action(word string, otherwise Action) Action {
	for _, a := range [...]Action{Allow, Warn, Reject} {
		if a.String() == word {
			return a
		}
	}
	return otherwise
}

// object compiles the rules of an object; nil: there are none.
func (r *reader) object(from map[string]*ruleFile, at []string) *object {
	if from == nil {
		return nil
	}
	o := &object{index: map[string]int{}}
	for _, name := range slices.Sorted(maps.Keys(from)) {
		o.index[name] = len(o.members)
		o.members = append(o.members, member{name, r.rule(from[name], append(slices.Clip(at), name))})
	}
	return o
}

func (r *reader) rule(from *ruleFile, at []string) *rule {
	out := &rule{kind: from.Type, required: from.Required, minimum: math.Inf(-1), maximum: math.Inf(1)}
	in := func(key string) []string { return append(slices.Clip(at), key) }
	fits := func(key string, kinds ...string) {
		if from.Type != "" && !slices.Contains(kinds, from.Type) {
			r.fail(in(key), true, "%s is for a value of type %s, this one is %s", key, strings.Join(kinds, " or "), from.Type)
		}
	}
	if from.Minimum != nil {
		fits("minimum", "number", "integer")
		out.minimum = *from.Minimum
	}
	if from.Maximum != nil {
		fits("maximum", "number", "integer")
		if out.maximum = *from.Maximum; out.maximum < out.minimum {
			r.fail(in("maximum"), false, "maximum is below minimum: no number fits")
		}
	}
	if from.Pattern != "" {
		fits("pattern", "string")
		var err error
		if out.pattern, err = regexp.Compile(from.Pattern); err != nil {
			r.fail(in("pattern"), false, "pattern is no regular expression: %v", err)
		}
	}
	if from.Enum != nil {
		out.words = map[string]bool{}
		var listed []string
		for _, v := range from.Enum {
			key, text := wordOf(v)
			out.words[key] = true
			listed = append(listed, text)
		}
		out.listed = strings.Join(listed[:min(len(listed), maxViolations)], ", ")
	}
	if from.Properties != nil {
		fits("properties", "object")
		out.object = r.object(from.Properties, in("properties"))
	}
	if from.Items != nil {
		fits("items", "array")
		out.items = r.rule(from.Items, in("items"))
	}
	return out
}

// wordOf is the key of a value of an enum, as enumKey writes it, and its JSON.
func wordOf(v any) (key, text string) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Sprint(v)
	}
	switch t := v.(type) {
	case string:
		return "s" + t, string(raw)
	case bool:
		return string(raw), string(raw)
	}
	var n float64
	if json.Unmarshal(raw, &n) != nil {
		return "", string(raw)
	}
	return numberKey(n), string(raw)
}

// Error is a mistake in a tracking plan. Lines and columns count from 1; line 0
// means the file as a whole.
type Error struct {
	File         string
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// yamlError takes over what the YAML library says, with its place.
func (r *reader) yamlError(err error) {
	e := &Error{File: r.file, Message: err.Error()}
	if at, ok := errors.AsType[yaml.Error](err); ok && at.GetToken() != nil {
		e.Line, e.Column = at.GetToken().Position.Line, at.GetToken().Position.Column
		e.Message, _, _ = strings.Cut(at.GetMessage(), "\n")
	}
	r.errs = append(r.errs, e)
}
