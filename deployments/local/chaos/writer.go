//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// ledger is what Kafka has acknowledged of what was written. Safe for concurrent use.
type ledger struct {
	mu           sync.Mutex
	acknowledged []bool // guarded by mu; by place in the stream
	failed       []failure
}

type failure struct {
	place int
	r     *kgo.Record
	err   error
}

func (l *ledger) promise(place int) func(*kgo.Record, error) {
	return func(r *kgo.Record, err error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.failed = append(l.failed, failure{place, r, err})
			return
		}
		l.acknowledged[place] = true
	}
}

func (l *ledger) take() []failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := l.failed
	l.failed = nil
	return failed
}

// missing is the number of records that were not acknowledged.
func (l *ledger) missing() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ok := range l.acknowledged {
		if !ok {
			n++
		}
	}
	return n
}

// write writes the workload, evenly over the flow, and tells the oracle of each
// record. It returns once all are acknowledged.
func (r *run) write(ctx context.Context, w *workload) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.Brokers...), kgo.DefaultProduceTopic(stream.Qualify(namespace, stream.TopicRaw)),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(10*time.Millisecond), kgo.MaxBufferedRecords(50_000))
	if err != nil {
		return err
	}
	defer cl.Close()
	l := &ledger{acknowledged: make([]bool, r.o.events)}
	began, n := time.Now(), 0
	for rec, err := range w.records {
		if err == nil {
			err = r.oracle.add(rec.value)
		}
		if err != nil {
			return err
		}
		if n%100 == 0 {
			due := began.Add(time.Duration(float64(r.o.flow) * float64(n) / float64(r.o.events)))
			if err := sleep(ctx, time.Until(due)); err != nil {
				return err
			}
		}
		cl.Produce(ctx, &kgo.Record{Key: rec.key, Value: rec.value}, l.promise(n))
		n++
		r.written.Store(int64(n))
	}
	for round := 0; ; round++ {
		if err := cl.Flush(ctx); err != nil {
			return err
		}
		failed := l.take()
		if len(failed) == 0 {
			break
		}
		if round == 5 {
			return fmt.Errorf("%d records cannot be written: %w", len(failed), failed[0].err)
		}
		// As any writer would: the same message once more. A copy is a duplicate.
		r.say("%d records were not acknowledged and are written again: %v", len(failed), failed[0].err)
		for _, f := range failed {
			cl.Produce(ctx, &kgo.Record{Key: f.r.Key, Value: f.r.Value}, l.promise(f.place))
		}
	}
	if missing := l.missing(); missing > 0 || n != r.o.events {
		return fmt.Errorf("%d records of %d written, %d not acknowledged", n, r.o.events, missing)
	}
	r.oracle.finish()
	if says := w.sessions(); says != 0 && says != len(r.oracle.sessions) {
		return fmt.Errorf("%s knows of %d sessions, the oracle of %d: one of them is wrong", w.name, says, len(r.oracle.sessions))
	}
	return nil
}
