package model

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/valyala/fastjson"

	"github.com/cairnhq/cairn/pkg/journey"
)

// maxValue is how long a compared value may be, in bytes; of a longer one the
// hash is compared.
const maxValue = 256

// field is a field of a touchpoint that is text already.
type field func(*journey.Touchpoint) string

// fields are the paths of a touchpoint's own fields.
func fields() map[string]field {
	return map[string]field{
		"event":             func(t *journey.Touchpoint) string { return t.Event },
		"type":              func(t *journey.Touchpoint) string { return t.Type },
		"channel":           func(t *journey.Touchpoint) string { return t.Channel },
		"source":            func(t *journey.Touchpoint) string { return t.Source },
		"page.url":          func(t *journey.Touchpoint) string { return t.Page.URL },
		"page.path":         func(t *journey.Touchpoint) string { return t.Page.Path },
		"page.title":        func(t *journey.Touchpoint) string { return t.Page.Title },
		"page.referrer":     func(t *journey.Touchpoint) string { return t.Page.Referrer },
		"campaign.source":   func(t *journey.Touchpoint) string { return t.Campaign.Source },
		"campaign.medium":   func(t *journey.Touchpoint) string { return t.Campaign.Medium },
		"campaign.name":     func(t *journey.Touchpoint) string { return t.Campaign.Name },
		"campaign.term":     func(t *journey.Touchpoint) string { return t.Campaign.Term },
		"campaign.content":  func(t *journey.Touchpoint) string { return t.Campaign.Content },
		"identifier":        func(t *journey.Touchpoint) string { return t.Identifier },
		"properties.<name>": nil, // for the error, which lists what there is
		"traits.<name>":     nil,
	}
}

// by reads the path of what must be the same in a repetition.
func (l *loader) by(n ast.Node, what string) func(*journey.Touchpoint) (string, bool) {
	path := l.text(n, what)
	if path == "" {
		return nil
	}
	if get := fields()[path]; get != nil {
		return func(t *journey.Touchpoint) (string, bool) { return sameText(get(t)) }
	}
	parts, ok := splitPath(path)
	if !ok || len(parts) < 2 || parts[0] != "properties" && parts[0] != "traits" {
		var known []string
		for name := range fields() {
			known = append(known, name)
		}
		slices.Sort(known)
		l.fail(n, "%s cannot be %q%s (it is one of %s)", what, path, didYouMean(path, known), strings.Join(known, ", "))
		return nil
	}
	read, keys, traits := &reader{}, parts[1:], parts[0] == "traits"
	return func(t *journey.Touchpoint) (value string, ok bool) {
		text := t.Properties
		if traits {
			text = t.Traits
		}
		read.read(text, func(object *fastjson.Value) {
			if value, ok = scalarText(object.Get(keys...)); ok {
				value, ok = sameText(value)
			}
		})
		return value, ok
	}
}

// sameText is a value in the form in which repetitions compare: trimmed, in
// lower case, of bounded length. Blank text is no value.
func sameText(value string) (string, bool) {
	value = strings.ToLower(strings.TrimSpace(value))
	if len(value) > maxValue {
		sum := sha256.Sum256([]byte(value))
		value = "sha256 " + hex.EncodeToString(sum[:])
	}
	return value, value != ""
}
