package mapping

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile bounds a mapping file.
const maxFile = 256 << 10

// Error is a mistake in a mapping file. Lines and columns count from 1; line 0
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

// reader walks a parsed file. Its methods say what is wrong with a node and
// return a zero value then, so that one look finds all mistakes.
type reader struct {
	file   string
	errs   []*Error
	lookup func(string) (string, bool) // environment
}

func (r *reader) fail(n ast.Node, format string, args ...any) { r.failAt(n, 0, format, args...) }

// failAt is fail for a place some columns right of the node's beginning.
func (r *reader) failAt(n ast.Node, right int, format string, args ...any) {
	e := &Error{File: r.file, Message: fmt.Sprintf(format, args...)}
	switch m := n.(type) { // to its reader a mapping begins at its first key
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			n = m.Values[0].Key
		}
	case *ast.MappingValueNode:
		n = m.Key
	}
	if n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		at := n.GetToken().Position
		e.Line, e.Column = at.Line, at.Column+right
	}
	r.errs = append(r.errs, e)
}

// err is all mistakes, in the file's order.
func (r *reader) err() error {
	slices.SortStableFunc(r.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	all := make([]error, 0, len(r.errs))
	for _, e := range r.errs {
		all = append(all, e)
	}
	return errors.Join(all...)
}

// parse reads the one document of a file. The parser is not ours: should it
// panic on some input, that is a mistake of the file to its owner.
func (r *reader) parse(data []byte) (root ast.Node) {
	defer func() {
		if p := recover(); p != nil {
			root = nil
			r.fail(nil, "this is not YAML (the parser gave up: %v)", p)
		}
	}()
	if len(data) > maxFile {
		r.fail(nil, "the file has %d bytes; it may have %d", len(data), maxFile)
		return nil
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		e := &Error{File: r.file, Message: err.Error()}
		if at, ok := errors.AsType[yaml.Error](err); ok && at.GetToken() != nil {
			e.Line, e.Column = at.GetToken().Position.Line, at.GetToken().Position.Column
			e.Message, _, _ = strings.Cut(at.GetMessage(), "\n")
		}
		r.errs = append(r.errs, e)
		return nil
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case root != nil:
			r.fail(doc.Body, "a mapping file is one document: remove what follows the second \"---\"")
		default:
			root = doc.Body
		}
	}
	if root == nil && len(r.errs) == 0 {
		r.fail(nil, "the file is empty; start with \"version: 1\"")
	}
	return root
}

// entry is one key of a mapping and its value.
type entry struct {
	key   ast.Node
	name  string
	value ast.Node
}

// entries lists a mapping's keys in the file's order.
func (r *reader) entries(n ast.Node, what string) []entry {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		r.fail(n, "%s must be a mapping (key: value)", what)
		return nil
	}
	var all []entry
	for _, p := range pairs {
		name := p.Key.GetToken().Value
		switch {
		case p.Key.IsMergeKey():
			r.fail(p.Key, "anchors, aliases and merges are not supported; write the keys out")
		case slices.ContainsFunc(all, func(e entry) bool { return e.name == name }):
			r.fail(p.Key, "%q stands twice in %s", name, what)
		case p.Value == nil || p.Value.Type() == ast.NullType:
			r.fail(p.Key, "%q has no value; give it one or remove it", name)
		default:
			all = append(all, entry{p.Key, name, p.Value})
		}
	}
	return all
}

// object reads a mapping that has only the given keys.
func (r *reader) object(n ast.Node, what string, known ...string) map[string]entry {
	all := map[string]entry{}
	for _, e := range r.entries(n, what) {
		if !slices.Contains(known, e.name) {
			r.fail(e.key, "unknown key %q in %s (it may have %s)", e.name, what, strings.Join(known, ", "))
			continue
		}
		all[e.name] = e
	}
	return all
}

// list reads a sequence.
func (r *reader) list(n ast.Node, what string) []ast.Node {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fail(n, "%s must be a list", what)
		return nil
	}
	return seq.Values
}

// scalar is a value's text as it is written; ok is false for all but scalars.
func scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// text reads one value that is not empty.
func (r *reader) text(n ast.Node, what string) string {
	v, ok := scalar(n)
	switch {
	case !ok:
		r.fail(n, "%s must be a text", what)
	case strings.TrimSpace(v) == "":
		r.fail(n, "%s is empty", what)
	default:
		return v
	}
	return ""
}

// oneOf reads a word out of a fixed set.
func (r *reader) oneOf(n ast.Node, what string, known ...string) string {
	v := r.text(n, what)
	if v != "" && !slices.Contains(known, v) {
		r.fail(n, "%s cannot be %q: want %s", what, v, strings.Join(known, ", "))
		return ""
	}
	return v
}
