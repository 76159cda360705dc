package journey

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sort"
	"strings"
)

// Status of a session or journey.
const (
	StatusOpen      = "open"
	StatusClosed    = "closed"    // sessions: the gap has passed
	StatusConverted = "converted" // journeys: the goal's rule fired
	StatusLapsed    = "lapsed"    // journeys: the gap has passed without the goal
	StatusVoid      = "void"      // merged into another
)

// Session is a maximal run of one identifier's customer touchpoints without a
// pause longer than the gap. First and last fields are minima and maxima by
// order key, so that they do not depend on arrival.
type Session struct {
	ID       string
	Start    int64
	End      int64
	Minted   int64  // event time of the touchpoint the id came from; never changes
	Absorbed []Void // what merged into this one, by id; Into is not kept up

	Touchpoints uint64
	Bots        uint64 // of the touchpoints, those of robots
	Live        bool   // the newest change was live

	FirstID, LastID string // messages that stand at Start and End
	Channel         string // of the first touchpoint
	LastChannel     string
	Source          string
	Referrer        string
	Campaign        Campaign
	Landing, Exit   pageAt

	RevenueMicros int64
	Closed        bool // published as closed; reopened by any change

	changed bool // since the device's changes were last taken
}

// pageAt is a page path and where in the order it was seen.
type pageAt struct {
	Path      string
	Time      int64
	MessageID string
}

// At reports the position of the page, and whether there is one.
func (p pageAt) At() (path string, at int64, messageID string) { return p.Path, p.Time, p.MessageID }

// SetAt restores what At reported.
func (p *pageAt) SetAt(path string, at int64, messageID string) { *p = pageAt{path, at, messageID} }

func (p pageAt) before(o pageAt) bool {
	return p.Time < o.Time || p.Time == o.Time && p.MessageID < o.MessageID
}

// mintID derives an id from what must make it unique. 128 bits of SHA-256, so
// that nobody can choose message ids that collide.
func mintID(kind, owner, messageID string) string {
	h := sha256.New()
	for _, part := range [...]string{kind, owner, messageID} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// newSession is the session of a single touchpoint. It shares no memory with t.
func newSession(t *Touchpoint) *Session {
	s := &Session{
		ID: mintID("session", t.Identifier, t.MessageID), Start: t.Time, End: t.Time, Minted: t.Time,
		Touchpoints: 1, FirstID: t.MessageID, Channel: t.Channel, Source: t.Source, Referrer: t.Page.Referrer,
		Campaign: t.Campaign, RevenueMicros: t.RevenueMicros, Live: !t.Has(FlagNotLive),
	}
	if t.Has(FlagBot) {
		s.Bots = 1
	}
	path := t.Page.Path
	pack(&s.FirstID, &s.Channel, &s.Source, &s.Referrer, &path,
		&s.Campaign.Source, &s.Campaign.Medium, &s.Campaign.Name, &s.Campaign.Term, &s.Campaign.Content)
	s.LastID, s.LastChannel = s.FirstID, s.Channel
	if path != "" {
		s.Landing = pageAt{path, t.Time, s.FirstID}
		s.Exit = s.Landing
	}
	return s
}

// absorb adds what o holds. It is commutative and associative in every field
// but ID, Minted and Absorbed, which the caller settles, and Live and Closed.
func (s *Session) absorb(o *Session) {
	if o.Start < s.Start || o.Start == s.Start && o.FirstID < s.FirstID {
		s.Start, s.FirstID = o.Start, o.FirstID
		s.Channel, s.Source, s.Referrer, s.Campaign = o.Channel, o.Source, o.Referrer, o.Campaign
	}
	if o.End > s.End || o.End == s.End && o.LastID > s.LastID {
		s.End, s.LastID, s.LastChannel = o.End, o.LastID, o.LastChannel
	}
	if o.Landing.Path != "" && (s.Landing.Path == "" || o.Landing.before(s.Landing)) {
		s.Landing = o.Landing
	}
	if o.Exit.Path != "" && (s.Exit.Path == "" || s.Exit.before(o.Exit)) {
		s.Exit = o.Exit
	}
	s.Touchpoints += o.Touchpoints
	s.Bots += o.Bots
	s.RevenueMicros += o.RevenueMicros
}

// IsBot reports whether any of the session's touchpoints is a robot's.
func (s *Session) IsBot() bool { return s.Bots > 0 }

// Status is open, or closed once published as such.
func (s *Session) Status() string {
	if s.Closed {
		return StatusClosed
	}
	return StatusOpen
}

// addToSessions merges a touchpoint into an identifier's sessions, which are
// sorted by start and further apart than the gap. It returns the session the
// touchpoint is now in, the start that session had before (its present one if it
// is new), and the sessions that merged into it.
func addToSessions(list []*Session, t *Touchpoint, gap int64) (out []*Session, in *Session, was int64, absorbed []*Session) {
	// lo is the first session that ends at or after t-gap, hi the first that
	// starts after t+gap: those between touch t. Equal to the gap still touches.
	lo := sort.Search(len(list), func(i int) bool { return list[i].End >= t.Time-gap })
	hi := lo
	for hi < len(list) && list[hi].Start <= t.Time+gap {
		hi++
	}
	fresh := newSession(t)
	if lo == hi {
		return slices.Insert(list, lo, fresh), fresh, fresh.Start, nil
	}
	in = list[lo] // the earliest-starting one survives
	was = in.Start
	in.Live, in.Closed = fresh.Live, false
	in.absorb(fresh)
	if hi == lo+1 {
		return list, in, was, nil
	}
	absorbed = slices.Clone(list[lo+1 : hi])
	for _, o := range absorbed {
		in.absorb(o)
		in.Absorbed = append(append(in.Absorbed, o.Absorbed...), Void{ID: o.ID, Minted: o.Minted})
	}
	slices.SortFunc(in.Absorbed, func(a, b Void) int { return strings.Compare(a.ID, b.ID) })
	return slices.Delete(list, lo+1, hi), in, was, absorbed
}
