package sessionizer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// reached reports whether a group gets to the end of its topic in time.
func (r *rig) reached(group, topic string, d time.Duration) bool {
	adm := kadm.NewClient(r.cl)
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		offs, err := adm.FetchOffsets(r.t.Context(), stream.Qualify(r.ns, group))
		if err != nil {
			continue
		}
		ok := true
		for _, rec := range r.read(stream.Qualify(r.ns, topic)) {
			if o, have := offs.Lookup(rec.Topic, rec.Partition); !have || o.At <= rec.Offset {
				ok = false
			}
		}
		if ok {
			return true
		}
	}
	return false
}

// TestBigRecord: what is too large to be a touchpoint is rejected, and may be larger
// than what Kafka takes by default.
func TestBigRecord(t *testing.T) {
	r := fakeRig(t)
	r.start()
	big, err := stream.NewClient(r.cluster, "big", nil, nil, kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	require.NoError(t, err)
	defer big.Close()
	v := `{"type":"track","event":"x","anonymousId":"a","properties":{"p":"` + strings.Repeat("x", 1_500_000) + `"}}`
	require.NoError(t, big.ProduceSync(t.Context(), &kgo.Record{Topic: r.ns + ".touchpoints.raw", Key: []byte("a"), Value: []byte(v)}).FirstErr())
	require.True(t, r.reached(stream.GroupDevice, stream.TopicRaw, 15*time.Second), "device step is stuck on one big record")
}

// TestHotProfile: a busy robot's rows stay within what Kafka takes.
func TestHotProfile(t *testing.T) {
	r := fakeRig(t)
	var recs []*kgo.Record
	now := time.Now().Add(-time.Hour).UnixMilli()
	for i := range 15_000 {
		v := fmt.Sprintf(`{"type":"page","anonymousId":"a","messageId":"7f1e2d3c-0000-4000-8000-%012d","timestamp":%d,"channel":"web","context":{"campaign":{"source":"newsletter","medium":"email","name":"spring-sale"}}}`, i, now+int64(i))
		recs = append(recs, &kgo.Record{Key: []byte("a"), Value: []byte(v)})
	}
	r.produce(recs...)
	r.start()
	require.True(t, r.reached(stream.GroupDevice, stream.TopicRaw, 30*time.Second), "device")
	require.True(t, r.reached(stream.GroupProfile, stream.TopicTouchpoints, 20*time.Second), "profile step is stuck on one busy profile")
}

// TestFutureReceivedAt: one writer with a broken clock must not end the journeys of
// others.
func TestFutureReceivedAt(t *testing.T) {
	r := fakeRig(t)
	r.start()
	r.produce(&kgo.Record{Key: []byte("a"), Value: []byte(`{"type":"page","anonymousId":"a","messageId":"m1","receivedAt":"2199-01-01T00:00:00Z","timestamp":"2199-01-01T00:00:00Z"}`)})
	r.settle()
	r.produce(&kgo.Record{Key: []byte("a"), Value: []byte(fmt.Sprintf(`{"type":"page","anonymousId":"a","messageId":"m2","timestamp":%d}`, time.Now().UnixMilli()))})
	r.settle()
	time.Sleep(2500 * time.Millisecond)
	for _, rec := range r.derived(stream.TopicJourneys) {
		j := &wirepb.Journey{}
		require.NoError(t, j.UnmarshalVTUnsafe(rec.Value))
		if j.StartedMs < time.Now().UnixMilli()+1000 && j.Status == "lapsed" {
			t.Errorf("a journey of this second is published as lapsed: ended %v", time.UnixMilli(j.EndedMs))
		}
	}
}
