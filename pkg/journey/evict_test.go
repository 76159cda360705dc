package journey

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// faithful is a model of two stages whose personas tell how often somebody came:
// "loyal" from the second journey on, "buyer" after event 1 of the counted.
func faithful() *Model {
	m := short()
	m.CountedEvents = []string{"b"}
	m.Personas = []Persona{
		{Name: "loyal", Where: func(b *Behaviour) bool { return b.Journeys >= 3 }},
		{Name: "buyer", Where: func(b *Behaviour) bool { return b.EventCounts[0] >= 1 && b.Journeys >= 2 }},
	}
	m.Frictions = []FrictionRule{
		{Name: "failed", Severity: 1, Event: &Rule{Events: []string{"a"}}},
		{Name: "waiting", Severity: 1, Absence: &Absence{After: Rule{Events: []string{"b"}}, Without: Rule{Actor: ActorBusiness, Events: []string{"reply"}}, For: hour}},
	}
	return m.Compile()
}

// visits plays one touchpoint, "b" then "a" and so on, every five hours: each is a
// journey of its own. The rows emitted, as readers see them, are kept in see.
func visits(m *Model, p *Profile, n int, see *readers, record func(now int64) int64) {
	for i := range n {
		now := start + int64(i)*5*hour
		t := Touchpoint{
			MessageID: fmt.Sprintf("m%04d", i), Identifier: "anonymous:a", Event: []string{"b", "a"}[i%2], Actor: ActorCustomer,
			Time: now, Received: now, SessionID: "s",
		}
		p.Add(m.Point(&t))
		see.take(p.Refold(m, Instant{Now: now, Record: record(now)}))
	}
}

// readers hold what the warehouse holds of a profile.
type readers struct {
	journeys    map[string]Journey
	transitions map[string]Transition
	frictions   map[string]Friction
	voids       int
}

func newReaders() *readers {
	return &readers{journeys: map[string]Journey{}, transitions: map[string]Transition{}, frictions: map[string]Friction{}}
}

func (r *readers) take(c ProfileChanges) {
	for _, v := range c.Voids {
		r.voids++
		delete(r.journeys, v.ID)
	}
	for _, j := range c.Journeys {
		r.journeys[j.ID] = Journey{
			ID: j.ID, Start: j.Start, End: j.End, Persona: j.Persona, Lapsed: j.Lapsed, Approximate: j.Approximate,
			Standing: Standing{Touchpoints: j.Touchpoints, Business: j.Business, Sessions: j.Sessions},
		}
	}
	for _, t := range c.Transitions {
		key := fmt.Sprint(t.JourneyID, "/", t.Seq)
		if t.Status == StatusVoid {
			r.voids++
			delete(r.transitions, key)
			continue
		}
		r.transitions[key] = t
	}
	for _, f := range c.Frictions {
		if f.Status == StatusVoid {
			r.voids++
			delete(r.frictions, f.ID)
			continue
		}
		r.frictions[f.ID] = f
	}
}

func wall(now int64) int64 { return now }

func never(int64) int64 { return 0 }

// TestDroppedJourneysLeaveTheirRows: state of old journeys is dropped, the first
// ones only; what readers hold is the same as if nothing ever were, and what
// comes later gets the persona and the number of journeys that it would have.
func TestDroppedJourneysLeaveTheirRows(t *testing.T) {
	m := faithful()
	whole, dropping := &Profile{ID: "user:a"}, &Profile{ID: "user:a"}
	want, got := newReaders(), newReaders()
	visits(m, whole, 12, want, never)
	visits(m, dropping, 12, got, wall)
	require.Len(t, whole.Journeys, 12)
	require.Less(t, len(dropping.Journeys), 4, "horizon + gap + 5 min is less than an hour and a visit")
	require.Less(t, len(dropping.Points()), 4)
	require.Zero(t, got.voids)
	require.Equal(t, want, got)
	personas := map[string]int{}
	for _, j := range got.journeys {
		personas[j.Persona]++
		require.False(t, j.Approximate)
	}
	require.Equal(t, map[string]int{"": 1, "buyer": 1, "loyal": 10}, personas)
	require.Empty(t, dropping.Refold(m, Instant{}).Journeys, "reading it again changes nothing")
	require.Equal(t, uint64(12), dropping.now.behaviour.Journeys)
	require.Equal(t, whole.now.behaviour, dropping.now.behaviour)
}

