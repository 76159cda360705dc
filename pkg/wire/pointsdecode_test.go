package wire

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// FuzzDecodePoints: read point by point, a row says what its message does.
func FuzzDecodePoints(f *testing.F) {
	campaign := &journey.Campaign{Source: "google", Name: "spring"}
	list := []journey.Point{
		{OrderKey: journey.OrderKey{Time: 1, MessageID: "a", Identifier: "anonymous:1"}, Channel: "web", Campaign: campaign},
		{OrderKey: journey.OrderKey{Time: 2, MessageID: "b", Identifier: "anonymous:1"}, Channel: "web", Campaign: campaign, Live: true},
		{OrderKey: journey.OrderKey{Time: 3, MessageID: "c", Identifier: "user:1"}, Rare: &journey.Rare{Repeats: []journey.Repeat{{Friction: 1, Value: 7}}}},
	}
	for n := range len(list) + 1 {
		f.Add(EncodePoints(list[:n]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		have, err := DecodePoints([]journey.Point{{Intent: 42}}, b)
		var row wirepb.PointsRow
		if whole := unmarshalRow(b, &row); err != nil || whole != nil {
			return // what either refuses the other may read in part
		}
		want, err := fromPoints(&row)
		require.NoError(t, err)
		require.Equal(t, int32(42), have[0].Intent)
		require.Equal(t, want, append([]journey.Point{}, have[1:]...))
	})
}
