package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	writeKey = "bench-key"
	// patience is how long a wait may see no progress.
	patience = 2 * time.Minute
	// commitInterval is that of the sessionizer, as of the peers.
	commitInterval = 100 * time.Millisecond
)

// proc is a running service of cairn.
type proc struct {
	cmd     *exec.Cmd
	admin   string // host:port
	log     string // file
	stopped bool
}

// start runs a service in a namespace until stop is called.
func (b *bench) start(ctx context.Context, service, namespace string, args ...string) (*proc, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p := &proc{admin: addr, log: filepath.Join(b.dir, service+".log")}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	args = append([]string{service, "--namespace", namespace, "--kafka", b.env["BROKERS"], "--admin-addr", p.admin}, args...)
	p.cmd = exec.CommandContext(ctx, b.cairn, args...)
	p.cmd.Env = append(
		os.Environ(), "CAIRN_IDENTITY_SECRET=bench", "CAIRN_COLLECTOR_WRITE_KEYS="+writeKey+":bench",
		"CAIRN_SESSIONIZER_COMMIT_INTERVAL="+commitInterval.String(),
	)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = time.Minute
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := p.await(ctx, "/livez", 5*time.Millisecond); err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not start: %w", service, err), p.stop())
	}
	return p, nil
}

// await waits until a probe of the service answers 200.
func (p *proc) await(ctx context.Context, probe string, every time.Duration) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(every) {
		res, err := http.Get("http://" + p.admin + probe) //nolint:noctx // loopback
		if err != nil {
			continue
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
	return p.complain(ctx, probe+" is not ok")
}

// complain is an error with what the service said last.
func (p *proc) complain(ctx context.Context, what string) error {
	tail, _ := os.ReadFile(p.log)
	return errors.Join(ctx.Err(), fmt.Errorf("%s; the service's log ends with\n%s", what, tail[max(0, len(tail)-2000):]))
}

func (p *proc) pid() int { return p.cmd.Process.Pid }

// stop ends the service as an operator does, and waits for it. Only the first call
// does something.
func (p *proc) stop() error {
	if p.stopped {
		return nil
	}
	p.stopped = true
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("stop %s: %w", p.cmd.Args[1], err)
	}
	return nil
}

// page is what a service says of itself: lines of the Prometheus format.
type page string

func (p *proc) metrics() (page, error) {
	res, err := http.Get("http://" + p.admin + "/metrics") //nolint:noctx // loopback
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	return page(raw), err
}

// sum adds the samples whose line begins so.
func (m page) sum(prefix string) float64 {
	sum := 0.0
	for line := range strings.Lines(string(m)) {
		if strings.HasPrefix(line, prefix) {
			v, _ := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
			sum += v
		}
	}
	return sum
}

// metric adds the samples whose line begins so; 0 if the service does not answer.
func (p *proc) metric(prefix string) int {
	m, _ := p.metrics()
	return int(m.sum(prefix))
}

// processCPU is the CPU time of a process, from /proc; 0 if it is gone.
func processCPU(pid int) time.Duration {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	// The name may hold spaces; behind it utime and stime are fields 12 and 13, in
	// hundredths of a second.
	_, rest, _ := strings.Cut(string(raw), ") ")
	f := strings.Fields(rest)
	u, _ := strconv.ParseInt(f[11], 10, 64)
	s, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(u+s) * 10 * time.Millisecond
}

// Resident memory, as /proc names it.
const (
	rssNow  = "VmRSS:"
	rssPeak = "VmHWM:"
)

// memoryOf is a process's resident memory in MiB.
func memoryOf(pid int, which string) int {
	raw, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, which); ok {
			kb, _ := strconv.Atoi(strings.Fields(v)[0])
			return kb / 1024
		}
	}
	return 0
}
