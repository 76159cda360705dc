package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

func (b *bench) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return stream.NewClient(stream.Cluster{Brokers: []string{b.env["BROKERS"]}}, "bench", nil, nil, opts...)
}

// topics makes what is missing of a namespace's topics.
func (b *bench) topics(ctx context.Context, namespace string) error {
	cl, err := b.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	return stream.EnsureTopics(ctx, cl, namespace, stream.TopicOptions{Replication: 1})
}

// afresh makes a namespace as if nothing of touchpoints.raw had been read.
func (b *bench) afresh(ctx context.Context, namespace string) error {
	cl, err := b.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	return errors.Join(stream.DeleteDerived(ctx, cl, namespace), stream.EnsureTopics(ctx, cl, namespace, stream.TopicOptions{Replication: 1}))
}

// read calls fn with each committed record that a topic has now.
func (b *bench) read(ctx context.Context, topic string, fn func(*kgo.Record) error) error {
	setup, err := b.client()
	if err != nil {
		return err
	}
	ends, err := kadm.NewClient(setup).ListCommittedOffsets(ctx, topic)
	setup.Close()
	if err != nil {
		return err
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().At(0), o.Offset
		}
	})
	if len(left) == 0 {
		return ends.Error()
	}
	cl, err := b.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	if err != nil {
		return err
	}
	defer cl.Close()
	for len(left) > 0 {
		ctx, cancel := context.WithTimeout(ctx, patience)
		fetches := cl.PollFetches(ctx)
		cancel()
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for r := range fetches.RecordsAll() {
			if end, ok := left[r.Partition]; ok && r.Offset < end && !r.Attrs.IsControl() {
				if err := fn(r); err != nil {
					return fmt.Errorf("%s/%d/%d: %w", topic, r.Partition, r.Offset, err)
				}
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return nil
}

// count is the number of committed records of a topic.
func (b *bench) count(ctx context.Context, topic string) (n int, err error) {
	err = b.read(ctx, topic, func(*kgo.Record) error { n++; return nil })
	return n, err
}

// newest keeps a number of the row with the highest revision.
type newest map[string]struct{ revision, n uint64 }

func (m newest) add(key []byte, revision, n uint64) {
	if have, ok := m[string(key)]; !ok || have.revision < revision {
		m[string(key)] = struct{ revision, n uint64 }{revision, n}
	}
}

// sum is how many rows there are whose number is not 0, and what they add up to.
func (m newest) sum() (rows, sum int) {
	for _, row := range m {
		if row.n > 0 {
			rows++
			sum += int(row.n)
		}
	}
	return rows, sum
}

const void = "void"

// sessionRows are the sessions that the topic holds, voids aside, and their touchpoints.
func (b *bench) sessionRows(ctx context.Context, namespace string) (sessions, touchpoints int, err error) {
	rows := newest{}
	var s wirepb.Session
	err = b.read(ctx, stream.Qualify(namespace, stream.TopicSessions), func(r *kgo.Record) error {
		s.Reset()
		if err := s.UnmarshalVTUnsafe(r.Value); err != nil {
			return err
		}
		if s.Status == void {
			s.Touchpoints = 0
		}
		rows.add(r.Key, s.Revision, s.Touchpoints)
		return nil
	})
	sessions, touchpoints = rows.sum()
	return sessions, touchpoints, err
}

// journeyRows are the journeys that the topic holds, voids aside, and their touchpoints.
func (b *bench) journeyRows(ctx context.Context, namespace string) (journeys, touchpoints int, err error) {
	rows := newest{}
	var j wirepb.Journey
	err = b.read(ctx, stream.Qualify(namespace, stream.TopicJourneys), func(r *kgo.Record) error {
		j.Reset()
		if err := j.UnmarshalVTUnsafe(r.Value); err != nil {
			return err
		}
		if j.Status == void {
			j.Touchpoints = 0
		}
		rows.add(r.Key, j.Revision, j.Touchpoints)
		return nil
	})
	journeys, touchpoints = rows.sum()
	return journeys, touchpoints, err
}

// logBytes is what a topic takes on the broker's disk.
func (b *bench) logBytes(ctx context.Context, topic string) (int64, error) {
	cl, err := b.client()
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	details, err := adm.ListTopics(ctx, topic)
	if err != nil {
		return 0, err
	}
	dirs, err := adm.DescribeAllLogDirs(ctx, details.TopicsSet())
	if err != nil {
		return 0, err
	}
	var sum int64
	dirs.Each(func(d kadm.DescribedLogDir) { sum += d.Size() })
	return sum, nil
}

// settle waits until the counters of a service stand still for a while, and the first
// of them has reached a number at least.
func (p *proc) settle(ctx context.Context, least int, still time.Duration, counters ...string) error {
	var last []int
	changed := time.Now()
	for ctx.Err() == nil {
		m, err := p.metrics()
		if err != nil {
			return p.complain(ctx, "the service is gone: "+err.Error())
		}
		now := make([]int, len(counters))
		for i, c := range counters {
			now[i] = int(m.sum(c))
		}
		if !slices.Equal(now, last) {
			last, changed = now, time.Now()
		}
		switch n := now[0]; {
		case n >= least && time.Since(changed) >= still:
			return nil
		case time.Since(changed) > patience:
			return p.complain(ctx, fmt.Sprintf("%s stands still at %d, want %d", counters[0], n, least))
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ctx.Err()
}