// TestDroppedStateIsReadBack: the same, with all that is decoded lost after each
// touchpoint. What is kept is what the codec keeps.
func TestDroppedStateIsReadBack(t *testing.T) {
	m := faithful()
	whole, want, got := &Profile{ID: "user:a"}, newReaders(), newReaders()
	visits(m, whole, 12, want, never)
	p := &Profile{ID: "user:a"}
	for i := range 12 {
		now := start + int64(i)*5*hour
		tp := Touchpoint{
			MessageID: fmt.Sprintf("m%04d", i), Identifier: "anonymous:a", Event: []string{"b", "a"}[i%2], Actor: ActorCustomer,
			Time: now, Received: now, SessionID: "s",
		}
		p.Add(m.Point(&tp))
		got.take(p.Refold(m, at(now)))
		p = readBack(p)
	}
	require.Equal(t, want, got)
}

// readBack is what a profile is after a restart.
func readBack(p *Profile) *Profile {
	p.struckAnew = true
	list, _ := p.TakeFrictions()
	q := &Profile{ID: p.ID, Past: p.Past, Touched: p.Touched}
	for _, j := range p.Journeys {
		k := &Journey{
			ID: j.ID, Start: j.Start, End: j.End, Minted: j.Minted, Absorbed: j.Absorbed, Live: j.Live, Approximate: j.Approximate,
			Base: j.Base, Emitted: j.Emitted, EmittedFrom: j.EmittedFrom, Lapsed: j.Lapsed, Touched: j.Touched,
		}
		k.Restored(j.Published())
		q.Journeys = append(q.Journeys, k)
	}
	q.Restore(p.Points())
	q.RestoreFrictions(list)
	return q
}

// TestOnlyTheFirstJourneysAreDropped: one that was touched late keeps all behind
// it, so that what is kept is always the end of the history.
func TestOnlyTheFirstJourneysAreDropped(t *testing.T) {
	m := short()
	p := &Profile{ID: "user:a"}
	for i := range 3 {
		p.Add(pt("user:a", fmt.Sprint("m", i), start+int64(i)*5*hour, 1))
	}
	p.Refold(m, at(start+10*hour))
	require.Len(t, p.Journeys, 3, "all three arrived at the same time")
	first := start + 10*hour + m.keepJourneys() - 1
	late := pt("user:a", "late", start+1, 2)
	p.Add(late)
	p.Refold(m, at(first))
	keep := m.keepJourneys()
	p.Refold(m, at(first+keep))
	require.Len(t, p.Journeys, 3, "the first was touched last")
	p.Refold(m, at(first+keep+1))
	require.Empty(t, p.Journeys)
	require.Empty(t, p.Points())
	require.Equal(t, start+10*hour, p.Past.Evicted)
}

// TestJourneyThatWasSplitOffKeepsItsAge: one that comes of a split is as old as the
// arrivals of its points, not older than all: it is not dropped at once.
func TestJourneyThatWasSplitOffKeepsItsAge(t *testing.T) {
	m := short()
	p := &Profile{ID: "user:a"}
	for i := range 3 { // one journey
		p.Add(pt("user:a", fmt.Sprint("m", i), start+int64(i)*90*minute, 1))
	}
	now := start + day
	p.Refold(m, at(now))
	require.Len(t, p.Journeys, 1)
	lose := func(message string) {
		p.drop(func(p *Point) bool { return p.MessageID == message })
		p.Refold(m, at(now))
	}
	lose("m1") // moves to another profile
	require.Len(t, p.Journeys, 2)
	lose("m0")
	require.Len(t, p.Journeys, 1, "the second is still there, its points came only now")
	require.Len(t, p.Points(), 1)
}

