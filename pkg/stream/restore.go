package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// metaKey is the row that tells where a partition stands. It is in the
// changelog with every commit, and sorts before every other row.
const metaKey = "\x00meta"

// restoreTimeout bounds the wait for open transactions while restoring: longer
// than any of ours may last.
const restoreTimeout = 5 * time.Minute

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
func (s *Step) restore(ctx context.Context, partition int32) (*State, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, restoreTimeout)
	defer cancel()
	committed, err := stableOffset(ctx, s.sess.Client(), s.group, s.input, partition)
	if err != nil {
		return nil, -1, fmt.Errorf("fetch committed offset of %s/%d: %w", s.input, partition, err)
	}
	store := s.o.NewStore(partition)
	started := time.Now()
	n, err := s.replayChangelog(ctx, partition, store)
	if err != nil {
		return nil, -1, fmt.Errorf("restore %s/%d: %w", s.changelog, partition, err)
	}
	meta := &wirepb.PartitionMeta{NextOffset: -1, Epoch: s.o.Epoch}
	raw, err := store.Get([]byte(metaKey))
	if err != nil {
		return nil, -1, err
	}
	if raw != nil {
		if meta, err = wire.DecodeMeta(raw); err != nil {
			return nil, -1, fmt.Errorf("%s/%d: meta record: %w", s.changelog, partition, err)
		}
		meta = meta.CloneVT()
	}
	level := zap.InfoLevel
	if n == 0 {
		level = zap.DebugLevel // a new partition: nothing to tell
	}
	s.log.Log(level, "state restored", zap.Int32("partition", partition), zap.Int("records", n), zap.Int("rows", store.Len()),
		zap.Int64("next_offset", meta.NextOffset), zap.Duration("took", time.Since(started)))
	return checkOffsets(s.input, partition, newState(store, meta), committed)
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

// stableOffset is the group's committed offset, -1 if there is none. It waits
// while a transaction is pending on it.
func stableOffset(ctx context.Context, cl *kgo.Client, group, topic string, partition int32) (int64, error) {
	for {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group = group
		req.RequireStable = true
		t := kmsg.NewOffsetFetchRequestTopic()
		t.Topic, t.Partitions = topic, []int32{partition}
		req.Topics = append(req.Topics, t)
		rg := kmsg.NewOffsetFetchRequestGroup()
		rg.Group = group
		rt := kmsg.NewOffsetFetchRequestGroupTopic()
		rt.Topic, rt.Partitions = topic, []int32{partition}
		rg.Topics = append(rg.Topics, rt)
		req.Groups = append(req.Groups, rg)
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return 0, err
		}
		offset, err := offsetIn(resp)
		if err == nil {
			return offset, nil
		}
		if !errors.Is(err, kerr.UnstableOffsetCommit) && !kerr.IsRetriable(err) {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func offsetIn(resp *kmsg.OffsetFetchResponse) (int64, error) {
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return 0, err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				return p.Offset, kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return 0, err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			return p.Offset, kerr.ErrorForCode(p.ErrorCode)
		}
	}
	return -1, nil
}

// replayChangelog reads the changelog partition from where the store stands to
// its high watermark, which waits out the transactions open now.
func (s *Step) replayChangelog(ctx context.Context, partition int32, store Store) (int, error) {
	ends, err := kadm.NewClient(s.sess.Client()).ListEndOffsets(ctx, s.changelog)
	if err != nil {
		return 0, fmt.Errorf("list end offsets: %w", err)
	}
	end, ok := ends.Lookup(s.changelog, partition)
	if !ok {
		return 0, fmt.Errorf("topic %s has no partition %d", s.changelog, partition)
	}
	if end.Err != nil {
		return 0, end.Err
	}
	from := store.ChangelogNext()
	if from >= end.Offset {
		return 0, nil
	}
	cl, err := NewClient(s.o.Cluster, "restore", s.log, nil,
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			s.changelog: {partition: kgo.NewOffset().At(from)},
		}))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	n := 0
	for next := from; next < end.Offset; {
		fetches := cl.PollRecords(ctx, 10_000)
		if err := fetches.Err0(); err != nil {
			return n, err
		}
		var failed error
		fetches.EachError(func(_ string, _ int32, err error) { failed = err })
		if failed != nil {
			return n, failed
		}
		var changes []Change
		for r := range fetches.RecordsAll() {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				// Memory of their own: rows must not keep whole batches alive.
				changes = append(changes, Change{bytes.Clone(r.Key), bytes.Clone(r.Value)})
			}
		}
		n += len(changes)
		if err := store.Apply(changes, next); err != nil {
			return n, err
		}
	}
	return n, nil
}
