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

// consume polls until ctx ends and hands generations over once they are full or
// due. It holds at most one generation while another is being inserted: when both
// are full it stops polling, which bounds what the client fetches too.
func (s *Service) consume(ctx, work context.Context, full chan<- *generation) {
	d := &decoder{namespace: s.o.Namespace, pool: &s.pool, complete: &s.complete}
	g := newGeneration()
	for ctx.Err() == nil {
		if !s.poll(ctx, d, g) {
			break
		}
		if g.empty() {
			continue
		}
		switch {
		case g.rows >= s.o.MaxRows || g.bytes >= s.o.MaxBytes:
			select {
			case full <- g:
				g = newGeneration()
			case <-ctx.Done():
			}
		case time.Since(g.began) >= s.o.FlushInterval:
			select {
			case full <- g:
				g = newGeneration()
			default: // the one before is still being inserted: gather more
			}
		}
	}
	if !g.empty() {
		select {
		case full <- g:
		case <-work.Done():
		}
	}
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
		tenure := s.owned.of(partition{p.Topic, p.Partition})
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
	if g.empty() {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, max(s.o.FlushInterval-time.Since(g.began), pollBusy))
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
