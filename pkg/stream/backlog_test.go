package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBacklogIsOver: once for each, after it, and not for what trickles in.
func TestBacklogIsOver(t *testing.T) {
	var b backlog
	now := time.Now()
	require.False(t, b.over(now))
	b.add(backlogRecords-1, now)
	require.False(t, b.over(now.Add(time.Hour)))
	b.add(1, now.Add(time.Hour))
	require.False(t, b.over(now.Add(time.Hour)))
	b.add(0, now.Add(time.Hour+backlogOver)) // sessions are closed
	require.False(t, b.over(now.Add(time.Hour+backlogOver)))
	require.True(t, b.over(now.Add(time.Hour+2*backlogOver)))
	require.False(t, b.over(now.Add(2*time.Hour)))
}
