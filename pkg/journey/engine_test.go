package journey_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/journey/journeytest"
	"github.com/cairnhq/cairn/pkg/wire"
)

// engine drives the core as the two steps do, in one process: devices first,
// then the homes of the profiles that they name. What the steps tell each other
// is delivered in a random order. Every so often it commits, and may lose all
// decoded state and read it back from its rows.
type engine struct {
	m       *journey.Model
	devices map[string]*journey.Device
	homes   map[string]*journey.Home
	rnd     *rand.Rand
	flying  []record // between steps, not yet delivered
	every   int      // touchpoints per commit; 0: one commit at the end
	restart bool     // forget everything decoded at each commit

	duplicates  int
	late        int
	evicted     int // late, because state was dropped
	pending     int
	record      int64 // arrival of the newest touchpoint
	evict       bool  // let rows be dropped when their time has come
	dropped     int   // rows
	tails       int   // homes that were read from their tail alone
	slim        int   // homes that have their tail alone, at each commit
	completed   int   // of which points were needed after all
	rows        map[string]*stored
	sessions    map[string]journeytest.Session      // by id, as emitted
	frictions   map[string]friction                 // by id, as emitted
	journeys    map[string]journeytest.Journey      // by id, as emitted
	owners      map[string]string                   // journey id -> profile
	transitions map[emission]journeytest.Transition // as emitted
}

// record is on its way to a home. Those of one lane arrive in the order in which
// they were sent, as those of one partition to another do; "" is no lane.
type record struct {
	lane   string
	arrive func()
}

type stored struct {
	meta     []byte
	sessions map[int64][]byte
	hashes   map[[2]int32][]byte
	journeys []byte
	points   []byte
	maps     map[string][]byte
	union    []byte
	past     []byte
	fricts   []byte
	tail     []byte
}

// friction is a row with the journey that it names.
type friction struct {
	journey string
	row     journeytest.FrictionRow
}

type emission struct {
	journey string
	seq     uint32
}

func newEngine(m *journey.Model, every int, restart bool, seed uint64) *engine {
	return &engine{
		m: m, every: every, restart: restart, rnd: rand.New(rand.NewPCG(seed, 1)),
		devices: map[string]*journey.Device{}, homes: map[string]*journey.Home{}, rows: map[string]*stored{},
		sessions: map[string]journeytest.Session{}, frictions: map[string]friction{},
		journeys: map[string]journeytest.Journey{}, owners: map[string]string{}, transitions: map[emission]journeytest.Transition{},
	}
}

func (e *engine) row(name string) *stored {
	if e.rows[name] == nil {
		e.rows[name] = &stored{sessions: map[int64][]byte{}, hashes: map[[2]int32][]byte{}, maps: map[string][]byte{}}
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
		c := &journey.HashChunk{Day: k[0], Number: k[1]}
		must(0, wire.DecodeHashes(v, c))
		d.RestoreHashes(c)
	}
	e.devices[id] = d
	return d
}

// home is a home with all its points.
func (e *engine) home(id string) *journey.Home {
	p := e.homeFor(id, -1<<63)
	e.complete(p)
	return p
}

func (e *engine) complete(p *journey.Home) {
	if p.TailOnly() {
		e.completed++
		p.Complete(must(wire.DecodePoints(nil, e.row("p"+p.ID).points)))
	}
}

// homeFor is a home that takes in a touchpoint of a time: with its tail, where
// that is enough.
func (e *engine) homeFor(id string, at int64) *journey.Home {
	if p := e.homes[id]; p != nil {
		if !p.Follows(at) {
			e.complete(p)
		}
		return p
	}
	p := &journey.Home{Maps: map[string]journey.KnownMap{}}
	p.ID = id
	if r := e.row("p" + id); r.journeys != nil {
		must(wire.DecodeJourneys(r.journeys, &p.Profile))
		if r.past != nil {
			p.Past = must(wire.DecodePast(r.past))
		}
		if r.fricts != nil {
			p.RestoreFrictions(must(wire.DecodeFrictions(r.fricts)))
		}
		e.restorePoints(p, r, at)
		for identifier, row := range r.maps {
			p.Maps[identifier] = must(wire.DecodeKnownMap(row))
		}
		if r.union != nil {
			p.RestoreUnion(must(wire.DecodeUnion(r.union)))
		}
	}
	e.homes[id] = p
	return p
}

// restorePoints reads the tail and some of the points, or all.
func (e *engine) restorePoints(p *journey.Home, r *stored, at int64) {
	points := must(wire.DecodePoints(nil, r.points))
	if r.tail == nil {
		p.Restore(points)
		return
	}
	tail := must(wire.DecodeTail(r.tail))
	if at <= tail.At.Time {
		p.Restore(points)
		return
	}
	e.tails++
	from := journey.PointsFrom(points, tail.At.Time-e.rnd.Int64N(1000*60*60))
	p.RestoreTail(e.m, tail, points[from:])
}

