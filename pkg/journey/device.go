package journey

import (
	"cmp"
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
	Evicted                  // late, too: where it belongs, state was dropped already
)

// Device is the device step's state of one identifier: which messages were
// seen, its sessions, and whose it is. The zero value with an Identifier is the
// state before the first touchpoint.
type Device struct {
	Identifier string
	Ownership  Ownership
	Oversized  bool // some messages were counted without de-duplication
	// EvictedThrough is the latest event time of what was dropped, 0 for nothing.
	// A touchpoint at or before it + gap comes too late to be counted right
	// (semantics D11 b).
	EvictedThrough int64

	sessions []*Session // sorted by start, further apart than the gap
	touched  []*Session // those of them that have changed
	seen     seen
	changes  DeviceChanges
	// The earliest timer that is known to be armed, and one behind it; 0: none is known.
	pending, later int64
	fired          bool // a timer has since changes were last taken
}

// DeviceChanges lists what has changed since TakeChanges was last called, in an
// order that depends on the touchpoints alone.
type DeviceChanges struct {
	Sessions  []*Session   // changed ones that still exist, by start
	Dropped   []int64      // starts under which a session was stored and no longer is
	Voids     []Void       // by absorbed id
	Hashes    []*HashChunk // changed rows
	Forgotten []*HashChunk // rows that are no more
	Timer     int64        // when to call Tick, besides the times named before; 0: not needed
	Open      int          // by how many the open sessions have become more
	Links     bool         // Ownership, Oversized or EvictedThrough changed in any way
	Ownership bool         // Ownership.Map or Frozen changed
	Named     []string     // profiles that any map since the last call named, sorted: tell them Known
}

// Void says that a session or journey merged into another.
type Void struct {
	ID, Into string
	Minted   int64
}

// Restore adds stored rows to a fresh state.
func (d *Device) Restore(s *Session) {
	s.open = !s.Closed
	d.sessions = append(d.sessions, s)
}

// RestoreHashes adds a stored row of hashes to a fresh state.
func (d *Device) RestoreHashes(c *HashChunk) {
	d.seen.chunks, d.seen.drawn = append(d.seen.chunks, c), false
}

// Sessions are the identifier's sessions by start. The caller must not change them.
func (d *Device) Sessions() []*Session { return d.sessions }

