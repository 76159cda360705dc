package model

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"

	"github.com/cairnhq/cairn/pkg/journey"
)

// maxMemo is how many answers of a persona's condition are remembered.
const maxMemo = 4096

// memo remembers the answers of a persona's condition by all that it reads.
// Customers are asked about with every change of their journey, and most look
// alike in what a condition reads: looking up is many times cheaper than CEL. It
// is safe for concurrent use.
type memo struct {
	condition *condition
	known     *known

	once                     sync.Once
	traits, events, channels []int // what the condition reads, by number

	mu      sync.RWMutex
	answers map[string]bool // guarded by mu
}

func newMemo(c *condition, k *known) *memo {
	return &memo{condition: c, known: k, answers: map[string]bool{}}
}

func (m *memo) holds(b *journey.Behaviour) bool {
	m.once.Do(m.prepare)
	var space [256]byte
	key := m.key(space[:0], b)
	m.mu.RLock()
	answer, ok := m.answers[string(key)]
	m.mu.RUnlock()
	if ok {
		return answer
	}
	answer = m.condition.holds(&customer{b: b, known: m.known})
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.answers) >= maxMemo {
		clear(m.answers)
	}
	m.answers[string(key)] = answer
	return answer
}

// prepare waits for the first use: names are numbered after all personas are read.
func (m *memo) prepare() {
	numbers := func(of names) []int { return slices.Sorted(maps.Values(of)) }
	m.traits, m.events, m.channels = numbers(m.known.traits), numbers(m.known.events), numbers(m.known.channels)
}

// key holds all that the condition reads, so that equal keys have equal answers.
func (m *memo) key(key []byte, b *journey.Behaviour) []byte {
	for _, i := range m.traits {
		value := ""
		if i < len(b.Traits) {
			value = b.Traits[i]
		}
		key = append(binary.AppendUvarint(key, uint64(len(value))), value...)
	}
	for _, i := range m.events {
		key = appendCount(key, b.EventCounts, i)
	}
	for _, i := range m.channels {
		key = appendCount(key, b.ChannelCounts, i)
	}
	for _, name := range m.known.numbers {
		switch name {
		case "touchpoints":
			key = binary.AppendUvarint(key, b.Touchpoints)
		case "sessions":
			key = binary.AppendUvarint(key, b.Sessions)
		case "journeys":
			key = binary.AppendUvarint(key, b.Journeys)
		case "revenue":
			key = binary.AppendVarint(key, b.RevenueMicros)
		case "sentiment":
			key = binary.AppendUvarint(binary.AppendVarint(key, b.SentimentSum), b.SentimentCount)
		}
	}
	return key
}

func appendCount(key []byte, list []uint64, i int) []byte {
	if i >= len(list) {
		return append(key, 0)
	}
	return binary.AppendUvarint(key, list[i])
}
