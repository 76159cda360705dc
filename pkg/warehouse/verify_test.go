package warehouse

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

const gap = 30 * time.Minute

// goodHouse holds, correctly, example 1 of the semantics (A@0, A@30, A@60:00.001,
// business A@45: sessions [0,30] x2, [60:00.001] x1), another identifier at the
// same times, a merged session, and two journeys, one of three transitions, with
// evidence of the customer (-1.5) and of the business (+1), and three frictions.
func goodHouse(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	h.makeGood()
	return h
}

// of is the same house for another test.
func (h *house) of(t *testing.T) *house {
	t.Helper()
	return &house{t, h.conn, h.ns}
}

// makeGood empties the tables and fills them as goodHouse says: much cheaper than
// another house.
func (h *house) makeGood() {
	h.t.Helper()
	for _, table := range []Table{TableTouchpoints, TableRejected, TableSessions, TableJourneys, TableTransitions, TableFrictions, TableIdentities, TableQuality} {
		h.exec("TRUNCATE TABLE " + h.ns + "." + string(table))
	}
	at := func(id, identifier, session string, ms int64) *wirepb.Touchpoint {
		p := touch(id, identifier, ms)
		p.SessionId = session
		return p
	}
	page := at("a1", "anonymous:a", "s1", minute(0))
	page.Type, page.Event = "page", "page_viewed"
	survey := at("a2", "anonymous:a", "s1", minute(30))
	survey.Event, survey.Sentiment, survey.SentimentSource = "survey_answered", -150, "nps"
	business := at("x3", "anonymous:a", "", minute(45))
	business.Actor, business.Sentiment, business.SentimentSource = "business", 100, "text"
	image := at("a3", "anonymous:a", "s2", minute(60)+1)
	image.Type, image.Event, image.Flags = "page", "page_viewed", journey.FlagAsset
	identify := at("b1", "anonymous:b", "s3", minute(0))
	identify.Type, identify.Event = "identify", ""
	h.touchpoints(
		page, survey, image, business,
		identify, at("b2", "anonymous:b", "s4", minute(0)), // s4 merged into s3
	)
	session := func(id, identifier, status, into string, from, to int64, n, revision uint64, events ...*wirepb.EventCount) *wirepb.Session {
		return &wirepb.Session{SessionId: id, Identifier: identifier, Status: status, MergedInto: into, StartedMs: from, EndedMs: to, MintedMs: from, Touchpoints: n, Revision: revision, Events: events}
	}
	s1 := goodSession()
	s1.Revision = 2
	h.sessions(
		s1, session("s1", "anonymous:a", "open", "", minute(0), minute(0), 1, 1),
		session("s2", "anonymous:a", "open", "", minute(60)+1, minute(60)+1, 1, 1, &wirepb.EventCount{Event: "other", Count: 1}),
		session("s3", "anonymous:b", "open", "", minute(0), minute(0), 2, 3, &wirepb.EventCount{Event: "product_viewed", Count: 1}), session("s4", "anonymous:b", "void", "s3", minute(0), minute(0), 0, 3),
	)
	h.quality(&wirepb.Quality{MinuteMs: minute(0), Source: "shop", Accepted: 8, Touchpoints: 6, Duplicates: 1, Rejected: 1, Revision: 1})
	rejects := NewRejectedBatch()
	rejects.Add(&Rejected{Origin: h.ns + ".touchpoints.raw/0/1", Reason: "bad_json", Revision: 1})
	rejects.Add(&Rejected{Origin: h.ns + ".sessions/0/1", Reason: "sink_undecodable"})
	h.insert(rejects)
	h.journeys(goodJourney(),
		&wirepb.Journey{JourneyId: "j2", Profile: "anonymous:b", StartedMs: minute(0), EndedMs: minute(0), MintedMs: minute(0), Touchpoints: 2, Revision: 1})
	first, second, third := goodStep(1, "a1", "", "awareness", minute(0)), goodStep(2, "a2", "awareness", "consideration", minute(30)), goodStep(3, "x3", "consideration", "consideration", minute(45))
	second.Sentiment, third.Sentiment = new(int32(-150)), new(int32(-25))
	h.transitions(first, second, third)
	absence := goodFriction("f2", "no_reply", "x3", minute(45))
	absence.Kind, absence.AtMillis, absence.SessionID = "absence", minute(45+240), ""
	merged := goodFriction("f3", "rage_click", "b2", minute(0))
	merged.Profile, merged.Identifier, merged.JourneyID, merged.SessionID, merged.Stage = "anonymous:b", "anonymous:b", "j2", "s4", ""
	h.frictions(goodFriction("f1", "bad_score", "a2", minute(30)), absence, merged)
}

