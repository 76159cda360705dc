package warehouse

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// ofEpoch is the first revision of a rebuild.
func ofEpoch(epoch uint64) uint64 { return epoch<<40 | 1 }

func TestTheHighestRevisionWinsInAnyOrder(t *testing.T) {
	h := newHouse(t)
	newer := touch("m1", "anonymous:a", minute(0))
	newer.Revision, newer.Event = 7, "cart_viewed"
	older := touch("m1", "anonymous:a", minute(0))
	older.Revision = 3
	h.touchpoints(newer)
	h.touchpoints(older, touch("m2", "anonymous:a", minute(1)))
	want := []string{"m1 cart_viewed", "m2 product_viewed"}
	require.Equal(t, want, h.bi("message_id, event", "v_touchpoints ORDER BY message_id"))

	h.touchpoints(newer, older) // a replay
	require.Equal(t, want, h.bi("message_id, event", "v_touchpoints ORDER BY message_id"))
	h.exec("OPTIMIZE TABLE " + h.ns + ".touchpoints FINAL")
	require.Equal(t, want, h.bi("message_id, event", "v_touchpoints ORDER BY message_id"))
}

// Should a program ever compute another event time, in another month, for the same
// touchpoint, FINAL still counts it once.
func TestTheSameTouchpointInTwoMonthsCountsOnce(t *testing.T) {
	h := newHouse(t)
	moved := touch("m1", "anonymous:a", minute(60*24*40))
	moved.Revision = 2
	h.touchpoints(touch("m1", "anonymous:a", minute(0)))
	h.touchpoints(moved)
	require.Equal(t, []string{"m1 2026-04-10 12:00:00.000"}, h.bi("message_id, toString(event_time)", "v_touchpoints"))
}

func TestVoidSessionsAreHiddenAndResolved(t *testing.T) {
	h := newHouse(t)
	a := touch("m1", "anonymous:a", minute(0))
	b := touch("m2", "anonymous:a", minute(20))
	b.SessionId = "s2"
	h.touchpoints(a, b)
	h.sessions(
		&wirepb.Session{SessionId: "s1", Identifier: "anonymous:a", Status: "open", StartedMs: minute(0), EndedMs: minute(20), MintedMs: minute(0), Touchpoints: 2, RevenueMicros: 1990000, Revision: 5},
		&wirepb.Session{SessionId: "s2", Identifier: "anonymous:a", Status: "open", StartedMs: minute(20), EndedMs: minute(20), MintedMs: minute(20), Touchpoints: 1, Revision: 2},
		&wirepb.Session{SessionId: "s2", Identifier: "anonymous:a", Status: "void", MergedInto: "s1", StartedMs: minute(20), EndedMs: minute(20), MintedMs: minute(20), Revision: 5},
	)
	require.Equal(t, []string{"s1 2 1200 1.99"}, h.bi("session_id, toString(touchpoints), toString(duration_seconds), toString(revenue)", "v_sessions"))
	require.Equal(t, []string{"m1 s1", "m2 s1"}, h.bi("message_id, session_id", "v_touchpoints ORDER BY message_id"))
	// A reader who wants nulls from joins gets the same answer.
	require.Equal(t, []string{"m1 s1", "m2 s1"}, h.bi("message_id, session_id", "v_touchpoints ORDER BY message_id SETTINGS join_use_nulls = 1"))
}

// Semantics, example 3: A@0, A+1@1, A@2, A+2@3, A@4, A+1@5, A@6.
func TestProfilesAreResolvedByTodaysMap(t *testing.T) {
	h := newHouse(t)
	var list []*wirepb.Touchpoint
	for i, user := range []string{"", "1", "", "2", "", "1", ""} {
		p := touch(string(rune('a'+i)), "anonymous:A", minute(i))
		p.UserId = user
		list = append(list, p)
	}
	h.touchpoints(list...)
	profiles := func() []string { return h.bi("profile", "v_touchpoints ORDER BY event_time") }
	require.Equal(t, []string{"anonymous:A", "user:1", "anonymous:A", "user:2", "anonymous:A", "user:1", "anonymous:A"}, profiles())

	m := &wirepb.Identity{Identifier: "anonymous:A", Revision: 1, Map: []*wirepb.Link{
		{FromMs: minute(1), MessageId: "b", UserId: "1"}, {FromMs: minute(3), MessageId: "d", UserId: "2"}, {FromMs: minute(5), MessageId: "f", UserId: "1"},
	}}
	h.identities(m)
	require.Equal(t, []string{"user:1", "user:1", "user:1", "user:2", "user:2", "user:1", "user:1"}, profiles())

	// A session is whose it was when it began.
	h.sessions(&wirepb.Session{SessionId: "s1", Identifier: "anonymous:A", Status: "open", StartedMs: minute(4), EndedMs: minute(6), MintedMs: minute(4), Touchpoints: 3, Revision: 1})
	require.Equal(t, []string{"user:2"}, h.bi("profile", "v_sessions"))

	h.identities(&wirepb.Identity{Identifier: "anonymous:A", Revision: 2, Map: m.Map, Frozen: true})
	require.Equal(t, []string{"anonymous:A", "user:1", "anonymous:A", "user:2", "anonymous:A", "user:1", "anonymous:A"}, profiles())
	require.Equal(t, []string{"anonymous:A"}, h.bi("profile", "v_sessions"))
}

