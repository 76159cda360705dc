// Package pkg_test holds the rules of the tree: what stands at the top, and who
// may import whom (docs/architecture.md).
package pkg_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/cairnhq/cairn/"

// imports lists what each package of the module imports, tests aside, both
// without the module's prefix.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(strings.ReplaceAll(line, module, ""))
		all[fields[0]] = fields[1:]
	}
	require.Greater(t, len(all), 10)
	return all
}

// under reports whether a package is a folder or below it.
func under(pkg string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return pkg == f || strings.HasPrefix(pkg, f+"/") })
}

func ours(pkg string) bool { return under(pkg, "pkg", "services", "schemas", "deployments") }

// core is the standard library that the pure core may use: nothing that reads a
// clock, does I/O or draws random numbers.
func core() []string {
	return []string{
		"bytes", "cmp", "container/heap", "crypto/sha256", "encoding/binary", "encoding/hex", "errors", "fmt", "hash/fnv",
		"iter", "maps", "math", "math/bits", "slices", "sort", "strconv", "strings", "unicode", "unicode/utf8",
	}
}

func TestImportRules(t *testing.T) {
	// A package that begins so may import, of ours, only what is listed.
	only := []struct {
		pkg     string
		allowed []string
	}{
		{"pkg/journey/journeytest", []string{"pkg/journey", "pkg/model"}},
		{"pkg/journey/attribution", []string{"pkg/journey"}},
		{"pkg/journey", nil},
		{"pkg/wire", []string{"pkg/journey", "pkg/wire"}},
		{"pkg/enrich/plan", []string{"pkg/journey", "schemas/jsonschema"}},
		{"pkg/enrich", []string{"pkg/journey"}},
		{"pkg/model", []string{"pkg/journey"}},
		{"pkg/stream", []string{"pkg/wire", "pkg/journey"}},
		{"pkg/warehouse", []string{"pkg/wire", "pkg/journey", "schemas"}},
		{"pkg/telemetry", nil},
	}
	for pkg, list := range imports(t) {
		rule := slices.IndexFunc(only, func(r struct {
			pkg     string
			allowed []string
		},
		) bool {
			return under(pkg, r.pkg)
		})
		for _, imp := range list {
			if rule >= 0 && ours(imp) {
				require.True(t, under(imp, only[rule].allowed...), "%s imports %s", pkg, imp)
			}
			if under(pkg, "pkg/journey") && !under(pkg, "pkg/journey/journeytest") && !ours(imp) {
				require.Contains(t, core(), imp, "%s is pure, but imports %s", pkg, imp)
			}
			if under(pkg, "pkg") {
				require.False(t, under(imp, "services"), "%s imports %s: pkg never imports a service", pkg, imp)
			}
			if service := serviceOf(pkg); service != "" && service != "services/cairn" && under(imp, "services") {
				require.True(t, under(imp, service), "%s imports %s: services meet only through topics and tables", pkg, imp)
			}
		}
	}
}

func serviceOf(pkg string) string {
	parts := strings.Split(pkg, "/")
	if len(parts) < 2 || parts[0] != "services" {
		return ""
	}
	return parts[0] + "/" + parts[1]
}

// TestTopLevel keeps the root to what the design lists.
func TestTopLevel(t *testing.T) {
	allowed := []string{
		"services", "pkg", "schemas", "deployments", "docs", "docker-compose.yml", "Makefile", "go.mod", "go.sum",
		"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "bin",
	}
	entries, err := os.ReadDir("..")
	require.NoError(t, err)
	for _, e := range entries {
		name := filepath.Base(e.Name())
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "-data") || strings.HasSuffix(name, ".test") {
			continue
		}
		require.Contains(t, allowed, name, "the top level is fixed")
	}
}
