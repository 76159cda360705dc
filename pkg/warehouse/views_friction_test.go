package warehouse

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

const everyFriction = "friction_id, name, toString(severity), stage, toString(at)"

func TestFrictionsAreReplacedAndWithdrawn(t *testing.T) {
	h := newHouse(t)
	one := func(revision uint64) *journey.Friction {
		f := goodFriction("f1", "checkout_abandoned", "m1", minute(30))
		f.Revision = revision
		return f
	}
	later := one(3)
	later.Stage, later.AtMillis = "decision", minute(40)
	h.frictions(later)
	h.frictions(one(2), one(1)) // replays come later
	want := []string{"f1 checkout_abandoned 2 decision 2026-03-01 12:40:00.000"}
	require.Equal(t, want, h.bi(everyFriction, "v_frictions"))

	// The row that withdraws it has another time and no severity.
	h.frictions(&journey.Friction{ID: "f1", Status: "void", AtMillis: minute(-60 * 24 * 40), Revision: 4})
	require.Empty(t, h.bi(everyFriction, "v_frictions"))
	h.frictions(one(2))
	require.Empty(t, h.bi(everyFriction, "v_frictions"), "a replay does not bring it back")
	h.exec("OPTIMIZE TABLE " + h.ns + ".frictions FINAL")
	require.Empty(t, h.bi(everyFriction, "v_frictions"))
	h.frictions(one(5))
	require.Equal(t, []string{"f1 checkout_abandoned 2 consideration 2026-03-01 12:30:00.000"}, h.bi(everyFriction, "v_frictions"), "it struck again after all")

	h.epoch("device")
	require.Len(t, h.bi(everyFriction, "v_frictions"), 1, "frictions are the profile step's")
	h.epoch("profile")
	require.Empty(t, h.bi(everyFriction, "v_frictions"))
	h.frictions(one(ofEpoch(1)))
	require.Len(t, h.bi(everyFriction, "v_frictions"), 1)
}

// Every column of a friction arrives, and its session is the one that holds the
// touchpoint now.
func TestFrictionsWithTheirSessions(t *testing.T) {
	h := newHouse(t)
	f := &journey.Friction{
		ID: "f1", Profile: "user:1", JourneyID: "j1", Name: "no_reply", Kind: "absence", Severity: 5, Stage: "retention", Substage: "use", AtMillis: minute(240),
		TouchpointID: "m1", Identifier: "anonymous:a", SessionID: "s2", Channel: "email", Persona: "bargain_hunter", Revision: 1, Live: true, Model: "shop", EmittedMillis: minute(241),
	}
	h.frictions(f, goodFriction("f2", "rage_click", "m2", minute(1)))
	h.sessions(
		&wirepb.Session{SessionId: "s2", Identifier: "anonymous:a", Status: "void", MergedInto: "s9", MintedMs: minute(0), Revision: 5},
		&wirepb.Session{SessionId: "s9", Identifier: "anonymous:a", Status: "open", MintedMs: minute(0), Revision: 5},
	)
	const whole = `friction_id, profile, journey_id, name, kind, toString(severity), stage, substage, toString(at), touchpoint_id, identifier, session_id,
		channel, persona, toString(live), model, toString(emitted_at)`
	want := []string{"f1 user:1 j1 no_reply absence 5 retention use 2026-03-01 16:00:00.000 m1 anonymous:a s9 email bargain_hunter true shop 2026-03-01 16:01:00.000"}
	require.Equal(t, want, h.bi(whole, "v_frictions WHERE friction_id = 'f1'"))
	require.Equal(t, want, h.bi(whole, "v_frictions WHERE friction_id = 'f1' SETTINGS join_use_nulls = 1"))
	require.Equal(t, []string{"f2 s1"}, h.bi("friction_id, session_id", "v_frictions WHERE friction_id = 'f2' SETTINGS join_use_nulls = 1"), "it was not merged")
	h.epoch("device") // the sessions of the epoch before say nothing
	require.Equal(t, []string{"s2"}, h.bi("session_id", "v_frictions WHERE friction_id = 'f1'"))
}

