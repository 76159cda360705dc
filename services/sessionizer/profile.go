package sessionizer

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// pointSpan is how much time one row of points covers, in ms: rows stay small,
// and a busy profile rewrites only the present one.
const pointSpan = 10 * 60 * 1000

// profileTask is the profile step on one partition of touchpoints: it keeps each
// profile's points, folds its journeys and publishes their transitions.
type profileTask struct {
	o      *Options
	topics topics
	state  *stream.State
	met    *metrics

	modelKnown bool             // the state names its model
	forgets    map[string]int64 // homes to erase with the next flush, up to when

	profiles cache[*profileEntry]
	dirty    []*profileEntry // in the order of their first change
	timers   timers
	out      arena
	// Memory that is used again.
	pb          wirepb.Touchpoint
	tp          journey.Touchpoint // what pb says
	loaded      []journey.Point    // for reading stored points
	prefix, row []byte
	tally       tally // of the open transaction
}

// profileEntry is a decoded profile and what of it has changed.
type profileEntry struct {
	journey.Home
	timer  int64 // as it is stored; 0: none
	tailed bool  // a tail is stored
	dirty  bool
}

// Name implements cached.
func (p *profileEntry) Name() string { return p.ID }

// Slim implements cached: its tail and the row that the last point is in stay.
func (p *profileEntry) Slim() { p.Home.Slim(spanOf) }

func newProfileTask(o *Options, met *metrics, state *stream.State) (*profileTask, error) {
	t := &profileTask{
		o: o, topics: newTopics(o.Namespace, state.Epoch()), state: state, met: met,
		profiles: newCache[*profileEntry](o.cacheBytes), out: newArena(), tally: newTally(),
	}
	var err error
	if t.modelKnown, err = holdModel(state, o.Model.Name); err != nil {
		return nil, err
	}
	t.timers, err = newTimers(state)
	return t, err
}

