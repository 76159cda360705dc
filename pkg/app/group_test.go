package app

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal notes what happened, in order.
type journal struct {
	mu   sync.Mutex
	said []string
}

func (j *journal) note(s string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.said = append(j.said, s)
}

// part is a well-behaved part that notes when it starts and stops.
func (j *journal) part(name string) (string, func(context.Context) error) {
	return name, func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(time.Second) // a drain, in the test's virtual time
		j.note("stopped " + name)
		return nil
	}
}

func TestASignalStopsPartsInReverseOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		signals := make(chan os.Signal, 2)
		g := Group{Signals: signals, OnStop: func() { j.note("draining") }}
		g.Add(j.part("broker"))
		g.Add(j.part("sessionizer"))
		g.Add(j.part("collector"))
		signals <- syscall.SIGTERM
		require.NoError(t, g.Run(t.Context()))
		require.Equal(t, []string{"draining", "stopped collector", "stopped sessionizer", "stopped broker"}, j.said)
	})
}

func TestTheEndOfTheContextStopsInOrderToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		ctx, cancel := context.WithCancel(t.Context())
		g := Group{Signals: make(chan os.Signal)}
		g.Add(j.part("broker"))
		g.Add(j.part("collector"))
		time.AfterFunc(time.Second, cancel)
		require.NoError(t, g.Run(ctx))
		require.Equal(t, []string{"stopped collector", "stopped broker"}, j.said)
	})
}

func TestAFailedPartEndsTheGroupWithItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		broken := errors.New("disk full")
		g := Group{Signals: make(chan os.Signal)}
		g.Add(j.part("broker"))
		g.Add("sink", func(context.Context) error { return broken })
		err := g.Run(t.Context())
		require.ErrorIs(t, err, broken)
		require.EqualError(t, err, "sink: disk full")
		require.Equal(t, []string{"stopped broker"}, j.said)
	})
}

func TestAnErrorWhileStoppingIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		g := Group{Signals: signals}
		g.Add("sink", func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("flush failed")
		})
		signals <- syscall.SIGINT
		require.EqualError(t, g.Run(t.Context()), "sink: flush failed")
	})
}

func TestAHungPartDoesNotKeepTheOthersFromDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		signals := make(chan os.Signal, 1)
		hang := make(chan struct{})
		g := Group{Signals: signals, StopTimeout: 5 * time.Second}
		g.Add(j.part("broker"))
		g.Add("sink", func(context.Context) error { <-hang; return nil })
		signals <- syscall.SIGTERM
		start := time.Now()
		err := g.Run(t.Context())
		require.ErrorIs(t, err, ErrStopTimeout)
		require.ErrorContains(t, err, "sink: ")
		require.Equal(t, 6*time.Second, time.Since(start))
		require.Equal(t, []string{"stopped broker"}, j.said)
		close(hang)
	})
}

func TestTheSecondSignalAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 2)
		hang := make(chan struct{})
		var aborted atomic.Bool
		g := Group{Signals: signals, Abort: func() { aborted.Store(true); close(hang) }}
		g.Add("sink", func(context.Context) error { <-hang; return nil })
		signals <- syscall.SIGINT
		signals <- syscall.SIGINT
		require.NoError(t, g.Run(t.Context()))
		require.True(t, aborted.Load())
	})
}

func TestWaitForRetriesUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gate Gate
		tries := 0
		require.ErrorContains(t, gate.Ready(), "not connected yet")
		err := WaitFor(t.Context(), time.Minute, "kafka at h:1", gate.Track(func(context.Context) error {
			if tries++; tries < 4 {
				return errors.New("refused")
			}
			require.ErrorContains(t, gate.Ready(), "not reachable: refused")
			return nil
		}))
		require.NoError(t, err)
		require.NoError(t, gate.Ready())
		require.Equal(t, 4, tries)
	})
}

func TestWaitForGivesUpWithTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := WaitFor(t.Context(), time.Minute, "kafka at h:1", func(context.Context) error { return errors.New("refused") })
		require.EqualError(t, err, "kafka at h:1 is not reachable after 1m0s: refused")
		require.Equal(t, time.Minute, time.Since(start))
	})
}

func TestWaitForDoesNotRetryWhatCannotHelp(t *testing.T) {
	tries := 0
	err := WaitFor(t.Context(), time.Minute, "kafka at h:1", func(context.Context) error {
		tries++
		return Permanent(errors.New("wrong partitions"))
	})
	require.EqualError(t, err, "kafka at h:1: wrong partitions")
	require.Equal(t, 1, tries)
}

func TestWaitForBoundsATryThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := WaitFor(t.Context(), time.Minute, "kafka", func(ctx context.Context) error {
			tries++
			<-ctx.Done()
			return ctx.Err()
		})
		require.ErrorContains(t, err, "kafka is not reachable")
		require.Greater(t, tries, 3)
	})
}

func TestAPortInUseIsOneSentence(t *testing.T) {
	ln, err := Listen(t.Context(), "--addr", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	_, err = Listen(t.Context(), "--addr", ln.Addr().String())
	require.EqualError(t, err, ln.Addr().(*net.TCPAddr).String()+" is in use by another process: choose another address with --addr (port 0 picks a free one)")
}

func TestExitCodes(t *testing.T) {
	require.Equal(t, 0, ExitCode(nil))
	require.Equal(t, 1, ExitCode(errors.New("x")))
	require.Equal(t, 2, ExitCode(UsageErrorf("no %s", "file")))
}
