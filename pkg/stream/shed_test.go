package stream_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/stream"
)

// shedder is a counter that counts how often it is told to shed, and how often it was
// in the middle of a transaction then.
type shedder struct {
	stream.Task

	dirty        func() bool
	shed, inside *atomic.Int64
}

func (s shedder) Trim() {}

func (s shedder) Shed() {
	s.shed.Add(1)
	if s.dirty() {
		s.inside.Add(1)
	}
}

// TestABacklogIsShed: tasks are told once, between transactions, when a backlog is
// done, and not because of what trickles in.
func TestABacklogIsShed(t *testing.T) {
	b := newBench(t)
	var shed, inside atomic.Int64
	b.task = &newTask{func(partition int32, st *stream.State) (stream.Task, error) {
		task, err := newCounter(partition, st)
		c, _ := task.(*counter)
		return shedder{task, func() bool { return len(c.dirty) > 0 }, &shed, &inside}, err
	}}
	b.produce(60_000)
	stop := b.start(false)
	partitions := int64(3)
	for range 20 { // more trickles in meanwhile
		time.Sleep(300 * time.Millisecond)
		b.produce(1)
	}
	require.Eventually(t, func() bool { return shed.Load() == partitions }, 20*time.Second, 100*time.Millisecond)
	for range 20 {
		time.Sleep(250 * time.Millisecond)
		b.produce(1)
	}
	require.Equal(t, partitions, shed.Load(), "once")
	require.Zero(t, inside.Load())
	require.Eventually(t, func() bool { return b.wrong() == "" }, 20*time.Second, 100*time.Millisecond)
	require.NoError(t, stop())
}
