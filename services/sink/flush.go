package sink

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/cairnhq/cairn/pkg/warehouse"
)

const (
	parallelInserts = 4
	insertTimeout   = time.Minute
	commitTimeout   = 15 * time.Second
)

// flushAll stores generations in the order they come, until there are no more or
// ctx ends, and commits the offsets of each after its rows.
func (s *Service) flushAll(ctx context.Context, full <-chan *generation) {
	uncommitted := map[partition]position{} // stored, but the commit failed
	for {
		select {
		case s.idle <- struct{}{}:
		default: // said already
		}
		var retry <-chan time.Time
		if len(uncommitted) > 0 {
			retry = time.After(time.Second)
		}
		select {
		case g, ok := <-full:
			if !ok {
				return
			}
			s.step(stepInsert)
			if !s.store(ctx, g) {
				s.log.Warn("stopped before all rows were inserted; they will be read again", zap.Int("rows", g.rows))
				return
			}
			s.step(stepCommit)
			maps.Copy(uncommitted, g.offsets)
			s.commit(ctx, uncommitted)
			s.step(stepCommitted)
			s.metrics.pending.Sub(float64(g.rows))
			s.metrics.age.Observe(time.Since(g.began).Seconds())
			s.pool.put(g)
		case <-retry:
			s.commit(ctx, uncommitted)
		}
	}
}

// Steps of a flush, for tests that stop or kill the sink at one of them.
const (
	stepInsert    = "insert"    // about to insert
	stepCommit    = "commit"    // inserted, about to commit
	stepCommitted = "committed" // or tried to
)

func (s *Service) step(name string) {
	if s.atStep != nil {
		s.atStep(name)
	}
}

// store inserts a generation, several tables at a time. It returns false only if
// ctx ended first.
func (s *Service) store(ctx context.Context, g *generation) bool {
	if g.rebuilding() && !s.settled(ctx) {
		return false
	}
	group, inserting := errgroup.WithContext(ctx)
	group.SetLimit(parallelInserts)
	for _, sh := range g.shards {
		if sh.batch.Len() > 0 {
			group.Go(func() error { return s.storeShard(inserting, sh) })
		}
	}
	if group.Wait() != nil {
		return false
	}
	// Rows that wait for their rebuild may have come too late for the move that ended
	// it: only now it is sure that whoever ends it finds them.
	return !g.rebuilding() || s.settled(ctx)
}

// storeShard inserts the rows of a shard, less those that ClickHouse refuses,
// which go to the table rejected.
func (s *Service) storeShard(ctx context.Context, sh *shard) error {
	refused := warehouse.NewRejectedBatch()
	if err := s.insert(ctx, sh, 0, sh.batch.Len(), refused, backoff(0)); err != nil {
		return err
	}
	if refused.Len() == 0 {
		return nil
	}
	return s.insert(ctx, &shard{batch: refused}, 0, refused.Len(), nil, backoff(0))
}

// insert inserts the rows [from, to), as often as it takes, wait after the first
// failure. Where ClickHouse refuses a value it halves the range until the row is
// found; where it has not the memory or the time for so many it halves it too, as
// repeating them would fail for ever.
func (s *Service) insert(ctx context.Context, sh *shard, from, to int, refused *warehouse.RejectedBatch, wait time.Duration) error {
	for {
		err := s.insertOnce(ctx, sh, from, to)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		halve := to-from > 1
		if warehouse.IsDataError(err) {
			if !halve {
				s.refuse(sh, from, err, refused)
				return nil
			}
		} else {
			s.status.clickhouse(err)
			s.log.Warn("insert into ClickHouse, will retry", zap.String("table", string(sh.batch.Table())),
				zap.Int("rows", to-from), zap.Duration("wait", wait), zap.Error(err))
			if !sleep(ctx, wait) {
				return ctx.Err()
			}
			wait = backoff(wait)
			halve = halve && (warehouse.IsTooMuch(err) || errors.Is(err, context.DeadlineExceeded))
		}
		if halve {
			middle := from + (to-from)/2
			if err := s.insert(ctx, sh, from, middle, refused, wait); err != nil {
				return err
			}
			return s.insert(ctx, sh, middle, to, refused, backoff(0))
		}
	}
}

func (s *Service) insertOnce(ctx context.Context, sh *shard, from, to int) error {
	batch, namespace := sh.batch, s.o.Namespace
	if sh.epoch > s.complete.Load() {
		namespace = warehouse.NextNamespace(namespace)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.insertTimeout)
	defer cancel()
	start := time.Now()
	if err := batch.Insert(ctx, s.conn, namespace, from, to); err != nil {
		s.metrics.insertErrors.WithLabelValues(string(batch.Table())).Inc()
		return err
	}
	s.status.clickhouse(nil)
	s.metrics.inserted(batch.Table(), to-from, time.Since(start))
	s.inserted.add(batch.Table(), to-from)
	return nil
}

// refuse sets a row aside. A row of the table rejected itself has nowhere to go: it
// is counted and logged with its place, and stays in its topic.
func (s *Service) refuse(sh *shard, row int, err error, refused *warehouse.RejectedBatch) {
	if sh.batch.Table() == warehouse.TableRejected || refused == nil {
		s.metrics.dropped.Inc()
		fields := []zap.Field{zap.Error(err)}
		if row < len(sh.records) {
			fields = append(fields, zap.String("origin", place(sh.records[row])))
		}
		s.log.Error("the table rejected refused a row, it stays in its topic only", fields...)
		return
	}
	why := &rejectError{reason: reasonRefused, err: err}
	s.noteReject(sh.records[row], why)
	refused.Add(sinkReject(sh.records[row], why))
}

// commit commits what is stored, less the partitions that another sink has by now,
// and removes from the map what needs no further attempt.
func (s *Service) commit(ctx context.Context, uncommitted map[partition]position) {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for p, pos := range uncommitted {
		if pos.tenure == 0 || s.owned.of(p) != pos.tenure {
			delete(uncommitted, p)
			continue
		}
		if offsets[p.topic] == nil {
			offsets[p.topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[p.topic][p.id] = pos.offset
	}
	if len(offsets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	s.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, res *kmsg.OffsetCommitResponse, err error) {
		if err == nil {
			err = committed(res, uncommitted)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			s.metrics.commitErrors.Inc()
			s.log.Warn("commit offsets, will retry", zap.Error(err))
		}
	})
}

// committed removes the partitions whose commit succeeded and returns an error of
// one that did not.
func committed(res *kmsg.OffsetCommitResponse, uncommitted map[partition]position) error {
	var last error
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				last = err
				continue
			}
			delete(uncommitted, partition{t.Topic, p.Partition})
		}
	}
	return last
}
