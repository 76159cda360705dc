package putback

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// scan gives every committed record of touchpoints.rejected that is there now, in
// the order of each partition.
func (r *run) scan(ctx context.Context, do func(*kgo.Record) error) error {
	cl, err := stream.NewClient(r.Cluster, "putback-reader", r.Log, nil,
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords()) // these tell that the end is reached
	if err != nil {
		return err
	}
	defer cl.Close()
	left, err := r.position(ctx, cl)
	if err != nil {
		return err
	}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", r.topic, err)
		}
		for rec := range fetches.RecordsAll() {
			end, reading := left[rec.Partition]
			if !reading {
				continue
			}
			if rec.Offset < end && !rec.Attrs.IsControl() {
				if err := do(rec); err != nil {
					return err
				}
			}
			if rec.Offset+1 >= end {
				delete(left, rec.Partition)
			}
		}
	}
	return nil
}

// position sets where to begin, and returns where to end.
func (r *run) position(ctx context.Context, cl *kgo.Client) (map[int32]int64, error) {
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(ctx, r.topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the offsets of %s: %w", r.topic, err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, r.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the offsets of %s: %w", r.topic, err)
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(r.topic, end.Partition); ok && start.Offset < end.Offset {
			from[end.Partition], left[end.Partition] = kgo.NewOffset().At(start.Offset), end.Offset
		}
	})
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: from})
	return left, nil
}
