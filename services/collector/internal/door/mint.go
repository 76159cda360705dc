package door

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// Minter gives ids to events that have none. An event with a time gets one made
// of its bytes, so that a client which sends its batch again sends the same
// event; how often the same bytes came before within the request counts too, so
// that two equal events of one batch stay two. An event without a time cannot
// be told from its repetition and gets a new id. Not for concurrent use.
type Minter struct {
	seen map[[sha256.Size]byte]uint32
}

// Mint returns a UUID in the layout of version 7: its first bits are the time.
// at is zero where the event has none.
func (m *Minter) Mint(source string, at time.Time, parts ...[]byte) uuid.UUID {
	if at.IsZero() {
		return uuid.Must(uuid.NewV7()) // fails only without a system random source
	}
	h := sha256.New()
	h.Write([]byte(source))
	h.Write([]byte{0})
	for _, p := range parts {
		h.Write(p)
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	if m.seen == nil {
		m.seen = make(map[[sha256.Size]byte]uint32)
	}
	if n := m.seen[sum]; n > 0 {
		m.seen[sum] = n + 1
		sum = sha256.Sum256(binary.BigEndian.AppendUint32(sum[:], n))
	} else {
		m.seen[sum] = 1
	}
	id := uuid.UUID(sum[:16])
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Reset forgets the request before.
func (m *Minter) Reset() { clear(m.seen) }
