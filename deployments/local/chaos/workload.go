//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// record is one raw record as it is to be written.
type record struct{ key, value []byte }

// workload is a stream of raw records.
type workload struct {
	name    string
	records iter.Seq2[record, error]
	// sessions is what its generator says that the stream holds, once the stream
	// has ended; 0: it says nothing.
	sessions func() int
}

// chooseWorkload takes the peers' generator where it is, else the own one.
func (r *run) chooseWorkload(ctx context.Context) (*workload, error) {
	if r.o.peers == "" {
		return ownWorkload(r.o.seed, r.o.events), nil
	}
	if _, missing := os.Stat(filepath.Join(r.o.peers, "gen", "main.go")); missing != nil {
		r.say("%v: the own generator is used", missing)
		return ownWorkload(r.o.seed, r.o.events), nil
	}
	program := filepath.Join(r.dir, "gen")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", program, "./gen")
	build.Dir = r.o.peers
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the peers' generator: %w\n%s", err, out)
	}
	return peersWorkload(ctx, program, r.o.seed, r.o.events), nil
}

// peersWorkload reads the lines that the peers' generator prints. They go
// through a writer of ours, which survives the broker's restarts and paces them.
func peersWorkload(ctx context.Context, program string, seed uint64, events int) *workload {
	w := &workload{name: "peers/gen"}
	var said bytes.Buffer
	w.sessions = func() int {
		for f := range strings.FieldsSeq(said.String()) {
			if n, ok := strings.CutPrefix(f, "sessions="); ok {
				count, _ := strconv.Atoi(n)
				return count
			}
		}
		return -1 // it always says so
	}
	w.records = func(yield func(record, error) bool) {
		cmd := exec.CommandContext(ctx, program, "--events", strconv.Itoa(events), "--seed", strconv.FormatUint(seed, 10), "--out", "-")
		cmd.Stderr = &said
		out, in, err := os.Pipe()
		var c *child
		if err == nil {
			cmd.Stdout = in
			c, err = startChild(cmd)
			err = errors.Join(err, in.Close())
		}
		if err != nil {
			yield(record{}, fmt.Errorf("start the peers' generator: %w", err))
			return
		}
		defer func() {
			_ = out.Close()
			_, _ = c.end(syscall.SIGKILL, time.Minute) // it has ended, or nobody reads on
		}()
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		n := 0
		for ; lines.Scan(); n++ {
			var who struct{ AnonymousID string }
			value := bytes.Clone(lines.Bytes())
			err := json.Unmarshal(value, &who)
			if !yield(record{[]byte(who.AnonymousID), value}, err) {
				return
			}
		}
		<-c.done // its last words are complete
		if err := lines.Err(); err != nil || n != events {
			yield(record{}, errors.Join(err, fmt.Errorf("the peers' generator wrote %d records of %d", n, events)))
		}
	}
	return w
}
