package sink

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// everything is a record of each kind that becomes a row, as the steps write them.
func (b *bench) everything() []*kgo.Record {
	transition := wire.AppendTransition(nil, b.ns, &wire.Transition{
		JourneyID: "j1", Seq: 1, Profile: "user:1", To: "awareness", Direction: "advance", Skipped: []string{"x"}, AtMillis: start, TouchpointID: "m0000000",
		Identifier: "anonymous:a0", SessionID: "s1", Channel: "web", CampaignSource: "news", Revision: 1, Live: true, Model: "shop", EmittedMillis: start,
	})
	friction := func(id, status string, revision uint64) *kgo.Record {
		return b.friction(&journey.Friction{
			ID: id, Profile: "user:1", JourneyID: "j1", Name: "rage_click", Kind: "event", Severity: 3, Stage: "awareness", AtMillis: start,
			TouchpointID: "m0000000", Identifier: "anonymous:a0", SessionID: "s1", Channel: "web", Status: status, Revision: revision, EmittedMillis: start,
		})
	}
	late := b.touchpoint(7)
	return []*kgo.Record{
		b.touchpoint(0),
		b.record(stream.TopicTouchpoints, "anonymous:a0", []byte("talk between steps"), wire.HeaderType, "relinquish"),
		b.record(stream.TopicLate, b.ns+".touchpoints.raw/0/7", late.Value, wire.HeaderReason, "beyond_horizon"),
		b.record(stream.TopicRejected, b.ns+".touchpoints.raw/1/8", []byte("{bad \x00\xff"), wire.HeaderReason, "bad_json", wire.HeaderError, "The body is no JSON.",
			wire.HeaderOrigin, b.ns+".touchpoints.raw/1/8", wire.HeaderSource, "shop", wire.HeaderReceivedAt, strconv.Itoa(start)),
		b.record(stream.TopicSessions, "s1", b.encode(&wirepb.Session{
			SessionId: "s1", Identifier: "anonymous:a0", Status: "open", StartedMs: start, EndedMs: start, MintedMs: start, Touchpoints: 9, Channel: "web", Revision: 1,
			Events: []*wirepb.EventCount{{Event: "b", Count: 1}, {Event: "d", Count: 2}, {Event: "c", Count: 3}, {Event: "a", Count: 2}, {Event: "other", Count: 1}},
		})),
		b.record(stream.TopicSessions, "s0", nil),
		b.record(stream.TopicJourneys, "j1", b.encode(&wirepb.Journey{JourneyId: "j1", Profile: "user:1", Status: "open", StartedMs: start, EndedMs: start, MintedMs: start, Touchpoints: 1, Stage: "awareness", Transitions: 1, Revision: 1})),
		b.record(stream.TopicTransitions, "user:1", transition),
		friction("f1", "", 1), friction("f2", "", 2), friction("f2", "void", 3),
		b.record(stream.TopicIdentities, "anonymous:a0", b.encode(&wirepb.Identity{Identifier: "anonymous:a0", Map: []*wirepb.Link{{FromMs: start, MessageId: "m0000000", UserId: "1"}}, Revision: 1})),
		b.record(stream.TopicQuality, "0/x/shop", b.encode(&wirepb.Quality{MinuteMs: start, Source: "shop", Accepted: 3, Touchpoints: 1, Rejected: 1, Late: 1, Revision: 1})),
		b.record(stream.TopicQuality, "epoch/device/0", b.encode(&wirepb.Epoch{Step: "profile", Epoch: 0, CompletedMs: start}), wire.HeaderType, "epoch"),
	}
}