// Process implements stream.Task.
func (t *profileTask) Process(r *kgo.Record, out stream.Output) error {
	h := readHeaders(r)
	typ := h.typ
	switch typ {
	case "":
		return t.touchpoint(r, out)
	case wire.TypeForget:
		return t.forgetHome(r)
	case wire.TypeRelinquish, wire.TypeAdopt, wire.TypeJoin, wire.TypeCopy:
	default:
		return nil // of a type that this version does not know
	}
	if h.epoch < t.o.floor {
		return nil // said by an earlier epoch, whose state this one does not have
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
	if t.pb.Revision>>stream.EpochShift < uint64(t.o.floor) {
		return nil // of an earlier epoch: this one makes its own
	}
	tp := &t.tp
	wire.FromTouchpoint(tp, &t.pb)
	p, err := t.profileFor(tp.Owner, tp.Time)
	if err != nil {
		return err
	}
	t.state.Observe(min(tp.Time, tp.Received, t.state.RecordTime()))
	t.forward(p.Touchpoint(t.o.Model.Point(tp), tp.MapEpoch), out)
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

// spanOf is the beginning of the span that a time lies in.
func spanOf(ms int64) int64 { return ms - ((ms%pointSpan)+pointSpan)%pointSpan }

func (t *profileTask) mark(p *profileEntry) {
	t.profiles.grew(journey.PointWeight)
	if !p.dirty {
		p.dirty = true
		t.dirty = append(t.dirty, p)
	}
}

// Flush implements stream.Task.
func (t *profileTask) Flush(now stream.Clock, out stream.Output) error {
	at := instant(now, t.state)
	for _, p := range t.dirty {
		p.dirty = false
		if err := t.flushProfile(p, at, now.Wall, out); err != nil {
			return err
		}
	}
	t.dirty = emptied(t.dirty)
	if err := t.flushForgets(at, now.Wall, out); err != nil {
		return err
	}
	if !t.modelKnown {
		t.state.Put([]byte{tableModel}, []byte(t.o.Model.Name))
	}
	return nil
}

func (t *profileTask) flushProfile(p *profileEntry, at journey.Instant, wall int64, out stream.Output) error {
	if p.NeedsPoints(t.o.Model, at) {
		if err := t.complete(p); err != nil {
			return err
		}
	}
	c := p.Refold(t.o.Model, at)
	t.arm(p)
	t.writeProfile(p, &c)
	t.copy(p.TakeCopies(), out)
	for _, v := range c.Voids {
		rec := wire.VoidJourney(p.ID, t.o.Model, v, t.state.NextRevision())
		out.Produce(&kgo.Record{Topic: t.topics.journeys, Key: []byte(v.ID), Value: wire.Marshal(rec)})
	}
	for _, j := range c.Journeys {
		t.out.produce(out, t.topics.journeys, j.ID, wire.Journey(p.ID, t.o.Model, j, t.state.NextRevision()), nil)
	}
	for i := range c.Transitions {
		tr := &c.Transitions[i]
		tr.Revision, tr.EmittedMillis = t.state.NextRevision(), wall
		t.row = wire.AppendTransition(t.row[:0], t.o.Namespace, tr)
		t.event(t.topics.transitions, p.ID, t.row, out)
		t.tally.transitions++
	}
	for i := range c.Frictions {
		f := &c.Frictions[i]
		f.Revision, f.EmittedMillis = t.state.NextRevision(), wall
		t.row = wire.AppendFriction(t.row[:0], t.o.Namespace, f)
		t.event(t.topics.frictions, p.ID, t.row, out)
		t.tally.frictions++
	}
	return nil
}

// event produces a CloudEvent about a profile. The value is copied.
func (t *profileTask) event(topic, profile string, value []byte, out stream.Output) {
	t.out.produceBytes(out, topic, profile, value, t.topics.eventHeaders)
}

// arm sees to it that the profile is looked at when something of it runs out. A
// timer that fires too early is left as it is.
func (t *profileTask) arm(p *profileEntry) {
	due := p.Due(t.o.Model)
	if due == 0 || p.timer != 0 && p.timer <= due {
		return
	}
	if p.timer != 0 {
		t.timers.remove(p.timer, p.ID)
	}
	t.timers.add(due, p.ID)
	p.timer = due
}

// writeProfile writes the rows that have changed.
func (t *profileTask) writeProfile(p *profileEntry, c *journey.ProfileChanges) {
	prefix := appendPrefix(t.prefix[:0], tableProfile, p.ID)
	t.prefix = prefix
	row := func(kind byte) []byte { return append(prefix, kind) } // valid until the next one
	t.writePoints(p, append(prefix, rowPoints), c.Times)
	t.writeTail(p, row(rowTail))
	if p.TakeJoined() {
		t.state.Put(row(rowUnion), wire.EncodeUnion(&p.Union))
	}
	for _, identifier := range p.TakeLearned() {
		key := append(row(rowMap), identifier...)
		if known, ok := p.Maps[identifier]; ok {
			t.state.Put(key, wire.EncodeKnownMap(known))
		} else {
			t.state.Delete(key)
		}
	}
	if past := p.TakePast(); past != nil {
		t.state.Put(row(rowPast), wire.EncodePast(past))
	}
	switch list, changed := p.TakeFrictions(); {
	case !changed:
	case len(list) == 0:
		t.state.Delete(row(rowFrictions))
	default:
		t.state.Put(row(rowFrictions), wire.EncodeFrictions(list))
	}
	if len(p.Journeys) == 0 && p.timer == 0 && p.Past != nil {
		t.state.Delete(row(rowJourneys))
	} else {
		t.row = wire.AppendJourneys(t.row[:0], &p.Profile, p.timer)
		t.state.Put(row(rowJourneys), t.row)
	}
}

// writePoints writes the rows of the spans in which points came or went.
func (t *profileTask) writePoints(p *profileEntry, prefix []byte, times []int64) {
	points := p.Points()
	for i := range times {
		times[i] = spanOf(times[i])
	}
	slices.Sort(times)
	for _, span := range slices.Compact(times) {
		lo, hi := pointsOf(points, span)
		key := appendTime(prefix, span)
		if lo == hi {
			t.state.Delete(key)
			continue
		}
		t.row = wire.AppendPoints(t.row[:0], points[lo:hi])
		t.state.Put(key, t.row)
	}
}

// pointsOf finds the points of one span.
func pointsOf(points []journey.Point, span int64) (lo, hi int) {
	return journey.PointsFrom(points, span), journey.PointsFrom(points, span+pointSpan)
}

// Committed implements stream.Task.
func (t *profileTask) Committed() {
	t.timers.committed()
	t.met.profile(&t.tally)
	t.tally = newTally()
	t.profiles.committed()
	t.out.reset()
}

var _ stream.Trimmer = (*profileTask)(nil)

// Trim implements stream.Trimmer.
func (t *profileTask) Trim() { t.out.trim() }

// Shed implements stream.Trimmer.
func (t *profileTask) Shed() { t.profiles.clear() }

// Rollback implements stream.Task.
func (t *profileTask) Rollback() {
	t.profiles.clear()
	clear(t.forgets)
	t.out.reset()
	t.dirty = emptied(t.dirty)
	t.tally = newTally()
	t.timers.rollback()
}
