package replay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// From is the arrival that a replay begins with; the zero From and Earliest are as
// far back as the raw topic reaches.
type From struct {
	at     time.Time
	unsaid bool
}

// Earliest is the From of everything there is. unsaid: nobody asked for it, so that a
// replay that was begun from another time is gone on with.
func Earliest(unsaid bool) From { return From{unsaid: unsaid} }

// earliest is how Earliest is written.
const earliest = "earliest"

// ParseFrom reads RFC 3339, a date (its first moment in UTC) or "earliest". Seconds
// are dropped: what came in is accounted for by the minute.
func ParseFrom(text string) (From, error) {
	if text == earliest {
		return Earliest(false), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		return From{}, fmt.Errorf("%q is no time: want %s, as in 2026-11-23T10:00:00Z, or 2026-11-23", text, earliest)
	}
	return From{at: at.UTC().Truncate(time.Minute)}, nil
}

// String is how it is written.
func (f From) String() string {
	if f.at.IsZero() {
		return earliest
	}
	return f.at.Format(time.RFC3339)
}

// margin is how much earlier than From the raw topic is read: arrival is stamped by
// the collector, the topic's time by the broker, and their clocks may differ.
const margin = time.Minute

// retention is how long the raw topic keeps records where it does not say.
const retention = 35 * 24 * time.Hour

// resolve finds the offsets of touchpoints.raw to begin at, and the arrival from
// which on they cover everything, Unix ms; stream.FromStart if nothing was ever deleted.
func (f From) resolve(ctx context.Context, cl *kgo.Client, namespace string) (int64, map[int32]int64, error) {
	topic := stream.Qualify(namespace, stream.TopicRaw)
	adm := kadm.NewClient(cl)
	starts, err := listed(adm.ListStartOffsets(ctx, topic))
	if err != nil {
		return 0, nil, fmt.Errorf("list the offsets of %s: %w", topic, err)
	}
	if len(starts[topic]) == 0 {
		return 0, nil, fmt.Errorf("there is no topic %s: is it the right namespace and broker?", topic)
	}
	first, err := listed(adm.ListOffsetsAfterMilli(ctx, 0, topic))
	if err != nil {
		return 0, nil, fmt.Errorf("list the offsets of %s: %w", topic, err)
	}
	ends, err := listed(adm.ListEndOffsets(ctx, topic))
	if err != nil {
		return 0, nil, fmt.Errorf("list the offsets of %s: %w", topic, err)
	}
	holds := stream.FromStart
	offsets := map[int32]int64{}
	for p, start := range starts[topic] {
		offsets[p] = start.Offset
		if start.Offset == 0 {
			continue // nothing was deleted
		}
		since := first[topic][p].Timestamp
		if ends[topic][p].Offset == start.Offset { // and nothing is left
			since = time.Now().Add(-retention).UnixMilli()
		}
		holds = max(holds, time.UnixMilli(since).Add(time.Minute).Truncate(time.Minute).UnixMilli())
	}
	if f.at.IsZero() {
		return holds, offsets, nil
	}
	if f.at.UnixMilli() < holds {
		return 0, nil, fmt.Errorf("%s no longer holds what arrived at %s: the earliest time is %s (or: earliest)",
			topic, f, time.UnixMilli(holds).UTC().Format(time.RFC3339))
	}
	if f.at.After(time.Now()) {
		return 0, nil, fmt.Errorf("%s is in the future", f)
	}
	at, err := listed(adm.ListOffsetsAfterMilli(ctx, f.at.Add(-margin).UnixMilli(), topic))
	if err != nil {
		return 0, nil, fmt.Errorf("find %s in %s: %w", f, topic, err)
	}
	for p := range offsets {
		o, ok := at.Lookup(topic, p)
		if !ok || o.Offset < 0 {
			return 0, nil, errors.New("find " + f.String() + " in " + topic + "/" + strconv.Itoa(int(p)) + ": the broker did not tell")
		}
		offsets[p] = max(offsets[p], o.Offset)
	}
	return f.at.UnixMilli(), offsets, nil
}

func listed(o kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = o.Error()
	}
	return o, err
}