// TestOpenJourneysAreKept: a journey that has not lapsed is never dropped, and
// without a horizon none is.
func TestOpenJourneysAreKept(t *testing.T) {
	m := short()
	p := &Profile{ID: "user:a"}
	p.Add(pt("user:a", "m", start, 1))
	p.Refold(m, at(start))
	p.Refold(m, Instant{Now: start + m.JourneyGap, Record: start + day})
	require.Len(t, p.Journeys, 1, "its clock stands")
	require.False(t, p.Journeys[0].Lapsed)
	m.Lateness = 0
	p.Refold(m, at(start+1000*day))
	require.Len(t, p.Journeys, 1)
	require.True(t, p.Journeys[0].Lapsed)
}

// TestNothingIsDueWithoutEnd: what a profile waits for lies ahead, once it has been
// looked at: else its timer would fire without end.
func TestNothingIsDueWithoutEnd(t *testing.T) {
	for _, lateness := range []int64{0, hour} {
		t.Run(fmt.Sprint("lateness ", lateness), func(t *testing.T) {
			m := faithful()
			m.Lateness = lateness
			for _, business := range []bool{false, true} {
				p := &Profile{ID: "user:a"}
				tp := Touchpoint{MessageID: "m", Identifier: "anonymous:a", Event: "b", Actor: ActorCustomer, Time: start, Received: start}
				if business {
					tp.Actor = ActorBusiness
				}
				p.Add(m.Point(&tp))
				now := start
				p.Refold(m, at(now))
				for range 10 {
					due := p.Due(m)
					if due == 0 {
						break
					}
					require.Greater(t, due, now, "business %v: the timer would fire at once, again and again", business)
					now = due
					p.Refold(m, at(now))
				}
				require.Zero(t, p.Due(m), "business %v", business)
				require.Equal(t, lateness > 0, len(p.Points()) == 0)
			}
		})
	}
}

// TestPointBeforeWhatWasDropped: its journey may lack what was dropped, and says so.
func TestPointBeforeWhatWasDropped(t *testing.T) {
	m := short()
	for after, approximate := range map[int64]bool{-day: true, 0: true, m.JourneyGap: true, m.JourneyGap + 1: false} {
		p := &Profile{ID: "user:a"}
		p.Add(pt("user:a", "m", start, 1))
		p.Refold(m, at(start))
		p.Refold(m, at(start+day))
		require.Empty(t, p.Journeys)
		p = readBack(p)
		p.Add(pt("user:a", "b", start+after, 1))
		see := newReaders()
		see.take(p.Refold(m, at(start+day+1)))
		require.Len(t, p.Journeys, 1)
		require.Equal(t, approximate, p.Journeys[0].Approximate, "%d ms after the journey that was dropped", after)
		require.Zero(t, see.voids)
	}
}

// TestProfilesOfTheBusinessShedTheirPoints: points in no journey, and those of a
// home whose rows another has, go when nothing can come to them in time.
func TestProfilesOfTheBusinessShedTheirPoints(t *testing.T) {
	m := short()
	homes := map[string]func(h *Home){
		"business": func(h *Home) {
			p := pt("user:a", "m", start, 0)
			p.Business = true
			h.Add(p)
		},
		"parked": func(h *Home) {
			h.Add(pt("user:a", "m", start, 1))
			h.Join(Join{To: h.ID, Edges: []Edge{{Time: start, MessageID: "e", Identifier: "user:a", From: "user:a", To: "user:b"}}})
		},
	}
	for name, begin := range homes {
		t.Run(name, func(t *testing.T) {
			h := &Home{Maps: map[string]KnownMap{"anonymous:a": {Epoch: 1}}}
			h.ID = "user:a"
			begin(h)
			h.Refold(m, at(start))
			h.TakeLearned()
			require.Empty(t, h.Journeys)
			require.Equal(t, start+m.keepJourneys()+1, h.Due(m), "a timer sees to it")
			h.Refold(m, at(start+m.keepJourneys()))
			require.Len(t, h.Points(), 1)
			c := h.Refold(m, at(start+m.keepJourneys()+1))
			require.Empty(t, h.Points())
			require.Equal(t, []int64{start}, c.Times, "its row is to be deleted")
			require.Zero(t, h.Due(m))
			if name == "business" {
				require.Equal(t, []string{"anonymous:a"}, h.TakeLearned(), "a home without points needs no maps")
			} else {
				require.True(t, h.Union.Inexact, "another home may ask for them")
			}
		})
	}
}

