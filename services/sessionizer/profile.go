package sessionizer

import (
	"fmt"
	"maps"
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

	profiles map[string]*profileEntry
	dirty    []*profileEntry // in the order of their first change
	timers   timers
	pb       wirepb.Touchpoint
	tally    tally // of the open transaction
}

// profileEntry is a decoded profile and what of it has changed.
type profileEntry struct {
	journey.Profile
	dirty bool
	hours map[int64]bool // rows of points to write
}

func newProfileTask(o *Options, met *metrics, state *stream.State) (*profileTask, error) {
	t := &profileTask{
		o: o, topics: newTopics(o.Namespace), state: state, met: met,
		profiles: map[string]*profileEntry{}, tally: newTally(),
	}
	return t, t.loadTimers()
}

// Process implements stream.Task.
func (t *profileTask) Process(r *kgo.Record, _ stream.Output) error {
	if readHeaders(r).typ != "" {
		return nil // talk between steps that this version does not know
	}
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
	p.Add(t.o.Model.Point(&tp))
	p.hours[hourOf(tp.Time)] = true
	t.mark(p)
	t.tally.oldest = min(t.tally.oldest, tp.Received)
	return nil
}

func hourOf(ms int64) int64 { return ms - ((ms%pointHour)+pointHour)%pointHour }

// profile returns the decoded state of a profile.
func (t *profileTask) profile(id string) (*profileEntry, error) {
	if p, ok := t.profiles[id]; ok {
		return p, nil
	}
	p := &profileEntry{hours: map[int64]bool{}}
	p.ID = strings.Clone(id) // the caller's aliases a record
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
	return nil
}

func (t *profileTask) flushProfile(p *profileEntry, at, wall int64, out stream.Output) error {
	c := p.Refold(t.o.Model, at)
	for _, pt := range c.Folded {
		p.hours[hourOf(pt.Time)] = true
	}
	t.writePoints(p)
	prefix := rowPrefix(tableProfile, p.ID)
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

// writePoints writes the rows of the hours that changed.
func (t *profileTask) writePoints(p *profileEntry) {
	prefix := append(rowPrefix(tableProfile, p.ID), rowPoints)
	points := p.Points()
	for _, hour := range slices.Sorted(maps.Keys(p.hours)) {
		lo, hi := pointsOf(points, hour)
		key := appendTime(prefix[:len(prefix):len(prefix)], hour)
		if lo == hi {
			t.state.Delete(key)
			continue
		}
		t.state.Put(key, wire.EncodePoints(points[lo:hi]))
	}
	clear(p.hours)
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
