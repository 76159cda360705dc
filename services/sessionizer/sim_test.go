//go:build synctests

package sessionizer_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

func TestSimulationWithoutTrouble(t *testing.T) {
	simulate(t, simOptions{seed: 1}, func(s *sim) {
		s.start("one")
		s.produce(s.part(2))
		s.settle()
	})
}

// strikes are, for each kind of request that a sessionizer sends, the errors that
// Kafka may answer it with and that pass. Some, such as a produce's
// REQUEST_TIMED_OUT, are answered although the broker has acted.
func strikes() map[kmsg.Key][]*kerr.Error {
	return map[kmsg.Key][]*kerr.Error{
		kmsg.Produce: {
			kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.UnknownTopicOrPartition,
			kerr.ConcurrentTransactions, kerr.TransactionAbortable, kerr.InvalidTxnState, kerr.OutOfOrderSequenceNumber,
		},
		kmsg.Fetch:           {kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError, kerr.UnknownLeaderEpoch},
		kmsg.ListOffsets:     {kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.OffsetNotAvailable},
		kmsg.Metadata:        {kerr.LeaderNotAvailable, kerr.UnknownTopicOrPartition},
		kmsg.OffsetFetch:     {kerr.UnstableOffsetCommit, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator},
		kmsg.FindCoordinator: {kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress},
		kmsg.JoinGroup:       {kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.UnknownMemberID, kerr.RebalanceInProgress},
		kmsg.SyncGroup:       {kerr.NotCoordinator, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress},
		kmsg.Heartbeat:       {kerr.NotCoordinator, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress},
		kmsg.LeaveGroup:      {kerr.CoordinatorNotAvailable, kerr.UnknownMemberID},
		kmsg.ApiVersions:     nil, // any error but UNSUPPORTED_VERSION is impossible, and that one cannot come from a broker of one version
		kmsg.InitProducerID:  {kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.CoordinatorNotAvailable},
		kmsg.EndTxn: {
			kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.UnknownServerError,
			kerr.InvalidProducerEpoch, kerr.ProducerFenced,
		},
		kmsg.TxnOffsetCommit: {
			kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress,
			kerr.RequestTimedOut, kerr.InvalidProducerEpoch, kerr.UnknownServerError,
		},
		kmsg.OffsetForLeaderEpoch:      {kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.UnknownLeaderEpoch},
		kmsg.GetTelemetrySubscriptions: {kerr.ThrottlingQuotaExceeded, kerr.UnknownServerError},
		kmsg.PushTelemetry:             {kerr.ThrottlingQuotaExceeded, kerr.UnknownServerError},
	}
}

// oldStrikes are those of requests that only a broker before Kafka 4.0 gets.
func oldStrikes() map[kmsg.Key][]*kerr.Error {
	return map[kmsg.Key][]*kerr.Error{
		kmsg.AddPartitionsToTxn: {kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.UnknownTopicOrPartition},
		kmsg.AddOffsetsToTxn:    {kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator},
		kmsg.EndTxn:             {kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator},
		kmsg.TxnOffsetCommit:    {kerr.CoordinatorLoadInProgress, kerr.IllegalGeneration, kerr.RebalanceInProgress},
	}
}

// deeds are what a network does to requests.
func deeds() map[string]trouble {
	return map[string]trouble{
		"cut":     {do: cutBefore},
		"unheard": {do: cutAfter},
		"late":    {do: late, lasts: 3 * time.Second},
	}
}

// TestSimulationFaults strikes every kind of request that a sessionizer sends:
// with the errors of the broker, with connections that break before the broker
// has acted or after, and with answers that take their time.
func TestSimulationFaults(t *testing.T) {
	for _, broker := range []struct {
		name     string
		strikes  map[kmsg.Key][]*kerr.Error
		versions *kversion.Versions
	}{{"", strikes(), nil}, {"old ", oldStrikes(), kversion.V3_9_0()}} {
		for _, key := range slices.Sorted(maps.Keys(broker.strikes)) {
			for i, e := range broker.strikes[key] {
				t.Run(broker.name+key.Name()+"/"+e.Message, func(t *testing.T) {
					t.Parallel()
					simulate(t, simOptions{seed: i, versions: broker.versions, brokers: 3}, func(s *sim) { s.faulty(key, e) })
				})
			}
			for name, deed := range deeds() {
				t.Run(broker.name+key.Name()+"/"+name, func(t *testing.T) {
					t.Parallel()
					simulate(t, simOptions{seed: int(key), versions: broker.versions, brokers: 3}, func(s *sim) { s.troubled(key, deed) })
				})
			}
		}
	}
}

// faulty has the broker answer a kind of request with an error, a few times.
func (s *sim) faulty(key kmsg.Key, e *kerr.Error) {
	fault := kfake.Fault{Keys: []kmsg.Key{key}, Err: e, Count: 3, When: s.ofStep}
	var h *kfake.FaultHandle
	s.twoLives(func() { h = s.fake.Fault(fault) })
	h.Remove()
	require.Positive(s.t, h.Hits(), "no request was struck")
}

// ofStep is false for requests that the test itself sends.
func (s *sim) ofStep(r kmsg.Request) bool {
	switch r := r.(type) {
	case *kmsg.ProduceRequest:
		return r.TransactionID != nil
	case *kmsg.InitProducerIDRequest:
		return r.TransactionalID != nil
	case *kmsg.MetadataRequest:
		return !s.busy.Load()
	}
	return true
}

// troubled has the network trouble a kind of request, a few times.
func (s *sim) troubled(key kmsg.Key, deed trouble) {
	deed.key, deed.count = key, 3
	s.twoLives(func() { s.net.strike(&deed) })
	require.Positive(s.t, s.net.hits(&deed), "no request was struck")
}

// twoLives is a sessionizer that stops in the middle and another that goes on,
// with trouble from the first part on. The leaders of partitions change a few times,
// because some requests are only sent then.
func (s *sim) twoLives(trouble func()) {
	one := s.start("one")
	s.produce(s.part(6))
	time.Sleep(time.Second)
	trouble()
	for range 2 {
		s.fake.ShufflePartitionLeaders()
		s.produce(s.part(6))
		time.Sleep(2 * time.Second)
	}
	one.stop()
	s.start("two")
	for range 2 {
		s.produce(s.part(6))
		time.Sleep(3 * time.Second)
		s.fake.ShufflePartitionLeaders()
	}
}

// TestSimulationStrikesEveryRequest: a kind of request that is new must be struck,
// too.
func TestSimulationStrikesEveryRequest(t *testing.T) {
	kinds := map[kmsg.Key]bool{}
	for _, versions := range []*kversion.Versions{nil, kversion.V3_9_0()} {
		for seed := range 3 {
			simulate(t, simOptions{seed: seed, brokers: 3, versions: versions}, func(s *sim) {
				s.twoLives(func() {})
				s.settle()
				for key := range s.net.kinds() {
					kinds[key] = true
				}
			})
		}
	}
	struck := map[kmsg.Key]bool{}
	for key := range strikes() {
		struck[key] = true
	}
	for key := range oldStrikes() {
		struck[key] = true
	}
	require.Equal(t, struck, kinds)
}
