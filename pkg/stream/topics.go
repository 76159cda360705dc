package stream

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Topics, without the namespace.
const (
	TopicRaw              = "touchpoints.raw"
	TopicRejected         = "touchpoints.rejected"
	TopicLate             = "touchpoints.late"
	TopicTouchpoints      = "touchpoints"
	TopicSessions         = "sessions"
	TopicIdentities       = "identities"
	TopicJourneys         = "journeys"
	TopicTransitions      = "transitions"
	TopicFrictions        = "frictions"
	TopicQuality          = "quality"
	TopicDeviceChangelog  = "device.changelog"
	TopicProfileChangelog = "profile.changelog"
)

// Consumer groups, without the namespace.
const (
	GroupDevice  = "device"
	GroupProfile = "profile"
	GroupSink    = "sink"
)

// Qualify is the full name of a topic or group in a namespace.
func Qualify(namespace, name string) string { return namespace + "." + name }

// MaxRecordBytes is the largest record (before compression) that the topics take
// and the steps write.
const MaxRecordBytes = 16 << 20

const day = 24 * 60 * 60 * 1000 // ms

// topicConfig is what a topic needs beside its partitions.
func topicConfig(name string, embedded bool) map[string]*string {
	// A changelog row or a re-keyed copy may be larger than what came in.
	set := map[string]string{"max.message.bytes": strconv.Itoa(MaxRecordBytes)}
	retain := func(days int64) { set["retention.ms"] = strconv.FormatInt(days*day, 10) }
	switch name {
	case TopicRaw:
		retain(35)
		set["message.timestamp.type"] = "LogAppendTime"
	case TopicRejected, TopicLate:
		retain(90)
	case TopicTouchpoints:
		retain(7)
	case TopicSessions, TopicIdentities, TopicJourneys, TopicQuality:
		set["cleanup.policy"] = "compact,delete"
		retain(35)
	case TopicTransitions, TopicFrictions:
		retain(35)
	case TopicEpochs, TopicErasures:
		set["cleanup.policy"] = "compact"
	case TopicDeviceChangelog, TopicProfileChangelog:
		// Small segments: the active one is never compacted.
		set["cleanup.policy"] = "compact"
		set["segment.bytes"] = strconv.Itoa(64 << 20)
		set["min.cleanable.dirty.ratio"] = "0.2"
		// How long it tells that a row was deleted: a state on disk that is older than
		// half of it is restored whole.
		set["delete.retention.ms"] = strconv.Itoa(day)
	}
	if embedded { // kfake keeps the writer's timestamps, so age says nothing
		delete(set, "message.timestamp.type")
		if _, ok := set["retention.ms"]; ok {
			set["retention.ms"] = "-1"
		}
	}
	out := make(map[string]*string, len(set))
	for k, v := range set {
		out[k] = &v
	}
	return out
}

// AllTopics lists every topic of a namespace, without the prefix, in a fixed order.
func AllTopics() []string {
	return append(append([]string{TopicRaw}, DerivedTopics()...), TopicEpochs, TopicErasures)
}

// DerivedTopics lists the topics that a rebuild makes anew from the raw topic.
func DerivedTopics() []string {
	return []string{
		TopicRejected, TopicLate, TopicTouchpoints, TopicSessions, TopicIdentities, TopicJourneys,
		TopicTransitions, TopicFrictions, TopicQuality, TopicDeviceChangelog, TopicProfileChangelog,
	}
}

// TopicOptions says how to create topics.
type TopicOptions struct {
	Partitions  int32 // of touchpoints.raw, and of all others; default 6
	Replication int16 // -1: the broker's default
	Embedded    bool  // the broker is kfake: no retention by age
}

