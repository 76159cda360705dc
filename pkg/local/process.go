package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is a child that dies with us. Its output goes to a log file.
type process struct {
	name    string
	cmd     *exec.Cmd
	logPath string
	done    chan struct{} // closed once the child has ended; err is set before
	err     error
	watch   *os.File // our end of the child's fd 3, closed by the kernel when we die
}

// startProcess starts cmd with its output written to logPath, whose last version
// is kept beside it.
//
// Two things end the child with its parent. The kernel sends it SIGKILL (Pdeathsig) when the *thread* that
// started it ends, so a goroutine locks that thread and keeps it until the child is gone. And with
// watched, fd 3 of the child is a pipe that reads end-of-file once we are dead, for a child that looks.
func startProcess(name string, cmd *exec.Cmd, logPath string, watched bool) (*process, error) {
	out, err := newLog(logPath)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	p := &process{name: name, cmd: cmd, logPath: logPath, done: make(chan struct{})}
	if watched {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
		defer func() { _ = r.Close() }()
		cmd.ExtraFiles = []*os.File{r}
		p.watch = w
	}
	setDeathSignal(cmd)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		p.closeWatch()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// newLog starts an empty log and keeps the last one, which may tell why the child had to be started again.
func newLog(path string) (*os.File, error) {
	if err := os.Rename(path, path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

func (p *process) closeWatch() {
	if p.watch != nil {
		_ = p.watch.Close() // a pipe nobody reads any more
	}
}

// stop sends SIGTERM, and SIGKILL after the bound. It returns once the child is gone.
func (p *process) stop(bound time.Duration) error {
	defer p.closeWatch()
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return fmt.Errorf("%s did not stop within %s and was killed", p.name, bound)
}

// waitReady calls probe until it succeeds, the child ends or ctx is done.
func (p *process) waitReady(ctx context.Context, every time.Duration, probe func(context.Context) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last error
	for {
		if last = probe(ctx); last == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.exitError()
		case <-ctx.Done():
			return fmt.Errorf("%s (pid %d) did not answer in time: %w (last: %w); its log is %s", p.name, p.cmd.Process.Pid, context.Cause(ctx), last, p.logPath)
		case <-tick.C:
		}
	}
}

// errEnded marks a child that ended by itself.
var errEnded = errors.New("ended by itself")

// exitError tells how the child ended, with the end of its log.
func (p *process) exitError() error {
	return fmt.Errorf("%s %w (%s): %s; its log is %s", p.name, errEnded, p.cmd.ProcessState, p.lastWords(), p.logPath)
}

// retryStart calls start again, at most three times in all, if a port was ours to pick and the child ended at
// once: between our picking the port and the child's taking it, another process may have taken it.
func retryStart(pick bool, start func() error) error {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		err := start()
		if err == nil || !pick || attempt == attempts || !errors.Is(err, errEnded) {
			return err
		}
	}
}

// lastWords is the last line of the log, at most a few hundred bytes.
func (p *process) lastWords() string {
	const limit = 600
	b, err := os.ReadFile(p.logPath)
	if err != nil || len(bytes.TrimSpace(b)) == 0 {
		return "it left no message"
	}
	line := strings.TrimSpace(string(b))
	if i := strings.LastIndexByte(line, '\n'); i >= 0 {
		line = strings.TrimSpace(line[i:])
	}
	return line[:min(len(line), limit)]
}