// TestLongProfileIsBounded: two hundred thousand touchpoints of one profile leave
// a bounded state.
func TestLongProfileIsBounded(t *testing.T) {
	m := faithful()
	p := &Profile{ID: "user:a"}
	for i := range int64(200_000) {
		pt := pt("user:a", fmt.Sprintf("m%07d", i), start+i*1000, 1<<(i%2))
		pt.Troubles = 1
		p.Add(pt)
		if i%1000 == 999 {
			p.Refold(m, at(pt.Time))
			require.LessOrEqual(t, p.Weight(), 1200+900+PointWeight*MaxPoints+1500*(MaxPoints/readingStep+1))
			require.LessOrEqual(t, len(p.frictions), MaxPoints+foldAway)
			require.LessOrEqual(t, len(p.Journeys[0].Emitted), MaxPoints+1000)
		}
	}
	require.Equal(t, uint64(200_000), p.Journeys[0].Touchpoints)
	require.False(t, p.Journeys[0].Approximate)
}

// TestPointsOfAnyTime: touchpoints dated 1970, 2099 and beyond are read, dropped
// and folded without a panic.
func TestPointsOfAnyTime(t *testing.T) {
	times := []int64{-day, 0, 1, start, 4_070_908_800_000, math.MaxInt64 / 2, math.MaxInt64, math.MinInt64}
	rapid.Check(t, func(t *rapid.T) {
		m := faithful()
		p := &Profile{ID: "user:a"}
		for i := range rapid.IntRange(1, 12).Draw(t, "points") {
			pt := pt("user:a", fmt.Sprint("m", i), rapid.SampledFrom(times).Draw(t, "time"), rapid.Uint64Range(0, 3).Draw(t, "rules"))
			pt.Business, pt.Troubles = rapid.Bool().Draw(t, "business"), rapid.Uint64Range(0, 15).Draw(t, "troubles")
			p.Add(pt)
			if rapid.Bool().Draw(t, "fold") {
				p.Refold(m, at(rapid.SampledFrom(times).Draw(t, "now")))
				p.Due(m)
			}
			if rapid.IntRange(0, 5).Draw(t, "restart") == 0 {
				p.Refold(m, at(start))
				p = readBack(p)
			}
		}
		p.Refold(m, at(math.MaxInt64))
	})
}

// TestAnOpenAbsenceIsDueAfterPointsWereFoldedAway: what is due must not be
// forgotten with the points.
func TestAnOpenAbsenceIsDueAfterPointsWereFoldedAway(t *testing.T) {
	m := twoStages()
	m.Frictions = []FrictionRule{{Name: "abandoned", Absence: &Absence{
		After: Rule{Events: []string{"c"}, After: -1}, Without: Rule{Events: []string{"d"}, After: -1}, For: 30 * minute,
	}}}
	m.Compile()
	p := &Profile{ID: "anonymous:a"}
	for i := range MaxPoints {
		p.Add(pt("anonymous:a", fmt.Sprintf("m%05d", i), int64(i), 1))
	}
	checkout := pt("anonymous:a", "checkout", MaxPoints, 0)
	checkout.Troubles = 1
	p.Add(checkout)
	p.Refold(m, Instant{Now: MaxPoints + 1})
	if want := int64(MaxPoints) + 30*minute + 1; p.Due(m) != want {
		t.Errorf("due at %d, want %d", p.Due(m), want)
	}
}

