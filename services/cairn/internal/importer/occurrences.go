package importer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// maxDistinct bounds the memory of occurrences: about 4 GB.
const maxDistinct = 1 << 27

// occurrences derives message ids. The n-th time a line comes, in all files of
// a run together, it gets the id of (line, n): so the same lines in any order
// make the same set of ids, and importing them again adds nothing.
//
// It holds 16 to 32 bytes for each different line.
type occurrences struct{ seen map[uint64]uint32 }

// messageID counts line and returns its id: 32 hexadecimal digits.
func (o *occurrences) messageID(line []byte) (string, error) {
	if o.seen == nil {
		o.seen = map[uint64]uint32{}
	}
	// 64 bits are enough to count by: a collision (one in a million at six million
	// lines) would only make an id depend on the order of two lines.
	key := xxhash.Sum64(line)
	n := o.seen[key]
	if n == 0 && len(o.seen) >= maxDistinct {
		return "", fmt.Errorf("more than %d different lines in one run: import the files in several runs", maxDistinct)
	}
	o.seen[key] = n + 1
	h := sha256.New()
	h.Write(line)
	h.Write(binary.BigEndian.AppendUint32(nil, n+1))
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