// Apply implements journeytest.Engine.
func (e *engine) Apply(t journey.Touchpoint) {
	d := e.device(t.Identifier)
	e.record = max(e.record, t.Received)
	switch d.Apply(&t, e.m, e.record) {
	case journey.Counted:
	case journey.Duplicate:
		e.duplicates++
		return
	case journey.Late:
		e.late++
		return
	case journey.Evicted:
		e.evicted++
		return
	}
	e.send(func() { e.adopt(e.homeFor(t.Owner, t.Time).Touchpoint(e.m.Point(&t), t.MapEpoch)) })
	e.relinquish(d)
	if edge, ok := t.Alias(); ok {
		for _, to := range []string{edge.From, edge.To} {
			e.join([]journey.Join{{To: to, Edges: []journey.Edge{edge}}})
		}
	}
	if t.UserID != "" {
		for _, other := range t.Others {
			link := journey.Link{Time: t.Time, MessageID: t.MessageID, UserID: t.UserID}
			e.send(func() {
				o := e.device(other)
				o.AddLink(link, e.m)
				e.relinquish(o)
			})
		}
	}
	for e.rnd.IntN(3) > 0 && e.deliver() {
	}
	if e.pending++; e.every > 0 && e.pending >= e.every {
		e.commit(t.Received)
	}
}

// relinquish tells everybody concerned of a changed map.
func (e *engine) relinquish(d *journey.Device) {
	for _, profile := range d.TakeNamed() {
		known := d.Known()
		e.send(func() { e.adopt(e.home(profile).Relinquish(d.Identifier, known)) })
	}
}

func (e *engine) adopt(list []journey.Adopt) {
	for _, a := range list {
		e.send(func() { e.adopt(e.home(a.To).Adopt(a)) })
	}
}

func (e *engine) join(list []journey.Join) {
	for _, j := range list {
		raw := wire.EncodeJoin(&j)
		e.send(func() {
			joins, copies := e.home(j.To).Join(must(wire.DecodeJoin(raw, j.To)))
			e.join(joins)
			e.copies(copies)
		})
	}
}

func (e *engine) copies(list []journey.Copy) {
	for _, c := range list {
		raw := wire.EncodeCopy(&c)
		e.flying = append(e.flying, record{c.Member + ">" + c.To, func() { e.home(c.To).Copy(must(wire.DecodeCopy(raw, c.To))) }})
	}
}

func (e *engine) send(f func()) { e.flying = append(e.flying, record{"", f}) }

// deliver lets any one of the records in flight arrive.
func (e *engine) deliver() bool {
	if len(e.flying) == 0 {
		return false
	}
	i := e.rnd.IntN(len(e.flying))
	if lane := e.flying[i].lane; lane != "" {
		i = slices.IndexFunc(e.flying, func(r record) bool { return r.lane == lane })
	}
	r := e.flying[i]
	e.flying = slices.Delete(e.flying, i, i+1)
	r.arrive()
	return true
}

// commit takes all changes, as a flush does, and lets what is due be dropped.
func (e *engine) commit(now int64) {
	e.pending = 0
	for e.evict && e.deliver() { // nothing is on its way for longer than rows are kept
	}
	for id, d := range e.devices {
		if e.evict {
			d.Tick(journey.Instant{Now: now, Record: e.record}, now, e.m)
		}
		e.keepDevice(id, d)
	}
	for id, p := range e.homes {
		at := journey.Instant{Now: now}
		if e.evict {
			at.Record = e.record
		}
		if p.NeedsPoints(e.m, at) {
			e.complete(p)
		}
		e.take(&p.Profile, p.Refold(e.m, at))
		r := e.row("p" + id)
		r.journeys = wire.EncodeJourneys(&p.Profile, 0)
		e.keepPoints(p, r)
		e.copies(p.TakeCopies())
		if p.TakeJoined() {
			r.union = wire.EncodeUnion(&p.Union)
		}
		for _, identifier := range p.TakeLearned() {
			delete(r.maps, identifier)
			if known, ok := p.Maps[identifier]; ok {
				r.maps[identifier] = wire.EncodeKnownMap(known)
			}
		}
		if past := p.TakePast(); past != nil {
			e.dropped++
			r.past = wire.EncodePast(past)
		}
		if list, changed := p.TakeFrictions(); changed {
			r.fricts = wire.EncodeFrictions(list)
		}
	}
	for _, p := range e.homes {
		if e.rnd.IntN(3) == 0 {
			round := 1 + e.rnd.Int64N(1000*60*60)
			p.Slim(func(at int64) int64 { return at - at%round })
		}
		if p.TailOnly() {
			e.slim++
		}
	}
	if e.restart && len(e.flying) == 0 { // what flies holds on to the decoded states
		clear(e.devices)
		clear(e.homes)
	}
}

// keepPoints writes the points, and the tail if there is one.
func (e *engine) keepPoints(p *journey.Home, r *stored) {
	points := p.Points()
	if p.TailOnly() {
		all := must(wire.DecodePoints(nil, r.points))
		points = append(all[:journey.PointsFrom(all, points[0].Time)], points...)
	}
	r.points, r.tail = wire.EncodePoints(points), nil
	if tail := p.Tail(); tail != nil {
		if tail.Points != len(points) {
			panic(fmt.Sprintf("the tail says that there are %d points, there are %d", tail.Points, len(points)))
		}
		r.tail = wire.EncodeTail(tail)
	}
}

