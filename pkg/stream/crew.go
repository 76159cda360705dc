package stream

import (
	"cmp"
	"errors"
	"sync"
	"time"
)

// crew does the work of one transaction: that of a partition one after another, that of
// different partitions in parallel, while the loop fetches on. A fetch mostly holds
// records of few partitions, so waiting for each to be done would leave processors
// idle.
type crew struct {
	mu      sync.Mutex
	changed sync.Cond // of what is guarded by mu
	queues  map[*part][]job
	pending int // records that are queued or in work
	running int // partitions at work
	failed  error
}

// job is a piece of work, and how many records are processed by it.
type job struct {
	do      func() error
	records int
}

func newCrew() *crew {
	c := &crew{queues: map[*part][]job{}}
	c.changed.L = &c.mu
	return c
}

// add queues work of a partition, in which so many records are processed.
func (c *crew) add(p *part, records int, do func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	queue, working := c.queues[p]
	c.queues[p] = append(queue, job{do, records})
	c.pending += records
	if !working {
		c.running++
		go c.work(p)
	}
}

// work does what is queued of a partition until there is nothing, or something failed.
func (c *crew) work(p *part) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queues[p]) > 0 && c.failed == nil {
		next := c.queues[p][0]
		c.queues[p] = c.queues[p][1:]
		err := c.outside(next.do)
		c.pending -= next.records
		c.note(err)
		c.changed.Broadcast()
	}
	delete(c.queues, p)
	c.running--
	c.changed.Broadcast()
}

// outside calls fn without the lock, and has it again also when fn panics: else that
// would hide the panic.
func (c *crew) outside(fn func() error) error {
	c.mu.Unlock()
	defer c.mu.Lock()
	return fn()
}

// room waits until at most so many records are pending, and returns false when it
// has failed.
func (c *crew) room(most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.pending > most && c.failed == nil {
		c.changed.Wait()
	}
	return c.failed == nil
}

// finish waits for the work that was added and returns its first failure.
func (c *crew) finish() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.running > 0 {
		c.changed.Wait()
	}
	return c.failed
}

// fail has the crew stop where it is.
func (c *crew) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(err)
}

// note remembers the first failure. A wish to abort must not hide one.
func (c *crew) note(err error) {
	if c.failed == nil || errors.Is(c.failed, errAbort) {
		c.failed = cmp.Or(err, c.failed)
	}
}

// pace is how many records a step got through in a time, waiting for them included.
type pace struct {
	records int
	took    time.Duration
}

// during is how many records it is in a time, at least least and at most most.
func (p pace) during(d time.Duration, least, most int) int {
	if p.took <= 0 {
		return least
	}
	return max(least, min(most, int(float64(p.records)*float64(d)/float64(p.took))))
}
