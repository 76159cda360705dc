package sessionizer

import (
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// qualityBook keeps, per minute of arrival and source, what became of the raw
// records of a partition. Totals are part of the state and emitted as rows with
// a revision, so that they are exact over crashes and replays.
type qualityBook struct {
	partition int32
	state     *stream.State
	from      int64                          // arrivals before it are in the accounts of an earlier epoch
	open      map[qualityKey]*wirepb.Quality // touched in the open transaction
	order     []qualityKey
}

type qualityKey struct {
	minute int64
	source string
}

func newQualityBook(partition int32, state *stream.State, from int64) *qualityBook {
	return &qualityBook{partition: partition, state: state, from: from, open: map[qualityKey]*wirepb.Quality{}}
}

// at is the totals to count into.
func (b *qualityBook) at(arrival int64, source string) (*wirepb.Quality, error) {
	if arrival < b.from {
		// A replay begins to read a little before its time; that minute is counted by
		// the epoch before, whole.
		return &wirepb.Quality{}, nil
	}
	k := qualityKey{arrival - arrival%60_000, source}
	if q, ok := b.open[k]; ok {
		return q, nil
	}
	k.source = strings.Clone(source) // the caller's aliases a record
	raw, err := b.state.Get(k.row())
	if err != nil {
		return nil, err
	}
	q := &wirepb.Quality{Partition: b.partition, MinuteMs: k.minute, Source: k.source}
	if raw != nil {
		have, err := wire.DecodeQuality(raw)
		if err != nil {
			return nil, err
		}
		q = have.CloneVT()
	}
	b.open[k] = q
	b.order = append(b.order, k)
	return q, nil
}

func (k qualityKey) row() []byte {
	return append(appendTime([]byte{tableQuality}, k.minute), k.source...)
}

func (b *qualityBook) flush(topic string, out stream.Output) {
	for _, k := range b.order {
		q := b.open[k]
		q.Revision = b.state.NextRevision()
		b.state.Put(k.row(), wire.EncodeQuality(q))
		key := strconv.Itoa(int(b.partition)) + "/" + strconv.FormatInt(k.minute, 10) + "/" + k.source
		out.Produce(&kgo.Record{Topic: topic, Key: []byte(key), Value: wire.Marshal(q)})
	}
	b.reset()
}

func (b *qualityBook) reset() {
	clear(b.open)
	b.order = b.order[:0]
}
