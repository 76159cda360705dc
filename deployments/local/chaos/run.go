//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/cairnhq/cairn/pkg/stream"
)

const (
	namespace  = "chaos"
	partitions = 6
	perSecond  = 5_000 // records, unless the flow is set
)

type options struct {
	cairn, peers string
	events       int
	seed         uint64
	flow, bound  time.Duration
	warehouse    bool
}

// run is one run.
type run struct {
	o       options
	cancel  context.CancelCauseFunc // ends the run
	began   time.Time
	dir     string
	logs    string
	cluster stream.Cluster
	dsn     string

	kafka, clickhouse *server   // clickhouse: nil without
	members           []*member // of the group
	fourth, sink      *member

	oracle  *oracle
	written atomic.Int64
}

// chaos is the whole run. Its result is printed.
func chaos(ctx context.Context, o options) (err error) {
	if o.cairn, err = filepath.Abs(o.cairn); err != nil {
		return err
	}
	if o.flow == 0 {
		o.flow = max(time.Minute, time.Duration(o.events)*time.Second/perSecond)
	}
	r := &run{o: o, began: time.Now(), oracle: newOracle()}
	running, cancel := context.WithCancelCause(ctx)
	r.cancel = cancel
	defer r.cancel(nil)
	if r.dir, err = os.MkdirTemp("", "cairn-chaos-"); err != nil {
		return err
	}
	r.logs = filepath.Join(r.dir, "logs")
	if err := os.Mkdir(r.logs, 0o700); err != nil {
		return err
	}
	r.say("seed %d, %d records over %s", o.seed, o.events, o.flow)
	err = r.everything(running)
	if cause := context.Cause(running); err != nil && cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err)
	}
	r.endAll()
	if err == nil || ctx.Err() != nil {
		return errors.Join(err, os.RemoveAll(r.dir))
	}
	return fmt.Errorf("seed %d: FAILED after %s: %w\neverything of the run is in %s", o.seed, time.Since(r.began).Round(time.Second), err, r.dir)
}

// say prints a line with the time since the start.
func (r *run) say(format string, args ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// must ends the run with an error of something beside it.
func (r *run) must(err error) {
	if err != nil {
		r.cancel(err)
	}
}

func (r *run) everything(ctx context.Context) error {
	if err := r.startServers(ctx); err != nil {
		return err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.Brokers...))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := ensureTopics(ctx, cl); err != nil {
		return err
	}
	w, err := r.chooseWorkload(ctx)
	if err != nil {
		return err
	}
	r.say("the records are those of %s", w.name)
	if err := r.startMembers(); err != nil {
		return err
	}
	seen := &observer{changes: map[string]int{}}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go seen.watch(watching, cl)
	n := &nemesis{run: r, rng: rand.New(rand.NewPCG(r.o.seed, 1)), done: map[string]int{}, idle: append([]*member(nil), r.members...)}
	if err := r.disturbed(ctx, w, n); err != nil {
		return err
	}
	r.say("calm: %d records are written, waiting until they are worked off", r.written.Load())
	if err := r.drain(ctx, cl); err != nil {
		return err
	}
	stop()
	r.say("worked off")
	return r.judge(ctx, cl, w, n, seen)
}

// ensureTopics has cairn make its topics. A broker on a busy machine may take
// longer to know them than cairn waits.
func ensureTopics(ctx context.Context, cl *kgo.Client) (err error) {
	for range 6 {
		if err = stream.EnsureTopics(ctx, cl, namespace, stream.TopicOptions{Partitions: partitions, Replication: 1}); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// disturbed writes the workload while the nemesis is at it.
func (r *run) disturbed(ctx context.Context, w *workload, n *nemesis) error {
	g, ctx := errgroup.WithContext(ctx)
	written := make(chan struct{})
	g.Go(func() error {
		defer close(written)
		if err := r.write(ctx, w); err != nil {
			return fmt.Errorf("write the records: %w", err)
		}
		r.say("all %d records are written and acknowledged; the oracle: %d sessions", r.written.Load(), len(r.oracle.sessions))
		return nil
	})
	g.Go(func() error { return n.torment(ctx, written) })
	return g.Wait()
}

// startMembers starts three sessionizers, and the sink.
func (r *run) startMembers() error {
	service := func(name string, args ...string) *member {
		return &member{run: r, name: name, args: append(args, "--namespace", namespace, "--kafka", r.cluster.Brokers[0], "--admin-addr", "127.0.0.1:0")}
	}
	sessionizer := func(name string) *member {
		data := filepath.Join(r.dir, name)
		m := service(name, "sessionizer", "--data", data)
		m.data = data
		return m
	}
	r.fourth = sessionizer("four")
	for _, name := range []string{"one", "two", "three"} {
		m := sessionizer(name)
		if err := m.start(); err != nil {
			return err
		}
		r.members = append(r.members, m)
	}
	if r.clickhouse == nil {
		return nil
	}
	r.sink = service("sink", "sink", "--clickhouse", r.dsn)
	return r.sink.start()
}

// judge stops the services, which must be able to, and compares.
func (r *run) judge(ctx context.Context, cl *kgo.Client, w *workload, n *nemesis, seen *observer) error {
	starts, ownEnds := 0, 0
	all := append([]*member{r.fourth}, r.members...)
	if r.sink != nil {
		all = append(all, r.sink)
	}
	for _, m := range all {
		code, err := m.end(syscall.SIGTERM)
		if err != nil {
			return err
		}
		if code > 0 {
			return fmt.Errorf("%s ended with %d after SIGTERM: %s", m.name, code, m.lastWords())
		}
		starts, ownEnds = starts+m.starts, ownEnds+m.ownEnds
	}
	if err := settled(ctx, cl); err != nil {
		return err
	}
	t, err := r.readBack(ctx, cl)
	if err != nil {
		return err
	}
	t.compare()
	l, err := r.readLogs()
	if err != nil {
		return err
	}
	for _, d := range l.differences {
		t.differences.add("%s", d)
	}
	verified := "not run, without ClickHouse"
	if r.clickhouse != nil {
		if verified, err = r.verify(ctx, t); err != nil {
			t.differences.add("%v", err)
		}
	}
	for _, d := range t.differences.lines {
		r.say("DIFFERENCE %s", d)
	}
	r.say("nemesis: %v", n)
	r.say("rebalances seen: %v; %v; %d starts, %d ends by themselves, %d steps made anew", seen, l, starts, ownEnds, l.anew)
	r.say("read back: %v", t)
	r.say("cairn verify: %s", verified)
	result := "PASS"
	if t.differences.n > 0 {
		result = "FAIL"
	}
	r.say("%s: seed %d, %s, %d records, %d sessions by the oracle, %d differences, %s", result, r.o.seed, w.name, r.written.Load(),
		len(r.oracle.sessions), t.differences.n, time.Since(r.began).Round(time.Second))
	if t.differences.n > 0 {
		return errors.New(strconv.Itoa(t.differences.n) + " differences")
	}
	return nil
}

// endAll ends whatever runs.
func (r *run) endAll() {
	r.cancel(nil)
	for _, m := range append([]*member{r.fourth, r.sink}, r.members...) {
		if m != nil {
			_, _ = m.end(syscall.SIGKILL)
		}
	}
	for _, s := range []*server{r.clickhouse, r.kafka} {
		if s != nil {
			s.end()
		}
	}
}
