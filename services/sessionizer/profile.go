package sessionizer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// maxProfiles bounds the decoded states kept between transactions, per partition.
const maxProfiles = 20_000

// pointHour is how much time one row of points covers, in ms: rows stay small,
// and a busy profile rewrites only the present one.
const pointHour = 60 * 60 * 1000

// profileTask is the profile step on one partition of touchpoints: it keeps each
// profile's points, folds its journeys and publishes their transitions.
type profileTask struct {
	o      *Options
	topics topics
	state  *stream.State
	met    *metrics

	modelKnown bool // the state names its model

	profiles map[string]*profileEntry
	dirty    []*profileEntry // in the order of their first change
	timers   timers
	pb       wirepb.Touchpoint
	tally    tally // of the open transaction
}

// profileEntry is a decoded profile and what of it has changed.
type profileEntry struct {
	journey.Home
	dirty bool
}

func newProfileTask(o *Options, met *metrics, state *stream.State) (*profileTask, error) {
	t := &profileTask{
		o: o, topics: newTopics(o.Namespace), state: state, met: met,
		profiles: map[string]*profileEntry{}, tally: newTally(),
	}
	var err error
	if t.modelKnown, err = holdModel(state, o.Model.Name); err != nil {
		return nil, err
	}
	return t, t.loadTimers()
}

// Process implements stream.Task.
func (t *profileTask) Process(r *kgo.Record, out stream.Output) error {
	typ := readHeaders(r).typ
	switch typ {
	case "":
		return t.touchpoint(r, out)
	case wire.TypeRelinquish, wire.TypeAdopt, wire.TypeJoin, wire.TypeCopy:
	default:
		return nil // of a type that this version does not know
	}
	p, err := t.profile(string(r.Key))
	if err != nil {
		return err
	}
	t.mark(p)
	switch typ {
	case wire.TypeRelinquish:
		identifier, known, err := wire.DecodeRelinquish(r.Value)
		if err != nil {
			return err
		}
		t.forward(p.Relinquish(identifier, known), out)
	case wire.TypeAdopt:
		// Points live as long as the state, so they get memory of their own.
		a, err := wire.DecodeAdopt(slices.Clone(r.Value), p.ID)
		if err != nil {
			return err
		}
		t.tally.adopted += uint64(len(a.Points))
		t.forward(p.Adopt(a), out)
	case wire.TypeJoin:
		j, err := wire.DecodeJoin(r.Value, p.ID)
		if err != nil {
			return err
		}
		t.join(p, j, out)
	case wire.TypeCopy:
		c, err := wire.DecodeCopy(r.Value, p.ID)
		if err != nil {
			return err
		}
		p.Copy(c)
	}
	return nil
}

// join takes in aliases and tells those concerned.
func (t *profileTask) join(p *profileEntry, j journey.Join, out stream.Output) {
	was := p.Union.Canonical
	joins, copies := p.Join(j)
	for i := range joins {
		out.Produce(&kgo.Record{
			Topic: t.topics.touchpoints, Key: []byte(joins[i].To), Value: wire.EncodeJoin(&joins[i]), Headers: t.topics.joinHeaders,
		})
	}
	t.copy(copies, out)
	if name := p.Union.Canonical; name != was {
		rec := wire.Renamed(p.ID, name, p.Union.Version, t.state.NextRevision())
		out.Produce(&kgo.Record{Topic: t.topics.identities, Key: []byte(p.ID), Value: wire.Marshal(rec)})
	}
}

// copy sends a member's points to its canonical home.
func (t *profileTask) copy(list []journey.Copy, out stream.Output) {
	for i := range list {
		out.Produce(&kgo.Record{
			Topic: t.topics.touchpoints, Key: []byte(list[i].To), Value: wire.EncodeCopy(&list[i]), Headers: t.topics.copyHeaders,
		})
	}
}

func (t *profileTask) touchpoint(r *kgo.Record, out stream.Output) error {
	t.pb.Reset()
	if err := t.pb.UnmarshalVTUnsafe(r.Value); err != nil {
		return fmt.Errorf("touchpoint record: %w", err)
	}
	var tp journey.Touchpoint
	wire.FromTouchpoint(&tp, &t.pb)
	p, err := t.profile(tp.Owner)
	if err != nil {
		return err
	}
	t.state.Observe(min(tp.Time, tp.Received))
	t.forward(p.Touchpoint(t.o.Model.Point(&tp), tp.MapEpoch), out)
	t.mark(p)
	t.tally.oldest = min(t.tally.oldest, tp.Received)
	return nil
}

// forward sends points to the homes of their owners.
func (t *profileTask) forward(list []journey.Adopt, out stream.Output) {
	for i := range list {
		out.Produce(&kgo.Record{
			Topic: t.topics.touchpoints, Key: []byte(list[i].To), Value: wire.EncodeAdopt(&list[i]), Headers: t.topics.adoptHeaders,
		})
	}
}

func hourOf(ms int64) int64 { return ms - ((ms%pointHour)+pointHour)%pointHour }

