package journey

import (
	"hash/fnv"
	"slices"
)

// MaxHashes is how many messages of an identifier and arrival day are
// remembered. Beyond it they count without de-duplication, flagged.
const MaxHashes = 4096

// chunkHashes bounds a stored row of hashes, so that a busy identifier does not
// rewrite its whole day with every commit.
const chunkHashes = 64

// indexFrom is beyond how many hashes they are looked for in an index, which takes
// more memory than they do: scanning so many takes no longer than an event's other work
// on its device.
const indexFrom = 256

// HashChunk is a stored row of the messages seen on one arrival day.
type HashChunk struct {
	Day    int32 // days since 1970 of the arrival, UTC
	Number int32 // 0, 1, 2... within the day
	Hashes []uint64

	Touched int64 // record time of the last change
	Latest  int64 // latest event time of its messages
	Armed   bool  // a timer fires when the row is due, see Device.arm

	changed bool
}

// seen is an identifier's memory of messages.
type seen struct {
	chunks  []*HashChunk
	changed []*HashChunk        // since changes were last taken
	index   map[uint64]struct{} // all hashes, once there are many
	sketch  sketch              // of all hashes, once it is drawn
	drawn   bool
}

// sketch tells most messages that are new from those that are known, without a look at
// the chunks, each of which is somewhere else in memory: a Bloom filter with one hash,
// right for 7 of 8 new ones when 64 are known.
type sketch [8]uint64

func (s *sketch) add(h uint64) { s[h>>6%uint64(len(s))] |= 1 << (h % 64) }

// maybe is false for a hash that was never added.
func (s *sketch) maybe(h uint64) bool { return s[h>>6%uint64(len(s))]&(1<<(h%64)) != 0 }

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

// add remembers the message of a touchpoint by the day of its arrival. known: it
// was there before. full: it was not, and there is no room left to remember it.
func (s *seen) add(t *Touchpoint, record int64) (known, full bool) {
	h, day := hashMessage(t.MessageID), int32(floorDiv(t.Received, 24*60*minute))
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
	s.sketch.add(h)
	last.Touched, last.Latest = max(last.Touched, record), max(last.Latest, t.Time)
	if !last.changed {
		last.changed = true
		s.changed = append(s.changed, last)
	}
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
	if !s.drawn {
		s.draw()
	}
	if !s.sketch.maybe(h) {
		return false
	}
	n := 0
	for _, c := range s.chunks {
		if slices.Contains(c.Hashes, h) {
			return true
		}
		n += len(c.Hashes)
	}
	if n > indexFrom {
		s.index = make(map[uint64]struct{}, 2*n)
		for _, c := range s.chunks {
			for _, have := range c.Hashes {
				s.index[have] = struct{}{}
			}
		}
	}
	return false
}

// draw adds the hashes of the chunks to the sketch.
func (s *seen) draw() {
	for _, c := range s.chunks {
		for _, h := range c.Hashes {
			s.sketch.add(h)
		}
	}
	s.drawn = true
}

// evict drops the rows that are due at a record time, and returns them.
func (s *seen) evict(record, keep int64) (gone []*HashChunk) {
	s.chunks = slices.DeleteFunc(s.chunks, func(c *HashChunk) bool {
		if record <= c.Touched+keep {
			return false
		}
		c.changed = false
		gone = append(gone, c)
		return true
	})
	if gone != nil {
		s.index, s.sketch, s.drawn = nil, sketch{}, false
	}
	return gone
}
