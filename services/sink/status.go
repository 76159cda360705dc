package sink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/warehouse"
)

// status is what Ready tells. Safe for concurrent use.
type status struct {
	mu            sync.Mutex
	client        *kgo.Client
	clickhouseErr error
	since         time.Time // of clickhouseErr
	kafkaErr      error
	kafkaAt       time.Time // of kafkaErr
}

// kafkaMemory is how long an error of Kafka counts without another. The client
// repeats what fails and tells each time, but not that it works again.
const kafkaMemory = 30 * time.Second

func (s *status) starting() { s.clickhouse(errors.New("not connected yet")) }

func (s *status) setClient(c *kgo.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = c
}

// clickhouse notes how the last attempt to reach ClickHouse went.
func (s *status) clickhouse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.clickhouseErr == nil {
		s.since = time.Now()
	}
	s.clickhouseErr = err
}

// kafka notes how the last poll went.
func (s *status) kafka(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kafkaErr, s.kafkaAt = err, time.Now()
}

func (s *status) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clickhouseErr != nil {
		return fmt.Errorf("no rows into ClickHouse since %s: %w", s.since.UTC().Format(time.RFC3339), s.clickhouseErr)
	}
	if s.kafkaErr != nil && time.Since(s.kafkaAt) < kafkaMemory {
		return fmt.Errorf("no records from Kafka: %w", s.kafkaErr)
	}
	if s.client == nil {
		return errors.New("the sink has not started")
	}
	if _, generation := s.client.GroupMetadata(); generation < 0 {
		return errors.New("the sink has not joined its consumer group")
	}
	return nil
}

// partition is one partition of one topic.
type partition struct {
	topic string
	id    int32
}

// assignment knows which partitions the sink owns, and since which of its
// assignments. Safe for concurrent use.
type assignment struct {
	mu     sync.Mutex
	next   uint64
	tenure map[partition]uint64
}

func (a *assignment) add(parts map[string][]int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tenure == nil {
		a.tenure = map[partition]uint64{}
	}
	for topic, ids := range parts {
		for _, id := range ids {
			a.next++
			a.tenure[partition{topic, id}] = a.next
		}
	}
}

func (a *assignment) remove(parts map[string][]int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for topic, ids := range parts {
		for _, id := range ids {
			delete(a.tenure, partition{topic, id})
		}
	}
}

// of returns the tenure of a partition, 0 if it is not owned. An offset may be
// committed only in the tenure it was read in: after a hand-over and back the
// partition is read anew from what was committed.
func (a *assignment) of(p partition) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tenure[p]
}

// progress counts the rows inserted per table.
type progress struct{ touchpoints atomic.Uint64 }

func (p *progress) add(t warehouse.Table, n int) {
	if t == warehouse.TableTouchpoints {
		p.touchpoints.Add(uint64(n))
	}
}

const (
	firstWait = 100 * time.Millisecond
	lastWait  = 5 * time.Second
)

// backoff is the wait after a wait: twice as long, up to a bound, and never the
// same for two sinks.
func backoff(last time.Duration) time.Duration {
	next := min(max(2*last, firstWait), lastWait)
	return next - time.Duration(rand.Int64N(int64(next)/4))
}

// sleep waits, and says whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
