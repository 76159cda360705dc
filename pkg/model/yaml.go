package model

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// source is a model file being read. Its methods take a node, say what is wrong
// with it and return a zero value in that case, so that reading goes on and
// finds the other mistakes.
type source struct {
	file string
	errs Errors
}

// fail records a mistake at a node.
func (s *source) fail(n ast.Node, format string, args ...any) {
	s.failAt(n, 0, format, args...)
}

// failAt records a mistake some columns right of a node's beginning.
func (s *source) failAt(n ast.Node, columns int, format string, args ...any) {
	e := &Error{File: s.file, Message: fmt.Sprintf(format, args...)}
	if n = beginning(n); n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		p := n.GetToken().Position
		e.Line, e.Column = p.Line, p.Column+columns
	}
	s.errs = append(s.errs, e)
}

// beginning is the node at which n begins in the file: a mapping in block style
// says it begins at its first colon, to a reader it begins at its first key.
func beginning(n ast.Node) ast.Node {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return m.Values[0].Key
		}
	case *ast.MappingValueNode:
		return m.Key
	}
	return n
}

// parse reads the one document of a file. The parser is not ours: should it
// panic on some input, that is a mistake of the file to its owner.
func (s *source) parse(data []byte) (root ast.Node) {
	defer func() {
		if r := recover(); r != nil {
			root = nil
			s.fail(nil, "this is not YAML (the parser gave up: %v)", r)
		}
	}()
	if line := nestedTooDeep(data); line > 0 {
		s.errs = append(s.errs, &Error{s.file, line, 1, "lists and mappings lie too deep in each other here"})
		return nil
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		s.errs = append(s.errs, s.syntaxError(err))
		return nil
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			docs = append(docs, d.Body)
		}
	}
	switch len(docs) {
	case 0:
		s.fail(nil, "the file is empty; start with \"version: 1\"")
		return nil
	case 1:
		return docs[0]
	}
	s.fail(docs[1], "a model file holds one document; remove what follows the second \"---\"")
	return nil
}

func (s *source) syntaxError(err error) *Error {
	e := &Error{File: s.file, Message: err.Error()}
	var positioned yaml.Error
	if errors.As(err, &positioned) && positioned.GetToken() != nil {
		p := positioned.GetToken().Position
		e.Line, e.Column, e.Message = p.Line, p.Column, positioned.GetMessage()
	}
	return e
}

// value is a node ready to be read: anchors, aliases and tags are refused, for
// nobody needs them here and they are how YAML grows without bound.
func (s *source) value(n ast.Node) (ast.Node, bool) {
	switch n.(type) {
	case nil:
		return nil, false
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		s.fail(n, "anchors, aliases and tags are not supported in a model file; write the value out")
		return nil, false
	}
	return n, true
}

// entry is one key of a mapping and its value.
type entry struct {
	key   ast.Node
	name  string
	value ast.Node
}

// entries lists a mapping's keys in the file's order.
func (s *source) entries(n ast.Node, what string) []entry {
	n, ok := s.value(n)
	if !ok {
		return nil
	}
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		s.fail(n, "%s must be a mapping (key: value), not %s", what, kindOf(n))
		return nil
	}
	var all []entry
	for _, p := range pairs {
		if p.Key.IsMergeKey() {
			s.fail(p.Key, "anchors, aliases and merges are not supported in a model file; write the keys out")
			continue
		}
		name := p.Key.GetToken().Value
		if slices.ContainsFunc(all, func(e entry) bool { return e.name == name }) {
			s.fail(p.Key, "%q appears twice in %s", name, what)
			continue
		}
		all = append(all, entry{p.Key, name, p.Value})
	}
	return all
}

// mapping reads a mapping that has only the given keys; nil if it is none.
func (s *source) mapping(n ast.Node, what string, known ...string) map[string]entry {
	entries := s.entries(n, what)
	if kindOf(n) != "a mapping" {
		return nil
	}
	all := map[string]entry{}
	for _, e := range entries {
		if !slices.Contains(known, e.name) {
			s.fail(e.key, "unknown key %q in %s%s", e.name, what, didYouMean(e.name, known))
			continue
		}
		if e.value == nil || e.value.Type() == ast.NullType {
			s.fail(e.key, "%q in %s has no value; give it one or remove it", e.name, what)
			continue
		}
		all[e.name] = e
	}
	return all
}

// list reads a sequence.
func (s *source) list(n ast.Node, what string) []ast.Node {
	n, ok := s.value(n)
	if !ok {
		return nil
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		s.fail(n, "%s must be a list, not %s", what, kindOf(n))
		return nil
	}
	if len(seq.Values) == 0 {
		s.fail(n, "%s is an empty list", what)
	}
	return seq.Values
}

// text reads a string that is not empty.
func (s *source) text(n ast.Node, what string) string {
	n, ok := s.value(n)
	if !ok {
		return ""
	}
	var v string
	switch t := n.(type) {
	case *ast.StringNode:
		v = t.Value
	case *ast.LiteralNode:
		v = t.Value.Value
	default:
		s.fail(n, "%s must be text, not %s", what, kindOf(n))
		return ""
	}
	if strings.TrimSpace(v) == "" {
		s.fail(n, "%s is empty", what)
		return ""
	}
	return v
}

// integer reads a whole number within bounds.
func (s *source) integer(n ast.Node, what string, lowest, highest int) int {
	n, ok := s.value(n)
	if !ok {
		return 0
	}
	if f, ok := n.(*ast.FloatNode); ok {
		s.fail(n, "%s must be a whole number, not %v", what, f.Value)
		return 0
	}
	i, ok := n.(*ast.IntegerNode)
	if !ok {
		s.fail(n, "%s must be a whole number, not %s", what, kindOf(n))
		return 0
	}
	v, err := strconv.Atoi(fmt.Sprint(i.Value))
	if err != nil || v < lowest || v > highest {
		s.fail(n, "%s must be between %d and %d", what, lowest, highest)
		return 0
	}
	return v
}

// boolean reads true or false.
func (s *source) boolean(n ast.Node, what string) bool {
	n, ok := s.value(n)
	if !ok {
		return false
	}
	b, ok := n.(*ast.BoolNode)
	if !ok {
		s.fail(n, "%s must be true or false, not %s", what, kindOf(n))
		return false
	}
	return b.Value
}

// texts reads a list of distinct strings.
func (s *source) texts(n ast.Node, what string, normal func(string) string) []string {
	var all []string
	for _, item := range s.list(n, what) {
		v := s.text(item, "an item of "+what)
		if v == "" {
			continue
		}
		v = normal(v)
		if slices.Contains(all, v) {
			s.fail(item, "%q is listed twice in %s", v, what)
			continue
		}
		all = append(all, v)
	}
	return all
}

// oneOf reads a word out of a fixed set.
func (s *source) oneOf(n ast.Node, what string, known ...string) string {
	v := s.text(n, what)
	if v != "" && !slices.Contains(known, v) {
		s.fail(n, "%s cannot be %q%s (it is one of %s)", what, v, didYouMean(v, known), strings.Join(known, ", "))
		return ""
	}
	return v
}

func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode:
		return "nothing"
	}
	return "this"
}
