// Command bench measures cairn's services beside the limits and rivals of a
// folder of peer programs, in one run on one machine: same broker, same
// ClickHouse, same workload. Compare rows of one run only.
//
//	go run ./deployments/local/bench -cairn bin/cairn -peers DIR [-events N] [-only PART,PART]
//
// Each row is checked; a row whose check fails is no measurement and the exit
// code is 1. Targets are printed beside what was measured; one that is missed is
// not an error, because a machine that is busy misses it, too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const usage = `bench measures cairn beside peer programs and prints tables.

Parts of -only, in the order in which they run, with the time they take on two idle cores at the defaults:

  sessionizer  6 min  records per second and per CPU-second of the device step, the profile step and both, beside
                      gocopy and kstreams
  sink         3 min  touchpoints into ClickHouse, beside chinsert and ClickHouse's Kafka engine
  collector    3 min  HTTP requests of 20 events and of one, beside barehttp
  latency      1 min  from append to touchpoints.raw to the transition, at a tenth of what both steps take
  memory       6 min  memory, disk, changelog and restore with -few and with -profiles profiles; with -profiles 0 the
                      large part is left out: 1 min
  cost         2 min  what an event costs by the size of the model and the age of a profile; needs no servers

sink and latency begin with a run of both steps if the part sessionizer did not go before. -events 100000 -runs 1
-profiles 0 -latency 10s sees in 5 minutes whether everything works, and measures little.

`

func main() {
	var b bench
	flag.StringVar(&b.cairn, "cairn", "bin/cairn", "the binary to measure")
	flag.StringVar(&b.source, "peers", "../shared/peers", "folder of the peer programs")
	flag.IntVar(&b.events, "events", 1_000_000, "records of the workload")
	flag.IntVar(&b.runs, "runs", 3, "runs of the steps and of gocopy; the median counts")
	flag.IntVar(&b.few, "few", 100_000, "profiles of the small state")
	flag.IntVar(&b.many, "profiles", 2_000_000, "profiles of the large state; 0: leave it out")
	flag.IntVar(&b.rate, "rate", 0, "events per second of the part latency; 0: a tenth of the events per second of both steps")
	flag.DurationVar(&b.lasting, "latency", 30*time.Second, "how long the part latency sends")
	only := flag.String("only", strings.Join(parts(), ","), "what to measure")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	b.only = strings.Split(*only, ",")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// parts are the names that -only takes, in the order in which they run.
func parts() []string {
	return []string{"sessionizer", "sink", "collector", "latency", "memory", "cost"}
}

// bench is one run.
type bench struct {
	cairn, source string // the binary; the folder of the peers
	events, runs  int
	few, many     int
	rate          int
	lasting       time.Duration
	only          []string

	dir       string            // temporary; the peers' copy is below it
	env       map[string]string // of the servers: BROKERS, CLICKHOUSE, KAFKA_PID, CLICKHOUSE_PID
	kafka     int               // process ids
	database  int
	unique    int // distinct messages of the workload
	sessions  int // by the workload's oracle
	generated map[string]bool
	maximum   float64 // events per second of both steps; 0: not measured yet
	report    report
}

func (b *bench) run(ctx context.Context) error {
	for _, part := range b.only {
		if !slices.Contains(parts(), part) {
			return fmt.Errorf("-only names %q: want %s", part, strings.Join(parts(), ", "))
		}
	}
	if _, err := os.Stat(filepath.Join(b.source, "gocopy")); err != nil {
		fmt.Fprintf(os.Stderr, "bench: no peer programs in %s, so only the part cost is measured\n", b.source)
		b.only = slices.DeleteFunc(b.only, func(part string) bool { return part != "cost" })
	}
	err := b.measure(ctx)
	b.report.print(os.Stdout) // what there is, also when a later part failed
	if err == nil && b.report.failed {
		err = errors.New("a check failed")
	}
	return err
}

// measure runs the parts, one after the other.
func (b *bench) measure(ctx context.Context) (err error) {
	if b.cairn, err = filepath.Abs(b.cairn); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "cairn-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	if slices.ContainsFunc(b.only, func(part string) bool { return part != "cost" }) {
		defer func() { err = errors.Join(err, b.stopServers(ctx)) }()
		if err := b.startServers(ctx); err != nil {
			return err
		}
	}
	measures := map[string]func(context.Context) error{
		"sessionizer": b.sessionizer, "sink": b.sink, "collector": b.collector,
		"latency": b.latency, "memory": b.memory, "cost": b.cost,
	}
	for _, part := range parts() {
		if !slices.Contains(b.only, part) {
			continue
		}
		if err := measures[part](ctx); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}

// command runs a program in a folder.
func command(ctx context.Context, folder string, out io.Writer, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, out, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	return nil
}

// say tells on stderr what is being done: a run takes minutes.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
