package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/cairnhq/cairn/pkg/wire"
)

// transaction processes the fetched records, and those that come until the
// commit interval is over, and commits.
func (s *Step) transaction(ctx context.Context, fetches kgo.Fetches, ticking bool) error {
	started := time.Now()
	s.out.begin(started)
	if err := s.sess.Begin(); err != nil {
		return fmt.Errorf("%s step: begin: %w: %w", s.o.Name, ErrFenced, err)
	}
	latest := started.Add(clockSlack).UnixMilli()
	work := newCrew()
	// More is fetched while the tasks work, but no more than was done in an interval
	// before, so that the transaction stays short.
	ahead := s.pace.during(s.o.CommitInterval, perPoll, s.o.MaxRecords) - perPoll
	records := 0
	for {
		if err := fatal(fetches); err != nil {
			work.fail(err)
			break
		}
		records += fetches.NumRecords()
		if err := s.give(work, fetches, latest); err != nil {
			work.fail(err)
			break
		}
		if ticking || records >= s.o.MaxRecords || !work.room(ahead) || time.Since(started) >= s.o.CommitInterval || ctx.Err() != nil {
			break
		}
		fetches = s.poll(ctx, started.Add(s.o.CommitInterval))
	}
	flushed := s.conclude(work, ticking)
	bad := work.finish()
	if s.pace = (pace{}); bad == nil {
		s.pace = pace{records, time.Since(started)}
	}
	return s.end(ctx, started, records, flushed(), bad)
}

// give hands the records to their partitions' tasks. latest is how far, in Unix ms,
// their timestamps are believed.
func (s *Step) give(work *crew, fetches kgo.Fetches, latest int64) error {
	now := time.Now()
	s.out.read(now)
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
		p.lastSeen, p.touched = now, true
		p.end = max(p.end, f.LastStableOffset)
		work.add(p, len(f.Records), func() error {
			for _, r := range f.Records {
				if err := s.process(p, r, latest); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return unknown
}

// process has a partition's task process a record, which is not to be used afterwards.
// latest is how far, in Unix ms, its timestamp is believed.
func (s *Step) process(p *part, r *kgo.Record, latest int64) error {
	if r.Offset < p.resumeAt {
		p.seek = true
		return errAbort
	}
	if r.Offset < p.state.meta.NextOffset {
		// The client must never go back without telling (franz-go #1222).
		return fmt.Errorf("%s/%d: offset %d came after %d: %w", r.Topic, r.Partition, r.Offset, p.state.meta.NextOffset, ErrFenced)
	}
	// Where the writer sets the timestamp, it may be any: a time far ahead would
	// make all state look old.
	p.state.meta.RecordMs = max(p.state.meta.RecordMs, min(r.Timestamp.UnixMilli(), latest))
	if err := p.task.Process(r, s.out); err != nil {
		return fmt.Errorf("%s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	p.state.meta.NextOffset = r.Offset + 1
	r.Recycle()
	return nil
}

// clockSlack is how far ahead of this machine's clock a record may be.
const clockSlack = 5 * time.Minute

// errAbort asks for an abort that is not a failure: records came that cannot be
// processed now, and will come again or are reflected already.
var errAbort = errors.New("abort")

// flushedPart is what a partition has put into the transaction.
type flushedPart struct {
	*part
	changes []Change
	meta    *kgo.Record
}

// conclude has each partition tick, if it is time to, and put what has changed into the
// transaction, as soon as its records are processed. What it returns lists those that
// have, once the work is finished.
func (s *Step) conclude(work *crew, ticking bool) func() []*flushedPart {
	s.out.read(time.Now())
	var mu sync.Mutex
	var out []*flushedPart
	for _, p := range s.sorted() {
		if !ticking && !p.touched {
			continue
		}
		work.add(p, 0, func() error {
			if ticking && p.task.Due(s.clock(p)) {
				p.touched = true
				if err := p.task.Tick(s.clock(p), s.out); err != nil {
					return fmt.Errorf("%s step, partition %d: tick: %w", s.o.Name, p.id, err)
				}
			}
			if !p.touched {
				return nil
			}
			f, err := s.flush(p)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, f)
			return nil
		})
	}
	return func() []*flushedPart { return out }
}

// flush writes the changed rows of a partition to the changelog, the meta record last.
func (s *Step) flush(p *part) (*flushedPart, error) {
	if err := p.task.Flush(s.clock(p), s.out); err != nil {
		return nil, fmt.Errorf("%s step, partition %d: flush: %w", s.o.Name, p.id, err)
	}
	p.state.Put([]byte(metaKey), wire.EncodeMeta(p.state.meta))
	f := &flushedPart{part: p, changes: p.state.changes()}
	p.log.Reset()
	for i, c := range f.changes {
		r := &p.log.Take(1)[0]
		*r = kgo.Record{Topic: s.changelog, Partition: p.id, Key: c.Key, Value: c.Value}
		if i == 0 { // the meta row sorts first
			f.meta = r
			continue
		}
		s.out.Produce(r)
	}
	s.out.Produce(f.meta)
	return f, nil
}

// end commits, or aborts when something is bad, and brings the state in line
// with the outcome.
func (s *Step) end(ctx context.Context, started time.Time, records int, flushed []*flushedPart, bad error) error {
	try := kgo.TryCommit
	if bad != nil {
		try = kgo.TryAbort
	}
	committed, err := s.endBounded(kgo.PreTxnCommitFnContext(ctx, s.fence(flushed)), try)
	for _, p := range s.parts {
		p.touched = false
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
	if err := s.fold(flushed); err != nil {
		return err
	}
	s.met.committed(time.Since(started), records)
	s.backlog.add(records)
	for _, f := range flushed {
		s.backlog.add(len(f.changes))
	}
	return nil
}

// fold makes the committed changes part of the state.
func (s *Step) fold(flushed []*flushedPart) error {
	var g errgroup.Group
	for _, f := range flushed {
		g.Go(func() error {
			if err := f.state.commit(f.changes, f.meta.Offset+1); err != nil {
				return fmt.Errorf("%s step, partition %d: store: %w", s.o.Name, f.id, err)
			}
			f.task.Committed()
			f.streamTime.Set(float64(f.state.StreamTime()) / 1000)
			return nil
		})
	}
	return g.Wait()
}

// fence has a commit name the input offset of every partition in the transaction,
// also of those in which only time has passed. By it the coordinator refuses a
// member that it has given up; and who takes the partition over waits until it is
// known how the transaction ended.
func (s *Step) fence(flushed []*flushedPart) func(*kmsg.TxnOffsetCommitRequest) error {
	return func(req *kmsg.TxnOffsetCommitRequest) error {
		i := slices.IndexFunc(req.Topics, func(t kmsg.TxnOffsetCommitRequestTopic) bool { return t.Topic == s.input })
		if i < 0 {
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = s.input
			i, req.Topics = len(req.Topics), append(req.Topics, t)
		}
		t := &req.Topics[i]
		for _, f := range flushed {
			named := slices.ContainsFunc(t.Partitions, func(p kmsg.TxnOffsetCommitRequestTopicPartition) bool { return p.Partition == f.id })
			if named || f.state.meta.NextOffset < 0 {
				continue
			}
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.Metadata = f.id, f.state.meta.NextOffset, &req.MemberID
			t.Partitions = append(t.Partitions, p)
		}
		return nil
	}
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
