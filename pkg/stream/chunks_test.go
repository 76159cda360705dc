package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestChunks: what is handed out does not overlap, is as long as asked for, and what
// is kept is bounded.
func TestChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Chunks{Size: 64, Keep: 3}
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
			}
			for i, b := range out {
				for _, v := range b {
					require.Equal(t, byte(i), v)
				}
			}
			c.Reset()
			require.LessOrEqual(t, len(c.list), c.Keep)
		}
	})
}

// TestAHugePieceCostsOnlyItself: one that is larger than a chunk does not keep others
// out of the chunks that are there.
func TestAHugePieceCostsOnlyItself(t *testing.T) {
	c := Chunks{Size: 1 << 10, Keep: 8}
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
