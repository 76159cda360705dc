//go:build linux

package e2e

import (
	"context"
	"fmt"
	"reflect"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// drained waits until the group has committed behind the last record of each
// topic, and has not written further ones there itself.
func (m *machine) drained(cl *kgo.Client, group string, topics []string) {
	m.t.Helper()
	for i, topic := range topics {
		topics[i] = stream.Qualify(m.namespace, topic)
	}
	var ends map[string]map[int32]int64
	for {
		now, err := stream.DataEnds(m.t.Context(), cl, topics...)
		if err != nil {
			m.t.Fatalf("read the ends of %v: %v", topics, err)
		}
		if reflect.DeepEqual(now, ends) {
			return
		}
		ends = now
		m.committed(cl, group, ends)
	}
}

// committed waits until the group has committed behind the ends.
func (m *machine) committed(cl *kgo.Client, group string, ends map[string]map[int32]int64) {
	m.t.Helper()
	adm := kadm.NewClient(cl)
	eventually(m.t, "the group "+group+" is through", func(ctx context.Context) error {
		commits, err := adm.FetchOffsets(ctx, stream.Qualify(m.namespace, group))
		if err != nil {
			return err
		}
		for topic, partitions := range ends {
			for p, end := range partitions {
				if c, ok := commits.Lookup(topic, p); end > 0 && (!ok || c.At < end) {
					return fmt.Errorf("%s/%d has records up to %d, the group has committed %d", topic, p, end, c.At)
				}
			}
		}
		return nil
	})
}
