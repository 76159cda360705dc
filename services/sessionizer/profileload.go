package sessionizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/stream"
	"github.com/cairnhq/cairn/pkg/wire"
)

// tailFrom is how many points a profile has from when on its tail is stored, too:
// it saves reading more points than that, and is a row more to write.
const tailFrom = 64

// profile returns the decoded state of a profile, with all its points.
func (t *profileTask) profile(id string) (*profileEntry, error) {
	return t.profileFor(id, math.MinInt64)
}

// profileFor returns the decoded state of a profile that takes in a touchpoint of
// a time; earlier points are missing where its tail is enough.
func (t *profileTask) profileFor(id string, at int64) (*profileEntry, error) {
	p, ok := t.profiles.get(id)
	if !ok {
		return t.load(strings.Clone(id), at) // the caller's id aliases a record
	}
	if p.Follows(at) {
		return p, nil
	}
	return p, t.complete(p)
}

func (t *profileTask) load(id string, at int64) (*profileEntry, error) {
	p := &profileEntry{}
	p.ID, p.Maps = id, map[string]journey.KnownMap{}
	prefix := rowPrefix(tableProfile, id)
	var tail *journey.Tail
	short, all := false, t.loaded[:0]
	defer func() { clear(all) }()
	err := t.state.Scan(prefix, func(key, value []byte) (err error) {
		switch kind := key[len(prefix)]; kind {
		case rowTail:
			tail, err = wire.DecodeTail(value)
			p.tailed = true
		case rowPoints:
			if short = tail != nil && at > tail.At.Time; short {
				return stream.ErrStop
			}
			all, err = wire.DecodePoints(all, value)
		default:
			err = t.decode(p, key[len(prefix):], value)
		}
		return err
	})
	if err == nil && short {
		err = t.loadTail(p, prefix, tail)
	} else {
		p.Restore(all)
		t.loaded = all[:0]
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", id, err)
	}
	t.profiles.put(p)
	return p, nil
}

// decode takes in a row that is neither tail nor points; key begins with its kind.
func (t *profileTask) decode(p *profileEntry, key, value []byte) (err error) {
	switch key[0] {
	case rowJourneys:
		p.timer, err = wire.DecodeJourneys(value, &p.Profile)
	case rowFrictions:
		var list []journey.EmittedFriction
		list, err = wire.DecodeFrictions(value)
		p.RestoreFrictions(list)
	case rowPast:
		p.Past, err = wire.DecodePast(value)
	case rowMap:
		p.Maps[string(key[1:])], err = wire.DecodeKnownMap(value)
	case rowUnion:
		var u journey.Union
		u, err = wire.DecodeUnion(value)
		p.RestoreUnion(u)
	default:
		err = fmt.Errorf("state row of kind %q is unknown", key[0])
	}
	return err
}

// loadTail restores a profile from its tail and the row that the last point is in.
// A profile with aliases has no tail, so the rows behind the points, which would
// say so, need not be read.
func (t *profileTask) loadTail(p *profileEntry, prefix []byte, tail *journey.Tail) error {
	points, err := t.points(prefix, spanOf(tail.At.Time))
	if err != nil {
		return err
	}
	if len(p.Journeys) == 0 || len(points) == 0 || len(points) > tail.Points || points[len(points)-1].OrderKey != tail.At {
		return errors.New("the row of the tail does not go with those of journeys and points")
	}
	p.RestoreTail(t.o.Model, tail, points)
	return nil
}

// complete reads the points that are missing.
func (t *profileTask) complete(p *profileEntry) error {
	points, err := t.points(rowPrefix(tableProfile, p.ID), math.MinInt64)
	if err != nil {
		return fmt.Errorf("load the points of %s: %w", p.ID, err)
	}
	slim := p.Weight()
	p.Complete(points)
	t.profiles.grew(p.Weight() - slim)
	return nil
}

// points reads the stored points of a profile, those of the spans from a time on.
func (t *profileTask) points(prefix []byte, from int64) (list []journey.Point, err error) {
	prefix = append(slices.Clip(prefix), rowPoints)
	end := slices.Clone(prefix)
	end[len(end)-1]++
	err = t.state.Range(appendTime(slices.Clip(prefix), from), end, func(_, value []byte) (err error) {
		list, err = wire.DecodePoints(list, value)
		return err
	})
	return list, err
}

// writeTail stores the tail of a long profile, or sees to it that none is stored.
func (t *profileTask) writeTail(p *profileEntry, key []byte) {
	if tail := p.Tail(); tail != nil && tail.Points >= tailFrom {
		t.row = wire.AppendTail(t.row[:0], tail)
		t.state.Put(key, t.row)
		p.tailed = true
	} else if p.tailed {
		t.state.Delete(key)
		p.tailed = false
	}
}
