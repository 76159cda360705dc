package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/cairnhq/cairn/pkg/wire"
)

// StepOptions says what a step reads, and how it is processed.
type StepOptions struct {
	Cluster    Cluster
	Namespace  string
	Name       string // "device", "profile": names group, changelog and metrics
	Input      string // topic, without the namespace
	InstanceID string // stable over restarts of this instance; part of the transactional id
	Epoch      uint32 // rebuild epoch of state that is made anew

	// NewTask makes the processing of a partition on its restored state.
	NewTask func(partition int32, state *State) (Task, error)
	// NewStore makes an empty store for a partition; default in memory.
	NewStore func(partition int32) Store

	CommitInterval time.Duration // default 100 ms
	MaxRecords     int           // of one transaction; default 20,000
	Log            *zap.Logger
	Registerer     prometheus.Registerer // may be nil
}

func (o *StepOptions) setDefaults() {
	if o.CommitInterval == 0 {
		o.CommitInterval = 100 * time.Millisecond
	}
	if o.MaxRecords == 0 {
		o.MaxRecords = 20_000
	}
	if o.NewStore == nil {
		o.NewStore = func(int32) Store { return NewMemoryStore() }
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
}

// Bounds of the loop.
const (
	perPoll            = 4_000
	transactionTimeout = 10 * time.Second
	// sessionTimeout is when a killed instance is missed and its partitions go to
	// others: longer than its transaction may stay open, so that what it left is
	// settled by then.
	sessionTimeout = 15 * time.Second
	// endTimeout is how long the end of a transaction may take. The context of
	// End must not be cancelled (that leaves the client in an invalid state), so
	// beyond it the step gives up and its process restarts it with a fresh client.
	endTimeout = 30 * time.Second
	// idleFor is how long a partition must deliver nothing to be caught up.
	idleFor = time.Second
	// tickEvery is how often tasks are asked whether time makes something due.
	tickEvery = time.Second
)

// ErrFenced says that another instance with the same transactional id took over,
// or that the outcome of a transaction is unknown: the step must be made anew.
var ErrFenced = errors.New("the transaction was fenced or its outcome is unknown")

// Step reads a topic, keeps state per partition and writes topics, exactly once:
// outputs, state changes and input offsets are one Kafka transaction.
type Step struct {
	o         StepOptions
	reg       *scope
	sess      *kgo.GroupTransactSession
	log       *zap.Logger
	met       *stepMetrics
	input     string
	group     string
	changelog string
	out       *output

	mu     sync.Mutex
	events []assignment // guarded by mu: what callbacks saw and the loop has not

	failures  int             // transactions in a row whose output failed
	parts     map[int32]*part // owned by the loop
	restoring map[int32]context.CancelFunc
	done      chan restored
	ready     atomic.Bool
	assigned  atomic.Bool
}

// assignment is a rebalance as the client's callbacks see it.
type assignment struct {
	added      bool
	partitions []int32
}

// part is an assigned partition with complete state.
type part struct {
	id       int32
	task     Task
	state    *State
	lastSeen time.Time // when it last delivered a record
	touched  bool      // in the open transaction
	records  []*kgo.Record
	// resumeAt is where to go on when the group has lost its offsets, else -1.
	// The client may only be sent there once it consumes the partition, which the
	// first record from before it shows.
	resumeAt int64
	seek     bool
}

// NewStep makes a step and its client. It connects lazily.
func NewStep(o StepOptions) (*Step, error) {
	o.setDefaults()
	reg := &scope{Registerer: o.Registerer}
	s := &Step{
		o: o, reg: reg, log: o.Log.Named(o.Name), met: newStepMetrics(o.Name, reg),
		input: Qualify(o.Namespace, o.Input), group: Qualify(o.Namespace, o.Name),
		changelog: Qualify(o.Namespace, o.Name+".changelog"),
		parts:     map[int32]*part{}, restoring: map[int32]context.CancelFunc{},
		done: make(chan restored),
	}
	opts, err := clientOptions(o.Cluster, o.Name, o.Log, reg)
	if err != nil {
		return nil, err
	}
	// The epoch is part of the id: after an unclean stop the embedded broker may
	// hold an open transaction of the old id, which must never be continued.
	id := fmt.Sprintf("%s.%s.%s.%d", o.Namespace, o.Name, o.InstanceID, o.Epoch)
	s.sess, err = kgo.NewGroupTransactSession(append(
		opts,
		kgo.TransactionalID(id),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.ConsumerGroup(s.group),
		kgo.SessionTimeout(sessionTimeout),
		kgo.ConsumeTopics(s.input),
		// A group without offsets starts at the beginning; an offset that is out of
		// range is an error, because the state would miss what was deleted.
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.RecordPartitioner(newPartitioner()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerBatchMaxBytes(MaxRecordBytes),
		kgo.MaxBufferedRecords(200_000),
		kgo.FetchMaxPartitionBytes(8<<20),
		kgo.OnPartitionsAssigned(s.onAssigned),
		kgo.OnPartitionsRevoked(s.onRevoked),
		kgo.OnPartitionsLost(s.onRevoked),
	)...)
	if err != nil {
		return nil, fmt.Errorf("%s step: %w", o.Name, err)
	}
	return s, nil
}

// Ready is nil once partitions are assigned and their state is complete.
func (s *Step) Ready() error {
	switch {
	case !s.assigned.Load():
		return fmt.Errorf("%s step: waiting for Kafka to assign partitions", s.o.Name)
	case !s.ready.Load():
		return fmt.Errorf("%s step: restoring state", s.o.Name)
	}
	return nil
}

func (s *Step) onAssigned(_ context.Context, cl *kgo.Client, added map[string][]int32) {
	// Paused before anything is fetched: their state comes first.
	cl.PauseFetchPartitions(added)
	s.note(assignment{true, added[s.input]})
	s.assigned.Store(true)
}

func (s *Step) onRevoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	s.note(assignment{false, gone[s.input]})
}

func (s *Step) note(a assignment) {
	s.ready.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, a)
}