// goodSession is s1 of goodHouse, with a revision above it.
func goodSession() *wirepb.Session {
	return &wirepb.Session{
		SessionId: "s1", Identifier: "anonymous:a", Status: "closed", StartedMs: minute(0), EndedMs: minute(30), MintedMs: minute(0), Touchpoints: 2, Pages: 1,
		Events: []*wirepb.EventCount{{Event: "survey_answered", Count: 1}, {Event: "other", Count: 1}}, SentimentSum: -150, SentimentCount: 1, Revision: 99,
	}
}

// goodJourney is j1 of goodHouse.
func goodJourney() *wirepb.Journey {
	return &wirepb.Journey{
		JourneyId: "j1", Profile: "anonymous:a", StartedMs: minute(0), EndedMs: minute(60) + 1, MintedMs: minute(0), Touchpoints: 3, BusinessTouchpoints: 1,
		Transitions: 3, Stage: "consideration", SentimentSum: -50, SentimentCount: 2, Revision: 1,
	}
}

// goodStep is a transition of j1, without evidence.
func goodStep(seq uint32, touchpoint, from, to string, ms int64) *wire.Transition {
	direction := journey.DirectionAdvance
	if from == to {
		direction = journey.DirectionWithin
	}
	return &wire.Transition{
		JourneyID: "j1", Seq: seq, Profile: "anonymous:a", From: from, To: to, Direction: direction, AtMillis: ms, TouchpointID: touchpoint,
		Identifier: "anonymous:a", Revision: 1,
	}
}

// goodFriction is an event of j1, in consideration.
func goodFriction(id, name, touchpoint string, ms int64) *journey.Friction {
	return &journey.Friction{
		ID: id, Profile: "anonymous:a", JourneyID: "j1", Name: name, Kind: "event", Severity: 2, Stage: "consideration", AtMillis: ms, TouchpointID: touchpoint,
		Identifier: "anonymous:a", SessionID: "s1", Channel: "web", Revision: 1,
	}
}

func (h *house) verify() Report {
	h.t.Helper()
	r, err := Verify(h.t.Context(), h.conn, h.ns, VerifyOptions{Gap: gap, JourneyGap: 90 * 24 * time.Hour})
	require.NoError(h.t, err)
	return r
}

func TestVerifyFindsNothingWhereNothingIsWrong(t *testing.T) {
	h := goodHouse(t)
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shop()))
	r := h.verify()
	require.Zero(t, r.Differences(), r.String())
	require.True(t, strings.HasSuffix(r.String(), "\nverify: 0 differences"), r.String())
	var sessions Check
	for _, c := range r.Checks {
		require.NotZero(t, c.Found, "the check of %s looked at nothing", c.Name)
		require.Equal(t, c.Expected, c.Found, c.Name)
		if c.Name == "sessions" {
			sessions = c
		}
	}
	require.EqualValues(t, 3, sessions.Expected)
}

func TestVerifyOfAnEmptyNamespace(t *testing.T) {
	h := newHouse(t)
	require.Zero(t, h.verify().Differences())
	_, err := Verify(t.Context(), h.conn, h.ns, VerifyOptions{})
	require.ErrorContains(t, err, "gap is unknown")
	require.NoError(t, PutModel(t.Context(), h.conn, h.ns, shop()))
	_, err = Verify(t.Context(), h.conn, h.ns, VerifyOptions{})
	require.NoError(t, err)
}

