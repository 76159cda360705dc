package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
)

// TestPositionsOfASessionComeBack: which touchpoints a session's pages and channel
// group are of comes back from its row, though those of the first and the last are not
// written.
func TestPositionsOfASessionComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ids := rapid.SampledFrom([]string{"a", "m", "z"})
		times := rapid.SampledFrom([]int64{-1, 0, 5, 9})
		s := &journey.Session{
			Start: times.Draw(rt, "start"), FirstID: ids.Draw(rt, "first"),
			End: times.Draw(rt, "end"), LastID: ids.Draw(rt, "last"), Touchpoints: 3,
		}
		for name, set := range map[string]func(string, int64, string){"landing": s.Landing.SetAt, "exit": s.Exit.SetAt, "group": s.Group.SetAt} {
			if rapid.Bool().Draw(rt, name) {
				set(name, times.Draw(rt, name+" at"), ids.Draw(rt, name+" of"))
			}
		}
		back, err := wire.DecodeSession(wire.EncodeSession(s))
		require.NoError(rt, err)
		require.Equal(rt, s, back)
	})
}
