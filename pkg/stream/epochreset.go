package stream

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// Members lists who is in the steps' consumer groups, as "member (client, host) of
// group", in order. Steps that were killed stay members until Kafka misses them.
func Members(ctx context.Context, cl *kgo.Client, namespace string) ([]string, error) {
	groups := []string{Qualify(namespace, GroupDevice), Qualify(namespace, GroupProfile)}
	described, err := kadm.NewClient(cl).DescribeGroups(ctx, groups...)
	if err != nil {
		return nil, fmt.Errorf("describe the steps' consumer groups: %w", err)
	}
	var list []string
	for _, g := range described.Sorted() {
		if g.Err != nil {
			if errors.Is(g.Err, kerr.GroupIDNotFound) {
				continue
			}
			return nil, fmt.Errorf("describe group %s: %w", g.Group, g.Err)
		}
		for _, m := range g.Members {
			name := m.MemberID
			if m.InstanceID != nil {
				name = *m.InstanceID
			}
			list = append(list, fmt.Sprintf("%s at %s in %s", name, strings.TrimPrefix(m.ClientHost, "/"), g.Group))
		}
	}
	sort.Strings(list)
	return list, nil
}

// ResetSteps makes the steps begin anew in an epoch: with empty state, the device
// step at the given offsets of touchpoints.raw, the profile step behind all that is
// in touchpoints. Nobody may be in their groups. It may be repeated, until the first
// step has run.
//
// Producers of the steps are fenced first, so that one that was only suspended can
// neither commit what it had open nor write again.
func ResetSteps(ctx context.Context, cl *kgo.Client, namespace string, epoch uint32, raw map[int32]int64, o TopicOptions) error {
	if err := fenceSteps(ctx, cl, namespace); err != nil {
		return err
	}
	adm := kadm.NewClient(cl)
	changelogs := []string{Qualify(namespace, TopicDeviceChangelog), Qualify(namespace, TopicProfileChangelog)}
	if err := deleteTopics(ctx, adm, changelogs); err != nil {
		return err
	}
	if err := EnsureTopics(ctx, cl, namespace, o); err != nil {
		return err
	}
	touchpoints := Qualify(namespace, TopicTouchpoints)
	ends, err := adm.ListEndOffsets(ctx, touchpoints)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("list end offsets of %s: %w", touchpoints, err)
	}
	behind := map[int32]int64{}
	ends.Each(func(e kadm.ListedOffset) { behind[e.Partition] = e.Offset })
	if err := beginAt(ctx, cl, namespace, GroupDevice, TopicRaw, epoch, raw); err != nil {
		return err
	}
	return beginAt(ctx, cl, namespace, GroupProfile, TopicTouchpoints, epoch, behind)
}

// beginAt writes where a step begins: into its changelog, as the first commit of
// its state would, and as its group's offsets.
func beginAt(ctx context.Context, cl *kgo.Client, namespace, step, input string, epoch uint32, at map[int32]int64) error {
	writer, err := kgo.NewClient(append(cl.Opts(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	defer writer.Close()
	var offsets kadm.Offsets
	var records []*kgo.Record
	for partition, next := range at {
		offsets.AddOffset(Qualify(namespace, input), partition, next, -1)
		records = append(records, &kgo.Record{
			Topic: Qualify(namespace, step+".changelog"), Partition: partition, Key: []byte(metaKey),
			Value: wire.EncodeMeta(&wirepb.PartitionMeta{NextOffset: next, Epoch: epoch}),
		})
	}
	if err := writer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("begin the state of the %s step: %w", step, err)
	}
	if err := kadm.NewClient(cl).CommitAllOffsets(ctx, Qualify(namespace, step), offsets); err != nil {
		return fmt.Errorf("set the offsets of group %s: %w", Qualify(namespace, step), err)
	}
	return nil
}

// fenceSteps takes over the transactional ids of all steps of the namespace: what
// they had open is aborted, and what they go on to write is refused. Brokers before
// Kafka 3.0 cannot list the ids; there the groups alone keep the steps out.
func fenceSteps(ctx context.Context, cl *kgo.Client, namespace string) error {
	list, err := kadm.NewClient(cl).ListTransactions(ctx, nil, nil)
	if err != nil {
		if errors.Is(err, kerr.UnsupportedVersion) {
			return nil
		}
		return fmt.Errorf("list the steps' transactions: %w", err)
	}
	for _, t := range list.Sorted() {
		if !strings.HasPrefix(t.TxnID, Qualify(namespace, GroupDevice)+".") && !strings.HasPrefix(t.TxnID, Qualify(namespace, GroupProfile)+".") {
			continue
		}
		if err := fence(ctx, cl, t.TxnID); err != nil {
			return fmt.Errorf("fence the step with the transactional id %s: %w", t.TxnID, err)
		}
	}
	return nil
}

func fence(ctx context.Context, cl *kgo.Client, id string) error {
	owner, err := kgo.NewClient(append(cl.Opts(), kgo.TransactionalID(id))...)
	if err != nil {
		return err
	}
	defer owner.Close()
	_, _, err = owner.ProducerID(ctx)
	return err
}

// StateEpoch is the highest epoch of the steps' state, 0 without any: what a new
// epoch must outrank even where no control record tells of earlier ones. It reads the
// changelogs' ends, where every commit writes the epoch.
func StateEpoch(ctx context.Context, cl *kgo.Client, namespace string) (uint32, error) {
	adm := kadm.NewClient(cl)
	var epoch uint32
	for _, name := range []string{TopicDeviceChangelog, TopicProfileChangelog} {
		topic := Qualify(namespace, name)
		ends, err := adm.ListEndOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("list end offsets of %s: %w", topic, err)
		}
		e, err := epochIn(ctx, cl, ends)
		if err != nil {
			return 0, err
		}
		epoch = max(epoch, e)
	}
	return epoch, nil
}

// epochIn reads the ends of a changelog's partitions for meta records.
func epochIn(ctx context.Context, cl *kgo.Client, ends kadm.ListedOffsets) (uint32, error) {
	from, left := map[string]map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(e kadm.ListedOffset) {
		if e.Offset > 0 {
			if from[e.Topic] == nil {
				from[e.Topic] = map[int32]kgo.Offset{}
			}
			from[e.Topic][e.Partition] = kgo.NewOffset().At(max(0, e.Offset-tailWindow))
			left[e.Partition] = e.Offset
		}
	})
	if len(left) == 0 {
		return 0, nil
	}
	reader, err := kgo.NewClient(append(cl.Opts(), kgo.ConsumePartitions(from), kgo.KeepControlRecords())...)
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	var epoch uint32
	for len(left) > 0 {
		poll, stop := context.WithTimeout(ctx, tailPatience)
		fetches := reader.PollFetches(poll)
		stop()
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if fetches.NumRecords() == 0 {
			return epoch, nil // torn ends: nothing comes of them
		}
		for r := range fetches.RecordsAll() {
			if string(r.Key) == metaKey {
				meta, err := wire.DecodeMeta(r.Value)
				if err != nil {
					return 0, fmt.Errorf("%s/%d: meta record: %w", r.Topic, r.Partition, err)
				}
				epoch = max(epoch, meta.Epoch)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		}
	}
	return epoch, nil
}
