package stream

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// chunk adds the processing of records of a partition, by their offsets.
func (c *crew) chunk(p *part, from, to int64, process func(*part, int64) error) {
	c.add(p, int(to-from), func() error {
		for at := from; at < to; at++ {
			if err := process(p, at); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestCrewKeepsOrderAndRunsInParallel: records of a partition are processed one after
// another in their order, whatever comes while they are; those of others meanwhile.
func TestCrewKeepsOrderAndRunsInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := map[int32][]int64{}
		var busy [3]atomic.Bool
		c := newCrew()
		process := func(p *part, offset int64) error {
			if busy[p.id].Swap(true) {
				t.Error("a partition has two workers")
			}
			defer busy[p.id].Store(false)
			time.Sleep(time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			seen[p.id] = append(seen[p.id], offset)
			return nil
		}
		started := time.Now()
		parts := []*part{{id: 0}, {id: 1}, {id: 2}}
		for batch := range int64(6) {
			for _, p := range parts {
				c.chunk(p, 10*batch, 10*batch+10, process)
			}
			// Some of the next ones find a worker, some none.
			time.Sleep([]time.Duration{5 * time.Millisecond, 35 * time.Millisecond}[batch%2])
		}
		require.NoError(t, c.finish())
		require.Less(t, time.Since(started), 130*time.Millisecond, "partitions must not wait for each other")
		for _, p := range parts {
			require.Len(t, seen[p.id], 60)
			require.IsIncreasing(t, seen[p.id])
		}
		require.Zero(t, c.pending)
	})
}

// TestCrewShowsAPanic: what a task panics with is what one sees.
func TestCrewShowsAPanic(t *testing.T) {
	c := newCrew()
	c.mu.Lock()
	defer c.mu.Unlock()
	require.PanicsWithValue(t, "oops", func() { _ = c.outside(func() error { panic("oops") }) })
	require.False(t, c.mu.TryLock(), "the lock is held again")
}

// TestCrewHasRoom: the loop fetches on only when few enough records wait.
func TestCrewHasRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew()
		process := func(*part, int64) error {
			time.Sleep(time.Millisecond)
			return nil
		}
		started := time.Now()
		p := &part{}
		for i := range int64(5) {
			c.chunk(p, 10*i, 10*i+10, process)
		}
		require.True(t, c.room(50))
		require.Zero(t, time.Since(started))
		require.True(t, c.room(30))
		require.Equal(t, 20*time.Millisecond, time.Since(started))
		require.True(t, c.room(0))
		require.Equal(t, 50*time.Millisecond, time.Since(started))
		require.NoError(t, c.finish())
	})
}

// TestCrewStopsAtAFailure: nothing more is begun, and a failure is not hidden by a
// partition that only wants to abort.
func TestCrewStopsAtAFailure(t *testing.T) {
	bad := errors.New("bad")
	for name, order := range map[string][]error{
		"abort first":   {errAbort, bad},
		"failure first": {bad, fmt.Errorf("wrapped: %w", errAbort)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var done atomic.Int64
				c := newCrew()
				process := func(p *part, offset int64) error {
					time.Sleep(time.Duration(p.id+1) * time.Millisecond)
					if offset == 3 {
						return order[p.id]
					}
					done.Add(1)
					return nil
				}
				first := &part{id: 0}
				c.chunk(first, 0, 4, process)
				c.chunk(&part{id: 1}, 0, 4, process) // in work when the first one fails
				c.chunk(first, 4, 8, process)
				require.False(t, c.room(0))
				require.ErrorIs(t, c.finish(), bad)
				require.EqualValues(t, 6, done.Load())
			})
		})
	}
	t.Run("of the loop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var done atomic.Int64
			c := newCrew()
			process := func(*part, int64) error {
				time.Sleep(time.Millisecond)
				done.Add(1)
				return nil
			}
			c.chunk(&part{}, 0, 4, process)
			c.chunk(&part{id: 1}, 0, 4, process)
			p := &part{id: 2}
			c.chunk(p, 0, 4, process)
			c.chunk(p, 4, 8, process)
			c.fail(errAbort)
			require.ErrorIs(t, c.finish(), errAbort)
			require.LessOrEqual(t, done.Load(), int64(12), "what is queued is not begun")
		})
	})
}

// TestPace: the bounds hold whatever was measured.
func TestPace(t *testing.T) {
	require.Equal(t, 40, pace{}.during(time.Second, 40, 200))
	require.Equal(t, 100, pace{1000, 10 * time.Second}.during(time.Second, 40, 200))
	require.Equal(t, 40, pace{10, 10 * time.Second}.during(time.Second, 40, 200))
	require.Equal(t, 200, pace{1_000_000, time.Millisecond}.during(time.Second, 40, 200))
}
