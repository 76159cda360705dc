package replay

import (
	"context"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// Progress is how far the steps and the sink are with what was there when the last
// round began. Records are offsets, markers of transactions included.
type Progress struct {
	Group     string        // that is waited for, without the namespace
	Round     int           // of that group, from 1
	Total     int64         // records of the round; of the device step the whole replay
	Left      int64         // records that are not worked off
	PerSecond float64       // since the group is waited for; 0: not known yet
	Members   bool          // somebody is in the group
	Elapsed   time.Duration // since the wait began
}

// Percent is how much of the round is done.
func (p Progress) Percent() float64 {
	if p.Total <= 0 {
		return 100
	}
	return 100 * float64(p.Total-p.Left) / float64(p.Total)
}

const (
	lookEvery = 200 * time.Millisecond
	tellEvery = 500 * time.Millisecond
)

// stage is a group and what it has to work off.
type stage struct {
	group  string
	rounds int
	topics []string
}

// stages come one after the other: each reads what the one before has written. A
// step also reads what it writes itself: the device step copies and links, the
// profile step what homes tell each other. Each round of that is waited for.
func stages() []stage {
	return []stage{
		{stream.GroupDevice, 4, []string{stream.TopicRaw}},
		{stream.GroupProfile, 12, []string{stream.TopicTouchpoints}},
		{stream.GroupSink, 1, []string{
			stream.TopicTouchpoints, stream.TopicSessions, stream.TopicIdentities, stream.TopicJourneys,
			stream.TopicTransitions, stream.TopicFrictions, stream.TopicQuality, stream.TopicRejected, stream.TopicLate,
		}},
	}
}

// WorkedOff waits until the steps and the sink have worked off what is there now and
// what follows from it.
func WorkedOff(ctx context.Context, cl *kgo.Client, namespace string) error {
	return await(ctx, cl, namespace, nil, func(Progress) {})
}

// Settle is WorkedOff, telling now and then how far it is.
func Settle(ctx context.Context, cl *kgo.Client, namespace string, tell func(Progress)) error {
	return await(ctx, cl, namespace, nil, tell)
}

func await(ctx context.Context, cl *kgo.Client, namespace string, from map[int32]int64, tell func(Progress)) error {
	w := &waiter{cl: cl, adm: kadm.NewClient(cl), namespace: namespace, from: from, tell: tell, began: time.Now()}
	for _, st := range stages() {
		if err := w.stage(ctx, st); err != nil {
			return err
		}
	}
	return nil
}

// waiter waits for one group after the other.
type waiter struct {
	cl        *kgo.Client
	adm       *kadm.Client
	namespace string
	from      map[int32]int64 // where the device step began
	tell      func(Progress)
	began     time.Time
	told      time.Time
}

// stage waits until a group has committed up to the ends that its topics have.
// Offsets behind the last data record are transaction markers, which a consumer may
// never commit: they count as done.
func (w *waiter) stage(ctx context.Context, st stage) error {
	full := make([]string, len(st.topics))
	for i, t := range st.topics {
		full[i] = stream.Qualify(w.namespace, t)
	}
	var before map[string]map[int32]int64
	for round := range st.rounds {
		ends, err := stream.DataEnds(ctx, w.cl, full...)
		if err != nil || reflect.DeepEqual(ends, before) {
			return err
		}
		if err := w.reach(ctx, st.group, round+1, ends); err != nil {
			return err
		}
		before = ends
	}
	return nil
}

// reach waits until a group has committed up to the ends.
func (w *waiter) reach(ctx context.Context, group string, round int, ends map[string]map[int32]int64) error {
	first, since := int64(-1), time.Now()
	for {
		commits, err := w.adm.FetchOffsets(ctx, stream.Qualify(w.namespace, group))
		if err == nil {
			left, total := w.left(group, commits, ends)
			if first < 0 {
				first = left
			}
			p := Progress{Group: group, Round: round, Left: left, Total: max(total, first), Elapsed: time.Since(w.began)}
			if took := time.Since(since).Seconds(); first > left && took > 0 {
				p.PerSecond = float64(first-left) / took
			}
			w.say(ctx, p)
			if left == 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}

// left is how many records a group has to work off, of how many.
func (w *waiter) left(group string, commits kadm.OffsetResponses, ends map[string]map[int32]int64) (left, total int64) {
	for topic, partitions := range ends {
		for p, end := range partitions {
			if end == 0 {
				continue
			}
			var at int64
			if c, ok := commits.Lookup(topic, p); ok && c.Err == nil && c.At > 0 {
				at = c.At
			}
			left += max(0, end-at)
			if group == stream.GroupDevice && w.from != nil {
				total += max(0, end-w.from[p])
			}
		}
	}
	return left, total
}

// say tells now and then, and at the end of each round.
func (w *waiter) say(ctx context.Context, p Progress) {
	if p.Left > 0 && time.Since(w.told) < tellEvery {
		return
	}
	w.told = time.Now()
	group := stream.Qualify(w.namespace, p.Group)
	if described, err := w.adm.DescribeGroups(ctx, group); err == nil {
		p.Members = len(described[group].Members) > 0
	}
	w.tell(p)
}
