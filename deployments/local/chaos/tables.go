//go:build linux

package main

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// tables are what readers of committed records hold in the end: of each row the
// newest revision. Only what is compared is kept.
type tables struct {
	oracle      *oracle
	raw         uint64 // records of writers
	rejected    uint64
	late        uint64
	seen        []bool // accepted touchpoints, by place in the oracle's list
	inSession   map[string]uint64
	sessions    map[string]sessionRow
	journeys    map[string]journeyRow
	transitions map[string][]transitionRow // by journey; by number, from 1
	quality     map[string]qualityRow
	identities  map[string]uint64
	differences differences
}

type sessionRow struct {
	revision   uint64
	identifier uint32
	start      int64
	span       span
	void       bool
	into       string
}

type journeyRow struct {
	revision    uint64
	profile     uint32
	journey     journeyOf
	transitions uint64
	void        bool
}

type transitionRow struct {
	revision uint64
	void     bool
}

type qualityRow struct {
	revision uint64
	books    books
}

func newTables(o *oracle) *tables {
	return &tables{
		oracle: o, seen: make([]bool, len(o.points)), inSession: map[string]uint64{}, sessions: map[string]sessionRow{},
		journeys: map[string]journeyRow{}, transitions: map[string][]transitionRow{}, quality: map[string]qualityRow{},
		identities: map[string]uint64{},
	}
}

// differences are kept to a number that a person reads; all are counted.
type differences struct {
	n     int
	lines []string
}

func (d *differences) add(format string, args ...any) {
	const most = 40
	if d.n++; len(d.lines) < most {
		d.lines = append(d.lines, fmt.Sprintf(format, args...))
	}
}

// newer says that a row supersedes the one before. In the log a key's revisions
// only grow.
func (t *tables) newer(r *kgo.Record, key string, before, now uint64) bool {
	if now > before {
		return true
	}
	t.differences.add("%s/%d/%d: revision %d of %s comes after %d", r.Topic, r.Partition, r.Offset, now, key, before)
	return false
}

func (t *tables) rawRecord(r *kgo.Record) error {
	if typeOf(r) == "" {
		t.raw++
	}
	return nil
}

func (t *tables) rejectedRecord(*kgo.Record) error { t.rejected++; return nil }
func (t *tables) lateRecord(*kgo.Record) error     { t.late++; return nil }

// touchpoint ticks off the accepted message that the record is.
func (t *tables) touchpoint(r *kgo.Record) error {
	if typeOf(r) != "" {
		return nil
	}
	var p wirepb.Touchpoint
	if err := p.UnmarshalVTUnsafe(r.Value); err != nil {
		return err
	}
	i := t.oracle.find(p.Identifier, p.MessageId)
	switch {
	case i < 0:
		t.differences.add("%s/%d/%d: nobody wrote the message %s of %s, or it is late", r.Topic, r.Partition, r.Offset, p.MessageId, p.Identifier)
		return nil
	case t.seen[i]:
		t.differences.add("%s/%d/%d: the message %s of %s is there twice", r.Topic, r.Partition, r.Offset, p.MessageId, p.Identifier)
		return nil
	}
	t.seen[i] = true
	want := &t.oracle.points[i]
	business := p.Actor == "business"
	if p.TimeMs != want.time || business != want.business || business != (p.SessionId == "") {
		t.differences.add("the message %s of %s: time %d, actor %s, session %q; written with time %d", p.MessageId, p.Identifier, p.TimeMs, p.Actor, p.SessionId, want.time)
	}
	if n, ok := t.inSession[p.SessionId]; ok {
		t.inSession[p.SessionId] = n + 1
	} else if !business {
		t.inSession[strings.Clone(p.SessionId)] = 1
	}
	return nil
}

func (t *tables) session(r *kgo.Record) error {
	var s wirepb.Session
	if err := s.UnmarshalVTUnsafe(r.Value); err != nil {
		return err
	}
	if string(r.Key) != s.SessionId {
		t.differences.add("%s/%d/%d: the key is %q, the session %q", r.Topic, r.Partition, r.Offset, r.Key, s.SessionId)
	}
	if t.newer(r, s.SessionId, t.sessions[s.SessionId].revision, s.Revision) {
		t.sessions[strings.Clone(s.SessionId)] = sessionRow{
			revision: s.Revision, identifier: t.oracle.numbers[s.Identifier], start: s.StartedMs, span: span{s.EndedMs, s.Touchpoints},
			void: s.Status == "void", into: strings.Clone(s.MergedInto),
		}
	}
	return nil
}

func (t *tables) journey(r *kgo.Record) error {
	var j wirepb.Journey
	if err := j.UnmarshalVTUnsafe(r.Value); err != nil {
		return err
	}
	if t.newer(r, j.JourneyId, t.journeys[j.JourneyId].revision, j.Revision) {
		t.journeys[strings.Clone(j.JourneyId)] = journeyRow{
			revision: j.Revision, profile: t.oracle.numbers[j.Profile],
			journey:     journeyOf{j.StartedMs, j.EndedMs, j.Touchpoints, j.BusinessTouchpoints},
			transitions: j.Transitions, void: j.Status == "void",
		}
	}
	return nil
}

func (t *tables) transition(r *kgo.Record) error {
	var tr wire.Transition
	if err := wire.DecodeTransition(r.Value, &tr); err != nil {
		return err
	}
	if tr.Seq == 0 || tr.Seq > 100_000 {
		t.differences.add("%s/%d/%d: a transition is numbered %d", r.Topic, r.Partition, r.Offset, tr.Seq)
		return nil
	}
	rows := t.transitions[tr.JourneyID]
	for len(rows) < int(tr.Seq) {
		rows = append(rows, transitionRow{})
	}
	row := &rows[tr.Seq-1]
	if t.newer(r, tr.JourneyID, row.revision, tr.Revision) {
		*row = transitionRow{tr.Revision, tr.Status == "void"}
	}
	t.transitions[tr.JourneyID] = rows
	return nil
}

func (t *tables) qualityRecord(r *kgo.Record) error {
	if typeOf(r) != "" {
		return nil
	}
	var q wirepb.Quality
	if err := q.UnmarshalVTUnsafe(r.Value); err != nil {
		return err
	}
	if key := string(r.Key); t.newer(r, key, t.quality[key].revision, q.Revision) {
		t.quality[key] = qualityRow{q.Revision, books{q.Accepted, q.Touchpoints, q.Duplicates, q.Rejected, q.Late}}
	}
	return nil
}

func (t *tables) identity(r *kgo.Record) error {
	var i wirepb.Identity
	if err := i.UnmarshalVTUnsafe(r.Value); err != nil {
		return err
	}
	if key := string(r.Key); t.newer(r, key, t.identities[key], i.Revision) {
		t.identities[key] = i.Revision
	}
	return nil
}
