package wire

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// stateVersion is the first byte of every state row, and of what the steps send
// each other. Version 1 was never released. A version that has been released is
// read for ever: testdata/golden holds rows of each.
const stateVersion = 2

// sessionVersion is that of a session's row: since version 3 it leaves out what the
// first and the last touchpoint say already.
const sessionVersion = 3

// Message is what vtprotobuf generates for the records of wirepb.
type Message interface {
	SizeVT() int
	MarshalToSizedBufferVT(buf []byte) (int, error)
	UnmarshalVTUnsafe(data []byte) error
}

// Marshal encodes a record of the Protobuf topics into memory of its own.
func Marshal(m Message) []byte { return marshal(m, 0) }

// marshal leaves room for a prefix of n bytes.
func marshal(m Message, n int) []byte {
	b := make([]byte, n+m.SizeVT())
	Encode(b[n:], m)
	return b
}

// Encode fills b, which has the size of the message, as Marshal does.
func Encode(b []byte, m Message) {
	if _, err := m.MarshalToSizedBufferVT(b); err != nil {
		// The messages have no required fields, so this is a bug of the generated code.
		panic(fmt.Sprintf("wire: marshal %T: %v", m, err))
	}
}

// marshalRow encodes a state row.
func marshalRow(m Message) []byte { return appendRow(nil, stateVersion, m) }

// appendRow appends a state row of a version to b.
func appendRow(b []byte, version byte, m Message) []byte {
	n := m.SizeVT()
	b = append(slices.Grow(b, 1+n), version)
	b = b[:len(b)+n]
	Encode(b[len(b)-n:], m)
	return b
}

// unmarshalRow decodes a state row; its strings alias b.
func unmarshalRow(b []byte, m Message) error { return unmarshalRowUpTo(stateVersion, b, m) }

// unmarshalRowUpTo decodes a state row whose newest version is given.
func unmarshalRowUpTo(newest byte, b []byte, m Message) error {
	b, err := rowBody(newest, b)
	if err != nil {
		return err
	}
	if err := m.UnmarshalVTUnsafe(b); err != nil {
		return fmt.Errorf("decode state row %T: %w", m, err)
	}
	return nil
}

// rowBody is the message in a state row whose newest version is given.
func rowBody(newest byte, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, errors.New("state row is empty")
	}
	if b[0] < stateVersion || b[0] > newest {
		return nil, fmt.Errorf("state row has version %d, this cairn reads up to %d: run the cairn that wrote it, or rebuild", b[0], newest)
	}
	return b[1:], nil
}

// EncodeDevice is the row of an identifier's ownership.
func EncodeDevice(d *journey.Device) []byte {
	o := &d.Ownership
	return marshalRow(&wirepb.DeviceRow{
		Links: links(o.Links), Users: o.Users, Epoch: o.Epoch, Map: links(o.Map),
		Frozen: o.Frozen, Reduced: o.Reduced, Oversized: d.Oversized,
		EvictedThroughMs: d.EvictedThrough,
	})
}

// DecodeDevice fills in what EncodeDevice keeps. The state aliases b.
func DecodeDevice(b []byte, d *journey.Device) error {
	var r wirepb.DeviceRow
	if err := unmarshalRow(b, &r); err != nil {
		return err
	}
	d.Ownership = journey.Ownership{
		Links: fromLinks(r.Links), Users: r.Users, Epoch: r.Epoch, Map: fromLinks(r.Map),
		Frozen: r.Frozen, Reduced: r.Reduced,
	}
	d.Oversized, d.EvictedThrough = r.Oversized, r.EvictedThroughMs
	return nil
}

// EncodeHashes is the row of a chunk; day and number are in its key.
func EncodeHashes(c *journey.HashChunk) []byte { return AppendHashes(nil, c) }

// AppendHashes is EncodeHashes behind b.
func AppendHashes(b []byte, c *journey.HashChunk) []byte {
	return appendRow(b, stateVersion, &wirepb.HashRow{Hashes: c.Hashes, TouchedMs: c.Touched, LatestMs: c.Latest, Armed: c.Armed})
}

// DecodeHashes fills in what EncodeHashes keeps.
func DecodeHashes(b []byte, c *journey.HashChunk) error {
	var r wirepb.HashRow
	err := unmarshalRow(b, &r)
	c.Hashes, c.Touched, c.Latest, c.Armed = r.Hashes, r.TouchedMs, r.LatestMs, r.Armed
	return err
}

