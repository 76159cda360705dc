//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"
)

const (
	sessionGap = 30 * 60 * 1000           // ms
	horizon    = 30 * 24 * 60 * 60 * 1000 // ms; what arrives later than this is late
)

// oracle computes from the bytes that are written what the tables must hold:
// the definitions of docs/semantics.md, all at once, over a sorted list. It
// shares no code with cairn.
//
// It holds for streams without aliases and external ids that last less than the
// journey gap, as those of both generators: then a profile has one journey.
type oracle struct {
	names    []string // identifiers and users, kind:value, by number; 0 is nobody
	numbers  map[string]uint32
	points   []point
	known    map[uint64]int32 // hash of identifier and messageId: the point, -1 if it was late
	seed     maphash.Seed
	books    books
	sessions map[start]span
	journeys map[uint32]journeyOf // by profile
}

// point is an accepted touchpoint.
type point struct {
	identifier, user, owner uint32
	business                bool
	time                    int64
	message                 string
}

// start names a session: no identifier has two that begin at the same time.
type start struct {
	identifier uint32
	time       int64
}

// span is how far a session goes and how many touchpoints it has.
type span struct {
	end         int64
	touchpoints uint64
}

// journeyOf is a profile's journey.
type journeyOf struct {
	start, end           int64
	customer, byBusiness uint64
}

// books is the accounting of raw records.
type books struct{ accepted, touchpoints, duplicates, rejected, late uint64 }

func (b books) String() string {
	return fmt.Sprintf("%d accepted = %d touchpoints + %d duplicates + %d rejected + %d late", b.accepted, b.touchpoints, b.duplicates, b.rejected, b.late)
}

func (b books) plus(c books) books {
	return books{b.accepted + c.accepted, b.touchpoints + c.touchpoints, b.duplicates + c.duplicates, b.rejected + c.rejected, b.late + c.late}
}

func newOracle() *oracle {
	return &oracle{
		names: []string{""}, numbers: map[string]uint32{"": 0}, known: map[uint64]int32{}, seed: maphash.MakeSeed(),
		sessions: map[start]span{}, journeys: map[uint32]journeyOf{},
	}
}

// number is the name's number, which it gets at its first call.
func (o *oracle) number(name string) uint32 {
	n, ok := o.numbers[name]
	if !ok {
		n = uint32(len(o.names))
		name = strings.Clone(name)
		o.names, o.numbers[name] = append(o.names, name), n
	}
	return n
}

func (o *oracle) hash(identifier, message string) uint64 {
	var h maphash.Hash
	h.SetSeed(o.seed)
	_, _ = h.WriteString(identifier)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(message)
	return h.Sum64()
}

// add takes in a raw record's value.
func (o *oracle) add(value []byte) error {
	var in struct {
		MessageID, AnonymousID, UserID, Actor string
		Timestamp, ReceivedAt                 time.Time
	}
	o.books.accepted++
	if !json.Valid(value) {
		o.books.rejected++
		return nil
	}
	if err := json.Unmarshal(value, &in); err != nil {
		return fmt.Errorf("the oracle cannot read %s: %w", value, err)
	}
	identifier, user := "user:"+in.UserID, ""
	if in.AnonymousID != "" {
		identifier = "anonymous:" + in.AnonymousID
	}
	if in.UserID != "" {
		user = "user:" + in.UserID
	}
	h := o.hash(identifier, in.MessageID)
	if at, ok := o.known[h]; ok {
		if at >= 0 && (o.points[at].message != in.MessageID || o.names[o.points[at].identifier] != identifier) {
			return errors.New("two messages have one hash: run it again")
		}
		o.books.duplicates++
		return nil
	}
	if in.ReceivedAt.Sub(in.Timestamp).Milliseconds() > horizon {
		o.known[h] = -1
		o.books.late++
		return nil
	}
	o.known[h] = int32(len(o.points))
	o.points = append(o.points, point{
		identifier: o.number(identifier), user: o.number(user), business: in.Actor == "business",
		time: in.Timestamp.UnixMilli(), message: in.MessageID,
	})
	o.books.touchpoints++
	return nil
}

// find is the number of an accepted touchpoint, -1 if there is none.
func (o *oracle) find(identifier, message string) int32 {
	at, ok := o.known[o.hash(identifier, message)]
	if !ok || at < 0 || o.points[at].message != message || o.names[o.points[at].identifier] != identifier {
		return -1
	}
	return at
}

// finish computes sessions, owners and journeys.
func (o *oracle) finish() {
	order := make([]int32, len(o.points))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		p, q := &o.points[a], &o.points[b]
		return cmp.Or(cmp.Compare(p.identifier, q.identifier), cmp.Compare(p.time, q.time), strings.Compare(p.message, q.message))
	})
	for len(order) > 0 {
		n := 1
		for n < len(order) && o.points[order[n]].identifier == o.points[order[0]].identifier {
			n++
		}
		o.own(order[:n])
		o.split(order[:n])
		order = order[n:]
	}
	o.tell()
}

// own finds whose the touchpoints of an identifier are: the user's they name,
// else of the last link at or before them, else of the first link, else nobody's.
func (o *oracle) own(sorted []int32) {
	owner := o.points[sorted[0]].identifier
	for _, i := range sorted {
		if u := o.points[i].user; u != 0 {
			owner = u
			break
		}
	}
	for _, i := range sorted {
		if u := o.points[i].user; u != 0 {
			owner = u
		}
		o.points[i].owner = owner
	}
}

// split cuts the customer's touchpoints of an identifier where a pause is longer
// than the gap.
func (o *oracle) split(sorted []int32) {
	var in start
	var s span
	for _, i := range sorted {
		p := &o.points[i]
		if p.business {
			continue
		}
		if s.touchpoints == 0 || p.time-s.end > sessionGap {
			in, s = start{p.identifier, p.time}, span{}
		}
		s.end = p.time
		s.touchpoints++
		o.sessions[in] = s
	}
}

// tell makes each profile's journey. What the business did belongs to it from
// its start on.
func (o *oracle) tell() {
	for i := range o.points {
		p := &o.points[i]
		if p.business {
			continue
		}
		j, ok := o.journeys[p.owner]
		if !ok {
			j.start, j.end = p.time, p.time
		}
		j.start, j.end = min(j.start, p.time), max(j.end, p.time)
		j.customer++
		o.journeys[p.owner] = j
	}
	for i := range o.points {
		p := &o.points[i]
		if j, ok := o.journeys[p.owner]; ok && p.business && p.time >= j.start {
			j.byBusiness++
			o.journeys[p.owner] = j
		}
	}
}
