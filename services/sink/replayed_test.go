package sink

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// The notes of what was put back are no rejected records.
func TestNotesOfReplaysAreNoRows(t *testing.T) {
	d := &decoder{namespace: "cairn", pool: new(shardPool)}
	g := newGeneration()
	rec := &kgo.Record{Topic: stream.Qualify("cairn", stream.TopicRejected), Key: []byte("cairn.touchpoints.raw/0/7")}
	rec.Headers = []kgo.RecordHeader{{Key: wire.HeaderType, Value: []byte(wire.TypeReplayed)}}
	require.Nil(t, d.add(g, rec))
	require.Empty(t, g.shards)
	rec.Headers[0] = kgo.RecordHeader{Key: wire.HeaderReason, Value: []byte(wire.ReasonBadTime)}
	require.Nil(t, d.add(g, rec))
	require.Len(t, g.shards, 1)
}
