package testbed

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"testing"
)

// Environment that the tests read.
const (
	envKafka          = "CAIRN_TEST_KAFKA"
	envClickHouse     = "CAIRN_TEST_CLICKHOUSE"
	envClickHouseHTTP = "CAIRN_TEST_CLICKHOUSE_HTTP"
	envRequire        = "CAIRN_TEST_REQUIRE" // "all": what is missing fails the test
	envData           = "CAIRN_TEST_DATA"    // a folder of real data sets
	envSkips          = "CAIRN_TEST_SKIPS"   // a file to which the reasons of skipped tests are appended
)

// Require fails the test if CAIRN_TEST_REQUIRE=all, and skips it otherwise: what it needs is not here. Tests
// call it for needs that testbed does not know, as a browser.
func Require(tb testing.TB, reason string) {
	tb.Helper()
	if os.Getenv(envRequire) == "all" {
		tb.Fatalf("%s=all, and %s", envRequire, reason)
	}
	Skip(tb, reason)
}

// Skip skips the test and sees to it that the reason is printed even where "go test" swallows it: "make test"
// shows the file that CAIRN_TEST_SKIPS names.
func Skip(tb testing.TB, reason string) {
	tb.Helper()
	if path := os.Getenv(envSkips); path != "" {
		if err := appendLine(path, tb.Name()+": "+reason); err != nil {
			tb.Logf("note the skipped test in %s: %v", path, err)
		}
	}
	tb.Skip(reason)
}

// appendLine adds a line to a file that several test binaries write: one write call in append mode is whole.
func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

// namespace is a new name, fit for topics and databases.
func namespace(tb testing.TB) string {
	tb.Helper()
	var raw [5]byte
	if _, err := rand.Read(raw[:]); err != nil {
		tb.Fatalf("random namespace: %v", err)
	}
	return "t" + hex.EncodeToString(raw[:])
}
