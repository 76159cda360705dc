//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/testbed"
)

// patience bounds everything that is waited for, on a machine that is busy with
// other tests. Nothing is expected to take a tenth of it.
const patience = 90 * time.Second

// child is a cairn command that runs beside the test.
type child struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	stdout *output
	stderr *output
	done   chan struct{} // closed once it has ended
}

// command describes a child.
type command struct {
	args  []string
	env   []string // NAME=value, beside PATH and HOME
	stdin io.Reader
	dir   string // working folder; empty: a new one, so that no cairn.yaml is found
}

// start runs the binary. The test's end kills it, and so does the test
// binary's: the kernel signals it when the thread that started it ends, so a
// goroutine keeps that thread.
func start(t *testing.T, c command) *child {
	t.Helper()
	p := &child{
		t: t, name: c.args[0], stdout: new(output), stderr: new(output), done: make(chan struct{}),
		cmd: exec.Command(testbed.Binary(t), c.args...), //nolint:noctx // it is told to stop, not killed
	}
	p.cmd.Dir = c.dir
	if p.cmd.Dir == "" {
		p.cmd.Dir = t.TempDir()
	}
	p.cmd.Env = append(inherited("PATH", "HOME", "XDG_CACHE_HOME", "CAIRN_CHDB_LIB", "JAVA_HOME", "TMPDIR"), c.env...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = c.stdin, p.stdout, p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // the state says how it ended
			close(p.done)
		}
	}()
	require.NoError(t, <-started)
	t.Cleanup(p.atEnd)
	return p
}

func inherited(names ...string) []string {
	var env []string
	for _, n := range names {
		if v, ok := os.LookupEnv(n); ok {
			env = append(env, n+"="+v)
		}
	}
	return env
}

func (p *child) atEnd() {
	p.kill()
	if p.t.Failed() {
		p.t.Logf("the end of what %s (pid %d, %s) said:\n%s", p.name, p.pid(), p.cmd.ProcessState, p.stderr.tail(6000))
	}
}

func (p *child) pid() int { return p.cmd.Process.Pid }

func (p *child) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends a signal to the child alone.
func (p *child) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("signal %s to %s (pid %d): %v", s, p.name, p.pid(), err)
	}
}

// kill is kill -9, and waits until the child is gone.
func (p *child) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
}

// wait returns the exit code, once the child has ended by itself.
func (p *child) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s (pid %d) has not ended after %s:\n%s", p.name, p.pid(), patience, p.stderr.tail(3000))
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop is SIGTERM: the child must end with 0.
func (p *child) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	require.Zero(p.t, p.wait(), "exit code of %s after SIGTERM\n%s", p.name, p.stderr.tail(3000))
}

// children are the pids whose parent is pid, and theirs.
func children(t *testing.T, pid int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	var all []int
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // gone meanwhile
		}
		// pid (name, which may hold anything) state ppid ...
		_, rest, _ := strings.Cut(string(raw[bytes.LastIndexByte(raw, ')'):]), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			own, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			require.NoError(t, err)
			all = append(append(all, own), children(t, own)...)
		}
	}
	return all
}

// alive says whether a process of that pid runs (and is no zombie).
func alive(pid int) bool {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(raw[bytes.LastIndexByte(raw, ')'):]), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// result is how a command ended that was waited for.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command to its end.
func run(t *testing.T, args ...string) result {
	t.Helper()
	return runCommand(t, command{args: args})
}

func runCommand(t *testing.T, c command) result {
	t.Helper()
	p := start(t, c)
	code := p.wait()
	return result{code, p.stdout.String(), p.stderr.String()}
}

// eventually polls until try returns nil, and fails with its last error.
func eventually(t *testing.T, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not after %s: %v", what, patience, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
