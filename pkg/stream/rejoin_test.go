package stream

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestAMissedMemberJoinsAgain: a pause of the broker or of the process must not
// end it; what will not pass by itself must.
func TestAMissedMemberJoinsAgain(t *testing.T) {
	for _, c := range []struct {
		err   error
		fatal bool
	}{
		{&kgo.ErrGroupSession{Err: kerr.UnknownMemberID}, false},
		{&kgo.ErrGroupSession{Err: kerr.IllegalGeneration}, false},
		{&kgo.ErrGroupSession{Err: errors.New("unable to dial: connection refused")}, false},
		{&kgo.ErrGroupSession{Err: kerr.FencedInstanceID}, true},
		{&kgo.ErrGroupSession{Err: kerr.GroupAuthorizationFailed}, true},
		{kerr.UnknownMemberID, true},
		{kerr.OffsetOutOfRange, true},
		{kerr.NotLeaderForPartition, false},
	} {
		fetches := kgo.NewErrFetch(fmt.Errorf("poll: %w", c.err))
		require.Equal(t, c.fatal, fatal(fetches) != nil, "%v", c.err)
	}
}
