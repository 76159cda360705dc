package journey

import (
	"slices"
	"strings"
)

// Outcome is what became of a touchpoint in the device step.
type Outcome uint8

// Outcomes. Every accepted raw record has exactly one of them, or is rejected.
const (
	Counted   Outcome = iota // a touchpoint
	Duplicate                // its message was counted before
	Late                     // beyond the lateness horizon
)

// Device is the device step's state of one identifier: which messages were
// seen, its sessions, and whose it is. The zero value with an Identifier is the
// state before the first touchpoint.
type Device struct {
	Identifier string
	Ownership  Ownership
	Oversized  bool // some messages were counted without de-duplication

	sessions []*Session // sorted by start, further apart than the gap
	seen     seen
	changes  DeviceChanges
}

// DeviceChanges lists what has changed since TakeChanges was last called, in an
// order that depends on the touchpoints alone.
type DeviceChanges struct {
	Sessions  []*Session   // changed ones that still exist, by start
	Dropped   []int64      // starts under which a session was stored and no longer is
	Voids     []Void       // by absorbed id
	Hashes    []*HashChunk // changed rows
	Links     bool         // Ownership or Oversized changed in any way
	Ownership bool         // Ownership.Map or Frozen changed
	Named     []string     // profiles that any map since the last call named, sorted: tell them Known
}

// Void says that a session or journey merged into another.
type Void struct {
	ID, Into string
	Minted   int64
}

// Restore adds stored rows to a fresh state.
func (d *Device) Restore(s *Session) { d.sessions = append(d.sessions, s) }

// RestoreHashes adds a stored row of hashes to a fresh state.
func (d *Device) RestoreHashes(c *HashChunk) { d.seen.chunks = append(d.seen.chunks, c) }

// Sessions are the identifier's sessions by start. The caller must not change them.
func (d *Device) Sessions() []*Session { return d.sessions }

// Apply takes in one touchpoint. Counted touchpoints get their session and
// owner set. links tells the caller which other identifiers the touchpoint
// links to its user; the device's own link is taken in here.
func (d *Device) Apply(t *Touchpoint, m *Model) Outcome {
	known, full := d.seen.add(t.MessageID, int32(floorDiv(t.Received, 24*60*minute)))
	if known {
		return Duplicate
	}
	if full && !d.Oversized {
		d.Oversized, d.changes.Links = true, true
	}
	// After the look for copies: of several, the first counts, also if it is late.
	if m.Lateness > 0 && t.Received-t.Time > m.Lateness && !t.Has(FlagBackfill) {
		return Late
	}
	if t.Received-t.Time > LiveLimit || t.Has(FlagBackfill) {
		t.Flags |= FlagNotLive
	}
	if t.UserID != "" && d.Identifier != UserProfile(t.UserID) {
		d.AddLink(Link{t.Time, t.MessageID, t.UserID}, m)
	}
	if !t.Business() {
		t.SessionID = d.addSession(t, m.SessionGap).ID
	}
	t.Owner, t.MapEpoch = d.owner(t), d.Ownership.Epoch
	return Counted
}

// AddLink records that the identifier was seen with a user.
func (d *Device) AddLink(l Link, m *Model) {
	before := len(d.Ownership.Links)
	wasFrozen, was := d.Ownership.Frozen, d.Ownership.Map
	if d.Ownership.Add(l, m.UserLimit) {
		d.changes.Ownership = true
		d.name(was)
		d.name(d.Ownership.Map)
	}
	if d.changes.Ownership || len(d.Ownership.Links) != before || d.Ownership.Frozen != wasFrozen {
		d.changes.Links = true
	}
}

// name notes the profiles of a map, and the identifier's own: all that may hold
// points of it must hear of the new map.
func (d *Device) name(m []Link) {
	add := func(profile string) {
		if i, found := slices.BinarySearch(d.changes.Named, profile); !found {
			d.changes.Named = slices.Insert(d.changes.Named, i, profile)
		}
	}
	add(d.Identifier)
	for _, l := range m {
		add(UserProfile(l.UserID))
	}
}

// TakeNamed returns Named of the changes alone, and forgets it.
func (d *Device) TakeNamed() []string {
	named := d.changes.Named
	d.changes.Named = nil
	return named
}

// Known is the identifier's present map, as homes are told it.
func (d *Device) Known() KnownMap { return KnownMap{d.Ownership.Epoch, d.Ownership.Map} }

func (d *Device) owner(t *Touchpoint) string {
	if t.UserID != "" {
		return UserProfile(t.UserID)
	}
	if u := d.Ownership.Owner(t.Time, t.MessageID); u != "" {
		return UserProfile(u)
	}
	return d.Identifier
}

func (d *Device) addSession(t *Touchpoint, gap int64) *Session {
	list, in, was, absorbed := addToSessions(d.sessions, t, gap)
	d.sessions = list
	in.changed = true
	if was != in.Start {
		d.changes.Dropped = append(d.changes.Dropped, was)
	}
	for _, o := range absorbed {
		d.changes.Dropped = append(d.changes.Dropped, o.Start)
	}
	for _, o := range absorbed {
		// What had merged into it is voided again, so that each id names the final
		// survivor and readers resolve in one step.
		d.changes.Voids = append(d.changes.Voids, Void{ID: o.ID, Into: in.ID, Minted: o.Minted})
		for _, v := range o.Absorbed {
			d.changes.Voids = append(d.changes.Voids, Void{ID: v.ID, Into: in.ID, Minted: v.Minted})
		}
	}
	return in
}

// Close marks the open sessions whose gap has passed at now as closed, and
// returns the earliest time another one may close (0: none is open).
func (d *Device) Close(now, gap int64) (next int64) {
	for _, s := range d.sessions {
		switch due := s.End + gap + 1; {
		case s.Closed:
		case due <= now:
			s.Closed, s.changed = true, true
		case next == 0 || due < next:
			next = due
		}
	}
	return next
}

// TakeChanges returns what changed since the last call and forgets it.
func (d *Device) TakeChanges() DeviceChanges {
	c := d.changes
	d.changes = DeviceChanges{}
	for _, s := range d.sessions {
		if s.changed {
			s.changed = false
			c.Sessions = append(c.Sessions, s)
		}
		// A start that a session has again is not dropped.
		c.Dropped = slices.DeleteFunc(c.Dropped, func(at int64) bool { return at == s.Start })
	}
	for _, h := range d.seen.chunks {
		if h.changed {
			h.changed = false
			c.Hashes = append(c.Hashes, h)
		}
	}
	c.Voids = lastVoids(c.Voids)
	return c
}

// lastVoids keeps the newest entry of each id, sorted by id: a survivor may have
// been absorbed itself within one batch.
func lastVoids(list []Void) []Void {
	slices.SortStableFunc(list, func(a, b Void) int { return strings.Compare(a.ID, b.ID) })
	out := list[:0]
	for i, v := range list {
		if i+1 == len(list) || list[i+1].ID != v.ID {
			out = append(out, v)
		}
	}
	return out
}
