package testbed_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
)

// envInner marks a run of this test binary by one of the tests below.
const envInner = "CAIRN_TESTBED_TEST_INNER"

func TestInnerNeedsKafka(t *testing.T) {
	needInner(t)
	t.Log("brokers", testbed.Kafka(t).Cluster.Brokers)
}

func TestInnerNeedsClickHouse(t *testing.T) {
	needInner(t)
	t.Log("http", testbed.ClickHouse(t).HTTP)
}

func TestInnerNeedsData(t *testing.T) {
	needInner(t)
	t.Log("data", testbed.Data(t, "set"))
}

func needInner(t *testing.T) {
	t.Helper()
	if os.Getenv(envInner) == "" {
		t.Skip("only run by TestRequire")
	}
}

// inner runs one test of this binary, where no engine is installed and no Docker engine answers.
func inner(t *testing.T, test string, env ...string) (output string, passed bool) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.v", "-test.run", "^"+test+"$")
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "CAIRN_") && !strings.HasPrefix(e, "DOCKER_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	empty := t.TempDir()
	cmd.Env = append(cmd.Env, envInner+"=1", "XDG_CACHE_HOME="+empty, "JAVA_HOME="+empty, "DOCKER_HOST=unix://"+empty+"/none.sock")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// Without a server a test is skipped with every way that was tried; where all are required it fails.
func TestRequire(t *testing.T) {
	for test, reasons := range map[string][]string{
		"TestInnerNeedsKafka":      {"CAIRN_TEST_KAFKA is not set", "no Docker engine answers", "a local Kafka needs Java 17"},
		"TestInnerNeedsClickHouse": {"CAIRN_TEST_CLICKHOUSE is not set", "no Docker engine answers", `run "make deps"`},
	} {
		skips := filepath.Join(t.TempDir(), "skips")
		out, passed := inner(t, test, "CAIRN_TEST_SKIPS="+skips)
		require.True(t, passed, out)
		require.Contains(t, out, "--- SKIP: "+test)
		noted, err := os.ReadFile(skips)
		require.NoError(t, err)
		for _, reason := range reasons {
			require.Contains(t, out, reason)
			require.Contains(t, string(noted), reason)
		}

		out, passed = inner(t, test, "CAIRN_TEST_REQUIRE=all")
		require.False(t, passed, out)
		require.Contains(t, out, "--- FAIL: "+test)
		require.Contains(t, out, reasons[0])
	}
}

// Real data is optional even there.
func TestDataIsOptional(t *testing.T) {
	out, passed := inner(t, "TestInnerNeedsData", "CAIRN_TEST_REQUIRE=all")
	require.True(t, passed, out)
	require.Contains(t, out, "CAIRN_TEST_DATA is not set")

	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "set"), 0o700))
	out, passed = inner(t, "TestInnerNeedsData", "CAIRN_TEST_DATA="+folder)
	require.True(t, passed, out)
	require.Contains(t, out, "data "+filepath.Join(folder, "set"))
}

// An address in the environment comes before everything else.
func TestExternalServers(t *testing.T) {
	broker := testbed.Fake(t).Brokers[0]
	out, passed := inner(t, "TestInnerNeedsKafka", "CAIRN_TEST_KAFKA="+broker)
	require.True(t, passed, out)
	require.Contains(t, out, "brokers ["+broker+"]")

	server := testbed.ClickHouse(t)
	out, passed = inner(t, "TestInnerNeedsClickHouse", "CAIRN_TEST_CLICKHOUSE="+server.DSN)
	require.True(t, passed, out)
	require.Contains(t, out, "http http://127.0.0.1:8123")
	out, passed = inner(t, "TestInnerNeedsClickHouse", "CAIRN_TEST_CLICKHOUSE="+server.DSN, "CAIRN_TEST_CLICKHOUSE_HTTP="+server.HTTP)
	require.True(t, passed, out)
	require.Contains(t, out, "http "+server.HTTP)
}
