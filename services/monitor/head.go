package monitor

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// headTimeout bounds how long one look waits for records.
const headTimeout = 5 * time.Second

// headReader reads, of each partition that is behind, the first record after
// the committed offset: its timestamp is exact where interpolation would guess.
type headReader struct{ cl *kgo.Client }

func newHeadReader(o Options) (*headReader, error) {
	cl, err := stream.NewClient(o.Cluster, "monitor-heads", o.Log, nil,
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Markers are kept: reaching the last one is how we know that there is nothing else.
		kgo.KeepControlRecords(),
		// A commit older than the log's start: read from the start, as the consumer will have to.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxPartitionBytes(128<<10), kgo.FetchMaxBytes(4<<20), kgo.FetchMaxWait(250*time.Millisecond),
	)
	if err != nil {
		return nil, err
	}
	return &headReader{cl}, nil
}

func (h *headReader) close() { h.cl.Close() }

type logPosition struct {
	topic     string
	partition int32
}

// head is what was found between a position and the end.
type head struct {
	at   time.Time // timestamp of the first record of data
	none bool      // there is none, only markers of transactions and aborted records
}

// read returns what stands first after the committed offsets of the partitions
// that are behind. Partitions that did not answer in time are absent.
func (h *headReader) read(ctx context.Context, lags []PartitionLag) map[partitionKey]head {
	out := map[partitionKey]head{}
	// Groups that share a topic are read one after the other: a client has one
	// position in a partition.
	byGroup := map[string][]*PartitionLag{}
	var groups []string
	for i := range lags {
		p := &lags[i]
		if p.Lag == nil || *p.Lag == 0 {
			continue
		}
		if byGroup[p.Group] == nil {
			groups = append(groups, p.Group)
		}
		byGroup[p.Group] = append(byGroup[p.Group], p)
	}
	ctx, cancel := context.WithTimeout(ctx, headTimeout)
	defer cancel()
	for _, g := range groups {
		h.readGroup(ctx, byGroup[g], out)
	}
	return out
}

func (h *headReader) readGroup(ctx context.Context, lags []*PartitionLag, out map[partitionKey]head) {
	add := map[string]map[int32]kgo.Offset{}
	wanted := map[logPosition]*PartitionLag{}
	for _, p := range lags {
		if add[p.Topic] == nil {
			add[p.Topic] = map[int32]kgo.Offset{}
		}
		add[p.Topic][p.Partition] = kgo.NewOffset().At(max(*p.Committed, *p.Start))
		wanted[logPosition{p.Topic, p.Partition}] = p
	}
	h.cl.AddConsumePartitions(add)
	defer func() {
		for at := range wanted {
			h.remove(at)
		}
	}()
	for len(wanted) > 0 && ctx.Err() == nil {
		fetches := h.cl.PollFetches(ctx)
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			at := logPosition{f.Topic, f.Partition}
			p := wanted[at]
			if p == nil {
				return
			}
			if found, ok := first(f.Records, p); ok {
				out[p.key()] = found
				delete(wanted, at)
				h.remove(at)
			}
		})
	}
}

func (h *headReader) remove(at logPosition) {
	h.cl.RemoveConsumePartitions(map[string][]int32{at.topic: {at.partition}})
}

// first looks for data in records. ok is false while more must be read.
func first(records []*kgo.Record, p *PartitionLag) (head, bool) {
	for _, r := range records {
		if r.Offset < *p.Committed {
			continue // of a look before this one
		}
		if !r.Attrs.IsControl() {
			return head{at: r.Timestamp}, true
		}
		if r.Offset >= *p.End-1 {
			return head{none: true}, true
		}
	}
	return head{}, false
}
