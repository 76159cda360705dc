package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/cairnhq/cairn/pkg/stream"
)

// lookTimeout bounds one look at everything.
const lookTimeout = 20 * time.Second

// Snapshot is one look at all groups.
type Snapshot struct {
	At         time.Time
	Partitions []PartitionLag // sorted by group, topic, partition
	Members    map[string]int // group -> consumers connected; absent: unknown
}

// PartitionLag is how far a group is behind on a partition. What is not known
// is nil, never 0.
type PartitionLag struct {
	Group     string `json:"group"` // with the namespace, as Kafka's own tools show it
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	// Lag is the number of records between the committed offset (or the log's
	// start, if that is later) and the last stable one; the records include
	// transaction markers, but where nothing else is left it is 0.
	Lag *int64 `json:"lag"`
	// Seconds is the age of the first record that is not committed; 0: none is.
	Seconds   *float64 `json:"lag_seconds"`
	Status    Status   `json:"status"`
	Reason    string   `json:"reason"` // why the status is what it is, one sentence
	Committed *int64   `json:"committed"`
	Start     *int64   `json:"start"`
	End       *int64   `json:"end"` // last stable offset
	// LastCommit is when the committed offset was first seen as it is now; nil
	// until it was seen to move.
	LastCommit *time.Time `json:"last_commit,omitempty"`

	newest int64 // high watermark: beyond End lie open transactions
}

type partitionKey struct {
	group, topic string
	partition    int32
}

func (p *PartitionLag) key() partitionKey { return partitionKey{p.Group, p.Topic, p.Partition} }

// Snapshot looks now. Errors are those of the whole look (Kafka is away); what
// concerns one partition is in its status.
func (s *Service) Snapshot(ctx context.Context) (*Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	start := time.Now()
	snap, err := s.look(ctx)
	s.keep(snap, err)
	if s.metrics != nil {
		s.metrics.looked(time.Since(start), err)
	}
	return snap, err
}

func (s *Service) look(ctx context.Context) (*Snapshot, error) {
	snap := &Snapshot{Members: map[string]int{}}
	groups := make([]*groupState, 0, len(s.o.Groups))
	for _, name := range s.o.Groups {
		g, err := s.group(ctx, stream.Qualify(s.o.Namespace, name), s.expected(name))
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	// The offsets of the log only after the committed ones: a commit between the
	// two reads would else look like a negative lag.
	log, err := s.offsets(ctx, groups)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if g.err == nil {
			snap.Members[g.name] = g.members
		}
		for _, topic := range g.topics {
			for _, p := range log.partitions(topic) {
				snap.Partitions = append(snap.Partitions, g.lag(topic, p, log))
			}
		}
	}
	unread := s.heads.read(ctx, snap.Partitions)
	snap.At = s.o.Now()
	for i := range snap.Partitions {
		s.settle(snap, &snap.Partitions[i], unread)
	}
	s.history.forget(snap)
	slices.SortFunc(snap.Partitions, func(a, b PartitionLag) int {
		if c := strings.Compare(a.Group, b.Group); c != 0 {
			return c
		}
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		return int(a.Partition - b.Partition)
	})
	return snap, nil
}

// expected are the topics that a group of cairn reads, whether or not it has
// ever committed. Of the sink's only those every version reads: further ones
// show up once the sink is assigned them.
func (s *Service) expected(group string) []string {
	var names []string
	switch group {
	case stream.GroupDevice:
		names = []string{stream.TopicRaw}
	case stream.GroupProfile:
		names = []string{stream.TopicTouchpoints}
	case stream.GroupSink:
		names = []string{stream.TopicTouchpoints, stream.TopicSessions, stream.TopicJourneys, stream.TopicTransitions, stream.TopicIdentities}
	}
	for i, n := range names {
		names[i] = stream.Qualify(s.o.Namespace, n)
	}
	return names
}

// groupState is what the coordinator says of a group.
type groupState struct {
	name      string
	topics    []string // sorted
	members   int
	committed kadm.OffsetResponses
	err       error // of reading the offsets
}

