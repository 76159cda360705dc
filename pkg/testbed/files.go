package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Binary is the path of the cairn binary, built from this tree once per test binary.
func Binary(tb testing.TB) string {
	tb.Helper()
	path, err := shared.binary()
	if err != nil {
		tb.Fatalf("build cairn: %v", err)
	}
	return path
}

// Data is the folder of that name below the folder of real data sets. Strangers have none, so that a test
// without it is skipped, even with CAIRN_TEST_REQUIRE=all.
func Data(tb testing.TB, name string) string {
	tb.Helper()
	base := os.Getenv(envData)
	if base == "" {
		Skip(tb, fmt.Sprintf("%s is not set, so there is no real data (%s)", envData, name))
	}
	path := filepath.Join(base, name)
	if !filepath.IsAbs(path) {
		root, err := moduleRoot()
		if err != nil {
			tb.Fatal(err)
		}
		path = filepath.Join(root, path) // "go test" runs in the package's folder
	}
	if _, err := os.Stat(path); err != nil {
		Skip(tb, fmt.Sprintf("%s has no %s: %v", envData, name, err))
	}
	return path
}

// Root is the folder of the module.
func Root(tb testing.TB) string {
	tb.Helper()
	root, err := moduleRoot()
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

func (b *bed) buildBinary() (string, error) {
	const bound = 10 * time.Minute // a cold build cache on a small machine
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := b.folder("bin")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	path := filepath.Join(dir, "cairn")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "./services/cairn")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
}

// moduleRoot is the nearest folder above the working one that has a go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working folder")
		}
		dir = parent
	}
}
