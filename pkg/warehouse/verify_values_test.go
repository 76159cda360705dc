package warehouse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// Each story breaks one value of goodHouse; the check must name it, and no other
// check may.
func TestVerifyFindsEachWrongValue(t *testing.T) {
	session := func(change func(*wirepb.Session)) func(*house) {
		return func(h *house) { s := goodSession(); change(s); h.sessions(s) }
	}
	journeys := func(change func(*wirepb.Journey)) func(*house) {
		return func(h *house) { j := goodJourney(); j.Revision = 9; change(j); h.journeys(j) }
	}
	step := func(change func(*wire.Transition)) func(*house) {
		return func(h *house) {
			s := goodStep(3, "x3", "consideration", "consideration", minute(45))
			s.Sentiment, s.Revision = new(int32(-25)), 9
			change(s)
			h.transitions(s)
		}
	}
	friction := func(change func(*journey.Friction)) func(*house) {
		return func(h *house) {
			f := goodFriction("f1", "bad_score", "a2", minute(30))
			f.Revision = 9
			change(f)
			h.frictions(f)
		}
	}
	stories := map[string]struct {
		corrupt func(*house)
		check   string
		want    string // the only difference of the report
	}{
		"a session with a page too many": {session(func(s *wirepb.Session) { s.Pages = 2 }), "values of sessions", "session s1 says 2 pages and has 1"},
		"a session that counts what a page loads": {func(h *house) {
			h.sessions(&wirepb.Session{
				SessionId: "s2", Identifier: "anonymous:a", Status: "open", StartedMs: minute(60) + 1, EndedMs: minute(60) + 1, MintedMs: minute(60) + 1, Touchpoints: 1,
				Pages: 1, Events: []*wirepb.EventCount{{Event: "other", Count: 1}}, Revision: 9,
			})
		}, "values of sessions", "session s2 says 1 pages and has 0"},
		"a session that counts an event twice": {
			session(func(s *wirepb.Session) { s.Events[0].Count = 2 }), "values of sessions",
			"session s1 says events [('other',1),('survey_answered',2)] and has [('other',1),('survey_answered',1)]",
		},
		"a session that counts an event as another": {
			session(func(s *wirepb.Session) { s.Events[0].Event = "rage_click" }), "values of sessions",
			"session s1 says events [('other',1),('rage_click',1)] and has [('other',2)]",
		},
		"a session that counts no others":     {session(func(s *wirepb.Session) { s.Events = s.Events[:1] }), "values of sessions", "and has [('other',1),('survey_answered',1)]"},
		"a session that counts no events":     {session(func(s *wirepb.Session) { s.Events = nil }), "values of sessions", "session s1 says events [] and has [('other',2)]"},
		"a session with a wrong sum":          {session(func(s *wirepb.Session) { s.SentimentSum = 150 }), "values of sessions", "session s1 says 1 scores of 150 hundredths and has 1 of -150"},
		"a session with a wrong count":        {session(func(s *wirepb.Session) { s.SentimentCount = 2 }), "values of sessions", "session s1 says 2 scores of -150 hundredths and has 1 of -150"},
		"a journey without the business":      {journeys(func(j *wirepb.Journey) { j.BusinessTouchpoints = 0 }), "values of journeys", "journey j1 says 0 touchpoints of the business and has 1"},
		"a journey without its evidence":      {journeys(func(j *wirepb.Journey) { j.SentimentSum, j.SentimentCount = 0, 0 }), "values of journeys", "journey j1 says 0 scores of 0 hundredths and has 2 of -50"},
		"a transition with later evidence":    {step(func(s *wire.Transition) { s.Sentiment = new(int32(100)) }), "values of transitions", "journey j1, transition 3 says sentiment 100 in hundredths and the evidence is -25"},
		"a transition without evidence":       {step(func(s *wire.Transition) { s.Sentiment = nil }), "values of transitions", "journey j1, transition 3 says sentiment none in hundredths and the evidence is -25"},
		"a transition by a stranger":          {step(func(s *wire.Transition) { s.TouchpointID = "b1" }), "values of transitions", "journey j1, transition 3 is caused by touchpoint b1 of anonymous:a, which is not in the journey"},
		"a transition at another time":        {step(func(s *wire.Transition) { s.AtMillis++ }), "values of transitions", "journey j1, transition 3 is at 2026-03-01 12:45:00.001 and its touchpoint at 2026-03-01 12:45:00.000"},
		"a friction of no touchpoint":         {friction(func(f *journey.Friction) { f.TouchpointID = "a9" }), "frictions", "friction f1, bad_score, is of touchpoint a9 of anonymous:a, which is not there"},
		"a friction of somebody else":         {friction(func(f *journey.Friction) { f.Profile = "user:u" }), "frictions", "friction f1, bad_score, is of user:u and its touchpoint of anonymous:a"},
		"a friction of another journey":       {friction(func(f *journey.Friction) { f.JourneyID = "j2" }), "frictions", "friction f1, bad_score, is in journey j2 and its touchpoint in j1"},
		"a friction in another session":       {friction(func(f *journey.Friction) { f.SessionID = "s2" }), "frictions", "friction f1, bad_score, is in session s2 and its touchpoint in s1"},
		"a friction on another channel":       {friction(func(f *journey.Friction) { f.Channel = "email" }), "frictions", "friction f1, bad_score, is on email and its touchpoint on web"},
		"a friction at another time":          {friction(func(f *journey.Friction) { f.AtMillis++ }), "frictions", "friction f1, bad_score, is at 2026-03-01 12:30:00.001 and its touchpoint at 2026-03-01 12:30:00.000"},
		"a friction in the stage before":      {friction(func(f *journey.Friction) { f.Stage = "awareness" }), "frictions", "friction f1, bad_score, is in stage awareness/ and its journey was in consideration/"},
		"a friction that is there twice":      {friction(func(f *journey.Friction) { f.ID = "twin" }), "frictions", "is there twice"},
		"an absence that struck at its start": {friction(func(f *journey.Friction) { f.Kind = "absence" }), "frictions", "friction f1, bad_score, is at 2026-03-01 12:30:00.000 and its touchpoint at 2026-03-01 12:30:00.000"},
		"a friction of what a page loads": {friction(func(f *journey.Friction) {
			f.ID, f.TouchpointID, f.SessionID, f.AtMillis = "f9", "a3", "s2", minute(60)+1
		}), "frictions", "friction f9, bad_score, is of something that a page loaded"},
	}
	shared := newHouse(t)
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			h := shared.of(t)
			h.makeGood()
			story.corrupt(h)
			r := h.verify()
			for _, c := range r.Checks {
				if c.Name != story.check {
					require.Zero(t, c.Differences, r.String())
					continue
				}
				require.NotZero(t, c.Differences, r.String())
				require.Contains(t, strings.Join(c.Examples, "\n"), story.want)
			}
		})
	}
}

