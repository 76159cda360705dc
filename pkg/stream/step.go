package stream

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
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
	// StateDir is the folder for the state of steps, one folder below it for each. It
	// is a cache of the changelog. Empty: the state is kept in memory, and restored
	// whole at each start.
	StateDir   string
	StateCache int64 // bytes of memory for what is read from there; default 96 MiB

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
	// fetchWait is how long a broker may hold a fetch when it has nothing. A partition
	// whose state has just become complete is fetched only with the next one: the
	// client's default of 5 s would be how long it stands still after a rebalance.
	fetchWait = 500 * time.Millisecond
	// idleFor is how long a partition must deliver nothing to be caught up.
	idleFor = time.Second
	// markers is how many offsets without data may lie before a partition's end.
	markers = 100
	// tickEvery is how often tasks are asked whether time makes something due.
	tickEvery = time.Second
	// trimEvery is how often memory that is kept for use, but not used, is given up.
	trimEvery = time.Second
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
	db        *database // nil: state in memory

	mu     sync.Mutex
	events []assignment // guarded by mu: what callbacks saw and the loop has not

	failures  int      // transactions in a row whose output failed
	pace      pace     // of the last transaction
	memory    recycler // of what is fetched
	backlog   backlog
	parts     map[int32]*part // owned by the loop
	restoring map[int32]context.CancelFunc
	done      chan restored
	slots     chan struct{} // one for each restore that is running
	ready     atomic.Bool
	assigned  atomic.Bool
}

// NewStep makes a step and its client. It connects lazily.
func NewStep(o StepOptions) (*Step, error) {
	o.setDefaults()
	reg := &scope{Registerer: o.Registerer}
	s := &Step{
		o: o, reg: reg, log: o.Log.Named(o.Name), met: newStepMetrics(o.Name, o.Log.Named(o.Name), reg),
		input: Qualify(o.Namespace, o.Input), group: Qualify(o.Namespace, o.Name),
		changelog: Qualify(o.Namespace, o.Name+".changelog"),
		parts:     map[int32]*part{}, restoring: map[int32]context.CancelFunc{},
		done: make(chan restored), slots: make(chan struct{}, restoresAtOnce),
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
		// A static member: killed and started again it takes its partitions back at
		// once, instead of when Kafka misses the dead one.
		kgo.InstanceID(o.InstanceID),
		kgo.SessionTimeout(sessionTimeout),
		kgo.ConsumeTopics(s.input),
		// A group without offsets starts at the beginning; an offset that is out of
		// range is an error, because the state would miss what was deleted.
		kgo.ConsumeResetOffset(kgo.NoResetOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.RecordPartitioner(newPartitioner()),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()),
		kgo.ProducerBatchMaxBytes(MaxRecordBytes),
		kgo.MaxBufferedRecords(200_000),
		// Fetched ahead, compressed: a few times that once it is unpacked.
		kgo.FetchMaxPartitionBytes(1<<20),
		kgo.FetchMaxBytes(8<<20),
		kgo.FetchMaxWait(fetchWait),
		kgo.WithPools(&s.memory),
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

// Run processes until ctx ends, then commits what is in flight, leaves the group
// and returns nil. Any error means that the step must be made anew.
func (s *Step) Run(ctx context.Context) error {
	defer s.close(context.WithoutCancel(ctx))
	if s.o.StateDir != "" {
		var err error
		if s.db, err = openDatabase(filepath.Join(s.o.StateDir, s.o.Name), s.o.StateCache, s.log); err != nil {
			return fmt.Errorf("%s step: %w", s.o.Name, err)
		}
	}
	s.out = newOutput(context.WithoutCancel(ctx), s.sess.Produce)
	nextTick := time.Now().Add(tickEvery)
	nextTrim := time.Now().Add(trimEvery)
	for ctx.Err() == nil {
		if err := s.rebalance(ctx); err != nil {
			return err
		}
		if err := s.release(); err != nil {
			return err
		}
		if !time.Now().Before(nextTrim) {
			s.trim()
			nextTrim = time.Now().Add(trimEvery)
		}
		fetches := s.poll(ctx, time.Now().Add(s.o.CommitInterval))
		ticking := !time.Now().Before(nextTick)
		if fetches.NumRecords() == 0 && (!ticking || !s.due()) {
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
func (s *Step) close(ctx context.Context) {
	for _, cancel := range s.restoring {
		cancel()
	}
	for range s.restoring {
		s.discard(<-s.done)
	}
	for _, p := range s.parts {
		s.leave(p)
	}
	member, _ := s.sess.Client().GroupMetadata()
	s.sess.Close()
	s.leaveGroup(ctx, member)
	s.reg.unregisterAll()
	if s.db == nil {
		return
	}
	if err := s.db.close(); err != nil {
		s.log.Error("the state did not close", zap.Error(err))
	}
}

// release gives back what was read from the state between transactions.
func (s *Step) release() error {
	for _, p := range s.parts {
		if err := p.state.release(); err != nil {
			return fmt.Errorf("%s step, partition %d: store: %w", s.o.Name, p.id, err)
		}
	}
	return nil
}

// trim gives up memory that was of no use lately.
func (s *Step) trim() {
	s.memory.trim()
	done := s.backlog.over()
	for _, p := range s.parts {
		p.log.Reset() // the last transaction is over
		p.log.Trim()
		p.state.trim()
		if t, ok := p.task.(Trimmer); ok {
			t.Trim()
			if done {
				t.Shed()
			}
		}
	}
	if !done {
		return
	}
	if s.db != nil {
		s.db.shed()
	}
	giveBack()
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
		case rejoins(e):
		default:
			err = fmt.Errorf("fetch %s/%d: %w", topic, partition, e)
		}
	})
	return err
}

// rejoins reports whether the client joins the group again by itself: it was
// missed, as after a pause of the broker, or cannot reach it. Its partitions are
// lost meanwhile, and restored when they come back. Being fenced or not allowed
// stays so.
func rejoins(err error) bool {
	if _, ok := errors.AsType[*kgo.ErrGroupSession](err); !ok {
		return false
	}
	var said *kerr.Error
	return !errors.As(err, &said) || errors.Is(said, kerr.UnknownMemberID) || errors.Is(said, kerr.IllegalGeneration)
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
	idle := now.Sub(p.lastSeen) > idleFor
	return Clock{Wall: now.UnixMilli(), CaughtUp: idle, AtEnd: idle && p.state.meta.NextOffset+markers >= p.end}
}

func (s *Step) due() bool {
	for _, p := range s.parts {
		if p.task.Due(s.clock(p)) {
			return true
		}
	}
	return false
}
