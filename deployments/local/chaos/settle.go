//go:build linux

package main

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

func qualified(topics ...string) []string {
	for i, t := range topics {
		topics[i] = stream.Qualify(namespace, t)
	}
	return topics
}

// inputs are the topics that each group reads, in the order of the work.
func (r *run) inputs() (groups []string, topics [][]string) {
	groups = []string{stream.GroupDevice, stream.GroupProfile}
	topics = [][]string{{stream.TopicRaw}, {stream.TopicTouchpoints}}
	if r.clickhouse != nil {
		groups = append(groups, stream.GroupSink)
		topics = append(topics, slices.DeleteFunc(stream.DerivedTopics(), func(t string) bool { return strings.HasSuffix(t, ".changelog") }))
	}
	return groups, topics
}

// drain waits until every group has worked off what it reads.
func (r *run) drain(ctx context.Context, cl *kgo.Client) error {
	groups, topics := r.inputs()
	said := time.Now()
	var before []map[string]map[int32]int64
	for {
		var ends []map[string]map[int32]int64
		behind, err := int64(0), error(nil)
		where := ""
		for i, group := range groups {
			if behind, ends, err = behindOf(ctx, cl, group, qualified(slices.Clone(topics[i])...), ends); err != nil || behind > 0 {
				if where = fmt.Sprintf("the group %s is %d records behind", group, behind); err != nil {
					where = fmt.Sprintf("the group %s: %v", group, err)
				}
				break
			}
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("not worked off: %s: %w", where, context.Cause(ctx))
		case err != nil:
			r.say("looking at the groups: %v", err) // the broker may have just come back
		case behind == 0 && reflect.DeepEqual(before, ends):
			return nil // nothing has come since, either
		}
		before = ends
		if time.Since(said) > 15*time.Second && where != "" {
			said = time.Now()
			r.say("%s", where)
		}
		_ = sleep(ctx, time.Second)
	}
}

// behindOf is how many offsets a group is behind. Only where that is not much, the
// markers of transactions are told from records, and the ends are added.
func behindOf(ctx context.Context, cl *kgo.Client, group string, topics []string, ends []map[string]map[int32]int64) (int64, []map[string]map[int32]int64, error) {
	const much = 20_000
	adm := kadm.NewClient(cl)
	commits, err := adm.FetchOffsets(ctx, stream.Qualify(namespace, group))
	if err != nil {
		return 0, ends, err
	}
	listed, err := adm.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return 0, ends, err
	}
	at := func(topic string, p int32) int64 {
		c, ok := commits.Lookup(topic, p)
		return max(0, map[bool]int64{true: c.At}[ok])
	}
	behind := int64(0)
	listed.Each(func(o kadm.ListedOffset) { behind += max(0, o.Offset-at(o.Topic, o.Partition)) })
	if behind > much {
		return behind, ends, nil
	}
	data, err := stream.DataEnds(ctx, cl, topics...)
	if err != nil {
		return 0, ends, err
	}
	behind = 0
	for topic, partitions := range data {
		for p, end := range partitions {
			behind += max(0, end-at(topic, p))
		}
	}
	return behind, append(ends, data), nil
}

// observer counts how often the members of a group, or what they are assigned,
// change. It sees what lasts longer than half a second.
type observer struct {
	mu      sync.Mutex
	changes map[string]int
}

func (o *observer) watch(ctx context.Context, cl *kgo.Client) {
	adm := kadm.NewClient(cl)
	last := map[string]string{}
	for sleep(ctx, 500*time.Millisecond) == nil {
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		groups, err := adm.DescribeGroups(bounded, qualified(stream.GroupDevice, stream.GroupProfile)...)
		cancel()
		if err != nil {
			continue
		}
		for _, g := range groups.Sorted() {
			if g.Err != nil || g.State != "Stable" {
				continue
			}
			now := assignments(g)
			if now != last[g.Group] {
				last[g.Group] = now
				o.mu.Lock()
				o.changes[g.Group]++
				o.mu.Unlock()
			}
		}
	}
}

func assignments(g kadm.DescribedGroup) string {
	var members []string
	for _, m := range g.Members {
		var owned []string
		if a, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range a.Topics {
				slices.Sort(t.Partitions)
				owned = append(owned, fmt.Sprint(t.Topic, t.Partitions))
			}
		}
		members = append(members, m.MemberID+fmt.Sprint(owned))
	}
	slices.Sort(members)
	return strings.Join(members, " ")
}

func (o *observer) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return fmt.Sprintf("%d of the device step, %d of the profile step",
		o.changes[stream.Qualify(namespace, stream.GroupDevice)], o.changes[stream.Qualify(namespace, stream.GroupProfile)])
}
