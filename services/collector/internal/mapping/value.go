package mapping

import (
	"encoding/json"
	"strconv"
	"strings"
)

// value says where a field comes from: a constant, a path, or a text with paths
// in it; then, where a map is given, what that text stands for.
type value struct {
	constant any // nil: none
	path     *path
	template []piece
	words    map[string]string // nil: what was found counts
	fallback any               // where nothing was found, or words has no such text; nil: nothing
}

// piece is a part of a template: plain text, or what a path leads to.
type piece struct {
	text string
	path *path
}

// of is the value for an item; nil: absent.
func (v *value) of(it *Item) any {
	if v == nil {
		return nil
	}
	found := v.found(it)
	if found != nil && v.words != nil {
		word, ok := v.words[text(found)]
		if !ok {
			return v.fallback
		}
		return word
	}
	if found == nil || found == "" {
		return v.fallback
	}
	return found
}

func (v *value) found(it *Item) any {
	switch {
	case v.constant != nil:
		return v.constant
	case v.path != nil:
		return v.path.find(it)
	}
	var b strings.Builder
	for _, p := range v.template {
		if p.path == nil {
			b.WriteString(p.text)
			continue
		}
		part := text(p.path.find(it))
		if part == "" {
			return nil // half a text would be another one's
		}
		b.WriteString(part)
	}
	return b.String()
}

// text is a value as text, without white space around it: numbers keep their
// digits, of a list the first one that is not empty counts, an object is none.
func text(v any) string {
	switch t := v.(type) {
	case string:
		return strings.TrimSpace(t)
	case json.Number:
		return t.String()
	case bool:
		return strconv.FormatBool(t)
	case []any:
		for _, element := range t {
			if s := text(element); s != "" {
				return s
			}
		}
	}
	return ""
}

// text is the value for an item as text; "" where it is absent.
func (v *value) text(it *Item) string { return text(v.of(it)) }

// isObject reports whether a value is one that text gives up on.
func isObject(v any) bool {
	_, object := v.(map[string]any)
	return object
}