// EncodeSession is the row of a session.
func EncodeSession(s *journey.Session) []byte { return AppendSession(nil, s) }

// sessionEncoder is the memory of a row of a session, to be used again.
type sessionEncoder struct {
	row      wirepb.SessionRow
	campaign wirepb.CampaignRow
}

//nolint:gochecknoglobals // a pool is shared by all, or it is none
var sessionEncoders = sync.Pool{New: func() any { return &sessionEncoder{} }}

// AppendSession is EncodeSession behind b.
func AppendSession(b []byte, s *journey.Session) []byte {
	e := sessionEncoders.Get().(*sessionEncoder) //nolint:forcetypeassert // nothing else is in it
	defer sessionEncoders.Put(e)
	r := &e.row
	events := r.Events[:0]
	*r = wirepb.SessionRow{
		Id: s.ID, StartMs: s.Start, EndMs: s.End, MintedMs: s.Minted, Absorbed: voids(s.Absorbed),
		Touchpoints: s.Touchpoints, Bots: s.Bots, Live: s.Live, FirstId: s.FirstID, LastId: s.LastID,
		Channel: s.Channel, LastChannel: s.LastChannel, Source: s.Source, Referrer: s.Referrer,
		RevenueMicros: s.RevenueMicros, Closed: s.Closed, Device: s.Device, Pages: s.Pages,
		SentimentSum: s.SentimentSum, SentimentCount: s.SentimentCount, Oversized: s.Oversized,
		TouchedMs: s.Touched, Armed: s.Armed,
	}
	for _, e := range s.Events {
		events = append(events, uint64(e.Event), e.Count)
	}
	r.Events = events
	if c := s.Campaign; c != (journey.Campaign{}) {
		e.campaign = wirepb.CampaignRow{Source: c.Source, Medium: c.Medium, Name: c.Name, Term: c.Term, Content: c.Content}
		r.Campaign = &e.campaign
	}
	r.Landing, r.LandingMs, r.LandingId = unless(s.Start, s.FirstID)(s.Landing.At())
	r.Exit, r.ExitMs, r.ExitId = unless(s.End, s.LastID)(s.Exit.At())
	r.Group, r.GroupMs, r.GroupId = unless(s.Start, s.FirstID)(s.Group.At())
	if s.LastID == s.FirstID {
		r.LastId = ""
	}
	b = appendRow(b, sessionVersion, r)
	*r = wirepb.SessionRow{Events: events} // it lets go of what the session holds
	e.campaign = wirepb.CampaignRow{}
	return b
}

// unless leaves the position of a text out if it is that of a touchpoint, as mostly.
func unless(ms int64, id string) func(text string, at int64, of string) (string, int64, string) {
	return func(text string, at int64, of string) (string, int64, string) {
		if at == ms && of == id {
			return text, 0, ""
		}
		return text, at, of
	}
}

// DecodeSession is the reverse of EncodeSession. The session aliases b.
func DecodeSession(b []byte) (*journey.Session, error) {
	var r wirepb.SessionRow
	if err := unmarshalRowUpTo(sessionVersion, b, &r); err != nil {
		return nil, err
	}
	s := &journey.Session{
		ID: r.Id, Start: r.StartMs, End: r.EndMs, Minted: r.MintedMs, Absorbed: fromVoids(r.Absorbed),
		Touchpoints: r.Touchpoints, Bots: r.Bots, Live: r.Live, FirstID: r.FirstId, LastID: r.LastId,
		Channel: r.Channel, LastChannel: r.LastChannel, Source: r.Source, Referrer: r.Referrer,
		RevenueMicros: r.RevenueMicros, Closed: r.Closed, Device: r.Device, Pages: r.Pages,
		SentimentSum: r.SentimentSum, SentimentCount: r.SentimentCount, Oversized: r.Oversized,
		Touched: r.TouchedMs, Armed: r.Armed,
	}
	for i := 0; i+1 < len(r.Events); i += 2 {
		s.Events = append(s.Events, journey.EventCount{Event: int(r.Events[i]), Count: r.Events[i+1]})
	}
	if c := r.Campaign; c != nil {
		s.Campaign = journey.Campaign{Source: c.Source, Medium: c.Medium, Name: c.Name, Term: c.Term, Content: c.Content}
	}
	if s.LastID == "" {
		s.LastID = s.FirstID
	}
	s.Landing.SetAt(or(s.Start, s.FirstID)(r.Landing, r.LandingMs, r.LandingId))
	s.Exit.SetAt(or(s.End, s.LastID)(r.Exit, r.ExitMs, r.ExitId))
	s.Group.SetAt(or(s.Start, s.FirstID)(r.Group, r.GroupMs, r.GroupId))
	return s, nil
}

