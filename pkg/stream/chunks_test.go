package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestChunks: what is handed out does not overlap, is as long as asked for, and is
// the caller's whatever is let go of meanwhile.
func TestChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Chunks[byte]{Size: 64}
		for range 3 {
			var out [][]byte
			for i, n := range rapid.SliceOfN(rapid.IntRange(0, 80), 0, 60).Draw(t, "sizes") {
				b := c.Take(n)
				require.Len(t, b, n)
				require.Equal(t, n, cap(b), "an append must not reach the next one")
				for j := range b {
					b[j] = byte(i)
				}
				out = append(out, b)
				if rapid.IntRange(0, 9).Draw(t, "trim") == 0 {
					c.Trim()
				}
			}
			for i, b := range out {
				for _, v := range b {
					require.Equal(t, byte(i), v)
				}
			}
			c.Reset()
		}
	})
}

// TestAHugePieceCostsOnlyItself: one that is larger than a chunk does not keep others
// out of the chunks that are there.
func TestAHugePieceCostsOnlyItself(t *testing.T) {
	c := Chunks[byte]{Size: 1 << 10}
	round := func() {
		c.Take(1 << 20)
		for range 7 * 16 {
			c.Take(64)
		}
		c.Reset()
	}
	round()
	require.InDelta(t, 1, testing.AllocsPerRun(20, round), 0, "the huge one's")
}

// TestChunksAreTrimmed: what the busiest round since the last trim used is kept for the
// next ones, and given up once it is of no use.
func TestChunksAreTrimmed(t *testing.T) {
	c := Chunks[byte]{Size: 1 << 10}
	round := func(chunks int) {
		for range chunks {
			c.Take(1 << 10)
		}
		c.Reset()
	}
	round(5)
	round(40)
	round(5)
	c.Trim()
	require.Len(t, c.list, 40)
	round(5)
	round(7)
	c.Trim()
	require.Len(t, c.list, 7)
	require.Zero(t, testing.AllocsPerRun(20, func() { round(7) }))
	c.Trim()
	c.Trim()
	require.Empty(t, c.list)
}
