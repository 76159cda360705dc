package stream

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Task is the processing of one input partition. The engine calls it from one
// goroutine at a time, and tasks of different partitions in parallel.
//
// Within a transaction come Process and Tick in any number, then at most one
// Flush, then either Committed or Rollback.
type Task interface {
	// Process takes in one record. Its memory is used again afterwards: what is kept
	// or produced must not be part of it. An error stops the step: a record that
	// cannot be used is the task's to reject, not to fail on.
	Process(r *kgo.Record, out Output) error
	// Due reports whether Tick has something to do, without doing it.
	Due(now Clock) bool
	// Tick lets time pass: it closes what has run out.
	Tick(now Clock, out Output) error
	// Flush writes what changed into the state and emits what the changes mean.
	Flush(now Clock, out Output) error
	// Committed tells that the transaction with the last Flush is committed.
	Committed()
	// Rollback tells that the transaction is aborted and the state is as it was
	// before: everything decoded from it must be forgotten.
	Rollback()
}

// Leaver is a Task that wants to know when its partition goes to somebody else.
type Leaver interface {
	Leave()
}

// Trimmer is a Task that keeps memory for its next transactions.
type Trimmer interface {
	// Trim lets go of what was of no use since it was called before. It is called
	// between transactions, about once a second.
	Trim()
	// Shed lets go of what was decoded from the state. It is called between
	// transactions, when a backlog is done: what that left is scattered over memory that
	// could not be given back otherwise, and little of it is asked for next.
	Shed()
}

// Clock is the time as a task sees it. It decides when a status is published,
// never what it is in the end.
type Clock struct {
	Wall     int64 // Unix ms
	CaughtUp bool  // nothing has come for a while
	// AtEnd says that there was nothing more to come, either, when something last
	// came: not so while a broker or the network stands still.
	AtEnd bool
}

// Output takes the records of the open transaction. It is safe for concurrent
// use. A record that cannot be produced aborts the transaction.
type Output interface {
	Produce(r *kgo.Record)
}

// output produces into the session's transaction and remembers the first record
// that could not be: ending the transaction does not look at that, it would
// commit the offsets without the output.
type output struct {
	ctx     context.Context //nolint:containedctx // lives as long as the step's loop
	produce func(context.Context, *kgo.Record, func(*kgo.Record, error))
	failed  atomic.Pointer[error] // since the transaction began
	now     atomic.Int64          // Unix ms: the timestamp of records that bring none
	promise func(*kgo.Record, error)
}

func newOutput(ctx context.Context, produce func(context.Context, *kgo.Record, func(*kgo.Record, error))) *output {
	o := &output{ctx: ctx, produce: produce}
	o.promise = o.produced // once: a method value takes memory each time
	return o
}

// Produce implements Output.
func (o *output) Produce(r *kgo.Record) {
	if r.Timestamp.IsZero() {
		r.Timestamp = time.UnixMilli(o.now.Load())
	}
	o.produce(o.ctx, r, o.promise)
}

// read notes the time. The client would look at the clock for each record, a hundredth
// of what the steps do.
func (o *output) read(now time.Time) { o.now.Store(now.UnixMilli()) }

func (o *output) produced(r *kgo.Record, err error) {
	if err != nil {
		o.fail(fmt.Errorf("produce to %s, key %.80q, %d bytes: %w", r.Topic, r.Key, len(r.Value), err))
	}
}

// fail is apart from produced, so that only a failure takes memory.
func (o *output) fail(err error) { o.failed.CompareAndSwap(nil, &err) }

// begin forgets the last transaction's failure.
func (o *output) begin(now time.Time) {
	o.failed.Store(nil)
	o.read(now)
}

// err is the failure of the transaction, complete once the client has flushed.
func (o *output) err() error {
	if err := o.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// partitioner puts changelog records where they say, and all others by the
// murmur2 hash of their key, as Kafka's own clients do.
type partitioner struct{ byKey, manual kgo.Partitioner }

func newPartitioner() kgo.Partitioner {
	return partitioner{kgo.StickyKeyPartitioner(nil), kgo.ManualPartitioner()}
}

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	if strings.HasSuffix(topic, ".changelog") {
		return p.manual.ForTopic(topic)
	}
	return p.byKey.ForTopic(topic)
}
