package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// tailWindow is how many offsets before the end are searched for the last data
// record: more than the markers that can follow it in a row by far.
const tailWindow = 5_000

// tailPatience is how long the ends may give nothing before they hold nothing.
const tailPatience = 3 * time.Second

// DataEnds is, per topic and partition, the offset behind the last committed
// data record; 0 for none. Unlike the end offset it does not count transaction
// markers, so a group that has read everything has committed exactly this.
// Partitions whose last tailWindow offsets hold no data report 0, too.
func DataEnds(ctx context.Context, cl *kgo.Client, topics ...string) (map[string]map[int32]int64, error) {
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	out := map[string]map[int32]int64{}
	from := map[string]map[int32]kgo.Offset{}
	left := 0
	ends.Each(func(o kadm.ListedOffset) {
		if out[o.Topic] == nil {
			out[o.Topic], from[o.Topic] = map[int32]int64{}, map[int32]kgo.Offset{}
		}
		out[o.Topic][o.Partition] = 0
		begin := o.Offset - tailWindow
		if s, ok := starts.Lookup(o.Topic, o.Partition); ok {
			begin = max(begin, s.Offset)
		}
		if begin = max(begin, 0); begin < o.Offset {
			from[o.Topic][o.Partition] = kgo.NewOffset().At(begin)
			left++
		}
	})
	if err := ends.Error(); err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	return out, readTails(ctx, cl, from, ends, left, out)
}

// readTails reads from the given offsets to the ends and notes the data in out.
func readTails(ctx context.Context, cl *kgo.Client, from map[string]map[int32]kgo.Offset, ends kadm.ListedOffsets, left int, out map[string]map[int32]int64) error {
	if left == 0 {
		return nil
	}
	reader, err := kgo.NewClient(append(cl.Opts(), kgo.ConsumePartitions(from),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		return err
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	finished := map[string]map[int32]bool{}
	for left > 0 {
		// The last offsets may hold a transaction that was torn by a kill and has no
		// end: nothing comes of it, and nothing will.
		poll, stop := context.WithTimeout(ctx, tailPatience)
		fetches := reader.PollRecords(poll, 10_000)
		stop()
		if err := fetches.Err0(); err != nil {
			if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
				return nil
			}
			return fmt.Errorf("read the ends of topics: %w", err)
		}
		for r := range fetches.RecordsAll() {
			end, _ := ends.Lookup(r.Topic, r.Partition)
			if !r.Attrs.IsControl() && r.Offset < end.Offset {
				out[r.Topic][r.Partition] = r.Offset + 1
			}
			if finished[r.Topic] == nil {
				finished[r.Topic] = map[int32]bool{}
			}
			if r.Offset+1 >= end.Offset && !finished[r.Topic][r.Partition] {
				finished[r.Topic][r.Partition] = true
				left--
			}
		}
	}
	return nil
}