// A link and a touchpoint of the same millisecond: the message id decides.
func TestProfileAtTheMomentOfTheLink(t *testing.T) {
	h := newHouse(t)
	h.touchpoints(touch("a", "anonymous:A", minute(5)), touch("c", "anonymous:A", minute(5)))
	h.identities(&wirepb.Identity{Identifier: "anonymous:A", Revision: 1, Map: []*wirepb.Link{
		{FromMs: minute(1), MessageId: "x", UserId: "1"}, {FromMs: minute(5), MessageId: "b", UserId: "2"},
	}})
	require.Equal(t, []string{"a user:1", "c user:2"}, h.bi("message_id, profile", "v_touchpoints ORDER BY message_id"))
}

func TestStageAtTheTouchpoint(t *testing.T) {
	h := newHouse(t)
	const a = "anonymous:a"
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shop()))
	business := func(id string, at int64) *wirepb.Touchpoint {
		p := touch(id, a, at)
		p.Actor, p.SessionId = "business", ""
		return p
	}
	day := 24 * 60
	h.touchpoints(
		business("0 before any", minute(-1)),
		touch("1 first", a, minute(0)), touch("2 entered", a, minute(10)), touch("3 after", a, minute(20)), touch("4 both", a, minute(30)),
		business("5 reply", minute(31)), business("6 too late", minute(31+91*day)),
		touch("7 next journey", a, minute(200*day)),
	)
	h.journeys(
		&wirepb.Journey{JourneyId: "j1", Profile: a, Status: "lapsed", StartedMs: minute(0), EndedMs: minute(30), MintedMs: minute(0), Touchpoints: 4, Transitions: 3, Stage: "decision", Revision: 1},
		&wirepb.Journey{JourneyId: "j2", Profile: a, Status: "open", StartedMs: minute(200 * day), EndedMs: minute(200 * day), MintedMs: minute(200 * day), Touchpoints: 1, Revision: 1},
	)
	dwell := minute(30) - minute(10)
	h.transitions(
		&wire.Transition{JourneyID: "j1", Seq: 1, Profile: a, To: "awareness", Direction: "advance", AtMillis: minute(10), TouchpointID: "2 entered", Revision: 1},
		&wire.Transition{JourneyID: "j1", Seq: 2, Profile: a, From: "awareness", To: "consideration", Direction: "advance", AtMillis: minute(30), DwellMillis: &dwell, Revision: 1},
		&wire.Transition{JourneyID: "j1", Seq: 3, Profile: a, From: "consideration", To: "decision", Direction: "advance", AtMillis: minute(30), DwellMillis: new(int64), Revision: 1},
		&wire.Transition{JourneyID: "j1", Seq: 4, Profile: a, From: "decision", To: "purchase", AtMillis: minute(20), Status: "void", Revision: 1},
	)
	require.Equal(t, []string{
		"0 before any - -", "1 first j1 -", "2 entered j1 awareness", "3 after j1 awareness", "4 both j1 decision",
		"5 reply j1 decision", "6 too late - -", "7 next journey j2 -",
	}, h.bi("message_id, if(journey_id = '', '-', journey_id), if(stage = '', '-', stage)", "v_touchpoints ORDER BY message_id"))
	require.Equal(t, []string{"1 ", "2 1200", "3 0"}, h.bi("toString(seq), ifNull(toString(dwell_seconds), '')", "v_transitions ORDER BY seq"))
}