func TestJourneysCountTheirFrictions(t *testing.T) {
	h := newHouse(t)
	quiet := goodJourney()
	quiet.JourneyId = "j2"
	h.journeys(goodJourney(), quiet)
	outside := goodFriction("f4", "rage_click", "a4", minute(0))
	outside.JourneyID = ""
	h.frictions(
		goodFriction("f1", "rage_click", "a1", minute(0)), goodFriction("f2", "rage_click", "a2", minute(0)), goodFriction("f3", "rage_click", "a3", minute(0)), outside,
		&journey.Friction{ID: "f3", JourneyID: "j1", Status: "void", Revision: 2},
	)
	count := func(settings string) []string {
		return h.bi("journey_id, toString(frictions)", "v_journeys ORDER BY journey_id "+settings)
	}
	require.Equal(t, []string{"j1 2", "j2 0"}, count(""))
	require.Equal(t, []string{"j1 2", "j2 0"}, count("SETTINGS join_use_nulls = 1"))
	kept := goodJourney()
	kept.Revision = ofEpoch(1)
	h.journeys(kept)
	h.epoch("profile")
	require.Equal(t, []string{"j1 0"}, count(""))
}

// No evidence is null, never 0; and 0 is evidence.
func TestSentimentIsNullWithoutEvidence(t *testing.T) {
	h := newHouse(t)
	score := func(id string, hundredths int32, source string) *wirepb.Touchpoint {
		p := touch(id, "anonymous:a", minute(0))
		p.Sentiment, p.SentimentSource, p.Device = hundredths, source, "mobile"
		return p
	}
	h.touchpoints(score("1", -200, "nps"), score("2", 200, "stars"), score("3", 0, "text"), score("4", 0, ""), score("5", 67, "signal"), touch("6", "anonymous:a", minute(0)))
	require.Equal(t, []string{"1 -2 nps mobile", "2 2 stars mobile", "3 0 text mobile", "4 null  mobile", "5 0.67 signal mobile", "6 null  "},
		h.bi("message_id, ifNull(toString(sentiment), 'null'), sentiment_source, device", "v_touchpoints ORDER BY message_id"))
	require.Equal(t, []string{"0.67"}, h.bi("toString(sum(sentiment))", "v_touchpoints"), "sums are exact")

	for id, s := range map[string]struct {
		sum   int64
		count uint64
	}{"none": {0, 0}, "zero": {0, 2}, "third": {-100, 3}} {
		h.sessions(&wirepb.Session{SessionId: id, Status: "open", MintedMs: minute(0), SentimentSum: s.sum, SentimentCount: s.count, Revision: 1})
		h.journeys(&wirepb.Journey{JourneyId: id, Status: "open", MintedMs: minute(0), SentimentSum: s.sum, SentimentCount: s.count, Revision: 1})
	}
	for _, view := range []string{"v_sessions", "v_journeys"} {
		key := map[string]string{"v_sessions": "session_id", "v_journeys": "journey_id"}[view]
		require.Equal(t, []string{"none null 0", "third -0.333 3", "zero 0 2"},
			h.bi(key+", ifNull(toString(round(sentiment, 3)), 'null'), toString(sentiment_count)", view+" ORDER BY "+key), view)
	}

	first, second := goodStep(1, "a", "", "awareness", minute(0)), goodStep(2, "b", "awareness", "purchase", minute(1))
	second.Sentiment, second.Persona = new(int32(-133)), "bargain_hunter"
	h.transitions(first, second)
	require.Equal(t, []string{"1 null ", "2 -1.33 bargain_hunter"}, h.bi("toString(seq), ifNull(toString(sentiment), 'null'), persona", "v_transitions ORDER BY seq"))
}

func TestASessionSaysWhatWasDoneInIt(t *testing.T) {
	h := newHouse(t)
	h.sessions(
		&wirepb.Session{SessionId: "bounce", Status: "closed", MintedMs: minute(0), Touchpoints: 1, Pages: 1, Device: "mobile", Events: []*wirepb.EventCount{{Event: "other", Count: 1}}, Revision: 1},
		&wirepb.Session{SessionId: "visit", Status: "closed", MintedMs: minute(0), Touchpoints: 6, Pages: 3, Device: "desktop", Oversized: true, Revision: 1, Events: []*wirepb.EventCount{
			{Event: "cart_viewed", Count: 2}, {Event: "order_completed", Count: 1}, {Event: "other", Count: 3},
		}},
	)
	require.Equal(t, []string{
		"bounce mobile 1 true {'other':1} false",
		"visit desktop 3 false {'cart_viewed':2,'order_completed':1,'other':3} true",
	}, h.bi("session_id, device, toString(pages), toString(is_bounce), toString(event_counts), toString(oversized)", "v_sessions ORDER BY session_id"))
	require.Equal(t, []string{"2 0"}, h.bi("toString(sum(event_counts['cart_viewed'])), toString(sum(event_counts['never']))", "v_sessions"))
}

