package journey

import (
	"cmp"
	"slices"
	"strings"
)

// MaxComponent is how many users aliases may join into one profile. A larger
// component is frozen for good: each of its users is its own profile.
const MaxComponent = 32

// Edge is one alias: at (Time, MessageID, Identifier) somebody said that the
// profile From is the profile To now (semantics D5).
type Edge struct {
	Time       int64
	MessageID  string
	Identifier string // of the touchpoint
	From, To   string // profiles of users
}

func (e Edge) compare(o Edge) int {
	return cmp.Or(cmp.Compare(e.Time, o.Time), strings.Compare(e.MessageID, o.MessageID), strings.Compare(e.Identifier, o.Identifier))
}

// pair names the two users whatever the direction.
func (e Edge) pair() [2]string { return [2]string{min(e.From, e.To), max(e.From, e.To)} }

func (e Edge) other(profile string) string {
	if e.From == profile {
		return e.To
	}
	return e.From
}

// Alias is the edge of an alias touchpoint that was counted. One whose previous
// id is the event's own anonymous id is only a link.
func (t *Touchpoint) Alias() (Edge, bool) {
	own := KindAnonymous + ":" + t.PreviousID
	if t.Type != "alias" || t.UserID == "" || t.PreviousID == "" || t.PreviousID == t.UserID ||
		t.Identifier == own || slices.Contains(t.Others, own) {
		return Edge{}, false
	}
	return Edge{t.Time, t.MessageID, t.Identifier, UserProfile(t.PreviousID), UserProfile(t.UserID)}, true
}

// Union is what a user's home knows of the users it is joined with. The zero
// value is a user on its own.
type Union struct {
	Edges     []Edge            // the latest per pair, sorted by time
	Frozen    bool              // the component has too many users; no Edges are kept
	Canonical string            // the home that has the rows; "": this one
	Version   uint64            // grows by one with each change of Canonical
	Copies    map[string]uint64 // version of the copy held of each member
	// Inexact says that points were folded away that have since moved or been
	// withdrawn: the profile's journeys are flagged approximate.
	Inexact bool
}

// known reports whether anything is known of aliases.
func (u *Union) known() bool {
	return len(u.Edges) > 0 || u.Frozen || u.Canonical != "" || u.Version != 0 || len(u.Copies) > 0 || u.Inexact
}

// Join tells a home of aliases, or that the component is frozen.
type Join struct {
	To     string
	Edges  []Edge
	Freeze bool
}

// Copy brings a member's points to the home of its canonical profile. Copies of
// one member must arrive in the order in which they were sent.
type Copy struct {
	To      string
	Member  string
	Version uint64
	Full    bool       // what was copied before is void
	Inexact bool       // the member has folded or dropped points, which it can neither copy nor take back
	Added   []Point    // at most MaxAdopt
	Removed []OrderKey // at most MaxAdopt
}

// learn adds edges that are news, and returns them.
func (u *Union) learn(edges []Edge) []Edge {
	var news []Edge
	for _, e := range edges {
		i := slices.IndexFunc(u.Edges, func(have Edge) bool { return have.pair() == e.pair() })
		if i >= 0 && u.Edges[i].compare(e) >= 0 {
			continue
		}
		pack(&e.MessageID, &e.Identifier, &e.From, &e.To)
		if i >= 0 {
			u.Edges = slices.Delete(u.Edges, i, i+1)
		}
		at, _ := slices.BinarySearchFunc(u.Edges, e, Edge.compare)
		u.Edges = slices.Insert(u.Edges, at, e)
		news = append(news, e)
	}
	return news
}

