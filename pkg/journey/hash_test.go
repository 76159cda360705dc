package journey

import (
	"encoding/binary"
	"hash/fnv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestDigestIsFNV: the hashes of stored states were made by hash/fnv over varints.
func TestDigestIsFNV(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOf(rapid.String()).Draw(t, "texts")
		nums := rapid.SliceOf(rapid.Int64()).Draw(t, "nums")
		var buf []byte
		for _, s := range texts {
			buf = append(binary.AppendUvarint(buf, uint64(len(s))), s...)
		}
		for _, n := range nums {
			buf = binary.AppendVarint(buf, n)
		}
		want := fnv.New64a()
		_, _ = want.Write(buf)
		d := digest(fnvOffset)
		d.str(texts...)
		d.num(nums...)
		require.Equal(t, want.Sum64(), uint64(d))
	})
}
