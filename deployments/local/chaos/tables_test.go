//go:build linux

package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// rightTopics are the records of a run in which all is right, by topic, with two
// transitions for each journey and one session that was another's.
type rightTopics struct {
	touchpoints []*wirepb.Touchpoint
	sessions    []*wirepb.Session
	journeys    []*wirepb.Journey
	transitions []*wire.Transition
	quality     []*wirepb.Quality
	raw         uint64
	late        uint64
}

func right(t *testing.T, o *oracle) *rightTopics {
	t.Helper()
	w := &rightTopics{raw: o.books.accepted, late: o.books.late}
	revision := uint64(0)
	next := func() uint64 { revision++; return revision }
	ids := map[start]string{}
	for at, s := range o.sessions {
		id := fmt.Sprint("s", len(ids))
		ids[at] = id
		row := &wirepb.Session{SessionId: id, Identifier: o.names[at.identifier], Status: "open", StartedMs: at.time, EndedMs: at.time, Touchpoints: 1, Revision: next()}
		last := row.CloneVT()
		last.EndedMs, last.Touchpoints, last.Revision = s.end, s.touchpoints, next()
		w.sessions = append(w.sessions, row, last)
	}
	w.sessions = append(w.sessions, &wirepb.Session{SessionId: "absorbed", Status: "void", MergedInto: "s0", Revision: next()})
	for i := range o.points {
		p := &o.points[i]
		row := &wirepb.Touchpoint{MessageId: p.message, Identifier: o.names[p.identifier], TimeMs: p.time, Actor: "business"}
		if !p.business {
			row.Actor, row.SessionId = "customer", ids[sessionOf(o, p)]
		}
		if row.SessionId == "s0" {
			row.SessionId = "absorbed"
		}
		w.touchpoints = append(w.touchpoints, row)
	}
	for profile, j := range o.journeys {
		id := "j" + o.names[profile]
		w.journeys = append(w.journeys, &wirepb.Journey{
			JourneyId: id, Profile: o.names[profile], StartedMs: j.start, EndedMs: j.end, Touchpoints: j.customer,
			BusinessTouchpoints: j.byBusiness, Transitions: 2, Revision: next(),
		})
		for seq := range uint32(2) {
			w.transitions = append(w.transitions, &wire.Transition{JourneyID: id, Seq: seq + 1, Revision: next()})
		}
	}
	b := o.books
	w.quality = []*wirepb.Quality{
		{Partition: 1, Accepted: b.accepted, Duplicates: b.duplicates, Rejected: b.rejected, Late: b.late, Revision: next()},
		{Partition: 2, Touchpoints: b.touchpoints, Revision: next()}, // all with wrong keys
	}
	return w
}

// sessionOf is the session that a customer's touchpoint lies in.
func sessionOf(o *oracle, p *point) start {
	for at, s := range o.sessions {
		if at.identifier == p.identifier && at.time <= p.time && p.time <= s.end {
			return at
		}
	}
	return start{}
}

// read hands the records to new tables and compares.
func (w *rightTopics) read(t *testing.T, o *oracle) []string {
	t.Helper()
	got := newTables(o)
	record := func(key string, value []byte) *kgo.Record { return &kgo.Record{Key: []byte(key), Value: value} }
	for range w.raw {
		require.NoError(t, got.rawRecord(&kgo.Record{}))
	}
	for range o.books.rejected {
		require.NoError(t, got.rejectedRecord(nil))
	}
	for range w.late {
		require.NoError(t, got.lateRecord(nil))
	}
	for _, p := range w.touchpoints {
		require.NoError(t, got.touchpoint(record("", wire.Marshal(p))))
	}
	for _, s := range w.sessions {
		require.NoError(t, got.session(record(s.SessionId, wire.Marshal(s))))
	}
	for _, j := range w.journeys {
		require.NoError(t, got.journey(record(j.JourneyId, wire.Marshal(j))))
	}
	for _, tr := range w.transitions {
		value := wire.AppendTransition(nil, namespace, tr)
		require.NoError(t, got.transition(record("", value)))
	}
	for _, q := range w.quality {
		require.NoError(t, got.qualityRecord(record(fmt.Sprint(q.Partition, "/0/web"), wire.Marshal(q))))
	}
	got.compare()
	return got.differences.lines
}

// Each kind of fault that a run may have is told from a run without.
func TestEveryFaultIsADifference(t *testing.T) {
	o := newOracle()
	for r, err := range ownWorkload(3, 3000).records {
		require.NoError(t, err)
		require.NoError(t, o.add(r.value))
	}
	o.finish()
	require.Empty(t, right(t, o).read(t, o), "nothing is wrong")
	for name, harm := range map[string]func(w *rightTopics){
		"a touchpoint is lost":                    func(w *rightTopics) { w.touchpoints = w.touchpoints[1:] },
		"a touchpoint is there twice":             func(w *rightTopics) { w.touchpoints = append(w.touchpoints, w.touchpoints[0]) },
		"a touchpoint nobody wrote":               func(w *rightTopics) { w.touchpoints[5].MessageId = "other" },
		"a touchpoint has another time":           func(w *rightTopics) { w.touchpoints[5].TimeMs++ },
		"a touchpoint names another session":      func(w *rightTopics) { swapSessions(w.touchpoints) },
		"a session is lost":                       func(w *rightTopics) { w.sessions = w.sessions[2:] },
		"a session has not its last row":          func(w *rightTopics) { w.sessions[1].Revision = 1 << 50; w.sessions[1].Touchpoints++ },
		"a session is void that nobody took over": func(w *rightTopics) { w.sessions[3].Status = "void" },
		"a session too many":                      func(w *rightTopics) { w.sessions[len(w.sessions)-1].Status = "open" },
		"revisions go back":                       func(w *rightTopics) { w.sessions[0].Revision = 1 << 50 },
		"a revision is there twice":               func(w *rightTopics) { w.sessions[0].Revision = w.sessions[1].Revision },
		"a journey is lost":                       func(w *rightTopics) { w.journeys = w.journeys[1:] },
		"a journey counts too much":               func(w *rightTopics) { w.journeys[0].Touchpoints++ },
		"a transition is missing":                 func(w *rightTopics) { w.transitions = w.transitions[1:] },
		"a transition too many":                   func(w *rightTopics) { w.journeys[0].Transitions = 1 },
		"a transition is void":                    func(w *rightTopics) { w.transitions[0].Status = "void" },
		"a record is not accounted for":           func(w *rightTopics) { w.quality[0].Accepted-- },
		"a duplicate is counted twice":            func(w *rightTopics) { w.quality[0].Duplicates++; w.quality[0].Accepted++ },
		"a late record is lost":                   func(w *rightTopics) { w.late-- },
	} {
		t.Run(name, func(t *testing.T) {
			w := right(t, o)
			harm(w)
			found := w.read(t, o)
			require.NotEmpty(t, found)
			t.Log(found[0])
		})
	}
}

// swapSessions has a touchpoint name the session of one of another visitor.
func swapSessions(list []*wirepb.Touchpoint) {
	for _, p := range list[1:] {
		if p.SessionId != "" && p.SessionId != list[0].SessionId {
			p.SessionId = list[0].SessionId
			return
		}
	}
}