// EnsureTopics creates the namespace's missing topics and checks that the
// derived topics have as many partitions as the raw topic: state is kept per
// input partition, so a different count is an error.
func EnsureTopics(ctx context.Context, cl *kgo.Client, namespace string, o TopicOptions) error {
	if o.Partitions == 0 {
		o.Partitions = 6
	}
	if o.Replication == 0 {
		o.Replication = -1
	}
	adm := kadm.NewClient(cl)
	// Where the raw topic is there already, the others follow it.
	raw := Qualify(namespace, TopicRaw)
	have, err := adm.ListTopics(ctx, raw)
	if err != nil {
		return fmt.Errorf("describe topics: %w", err)
	}
	if n := len(have[raw].Partitions); have[raw].Err == nil && n > 0 {
		o.Partitions = int32(n)
	}
	names := AllTopics()
	for _, name := range names {
		full, partitions := Qualify(namespace, name), o.Partitions
		if name == TopicEpochs || name == TopicErasures {
			partitions = 1
		}
		res, err := adm.CreateTopic(ctx, partitions, o.Replication, topicConfig(name, o.Embedded), full)
		if err == nil {
			err = res.Err
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", full, err)
		}
	}
	full := make([]string, len(names))
	for i, n := range names {
		full[i] = Qualify(namespace, n)
	}
	details, err := describe(ctx, adm, full)
	if err != nil {
		return err
	}
	want := len(details[full[0]].Partitions)
	for _, d := range details.Sorted() {
		if len(d.Partitions) != want && d.Topic != Qualify(namespace, TopicEpochs) && d.Topic != Qualify(namespace, TopicErasures) {
			return fmt.Errorf("topic %s has %d partitions and %s has %d: they must be equal; delete %s to have it made anew (its content is derived)",
				d.Topic, len(d.Partitions), full[0], want, d.Topic)
		}
	}
	return nil
}

// awaitGone waits until brokers have forgotten deleted topics: until then they
// cannot be created again.
func awaitGone(ctx context.Context, adm *kadm.Client, topics []string) error {
	for {
		details, err := adm.ListTopics(ctx, topics...)
		if err != nil {
			return fmt.Errorf("describe topics: %w", err)
		}
		left := ""
		for _, d := range details.Sorted() {
			if !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
				left = d.Topic
			}
		}
		if left == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("topic %s is still being deleted: %w", left, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// describe waits for what was just created: brokers learn of it one by one.
func describe(ctx context.Context, adm *kadm.Client, topics []string) (kadm.TopicDetails, error) {
	for deadline := time.Now().Add(10 * time.Second); ; {
		details, err := adm.ListTopics(ctx, topics...)
		if err == nil {
			err = details.Error()
		}
		if err == nil {
			return details, nil
		}
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || time.Now().After(deadline) {
			return nil, fmt.Errorf("describe topics: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// DeleteDerived removes the derived topics and the steps' and the sink's
// committed offsets: what a rebuild starts with.
func DeleteDerived(ctx context.Context, cl *kgo.Client, namespace string) error {
	adm := kadm.NewClient(cl)
	var topics []string
	for _, t := range DerivedTopics() {
		topics = append(topics, Qualify(namespace, t))
	}
	if err := deleteTopics(ctx, adm, topics); err != nil {
		return err
	}
	groups := []string{Qualify(namespace, GroupDevice), Qualify(namespace, GroupProfile), Qualify(namespace, GroupSink)}
	deleted, err := adm.DeleteGroups(ctx, groups...)
	if err != nil {
		return fmt.Errorf("delete groups: %w", err)
	}
	for _, r := range deleted.Sorted() {
		if r.Err != nil && !errors.Is(r.Err, kerr.GroupIDNotFound) {
			return fmt.Errorf("delete group %s: %w", r.Group, r.Err)
		}
	}
	return nil
}

// deleteTopics deletes topics, those that are there, and waits until they are gone.
func deleteTopics(ctx context.Context, adm *kadm.Client, topics []string) error {
	sort.Strings(topics)
	res, err := adm.DeleteTopics(ctx, topics...)
	if err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	for _, r := range res.Sorted() {
		if r.Err != nil && !errors.Is(r.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("delete topic %s: %w", r.Topic, r.Err)
		}
	}
	return awaitGone(ctx, adm, topics)
}
