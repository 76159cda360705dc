package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// metaKey is the row that tells where a partition stands. It is in the
// changelog with every commit, and sorts before every other row.
const metaKey = "\x00meta"

// Bounds of restoring.
const (
	// restoreStall is how long a restore may get nowhere: longer than any of our
	// transactions may be open.
	restoreStall = 5 * time.Minute
	// restoresAtOnce bounds the consumers that restores open.
	restoresAtOnce = 2
	// tailHorizon is from which age on a stored state is not followed up any more:
	// the changelog keeps what tells that a row was deleted for a day only.
	tailHorizon = 12 * time.Hour
)

// MismatchError says that a partition's state and its committed input offset
// disagree: one of the two is not of the same history.
type MismatchError struct {
	Topic     string
	Partition int32
	State     int64 // next offset that the changelog's meta record says
	Committed int64 // what the group has committed; -1: nothing
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s/%d: the state reflects the input up to offset %d, the group has committed %d: "+
		"state and offsets are of different histories; restore the group's offsets, or rebuild with a new epoch",
		e.Topic, e.Partition, e.State, e.Committed)
}

// restored is a partition whose state is complete.
type restored struct {
	partition int32
	state     *State
	resumeAt  int64 // input offset to set, because the group has none; -1: leave
	err       error
}

// restore brings a partition's state to where the group's committed offset is.
//
// Order matters. The committed offset is fetched first and stable, that is with
// no transaction of a predecessor pending on it. Only then is the changelog's
// high watermark taken: everything that belongs to the offset lies below it.
// Bounding by the last stable offset instead would lose what a transaction that
// is still open at that moment goes on to commit (KAFKA-10167).
func (s *Step) restore(ctx context.Context, partition int32) (_ *State, resumeAt int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(restoreStall, func() {
		cancel(fmt.Errorf("nothing came for %s: a transaction may hang on it", restoreStall))
	})
	defer stall.Stop()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = errors.Join(err, context.Cause(ctx))
		}
	}()
	committed, err := stableOffset(ctx, s.sess.Client(), s.group, s.input, partition)
	if err != nil {
		return nil, -1, fmt.Errorf("fetch committed offset of %s/%d: %w", s.input, partition, err)
	}
	store, err := s.store(partition)
	if err != nil {
		return nil, -1, fmt.Errorf("state of %s/%d: %w", s.changelog, partition, err)
	}
	r := &replay{step: s, partition: partition, store: store, moving: func() { stall.Reset(restoreStall) }}
	st, resumeAt, err := r.restore(ctx, committed)
	if err != nil {
		return nil, -1, errors.Join(err, store.Close())
	}
	return st, resumeAt, nil
}

// restore follows the changelog and holds the outcome against the group's
// committed offset. If a state that was kept on disk does not fit, it is not
// believed: the changelog is read again from its start before anybody is asked.
func (r *replay) restore(ctx context.Context, committed int64) (*State, int64, error) {
	warm, err := r.prepare(ctx)
	if err != nil {
		return nil, -1, err
	}
	for {
		st, resumeAt, err := r.run(ctx, committed)
		if !warm || !useless(err) {
			return st, resumeAt, err
		}
		warm = false
		if err := r.reset(err.Error()); err != nil {
			return nil, -1, err
		}
	}
}

// useless says that rows kept on disk are to blame for an error, or may be.
func useless(err error) bool {
	var mismatch *MismatchError
	var old *tooOldError
	var meta *metaError
	return errors.As(err, &mismatch) || errors.As(err, &old) || errors.As(err, &meta)
}

// metaError says that the row that tells where a partition stands cannot be read.
type metaError struct{ error }

// run reads the changelog once and checks what comes of it.
func (r *replay) run(ctx context.Context, committed int64) (*State, int64, error) {
	s, started := r.step, time.Now()
	from := r.store.Progress().Next
	n, err := r.read(ctx)
	if err != nil {
		return nil, -1, fmt.Errorf("restore %s/%d: %w", s.changelog, r.partition, err)
	}
	meta := &wirepb.PartitionMeta{NextOffset: -1, Epoch: s.o.Epoch}
	raw, err := r.store.Get([]byte(metaKey))
	if err != nil {
		return nil, -1, err
	}
	if raw != nil {
		if meta, err = wire.DecodeMeta(raw); err != nil {
			return nil, -1, &metaError{fmt.Errorf("%s/%d: meta record: %w", s.changelog, r.partition, err)}
		}
		meta = meta.CloneVT()
	}
	level := zap.InfoLevel
	if n == 0 {
		level = zap.DebugLevel // a new partition, or one that is as it was left
	}
	took := time.Since(started)
	s.met.restored(r.partition, took)
	s.log.Log(level, "state restored", zap.Int32("partition", r.partition), zap.Int("records", n), zap.Int64("from", from),
		zap.Int64("next_offset", meta.NextOffset), zap.Duration("took", took))
	return checkOffsets(s.input, r.partition, newState(r.store, meta), committed)
}

// checkOffsets holds the state against the group's committed offset.
func checkOffsets(topic string, partition int32, st *State, committed int64) (*State, int64, error) {
	switch next := st.meta.NextOffset; {
	case committed == next:
		return st, -1, nil
	case committed < 0:
		// The group's offsets expire after seven idle days, the state does not.
		return st, next, nil
	default:
		return nil, -1, &MismatchError{Topic: topic, Partition: partition, State: next, Committed: committed}
	}
}

// store opens what is kept of a partition's state.
func (s *Step) store(partition int32) (Store, error) {
	if s.db == nil {
		return NewMemoryStore(), nil
	}
	return s.db.store(partition)
}

// startRestore restores a partition in the background, a few at a time.
func (s *Step) startRestore(ctx context.Context, p int32) {
	ctx, cancel := context.WithCancel(ctx)
	s.restoring[p] = cancel
	go func() {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			s.done <- restored{p, nil, -1, ctx.Err()}
			return
		}
		state, at, err := s.restore(ctx, p)
		<-s.slots
		if err == nil {
			state.end = s.inputEnd(ctx, p)
		}
		s.done <- restored{p, state, at, err}
	}()
}

// changelogConsumer reads a changelog partition from an offset, committed records
// and the markers of transactions.
func (s *Step) changelogConsumer(partition int32, from int64) (*kgo.Client, error) {
	return NewClient(s.o.Cluster, "restore", s.log, nil,
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxPartitionBytes(4<<20),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			s.changelog: {partition: kgo.NewOffset().At(from)},
		}))
}

// inputEnd is the last stable offset of an input partition; 0 if Kafka does not
// tell: what comes will.
func (s *Step) inputEnd(ctx context.Context, partition int32) int64 {
	ends, err := kadm.NewClient(s.sess.Client()).ListCommittedOffsets(ctx, s.input)
	if err != nil {
		return 0
	}
	o, _ := ends.Lookup(s.input, partition)
	return o.Offset
}
