package replay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
	"github.com/cairnhq/cairn/services/cairn/internal/replay"
	"github.com/cairnhq/cairn/services/sessionizer"
)

// A replay that was stopped while it was being prepared lets no sessionizer run, and
// goes on from there; what the former epoch still says is not heard.
func TestOnlyTheNewEpochIsHeard(t *testing.T) {
	h := newHouse(t)
	a, b := compile(t, modelA), compile(t, modelB)
	stop := h.sessionizer(a, "")
	h.visits("v", 4, 2)
	require.Eventually(t, func() bool { return h.end(stream.TopicJourneys) > 0 }, time.Minute, 20*time.Millisecond)
	require.NoError(t, stop())

	// A step that is suspended in the middle of a transaction.
	zombie, err := stream.NewClient(h.cluster, "zombie", nil, nil, kgo.TransactionalID(h.ns+".profile.zombie.0"))
	require.NoError(t, err)
	defer zombie.Close()
	require.NoError(t, zombie.BeginTransaction())
	require.NoError(t, zombie.ProduceSync(t.Context(), h.old("zombie")).FirstErr())

	r := h.mustPlan(b, replay.Earliest(true))
	require.NoError(t, stream.WriteEpoch(t.Context(), h.cl, h.ns, &r.Epoch)) // and no further
	s, err := sessionizer.New(t.Context(), sessionizer.Options{Namespace: h.ns, Cluster: h.cluster, Model: b, InstanceID: "test"})
	require.NoError(t, err)
	var epoch *sessionizer.EpochError
	require.ErrorAs(t, s.Run(t.Context()), &epoch)
	require.ErrorContains(t, epoch, "is being prepared: run `cairn replay` again")

	r = h.mustPlan(b, replay.Earliest(true))
	require.True(t, r.Resumed)
	require.NoError(t, r.Begin(t.Context()))
	require.Error(t, zombie.EndTransaction(t.Context(), kgo.TryCommit), "its transaction is aborted and it is fenced")

	// Whatever the former epoch wrote behind the point all the same.
	head := func(kind string) []kgo.RecordHeader {
		return []kgo.RecordHeader{{Key: wire.HeaderType, Value: []byte(kind)}}
	}
	relinquish := h.old("talk")
	relinquish.Headers, relinquish.Value = head(wire.TypeRelinquish), []byte("of a format that nobody reads any more")
	require.NoError(t, h.cl.ProduceSync(t.Context(), h.old("stray"), relinquish).FirstErr())

	stop = h.sessionizer(b, "")
	journeys := h.end(stream.TopicJourneys)
	require.Eventually(t, func() bool {
		members, err := stream.Members(t.Context(), h.cl, h.ns)
		return err == nil && len(members) == 2 && h.end(stream.TopicJourneys) > journeys
	}, time.Minute, 20*time.Millisecond)
	h.sink()
	h.finish(r)
	require.NoError(t, stop())
	require.Equal(t, []string{"4"}, h.strings("SELECT toString(count()) FROM "+h.ns+"_bi.v_journeys"))
	require.Empty(t, h.strings("SELECT profile FROM "+h.ns+".journeys WHERE profile LIKE '%stray%' OR profile LIKE '%zombie%'"))
}

// old is a touchpoint as epoch 0 wrote it.
func (h *house) old(id string) *kgo.Record {
	tp := &wirepb.Touchpoint{
		MessageId: id, Identifier: "anonymous:" + id, Owner: "anonymous:" + id, Type: "track", Event: "seen", TimeMs: 1_772_000_000_000,
		ReceivedMs: 1_772_000_000_000, Channel: "web", Actor: "customer", Source: "shop", SessionId: id, Revision: 7,
	}
	return &kgo.Record{Topic: stream.Qualify(h.ns, stream.TopicTouchpoints), Key: []byte(tp.Owner), Value: wire.Marshal(tp)}
}

// end counts the offsets of a topic.
func (h *house) end(topic string) (n int64) {
	h.t.Helper()
	ends, err := kadm.NewClient(h.cl).ListEndOffsets(h.t.Context(), stream.Qualify(h.ns, topic))
	require.NoError(h.t, err)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// What retention has deleted cannot be rebuilt: it stays, and a time before it is
// refused with the earliest that is possible.
func TestFromNoEarlierThanTheTopicHolds(t *testing.T) {
	h := oldHouse(t)
	b := compile(t, modelB)
	h.visits("v", 30, 2)
	h.visits("v", 30, 9)
	r := h.mustPlan(b, replay.Earliest(true))
	require.Equal(t, stream.FromStart, r.Epoch.FromMillis, "nothing is deleted: it covers everything")

	adm := kadm.NewClient(h.cl)
	raw := stream.Qualify(h.ns, stream.TopicRaw)
	after, err := adm.ListOffsetsAfterMilli(t.Context(), time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC).UnixMilli(), raw)
	require.NoError(t, err)
	var starts kadm.Offsets
	after.Each(func(o kadm.ListedOffset) { starts.AddOffset(raw, o.Partition, o.Offset, -1) })
	deleted, err := adm.DeleteRecords(t.Context(), starts)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())

	r = h.mustPlan(b, replay.Earliest(true))
	require.Equal(t, "2026-03-09T10:01:00Z", time.UnixMilli(r.Epoch.FromMillis).UTC().Format(time.RFC3339), "only what surely came after what is deleted")
	from, err := replay.ParseFrom("2026-03-03")
	require.NoError(t, err)
	_, err = h.plan(b, from)
	require.ErrorContains(t, err, "no longer holds what arrived at 2026-03-03T00:00:00Z: the earliest time is 2026-03-09T10:01:00Z")
	_, err = replay.ParseFrom("yesterday")
	require.ErrorContains(t, err, "2026-11-23")
	from, err = replay.ParseFrom("2126-03-03")
	require.NoError(t, err)
	_, err = h.plan(b, from)
	require.ErrorContains(t, err, "in the future")
}