func TestEveryTopicHasItsTable(t *testing.T) {
	b := newBench(t)
	b.send(kgo.TryCommit, b.everything()...)
	b.send(kgo.TryAbort, b.touchpoint(99)) // a step that failed: never seen
	s := b.start(nil)
	b.caughtUp()

	require.Equal(t, []string{"m0000000 user:1 anonymous:a0 awareness"}, b.query("message_id, profile, session_id, stage", "_bi.v_touchpoints"))
	require.Equal(t, []string{"s1 9 web {'b':1,'d':2,'c':3,'a':2,'other':1}"}, b.query("session_id, toString(touchpoints), channel, toString(event_counts)", "_bi.v_sessions"))
	require.Equal(t, []string{"j1 user:1 awareness"}, b.query("journey_id, profile, stage", "_bi.v_journeys"))
	require.Equal(t, []string{"j1 1 awareness ['x'] news"}, b.query("journey_id, toString(seq), to_stage, toString(skipped), campaign_source", "_bi.v_transitions"))
	require.Equal(t, []string{"f1 user:1 rage_click 3 awareness m0000000"}, b.query("friction_id, profile, name, toString(severity), stage, touchpoint_id", "_bi.v_frictions"))
	require.Equal(t, []string{"f1  1", "f2 void 3"}, b.query("friction_id, status, toString(revision)", ".frictions FINAL ORDER BY friction_id"))
	require.Equal(t, []string{"shop 3 0"}, b.query("source, toString(accepted), toString(difference)", "_bi.v_data_quality"))
	require.Equal(t, []string{b.ns + ".touchpoints.raw/0/7 beyond_horizon m0000007"}, b.query("origin, reason, message_id", "_bi.v_late"))
	require.Equal(t, []string{b.ns + ".touchpoints.raw/1/8 bad_json The body is no JSON. shop 2026-03-01 12:00:00.000 7B6261642000FF"},
		b.query("origin, reason, error, source, toString(received_at), hex(value)", ".rejected"))
	require.Equal(t, []string{"profile 0"}, b.query("step, toString(epoch)", ".epochs"))
	require.NoError(t, s.Ready())
	require.InDelta(t, 1, s.metric("cairn_sink_rows_total", "touchpoints"), 0)
	require.Zero(t, s.metric("cairn_sink_pending_rows"))
}

// A record that cannot be used is kept whole, and those around it arrive.
func TestBadRecordsAreSetAside(t *testing.T) {
	b := newBench(t)
	far := &wirepb.Touchpoint{MessageId: "far", Identifier: "anonymous:a0", TimeMs: 1 << 60, Source: "till", Revision: 1}
	loud := &wirepb.Touchpoint{MessageId: "loud", Identifier: "anonymous:a0", TimeMs: start, Sentiment: 1000, Source: "till", Revision: 1}
	bad := []*kgo.Record{
		b.record(stream.TopicTouchpoints, "anonymous:a0", []byte("\xffno protobuf")),
		b.record(stream.TopicTouchpoints, "anonymous:a0", b.encode(far)),
		b.record(stream.TopicTransitions, "user:1", []byte(`{"type":"cairn.transition.v1","data":`)),
		b.record(stream.TopicSessions, "s1", []byte{0x0a}),
		b.record(stream.TopicFrictions, "user:1", []byte(`{"type":"cairn.transition.v1","data":{}}`)),
		b.friction(&journey.Friction{ID: "f1", Profile: "user:1", Severity: 1000, AtMillis: start, Revision: 1}),
		b.friction(&journey.Friction{ID: "f1", Profile: "user:1", AtMillis: 200_000_000_000_000, Revision: 1}),
		b.record(stream.TopicTouchpoints, "anonymous:a0", b.encode(loud)),
		b.record(stream.TopicQuality, "q", b.encode(&wirepb.Quality{MinuteMs: -1})),
	}
	b.send(kgo.TryCommit, append(append([]*kgo.Record{b.touchpoint(0)}, bad...), b.touchpoint(1))...)
	s := b.start(nil)
	b.caughtUp()

	require.Equal(t, []string{"m0000000", "m0000001"}, b.query("message_id", "_bi.v_touchpoints ORDER BY message_id"))
	reasons := []string{
		reasonUndecodable, reasonOutOfRange, reasonUndecodable, reasonUndecodable,
		reasonUndecodable, reasonOutOfRange, reasonOutOfRange, reasonOutOfRange, reasonOutOfRange,
	}
	var want []string
	for i, r := range bad {
		want = append(want, fmt.Sprintf("%s %s %X", place(r), reasons[i], r.Value))
	}
	require.ElementsMatch(t, want, b.query("origin, reason, hex(value)", ".rejected FINAL"))
	require.Empty(t, b.query("origin", ".rejected WHERE error = ''"))
	require.InDelta(t, 4, s.metric("cairn_sink_rejected_total", reasonUndecodable), 0)
	require.Empty(t, b.query("friction_id", ".frictions"))
	require.NoError(t, s.Ready())
}

