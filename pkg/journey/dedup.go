package journey

import "hash/fnv"

// MaxHashes is how many messages of an identifier and arrival day are
// remembered. Beyond it they count without de-duplication, flagged.
const MaxHashes = 4096

// chunkHashes bounds a stored row of hashes, so that a busy identifier does not
// rewrite its whole day with every commit.
const chunkHashes = 256

// HashChunk is a stored row of the messages seen on one arrival day.
type HashChunk struct {
	Day    int32 // days since 1970 of the arrival, UTC
	Number int32 // 0, 1, 2... within the day
	Hashes []uint64

	changed bool
}

// seen is an identifier's memory of messages.
type seen struct {
	chunks []*HashChunk
	index  map[uint64]struct{} // all hashes, once there are many
}

// hashMessage is 64 bits of a message id. FNV alone leaves the high bits of
// similar ids alike, hence the finaliser of splitmix64.
func hashMessage(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	z := h.Sum64()
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// add remembers a message that arrived on a day. known: it was there before.
// full: it was not, and there is no room left to remember it.
func (s *seen) add(id string, day int32) (known, full bool) {
	h := hashMessage(id)
	if s.has(h) {
		return true, false
	}
	var last *HashChunk
	ofDay := 0
	for _, c := range s.chunks {
		if c.Day == day {
			ofDay += len(c.Hashes)
			if last == nil || c.Number > last.Number {
				last = c
			}
		}
	}
	if ofDay >= MaxHashes {
		return false, true
	}
	if last == nil || len(last.Hashes) >= chunkHashes {
		next := &HashChunk{Day: day}
		if last != nil {
			next.Number = last.Number + 1
		}
		s.chunks = append(s.chunks, next)
		last = next
	}
	last.Hashes = append(last.Hashes, h)
	last.changed = true
	if s.index != nil {
		s.index[h] = struct{}{}
	}
	return false, false
}

func (s *seen) has(h uint64) bool {
	if s.index != nil {
		_, ok := s.index[h]
		return ok
	}
	n := 0
	for _, c := range s.chunks {
		for _, have := range c.Hashes {
			if have == h {
				return true
			}
		}
		n += len(c.Hashes)
	}
	if n > 64 { // scanning has become dearer than an index
		s.index = make(map[uint64]struct{}, 2*n)
		for _, c := range s.chunks {
			for _, have := range c.Hashes {
				s.index[have] = struct{}{}
			}
		}
	}
	return false
}