// Apply takes in one touchpoint that arrived at a record time: the arrival of the
// newest record so far. Counted touchpoints get their sentiment, session and
// owner set. The caller tells other identifiers of the link to the touchpoint's
// user; the device's own is taken in here.
func (d *Device) Apply(t *Touchpoint, m *Model, record int64) Outcome {
	known, full := d.seen.add(t, record)
	if known {
		return Duplicate
	}
	if full && !d.Oversized {
		d.Oversized, d.changes.Links = true, true
	}
	if m.Sentiment != nil && !t.Has(FlagAsset) {
		if score, source, ok := m.Sentiment(t); ok {
			t.Sentiment, t.SentimentSource = score, source
		}
	}
	// After the look for copies: of several, the first counts, also if it is late.
	if m.Lateness > 0 && t.Received-t.Time > m.Lateness && !t.Has(FlagBackfill) {
		return Late
	}
	if d.EvictedThrough != 0 && t.Time <= d.EvictedThrough+m.SessionGap {
		return Evicted
	}
	if t.Received-t.Time > LiveLimit || t.Has(FlagBackfill) {
		t.Flags |= FlagNotLive
	}
	if t.UserID != "" && d.Identifier != UserProfile(t.UserID) {
		d.AddLink(Link{t.Time, t.MessageID, t.UserID}, m)
	}
	if !t.Business() {
		s := d.addSession(t, m)
		s.Touched, s.Oversized = max(s.Touched, record), s.Oversized || full
		t.SessionID = s.ID
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

func (d *Device) addSession(t *Touchpoint, m *Model) *Session {
	list, in, was, absorbed := addToSessions(d.sessions, t, m)
	d.sessions = list
	d.touch(in)
	if was != in.Start {
		d.changes.Dropped = append(d.changes.Dropped, was)
	}
	for _, o := range absorbed {
		if o.changed = false; o.open {
			d.changes.Open--
		}
		d.changes.Dropped = append(d.changes.Dropped, o.Start)
		// What had merged into it is voided again, so that each id names the final
		// survivor and readers resolve in one step.
		d.changes.Voids = append(d.changes.Voids, Void{ID: o.ID, Into: in.ID, Minted: o.Minted})
		for _, v := range o.Absorbed {
			d.changes.Voids = append(d.changes.Voids, Void{ID: v.ID, Into: in.ID, Minted: v.Minted})
		}
	}
	return in
}

func (d *Device) touch(s *Session) {
	if !s.changed {
		s.changed = true
		d.touched = append(d.touched, s)
	}
}

// Tick closes the open sessions whose gap has passed at now, and drops what
// nothing that comes in time can touch any more at a record time. fired is the
// timer that asks for it; TakeChanges says when to come again.
func (d *Device) Tick(at Instant, fired int64, m *Model) {
	d.fired = true
	for d.pending != 0 && d.pending <= fired {
		d.pending, d.later = d.later, 0
	}
	for _, s := range d.sessions {
		if !s.Closed && s.End+m.SessionGap < at.Now {
			s.Closed = true
			d.touch(s)
		}
	}
	if m.Lateness > 0 {
		d.evict(at.Record, m.keepSessions())
	}
}

// evict drops what has not been touched for long.
func (d *Device) evict(record, keep int64) {
	before := d.EvictedThrough
	d.sessions = slices.DeleteFunc(d.sessions, func(s *Session) bool {
		if !s.Closed || s.changed || record <= s.Touched+keep {
			return false
		}
		d.EvictedThrough = max(d.EvictedThrough, s.End)
		d.changes.Dropped = append(d.changes.Dropped, s.Start)
		return true
	})
	gone := d.seen.evict(record, keep)
	for _, c := range gone {
		d.EvictedThrough = max(d.EvictedThrough, c.Latest)
	}
	d.changes.Forgotten = append(d.changes.Forgotten, gone...)
	d.changes.Links = d.changes.Links || d.EvictedThrough != before
}

// due is when to look at a session next: to close it, then to drop it; 0: never.
func (s *Session) due(m *Model) int64 {
	switch {
	case !s.Closed:
		return s.End + m.SessionGap + 1
	case m.Lateness > 0:
		return s.Touched + m.keepSessions() + 1
	}
	return 0
}

// due is when to look at a chunk next, to drop it; 0: never.
func (c *HashChunk) due(m *Model) int64 {
	if m.Lateness > 0 {
		return c.Touched + m.keepSessions() + 1
	}
	return 0
}

// TakeChanges returns what changed since the last call and forgets it.
func (d *Device) TakeChanges(m *Model) DeviceChanges {
	c := d.changes
	d.changes = DeviceChanges{}
	for _, s := range d.touched {
		if s.changed {
			s.changed = false
			c.Sessions = append(c.Sessions, s)
			if open := !s.Closed; open != s.open {
				if s.open = open; open {
					c.Open++
				} else {
					c.Open--
				}
			}
		}
	}
	d.touched = d.touched[:0]
	slices.SortFunc(c.Sessions, func(a, b *Session) int { return cmp.Compare(a.Start, b.Start) })
	// A start that a session has again is not dropped.
	c.Dropped = slices.DeleteFunc(c.Dropped, func(at int64) bool {
		_, again := slices.BinarySearchFunc(d.sessions, at, func(s *Session, at int64) int { return cmp.Compare(s.Start, at) })
		return again
	})
	for _, h := range d.seen.changed {
		if h.changed {
			h.changed = false
			c.Hashes = append(c.Hashes, h)
		}
	}
	d.seen.changed = d.seen.changed[:0]
	c.Timer = d.arm(m, &c)
	c.Voids = lastVoids(c.Voids)
	return c
}

// arm sees to it that a timer fires when the first row is due, or before, and
// returns the one that is missing; 0: none is. One that fires too early is left, so
// that a session that goes on arms none with every touchpoint.
//
// A row that is armed waits for any timer of the identifier that fires when it is due
// or before. When one does, all rows are looked at, so those that are not written for
// it are armed all the same: a row is due ever later, and no longer counts as armed
// when it is not.
func (d *Device) arm(m *Model, c *DeviceChanges) (missing int64) {
	sessions, chunks := c.Sessions, c.Hashes
	if d.fired {
		sessions, chunks = d.sessions, d.seen.chunks
	}
	earliest := int64(0)
	look := func(armed bool, due int64) {
		if due != 0 && (!armed || d.fired) && (earliest == 0 || due < earliest) {
			earliest = due
		}
	}
	for _, s := range sessions {
		look(s.Armed, s.due(m))
	}
	for _, c := range chunks {
		look(c.Armed, c.due(m))
	}
	if earliest != 0 && (d.pending == 0 || d.pending > earliest) {
		d.pending, d.later, missing = earliest, d.pending, earliest
	}
	for _, s := range sessions {
		s.Armed = s.due(m) != 0
	}
	for _, c := range chunks {
		c.Armed = c.due(m) != 0
	}
	d.fired = false
	return missing
}

// Weight is about how much memory the decoded state takes, in bytes.
func (d *Device) Weight() int {
	n := 560 + 900*len(d.sessions)
	for _, c := range d.seen.chunks {
		n += 60 + 8*cap(c.Hashes)
	}
	return n
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