// Run processes until ctx ends, then commits what is in flight, leaves the group
// and returns nil. Any error means that the step must be made anew.
func (s *Step) Run(ctx context.Context) error {
	defer s.close()
	s.out = &output{ctx: context.WithoutCancel(ctx), produce: s.sess.Produce}
	nextTick := time.Now().Add(tickEvery)
	for ctx.Err() == nil {
		if err := s.rebalance(ctx); err != nil {
			return err
		}
		fetches := s.poll(ctx, time.Now().Add(s.o.CommitInterval))
		ticking := !time.Now().Before(nextTick)
		if fetches.NumRecords() == 0 && !(ticking && s.due()) {
			if err := fatal(fetches); err != nil {
				return err
			}
			continue
		}
		if err := s.transaction(ctx, fetches, ticking); err != nil {
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		}
		if ticking {
			nextTick = time.Now().Add(tickEvery)
		}
	}
	return nil
}

// close leaves the group, so that others take over at once.
func (s *Step) close() {
	for _, cancel := range s.restoring {
		cancel()
	}
	for range s.restoring {
		<-s.done
	}
	for _, p := range s.parts {
		if err := p.state.store.Close(); err != nil {
			s.log.Error("store did not close", zap.Int32("partition", p.id), zap.Error(err))
		}
	}
	s.sess.Close()
	s.reg.unregisterAll()
}

func (s *Step) poll(ctx context.Context, until time.Time) kgo.Fetches {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return s.sess.PollRecords(ctx, perPoll)
}

// fatal picks the fetch error that the client cannot recover from by itself.
func fatal(fetches kgo.Fetches) error {
	var err error
	fetches.EachError(func(topic string, partition int32, e error) {
		switch {
		case errors.Is(e, context.DeadlineExceeded), errors.Is(e, context.Canceled):
		case kerr.IsRetriable(e) && !errors.Is(e, kerr.OffsetOutOfRange):
		default:
			err = fmt.Errorf("fetch %s/%d: %w", topic, partition, e)
		}
	})
	return err
}

// rebalance brings the set of partitions up to date. It runs outside of transactions.
func (s *Step) rebalance(ctx context.Context) error {
	s.mu.Lock()
	events := s.events
	s.events = nil
	s.mu.Unlock()
	for _, e := range events {
		for _, p := range e.partitions {
			if err := s.drop(p); err != nil {
				return err
			}
			if e.added {
				s.startRestore(ctx, p)
			}
		}
	}
	for {
		select {
		case r := <-s.done:
			if err := s.install(r); err != nil {
				return err
			}
		default:
			s.mu.Lock()
			settled := len(s.events) == 0 && len(s.restoring) == 0
			s.mu.Unlock()
			if settled && s.assigned.Load() {
				s.ready.Store(true)
			}
			return nil
		}
	}
}

func (s *Step) drop(p int32) error {
	if cancel, ok := s.restoring[p]; ok {
		cancel()
		if err := s.awaitRestore(p); err != nil {
			return err
		}
	}
	if part, ok := s.parts[p]; ok {
		if err := part.state.store.Close(); err != nil {
			s.log.Error("store did not close", zap.Int32("partition", p), zap.Error(err))
		}
		delete(s.parts, p)
		s.met.forget(p)
	}
	return nil
}

