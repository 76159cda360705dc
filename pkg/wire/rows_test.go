package wire_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire"
)

// requireComesBack draws values and demands that each is decoded as it was
// encoded, and encoded the same again. tidy takes out what the row does not keep.
func requireComesBack[T any](t *testing.T, tidy func(*rapid.T, *T), encode func(*T) []byte, decode func([]byte) (T, error)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		var in T
		fill(t, reflect.ValueOf(&in).Elem())
		if tidy != nil {
			tidy(t, &in)
		}
		raw := encode(&in)
		require.Equal(t, raw, encode(&in), "the order of a map shows")
		out, err := decode(raw)
		require.NoError(t, err)
		require.Equal(t, in, out)
	})
}

// sparse takes away what few points have, and what a point does not keep.
func sparse(t *rapid.T, list []journey.Point) {
	for i := range list {
		p := &list[i]
		if c := p.Campaign; c != nil {
			c.Term, c.Content = "", ""
			if *c == (journey.Campaign{}) || rapid.Bool().Draw(t, "no campaign") {
				p.Campaign = nil
			}
		}
		switch rapid.IntRange(0, 4).Draw(t, "rare") {
		case 0:
			p.Rare = nil
		case 1:
			p.Rare.Repeats = nil
		case 2:
			p.Rare.Traits = nil
		case 3: // a row's strings are shared
			p.Identifier, p.Channel, p.SessionID, p.Member = list[0].Identifier, p.Identifier, "", list[0].Member
		}
	}
}

func TestPointRowsComeBack(t *testing.T) {
	requireComesBack(t, func(t *rapid.T, list *[]journey.Point) { sparse(t, *list) },
		func(list *[]journey.Point) []byte { return wire.EncodePoints(*list) },
		func(b []byte) ([]journey.Point, error) { return wire.DecodePoints(nil, b) })
}

// TestManyStringsOfPointsComeBack: the number of a string that is used again after
// many others is its own.
func TestManyStringsOfPointsComeBack(t *testing.T) {
	texts := rapid.SliceOfN(rapid.StringMatching("[a-z]{0,2}"), 1, 200)
	rapid.Check(t, func(t *rapid.T) {
		var in []journey.Point
		for _, s := range texts.Draw(t, "texts") {
			in = append(in, journey.Point{SessionID: s})
		}
		out, err := wire.DecodePoints(nil, wire.EncodePoints(in))
		require.NoError(t, err)
		require.Equal(t, in, out)
	})
}

func TestJourneyRowsComeBack(t *testing.T) {
	requireComesBack(t, func(t *rapid.T, p *timedProfile) {
		p.ID, p.Past, p.Published = "", nil, nil
		for _, j := range p.Journeys {
			j.Standing, j.Persona = journey.Standing{}, "" // a fold computes them
			for i := range j.Absorbed {
				j.Absorbed[i].Into = ""
			}
			if rapid.IntRange(0, 3).Draw(t, "base") == 0 {
				j.Base = nil
			}
			hash := rapid.Uint64().Draw(t, "published")
			j.Restored(hash)
			p.Published = append(p.Published, hash)
		}
	}, func(p *timedProfile) []byte { return wire.EncodeJourneys(&p.Profile, p.Timer) }, func(b []byte) (timedProfile, error) {
		v, err := decodeJourneys(b)
		p, _ := v.(timedProfile)
		return p, err
	})
}

func TestPastRowsComeBack(t *testing.T) {
	requireComesBack(t, func(t *rapid.T, p *journey.Past) {
		for i := range p.Troubles {
			if rapid.Bool().Draw(t, "closed") {
				p.Troubles[i].Open = nil
			}
			if rapid.Bool().Draw(t, "nothing") && i+1 < len(p.Troubles) { // trailing ones are not stored
				p.Troubles[i] = journey.Trouble{}
			}
		}
	}, wire.EncodePast, func(b []byte) (journey.Past, error) {
		p, err := wire.DecodePast(b)
		return *p, err
	})
}

func TestTailRowsComeBack(t *testing.T) {
	requireComesBack(t, func(t *rapid.T, tail *journey.Tail) {
		tail.Points &= 1<<31 - 1
		for i := range tail.Troubles {
			if rapid.Bool().Draw(t, "closed") {
				tail.Troubles[i].Open = nil
			}
		}
	}, wire.EncodeTail, func(b []byte) (journey.Tail, error) {
		p, err := wire.DecodeTail(b)
		return *p, err
	})
}

func TestFrictionRowsComeBack(t *testing.T) {
	requireComesBack(t, nil, func(list *[]journey.EmittedFriction) []byte { return wire.EncodeFrictions(*list) }, wire.DecodeFrictions)
}

func TestDeviceRowsComeBack(t *testing.T) {
	requireComesBack(t, func(_ *rapid.T, d *journey.Device) { d.Identifier = "" }, wire.EncodeDevice, func(b []byte) (d journey.Device, err error) {
		err = wire.DecodeDevice(b, &d)
		return d, err
	})
}

func TestHashRowsComeBack(t *testing.T) {
	requireComesBack(t, func(_ *rapid.T, c *journey.HashChunk) { c.Day, c.Number = 0, 0 }, wire.EncodeHashes, func(b []byte) (c journey.HashChunk, err error) {
		err = wire.DecodeHashes(b, &c)
		return c, err
	})
}

func TestKnownMapRowsComeBack(t *testing.T) {
	requireComesBack(t, nil, func(k *journey.KnownMap) []byte { return wire.EncodeKnownMap(*k) }, wire.DecodeKnownMap)
}

func TestUnionRowsComeBack(t *testing.T) {
	requireComesBack(t, nil, wire.EncodeUnion, wire.DecodeUnion)
}

func TestLinkRecordsComeBack(t *testing.T) {
	requireComesBack(t, nil, func(l *named[journey.Link]) []byte { return wire.EncodeLink(l.Identifier, l.Value) },
		func(b []byte) (l named[journey.Link], err error) {
			l.Identifier, l.Value, err = wire.DecodeLink(b)
			return l, err
		})
}

func TestRelinquishRecordsComeBack(t *testing.T) {
	requireComesBack(t, nil, func(k *named[journey.KnownMap]) []byte { return wire.EncodeRelinquish(k.Identifier, k.Value) },
		func(b []byte) (k named[journey.KnownMap], err error) {
			k.Identifier, k.Value, err = wire.DecodeRelinquish(b)
			return k, err
		})
}

func TestAdoptRecordsComeBack(t *testing.T) {
	requireComesBack(t, func(t *rapid.T, a *journey.Adopt) {
		a.To = "user:1" // the record's key
		sparse(t, a.Points)
	}, wire.EncodeAdopt, func(b []byte) (journey.Adopt, error) { return wire.DecodeAdopt(b, "user:1") })
}

func TestJoinRecordsComeBack(t *testing.T) {
	requireComesBack(t, func(_ *rapid.T, j *journey.Join) { j.To = "user:1" }, wire.EncodeJoin,
		func(b []byte) (journey.Join, error) { return wire.DecodeJoin(b, "user:1") })
}

func TestCopyRecordsComeBack(t *testing.T) {
	requireComesBack(t, func(t *rapid.T, c *journey.Copy) {
		c.To = "user:1"
		sparse(t, c.Added)
	}, wire.EncodeCopy, func(b []byte) (journey.Copy, error) { return wire.DecodeCopy(b, "user:1") })
}
