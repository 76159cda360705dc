package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// yamlReader walks a parsed cairn.yaml and fills Config. It does what a decoder
// cannot: tell every mistake with its place, and expand ${VAR} in values only.
type yamlReader struct {
	c      *Config
	path   string
	lookup func(string) (string, bool)
	fields map[string]field
	errs   []error
}

func (c *Config) parseYAML(path string, text []byte, lookup func(string) (string, bool)) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		if syntax, ok := errors.AsType[yaml.Error](err); ok {
			return fmt.Errorf("%s: %s", place(path, syntax.GetToken()), firstLine(syntax.GetMessage()))
		}
		return fmt.Errorf("%s: %w", path, err)
	}
	r := &yamlReader{c: c, path: path, lookup: lookup, fields: fieldsOf(c)}
	for i, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case i > 0:
			r.fail(doc.Body, "a second document: one configuration is one document")
		default:
			r.mapping(doc.Body, "")
		}
	}
	return errors.Join(r.errs...)
}

func (r *yamlReader) fail(n ast.Node, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s: %s", place(r.path, n.GetToken()), fmt.Sprintf(format, args...)))
}

func place(path string, t *token.Token) string {
	if t == nil || t.Position == nil {
		return path
	}
	return fmt.Sprintf("%s:%d:%d", path, t.Position.Line, t.Position.Column)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// mapping reads the settings below prefix ("" or "kafka.").
func (r *yamlReader) mapping(n ast.Node, prefix string) {
	if _, null := n.(*ast.NullNode); null {
		return // "kafka:" with everything below commented out
	}
	m, ok := n.(*ast.MappingNode)
	if !ok {
		what := strings.TrimSuffix(prefix, ".")
		if what == "" {
			what = "the configuration"
		}
		r.fail(n, "%s is not a mapping of settings", what)
		return
	}
	for _, pair := range m.Values {
		key := prefix + strings.Trim(pair.Key.String(), `"'`)
		if f, ok := r.fields[key]; ok {
			r.setting(f, pair)
			continue
		}
		if r.isSection(key) {
			r.mapping(pair.Value, key+".")
			continue
		}
		r.unknown(pair.Key, key, prefix)
	}
}

func (r *yamlReader) isSection(key string) bool {
	for k := range r.fields {
		if strings.HasPrefix(k, key+".") {
			return true
		}
	}
	return false
}

// unknown names what was probably meant: among the siblings first, then the
// same word in another section.
func (r *yamlReader) unknown(n ast.Node, key, prefix string) {
	var siblings []string
	elsewhere := ""
	last := key[len(prefix):]
	for _, k := range Keys() {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			name, _, _ := strings.Cut(rest, ".")
			siblings = append(siblings, name)
		}
		if strings.HasSuffix("."+k, "."+last) && elsewhere == "" {
			elsewhere = k
		}
	}
	switch near := closest(last, siblings); {
	case near != "":
		r.fail(n, "unknown setting %s: did you mean %s?", key, prefix+near)
	case elsewhere != "":
		r.fail(n, "unknown setting %s: did you mean %s?", key, elsewhere)
	default:
		r.fail(n, "unknown setting %s", key)
	}
}

func (r *yamlReader) setting(f field, pair *ast.MappingValueNode) {
	before := len(r.errs)
	switch v := pair.Value.(type) {
	case *ast.NullNode:
		return // as if left out
	case *ast.SequenceNode:
		r.list(f, v)
	case ast.ScalarNode:
		if text, ok := r.scalar(v); ok {
			if err := f.set(text); err != nil {
				r.fail(v, "%s", err)
			}
		}
	default:
		r.fail(v, "%s is not a mapping: want one value", f.key)
	}
	if len(r.errs) == before {
		r.c.origins[f.key] = Origin{OriginFile, place(r.path, pair.Key.GetToken())}
	}
}

func (r *yamlReader) list(f field, seq *ast.SequenceNode) {
	switch p := f.value.Addr().Interface().(type) {
	case *[]string:
		*p = nil
		for _, n := range seq.Values {
			s, ok := n.(ast.ScalarNode)
			if !ok {
				r.fail(n, "%s is a list of plain values", f.key)
				continue
			}
			if text, ok := r.scalar(s); ok {
				*p = append(*p, text)
			}
		}
	case *[]WriteKey:
		*p = nil
		for _, n := range seq.Values {
			*p = append(*p, r.writeKey(f.key, n))
		}
	default:
		r.fail(seq, "%s is not a list: want one value", f.key)
	}
}

func (r *yamlReader) writeKey(key string, n ast.Node) WriteKey {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		r.fail(n, "%s is a list of {key: ..., source: ...}", key)
		return WriteKey{}
	}
	var w WriteKey
	for _, pair := range m.Values {
		s, ok := pair.Value.(ast.ScalarNode)
		if !ok {
			r.fail(pair.Value, "%s: want one value", key)
			continue
		}
		text, _ := r.scalar(s)
		switch pair.Key.String() {
		case "key":
			w.Key = text
		case "source":
			w.Source = text
		default:
			r.fail(pair.Key, "unknown setting %s in %s: want key and source", pair.Key.String(), key)
		}
	}
	return w
}

// scalar is a value's text with ${VAR} expanded; $${ is a plain ${.
func (r *yamlReader) scalar(n ast.ScalarNode) (string, bool) {
	text := scalarText(n)
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		if !found {
			out.WriteString(text)
			return out.String(), true
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			out.WriteString(escaped + "${")
			text = after
			continue
		}
		out.WriteString(before)
		name, rest, closed := strings.Cut(after, "}")
		if !closed {
			r.fail(n, "${%s has no closing brace", firstLine(after))
			return "", false
		}
		value, ok := r.lookup(name)
		if !ok || value == "" {
			r.fail(n, "${%s} has no value: set the environment variable %s", name, name)
			return "", false
		}
		out.WriteString(value)
		text = rest
	}
}

// scalarText keeps what was written: 0123 and 1e3 are no numbers to us unless
// the setting is one.
func scalarText(n ast.ScalarNode) string {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value
	case *ast.LiteralNode:
		return v.Value.Value
	}
	return n.GetToken().Value
}
