package stream

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// TestFailedRestoreIsNotForgotten: two restores run; the partition of one is
// revoked while the other fails.
func TestFailedRestoreIsNotForgotten(t *testing.T) {
	s := &Step{
		o: StepOptions{Name: "device"}, log: zap.NewNop(), met: newStepMetrics("device", zap.NewNop(), &scope{}), input: "in",
		parts: map[int32]*part{}, restoring: map[int32]context.CancelFunc{}, done: make(chan restored),
	}
	s.assigned.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	s.restoring[0], s.restoring[1] = cancel, func() {}
	go func() {
		s.done <- restored{1, nil, -1, &MismatchError{Topic: "in", Partition: 1}}
		<-ctx.Done()
		s.done <- restored{0, nil, -1, ctx.Err()}
	}()
	s.note(assignment{false, []int32{0}})
	err := s.rebalance(t.Context())
	if _, ok := errors.AsType[*MismatchError](err); !ok {
		t.Errorf("rebalance: %v; parts %d restoring %d ready: %v", err, len(s.parts), len(s.restoring), s.Ready())
	}
}

// TestDataEndsAfterKill: an open transaction stands at the end of a partition when
// the embedded broker is killed.
func TestDataEndsAfterKill(t *testing.T) {
	dir := t.TempDir()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(filepath.Join(dir, "a")))
	require.NoError(t, err)
	c := Cluster{Brokers: fake.ListenAddrs()}
	cl, err := NewClient(c, "t", nil, nil)
	require.NoError(t, err)
	require.NoError(t, EnsureTopics(t.Context(), cl, "ns", TopicOptions{Partitions: 1, Replication: 1, Embedded: true}))
	require.NoError(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: "ns.touchpoints.raw", Value: []byte("x")}).FirstErr())
	tx, err := NewClient(c, "tx", nil, nil, kgo.TransactionalID("tx"))
	require.NoError(t, err)
	require.NoError(t, tx.BeginTransaction())
	require.NoError(t, tx.ProduceSync(t.Context(), &kgo.Record{Topic: "ns.touchpoints.raw", Value: []byte("link")}).FirstErr())
	require.NoError(t, os.CopyFS(filepath.Join(dir, "b"), os.DirFS(filepath.Join(dir, "a")))) // what kill -9 leaves
	tx.Close()
	cl.Close()
	fake.Close()
	fake, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(filepath.Join(dir, "b")))
	require.NoError(t, err)
	defer fake.Close()
	cl, err = NewClient(Cluster{Brokers: fake.ListenAddrs()}, "t", nil, nil)
	require.NoError(t, err)
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	ends, err := DataEnds(ctx, cl, "ns.touchpoints.raw")
	require.NoError(t, err)
	require.Contains(t, ends, "ns.touchpoints.raw")
}
