package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

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
	lastSeen time.Time          // when it last delivered a record
	end      int64              // last stable offset as last heard of
	touched  bool               // in the open transaction
	log      Chunks[kgo.Record] // of the changelog, in the open transaction
	// resumeAt is where to go on when the group has lost its offsets, else -1.
	// The client may only be sent there once it consumes the partition, which the
	// first record from before it shows.
	resumeAt int64
	seek     bool

	streamTime prometheus.Gauge
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
		s.leave(part)
		delete(s.parts, p)
		s.met.forget(p)
	}
	return nil
}

// leave lets go of a partition's task and state.
func (s *Step) leave(p *part) {
	if l, ok := p.task.(Leaver); ok {
		l.Leave()
	}
	if err := p.state.store.Close(); err != nil {
		s.log.Error("store did not close", zap.Int32("partition", p.id), zap.Error(err))
	}
}

// awaitRestore waits for a cancelled restore, installing others that end meanwhile.
func (s *Step) awaitRestore(p int32) error {
	for {
		r := <-s.done
		if r.partition == p {
			s.discard(r)
			delete(s.restoring, p)
			return nil
		}
		if err := s.install(r); err != nil {
			return err
		}
	}
}

// discard closes a restored state that nobody wants any more.
func (s *Step) discard(r restored) {
	if r.state == nil {
		return
	}
	if err := r.state.store.Close(); err != nil {
		s.log.Error("store did not close", zap.Int32("partition", r.partition), zap.Error(err))
	}
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
		s.discard(r)
		return fmt.Errorf("%s step, partition %d: %w", s.o.Name, r.partition, err)
	}
	s.met.sizes.set(r.partition, r.state.store)
	s.parts[r.partition] = &part{
		id: r.partition, task: task, state: r.state, log: Chunks[kgo.Record]{Size: 256},
		end: r.state.end, lastSeen: time.Now(), resumeAt: r.resumeAt, streamTime: s.met.streamTime(r.partition),
	}
	s.sess.Client().ResumeFetchPartitions(map[string][]int32{s.input: {r.partition}})
	return nil
}
