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
	byTopic := map[string]string{}
	for _, c := range configs {
		for _, kv := range c.Configs {
			if kv.Key == "retention.ms" && kv.Value != nil {
				byTopic[c.Name] = *kv.Value
			}
		}
	}
	var list []Retention
	for _, topic := range topics {
		r := Retention{Topic: topic, By: "never"}
		if ms, err := strconv.ParseInt(strings.TrimSpace(byTopic[topic]), 10, 64); err == nil && ms > 0 {
			r.By = time.UnixMilli(since + ms).UTC().Format(time.RFC3339)
		}
		list = append(list, r)
	}
	return list, nil
}
