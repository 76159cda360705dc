package standalone

import (
	"context"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/cairnhq/cairn/pkg/app"
	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/local"
	"github.com/cairnhq/cairn/pkg/stream"
)

// TestRebuildIsRetried: a rebuild whose deletion fails at first must not go on with
// what may be torn.
func TestRebuildIsRetried(t *testing.T) {
	dir := t.TempDir()
	c := &app.Config{}
	c.Namespace, c.StartupTimeout = "ns", 20*time.Second
	e, err := local.StartEmbedded(t.Context(), filepath.Join(dir, "kafka"), 0, nil)
	require.NoError(t, err)
	cl, err := stream.NewClient(stream.Cluster{Brokers: []string{e.Addr()}}, "t", nil, nil)
	require.NoError(t, err)
	require.NoError(t, stream.EnsureTopics(t.Context(), cl, "ns", stream.TopicOptions{Partitions: 1, Replication: 1, Embedded: true}))
	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "ns.device.changelog", Value: []byte("torn")}).FirstErr())
	cl.Close()
	fake := (*kfake.Cluster)(reflect.ValueOf(e).Elem().FieldByName("cluster").UnsafePointer())
	setUnclean(e)
	fails := 0
	fake.ControlKey(int16(kmsg.DeleteTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if fails++; fails > 1 {
			return nil, nil, false
		}
		req := r.(*kmsg.DeleteTopicsRequest)
		resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
		for _, x := range req.Topics {
			rt := kmsg.NewDeleteTopicsResponseTopic()
			rt.Topic, rt.ErrorCode = x.Topic, kerr.RequestTimedOut.Code
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	m := &Machine{o: Options{Model: &journey.Model{Name: "m"}, Config: c, Log: zap.NewNop()}, dir: dir, embedded: e, Cluster: stream.Cluster{Brokers: []string{e.Addr()}}}
	m.ledger, err = openLedger(dir)
	require.NoError(t, err)
	require.NoError(t, m.prepareTopics(t.Context()))
	cl, _ = stream.NewClient(m.Cluster, "t", nil, nil)
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), "ns.device.changelog")
	require.NoError(t, err)
	o, _ := ends.Lookup("ns.device.changelog", 0)
	require.Zero(t, o.Offset, "epoch %d rebuilding %v, but the torn changelog is still there", m.Epoch, m.Rebuilding)
}

// setUnclean makes it look as if the last stop had not been clean.
func setUnclean(e *local.Embedded) {
	f := reflect.ValueOf(e).Elem().FieldByName("unclean")
	*(*bool)(f.Addr().UnsafePointer()) = true
}

// TestFinishWaitsForCopies: the device step re-keys what is in the raw topic; the
// copies must be worked off, too.
func TestFinishWaitsForCopies(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer fake.Close()
	k := stream.Cluster{Brokers: fake.ListenAddrs()}
	cl, err := stream.NewClient(k, "t", nil, nil)
	require.NoError(t, err)
	defer cl.Close()
	require.NoError(t, stream.EnsureTopics(t.Context(), cl, "ns", stream.TopicOptions{Partitions: 1, Replication: 1, Embedded: true}))
	raw := func(v string) {
		require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "ns.touchpoints.raw", Value: []byte(v)}).FirstErr())
	}
	raw("wrongly keyed")
	c := &app.Config{}
	c.Namespace = "ns"
	m := &Machine{o: Options{Model: &journey.Model{Name: "m"}, Config: c, Log: zap.NewNop()}, Cluster: k, Rebuilding: true, Epoch: 1, ledger: ledger{path: filepath.Join(t.TempDir(), "epoch.json")}}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- m.FinishRebuild(ctx) }()
	time.Sleep(time.Second)
	raw("the copy") // in one transaction with:
	var os kadm.Offsets
	os.AddOffset("ns.touchpoints.raw", 0, 1, -1)
	require.NoError(t, kadm.NewClient(cl).CommitAllOffsets(t.Context(), "ns.device", os))
	for _, g := range []string{"profile", "sink"} { // have read the nothing there is
		var os kadm.Offsets
		os.AddOffset("ns.touchpoints", 0, 0, -1)
		require.NoError(t, kadm.NewClient(cl).CommitAllOffsets(t.Context(), "ns."+g, os))
	}
	require.NoError(t, <-done, "told to stop before the end is no failure")
	q, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), "ns.quality")
	require.NoError(t, err)
	o, _ := q.Lookup("ns.quality", 0)
	require.Zero(t, o.Offset, "the epoch was ended while the copy in raw was not processed")
}
