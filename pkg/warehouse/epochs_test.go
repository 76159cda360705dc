package warehouse

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// complete makes a rebuild complete that covers what arrived from a minute on.
func (h *house) complete(epoch uint32, from int64) {
	h.t.Helper()
	require.NoError(h.t, PutEpoch(h.t.Context(), h.conn, h.ns, Epoch{Epoch: epoch, FromMillis: from, CompletedMillis: minute(60)}))
}

// epochRows inserts one of everything, at a minute and of an epoch, under an id.
func (h *house) epochRows(ns, id string, at int, epoch uint64) {
	h.t.Helper()
	who, rev := "user:"+id, epoch<<40|1
	var batches []Batch
	tp := NewTouchpointBatch()
	require.NoError(h.t, tp.Add(&wirepb.Touchpoint{
		MessageId: id, Identifier: who, UserId: id, Owner: who, Type: "track", Event: "e", TimeMs: minute(at), ReceivedMs: minute(at),
		Channel: "web", Actor: "customer", Source: "shop", SessionId: "s" + id, Revision: rev,
	}))
	se := NewSessionBatch()
	require.NoError(h.t, se.Add(&wirepb.Session{
		SessionId: "s" + id, Identifier: who, Status: "closed", StartedMs: minute(at), EndedMs: minute(at), MintedMs: minute(at), Touchpoints: 1, Revision: rev,
	}))
	jo := NewJourneyBatch()
	require.NoError(h.t, jo.Add(&wirepb.Journey{
		JourneyId: "j" + id, Profile: who, Status: "open", StartedMs: minute(at), EndedMs: minute(at), MintedMs: minute(at), Touchpoints: 1,
		Sessions: 1, Transitions: 1, Stage: "awareness", Model: "m", Revision: rev,
	}))
	tr := NewTransitionBatch()
	require.NoError(h.t, tr.Add(&wire.Transition{
		JourneyID: "j" + id, Profile: who, Seq: 1, To: "awareness", AtMillis: minute(at), TouchpointID: id, Identifier: who,
		EmittedMillis: minute(at), Direction: "advance", Model: "m", Revision: rev,
	}))
	q := NewQualityBatch()
	require.NoError(h.t, q.Add(&wirepb.Quality{MinuteMs: minute(at), Source: "shop", Accepted: 1, Touchpoints: 1, Revision: rev}))
	batches = append(batches, tp, se, jo, tr, q)
	for _, b := range batches {
		require.NoError(h.t, b.Insert(h.t.Context(), h.conn, ns, 0, b.Len()), b.Table())
	}
}

// shown is what each view shows: its ids in order.
func (h *house) shown() map[string][]string {
	h.t.Helper()
	return map[string][]string{
		"touchpoints": h.column("SELECT concat(message_id, toString(epoch)) AS x FROM " + h.ns + "_bi.v_touchpoints ORDER BY x"),
		"sessions":    h.column("SELECT concat(substring(session_id, 2), toString(epoch)) AS x FROM " + h.ns + "_bi.v_sessions ORDER BY x"),
		"journeys":    h.column("SELECT concat(substring(journey_id, 2), toString(epoch)) AS x FROM " + h.ns + "_bi.v_journeys ORDER BY x"),
		"transitions": h.column("SELECT concat(substring(journey_id, 2), toString(epoch)) AS x FROM " + h.ns + "_bi.v_transitions ORDER BY x"),
		"quality":     h.column("SELECT toString(dateDiff('minute', toDateTime('2026-03-01 12:00:00', 'UTC'), minute)) AS x FROM " + h.ns + "_bi.v_data_quality ORDER BY x"),
	}
}

func everywhere(minutes []string, ids ...string) map[string][]string {
	return map[string][]string{"touchpoints": ids, "sessions": ids, "journeys": ids, "transitions": ids, "quality": minutes}
}

// A rebuild from a time hides what earlier ones made of that time and later, and
// nothing of what is older; until it is complete it shows nothing of its own.
func TestARebuildFromATimeLeavesWhatIsOlder(t *testing.T) {
	h := newHouse(t)
	h.epochRows(h.ns, "old", 10, 0)   // before the boundary
	h.epochRows(h.ns, "edge", 20, 0)  // at it, and not made again
	h.epochRows(h.ns, "young", 30, 0) // behind it, made again
	before := everywhere([]string{"10", "20", "30"}, "edge0", "old0", "young0")
	require.Equal(t, before, h.shown())

	h.epochRows(NextNamespace(h.ns), "young", 30, 1)
	h.epochRows(NextNamespace(h.ns), "new", 40, 1)
	h.epochRows(NextNamespace(h.ns), "late", 5, 1) // arrived behind the boundary, of a time before it
	require.Equal(t, before, h.shown(), "before it is complete")

	h.complete(1, minute(20))
	after := everywhere([]string{"10", "30", "40", "5"}, "late1", "new1", "old0", "young1")
	require.Equal(t, after, h.shown(), "once it is complete")
	h.complete(1, minute(20))
	require.Equal(t, after, h.shown(), "completed again")

	// A void of the new epoch ends a journey that it rebuilt.
	gone := NewJourneyBatch()
	require.NoError(t, gone.Add(&wirepb.Journey{JourneyId: "jyoung", Profile: "user:young", Status: "void", MintedMs: minute(30), Revision: 1<<40 | 9}))
	h.insert(gone)
	require.Equal(t, []string{"late1", "new1", "old0"}, h.shown()["journeys"])

	// What the sink still wrote to the rows that wait comes with the next move.
	h.epochRows(NextNamespace(h.ns), "zz", 41, 1)
	require.NoError(t, MoveNext(t.Context(), h.conn, h.ns, 0))
	require.NotContains(t, h.shown()["touchpoints"], "zz1", "its epoch is not complete for whoever moves")
	require.NoError(t, MoveNext(t.Context(), h.conn, h.ns, 1))
	require.Contains(t, h.shown()["touchpoints"], "zz1")

	// A second rebuild, from an earlier time, and then one of everything.
	h.complete(2, minute(10))
	require.Equal(t, everywhere([]string{"5"}, "late1"), h.shown())
	h.complete(3, -2208988800000)
	for view, rows := range h.shown() {
		require.Empty(t, rows, view)
	}
	epoch, err := CompleteEpoch(t.Context(), h.conn, h.ns)
	require.NoError(t, err)
	require.Equal(t, uint32(3), epoch)
}

func TestAGivenUpRebuildLeavesNothing(t *testing.T) {
	h := newHouse(t)
	h.epochRows(h.ns, "a", 10, 0)
	h.epochRows(NextNamespace(h.ns), "b", 20, 1)
	require.NoError(t, DropNext(t.Context(), h.conn, h.ns))
	h.complete(2, minute(59))
	require.Equal(t, everywhere([]string{"10"}, "a0"), h.shown())
}
