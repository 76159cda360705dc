package mapping

import (
	"fmt"
	"os"
	"regexp"

	"github.com/goccy/go-yaml/ast"

	"github.com/cairnhq/cairn/pkg/model"
)

// Table is a mapping file. It does not change; safe for concurrent use.
type Table struct {
	sources map[string]*Source
}

// Source says how one system's items become touchpoints.
type Source struct {
	Name       string
	SourceName string     // source of touchpoints whose sender signs them
	Signature  *Signature // nil: senders have a write key

	items       []step // to the list; nil: the body, or each element of it
	when        *model.Expression
	event       *value
	kind        *value // type
	messageID   *value
	timestamp   *value
	clock       clock
	userID      *value
	anonymousID *value
	externalIDs []external
	channel     *value
	actor       *value
	revenue     *value
	amounts     amounts
	currency    *value
	properties  []named // with whole false
	whole       bool    // the item's members are the properties
	traits      []named
}

type external struct {
	kind  string
	value *value
}

type named struct {
	name  string
	value *value
}

// Find is the source of that name, or nil.
func (t *Table) Find(name string) *Source {
	if t == nil {
		return nil
	}
	return t.sources[name]
}

// Len is the number of sources.
func (t *Table) Len() int { return len(t.sources) }

// Load reads the mapping file at path. Secrets are looked up in the environment,
// or in the file that NAME_FILE names. The error joins all mistakes, each with
// file:line:column.
func Load(path string, lookup func(string) (string, bool)) (*Table, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the webhook mappings: %w", err)
	}
	return Parse(text, path, lookup)
}

// sourceShape is what fits into a path of the URL as it is.
const sourceShape = `^[a-z0-9][a-z0-9_-]{0,47}$`

// Parse is Load for a file's text; file is its name in messages.
func Parse(text []byte, file string, lookup func(string) (string, bool)) (*Table, error) {
	r := &reader{file: file, lookup: lookup}
	t := &Table{sources: map[string]*Source{}}
	if root := r.parse(text); root != nil {
		top := r.object(root, "the file", "version", "sources")
		if v, ok := top["version"]; !ok {
			r.fail(root, `"version: 1" is missing`)
		} else if got, _ := scalar(v.value); got != "1" {
			r.fail(v.value, "version %s is not known: this cairn reads version 1", got)
		}
		if s, ok := top["sources"]; ok {
			r.sources(s.value, t)
		} else {
			r.fail(root, `"sources" is missing`)
		}
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return t, nil
}

func (r *reader) sources(n ast.Node, t *Table) {
	shape := regexp.MustCompile(sourceShape)
	for _, e := range r.entries(n, "sources") {
		if !shape.MatchString(e.name) {
			r.fail(e.key, "the source %q cannot stand in an URL: want lower-case letters, digits, - and _, at most 48", e.name)
		}
		t.sources[e.name] = r.source(e)
	}
}