// awaitRestore waits for a cancelled restore, installing others that end meanwhile.
func (s *Step) awaitRestore(p int32) error {
	for {
		r := <-s.done
		if r.partition == p {
			delete(s.restoring, p)
			return nil
		}
		if err := s.install(r); err != nil {
			return err
		}
	}
}

func (s *Step) startRestore(ctx context.Context, p int32) {
	ctx, cancel := context.WithCancel(ctx)
	s.restoring[p] = cancel
	go func() {
		state, at, err := s.restore(ctx, p)
		s.done <- restored{p, state, at, err}
	}()
}

func (s *Step) install(r restored) error {
	if cancel, ok := s.restoring[r.partition]; ok {
		cancel()
		delete(s.restoring, r.partition)
	}
	if r.err != nil {
		return r.err
	}
	task, err := s.o.NewTask(r.partition, r.state)
	if err != nil {
		return fmt.Errorf("%s step, partition %d: %w", s.o.Name, r.partition, err)
	}
	s.parts[r.partition] = &part{id: r.partition, task: task, state: r.state, lastSeen: time.Now(), resumeAt: r.resumeAt}
	s.sess.Client().ResumeFetchPartitions(map[string][]int32{s.input: {r.partition}})
	return nil
}

// sorted are the partitions in order, so that logs and errors are stable.
func (s *Step) sorted() []*part {
	out := make([]*part, 0, len(s.parts))
	for _, p := range s.parts {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *part) int { return int(a.id - b.id) })
	return out
}

func (s *Step) clock(p *part) Clock {
	now := time.Now()
	return Clock{Wall: now.UnixMilli(), CaughtUp: now.Sub(p.lastSeen) > idleFor}
}

func (s *Step) due() bool {
	for _, p := range s.parts {
		if p.task.Due(s.clock(p)) {
			return true
		}
	}
	return false
}

// transaction processes the fetched records, and those that come until the
// commit interval is over, and commits.
func (s *Step) transaction(ctx context.Context, fetches kgo.Fetches, ticking bool) error {
	started := time.Now()
	s.out.begin()
	if err := s.sess.Begin(); err != nil {
		return fmt.Errorf("%s step: begin: %w: %w", s.o.Name, ErrFenced, err)
	}
	records, bad := 0, error(nil)
	for {
		if bad = fatal(fetches); bad != nil {
			break
		}
		records += fetches.NumRecords()
		if bad = s.process(fetches); bad != nil {
			break
		}
		if ticking || records >= s.o.MaxRecords || time.Since(started) >= s.o.CommitInterval || ctx.Err() != nil {
			break
		}
		fetches = s.poll(ctx, started.Add(s.o.CommitInterval))
	}
	if bad == nil && ticking {
		bad = s.each(func(p *part) bool { return p.task.Due(s.clock(p)) }, func(p *part) error {
			p.touched = true
			return p.task.Tick(s.clock(p), s.out)
		})
	}
	var flushed []*flushedPart
	if bad == nil {
		flushed, bad = s.flush()
	}
	return s.end(ctx, started, records, flushed, bad)
}

// process hands the records to their partitions' tasks, in parallel.
func (s *Step) process(fetches kgo.Fetches) error {
	now := time.Now()
	var unknown error
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) == 0 {
			return
		}
		p := s.parts[f.Partition]
		if p == nil {
			unknown = errAbort
			return
		}
		p.records = append(p.records, f.Records...)
		p.lastSeen, p.touched = now, true
	})
	err := s.each(func(p *part) bool { return len(p.records) > 0 }, func(p *part) error {
		defer func() { p.records = p.records[:0] }()
		for _, r := range p.records {
			if r.Offset < p.resumeAt {
				p.seek = true
				return errAbort
			}
			if r.Offset < p.state.meta.NextOffset {
				// The client must never go back without telling (franz-go #1222).
				return fmt.Errorf("%s/%d: offset %d came after %d: %w", r.Topic, r.Partition, r.Offset, p.state.meta.NextOffset, ErrFenced)
			}
			if err := p.task.Process(r, s.out); err != nil {
				return fmt.Errorf("%s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
			}
			p.state.meta.NextOffset = r.Offset + 1
		}
		return nil
	})
	return errors.Join(err, unknown)
}

// errAbort asks for an abort that is not a failure: records came that cannot be
// processed now, and will come again or are reflected already.
var errAbort = errors.New("abort")

