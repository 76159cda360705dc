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

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/collector/loadgen"
)

const (
	namespace = "bench"
	writeKey  = "bench-key"
	// patience bounds each wait.
	patience = 5 * time.Minute
)

// sessionizer lets both steps work off the workload: from the first record to
// the last transition's commit.
func (b *bench) sessionizer(ctx context.Context) error {
	if err := b.generate(ctx, stream.Qualify(namespace, stream.TopicRaw)); err != nil {
		return err
	}
	if err := b.topics(ctx); err != nil {
		return err
	}
	p, err := b.start(ctx, "sessionizer", "--data", filepath.Join(b.dir, "sessionizer"))
	if err != nil {
		return err
	}
	defer p.stop()
	m, err := b.watch(ctx, p, func() (int, error) {
		// The profile step is the last to finish.
		return p.metric(`cairn_step_records_total{step="profile"}`)
	}, b.unique)
	if err != nil {
		return err
	}
	accepted, _ := p.metric("cairn_sessionizer_accepted_total")
	check := "ok"
	if accepted != b.events {
		check, b.failed = fmt.Sprintf("FAILED: %d of %d accepted", accepted, b.events), true
	}
	b.row("cairn-sessionizer", b.events, m, p, check, "both steps, transactions of 200 ms, state in memory")
	return nil
}

// sink lets the sink work off what the sessionizer has written.
func (b *bench) sink(ctx context.Context) error {
	conn, err := warehouse.Open(ctx, b.dsn())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := warehouse.Migrate(ctx, conn, namespace); err != nil {
		return err
	}
	count := func(query string) (int, error) {
		var n uint64
		err := conn.QueryRow(ctx, query).Scan(&n)
		return int(n), err
	}
	p, err := b.start(ctx, "sink", "--clickhouse", b.dsn())
	if err != nil {
		return err
	}
	defer p.stop()
	m, err := b.watch(ctx, p, func() (int, error) {
		return count("SELECT count() FROM " + namespace + ".touchpoints")
	}, b.unique)
	if err != nil {
		return err
	}
	check := "ok"
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		n, err := count("SELECT count() FROM " + namespace + "_bi.v_sessions")
		if err != nil {
			return err
		}
		if n == b.sessions {
			break
		}
		if time.Now().After(deadline) {
			check, b.failed = fmt.Sprintf("FAILED: %d sessions, want %d", n, b.sessions), true
			break
		}
	}
	b.row("cairn-sink", b.unique, m, p, check, "touchpoints; sessions, journeys and transitions beside them are not counted")
	return nil
}

// collector takes the load of barehttp's shape: 32 connections, 20 events each.
func (b *bench) collector(ctx context.Context) error {
	if err := b.topics(ctx); err != nil {
		return err
	}
	const addr = "127.0.0.1:39280"
	p, err := b.start(ctx, "collector", "--addr", addr)
	if err != nil {
		return err
	}
	defer p.stop()
	if err := p.await("/readyz"); err != nil {
		return err
	}
	cpu, servers := processCPU(p.pid()), b.serversCPU()
	const connections, batch = 32, 20
	res, err := loadgen.Run(ctx, loadgen.Options{
		URL: "http://" + addr, WriteKey: writeKey, Connections: connections, BatchEvents: batch, WarmUp: -1, Events: int64(b.events), Duration: time.Minute,
	})
	if err != nil {
		return err
	}
	check := "ok"
	// Requests in flight when the load ends are answered, and not counted by it.
	if accepted, _ := p.metric(`cairn_collector_events_total{outcome="accepted"`); int64(accepted) < res.Events || int64(accepted) > res.Events+connections*batch {
		check, b.failed = fmt.Sprintf("FAILED: %d accepted, %d acknowledged", accepted, res.Events), true
	}
	m := measured{time.Duration(res.Seconds * float64(time.Second)), processCPU(p.pid()) - cpu, b.serversCPU() - servers}
	b.row("cairn-collector", int(res.Events), m, p, check, fmt.Sprintf("32 connections x 20 events, p50 %.1f ms, p99 %.1f ms", res.P50, res.P99))
	return nil
}

