package sink

import (
	"context"

	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/warehouse"
)

// Rows of a rebuild that is not complete are inserted into tables that nobody reads,
// and moved when it is (warehouse.PutEpoch). Whoever completes it moves what is
// there; what a sink inserts around that moment the sink moves itself: it looks
// whether the rebuild is complete before it inserts, and again after.

// rebuilding reports whether a generation has rows that readers may not see yet, or
// the news that they may.
func (g *generation) rebuilding() bool {
	for key, sh := range g.shards {
		if sh.batch.Len() > 0 && (key.epoch > 0 || key.table == warehouse.TableEpochs) {
			return true
		}
	}
	return false
}

// settled is settle, as often as it takes. It returns false only if ctx ended first.
func (s *Service) settled(ctx context.Context) bool {
	for wait := backoff(0); ; wait = backoff(wait) {
		err := s.settle(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		s.status.clickhouse(err)
		s.log.Warn("look for completed rebuilds, will retry", zap.Duration("wait", wait), zap.Error(err))
		if !sleep(ctx, wait) {
			return false
		}
	}
}

// settle learns which rebuild is complete. If it was not known to be, rows of it
// that wait are moved to where readers see them.
func (s *Service) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, insertTimeout)
	defer cancel()
	epoch, err := warehouse.CompleteEpoch(ctx, s.conn, s.o.Namespace)
	if err != nil || epoch <= s.complete.Load() {
		return err
	}
	if err := warehouse.MoveNext(ctx, s.conn, s.o.Namespace, epoch); err != nil {
		return err
	}
	s.complete.Store(epoch)
	return nil
}
