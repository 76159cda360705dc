package mapping

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds of a path.
const (
	maxPath  = 512 // bytes
	maxSteps = 32
	// maxFound bounds what the [*] of one path find.
	maxFound = 1000
)

// path leads from an item, or from the whole body, to a value.
type path struct {
	body  bool // it began with $
	steps []step
}

// step is one member, one element, or all elements.
type step struct {
	name  string
	index int // with name ""; -1: all
}

const allElements = -1

// parsePath reads a.b[0].c[*]["odd.name"]; $ alone or $.a begins at the body.
func parsePath(text string) (path, error) {
	if len(text) > maxPath {
		return path{}, fmt.Errorf("a path may have %d bytes", maxPath)
	}
	var p path
	rest := text
	if after, ok := strings.CutPrefix(rest, "$"); ok {
		p.body, rest = true, after
	}
	for first := !p.body; rest != "" || first; first = false {
		var s step
		var err error
		if s, rest, err = nextStep(rest, first); err != nil {
			return path{}, fmt.Errorf("%q is no path: %w (as in customer.id, lines[0].sku, lines[*].sku, [\"odd.name\"], $.store.id)", text, err)
		}
		if p.steps = append(p.steps, s); len(p.steps) > maxSteps {
			return path{}, fmt.Errorf("a path may have %d steps", maxSteps)
		}
	}
	return p, nil
}

func nextStep(text string, first bool) (s step, rest string, err error) {
	if strings.HasPrefix(text, "[") {
		return bracket(text)
	}
	if !first {
		var dotted bool
		if text, dotted = strings.CutPrefix(text, "."); !dotted {
			return step{}, "", fmt.Errorf("want . or [ before %q", text)
		}
	}
	end := strings.IndexAny(text, ".[")
	if end < 0 {
		end = len(text)
	}
	name := text[:end]
	if strings.TrimSpace(name) == "" || strings.ContainsAny(name, "]\"{}") {
		return step{}, "", fmt.Errorf("%q is no name", name)
	}
	return step{name: name}, text[end:], nil
}

func bracket(text string) (s step, rest string, err error) {
	if strings.HasPrefix(text, `["`) {
		name, rest, closed := strings.Cut(text[2:], `"]`)
		if !closed || name == "" {
			return step{}, "", fmt.Errorf("%s has no end", text)
		}
		return step{name: name}, rest, nil
	}
	inside, rest, closed := strings.Cut(text[1:], "]")
	if !closed {
		return step{}, "", fmt.Errorf("%s has no end", text)
	}
	if inside == "*" {
		return step{index: allElements}, rest, nil
	}
	n, err := strconv.ParseUint(inside, 10, 16)
	if err != nil {
		return step{}, "", fmt.Errorf("[%s] is neither a position nor [*]", inside)
	}
	return step{index: int(n)}, rest, nil
}

// column is a path of one name, whatever characters it has: a column of CSV.
func column(name string) path { return path{steps: []step{{name: name}}} }

// many reports whether the path finds a list.
func (p path) many() bool {
	for _, s := range p.steps {
		if s.name == "" && s.index == allElements {
			return true
		}
	}
	return false
}

// find returns what the path leads to: nil for nothing and for null. With [*] it
// is a list of all that was found, in order.
func (p path) find(it *Item) any {
	from := it.Value
	if p.body {
		from = it.Body
	}
	if !p.many() {
		return follow(from, p.steps)
	}
	var found []any
	collect(from, p.steps, &found)
	if len(found) == 0 {
		return nil
	}
	return found
}

func follow(at any, steps []step) any {
	for _, s := range steps {
		at = s.of(at)
	}
	return at
}

// of is the member or the element that a step names; nil: there is none.
func (s step) of(at any) any {
	if s.name != "" {
		object, _ := at.(map[string]any)
		return object[s.name]
	}
	list, _ := at.([]any)
	if s.index >= len(list) {
		return nil
	}
	return list[s.index]
}

func collect(at any, steps []step, found *[]any) {
	for i, s := range steps {
		if s.name != "" || s.index != allElements {
			at = s.of(at)
			continue
		}
		list, _ := at.([]any)
		for _, element := range list {
			collect(element, steps[i+1:], found)
		}
		return
	}
	if at != nil && len(*found) < maxFound {
		*found = append(*found, at)
	}
}