// TestValuesOfARepetitionAreBounded: whoever makes up a new value each time gets
// no memory for all of them.
func TestValuesOfARepetitionAreBounded(t *testing.T) {
	var trouble Trouble
	rule := &Repetition{AtLeast: 3, Within: 24 * 60 * minute}
	for i := range 20_000 {
		trouble.repeat(rule, uint64(i), int64(i))
	}
	if n := len(trouble.Repetitions); n > maxValues {
		t.Errorf("%d values are remembered, bound is %d", n, maxValues)
	}
	trouble.repeat(rule, 19_999, 20_000)
	if !trouble.repeat(rule, 19_999, 20_001) {
		t.Error("the newest value was forgotten")
	}
}

// TestIdentifiersOfAJourneyAreForgotten: a user id that is used with ever new
// identifiers, one a visit, keeps no end of each; the sessions are counted right.
func TestIdentifiersOfAJourneyAreForgotten(t *testing.T) {
	m := twoStages()
	s := newStanding()
	for i := range 10_000 {
		p := pt(fmt.Sprintf("anonymous:%d", i), "m", int64(i)*minute, 1)
		s.add(m, &p)
	}
	if len(s.Ends) > 4*manyEnds || s.Sessions != 10_000 {
		t.Errorf("%d ends are kept of %d sessions", len(s.Ends), s.Sessions)
	}
}

// TestAnInexactMemberStaysSo: what was folded away before a first alias is missing
// from every copy after it, and the last holder must say so.
func TestAnInexactMemberStaysSo(t *testing.T) {
	m := twoStages()
	h := &Home{}
	h.ID = "user:1"
	for i := range MaxPoints + 1 {
		h.Add(pt("anonymous:x", fmt.Sprintf("m%05d", i), int64(i), 1))
	}
	h.Refold(m, Instant{})
	h.Join(Join{To: h.ID, Edges: []Edge{{Time: 1, MessageID: "a", From: "user:1", To: "user:2"}}})
	h.Refold(m, Instant{})
	_, copies := h.Join(Join{To: h.ID, Edges: []Edge{{Time: 2, MessageID: "b", From: "user:2", To: "user:3"}}})
	told := false
	for _, c := range copies {
		told = told || c.To == "user:3" && c.Inexact
	}
	if !told {
		t.Error("user 3 is not told that points are missing")
	}
}

// TestAParkedHomeTellsWhatItDrops: points that a parked home no longer has cannot
// be taken back from the home that counts them, which must say so.
func TestAParkedHomeTellsWhatItDrops(t *testing.T) {
	m := twoStages()
	h := &Home{}
	h.ID = "user:1"
	h.Join(Join{To: h.ID, Edges: []Edge{{Time: 1, MessageID: "a", From: "user:1", To: "user:2"}}})
	for i := range MaxPoints + 1 {
		h.Add(pt("anonymous:x", fmt.Sprintf("m%05d", i), int64(i), 1))
	}
	h.Refold(m, Instant{})
	other := &Home{}
	other.ID = "user:2"
	for _, c := range h.TakeCopies() {
		other.Copy(c)
	}
	other.Refold(m, Instant{})
	if !other.Journeys[0].Approximate {
		t.Error("the journey with the dropped points is not flagged")
	}
}

// TestAnOldPointBeforeABaseMakesItsJourney: with nothing but a base left, a point
// that comes long before it must not count as an extension of it.
func TestAnOldPointBeforeABaseMakesItsJourney(t *testing.T) {
	m := twoStages()
	p := &Profile{ID: "user:1"}
	start := 3 * m.JourneyGap
	for i := range MaxPoints + 1 {
		p.Add(pt("anonymous:x", fmt.Sprintf("m%05d", i), start+int64(i), 1))
	}
	p.Refold(m, Instant{})
	p.drop(func(*Point) bool { return true })
	p.Refold(m, Instant{})
	p.Add(pt("user:1", "old", 1, 1))
	p.Refold(m, Instant{})
	if len(p.Journeys) != 2 {
		t.Errorf("%d journeys, want 2", len(p.Journeys))
	}
}
