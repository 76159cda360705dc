package model

import (
	"slices"

	"github.com/valyala/fastjson"

	"github.com/cairnhq/cairn/pkg/journey"
)

// traitReader picks the traits that personas use out of JSON objects. It is safe
// for concurrent use.
type traitReader struct {
	reader
	index map[string]int
}

func newTraitReader(names []string) *traitReader {
	r := &traitReader{index: make(map[string]int, len(names))}
	for i, name := range names {
		r.index[name] = i
	}
	return r
}

// read is Model.ReadTraits: the traits that the object has, by index. Of a name
// that it has twice the first counts.
func (r *traitReader) read(text string) []journey.Trait {
	if len(r.index) == 0 {
		return nil
	}
	var found []journey.Trait
	var seen [MaxNames]bool
	r.reader.read(text, func(object *fastjson.Value) {
		object.GetObject().Visit(func(key []byte, v *fastjson.Value) {
			i, ok := r.index[string(key)]
			if !ok || seen[i] {
				return
			}
			seen[i] = true
			found = append(found, journey.Trait{Index: i, Value: scalarJSON(v, journey.MaxTrait)})
		})
	})
	slices.SortFunc(found, func(a, b journey.Trait) int { return a.Index - b.Index })
	return found
}
