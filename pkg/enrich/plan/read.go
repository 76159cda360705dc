package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	schemas "github.com/cairnhq/cairn/schemas/jsonschema"
)

// maxFile bounds a plan's file, in bytes.
const maxFile = 1 << 20

// reader collects the mistakes of a file.
type reader struct {
	file string
	root ast.Node
	doc  any // as encoding/json decodes it
	errs []*Error
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

// fail says what is wrong at a place; key: with its name, else with its value.
func (r *reader) fail(at []string, key bool, format string, args ...any) {
	e := &Error{File: r.file, Message: fmt.Sprintf(format, args...)}
	if n := find(r.root, at, key); n != nil && n.GetToken() != nil && n.GetToken().Position != nil {
		e.Line, e.Column = n.GetToken().Position.Line, n.GetToken().Position.Column
	}
	r.errs = append(r.errs, e)
}

// read parses the file's one document. The parser is not ours: should it panic on
// some input, that is a mistake of the file to its owner.
func (r *reader) read(text []byte) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			r.errs, ok = append(r.errs, &Error{File: r.file, Message: fmt.Sprintf("this is not YAML (the parser gave up: %v)", p)}), false
		}
	}()
	if len(text) > maxFile {
		r.fail(nil, false, "the file has %d bytes; it may have %d", len(text), maxFile)
		return false
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		r.yamlError(err)
		return false
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		r.fail(nil, false, "a tracking plan is one YAML document that begins with \"version: 1\"")
		return false
	}
	r.root = file.Docs[0].Body
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		r.yamlError(err)
		return false
	}
	raw, err := json.Marshal(value)
	if err == nil {
		r.doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	}
	if err != nil {
		r.fail(nil, false, "the file cannot be read as JSON: %v", err)
	}
	return err == nil
}

// fitsSchema looks at the file with the schema of tracking plans.
func (r *reader) fitsSchema() bool {
	text, err := schemas.Files.ReadFile(schemas.TrackingPlan)
	if err != nil {
		r.fail(nil, false, "%v", err)
		return false
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		r.fail(nil, false, "%v", err)
		return false
	}
	c := jsonschema.NewCompiler()
	if err = c.AddResource(schemas.TrackingPlan, doc); err != nil {
		r.fail(nil, false, "%v", err)
		return false
	}
	schema, err := c.Compile(schemas.TrackingPlan)
	if err != nil {
		r.fail(nil, false, "%v", err)
		return false
	}
	err = schema.Validate(r.doc)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		r.invalid(invalid)
		return false
	}
	return err == nil
}

// invalid takes over the leaves of a validation's tree.
func (r *reader) invalid(e *jsonschema.ValidationError) {
	for _, cause := range e.Causes {
		r.invalid(cause)
	}
	if len(e.Causes) > 0 {
		return
	}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			r.fail(append(slices.Clip(e.InstanceLocation), name), true, "unknown key %q", name)
		}
	case *kind.Required:
		for _, name := range k.Missing {
			r.fail(e.InstanceLocation, true, "%q is missing", name)
		}
	default:
		r.fail(e.InstanceLocation, false, "%s", e.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
	}
}

// find is the node at a path: of its last member the key or the value.
func find(n ast.Node, path []string, key bool) ast.Node {
	if len(path) == 0 {
		if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
			return m.Values[0].Key // to its reader a mapping begins at its first key
		}
		return n
	}
	switch m := n.(type) {
	case *ast.MappingNode:
		for _, v := range m.Values {
			if v.Key.GetToken().Value == path[0] {
				if len(path) == 1 && (key || v.Value == nil) {
					return v.Key
				}
				return find(v.Value, path[1:], key)
			}
		}
	case *ast.MappingValueNode:
		return find(&ast.MappingNode{Values: []*ast.MappingValueNode{m}}, path, key)
	case *ast.SequenceNode:
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(m.Values) {
			return find(m.Values[i], path[1:], key)
		}
	}
	return n
}
