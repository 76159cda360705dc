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
	Oversized   bool   // copies may have been counted: too many messages to remember

	FirstID, LastID string // messages that stand at Start and End
	Channel         string // of the first touchpoint
	LastChannel     string
	Source          string
	Device          string // of the first touchpoint
	Referrer        string
	Campaign        Campaign
	Landing, Exit   pageAt
	Group           pageAt // first channel group, and the touchpoint it is of

	RevenueMicros  int64
	Pages          uint64       // pages and screens
	Events         []EventCount // by number
	SentimentSum   int64        // hundredths
	SentimentCount uint64
	Closed         bool // published as closed; reopened by any change

	Touched int64 // record time of the last change
	Armed   bool  // a timer fires when the session is due, see Device.arm

	changed bool // since the device's changes were last taken
	open    bool // when they were
}

// EventCount is how often an event occurred.
type EventCount struct {
	Event int // number in Model.Events; their number: any other event
	Count uint64
}

// EventName is the name of event i of a count.
func (m *Model) EventName(i int) string {
	if i < 0 || i >= len(m.Events) {
		return "other"
	}
	return m.Events[i]
}

// countEvent adds to a sorted list of counts.
func countEvent(list []EventCount, event int, n uint64) []EventCount {
	i, found := slices.BinarySearchFunc(list, event, func(c EventCount, e int) int { return c.Event - e })
	if !found {
		list = slices.Insert(list, i, EventCount{Event: event})
	}
	list[i].Count += n
	return list
}

// pageAt is a page path (or a channel group) and where in the order it was seen.
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
func newSession(t *Touchpoint, m *Model) *Session {
	s := &Session{
		ID: mintID("session", t.Identifier, t.MessageID), Start: t.Time, End: t.Time, Minted: t.Time,
		FirstID: t.MessageID, Channel: t.Channel, Source: t.Source, Device: t.Device, Referrer: t.Page.Referrer,
		Campaign: t.Campaign, Live: !t.Has(FlagNotLive),
	}
	path := pathOf(t)
	pack(&s.FirstID, &s.Channel, &s.Source, &s.Device, &s.Referrer, &path,
		&s.Campaign.Source, &s.Campaign.Medium, &s.Campaign.Name, &s.Campaign.Term, &s.Campaign.Content)
	s.LastID, s.LastChannel = s.FirstID, s.Channel
	if path != "" {
		s.Landing = pageAt{path, t.Time, s.FirstID}
		s.Exit = s.Landing
	}
	if t.ChannelGroup != "" {
		s.Group = pageAt{strings.Clone(t.ChannelGroup), t.Time, s.FirstID}
	}
	s.count(t, m)
	return s
}

// ChannelGroup is why the customer came: what the first touchpoint says that says
// anything.
func (s *Session) ChannelGroup() string {
	if s.Group.Path == "" {
		return GroupDirect
	}
	return s.Group.Path
}

// pathOf is the page that a touchpoint happened on; "" for what a page loads.
func pathOf(t *Touchpoint) string {
	if t.Has(FlagAsset) {
		return ""
	}
	return t.Page.Path
}

// count adds a touchpoint to the sums.
func (s *Session) count(t *Touchpoint, m *Model) {
	s.Touchpoints++
	s.RevenueMicros += t.RevenueMicros
	if t.Has(FlagBot) {
		s.Bots++
	}
	if t.SentimentSource != "" {
		s.SentimentSum += int64(t.Sentiment)
		s.SentimentCount++
	}
	if (t.Type == "page" || t.Type == "screen") && !t.Has(FlagAsset) {
		s.Pages++
	}
	if t.Event != "" {
		n, known := m.named[t.Event]
		if !known {
			n = len(m.Events)
		}
		s.Events = countEvent(s.Events, n, 1)
	}
}

// add takes in a touchpoint that touches the session. It shares no memory with t.
func (s *Session) add(t *Touchpoint, m *Model) {
	first := t.Time < s.Start || t.Time == s.Start && t.MessageID < s.FirstID
	if first { // all that is the first touchpoint's comes from one of its own
		s.absorb(newSession(t, m))
		return
	}
	s.count(t, m)
	if group := (pageAt{t.ChannelGroup, t.Time, t.MessageID}); group.Path != "" && (s.Group.Path == "" || group.before(s.Group)) {
		pack(&group.Path, &group.MessageID)
		s.Group = group
	}
	last := t.Time > s.End || t.Time == s.End && t.MessageID > s.LastID
	page := pageAt{pathOf(t), t.Time, t.MessageID}
	landing := page.Path != "" && (s.Landing.Path == "" || page.before(s.Landing))
	exit := page.Path != "" && (s.Exit.Path == "" || s.Exit.before(page))
	if !last && !landing && !exit {
		return
	}
	channel := t.Channel
	if channel == s.LastChannel {
		channel = ""
	}
	if page.Path == s.Exit.Path {
		page.Path = ""
	}
	pack(&page.MessageID, &channel, &page.Path)
	if channel == "" {
		channel = s.LastChannel
	}
	if page.Path == "" {
		page.Path = s.Exit.Path
	}
	if last {
		s.End, s.LastID, s.LastChannel = t.Time, page.MessageID, channel
	}
	if landing {
		s.Landing = page
	}
	if exit {
		s.Exit = page
	}
}

// absorb adds what o holds. It is commutative and associative in every field
// but ID, Minted and Absorbed, which the caller settles, and Live and Closed.
func (s *Session) absorb(o *Session) {
	if o.Start < s.Start || o.Start == s.Start && o.FirstID < s.FirstID {
		s.Start, s.FirstID = o.Start, o.FirstID
		s.Channel, s.Source, s.Device, s.Referrer, s.Campaign = o.Channel, o.Source, o.Device, o.Referrer, o.Campaign
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
	if o.Group.Path != "" && (s.Group.Path == "" || o.Group.before(s.Group)) {
		s.Group = o.Group
	}
	s.Touchpoints += o.Touchpoints
	s.Bots += o.Bots
	s.RevenueMicros += o.RevenueMicros
	s.Pages += o.Pages
	for _, e := range o.Events {
		s.Events = countEvent(s.Events, e.Event, e.Count)
	}
	s.SentimentSum += o.SentimentSum
	s.SentimentCount += o.SentimentCount
	s.Oversized = s.Oversized || o.Oversized
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
func addToSessions(list []*Session, t *Touchpoint, m *Model) (out []*Session, in *Session, was int64, absorbed []*Session) {
	gap := m.SessionGap
	// lo is the first session that ends at or after t-gap, hi the first that
	// starts after t+gap: those between touch t. Equal to the gap still touches.
	lo := sort.Search(len(list), func(i int) bool { return list[i].End >= t.Time-gap })
	hi := lo
	for hi < len(list) && list[hi].Start <= t.Time+gap {
		hi++
	}
	if lo == hi {
		fresh := newSession(t, m)
		return slices.Insert(list, lo, fresh), fresh, fresh.Start, nil
	}
	in = list[lo] // the earliest-starting one survives
	was = in.Start
	if in.Closed {
		in.Closed, in.Armed = false, false // it is due earlier
	}
	in.Live = !t.Has(FlagNotLive)
	in.add(t, m)
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