// A friction whose touchpoint moved to the user with the rest of the history must
// move too.
func TestVerifyFindsAFrictionThatStayedBehind(t *testing.T) {
	h := goodHouse(t)
	h.identities(&wirepb.Identity{Identifier: "anonymous:b", Map: []*wirepb.Link{{FromMs: minute(0), MessageId: "b1", UserId: "u"}}, Epoch: 1, Revision: 9})
	h.journeys(&wirepb.Journey{JourneyId: "j2", Status: "void", MintedMs: minute(0), Revision: 9},
		&wirepb.Journey{JourneyId: "j3", Profile: "user:u", StartedMs: minute(0), EndedMs: minute(0), MintedMs: minute(0), Touchpoints: 2, Revision: 1})
	r := h.verify()
	require.EqualValues(t, 2, r.Differences(), r.String())
	require.Contains(t, r.String(), "friction f3, rage_click, is of anonymous:b and its touchpoint of user:u")
	require.Contains(t, r.String(), "friction f3, rage_click, is in journey j2 and its touchpoint in j3")

	moved := goodFriction("f4", "rage_click", "b2", minute(0))
	moved.Profile, moved.Identifier, moved.JourneyID, moved.SessionID, moved.Stage = "user:u", "anonymous:b", "j3", "s4", ""
	h.frictions(moved, &journey.Friction{ID: "f3", Profile: "anonymous:b", Name: "rage_click", Status: "void", AtMillis: minute(0), Revision: 9})
	r = h.verify()
	require.Zero(t, r.Differences(), r.String())
}

// What says of itself that it is not exact is not compared.
func TestVerifyLeavesOutWhatIsFlagged(t *testing.T) {
	h := goodHouse(t)
	s := goodSession()
	s.Pages, s.Oversized = 9, true
	h.sessions(s)
	j := goodJourney()
	j.SentimentSum, j.Approximate, j.Revision = 9, true, 9
	h.journeys(j)
	f := goodFriction("f1", "bad_score", "a2", minute(30))
	f.Stage, f.Revision = "awareness", 9
	h.frictions(f)
	r := h.verify()
	require.Zero(t, r.Differences(), r.String())
}
