//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cairnhq/cairn/pkg/testbed"
)

// What clients need of the machine; nothing: Go alone.
const (
	needsNode    = "node"
	needsPython  = "python"
	needsBrowser = "browser"
)

// stage is where clients tell their stories: what they are run with.
type stage struct {
	missing map[string]string // need -> why it is not here
	scripts string            // folder
	python  string            // path
	browser *browser
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{missing: map[string]string{}, scripts: filepath.Join(testbed.Root(t), "services", "cairn", "e2e", "testdata", "clients")}
	s.missing[needsNode] = s.nodePackages(t)
	s.python, s.missing[needsPython] = pythonClients(t)
	if s.missing[needsBrowser] = s.missing[needsNode]; s.missing[needsBrowser] == "" {
		s.browser, s.missing[needsBrowser] = newBrowser(t, s.scripts)
	}
	return s
}

// script runs a client's script to its end, and reads what it was told.
func script(ctx context.Context, r *telling, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append(args, r.host, r.key, r.prefix)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out, stderr.String())
	}
	var report struct{ Told []told }
	if err := json.Unmarshal(out, &report); err != nil {
		return fmt.Errorf("%s has not said what was told: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	r.told = report.Told
	return nil
}

// nodePackages makes the npm packages of the clients ready; the text says why
// that is not possible.
func (s *stage) nodePackages(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is not installed: apt-get install nodejs npm"
		}
	}
	dir := s.scripts
	lock, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err.Error()
	}
	// npm writes this file last, and "npm ci" begins by removing it.
	if done, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err == nil && !done.ModTime().Before(lock.ModTime()) {
		return ""
	}
	if out, err := prepare(t, dir, "npm", "ci"); err != nil {
		return fmt.Sprintf("npm ci in %s failed: %v\n%s", dir, err, out)
	}
	return ""
}

// pythonClients is the path of a Python with the clients, or why there is none.
func pythonClients(t *testing.T) (path, missing string) {
	t.Helper()
	out, err := prepare(t, testbed.Root(t), "deployments/local/python-clients")
	if err != nil {
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			out = append(out, failed.Stderr...)
		}
		return "", fmt.Sprintf("deployments/local/python-clients failed: %v\n%s", err, out)
	}
	return strings.TrimSpace(string(out)), ""
}

func prepare(t *testing.T, dir, program string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if strings.Contains(program, "/") {
		program = filepath.Join(dir, program)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	return cmd.Output()
}
