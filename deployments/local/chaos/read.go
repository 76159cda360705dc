//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// settledBound is how long a transaction of a dead member may stay open.
const settledBound = time.Minute

// settled waits until no transaction is open on any topic: then what readers of
// committed records see is all there is.
func settled(ctx context.Context, cl *kgo.Client) error {
	adm := kadm.NewClient(cl)
	topics := qualified(stream.AllTopics()...)
	for deadline := time.Now().Add(settledBound); ; {
		committed, err := adm.ListCommittedOffsets(ctx, topics...)
		if err != nil {
			return err
		}
		ends, err := adm.ListEndOffsets(ctx, topics...)
		if err != nil {
			return err
		}
		open := ""
		ends.Each(func(o kadm.ListedOffset) {
			if c, ok := committed.Lookup(o.Topic, o.Partition); !ok || c.Offset < o.Offset {
				open = fmt.Sprintf("%s/%d: a transaction has been open since offset %d", o.Topic, o.Partition, c.Offset)
			}
		})
		if open == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s, for more than %s", open, settledBound)
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// scan hands on all committed records of a topic, in the order of each
// partition. They may be used until fn returns.
func (r *run) scan(ctx context.Context, cl *kgo.Client, topic string, fn func(*kgo.Record) error) error {
	full := stream.Qualify(namespace, topic)
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, full)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err
	}
	from := map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition] = kgo.NewOffset().AtStart()
		}
	})
	if len(from) == 0 {
		return nil
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.Brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{full: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.FetchMaxPartitionBytes(512<<10)) // compressed: what is read ahead takes many times that
	if err != nil {
		return err
	}
	defer reader.Close()
	for left := len(from); left > 0; {
		fetches := reader.PollRecords(ctx, 20_000)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", full, err)
		}
		for rec := range fetches.RecordsAll() {
			end, _ := ends.Lookup(full, rec.Partition)
			if rec.Offset+1 == end.Offset {
				left--
			}
			if rec.Attrs.IsControl() || rec.Offset >= end.Offset {
				continue
			}
			if err := fn(rec); err != nil {
				return fmt.Errorf("%s/%d/%d: %w", full, rec.Partition, rec.Offset, err)
			}
		}
	}
	return nil
}

// typeOf is what kind of talk between steps a record is; "" is data.
func typeOf(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == wire.HeaderType {
			return string(h.Value)
		}
	}
	return ""
}
