package sessionizer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/stream"
)

// TestStandstillAgesNothing: while a broker stands still in the middle of old
// records, sessions may close by the wall clock, which a later touchpoint undoes;
// but nothing may be dropped, which would make the rest of the records late.
func TestStandstillAgesNothing(t *testing.T) {
	const monthAgo, wall = 1_000_000, 3_000_000_000
	state := stream.NewState(stream.NewMemoryStore())
	state.Arrive(monthAgo)
	stuck := instant(stream.Clock{Wall: wall, CaughtUp: true}, state)
	require.Equal(t, int64(wall), stuck.Now)
	require.Equal(t, int64(monthAgo), stuck.Record)
	idle := instant(stream.Clock{Wall: wall, CaughtUp: true, AtEnd: true}, state)
	require.Equal(t, int64(wall), idle.Record, "at the end of the log the wall clock is the time")
	busy := instant(stream.Clock{Wall: wall}, state)
	require.Equal(t, int64(monthAgo), busy.Record)
	require.LessOrEqual(t, busy.Now, int64(monthAgo))
}