func TestAnEpochHidesTheRowsBeforeIt(t *testing.T) {
	h := newHouse(t)
	const a = "anonymous:a"
	rebuilt := touch("new", a, minute(1))
	rebuilt.Revision = ofEpoch(1)
	h.touchpoints(touch("old", a, minute(0)), rebuilt)
	h.sessions(&wirepb.Session{SessionId: "old", Identifier: a, Status: "open", StartedMs: minute(0), EndedMs: minute(0), MintedMs: minute(0), Revision: 9})
	h.quality(&wirepb.Quality{MinuteMs: minute(0), Source: "shop", Accepted: 3, Touchpoints: 3, Revision: 9})
	h.identities(&wirepb.Identity{Identifier: a, Revision: 9, Map: []*wirepb.Link{{FromMs: minute(0), MessageId: "old", UserId: "1"}}})
	h.journeys(&wirepb.Journey{JourneyId: "old", Profile: a, StartedMs: minute(0), EndedMs: minute(0), MintedMs: minute(0), Revision: 9})
	h.transitions(&wire.Transition{JourneyID: "old", Seq: 1, Profile: a, To: "awareness", AtMillis: minute(0), Revision: 9})
	rejects := NewRejectedBatch()
	rejects.Add(&Rejected{Origin: "old", Reason: "bad_json", Revision: 1})
	rejects.Add(&Rejected{Origin: "sink", Reason: "sink_undecodable"})
	h.insert(rejects)

	count := func(view string) string { return h.column("SELECT toString(count()) FROM " + h.ns + "_bi." + view)[0] }
	for view, want := range map[string]string{"v_touchpoints": "2", "v_sessions": "1", "v_data_quality": "1", "v_journeys": "1", "v_transitions": "1", "v_rejected": "2"} {
		require.Equal(t, want, count(view), view)
	}
	h.epoch("device")
	require.Equal(t, []string{"new anonymous:a"}, h.bi("message_id, profile", "v_touchpoints"))
	for view, want := range map[string]string{"v_sessions": "0", "v_data_quality": "0", "v_journeys": "1", "v_transitions": "1", "v_rejected": "1"} {
		require.Equal(t, want, count(view), view)
	}
	h.epoch("profile")
	require.Equal(t, "0", count("v_journeys"))
	require.Equal(t, "0", count("v_transitions"))
}

func TestDataQualityTakesTheNewestTotals(t *testing.T) {
	h := newHouse(t)
	h.quality(
		&wirepb.Quality{MinuteMs: minute(0), Source: "shop", Accepted: 3, Touchpoints: 2, Duplicates: 1, Revision: 1},
		&wirepb.Quality{MinuteMs: minute(0), Source: "shop", Accepted: 9, Touchpoints: 5, Duplicates: 2, Rejected: 1, Late: 1, Rekeyed: 4, Revision: 2},
		&wirepb.Quality{MinuteMs: minute(0), Source: "shop", Partition: 1, Accepted: 4, Touchpoints: 1, Revision: 1},
		&wirepb.Quality{MinuteMs: minute(0), Source: "till", Accepted: 1, Touchpoints: 2, Revision: 1},
	)
	require.Equal(t, []string{"shop 13 6 2 1 1 4 3", "till 1 2 0 0 0 0 -1"}, h.bi(
		"source, toString(accepted), toString(touchpoints), toString(duplicates), toString(rejected), toString(late), toString(rekeyed), toString(difference)",
		"v_data_quality ORDER BY source"))
}

func TestRevenueIsExact(t *testing.T) {
	h := newHouse(t)
	cent := touch("m1", "anonymous:a", minute(0))
	cent.RevenueMicros = 10_000
	refund := touch("m2", "anonymous:a", minute(0))
	refund.RevenueMicros = -30_000
	large := touch("m3", "anonymous:a", minute(0))
	large.RevenueMicros = 987_654_321_012_345_678
	h.touchpoints(cent, refund, large)
	require.Equal(t, []string{"0.01", "-0.03", "987654321012.345678"}, h.bi("toString(revenue)", "v_touchpoints ORDER BY message_id"))
}

func shop() *journey.Model {
	const day = 24 * 60 * 60 * 1000
	return (&journey.Model{
		Name: "shop", SessionGap: 30 * 60 * 1000, JourneyGap: 90 * day, Lateness: 30 * day, Goal: 2,
		Stages: []journey.Stage{{Name: "awareness"}, {Name: "consideration", Substages: []string{"discover", "compare"}}, {Name: "purchase", Window: day}},
	}).Compile()
}

func TestPutModel(t *testing.T) {
	h := newHouse(t)
	stages := func() []string {
		return h.bi("model, toString(stage_order), stage, toString(substages), toString(window_seconds)", "dim_stage ORDER BY stage_order")
	}
	rows := func() []string { return h.column("SELECT toString(count()) FROM " + h.ns + ".stages") }
	require.Empty(t, stages())

	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shop()))
	want := []string{"shop 1 awareness [] 0", "shop 2 consideration ['discover','compare'] 0", "shop 3 purchase [] 86400"}
	require.Equal(t, want, stages())
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shop()))
	require.Equal(t, []string{"3"}, rows(), "the same model is not written again")

	shorter := shop()
	shorter.Stages = shorter.Stages[:2]
	shorter.Goal = -1
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shorter))
	require.Equal(t, want[:2], stages(), "a stage that the file no longer has is gone")

	b2b := shop()
	b2b.Name, b2b.Stages[0].Name = "b2b", "lead"
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, b2b))
	require.Equal(t, []string{"b2b lead"}, h.bi("model, stage", "dim_stage ORDER BY stage_order LIMIT 1"))
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shop()))
	require.Equal(t, want, stages(), "the first one again")
}
