package sink

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

const (
	pollRecords = 10_000                // at most per poll, and no more than fill a batch
	pollBusy    = 20 * time.Millisecond // while a due batch waits for the one before it
)

// consume polls until ctx ends and hands over what is full or due. It gathers while
// what it handed over before is being inserted, and stops polling once it is full:
// that bounds what the client fetches too.
func (s *Service) consume(ctx, work context.Context, full chan<- *generation) {
	d := &decoder{namespace: s.o.Namespace, pool: &s.pool, complete: &s.complete}
	g := newGeneration()
	for ctx.Err() == nil && s.poll(ctx, d, g) {
		now := time.Now()
		switch at := g.dueAt(&s.o); {
		case g.full(&s.o):
			select {
			case <-s.idle:
				s.hand(full, g.take(now, false, &s.o))
			case <-ctx.Done():
			}
		case !at.IsZero() && !now.Before(at):
			select {
			case <-s.idle:
				s.hand(full, g.take(now, false, &s.o))
			default: // the one before is still being inserted: gather more
			}
		}
		s.metrics.held.Set(float64(g.rows - g.fresh))
	}
	if out := g.take(time.Now(), true, &s.o); !out.empty() {
		select {
		case full <- out:
		case <-work.Done():
		}
	}
}

// hand gives a generation to whoever has said to be idle.
func (s *Service) hand(full chan<- *generation, out *generation) {
	if out.empty() {
		select {
		case s.idle <- struct{}{}:
		default: // said again meanwhile
		}
		return
	}
	full <- out
}

// poll adds what the client has fetched to the generation, and waits for it no
// longer than until the generation is due. It returns false once the client is
// closed.
func (s *Service) poll(ctx context.Context, d *decoder, g *generation) bool {
	wait, cancel := s.pollContext(ctx, g)
	fetches := s.client.PollRecords(wait, min(pollRecords, s.o.MaxRows))
	cancel()
	// No partition is taken away between the poll and here, so that the tenure
	// noted with an offset is the one it was read in.
	defer s.client.AllowRebalance()
	if fetches.IsClientClosed() {
		return false
	}
	s.pollErrors(fetches)
	before := g.rows
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		at := partition{p.Topic, p.Partition}
		tenure := s.owned.of(at)
		g.read(at, tenure)
		for _, r := range p.Records {
			if why := d.add(g, r); why != nil {
				s.noteReject(r, why)
				d.reject(g, r, why)
			}
		}
		g.advance(p.Records[len(p.Records)-1], tenure)
	})
	s.metrics.pending.Add(float64(g.rows - before))
	return true
}

// pollContext ends when the generation is due; an empty one is never due.
func (s *Service) pollContext(ctx context.Context, g *generation) (context.Context, context.CancelFunc) {
	at := g.dueAt(&s.o)
	if at.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, max(time.Until(at), pollBusy))
}

// pollErrors notes errors of the fetch; the client repeats it by itself.
func (s *Service) pollErrors(fetches kgo.Fetches) {
	var last error
	fetches.EachError(func(topic string, part int32, err error) {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			return
		}
		last = err
		s.log.Warn("fetch records", zap.String("topic", topic), zap.Int32("partition", part), zap.Error(err))
	})
	if last != nil || fetches.NumRecords() > 0 {
		s.status.kafka(last)
	}
}

func (s *Service) noteReject(r *kgo.Record, why *rejectError) {
	s.metrics.rejected.WithLabelValues(why.reason).Inc()
	s.log.Warn("record rejected", zap.String("reason", why.reason), zap.String("topic", r.Topic),
		zap.Int32("partition", r.Partition), zap.Int64("offset", r.Offset), zap.Error(why.err))
}