// neighbours are the users that an edge joins with a profile, sorted.
func (u *Union) neighbours(profile string) []string {
	var out []string
	for _, e := range u.Edges {
		if e.From == profile || e.To == profile {
			out = append(out, e.other(profile))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// component are the users that edges join with a profile, itself included.
func (u *Union) component(profile string) map[string]bool {
	in := map[string]bool{profile: true}
	for grown := true; grown; {
		grown = false
		for _, e := range u.Edges {
			if in[e.From] != in[e.To] {
				in[e.From], in[e.To], grown = true, true, true
			}
		}
	}
	return in
}

// canonical is the profile that names a component: the target of its latest alias.
func (u *Union) canonical(profile string) string {
	name := profile
	if u.Frozen {
		return name
	}
	in := u.component(profile)
	for _, e := range u.Edges { // in order, so that the latest stays
		if in[e.From] {
			name = e.To
		}
	}
	return name
}

// Join takes in aliases. It returns what neighbours must be told, and the copies
// to send if the profile has another name now.
func (h *Home) Join(j Join) ([]Join, []Copy) {
	u := &h.Union
	h.joined = true
	if u.Frozen {
		return h.answerFrozen(j), nil
	}
	before := u.neighbours(h.ID)
	news := u.learn(j.Edges)
	if j.Freeze || len(u.component(h.ID)) > MaxComponent {
		return h.freeze(), h.settleName()
	}
	var out []Join
	for _, to := range u.neighbours(h.ID) {
		edges := news
		if !slices.Contains(before, to) {
			edges = slices.Clone(u.Edges)
		}
		if len(edges) > 0 {
			out = append(out, Join{To: to, Edges: edges})
		}
	}
	return out, h.settleName()
}

// answerFrozen tells whoever a new edge joins with a frozen user.
// Nothing is kept of it: a frozen user may be aliased with any number of others.
func (h *Home) answerFrozen(j Join) []Join {
	var out []Join
	for _, e := range j.Edges {
		if e.From == h.ID || e.To == h.ID {
			out = append(out, Join{To: e.other(h.ID), Freeze: true})
		}
	}
	return out
}

// freeze makes the user its own profile for good, and its neighbours theirs.
func (h *Home) freeze() []Join {
	u := &h.Union
	u.Frozen = true
	var out []Join
	for _, to := range u.neighbours(h.ID) {
		out = append(out, Join{To: to, Freeze: true})
	}
	u.Edges = nil
	return out
}

// settleName finds out under which name the profile goes now. On a change the
// former home of the copies forgets them, and the new one gets them all.
func (h *Home) settleName() []Copy {
	u := &h.Union
	name := u.canonical(h.ID)
	if name == h.ID {
		name = ""
	}
	if name == u.Canonical {
		return nil
	}
	was := u.Canonical
	u.Canonical = name
	u.Version++
	h.blur(name != "" && h.folded()) // what is folded away has no rows from now on
	h.parked, h.restart = name != "", true
	h.added, h.removed = nil, nil // the full copy has it all
	var out []Copy
	if was != "" {
		out = append(out, Copy{To: was, Member: h.ID, Version: u.Version, Full: true})
	}
	if name != "" {
		out = append(out, h.fullCopy()...)
	}
	return out
}

func (h *Home) fullCopy() []Copy {
	var own []Point
	for _, p := range h.points {
		if p.Member == "" {
			own = append(own, p)
		}
	}
	out := []Copy{{To: h.Union.Canonical, Member: h.ID, Version: h.Union.Version, Full: true, Inexact: h.folded() || h.Union.Inexact}}
	for chunk := range slices.Chunk(own, MaxAdopt) {
		out = append(out, Copy{To: h.Union.Canonical, Member: h.ID, Version: h.Union.Version, Added: chunk})
	}
	return out
}

// TakeCopies returns what has to be copied to the canonical home of the changes
// since the last call.
func (h *Home) TakeCopies() []Copy {
	added, removed := h.added, h.removed
	h.added, h.removed = nil, nil
	if h.Union.Canonical == "" {
		return nil
	}
	var out []Copy
	add := func(c Copy) {
		c.To, c.Member, c.Version = h.Union.Canonical, h.ID, h.Union.Version
		out = append(out, c)
	}
	if h.tell {
		h.tell = false
		add(Copy{Inexact: true})
	}
	for chunk := range slices.Chunk(removed, MaxAdopt) {
		add(Copy{Removed: chunk})
	}
	for chunk := range slices.Chunk(added, MaxAdopt) {
		add(Copy{Added: chunk})
	}
	return out
}

// Copy takes in a member's points.
func (h *Home) Copy(c Copy) {
	have := h.Union.Copies[c.Member]
	if c.Version < have {
		return
	}
	if c.Version > have || c.Full {
		h.joined = true
		if h.Union.Copies == nil {
			h.Union.Copies = map[string]uint64{}
		}
		member := strings.Clone(c.Member)
		h.Union.Copies[member] = c.Version
		h.drop(func(p *Point) bool { return p.Member == member })
		// What of the member was folded away stays counted.
		h.blur(have > 0 && h.folded())
	}
	h.blur(c.Inexact)
	for _, p := range c.Added {
		p.Member = c.Member
		p.own(nil)
		p.Rare = p.Rare.clone()
		h.Profile.Add(p)
	}
	for _, k := range c.Removed {
		gone := h.drop(func(p *Point) bool { return p.Member == c.Member && p.OrderKey == k })
		h.blur(len(gone) == 0 && h.folded())
	}
}

// folded reports whether points of the profile have been folded into a base.
func (h *Home) folded() bool {
	return slices.ContainsFunc(h.Journeys, func(j *Journey) bool { return j.Base != nil })
}

// blur flags the profile as approximate from now on, if so.
func (h *Home) blur(so bool) {
	if so && !h.Union.Inexact {
		h.Union.Inexact, h.inexact, h.joined = true, true, true
	}
}
