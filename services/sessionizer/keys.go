package sessionizer

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// Tables of the state: the first byte of a row's key.
const (
	tableDevice  = 'd'
	tableProfile = 'p'
	tableOpen    = 'o'
	tableQuality = 'q'
	tableTimer   = 't'
)

// Rows of a device or profile: the byte behind its name.
const (
	rowMeta      = 'a'
	rowHashes    = 'h'
	rowSession   = 's'
	rowFrictions = 'f'
	rowJourneys  = 'j'
	rowMap       = 'm'
	rowTail      = 'n' // before the points, which it may make needless
	rowPast      = 'o'
	rowPoints    = 'p'
	rowUnion     = 'u'
)

// rowPrefix begins the keys of one device's or profile's rows. The length keeps
// names apart whatever bytes they hold.
func rowPrefix(table byte, name string) []byte {
	return appendPrefix(nil, table, name)
}

// prefixRoom is what most keys have behind the prefix, in bytes.
const prefixRoom = 16

func appendPrefix(b []byte, table byte, name string) []byte {
	b = append(slices.Grow(b, len(name)+prefixRoom), table)
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	return append(b, name...)
}

// appendTime appends a time so that byte order is time order.
func appendTime(b []byte, ms int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(ms)^(1<<63))
}

// sessionKey is valid until the next key of that prefix is made.
func sessionKey(prefix []byte, start int64) []byte {
	return appendTime(append(prefix, rowSession), start)
}

// hashesKey is valid until the next key of that prefix is made.
func hashesKey(prefix []byte, c *journey.HashChunk) []byte {
	key := append(prefix, rowHashes)
	key = binary.BigEndian.AppendUint32(key, uint32(c.Day))
	return binary.BigEndian.AppendUint32(key, uint32(c.Number))
}

// topics are the full names of what the steps write.
type topics struct {
	raw, rejected, late, touchpoints, sessions, identities, journeys, transitions, frictions, quality string

	touchpointHeaders, relinquishHeaders, adoptHeaders, joinHeaders, copyHeaders, eventHeaders []kgo.RecordHeader
}

// newTopics makes the topics of a namespace, and the headers of what the steps tell
// each other in an epoch.
func newTopics(ns string, epoch uint32) topics {
	q := func(name string) string { return stream.Qualify(ns, name) }
	talk := func(kind string) []kgo.RecordHeader {
		hs := []kgo.RecordHeader{{Key: wire.HeaderType, Value: []byte(kind)}}
		if epoch > 0 { // without it: 0
			hs = append(hs, kgo.RecordHeader{Key: wire.HeaderEpoch, Value: strconv.AppendUint(nil, uint64(epoch), 10)})
		}
		return hs
	}
	return topics{
		raw: q(stream.TopicRaw), rejected: q(stream.TopicRejected), late: q(stream.TopicLate),
		touchpoints: q(stream.TopicTouchpoints), sessions: q(stream.TopicSessions),
		identities: q(stream.TopicIdentities), journeys: q(stream.TopicJourneys),
		transitions: q(stream.TopicTransitions), frictions: q(stream.TopicFrictions), quality: q(stream.TopicQuality),
		touchpointHeaders: []kgo.RecordHeader{{Key: wire.HeaderSchema, Value: []byte(wire.SchemaTouchpoint)}},
		relinquishHeaders: talk(wire.TypeRelinquish),
		adoptHeaders:      talk(wire.TypeAdopt),
		joinHeaders:       talk(wire.TypeJoin),
		copyHeaders:       talk(wire.TypeCopy),
		eventHeaders:      []kgo.RecordHeader{{Key: wire.HeaderContentType, Value: []byte(wire.ContentCloudEvents)}},
	}
}

// headers are those of a raw record that cairn knows.
type headers struct {
	typ             string
	source          string
	reason, err     string // the writer's own complaint
	mac             string // of a forget record
	backfill        bool
	replay          bool // comes again, see wire.HeaderReplay
	epoch           uint32
	receivedAt      int64
	origin          string // topic/partition/offset; "" if there is none
	originPartition int32
	originOffset    int64
}

func readHeaders(r *kgo.Record) headers {
	var h headers
	for _, kv := range r.Headers {
		switch kv.Key {
		case wire.HeaderType:
			h.typ = string(kv.Value)
		case wire.HeaderSource:
			h.source = string(kv.Value)
		case wire.HeaderMAC:
			h.mac = string(kv.Value)
		case wire.HeaderBackfill:
			h.backfill = true
		case wire.HeaderReason:
			h.reason = string(kv.Value)
		case wire.HeaderError:
			h.err = string(kv.Value)
		case wire.HeaderEpoch:
			n, _ := strconv.ParseUint(string(kv.Value), 10, 32)
			h.epoch = uint32(n)
		case wire.HeaderReceivedAt:
			h.receivedAt, _ = strconv.ParseInt(string(kv.Value), 10, 64)
		case wire.HeaderReplay:
			h.replay = true
		case wire.HeaderOrigin:
			parts := strings.Split(string(kv.Value), "/")
			if len(parts) == 3 {
				h.origin = string(kv.Value)
				p, _ := strconv.ParseInt(parts[1], 10, 32)
				h.originPartition = int32(p)
				h.originOffset, _ = strconv.ParseInt(parts[2], 10, 64)
			}
		}
	}
	return h
}

// originOf is topic/partition/offset of a record.
func originOf(r *kgo.Record) string {
	return r.Topic + "/" + strconv.Itoa(int(r.Partition)) + "/" + strconv.FormatInt(r.Offset, 10)
}