// each runs fn for the chosen partitions in parallel and returns the first error.
func (s *Step) each(want func(*part) bool, fn func(*part) error) error {
	var g errgroup.Group
	for _, p := range s.sorted() {
		if want(p) {
			g.Go(func() error { return fn(p) })
		}
	}
	return g.Wait()
}

// flushedPart is what a partition has put into the transaction.
type flushedPart struct {
	*part
	changes []Change
	meta    *kgo.Record
}

// flush writes the changed rows to the changelog, the meta record last.
func (s *Step) flush() ([]*flushedPart, error) {
	var mu sync.Mutex
	var out []*flushedPart
	err := s.each(func(p *part) bool { return p.touched }, func(p *part) error {
		if err := p.task.Flush(s.clock(p), s.out); err != nil {
			return fmt.Errorf("%s step, partition %d: flush: %w", s.o.Name, p.id, err)
		}
		p.state.Put([]byte(metaKey), wire.EncodeMeta(p.state.meta))
		f := &flushedPart{part: p, changes: p.state.changes()}
		for i, c := range f.changes {
			r := &kgo.Record{Topic: s.changelog, Partition: p.id, Key: c.Key, Value: c.Value}
			if i == 0 { // the meta row sorts first
				f.meta = r
				continue
			}
			s.out.Produce(r)
		}
		s.out.Produce(f.meta)
		mu.Lock()
		defer mu.Unlock()
		out = append(out, f)
		return nil
	})
	return out, err
}

// end commits, or aborts when something is bad, and brings the state in line
// with the outcome.
func (s *Step) end(ctx context.Context, started time.Time, records int, flushed []*flushedPart, bad error) error {
	try := kgo.TryCommit
	if bad != nil {
		try = kgo.TryAbort
	}
	committed, err := s.endBounded(ctx, try)
	for _, p := range s.parts {
		p.touched = false
		p.records = nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s step: end transaction: %w: %w", s.o.Name, ErrFenced, err)
	case bad != nil && !errors.Is(bad, errAbort):
		return bad
	case !committed:
		s.met.aborts.Inc()
		s.rollback()
		return s.outputFailed(ctx)
	}
	s.failures = 0
	for _, f := range flushed {
		if err := f.state.commit(f.changes, f.meta.Offset+1); err != nil {
			return fmt.Errorf("%s step, partition %d: store: %w", s.o.Name, f.id, err)
		}
		f.task.Committed()
		s.met.state(f.id, f.state)
	}
	s.met.committed(time.Since(started), records)
	return nil
}

// maxFailures is how many transactions in a row may fail on their output before
// the step gives up: what does not pass by then needs somebody to look.
const maxFailures = 20

// outputFailed slows down while output fails, and gives up on what cannot pass.
func (s *Step) outputFailed(ctx context.Context) error {
	err := s.out.err()
	if err == nil {
		return nil // a rebalance, or another reason to abort that passes
	}
	if s.failures++; s.failures > maxFailures || errors.Is(err, kerr.MessageTooLarge) {
		return fmt.Errorf("%s step: output failed: %w", s.o.Name, err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(s.failures) * 50 * time.Millisecond):
	}
	return nil
}

// endBounded ends the transaction with a watchdog. A record that could not be
// produced turns a commit into an abort.
func (s *Step) endBounded(ctx context.Context, try kgo.TransactionEndTry) (bool, error) {
	type outcome struct {
		committed bool
		err       error
	}
	ctx = context.WithoutCancel(ctx)
	ch := make(chan outcome, 1)
	go func() {
		if try == kgo.TryCommit {
			if err := s.sess.Client().Flush(ctx); err != nil {
				ch <- outcome{false, err}
				return
			}
			if err := s.out.err(); err != nil {
				s.log.Warn("output failed, aborting the transaction", zap.Error(err))
				try = kgo.TryAbort
			}
		}
		committed, err := s.sess.End(ctx, try)
		ch <- outcome{committed, err}
	}()
	timer := time.NewTimer(endTimeout)
	defer timer.Stop()
	select {
	case o := <-ch:
		return o.committed, o.err
	case <-timer.C:
		return false, fmt.Errorf("no outcome after %s", endTimeout)
	}
}

// rollback drops what the aborted transaction did. The client has gone back to
// the committed offsets by itself, the state has to follow.
func (s *Step) rollback() {
	for _, p := range s.parts {
		p.state.rollback()
		p.task.Rollback()
		if p.seek {
			s.sess.Client().SetOffsets(map[string]map[int32]kgo.EpochOffset{s.input: {p.id: {Epoch: -1, Offset: p.resumeAt}}})
			p.seek = false
		}
	}
}
