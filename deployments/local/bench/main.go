// Command bench measures cairn's services beside the limits and rivals of a
// folder of peer programs, in one run on one machine: same broker, same
// ClickHouse, same workload. Compare rows of one run only.
//
//	go run ./deployments/local/bench -cairn bin/cairn -peers DIR [-events N]
//
// Each row is checked; a row whose check fails is no measurement and the exit
// code is 1.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	var b bench
	flag.StringVar(&b.cairn, "cairn", "bin/cairn", "the binary to measure")
	flag.StringVar(&b.peers, "peers", "../shared/peers", "folder of the peer programs")
	flag.IntVar(&b.events, "events", 1_000_000, "records of the workload")
	only := flag.String("only", "sessionizer,sink,collector", "what to measure")
	flag.Parse()
	b.only = strings.Split(*only, ",")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	cairn, peers string
	events       int
	only         []string

	dir        string
	env        map[string]string // of the servers: BROKERS, CLICKHOUSE, KAFKA_PID, CLICKHOUSE_PID
	unique     int               // distinct messages of the workload
	sessions   int               // by the workload's oracle
	rows       []string
	failed     bool
	serverPIDs []int
}

func (b *bench) run(ctx context.Context) (err error) {
	if _, err := os.Stat(filepath.Join(b.peers, "gocopy")); err != nil {
		fmt.Fprintf(os.Stderr, "bench: no peer programs in %s, so throughput beside them is not measured\n", b.peers)
		return nil
	}
	if b.cairn, err = filepath.Abs(b.cairn); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "cairn-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.peer(ctx, io.Discard, "go", "build", "-buildvcs=false", "-o", b.dir+"/bin/", "./gen", "./gocopy", "./chinsert", "./barehttp"); err != nil {
		return fmt.Errorf("build the peers: %w", err)
	}
	defer func() { err = errors.Join(err, b.peer(context.WithoutCancel(ctx), io.Discard, "servers/down", b.dir)) }()
	if err := b.peer(ctx, io.Discard, "servers/up", b.dir); err != nil {
		return fmt.Errorf("start the servers: %w", err)
	}
	if b.env, err = readEnv(filepath.Join(b.dir, "env")); err != nil {
		return err
	}
	for _, k := range []string{"KAFKA_PID", "CLICKHOUSE_PID"} {
		pid, err := strconv.Atoi(b.env[k])
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		b.serverPIDs = append(b.serverPIDs, pid)
	}
	err = b.measure(ctx)
	b.print(os.Stdout) // what there is, also when a later part failed
	if err != nil {
		return err
	}
	if b.failed {
		return errors.New("a check failed")
	}
	return nil
}

// measure runs the pairs of cairn's service and its peer, one after the other.
func (b *bench) measure(ctx context.Context) error {
	kafka := []string{"--brokers", b.env["BROKERS"], "--server-pids", b.env["KAFKA_PID"]}
	for _, part := range b.only {
		var err error
		switch part {
		case "sessionizer":
			err = errors.Join(
				b.generate(ctx, "touchpoints.raw"),
				b.peerRow(ctx, "gocopy", append([]string{"--parse", "fast", "--runs", "1"}, kafka...)...),
				b.sessionizer(ctx),
			)
		case "sink":
			err = errors.Join(
				b.peerRow(ctx, "chinsert", "--clickhouse", b.env["CLICKHOUSE"], "--rows", strconv.Itoa(b.events), "--conns", "2",
					"--server-pids", b.env["CLICKHOUSE_PID"]),
				b.sink(ctx),
			)
		case "collector":
			err = errors.Join(
				b.peerRow(ctx, "barehttp", append([]string{"--parse", "fast", "--events", strconv.Itoa(b.events)}, kafka...)...),
				b.collector(ctx),
			)
		default:
			err = fmt.Errorf("-only names %q: want sessionizer, sink and collector", part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// peer runs a program in the folder of the peers.
func (b *bench) peer(ctx context.Context, out io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if !filepath.IsAbs(name) && strings.Contains(name, "/") {
		cmd.Path = filepath.Join(b.peers, name)
	}
	abs, err := filepath.Abs(b.peers)
	if err != nil {
		return err
	}
	cmd.Dir = abs
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		cmd.Path = filepath.Join(abs, name)
	}
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd.Run()
}

// generate writes the workload to a topic and learns what it holds.
func (b *bench) generate(ctx context.Context, topic string) error {
	oracle := filepath.Join(b.dir, "oracle")
	if err := b.peer(ctx, io.Discard, b.dir+"/bin/gen", "--events", strconv.Itoa(b.events), "--brokers", b.env["BROKERS"], "--topic", topic, "--oracle", oracle); err != nil {
		return fmt.Errorf("generate the workload: %w", err)
	}
	raw, err := os.ReadFile(oracle)
	if err != nil {
		return err
	}
	for _, f := range strings.Fields(string(raw)) {
		k, v, _ := strings.Cut(f, "=")
		n, _ := strconv.Atoi(v)
		switch k {
		case "unique":
			b.unique = n
		case "sessions":
			b.sessions = n
		}
	}
	return nil
}

// peerRow runs a peer and takes its last RESULT line.
func (b *bench) peerRow(ctx context.Context, name string, args ...string) error {
	var out strings.Builder
	err := b.peer(ctx, &out, b.dir+"/bin/"+name, args...)
	row := ""
	for line := range strings.Lines(out.String()) {
		if rest, ok := strings.CutPrefix(line, "RESULT\t"); ok {
			row = strings.TrimSpace(rest)
		}
	}
	if row == "" {
		return fmt.Errorf("%s printed no result: %w", name, err)
	}
	b.rows = append(b.rows, row)
	return nil
}

func (b *bench) print(w io.Writer) {
	fmt.Fprintln(w, "| what | events/s | CPU s/M events | servers' CPU s/M | peak RSS MB | check | note |")
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---|---|")
	for _, r := range b.rows {
		fmt.Fprintln(w, "| "+strings.ReplaceAll(r, "\t", " | ")+" |")
	}
}

func readEnv(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	env := map[string]string{}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		k, v, _ := strings.Cut(sc.Text(), "=")
		env[k] = v
	}
	return env, nil
}
