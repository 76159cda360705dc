package journey_test

import (
	"slices"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/wire"
)

// engine drives the core as the two steps do, in one process: devices first,
// then the profiles that they name as owners. Every so often it commits, and
// may lose all decoded state and read it back from its rows.
type engine struct {
	m        *journey.Model
	devices  map[string]*journey.Device
	profiles map[string]*journey.Profile
	every    int  // touchpoints per commit; 0: one commit at the end
	restart  bool // forget everything decoded at each commit

	applied     []journey.Touchpoint // counted ones, with their owners
	duplicates  int
	late        int
	pending     int
	rows        map[string]*stored
	journeys    map[string]journeytest.Journey      // by id, as emitted
	owners      map[string]string                   // journey id -> profile
	transitions map[emission]journeytest.Transition // as emitted
}

type stored struct {
	meta     []byte
	sessions map[int64][]byte
	hashes   map[[2]int32][]byte
	journeys []byte
	points   []byte
}

type emission struct {
	journey string
	seq     uint32
}

func newEngine(m *journey.Model, every int, restart bool) *engine {
	return &engine{
		m: m, every: every, restart: restart,
		devices: map[string]*journey.Device{}, profiles: map[string]*journey.Profile{}, rows: map[string]*stored{},
		journeys: map[string]journeytest.Journey{}, owners: map[string]string{}, transitions: map[emission]journeytest.Transition{},
	}
}

func (e *engine) row(name string) *stored {
	if e.rows[name] == nil {
		e.rows[name] = &stored{sessions: map[int64][]byte{}, hashes: map[[2]int32][]byte{}}
	}
	return e.rows[name]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (e *engine) device(id string) *journey.Device {
	if d := e.devices[id]; d != nil {
		return d
	}
	d := &journey.Device{Identifier: id}
	r := e.row("d" + id)
	if r.meta != nil {
		must(0, wire.DecodeDevice(r.meta, d))
	}
	var starts []int64
	for at := range r.sessions {
		starts = append(starts, at)
	}
	slices.Sort(starts)
	for _, at := range starts {
		d.Restore(must(wire.DecodeSession(r.sessions[at])))
	}
	for k, v := range r.hashes {
		d.RestoreHashes(&journey.HashChunk{Day: k[0], Number: k[1], Hashes: must(wire.DecodeHashes(v))})
	}
	e.devices[id] = d
	return d
}

func (e *engine) profile(id string) *journey.Profile {
	if p := e.profiles[id]; p != nil {
		return p
	}
	p := &journey.Profile{ID: id}
	if r := e.row("p" + id); r.journeys != nil {
		p.Journeys = must(wire.DecodeJourneys(r.journeys))
		p.Restore(must(wire.DecodePoints(r.points)))
	}
	e.profiles[id] = p
	return p
}

// Apply implements journeytest.Engine.
func (e *engine) Apply(t journey.Touchpoint) {
	switch e.device(t.Identifier).Apply(&t, e.m) {
	case journey.Duplicate:
		e.duplicates++
		return
	case journey.Late:
		e.late++
		return
	}
	if t.UserID != "" {
		for _, other := range t.Others {
			e.device(other).AddLink(journey.Link{Time: t.Time, MessageID: t.MessageID, UserID: t.UserID}, e.m)
		}
	}
	e.applied = append(e.applied, t)
	e.profile(t.Owner).Add(e.m.Point(&t))
	if e.pending++; e.every > 0 && e.pending >= e.every {
		e.commit(t.Received)
	}
}

// commit takes all changes, as a flush does.
func (e *engine) commit(now int64) {
	e.pending = 0
	for id, d := range e.devices {
		r := e.row("d" + id)
		c := d.TakeChanges()
		for _, at := range c.Dropped {
			delete(r.sessions, at)
		}
		for _, s := range c.Sessions {
			r.sessions[s.Start] = wire.EncodeSession(s)
		}
		for _, h := range c.Hashes {
			r.hashes[[2]int32{h.Day, h.Number}] = wire.EncodeHashes(h)
		}
		if c.Links {
			r.meta = wire.EncodeDevice(d)
		}
	}
	for id, p := range e.profiles {
		e.take(p, p.Refold(e.m, now))
		r := e.row("p" + id)
		r.journeys, r.points = wire.EncodeJourneys(p.Journeys), wire.EncodePoints(p.Points())
	}
	if e.restart {
		clear(e.devices)
		clear(e.profiles)
	}
}

// take applies what a fold emitted to the tables, as the warehouse does.
func (e *engine) take(p *journey.Profile, c journey.ProfileChanges) {
	for _, v := range c.Voids {
		delete(e.journeys, v.ID)
	}
	for _, j := range c.Journeys {
		e.owners[j.ID] = p.ID
		e.journeys[j.ID] = journeytest.Journey{
			Profile: p.ID, Start: j.Start, End: j.End, Touchpoints: int(j.Touchpoints), Business: int(j.Business),
			Status: j.Status(), Converted: j.Fold.Converted, Stage: e.m.StageName(j.Fold.Stage),
			Substage: e.m.SubstageName(j.Fold.Stage, j.Fold.Substage), RevenueMicros: j.RevenueMicros,
		}
	}
	for _, t := range c.Transitions {
		key := emission{t.JourneyID, t.Seq}
		if t.Status == journey.StatusVoid {
			delete(e.transitions, key)
			continue
		}
		e.transitions[key] = journeytest.Transition{
			Profile: t.Profile, Seq: int(t.Seq), From: t.From, To: t.To, Direction: t.Direction, Substage: t.Substage,
			Skipped: t.Skipped, At: t.AtMillis, Dwell: t.DwellMillis, MessageID: t.TouchpointID, Identifier: t.Identifier,
		}
	}
}

// Finish implements journeytest.Engine.
func (e *engine) Finish(now int64) *journeytest.Answer {
	e.commit(now)
	a := &journeytest.Answer{Owners: map[journeytest.Point]string{}, Duplicates: e.duplicates, Late: e.late}
	for _, t := range e.applied {
		a.Owners[journeytest.Point{Identifier: t.Identifier, MessageID: t.MessageID}] = t.Owner
	}
	for name := range e.rows {
		if name[0] == 'd' {
			e.device(name[1:])
		} else {
			e.profile(name[1:])
		}
	}
	for id, d := range e.devices {
		d.Close(now, e.m.SessionGap)
		for _, s := range d.Sessions() {
			a.Sessions = append(a.Sessions, journeytest.Session{
				Identifier: id, Start: s.Start, End: s.End, Count: int(s.Touchpoints), Status: s.Status(),
				FirstMessage: s.FirstID, LastMessage: s.LastID, RevenueMicros: s.RevenueMicros, Bot: s.IsBot(),
			})
		}
		if d.Ownership.Frozen {
			a.Frozen = append(a.Frozen, id)
		}
	}
	for _, p := range e.profiles { // time alone changes a status
		e.take(p, p.Refold(e.m, now))
	}
	for _, j := range e.journeys {
		a.Journeys = append(a.Journeys, j)
	}
	for key, t := range e.transitions {
		t.JourneyStart = e.journeys[key.journey].Start
		a.Transitions = append(a.Transitions, t)
	}
	return a.Sort()
}
