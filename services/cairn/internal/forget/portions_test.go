package forget

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// A kiosk of years has more sessions than a record takes.
func TestPortionsFitIntoRecords(t *testing.T) {
	var list []wire.ForgetSession
	for range 300 {
		list = append(list, wire.ForgetSession{ID: "s", Keep: [][]byte{make([]byte, 100_000)}})
	}
	n, parts := 0, 0
	for part := range portions(list) {
		require.NotEmpty(t, part)
		require.Less(t, len(wire.EncodeForget(&wire.Forget{Sessions: part})), stream.MaxRecordBytes/2)
		n, parts = n+len(part), parts+1
	}
	require.Equal(t, len(list), n)
	require.Greater(t, parts, 5)
	for range portions(nil) {
		t.Fatal("nothing is a part of nothing")
	}
}

func TestSegmentsGoAsAWhole(t *testing.T) {
	day := 24 * time.Hour.Milliseconds()
	require.Equal(t, "never", goneBy(nil, 0))
	require.Equal(t, "never", goneBy(map[string]string{"retention.ms": "-1", "segment.ms": "604800000"}, 0))
	require.Equal(t, "1970-02-05T00:00:00Z", goneBy(map[string]string{"retention.ms": "3024000000"}, 0))
	require.Equal(t, "1970-02-13T00:00:00Z", goneBy(map[string]string{"retention.ms": "3024000000", "segment.ms": "604800000"}, day))
}
