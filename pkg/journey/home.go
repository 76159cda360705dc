package journey

import (
	"maps"
	"slices"
	"strings"
)

// KnownMap is an identifier's map of owners as of an epoch (semantics D4).
type KnownMap struct {
	Epoch uint64
	Map   []Link // changes of user, oldest first; empty: the identifier's own
}

// owner is whose a point of the identifier is by the map. A point with a user id
// of its own is always that user's, whatever a map says.
func (m KnownMap) owner(p *Point) string {
	if u := OwnerByMap(m.Map, p.Time, p.MessageID); u != "" {
		return UserProfile(u)
	}
	return p.Identifier
}

// Adopt hands points of one identifier to a profile, with the map by which they
// are its. The receiver forwards those that a newer map gives to somebody else.
type Adopt struct {
	To         string
	Identifier string
	Known      KnownMap
	Points     []Point // sorted by key, at most MaxAdopt
}

// MaxAdopt is how many points one Adopt carries.
const MaxAdopt = 1000

// Home is the profile step's state of one owner: the points it holds and the
// newest map it knows of each identifier that ever named it.
//
// Knowledge travels with data and only grows, and points are forwarded only on
// newer knowledge, so touchpoints, relinquishes and adopts may come in any
// order, any number of times: at rest each point is at its owner's home
// (docs/semantics.md). Every home that a map ever named gets every newer map.
type Home struct {
	Profile
	Maps  map[string]KnownMap // by identifier
	Union Union

	joined  bool       // Union changed since TakeJoined
	learned []string   // identifiers whose map changed since TakeLearned
	tell    bool       // points were dropped that the canonical home still counts
	added   []Point    // own points that came and went since TakeCopies
	removed []OrderKey //
}

// Add takes in a point of the home's own.
func (h *Home) Add(p Point) {
	if h.parked {
		p.own(nil)
	}
	if h.Profile.Add(p) && h.parked {
		h.added = append(h.added, p)
	}
}

// Refold is Profile.Refold. A home that keeps no points needs no maps either: who
// owns what comes next is the device step's to say, by a map as new as the point.
func (h *Home) Refold(m *Model, at Instant) ProfileChanges {
	c := h.Profile.Refold(m, at)
	h.blur(h.shed)
	h.tell, h.shed = h.tell || h.shed, false
	if len(c.Times) > 0 && len(h.points) == 0 && len(h.Journeys) == 0 && h.Past != nil {
		h.learned = slices.AppendSeq(h.learned, maps.Keys(h.Maps))
		clear(h.Maps)
		slices.Sort(h.learned)
	}
	return c
}

// Touchpoint takes in a point that the device step sent here by the map of an
// epoch. It returns what has to be forwarded.
func (h *Home) Touchpoint(p Point, epoch uint64) []Adopt {
	known, ok := h.Maps[p.Identifier]
	if ok && !p.Fixed && known.Epoch > epoch {
		if to := known.owner(&p); to != h.ID {
			return []Adopt{{To: to, Identifier: p.Identifier, Known: known, Points: []Point{p}}}
		}
	}
	h.Add(p)
	return nil
}

// Relinquish takes in an identifier's map. If it is news, the points held here
// that are now somebody else's are given up.
func (h *Home) Relinquish(identifier string, known KnownMap) []Adopt {
	if have, ok := h.Maps[identifier]; ok && have.Epoch >= known.Epoch {
		return nil
	}
	if h.Maps == nil {
		h.Maps = map[string]KnownMap{}
	}
	known.Map = slices.Clone(known.Map)
	for i := range known.Map {
		pack(&known.Map[i].MessageID, &known.Map[i].UserID)
	}
	identifier = strings.Clone(identifier)
	h.Maps[identifier] = known
	h.learned = append(h.learned, identifier)
	return h.route(identifier, known, h.removeLost(identifier, known))
}

// TakeLearned lists the identifiers whose map has changed since the last call;
// one may be there twice. A map that is no longer in Maps was dropped.
func (h *Home) TakeLearned() []string {
	l := h.learned
	h.learned = nil
	return l
}

// TakeJoined reports whether Union has changed since the last call.
func (h *Home) TakeJoined() bool {
	j := h.joined
	h.joined = false
	return j
}

// RestoreUnion sets a stored Union.
func (h *Home) RestoreUnion(u Union) {
	h.Union, h.parked, h.inexact = u, u.Canonical != "", u.Inexact
}

// Adopt takes in points and the map they came by.
func (h *Home) Adopt(a Adopt) []Adopt {
	out := h.Relinquish(a.Identifier, a.Known)
	best := a.Known
	if have, ok := h.Maps[a.Identifier]; ok {
		best = have
	}
	var others []Point
	for _, p := range a.Points {
		if best.owner(&p) == h.ID {
			h.Add(p)
		} else {
			others = append(others, p)
		}
	}
	return append(out, h.route(a.Identifier, best, others)...)
}

// route makes the adopts that bring points to their owners, in the order of the
// owners' names.
func (h *Home) route(identifier string, known KnownMap, points []Point) []Adopt {
	byOwner := map[string][]Point{}
	var owners []string
	for _, p := range points {
		to := known.owner(&p)
		if byOwner[to] == nil {
			owners = append(owners, to)
		}
		byOwner[to] = append(byOwner[to], p)
	}
	slices.Sort(owners)
	var out []Adopt
	for _, to := range owners {
		for chunk := range slices.Chunk(byOwner[to], MaxAdopt) {
			out = append(out, Adopt{To: to, Identifier: identifier, Known: known, Points: chunk})
		}
	}
	return out
}

// removeLost takes the points out that a map gives to somebody else.
func (h *Home) removeLost(identifier string, known KnownMap) []Point {
	// What is folded into a base can no longer move.
	h.blur(slices.ContainsFunc(h.Journeys, func(j *Journey) bool {
		return j.Base != nil && (j.Base.Ends[identifier] != 0 || j.Base.Sessions >= manyEnds) // ends may be forgotten
	}))
	lost := h.drop(func(p *Point) bool {
		return p.Identifier == identifier && p.Member == "" && !p.Fixed && known.owner(p) != h.ID
	})
	if h.parked {
		for i := range lost {
			h.removed = append(h.removed, lost[i].OrderKey)
			h.added = slices.DeleteFunc(h.added, func(p Point) bool { return p.OrderKey == lost[i].OrderKey })
		}
	}
	return lost
}

// Weight is about how much memory the decoded state takes, in bytes.
func (h *Home) Weight() int { return h.Profile.Weight() + 300*len(h.Maps) }
