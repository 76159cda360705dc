package stream

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestRecordsGetTheTimeThatWasRead: a record without a timestamp has that of the last
// look at the clock, one with a timestamp keeps it.
func TestRecordsGetTheTimeThatWasRead(t *testing.T) {
	var got []int64
	o := newOutput(t.Context(), func(_ context.Context, r *kgo.Record, _ func(*kgo.Record, error)) {
		got = append(got, r.Timestamp.UnixMilli())
	})
	o.begin(time.UnixMilli(1000))
	o.Produce(&kgo.Record{})
	o.read(time.UnixMilli(1070))
	o.Produce(&kgo.Record{})
	o.Produce(&kgo.Record{Timestamp: time.UnixMilli(5)})
	o.begin(time.UnixMilli(2000))
	o.Produce(&kgo.Record{})
	require.Equal(t, []int64{1000, 1070, 5, 2000}, got)
}