// or is the reverse of unless.
func or(ms int64, id string) func(text string, at int64, of string) (string, int64, string) {
	return func(text string, at int64, of string) (string, int64, string) {
		if text != "" && of == "" {
			return text, ms, id
		}
		return text, at, of
	}
}

func voids(list []journey.Void) []*wirepb.VoidRow {
	if len(list) == 0 {
		return nil
	}
	out := make([]*wirepb.VoidRow, len(list))
	for i, v := range list {
		out[i] = &wirepb.VoidRow{Id: v.ID, MintedMs: v.Minted}
	}
	return out
}

func fromVoids(list []*wirepb.VoidRow) []journey.Void {
	var out []journey.Void
	for _, v := range list {
		out = append(out, journey.Void{ID: v.Id, Minted: v.MintedMs})
	}
	return out
}

// EncodeKnownMap is the row of what a home knows of an identifier.
func EncodeKnownMap(k journey.KnownMap) []byte { return marshalRow(knownMap(k)) }

// DecodeKnownMap is the reverse of EncodeKnownMap. The map aliases b.
func DecodeKnownMap(b []byte) (journey.KnownMap, error) {
	var r wirepb.KnownMapRow
	err := unmarshalRow(b, &r)
	return fromKnownMap(&r), err
}

func knownMap(k journey.KnownMap) *wirepb.KnownMapRow {
	return &wirepb.KnownMapRow{Epoch: k.Epoch, Map: links(k.Map)}
}

func fromKnownMap(r *wirepb.KnownMapRow) journey.KnownMap {
	if r == nil {
		return journey.KnownMap{}
	}
	return journey.KnownMap{Epoch: r.Epoch, Map: fromLinks(r.Map)}
}

// EncodeJourneys is the row of a profile's journeys, with when its timer fires.
func EncodeJourneys(p *journey.Profile, timer int64) []byte { return AppendJourneys(nil, p, timer) }

// AppendJourneys is EncodeJourneys behind b.
func AppendJourneys(b []byte, p *journey.Profile, timer int64) []byte {
	r := &wirepb.JourneysRow{Journeys: make([]*wirepb.JourneyRow, len(p.Journeys)), TouchedMs: p.Touched, TimerMs: timer}
	for i, j := range p.Journeys {
		r.Journeys[i] = &wirepb.JourneyRow{
			Id: j.ID, StartMs: j.Start, EndMs: j.End, MintedMs: j.Minted, Absorbed: voids(j.Absorbed),
			Live: j.Live, Approximate: j.Approximate, Base: base(j.Base), Emitted: j.Emitted,
			EmittedFrom: j.EmittedFrom, Published: j.Published(), Lapsed: j.Lapsed, TouchedMs: j.Touched,
		}
	}
	return appendRow(b, stateVersion, r)
}

// DecodeJourneys fills in what EncodeJourneys keeps. The journeys alias b.
func DecodeJourneys(b []byte, p *journey.Profile) (timer int64, err error) {
	var r wirepb.JourneysRow
	if err := unmarshalRow(b, &r); err != nil {
		return 0, err
	}
	p.Touched = r.TouchedMs
	p.Journeys = make([]*journey.Journey, len(r.Journeys))
	for i, j := range r.Journeys {
		p.Journeys[i] = &journey.Journey{
			ID: j.Id, Start: j.StartMs, End: j.EndMs, Minted: j.MintedMs, Absorbed: fromVoids(j.Absorbed),
			Live: j.Live, Approximate: j.Approximate, Base: fromBase(j.Base), Emitted: j.Emitted, EmittedFrom: j.EmittedFrom,
			Lapsed: j.Lapsed, Touched: j.TouchedMs,
		}
		p.Journeys[i].Restored(j.Published)
	}
	return r.TimerMs, nil
}