func (s *Service) group(ctx context.Context, name string, expected []string) (*groupState, error) {
	g := &groupState{name: name}
	described, err := s.admin.DescribeGroups(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", name, err)
	}
	topics := map[string]bool{}
	for _, t := range expected {
		topics[t] = true
	}
	d := described[name]
	if d.Err != nil && !errors.Is(d.Err, kerr.GroupIDNotFound) {
		g.err = fmt.Errorf("describe the group: %w", d.Err)
	}
	g.members = len(d.Members)
	for t := range d.AssignedPartitions() {
		topics[t] = true
	}
	g.committed, err = s.admin.FetchOffsets(ctx, name)
	switch {
	case errors.Is(err, kerr.GroupIDNotFound):
		g.committed = nil
	case err != nil && isKafkaError(err):
		g.err = fmt.Errorf("read the committed offsets: %w", err)
	case err != nil:
		return nil, fmt.Errorf("read the offsets of group %s: %w", name, err)
	}
	for t := range g.committed {
		topics[t] = true
	}
	for t := range topics {
		g.topics = append(g.topics, t)
	}
	slices.Sort(g.topics)
	return g, nil
}

// isKafkaError: the broker answered, and its answer concerns this request only.
func isKafkaError(err error) bool {
	var ke *kerr.Error
	return errors.As(err, &ke)
}

// logState are the offsets of the topics' partitions.
type logState struct{ start, stable, newest kadm.ListedOffsets }

func (s *Service) offsets(ctx context.Context, groups []*groupState) (*logState, error) {
	var topics []string
	for _, g := range groups {
		topics = append(topics, g.topics...)
	}
	slices.Sort(topics)
	topics = slices.Compact(topics)
	var l logState
	if len(topics) == 0 {
		return &l, nil
	}
	for _, read := range []struct {
		what string
		into *kadm.ListedOffsets
		list func(context.Context, ...string) (kadm.ListedOffsets, error)
	}{
		{"start", &l.start, s.admin.ListStartOffsets},
		{"last stable", &l.stable, s.admin.ListCommittedOffsets},
		{"end", &l.newest, s.admin.ListEndOffsets},
	} {
		listed, err := read.list(ctx, topics...)
		var shards *kadm.ShardErrors
		if err != nil && !errors.As(err, &shards) { // shards: some brokers answered
			return nil, fmt.Errorf("read the %s offsets: %w", read.what, err)
		}
		if err != nil && shards.AllFailed {
			return nil, fmt.Errorf("read the %s offsets: %w", read.what, err)
		}
		*read.into = listed
	}
	return &l, nil
}

// partitions of a topic, sorted; a topic that does not exist has none.
func (l *logState) partitions(topic string) []int32 {
	var out []int32
	for p := range l.stable[topic] {
		if p >= 0 {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// lag computes what offsets alone tell.
func (g *groupState) lag(topic string, partition int32, l *logState) PartitionLag {
	p := PartitionLag{Group: g.name, Topic: topic, Partition: partition}
	if g.err != nil {
		p.Status, p.Reason = Unknown, sentence(g.err)
		return p
	}
	for _, read := range []struct {
		from kadm.ListedOffsets
		into **int64
	}{{l.start, &p.Start}, {l.stable, &p.End}} {
		o, ok := read.from.Lookup(topic, partition)
		if !ok || o.Err != nil || o.Offset < 0 {
			p.Status, p.Reason = Unknown, "Kafka does not tell the partition's offsets"
			if ok && o.Err != nil {
				p.Reason += ": " + o.Err.Error()
			}
			return p
		}
		*read.into = &o.Offset
	}
	p.newest = *p.End
	if o, ok := l.newest.Lookup(topic, partition); ok && o.Err == nil {
		p.newest = max(p.newest, o.Offset)
	}
	c, ok := g.committed.Lookup(topic, partition)
	if ok && c.Err != nil {
		p.Status, p.Reason = Unknown, "Kafka does not tell the committed offset: "+c.Err.Error()
		return p
	}
	if !ok || c.At < 0 {
		return p
	}
	p.Committed = &c.At
	if c.At > p.newest {
		p.Status, p.Reason = Unknown, fmt.Sprintf("the committed offset %d lies beyond the log's end %d: was the topic made anew?", c.At, p.newest)
		return p
	}
	lag := max(*p.End-max(c.At, *p.Start), 0)
	p.Lag = &lag
	return p
}

// sentence is an error as part of a reason: one line.
func sentence(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