// keepDevice writes a device's changed rows and emits its sessions.
func (e *engine) keepDevice(id string, d *journey.Device) {
	r := e.row("d" + id)
	c := d.TakeChanges(e.m)
	for _, at := range c.Dropped {
		delete(r.sessions, at)
	}
	for _, v := range c.Voids {
		delete(e.sessions, v.ID)
	}
	for _, s := range c.Sessions {
		r.sessions[s.Start] = wire.EncodeSession(s)
		e.sessions[s.ID] = e.sessionRow(id, s)
	}
	e.dropped += len(c.Forgotten)
	for _, h := range c.Forgotten {
		delete(r.hashes, [2]int32{h.Day, h.Number})
	}
	for _, h := range c.Hashes {
		r.hashes[[2]int32{h.Day, h.Number}] = wire.EncodeHashes(h)
	}
	if c.Links {
		r.meta = wire.EncodeDevice(d)
	}
}

func (e *engine) sessionRow(id string, s *journey.Session) journeytest.Session {
	row := journeytest.Session{
		Identifier: id, Start: s.Start, End: s.End, Count: int(s.Touchpoints), Status: s.Status(),
		FirstMessage: s.FirstID, LastMessage: s.LastID, RevenueMicros: s.RevenueMicros, Bot: s.IsBot(),
		Channel: s.Channel, LastChannel: s.LastChannel, Device: s.Device, Campaign: s.Campaign.Name,
		Landing: s.Landing.Path, Exit: s.Exit.Path, Pages: int(s.Pages), EventCounts: map[string]int{},
		SentimentSum: s.SentimentSum, SentimentCount: int(s.SentimentCount),
	}
	for _, c := range s.Events {
		row.EventCounts[e.m.EventName(c.Event)] = int(c.Count)
	}
	return row
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
			SentimentSum: j.SentimentSum, SentimentCount: int(j.SentimentCount), Persona: j.Persona,
			IntentMillis: j.Intent, Sessions: int(j.Sessions),
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
			Channel: t.Channel, Sentiment: t.Sentiment, Persona: t.Persona,
		}
	}
	for _, f := range c.Frictions {
		if f.Status == journey.StatusVoid {
			delete(e.frictions, f.ID)
			continue
		}
		e.frictions[f.ID] = friction{f.JourneyID, journeytest.FrictionRow{
			Profile: f.Profile, Name: f.Name, Kind: f.Kind, Severity: f.Severity, At: f.AtMillis, MessageID: f.TouchpointID,
			Identifier: f.Identifier, Channel: f.Channel, Stage: f.Stage, Substage: f.Substage, Persona: f.Persona,
		}}
	}
}

// settle lets everything in flight arrive and brings all up to a clock.
func (e *engine) settle(now int64) {
	for name := range e.rows {
		if name[0] == 'd' {
			e.device(name[1:])
		} else {
			e.homeFor(name[1:], 1<<63-1) // what was read from a tail is not read again
		}
	}
	for _, d := range e.devices {
		d.Tick(journey.Instant{Now: now}, now, e.m)
	}
	for e.commit(now); e.deliver(); e.commit(now) {
		for e.deliver() {
		}
	}
}

// Finish implements journeytest.Engine.
func (e *engine) Finish(now int64) *journeytest.Answer {
	e.settle(now)
	a := &journeytest.Answer{Owners: map[journeytest.Point]string{}, Duplicates: e.duplicates, Late: e.late}
	for _, s := range e.sessions {
		a.Sessions = append(a.Sessions, s)
	}
	for name := range e.rows {
		if name[0] == 'd' && e.device(name[1:]).Ownership.Frozen || name[0] == 'p' && e.home(name[1:]).Union.Frozen {
			a.Frozen = append(a.Frozen, name[1:])
		}
	}
	for name := range e.rows {
		if name[0] != 'p' {
			continue
		}
		p := e.home(name[1:])
		if len(p.Points()) > 0 && p.Union.Canonical != "" {
			continue // another home has the rows
		}
		for _, pt := range p.Points() {
			at := journeytest.Point{Identifier: pt.Identifier, MessageID: pt.MessageID}
			if other, twice := a.Owners[at]; twice {
				panic(fmt.Sprintf("%v is held by %s and %s", at, other, p.ID))
			}
			a.Owners[at] = p.ID
		}
	}
	for _, j := range e.journeys {
		a.Journeys = append(a.Journeys, j)
	}
	for key, t := range e.transitions {
		t.JourneyStart = e.journeys[key.journey].Start
		a.Transitions = append(a.Transitions, t)
	}
	for _, f := range e.frictions {
		f.row.JourneyStart = e.journeys[f.journey].Start
		a.Frictions = append(a.Frictions, f.row)
	}
	return a.Sort()
}
