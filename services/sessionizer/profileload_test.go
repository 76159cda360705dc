package sessionizer

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestALongProfileIsReadFromItsTail: a profile of hundreds of touchpoints that was
// let go after every transaction says the same, record by record, as one that
// stayed in memory; and most of the time it is read without its points.
func TestALongProfileIsReadFromItsTail(t *testing.T) {
	warm, cold := newCostRig(t, shop(t)), newCostRig(t, shop(t))
	var said [2][]string
	for i, r := range []*costRig{warm, cold} {
		r.profile.onward = func(rec *kgo.Record) {
			said[i] = append(said[i], fmt.Sprintf("%s %s %x", rec.Topic, rec.Key, rec.Value))
		}
	}
	const touchpoints = 400
	tails := 0
	for i := range touchpoints {
		after := int64(i) * 7 * time.Minute.Milliseconds()
		if i%50 == 49 { // one comes late
			after -= 100 * time.Minute.Milliseconds()
			after++
		}
		for _, r := range []*costRig{warm, cold} {
			r.event(1, after)
			r.commit()
		}
		task, ok := cold.profile.task.(*profileTask)
		require.True(t, ok)
		for _, p := range task.profiles.young {
			if p.TailOnly() {
				tails++
			}
		}
		task.profiles.clear()
	}
	require.Equal(t, said[0], said[1])
	require.Greater(t, tails, touchpoints/2)
}