// Each story breaks one thing; verify must say which.
func TestVerifyFindsEachKindOfCorruption(t *testing.T) {
	newer := func(s *wirepb.Session) *wirepb.Session { s.Revision = 99; return s }
	s1 := goodSession
	stories := map[string]struct {
		corrupt func(h *house)
		check   string
		want    string // in an example of that check
	}{
		"a touchpoint that was lost on the way": {func(h *house) {
			h.exec("ALTER TABLE " + h.ns + ".touchpoints DELETE WHERE message_id = 'a2' SETTINGS mutations_sync = 1")
		}, "sessions", "session of anonymous:a at 2026-03-01 12:00:00.000"},
		"a touchpoint that no counter knows": {func(h *house) { h.touchpoints(touch("b3", "anonymous:b", minute(1))) }, "accounting of rows", "touchpoints: 6 counted, 7 rows"},
		"a session with a wrong count":       {func(h *house) { s := s1(); s.Touchpoints = 3; h.sessions(s) }, "sessions", "('2026-03-01 12:30:00.000',3)"},
		"a session with a wrong end":         {func(h *house) { s := s1(); s.EndedMs++; h.sessions(s) }, "sessions", "12:30:00.001"},
		"a session with a wrong start":       {func(h *house) { s := s1(); s.StartedMs++; h.sessions(s) }, "sessions", "at 2026-03-01 12:00:00.001: computed []"},
		"a session of somebody else":         {func(h *house) { s := s1(); s.Identifier = "anonymous:z"; h.sessions(s) }, "sessions", "session of anonymous:z"},
		"a session that is missing":          {func(h *house) { s := s1(); s.Status = "void"; h.sessions(s) }, "sessions", "found []"},
		"a session that is there twice": {
			func(h *house) { s := s1(); s.SessionId = "twin"; h.sessions(s) }, "sessions",
			"found [('2026-03-01 12:30:00.000',2),('2026-03-01 12:30:00.000',2)]",
		},
		"a pause that equals the gap and was split": {func(h *house) {
			s := s1()
			s.EndedMs, s.Touchpoints = minute(0), 1
			other := s1()
			other.SessionId, other.StartedMs, other.Touchpoints = "s1b", minute(30), 1
			h.sessions(s, other)
		}, "sessions", "session of anonymous:a at 2026-03-01 12:30:00.000: computed []"},
		"a touchpoint that names a session which is gone": {func(h *house) {
			p := touch("a1", "anonymous:a", minute(0))
			p.SessionId, p.Revision = "s9", 9
			h.touchpoints(p)
		}, "session ids of touchpoints", "session s9: 0 touchpoints"},
		"a merged session that names another survivor": {func(h *house) {
			h.sessions(newer(&wirepb.Session{SessionId: "s4", Identifier: "anonymous:b", Status: "void", MergedInto: "s1", MintedMs: minute(0)}))
		}, "session ids of touchpoints", "session s1: 2 touchpoints of anonymous:a in the session, 3 of anonymous:a, anonymous:b name it"},
		"a record that is counted nowhere": {func(h *house) {
			h.quality(&wirepb.Quality{MinuteMs: minute(0), Source: "shop", Accepted: 9, Touchpoints: 6, Duplicates: 1, Rejected: 1, Revision: 2})
		}, "accounting per minute and source", "source shop"},
		"losses and doubles that cancel out": {func(h *house) {
			h.quality(&wirepb.Quality{MinuteMs: minute(5), Source: "shop", Accepted: 1, Revision: 1}, &wirepb.Quality{MinuteMs: minute(5), Source: "till", Duplicates: 1, Revision: 1})
		}, "accounting per minute and source", "is off by -1"},
		"a late row that is missing": {func(h *house) {
			h.quality(&wirepb.Quality{MinuteMs: minute(5), Source: "shop", Accepted: 1, Late: 1, Revision: 1})
		}, "accounting of rows", "late: 1 counted, 0 rows"},
		"a rejected record that is missing": {func(h *house) {
			h.exec("ALTER TABLE " + h.ns + ".rejected DELETE WHERE reason = 'bad_json' SETTINGS mutations_sync = 1")
		}, "accounting of rows", "rejected: 1 counted, 0 rows"},
		"a hole in the transitions": {func(h *house) {
			h.transitions(&wire.Transition{JourneyID: "j1", Seq: 2, Status: "void", AtMillis: minute(30), Revision: 9})
		}, "transitions", "transitions are numbered [1,3]"},
		"transitions that do not join": {func(h *house) {
			h.transitions(&wire.Transition{JourneyID: "j1", Seq: 2, From: "decision", To: "consideration", AtMillis: minute(30), Revision: 9})
		}, "transitions", "stages left and entered do not join"},
		"transitions back in time": {func(h *house) {
			h.transitions(&wire.Transition{JourneyID: "j1", Seq: 1, To: "awareness", AtMillis: minute(31), Revision: 9})
		}, "transitions", "times do not ascend"},
		"more transitions than the journey says": {func(h *house) {
			h.transitions(&wire.Transition{JourneyID: "j1", Seq: 4, From: "consideration", To: "consideration", AtMillis: minute(61), Revision: 9})
		}, "transitions", "says 3 transitions and has 4"},
		"a journey that lost a touchpoint": {func(h *house) {
			h.journeys(&wirepb.Journey{JourneyId: "j2", Profile: "anonymous:b", StartedMs: minute(0), EndedMs: minute(0), MintedMs: minute(0), Touchpoints: 1, Revision: 9})
		}, "journeys", "journey of anonymous:b at 2026-03-01 12:00:00.000: computed [('2026-03-01 12:00:00.000',2)], found [('2026-03-01 12:00:00.000',1)]"},
		"history that did not move to the user": {func(h *house) {
			h.identities(&wirepb.Identity{Identifier: "anonymous:b", Map: []*wirepb.Link{{FromMs: minute(9), MessageId: "z", UserId: "u"}}, Epoch: 1, Revision: 9})
		}, "journeys", "journey of user:u at 2026-03-01 12:00:00.000: computed [('2026-03-01 12:00:00.000',2)], found []"},
		"a journey in a stage it did not enter": {func(h *house) {
			h.journeys(&wirepb.Journey{JourneyId: "j1", Profile: "anonymous:a", MintedMs: minute(0), Transitions: 3, Stage: "purchase", Revision: 9})
		}, "transitions", "says stage purchase and entered consideration last"},
		"transitions of a journey that was withdrawn": {func(h *house) {
			h.journeys(&wirepb.Journey{JourneyId: "j1", Status: "void", MintedMs: minute(0), Revision: 9})
		}, "transitions", "has transitions and is no journey"},
		"a journey that lost all its transitions": {func(h *house) { h.exec("TRUNCATE TABLE " + h.ns + ".transitions") }, "transitions", "says 3 transitions and has 0"},
	}
	shared := newHouse(t)
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			h := shared.of(t)
			h.makeGood()
			story.corrupt(h)
			r := h.verify()
			require.NotZero(t, r.Differences())
			require.False(t, strings.HasSuffix(r.String(), " 0 differences"))
			for _, c := range r.Checks {
				if c.Name == story.check {
					require.NotZero(t, c.Differences, r.String())
					require.Contains(t, strings.Join(c.Examples, "\n"), story.want)
					return
				}
			}
			t.Fatalf("no check is named %s", story.check)
		})
	}
}

func TestVerifyNamesTheFirstFewAndCountsAll(t *testing.T) {
	h := newHouse(t)
	var list []*wirepb.Touchpoint
	for i := range 25 {
		list = append(list, touch("m", "anonymous:"+string(rune('a'+i)), minute(0)))
	}
	h.touchpoints(list...)
	r, err := Verify(t.Context(), h.conn, h.ns, VerifyOptions{Gap: gap, JourneyGap: 90 * 24 * time.Hour, Examples: 3})
	require.NoError(t, err)
	require.Len(t, r.Checks[0].Examples, 3)
	require.EqualValues(t, 25, r.Checks[0].Differences)
	require.EqualValues(t, 25, r.Checks[0].Expected)
	require.Zero(t, r.Checks[0].Found)
	require.Contains(t, r.String(), "and 22 more")
}
