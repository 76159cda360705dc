package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/testbed"
)

// envParent turns the test binary into a process that starts servers and waits to be killed.
const envParent = "CAIRN_LOCAL_TEST_PARENT"

func TestMain(m *testing.M) {
	local.RunChildIfAsked()
	if what := os.Getenv(envParent); what != "" {
		beParent(what, os.Args[1])
		return
	}
	testbed.Main(m)
}

// started is what a parent process prints once its server answers.
type started struct {
	Addr string
	PID  int // of the server's process
}

// beParent starts one server on the folder, says so and never ends by itself.
func beParent(what, dir string) {
	ctx := context.Background()
	var s started
	var err error
	switch what {
	case "clickhouse":
		var c *local.ClickHouse
		if c, err = local.StartClickHouse(ctx, local.ClickHouseOptions{Dir: dir}); err == nil {
			s = started{c.Addr(), c.PID()}
		}
	case "kafka":
		var k *local.Kafka
		if k, err = local.StartKafka(ctx, local.KafkaOptions{Dir: dir}); err == nil {
			s = started{k.Addr(), k.PID()}
		}
	case "embedded":
		var e *local.Embedded
		if e, err = local.StartEmbedded(ctx, dir, 0, nil); err == nil {
			s = started{e.Addr(), os.Getpid()}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(s)
	select {}
}

// startParent runs a parent process with its server on the folder. It is killed at the end of the test, unless
// the test has done so.
func startParent(t *testing.T, what, dir string) (s started, kill func()) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self, dir)
	cmd.Env = append(os.Environ(), envParent+"="+what)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	kill = func() {
		_ = cmd.Process.Kill() // may be dead already
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err, "the parent process started its server")
	require.NoError(t, json.Unmarshal(line, &s))
	return s, kill
}

// requireGone waits until there is no process of that id.
func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil }, 20*time.Second, 10*time.Millisecond,
		"process %d is still there", pid)
}

func needEngine(t *testing.T) {
	t.Helper()
	if _, err := local.EngineLibrary(); err != nil {
		testbed.Require(t, err.Error())
	}
}

func needKafka(t *testing.T) {
	t.Helper()
	if _, err := local.KafkaJars(); err != nil {
		testbed.Require(t, err.Error())
	}
	if _, err := exec.LookPath("java"); err != nil {
		testbed.Require(t, err.Error())
	}
}
