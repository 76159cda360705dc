package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBacklogIsOver: once for each, when little or nothing comes for some seconds, and
// never for what trickles in.
func TestBacklogIsOver(t *testing.T) {
	var b backlog
	ask := func(work ...int) (over []bool) {
		for _, n := range work {
			b.add(n)
			over = append(over, b.over())
		}
		return over
	}
	no := func(n int) []bool { return make([]bool, n) }
	require.Equal(t, no(100), ask(make([]int, 100)...))
	for range 1000 {
		require.Equal(t, no(1), ask(backlogRate-1))
	}
	require.Equal(t, no(4), ask(backlogRate, 0, 0, backlogRate), "it goes on")
	require.Equal(t, append(no(backlogQuiet-1), true), ask(1, 1, 1), "live events are no backlog")
	require.Equal(t, no(10), ask(make([]int, 10)...), "once")
	b.add(backlogRate / 2)
	b.add(backlogRate / 2)
	var after int
	for !b.over() {
		after++
	}
	require.Equal(t, backlogEvery, 10+1+after, "not soon after the one before")
	require.Equal(t, no(100), ask(make([]int, 100)...))
	require.Equal(t, []bool{false, false, false, true, false}, ask(backlogRate, 0, 0, 0, 0))
}
