package putback

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Fix is a list of steps that repair events, one after the other. It counts what it
// changes, so it is not safe for concurrent use.
type Fix struct {
	steps []step
}

// step is one of them.
type step struct {
	said    string // as the file has it, for people
	apply   func(doc map[string]any) bool
	changed int
}

// fixFile is the file as it is written. Of each step exactly one member is set.
type fixFile struct {
	Version int        `yaml:"version"`
	Fix     []stepFile `yaml:"fix"`
}

type stepFile struct {
	Set *struct {
		Path      string `yaml:"path"`
		Value     any    `yaml:"value"`
		IfMissing bool   `yaml:"if_missing"`
	} `yaml:"set"`
	Rename *struct {
		From string `yaml:"from"`
		To   string `yaml:"to"`
	} `yaml:"rename"`
	Delete *struct {
		Path string `yaml:"path"`
	} `yaml:"delete"`
	Cast *struct {
		Path string `yaml:"path"`
		To   string `yaml:"to"`
	} `yaml:"cast"`
}

// LoadFix reads the file at path. Errors name it, with line and column where YAML
// itself is wrong, else the step.
func LoadFix(path string) (*Fix, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the fix: %w", err)
	}
	return ParseFix(text, path)
}

// ParseFix is LoadFix for a file's text; file is its name in messages.
func ParseFix(text []byte, file string) (*Fix, error) {
	var f fixFile
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		if at, ok := errors.AsType[yaml.Error](err); ok && at.GetToken() != nil {
			p := at.GetToken().Position
			return nil, fmt.Errorf("%s:%d:%d: %s", file, p.Line, p.Column, at.GetMessage())
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if f.Version != 1 {
		return nil, fmt.Errorf(`%s: "version: 1" is missing`, file)
	}
	if len(f.Fix) == 0 {
		return nil, fmt.Errorf("%s: fix has no steps", file)
	}
	fix := &Fix{}
	for i := range f.Fix {
		s, err := f.Fix[i].compile()
		if err != nil {
			return nil, fmt.Errorf("%s: step %d: %w", file, i+1, err)
		}
		fix.steps = append(fix.steps, s)
	}
	return fix, nil
}

// Apply changes an event.
func (f *Fix) Apply(doc map[string]any) {
	for i := range f.steps {
		if f.steps[i].apply(doc) {
			f.steps[i].changed++
		}
	}
}

func (f *Fix) counts() []Count {
	all := make([]Count, 0, len(f.steps))
	for _, s := range f.steps {
		all = append(all, Count{s.said, s.changed})
	}
	return all
}

func (s *stepFile) compile() (step, error) {
	given := 0
	for _, is := range []bool{s.Set != nil, s.Rename != nil, s.Delete != nil, s.Cast != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return step{}, errors.New("want one of set, rename, delete, cast")
	}
	switch {
	case s.Set != nil:
		at, err := parsePointer(s.Set.Path, false)
		if err != nil {
			return step{}, err
		}
		raw, err := json.Marshal(s.Set.Value)
		if err != nil {
			return step{}, fmt.Errorf("the value cannot be written as JSON: %w", err)
		}
		said := "set " + s.Set.Path + " to " + string(raw)
		if s.Set.IfMissing {
			said += " if missing"
		}
		return step{said: said, apply: func(doc map[string]any) bool { return set(doc, at, json.RawMessage(raw), s.Set.IfMissing) }}, nil
	case s.Rename != nil:
		from, err := parsePointer(s.Rename.From, false)
		if err != nil {
			return step{}, err
		}
		to, err := parsePointer(s.Rename.To, false)
		if err != nil {
			return step{}, err
		}
		return step{said: "rename " + s.Rename.From + " to " + s.Rename.To, apply: func(doc map[string]any) bool { return rename(doc, from, to) }}, nil
	case s.Delete != nil:
		at, err := parsePointer(s.Delete.Path, true)
		if err != nil {
			return step{}, err
		}
		return step{said: "delete " + s.Delete.Path, apply: func(doc map[string]any) bool {
			return each(doc, at, func(holder map[string]any, name string) bool { delete(holder, name); return true })
		}}, nil
	}
	at, err := parsePointer(s.Cast.Path, true)
	if err != nil {
		return step{}, err
	}
	cast, err := castTo(s.Cast.To)
	if err != nil {
		return step{}, err
	}
	return step{said: "cast " + s.Cast.Path + " to " + s.Cast.To, apply: func(doc map[string]any) bool {
		return each(doc, at, func(holder map[string]any, name string) bool {
			v, changed := cast(holder[name])
			holder[name] = v
			return changed
		})
	}}, nil
}

// parsePointer reads a JSON pointer (RFC 6901) below an object. With lists, * stands
// for every element of one.
func parsePointer(text string, lists bool) ([]string, error) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok || rest == "" {
		return nil, fmt.Errorf("%q is no place: want a JSON pointer, as in /properties/revenue", text)
	}
	path := strings.Split(rest, "/")
	for i, name := range path {
		if name == "*" && (!lists || i == 0 || i == len(path)-1) {
			return nil, fmt.Errorf("%q: * stands between two names, for the elements of a list, in delete and cast", text)
		}
		path[i] = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
	}
	return path, nil
}

