package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// folder is where the copy of the peers is: theirs may be read only, and kstreams
// builds in place.
func (b *bench) folder() string { return filepath.Join(b.dir, "peers") }

// peer runs a program of the peers, by its path in their folder.
func (b *bench) peer(ctx context.Context, out io.Writer, name string, args ...string) error {
	return command(ctx, b.folder(), out, nil, filepath.Join(b.folder(), name), args...)
}

// startServers builds the peers and starts a broker and a ClickHouse of theirs.
func (b *bench) startServers(ctx context.Context) error {
	if err := os.CopyFS(b.folder(), os.DirFS(b.source)); err != nil {
		return fmt.Errorf("copy the peers: %w", err)
	}
	err := command(ctx, b.folder(), io.Discard, nil, "go", "build", "-buildvcs=false", "-o", "bin/", "./gen", "./gocopy", "./chinsert", "./barehttp")
	if err != nil {
		return fmt.Errorf("build the peers: %w", err)
	}
	var ports []string
	for _, name := range []string{"KAFKA_PORT", "CONTROLLER_PORT", "CH_TCP_PORT", "CH_HTTP_PORT"} {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(addr)
		ports = append(ports, name+"="+port)
	}
	if err := command(ctx, b.folder(), io.Discard, ports, filepath.Join(b.folder(), "servers/up"), b.dir); err != nil {
		return fmt.Errorf("start the servers: %w", err)
	}
	if b.env, err = readEnv(filepath.Join(b.dir, "env")); err != nil {
		return err
	}
	var errs [2]error
	b.kafka, errs[0] = strconv.Atoi(b.env["KAFKA_PID"])
	b.database, errs[1] = strconv.Atoi(b.env["CLICKHOUSE_PID"])
	b.generated = map[string]bool{}
	return errors.Join(errs[:]...)
}

func (b *bench) stopServers(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(b.dir, "env")); errors.Is(err, fs.ErrNotExist) {
		return nil // they did not start
	}
	return b.peer(context.WithoutCancel(ctx), io.Discard, "servers/down", b.dir)
}

// generate writes the workload to a topic, if it is not there, and learns what it holds.
func (b *bench) generate(ctx context.Context, topic string) error {
	if b.generated[topic] {
		return nil
	}
	say("write %d records to %s", b.events, topic)
	oracle := filepath.Join(b.dir, "oracle")
	err := b.peer(ctx, io.Discard, "bin/gen", "--events", strconv.Itoa(b.events), "--brokers", b.env["BROKERS"], "--topic", topic, "--oracle", oracle)
	if err != nil {
		return fmt.Errorf("generate the workload: %w", err)
	}
	raw, err := os.ReadFile(oracle)
	if err != nil {
		return err
	}
	for f := range strings.FieldsSeq(string(raw)) {
		k, v, _ := strings.Cut(f, "=")
		n, _ := strconv.Atoi(v)
		switch k {
		case "unique":
			b.unique = n
		case "sessions":
			b.sessions = n
		}
	}
	if b.unique == 0 || b.sessions == 0 {
		return fmt.Errorf("the workload's oracle says %q", raw)
	}
	b.generated[topic] = true
	return nil
}

// onKafka are the arguments of a peer that uses the broker.
func (b *bench) onKafka(args ...string) []string {
	return append(args, "--brokers="+b.env["BROKERS"], "--server-pids="+b.env["KAFKA_PID"])
}

// peerRow runs a peer and takes its last RESULT line.
func (b *bench) peerRow(ctx context.Context, name string, args ...string) (result, error) {
	say("%s %s", name, strings.Join(args, " "))
	var out strings.Builder
	err := b.peer(ctx, &out, name, args...)
	var found *result
	for line := range strings.Lines(out.String()) {
		rest, ok := strings.CutPrefix(line, "RESULT\t")
		if !ok {
			continue
		}
		r, bad := parseResult(strings.TrimRight(rest, "\n"))
		if bad != nil {
			return r, fmt.Errorf("%s: %w", name, bad)
		}
		found = &r
	}
	if found == nil {
		return result{}, fmt.Errorf("%s printed no result: %w", name, err)
	}
	b.report.add(*found)
	return *found, nil
}

// parseResult reads what follows RESULT: name, events/s, CPU s/M, servers' CPU s/M,
// peak memory in MB, check, note.
func parseResult(line string) (result, error) {
	f := strings.SplitN(line, "\t", 7)
	if len(f) != 7 {
		return result{}, fmt.Errorf("RESULT has %d fields, want 7: %q", len(f), line)
	}
	var errs [4]error
	r := result{name: f[0], check: f[5], note: f[6]}
	r.rate, errs[0] = strconv.ParseFloat(f[1], 64)
	r.cpu, errs[1] = strconv.ParseFloat(f[2], 64)
	r.servers, errs[2] = strconv.ParseFloat(f[3], 64)
	r.rss, errs[3] = strconv.Atoi(f[4])
	return r, errors.Join(errs[:]...)
}

// freeAddr is an address of the loopback interface on which nobody listens.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func readEnv(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	env := map[string]string{}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		k, v, _ := strings.Cut(sc.Text(), "=")
		env[k] = v
	}
	return env, sc.Err()
}
