//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/stream"
)

// readBack reads the tables from the topics, one topic after the other.
func (r *run) readBack(ctx context.Context, cl *kgo.Client) (*tables, error) {
	t := newTables(r.oracle)
	for _, part := range []struct {
		topic string
		take  func(*kgo.Record) error
	}{
		{stream.TopicRaw, t.rawRecord},
		{stream.TopicRejected, t.rejectedRecord},
		{stream.TopicLate, t.lateRecord},
		{stream.TopicTouchpoints, t.touchpoint},
		{stream.TopicSessions, t.session},
		{stream.TopicIdentities, t.identity},
		{stream.TopicJourneys, t.journey},
		{stream.TopicTransitions, t.transition},
		{stream.TopicQuality, t.qualityRecord},
	} {
		if err := r.scan(ctx, cl, part.topic, part.take); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// compare holds the tables against the oracle.
func (t *tables) compare() {
	t.compareBooks()
	t.compareTouchpoints()
	t.compareSessions()
	t.compareJourneys()
	t.compareTransitions()
}

// compareBooks: every record that was written is accounted for, once.
func (t *tables) compareBooks() {
	var sum books
	minutes := map[string]books{} // a record with a wrong key is accepted on one partition and counted on another
	for key, q := range t.quality {
		_, minute, _ := strings.Cut(key, "/")
		minutes[minute] = minutes[minute].plus(q.books)
		sum = sum.plus(q.books)
	}
	for minute, b := range minutes {
		if b.accepted != b.touchpoints+b.duplicates+b.rejected+b.late {
			t.differences.add("quality of the minute %s: %v", minute, b)
		}
	}
	want := t.oracle.books
	want.accepted = t.raw
	want.duplicates = t.raw - want.touchpoints - want.rejected - want.late // a writer's second try is one, too
	if sum != want {
		t.differences.add("quality sums up to %v; written were %v", sum, want)
	}
	if t.rejected != want.rejected || t.late != want.late {
		t.differences.add("%d rejected and %d late records, written were %d and %d", t.rejected, t.late, want.rejected, want.late)
	}
}

// compareTouchpoints: each accepted message is there. Twice was noted before.
func (t *tables) compareTouchpoints() {
	for i, seen := range t.seen {
		if p := &t.oracle.points[i]; !seen {
			t.differences.add("the message %s of %s is lost", p.message, t.oracle.names[p.identifier])
		}
	}
}

// compareSessions: the same sessions, and the touchpoints that name a session,
// perhaps through a void one, are as many as it says.
func (t *tables) compareSessions() {
	named := map[string]uint64{}
	for id, n := range t.inSession {
		at := id
		for hops := 0; t.sessions[at].void && hops < 1000; hops++ {
			at = t.sessions[at].into
		}
		named[at] += n
	}
	valid := 0
	for id, s := range t.sessions {
		if s.void {
			continue
		}
		valid++
		want, ok := t.oracle.sessions[start{s.identifier, s.start}]
		who := t.oracle.names[s.identifier]
		switch {
		case !ok:
			t.differences.add("session %s of %s from %d: there is none", id, who, s.start)
		case want != s.span:
			t.differences.add("session %s of %s from %d: to %d with %d touchpoints, want %d with %d", id, who, s.start, s.span.end, s.span.touchpoints, want.end, want.touchpoints)
		case named[id] != want.touchpoints:
			t.differences.add("session %s of %s from %d: %d touchpoints name it, want %d", id, who, s.start, named[id], want.touchpoints)
		}
		delete(named, id)
	}
	if valid != len(t.oracle.sessions) {
		t.differences.add("%d sessions, want %d", valid, len(t.oracle.sessions))
	}
	for id, n := range named {
		t.differences.add("%d touchpoints name the session %q, which counts nobody's", n, id)
	}
}

// compareJourneys: each profile has its journey.
func (t *tables) compareJourneys() {
	valid := 0
	for id, j := range t.journeys {
		if j.void {
			continue
		}
		valid++
		if want, ok := t.oracle.journeys[j.profile]; !ok || want != j.journey {
			t.differences.add("journey %s of %s: %+v, want %+v", id, t.oracle.names[j.profile], j.journey, want)
		}
	}
	if valid != len(t.oracle.journeys) {
		t.differences.add("%d journeys, want %d", valid, len(t.oracle.journeys))
	}
}

// compareTransitions: each journey's are numbered from 1 without holes, as many
// as it says, and no others are left.
func (t *tables) compareTransitions() {
	for id, j := range t.journeys {
		if n := uint64(len(t.transitions[id])); !j.void && n < j.transitions {
			t.differences.add("journey %s has %d transitions, %d are there", id, j.transitions, n)
		}
	}
	for id, rows := range t.transitions {
		j, ok := t.journeys[id]
		for i, row := range rows {
			there, want := row.revision > 0 && !row.void, ok && !j.void && uint64(i) < j.transitions
			if there != want {
				t.differences.add("transition %d of journey %s (void: %t) of %d: there: %t", i+1, id, j.void, j.transitions, there)
			}
		}
	}
}

// String sums up what was compared.
func (t *tables) String() string {
	valid, voids, live := 0, 0, 0
	for _, s := range t.sessions {
		if s.void {
			voids++
		} else {
			valid++
		}
	}
	for _, rows := range t.transitions {
		for _, row := range rows {
			if !row.void {
				live++
			}
		}
	}
	return fmt.Sprintf("%v; %d sessions (and %d void), %d journeys, %d transitions", t.oracle.books, valid, voids, len(t.oracle.journeys), live)
}