// each calls do for the members that a path leads to, and reports whether one has
// changed.
func each(at any, path []string, do func(holder map[string]any, name string) bool) (changed bool) {
	if path[0] == "*" {
		if list, ok := at.([]any); ok {
			for _, element := range list {
				changed = each(element, path[1:], do) || changed
			}
			return changed
		}
	}
	holder, ok := at.(map[string]any)
	if !ok {
		return false
	}
	v, ok := holder[path[0]]
	switch {
	case !ok:
		return false
	case len(path) == 1:
		return do(holder, path[0])
	}
	return each(v, path[1:], do)
}

// set writes a value, and the objects around it where they are missing. What is no
// object is left alone.
func set(doc map[string]any, path []string, value any, ifMissing bool) bool {
	for _, name := range path[:len(path)-1] {
		if doc[name] == nil {
			doc[name] = map[string]any{}
		}
		next, ok := doc[name].(map[string]any)
		if !ok {
			return false
		}
		doc = next
	}
	last := path[len(path)-1]
	if ifMissing && doc[last] != nil {
		return false
	}
	doc[last] = value
	return true
}

// rename moves a value. What is there already is overwritten.
func rename(doc map[string]any, from, to []string) bool {
	return each(doc, from, func(holder map[string]any, name string) bool {
		v := holder[name]
		if !set(doc, to, v, false) {
			return false
		}
		if strings.Join(from, "\x00") != strings.Join(to, "\x00") {
			delete(holder, name)
		}
		return true
	})
}

// castTo is the change of a value's type. A value that cannot be changed stays.
func castTo(kind string) (func(any) (any, bool), error) {
	switch kind {
	case "string":
		return func(v any) (any, bool) {
			switch t := v.(type) {
			case json.Number:
				return t.String(), true
			case bool:
				return strconv.FormatBool(t), true
			}
			return v, false
		}, nil
	case "number", "integer":
		return func(v any) (any, bool) {
			text, ok := v.(string)
			if n, isNumber := v.(json.Number); isNumber && kind == "integer" {
				text, ok = n.String(), true
			}
			n, valid := numberOf(text, kind == "integer")
			return either(ok && valid && any(n) != v, n, v)
		}, nil
	case "boolean":
		return func(v any) (any, bool) {
			switch strings.ToLower(strings.TrimSpace(fmt.Sprint(v))) {
			case "true", "1", "yes":
				return either(v != true, true, v)
			case "false", "0", "no":
				return either(v != false, false, v)
			}
			return v, false
		}, nil
	}
	return nil, fmt.Errorf("a value cannot be cast to %q: want string, number, integer or boolean", kind)
}

func either(changed bool, a, b any) (any, bool) {
	if changed {
		return a, true
	}
	return b, false
}

// numberOf is the JSON number that a text says, integers without their fraction.
func numberOf(text string, whole bool) (json.Number, bool) {
	text = strings.TrimSpace(text)
	if !whole {
		return json.Number(text), json.Valid([]byte(text)) && text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9')
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "", false
	}
	n, _ := new(big.Float).SetFloat64(f).Int(nil)
	return json.Number(n.String()), true
}
