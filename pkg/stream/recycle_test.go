package stream

import (
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestRecyclerIsBounded: however much comes back, no more than the bound is kept, the
// newest of it; and what is handed out has the room that was asked for.
func TestRecyclerIsBounded(t *testing.T) {
	c := &recycler{}
	for range 200 {
		c.PutDecompressBytes(make([]byte, 1<<20))
		c.PutRecords(make([]kgo.Record, 3000))
	}
	require.LessOrEqual(t, c.bytes.size, keptBytes)
	require.LessOrEqual(t, c.records.size, keptRecords)
	require.GreaterOrEqual(t, c.bytes.size, keptBytes-1<<20)
	c.PutDecompressBytes(make([]byte, largestBatch+1))
	require.LessOrEqual(t, cap(c.bytes.take(0)), 1<<20, "a batch that is too large is not kept")

	for _, n := range []int{1, 3000, 3001, 100_000} {
		require.Len(t, c.GetRecords(n), n)
	}
	packed := make([]byte, 1000)
	b := c.GetDecompressBytes(packed, kgo.CodecLz4)
	require.Empty(t, b)
	require.GreaterOrEqual(t, cap(b), len(packed))
	for i := 0; c.bytes.take(0) != nil; i++ {
		require.Less(t, i, 1000)
	}
	require.Zero(t, c.bytes.size)
	require.NotEmpty(t, c.GetDecompressBytes(packed, kgo.CodecLz4)[:1])
}

// TestRoomForUnpacking: Snappy says how much, unless it is Java's; what would not be kept
// is left to the decoder.
func TestRoomForUnpacking(t *testing.T) {
	c := &recycler{}
	value := make([]byte, 100<<10)
	packed := s2.EncodeSnappy(nil, value)
	require.Equal(t, 128<<10, cap(c.GetDecompressBytes(packed, kgo.CodecSnappy)))
	require.Less(t, unpackedRatio*len(packed), sizeStep)
	require.Equal(t, sizeStep, cap(c.GetDecompressBytes(packed, kgo.CodecLz4)))

	java := append([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"), make([]byte, 100_000)...)
	require.GreaterOrEqual(t, cap(c.GetDecompressBytes(java, kgo.CodecSnappy)), unpackedRatio*len(java))

	require.Nil(t, c.GetDecompressBytes(s2.EncodeSnappy(nil, make([]byte, largestBatch+1)), kgo.CodecSnappy))
	require.Nil(t, c.GetDecompressBytes([]byte{0xff}, kgo.CodecSnappy), "it is none")
	c.PutDecompressBytes(nil)
	require.Empty(t, c.bytes.list, "what takes no room would never be let go of")
}

// TestRecyclerIsTrimmed: what was of use since the last trim is kept, all else goes.
func TestRecyclerIsTrimmed(t *testing.T) {
	const size = 1 << 20
	c := &recycler{}
	for range 10 {
		c.PutDecompressBytes(make([]byte, size))
	}
	c.trim()
	require.Equal(t, 10*size, c.bytes.size, "it has just come")
	var out [][]byte
	for range 4 {
		out = append(out, c.bytes.take(size))
	}
	for _, b := range out {
		c.PutDecompressBytes(b)
	}
	c.trim()
	require.Equal(t, 4*size, c.bytes.size)
	c.trim()
	require.Zero(t, c.bytes.size)
	require.Empty(t, c.bytes.list)
}