func TestAJourneyHasPersonaAndIntent(t *testing.T) {
	h := newHouse(t)
	j := goodJourney()
	j.Persona, j.IntentMillis = "evaluator", 12_345
	large := goodJourney()
	large.JourneyId, large.IntentMillis = "j2", 1_000_000_000_001
	h.journeys(j, large)
	require.Equal(t, []string{"j1 evaluator 12.345 1", "j2  1000000000.001 1"},
		h.bi("journey_id, persona, toString(intent), toString(business_touchpoints)", "v_journeys ORDER BY journey_id"))
}

// The persona of a session is that of the profile's journey, whoever the session's
// identifier turned out to be.
func TestPersonaOfASession(t *testing.T) {
	h := newHouse(t)
	day := 24 * 60
	begin := func(id, profile, persona, status string, at int64) *wirepb.Journey {
		return &wirepb.Journey{JourneyId: id, Profile: profile, Persona: persona, Status: status, StartedMs: at, EndedMs: at + 1, MintedMs: at, Revision: 1}
	}
	h.journeys(
		begin("j1", "user:new", "newcomer", "lapsed", minute(0)), begin("j2", "user:new", "regular", "open", minute(100*day)),
		begin("j3", "user:new", "gone", "void", minute(101*day)), begin("j4", "anonymous:b", "stranger", "open", minute(0)),
	)
	visit := func(id, identifier string, from, to int64) *wirepb.Session {
		return &wirepb.Session{SessionId: id, Identifier: identifier, Status: "closed", StartedMs: from, EndedMs: to, MintedMs: from, Touchpoints: 2, Revision: 1}
	}
	h.sessions(
		visit("0 before any", "anonymous:a", minute(-9), minute(-1)), visit("1 first", "anonymous:a", minute(-1), minute(0)),
		visit("2 second", "anonymous:a", minute(102*day), minute(102*day)), visit("3 other", "anonymous:b", minute(5), minute(9)), visit("4 nobody", "anonymous:c", minute(5), minute(9)),
	)
	// anonymous:a is the user old's, whom an alias renamed to new.
	h.identities(
		&wirepb.Identity{Identifier: "anonymous:a", Map: []*wirepb.Link{{FromMs: minute(0), MessageId: "m", UserId: "old"}}, Revision: 1},
		&wirepb.Identity{Identifier: "user:old", Map: []*wirepb.Link{{UserId: "new"}}, Revision: 1},
	)
	want := []string{
		"0 before any user:new ", "1 first user:new newcomer", "2 second user:new regular", "3 other anonymous:b stranger", "4 nobody anonymous:c ",
	}
	require.Equal(t, want, h.bi("session_id, profile, persona", "v_sessions ORDER BY session_id"))
	require.Equal(t, want, h.bi("session_id, profile, persona", "v_sessions ORDER BY session_id SETTINGS join_use_nulls = 1"))
	h.epoch("profile")
	require.Equal(t, []string{"0"}, h.bi("toString(countIf(persona != ''))", "v_sessions"), "the journeys of the epoch before are gone")
}

// What the views would stumble over as a whole is refused row by row.
func TestNumbersThatSayNothingAreRefused(t *testing.T) {
	for _, n := range []int32{-201, 201, 40_000} {
		p := touch("m1", "anonymous:a", minute(0))
		p.Sentiment = n
		b := NewTouchpointBatch()
		require.ErrorIs(t, b.Add(p), ErrRange)
		require.Zero(t, b.Len())
		require.ErrorIs(t, NewLateBatch().Add("o", "r", p), ErrRange)
		require.ErrorIs(t, NewTransitionBatch().Add(&wire.Transition{Sentiment: &n}), ErrRange)
	}
	for _, n := range []int{-1, 256} {
		b := NewFrictionBatch()
		require.ErrorIs(t, b.Add(&journey.Friction{Severity: n}), ErrRange)
		require.Zero(t, b.Len())
	}
	require.ErrorIs(t, NewFrictionBatch().Add(&journey.Friction{AtMillis: 1 << 60}), ErrTime)
}
