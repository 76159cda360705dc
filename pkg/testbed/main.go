package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cairnhq/cairn/pkg/local"
)

// bed holds what one test binary has started.
type bed struct {
	kafka      func() (kafkaServer, error)      // starts it at the first call
	clickhouse func() (clickhouseServer, error) // starts it at the first call
	binary     func() (string, error)           // builds it at the first call

	mu    sync.Mutex
	stops []func() error // guarded by mu; run in reverse order at the end
	dir   string         // guarded by mu; the temporary folder, "" until needed
}

// shared is the one global of this package: tests of one binary share their servers, and testing.T has no
// place to keep them.
var shared = newBed() //nolint:gochecknoglobals // see above

func newBed() *bed {
	b := &bed{}
	b.kafka = sync.OnceValues(b.startKafka)
	b.clickhouse = sync.OnceValues(b.startClickHouse)
	b.binary = sync.OnceValues(b.buildBinary)
	return b
}

// Main runs the tests, stops the servers they started and exits. TestMain calls it and nothing else.
func Main(m *testing.M) {
	local.RunChildIfAsked()
	code := m.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testbed:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// atEnd has stop called when the tests are through.
func (b *bed) atEnd(stop func() error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stops = append(b.stops, stop)
}

// folder is a new folder of that name below the binary's temporary folder.
func (b *bed) folder(name string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dir == "" {
		removeStale()
		dir, err := os.MkdirTemp("", folderPrefix)
		if err != nil {
			return "", err
		}
		b.dir = dir
	}
	dir := filepath.Join(b.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

const folderPrefix = "cairn-testbed-"

// removeStale removes folders of test binaries that were killed before they could. No test run lasts a day.
func removeStale() {
	const age = 24 * time.Hour
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		return // the pattern is constant
	}
	for _, dir := range folders {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > age {
			_ = os.RemoveAll(dir) // another binary may be at it too
		}
	}
}

func (b *bed) stop() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, stop := range slices.Backward(b.stops) {
		errs = append(errs, stop())
	}
	if b.dir != "" {
		errs = append(errs, os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}
