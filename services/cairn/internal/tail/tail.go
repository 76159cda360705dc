// Package tail prints the records of a topic as JSON.
package tail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// lastRecords is how many of the newest records Run prints when nothing else is said.
const lastRecords = 10

// lookBack is how many offsets before a partition's end the newest n records
// are looked for: markers of transactions take offsets too, and at worst every
// other one.
func lookBack(n int64) int64 { return 4*n + 100 }

// Options of Run.
type Options struct {
	Cluster       stream.Cluster
	Namespace     string
	Topic         string // with or without the namespace
	FromBeginning bool
	Follow        bool  // go on after the last record until ctx ends
	Max           int64 // records; 0: no limit, but for the newest ones 10
	Out           io.Writer
}

// Run prints committed records, a line each:
//   - FromBeginning: all that are there, and with Follow all that come.
//   - Follow: all that come.
//   - neither: the newest Max, oldest first.
//
// It returns nil when ctx ends.
func Run(ctx context.Context, o Options) error {
	topic := o.Topic
	if !strings.HasPrefix(topic, o.Namespace+".") {
		topic = stream.Qualify(o.Namespace, topic)
	}
	cl, err := stream.NewClient(o.Cluster, "tail", nil, nil,
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // to know when the end is reached
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	t := &tailer{Options: o, cl: cl, end: map[int32]int64{}, last: map[int32][]*kgo.Record{}}
	t.newest = !o.FromBeginning && !o.Follow
	if t.newest && t.Max == 0 {
		t.Max = lastRecords
	}
	if err := t.position(ctx, topic); err != nil {
		return err
	}
	if err := t.read(ctx); err != nil {
		return err
	}
	return t.printNewest()
}

type tailer struct {
	Options
	cl      *kgo.Client
	end     map[int32]int64 // partition -> offset to stop before; only without Follow
	printed int64
	newest  bool                    // only the newest Max records
	last    map[int32][]*kgo.Record // the newest Max of each partition
}

// position sets where to begin and, without Follow, where to end.
func (t *tailer) position(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	adm := kadm.NewClient(t.cl)
	details, err := adm.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list the topics: %w", err)
	}
	if !details.Has(topic) {
		return t.unknown(topic, details)
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("read the start offsets: %w", err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("read the end offsets: %w", err)
	}
	from := map[int32]kgo.Offset{}
	for _, end := range ends.Offsets().Sorted() {
		start, _ := starts.Lookup(topic, end.Partition)
		at := start.Offset
		switch {
		case t.newest:
			at = max(at, end.At-lookBack(t.Max))
		case !t.FromBeginning:
			at = end.At
		}
		if t.Follow || at < end.At {
			from[end.Partition] = kgo.NewOffset().At(at)
		}
		if !t.Follow && at < end.At {
			t.end[end.Partition] = end.At
		}
	}
	if len(from) > 0 {
		t.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: from})
	}
	return nil
}

// unknown names the topics there are.
func (t *tailer) unknown(topic string, details kadm.TopicDetails) error {
	var names []string
	for _, n := range details.Names() {
		if rest, ok := strings.CutPrefix(n, t.Namespace+"."); ok {
			names = append(names, rest)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("the namespace %q has no topics here: start cairn there first, or name another one with --namespace", t.Namespace)
	}
	slices.Sort(names)
	return fmt.Errorf("there is no topic %s: there are %s", topic, strings.Join(names, ", "))
}

func (t *tailer) read(ctx context.Context) error {
	for t.Follow || len(t.end) > 0 {
		fetches := t.cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the user ended it
		}
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		for _, f := range fetches.Errors() {
			return fmt.Errorf("read %s/%d: %w", f.Topic, f.Partition, f.Err)
		}
		for _, r := range fetches.Records() {
			done, err := t.record(r)
			if err != nil || done {
				return err
			}
		}
	}
	return nil
}

// record prints r. done says that Max is reached.
func (t *tailer) record(r *kgo.Record) (done bool, err error) {
	end, bounded := t.end[r.Partition]
	if !t.Follow {
		if !bounded || r.Offset >= end {
			delete(t.end, r.Partition)
			return false, nil // came after the start
		}
		if r.Offset == end-1 {
			delete(t.end, r.Partition)
		}
	}
	if r.Attrs.IsControl() {
		return false, nil
	}
	if t.newest {
		kept := append(t.last[r.Partition], r)
		t.last[r.Partition] = kept[max(0, int64(len(kept))-t.Max):]
		return false, nil
	}
	return t.print(r)
}

// printNewest prints what was kept, in the order of time.
func (t *tailer) printNewest() error {
	var all []*kgo.Record
	for _, kept := range t.last {
		all = append(all, kept...)
	}
	slices.SortFunc(all, func(a, b *kgo.Record) int {
		return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	for _, r := range all[max(0, int64(len(all))-t.Max):] {
		if _, err := t.print(r); err != nil {
			return err
		}
	}
	return nil
}

func (t *tailer) print(r *kgo.Record) (done bool, err error) {
	line, err := Line(r)
	if err != nil {
		return false, err
	}
	if _, err := t.Out.Write(append(line, '\n')); err != nil {
		if errors.Is(err, io.ErrClosedPipe) {
			return true, nil
		}
		return false, fmt.Errorf("write: %w", err)
	}
	t.printed++
	return t.Max > 0 && t.printed >= t.Max, nil
}
