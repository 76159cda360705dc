package forget

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// Retention says by when a topic has forgotten what was written before a time.
type Retention struct {
	Topic string `json:"topic"`
	By    string `json:"by"` // RFC 3339; "never": it has no retention by age
}

// retentions reads by when the logs have forgotten.
func retentions(ctx context.Context, cl *kgo.Client, namespace string, since int64) ([]Retention, error) {
	var topics []string
	for _, t := range []string{
		stream.TopicRaw, stream.TopicTouchpoints, stream.TopicTransitions, stream.TopicFrictions, stream.TopicRejected, stream.TopicLate,
	} {
		topics = append(topics, stream.Qualify(namespace, t))
	}
	configs, err := kadm.NewClient(cl).DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("read the topics' retention: %w", err)
	}
	byTopic := map[string]map[string]string{}
	for _, c := range configs {
		byTopic[c.Name] = map[string]string{}
		for _, kv := range c.Configs {
			if kv.Value != nil {
				byTopic[c.Name][kv.Key] = *kv.Value
			}
		}
	}
	var list []Retention
	for _, topic := range topics {
		list = append(list, Retention{Topic: topic, By: goneBy(byTopic[topic], since)})
	}
	return list, nil
}

// goneBy says by when a topic with such settings has forgotten what was written before
// a time. Segments go as a whole, when the newest record in them is old enough; they
// take records for the time segment.ms.
func goneBy(settings map[string]string, since int64) string {
	ms := func(name string) int64 {
		n, err := strconv.ParseInt(strings.TrimSpace(settings[name]), 10, 64)
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	keep := ms("retention.ms")
	if keep == 0 {
		return "never"
	}
	return time.UnixMilli(since + keep + ms("segment.ms")).UTC().Format(time.RFC3339)
}