func base(b *journey.Base) *wirepb.BaseRow {
	if b == nil {
		return nil
	}
	return &wirepb.BaseRow{
		Standing: standing(&b.Standing), GapMs: b.Gap, StartMs: b.Start, EndMs: b.End, Through: keyRow(b.Through), Persona: b.Persona,
	}
}

func fromBase(r *wirepb.BaseRow) *journey.Base {
	if r == nil {
		return nil
	}
	return &journey.Base{
		Standing: fromStanding(r.Standing), Gap: r.GapMs, Start: r.StartMs, End: r.EndMs, Through: fromKeyRow(r.Through), Persona: r.Persona,
	}
}

func standing(s *journey.Standing) *wirepb.StandingRow {
	r := &wirepb.StandingRow{
		Fold: fold(&s.Fold), Touchpoints: s.Touchpoints, Business: s.Business, Sessions: s.Sessions, RevenueMicros: s.RevenueMicros,
		SentimentSum: s.SentimentSum, SentimentCount: s.SentimentCount, IntentMillis: s.Intent, IntentStep: s.IntentStep,
	}
	for _, id := range slices.Sorted(maps.Keys(s.Ends)) {
		r.Ends = append(r.Ends, &wirepb.EndRow{Identifier: id, EndMs: s.Ends[id]})
	}
	return r
}

func fromStanding(r *wirepb.StandingRow) journey.Standing {
	s := journey.Standing{Ends: map[string]int64{}}
	if r == nil {
		s.Fold = journey.NewFold()
		return s
	}
	s.Fold, s.Touchpoints, s.Business, s.Sessions, s.RevenueMicros = fromFold(r.Fold), r.Touchpoints, r.Business, r.Sessions, r.RevenueMicros
	s.SentimentSum, s.SentimentCount, s.Intent, s.IntentStep = r.SentimentSum, r.SentimentCount, r.IntentMillis, r.IntentStep
	for _, e := range r.Ends {
		s.Ends[e.Identifier] = e.EndMs
	}
	return s
}

func keyRow(k journey.OrderKey) *wirepb.KeyRow {
	return &wirepb.KeyRow{TimeMs: k.Time, MessageId: k.MessageID, Identifier: k.Identifier}
}

func fromKeyRow(r *wirepb.KeyRow) journey.OrderKey {
	if r == nil {
		return journey.OrderKey{}
	}
	return journey.OrderKey{Time: r.TimeMs, MessageID: r.MessageId, Identifier: r.Identifier}
}

// fold counts indexes from 1, so that 0 is none.
func fold(f *journey.Fold) *wirepb.FoldRow {
	r := &wirepb.FoldRow{
		Stage: int32(f.Stage + 1), Substage: int32(f.Substage + 1), EnteredMs: f.Entered, Seq: f.Seq,
		Furthest: int32(f.Furthest + 1), Visited: f.Visited, Converted: f.Converted,
	}
	for _, rule := range slices.Sorted(maps.Keys(f.Recent)) {
		r.Recent = append(r.Recent, &wirepb.RecentRow{Rule: int32(rule), TimesMs: f.Recent[rule]})
	}
	return r
}

func fromFold(r *wirepb.FoldRow) journey.Fold {
	if r == nil {
		return journey.NewFold()
	}
	f := journey.Fold{
		Stage: max(int(r.Stage)-1, -1), Substage: max(int(r.Substage)-1, -1), Entered: r.EnteredMs, Seq: r.Seq,
		Furthest: max(int(r.Furthest)-1, -1), Visited: r.Visited, Converted: r.Converted,
	}
	for _, rec := range r.Recent {
		if f.Recent == nil {
			f.Recent = map[int][]int64{}
		}
		f.Recent[int(rec.Rule)] = rec.TimesMs
	}
	return f
}

// EncodeQuality is the row of a minute's totals.
func EncodeQuality(q *wirepb.Quality) []byte { return marshalRow(q) }

// DecodeQuality is the reverse of EncodeQuality.
func DecodeQuality(b []byte) (*wirepb.Quality, error) {
	q := &wirepb.Quality{}
	return q, unmarshalRow(b, q)
}

// EncodeMeta is the changelog record of where a partition stands.
func EncodeMeta(m *wirepb.PartitionMeta) []byte { return marshalRow(m) }

// DecodeMeta is the reverse of EncodeMeta.
func DecodeMeta(b []byte) (*wirepb.PartitionMeta, error) {
	m := &wirepb.PartitionMeta{}
	return m, unmarshalRow(b, m)
}