// ClickHouse itself refuses a few rows of a batch: they are found and set aside.
func TestRowsThatClickHouseRefuses(t *testing.T) {
	b := newBench(t)
	first := b.start(nil)
	require.Eventually(t, func() bool { return first.Ready() == nil }, patience, 20*time.Millisecond)
	require.NoError(t, first.stop())
	require.NoError(t, b.conn.Exec(t.Context(), "ALTER TABLE "+b.ns+".touchpoints ADD CONSTRAINT poison CHECK message_id NOT IN ('m0000003', 'm0000004', 'm0000990')"))
	b.touchpoints(0, 1000)
	s := b.start(nil)
	b.caughtUp()
	require.Equal(t, []string{"997"}, b.query("toString(count())", ".touchpoints FINAL"))
	refused := b.query("reason, toString(position(value, 'm0000003') > 0 OR position(value, 'm0000004') > 0 OR position(value, 'm0000990') > 0)", ".rejected FINAL")
	require.Equal(t, []string{"sink_refused 1", "sink_refused 1", "sink_refused 1"}, refused)
	require.Contains(t, b.query("error", ".rejected LIMIT 1")[0], "poison")
	require.NoError(t, s.Ready())
}

// Reading everything again, as after lost offsets, changes no view.
func TestAReplayChangesNothing(t *testing.T) {
	b := newBench(t)
	b.send(kgo.TryCommit, b.everything()...)
	b.touchpoints(1, 500)
	s := b.start(nil)
	b.caughtUp()
	require.NoError(t, s.stop())
	before := b.views()
	require.Len(t, before["v_touchpoints"], 500)

	_, err := kadm.NewClient(b.client).DeleteGroups(t.Context(), stream.Qualify(b.ns, stream.GroupSink))
	require.NoError(t, err)
	b.start(nil)
	b.caughtUp()
	require.Equal(t, before, b.views())
}

// Two sinks share the partitions; one leaves and the other takes all.
func TestTwoSinks(t *testing.T) {
	b := newBench(t)
	one, two := b.start(nil), b.start(nil)
	owns := func(s *running) int {
		s.owned.mu.Lock()
		defer s.owned.mu.Unlock()
		return len(s.owned.tenure)
	}
	all := 3*(len(topics())-1) + 1 // epochs has one partition
	require.Eventually(t, func() bool { return owns(one) > 0 && owns(two) > 0 && owns(one)+owns(two) == all }, patience, 20*time.Millisecond)
	b.touchpoints(0, 3000)
	b.caughtUp()
	require.NotZero(t, one.inserted.touchpoints.Load()+two.inserted.touchpoints.Load())
	require.NoError(t, one.stop())
	require.Eventually(t, func() bool { return owns(two) == all }, patience, 20*time.Millisecond)
	b.touchpoints(3000, 4000)
	b.caughtUp()
	require.Equal(t, []string{"4000"}, b.query("toString(uniqExact(message_id))", ".touchpoints"))
}

// A stopped sink has flushed and committed what it had read, and the topics may
// come after the sink.
func TestStopFlushes(t *testing.T) {
	b := newBench(t)
	s := b.start(func(o *Options) { o.FlushInterval = time.Hour })
	require.Eventually(t, func() bool { return s.Ready() == nil }, patience, 20*time.Millisecond)
	b.touchpoints(0, 100)
	require.Eventually(t, func() bool { return s.metric("cairn_sink_pending_rows") == 100 }, patience, 20*time.Millisecond)
	require.NoError(t, s.stop())
	require.Equal(t, []string{"100"}, b.query("toString(count())", ".touchpoints"))
	require.LessOrEqual(t, b.lag(), int64(3), "only markers of the transaction may be left")
}
