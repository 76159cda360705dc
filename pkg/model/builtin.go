package model

import (
	"embed"
	"fmt"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

//go:embed builtin/*.yaml
var builtinFiles embed.FS

// BuiltinNames lists the models that come with cairn.
func BuiltinNames() []string { return []string{"shop", "b2b"} }

// BuiltinSource is the text of a model that comes with cairn, to print or to
// start one's own from.
func BuiltinSource(name string) ([]byte, error) {
	for _, known := range BuiltinNames() {
		if known == name {
			data, err := builtinFiles.ReadFile("builtin/" + name + ".yaml")
			if err != nil {
				return nil, fmt.Errorf("read built-in model: %w", err)
			}
			return data, nil
		}
	}
	return nil, fmt.Errorf("there is no built-in model %q%s (there are %s)", name,
		didYouMean(name, BuiltinNames()), strings.Join(BuiltinNames(), ", "))
}

// Builtin compiles a model that comes with cairn.
func Builtin(name string, opts ...Option) (*journey.Model, error) {
	data, err := BuiltinSource(name)
	if err != nil {
		return nil, err
	}
	return Load(data, name+".yaml", opts...)
}