func (b *bench) dsn() string { return "clickhouse://" + b.env["CLICKHOUSE"] + "/" + namespace }

func (b *bench) topics(ctx context.Context) error {
	cl, err := stream.NewClient(stream.Cluster{Brokers: []string{b.env["BROKERS"]}}, "bench", nil, nil)
	if err != nil {
		return err
	}
	defer cl.Close()
	return stream.EnsureTopics(ctx, cl, namespace, stream.TopicOptions{Replication: 1})
}

// proc is a running service of cairn.
type proc struct {
	cmd   *exec.Cmd
	admin string
	log   string
}

func (b *bench) start(ctx context.Context, service string, args ...string) (*proc, error) {
	p := &proc{admin: "127.0.0.1:39290", log: filepath.Join(b.dir, service+".log")}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args = append([]string{service, "--namespace", namespace, "--kafka", b.env["BROKERS"], "--admin-addr", p.admin}, args...)
	p.cmd = exec.CommandContext(ctx, b.cairn, args...)
	p.cmd.Env = append(os.Environ(), "CAIRN_IDENTITY_SECRET=bench", "CAIRN_COLLECTOR_WRITE_KEYS="+writeKey+":bench")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if err := p.await("/livez"); err != nil {
		p.stop()
		return nil, fmt.Errorf("%s did not start: %w", service, err)
	}
	return p, nil
}

// await waits until a probe of the service answers 200.
func (p *proc) await(probe string) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + p.admin + probe) //nolint:noctx // loopback
		if err != nil {
			continue
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
	tail, _ := os.ReadFile(p.log)
	return fmt.Errorf("%s is not ok; the log ends with\n%s", probe, tail[max(0, len(tail)-2000):])
}

func (p *proc) pid() int { return p.cmd.Process.Pid }

func (p *proc) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// metric sums the samples whose line begins so.
func (p *proc) metric(prefix string) (int, error) {
	res, err := http.Get("http://" + p.admin + "/metrics") //nolint:noctx // loopback
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, prefix) {
			v, _ := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
			sum += v
		}
	}
	return int(sum), nil
}

// measured is what a stretch of work took.
type measured struct{ wall, cpu, servers time.Duration }

// watch measures from the first progress to the target.
func (b *bench) watch(ctx context.Context, p *proc, progress func() (int, error), target int) (measured, error) {
	var m measured
	var begin time.Time
	startCPU, startServers := processCPU(p.pid()), b.serversCPU()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		n, err := progress()
		if err != nil {
			continue // not serving yet
		}
		if n > 0 && begin.IsZero() {
			// The work before the first commit is part of it: one commit interval.
			begin = time.Now().Add(-200 * time.Millisecond)
		}
		if n >= target {
			return measured{time.Since(begin), processCPU(p.pid()) - startCPU, b.serversCPU() - startServers}, nil
		}
	}
	tail, _ := os.ReadFile(p.log)
	return m, errors.Join(ctx.Err(), fmt.Errorf("the target of %d was not reached; the service's log ends with\n%s", target, tail[max(0, len(tail)-2000):]))
}

func (b *bench) row(name string, events int, m measured, p *proc, check, note string) {
	perM := func(d time.Duration) float64 { return d.Seconds() * 1e6 / float64(events) }
	b.rows = append(b.rows, fmt.Sprintf("%s\t%.0f\t%.2f\t%.2f\t%d\t%s\t%s", name, float64(events)/m.wall.Seconds(),
		perM(m.cpu), perM(m.servers), peakRSS(p.pid()), check, note))
}

func (b *bench) serversCPU() (sum time.Duration) {
	for _, pid := range b.serverPIDs {
		sum += processCPU(pid)
	}
	return sum
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

// peakRSS is a process's peak resident memory in MiB.
func peakRSS(pid int) int {
	raw, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	for line := range strings.Lines(string(raw)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(v)[0])
			return kb / 1024
		}
	}
	return 0
}
