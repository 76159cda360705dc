package journey

import "slices"

// Forget takes the links of a person out of the ownership, or puts a pseudonym into
// their place, and reports whether anything was there. gone says whether a link of a
// user at a time is theirs.
//
// A pseudonym keeps the map's shape: what others did before and after stays theirs,
// and what the person did without logging in falls to nobody else.
func (o *Ownership) Forget(pseudonym string, gone func(userID string, at int64) bool) bool {
	found := false
	replace := func(list []Link) []Link {
		var out []Link
		for _, l := range list {
			if gone(l.UserID, l.Time) {
				if found = true; pseudonym == "" {
					continue
				}
				l.UserID = pseudonym
			}
			out = append(out, l)
		}
		return out
	}
	links := replace(o.Links)
	var users []string
	for _, u := range o.Users {
		stays := slices.ContainsFunc(links, func(l Link) bool { return l.UserID == u })
		if !stays && gone(u, -1<<63) {
			found = true
			u = pseudonym
		}
		if u != "" {
			users = append(users, u)
		}
	}
	if !found {
		return false
	}
	slices.Sort(users)
	slices.SortStableFunc(links, Link.compare)
	o.Links, o.Users = links, slices.Compact(users)
	if !o.Frozen {
		o.Map = changesOf(o.Links)
	}
	o.Epoch++
	return true
}

// Renamed notes that Ownership was changed from outside, where it named the profiles
// of a map before: all concerned are told, but for those that leave says.
func (d *Device) Renamed(leave func(profile string) bool) {
	d.changes.Ownership, d.changes.Links = true, true
	d.name(d.Ownership.Map)
	d.changes.Named = slices.DeleteFunc(d.changes.Named, leave)
}

// Remainder is the session of touchpoints that stay of one, under its id. It shares
// no memory with them. There must be one at least.
func Remainder(id string, minted int64, touchpoints []Touchpoint, m *Model) *Session {
	s := newSession(&touchpoints[0], m)
	for i := range touchpoints[1:] {
		s.add(&touchpoints[i+1], m)
	}
	s.ID, s.Minted = id, minted
	return s
}

// ReplaceSession puts next, nil for nothing, into the place of a session, if that
// has as many touchpoints as is expected. It returns the session that was there; ok
// is false if it has changed or is not there.
func (d *Device) ReplaceSession(id string, touchpoints uint64, next *Session) (old *Session, ok bool) {
	i := slices.IndexFunc(d.sessions, func(s *Session) bool { return s.ID == id })
	if i < 0 || d.sessions[i].Touchpoints != touchpoints {
		return nil, false
	}
	old = d.sessions[i]
	old.changed = false
	d.changes.Dropped = append(d.changes.Dropped, old.Start)
	if next == nil {
		if old.open {
			d.changes.Open--
		}
		d.sessions = slices.Delete(d.sessions, i, i+1)
		return old, true
	}
	next.Absorbed, next.Live, next.Closed, next.open = old.Absorbed, old.Live, old.Closed, old.open
	next.Oversized, next.Touched = old.Oversized, old.Touched
	d.sessions[i] = next
	d.touch(next)
	return old, true
}

// Forget lists what is to be withdrawn of a home with all its points: everything that
// was made of what happened up to a time. keep are the home's own points after it,
// for a home made anew. The home must not be used afterwards.
func (h *Home) Forget(m *Model, until int64) (c ProfileChanges, keep []Point) {
	for _, j := range h.Journeys {
		c.Voids = append(c.Voids, Void{ID: j.ID, Minted: j.Minted})
		for _, v := range j.Absorbed {
			c.Voids = append(c.Voids, Void{ID: v.ID, Minted: v.Minted})
		}
		for seq := range j.EmittedFrom + uint32(len(j.Emitted)) {
			c.Transitions = append(c.Transitions, Transition{
				Profile: h.ID, JourneyID: j.ID, Seq: seq + 1, AtMillis: j.Minted, Status: StatusVoid,
			})
		}
	}
	c.Voids = lastVoids(c.Voids)
	var struck []FrictionKey
	for k := range h.frictions {
		struck = append(struck, k)
	}
	slices.SortFunc(struck, FrictionKey.compare)
	for _, k := range struck {
		h.withdraw(m, k, &c)
	}
	for i := range h.points {
		if p := &h.points[i]; p.Time > until && p.Member == "" {
			keep = append(keep, *p)
		}
	}
	return c, keep
}
