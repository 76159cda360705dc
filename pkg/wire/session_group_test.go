package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire"
)

// TestTheGroupOfTheFirstTouchpoint: which touchpoint a channel group is of comes
// back, though it is not kept where it is the first.
func TestTheGroupOfTheFirstTouchpoint(t *testing.T) {
	s := sampleSession()
	other := wire.EncodeSession(s)
	s.Group.SetAt("Paid Search", s.Start, s.FirstID)
	row := wire.EncodeSession(s)
	require.Less(t, len(row), len(other))
	back, err := wire.DecodeSession(row)
	require.NoError(t, err)
	require.Equal(t, s.Group, back.Group)

	s.Group.SetAt("", 0, "")
	back, err = wire.DecodeSession(wire.EncodeSession(s))
	require.NoError(t, err)
	require.Equal(t, s.Group, back.Group)
}