// profile returns the decoded state of a profile.
func (t *profileTask) profile(id string) (*profileEntry, error) {
	if p, ok := t.profiles[id]; ok {
		return p, nil
	}
	p := &profileEntry{}
	p.ID, p.Maps = strings.Clone(id), map[string]journey.KnownMap{} // the caller's id aliases a record
	prefix := rowPrefix(tableProfile, id)
	err := t.state.Scan(prefix, func(key, value []byte) error {
		switch key[len(prefix)] {
		case rowJourneys:
			list, err := wire.DecodeJourneys(value)
			p.Journeys = list
			return err
		case rowPoints:
			points, err := wire.DecodePoints(value)
			p.Restore(points)
			return err
		case rowMap:
			known, err := wire.DecodeKnownMap(value)
			p.Maps[string(key[len(prefix)+1:])] = known
			return err
		case rowUnion:
			u, err := wire.DecodeUnion(value)
			p.RestoreUnion(u)
			return err
		}
		return fmt.Errorf("state row of kind %q is unknown", key[len(prefix)])
	})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", id, err)
	}
	t.profiles[p.ID] = p
	return p, nil
}

func (t *profileTask) mark(p *profileEntry) {
	if !p.dirty {
		p.dirty = true
		t.dirty = append(t.dirty, p)
	}
}

// Flush implements stream.Task.
func (t *profileTask) Flush(now stream.Clock, out stream.Output) error {
	at := clockOf(now, t.state)
	for _, p := range t.dirty {
		p.dirty = false
		if err := t.flushProfile(p, at, now.Wall, out); err != nil {
			return err
		}
	}
	t.dirty = t.dirty[:0]
	if !t.modelKnown {
		t.state.Put([]byte{tableModel}, []byte(t.o.Model.Name))
	}
	return nil
}

func (t *profileTask) flushProfile(p *profileEntry, at, wall int64, out stream.Output) error {
	c := p.Refold(t.o.Model, at)
	t.writePoints(p, c.Times)
	prefix := rowPrefix(tableProfile, p.ID)
	t.copy(p.TakeCopies(), out)
	if p.TakeJoined() {
		t.state.Put(append(prefix[:len(prefix):len(prefix)], rowUnion), wire.EncodeUnion(&p.Union))
	}
	for _, identifier := range p.TakeLearned() {
		t.state.Put(append(append(prefix[:len(prefix):len(prefix)], rowMap), identifier...), wire.EncodeKnownMap(p.Maps[identifier]))
	}
	t.state.Put(append(prefix, rowJourneys), wire.EncodeJourneys(p.Journeys))
	for _, v := range c.Voids {
		rec := wire.VoidJourney(p.ID, t.o.Model, v, t.state.NextRevision())
		out.Produce(&kgo.Record{Topic: t.topics.journeys, Key: []byte(v.ID), Value: wire.Marshal(rec)})
	}
	for _, j := range c.Journeys {
		rec := wire.Journey(p.ID, t.o.Model, j, t.state.NextRevision())
		out.Produce(&kgo.Record{Topic: t.topics.journeys, Key: []byte(j.ID), Value: wire.Marshal(rec)})
	}
	for i := range c.Transitions {
		tr := &c.Transitions[i]
		tr.Revision, tr.EmittedMillis = t.state.NextRevision(), wall
		value, err := wire.AppendTransition(nil, t.o.Namespace, tr)
		if err != nil {
			return err
		}
		out.Produce(&kgo.Record{
			Topic: t.topics.transitions, Key: []byte(p.ID), Value: value,
			Headers: []kgo.RecordHeader{{Key: wire.HeaderContentType, Value: []byte(wire.ContentCloudEvents)}},
		})
		t.tally.transitions++
	}
	if due := p.Due(t.o.Model); due != 0 {
		t.timers.add(due, p.ID)
	}
	return nil
}

// writePoints writes the rows of the hours in which points came or went.
func (t *profileTask) writePoints(p *profileEntry, times []int64) {
	prefix := append(rowPrefix(tableProfile, p.ID), rowPoints)
	points := p.Points()
	for i := range times {
		times[i] = hourOf(times[i])
	}
	slices.Sort(times)
	for _, hour := range slices.Compact(times) {
		lo, hi := pointsOf(points, hour)
		key := appendTime(prefix[:len(prefix):len(prefix)], hour)
		if lo == hi {
			t.state.Delete(key)
			continue
		}
		t.state.Put(key, wire.EncodePoints(points[lo:hi]))
	}
}

// pointsOf finds the points of one hour.
func pointsOf(points []journey.Point, hour int64) (lo, hi int) {
	before := func(p journey.Point, at int64) int {
		if p.Time < at {
			return -1
		}
		return 1
	}
	lo, _ = slices.BinarySearchFunc(points, hour, before)
	hi, _ = slices.BinarySearchFunc(points, hour+pointHour, before)
	return lo, hi
}

// Committed implements stream.Task.
func (t *profileTask) Committed() {
	t.timers.commit()
	t.met.profile(&t.tally)
	t.tally = newTally()
	if len(t.profiles) > maxProfiles {
		clear(t.profiles)
	}
}

// Rollback implements stream.Task.
func (t *profileTask) Rollback() {
	clear(t.profiles)
	t.dirty = t.dirty[:0]
	t.tally = newTally()
	t.timers.rollback()
}
