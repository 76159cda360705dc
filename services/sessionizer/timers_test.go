package sessionizer

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/stream"
)

// TestATickIsBounded: a tick stops when its time is over, or it has looked at enough,
// and the next goes on where it stopped. Each timer fires once, the earliest first, and
// again if the transaction is aborted; one that is not due does not.
func TestATickIsBounded(t *testing.T) {
	for _, c := range []struct {
		each        time.Duration // that a timer takes
		least, most int           // timers of one tick
	}{
		{time.Millisecond, 1000, 1000 + timersAtOnce},
		{time.Hour, timersAtOnce, timersAtOnce},
		{0, perTick, perTick},
	} {
		t.Run(c.each.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				state := stream.NewState(stream.NewMemoryStore())
				timers, err := newTimers(state)
				require.NoError(t, err)
				const count, now = 3*perTick + 7, 5000
				var want []string
				for i := range count {
					at := int64(i/3) % now
					name := fmt.Sprintf("visitor-%05d", i)
					timers.add(at, name)
					want = append(want, fmt.Sprintf("%04d %s", at, name))
				}
				slices.Sort(want)
				timers.add(now+1, "later")
				var fired []string
				_, err = state.Fold()
				require.NoError(t, err)
				timers.committed()
				for tick := 0; timers.due(now); tick++ {
					before := len(fired)
					require.NoError(t, timers.fire(now, func(at int64, name string) error {
						time.Sleep(c.each)
						fired = append(fired, fmt.Sprintf("%04d %s", at, name))
						return nil
					}))
					require.GreaterOrEqual(t, len(fired)-before, min(c.least, count-before))
					require.LessOrEqual(t, len(fired)-before, c.most)
					if tick%3 == 1 {
						fired = fired[:before]
						state.Drop()
						timers.rollback()
						continue
					}
					_, err := state.Fold()
					require.NoError(t, err)
					timers.committed()
				}
				require.Equal(t, want, fired)
				require.True(t, timers.due(now+1))
			})
		})
	}
}
