package wire

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// stateVersion is the first byte of every state row.
const stateVersion = 1

// message is what vtprotobuf generates.
type message interface {
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
	UnmarshalVTUnsafe([]byte) error
}

// Marshal encodes a record of the Protobuf topics into memory of its own.
func Marshal(m message) []byte { return marshal(m, 0) }

// marshal leaves room for a prefix of n bytes.
func marshal(m message, n int) []byte {
	b := make([]byte, n+m.SizeVT())
	if _, err := m.MarshalToSizedBufferVT(b[n:]); err != nil {
		// The buffer has the size the message asked for and the messages have no
		// required fields, so this is a bug of the generated code.
		panic(fmt.Sprintf("wire: marshal %T: %v", m, err))
	}
	return b
}

// marshalRow encodes a state row.
func marshalRow(m message) []byte {
	b := marshal(m, 1)
	b[0] = stateVersion
	return b
}

// unmarshalRow decodes a state row; its strings alias b.
func unmarshalRow(b []byte, m message) error {
	if len(b) == 0 {
		return errors.New("state row is empty")
	}
	if b[0] != stateVersion {
		return fmt.Errorf("state row has version %d, this cairn reads %d: it was written by a newer one", b[0], stateVersion)
	}
	if err := m.UnmarshalVTUnsafe(b[1:]); err != nil {
		return fmt.Errorf("decode state row %T: %w", m, err)
	}
	return nil
}

// EncodeDevice is the row of an identifier's ownership.
func EncodeDevice(d *journey.Device) []byte {
	o := &d.Ownership
	return marshalRow(&wirepb.DeviceRow{
		Links: links(o.Links), Users: o.Users, Epoch: o.Epoch, Map: links(o.Map),
		Frozen: o.Frozen, Reduced: o.Reduced, Oversized: d.Oversized,
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
	d.Oversized = r.Oversized
	return nil
}

// EncodeHashes is the row of a chunk; day and number are in its key.
func EncodeHashes(c *journey.HashChunk) []byte { return marshalRow(&wirepb.HashRow{Hashes: c.Hashes}) }

// DecodeHashes is the reverse of EncodeHashes.
func DecodeHashes(b []byte) ([]uint64, error) {
	var r wirepb.HashRow
	err := unmarshalRow(b, &r)
	return r.Hashes, err
}

// EncodeSession is the row of a session.
func EncodeSession(s *journey.Session) []byte {
	r := &wirepb.SessionRow{
		Id: s.ID, StartMs: s.Start, EndMs: s.End, MintedMs: s.Minted, Absorbed: voids(s.Absorbed),
		Touchpoints: s.Touchpoints, Bots: s.Bots, Live: s.Live, FirstId: s.FirstID, LastId: s.LastID,
		Channel: s.Channel, LastChannel: s.LastChannel, Source: s.Source, Referrer: s.Referrer,
		RevenueMicros: s.RevenueMicros, Closed: s.Closed,
	}
	if c := s.Campaign; c != (journey.Campaign{}) {
		r.Campaign = &wirepb.CampaignRow{Source: c.Source, Medium: c.Medium, Name: c.Name, Term: c.Term, Content: c.Content}
	}
	r.Landing, r.LandingMs, r.LandingId = s.Landing.At()
	r.Exit, r.ExitMs, r.ExitId = s.Exit.At()
	return marshalRow(r)
}

// DecodeSession is the reverse of EncodeSession. The session aliases b.
func DecodeSession(b []byte) (*journey.Session, error) {
	var r wirepb.SessionRow
	if err := unmarshalRow(b, &r); err != nil {
		return nil, err
	}
	s := &journey.Session{
		ID: r.Id, Start: r.StartMs, End: r.EndMs, Minted: r.MintedMs, Absorbed: fromVoids(r.Absorbed),
		Touchpoints: r.Touchpoints, Bots: r.Bots, Live: r.Live, FirstID: r.FirstId, LastID: r.LastId,
		Channel: r.Channel, LastChannel: r.LastChannel, Source: r.Source, Referrer: r.Referrer,
		RevenueMicros: r.RevenueMicros, Closed: r.Closed,
	}
	if c := r.Campaign; c != nil {
		s.Campaign = journey.Campaign{Source: c.Source, Medium: c.Medium, Name: c.Name, Term: c.Term, Content: c.Content}
	}
	s.Landing.SetAt(r.Landing, r.LandingMs, r.LandingId)
	s.Exit.SetAt(r.Exit, r.ExitMs, r.ExitId)
	return s, nil
}

func voids(list []journey.Void) []*wirepb.VoidRow {
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

// EncodePoints is a row of points, sorted by key.
func EncodePoints(list []journey.Point) []byte {
	return marshalRow(&wirepb.PointsRow{Points: points(list)})
}

// DecodePoints is the reverse of EncodePoints. The points alias b.
func DecodePoints(b []byte) ([]journey.Point, error) {
	var r wirepb.PointsRow
	if err := unmarshalRow(b, &r); err != nil {
		return nil, err
	}
	return fromPoints(r.Points), nil
}

func points(list []journey.Point) []*wirepb.PointRow {
	out := make([]*wirepb.PointRow, len(list))
	rows := make([]wirepb.PointRow, len(list))
	for i := range list {
		p := &list[i]
		rows[i] = wirepb.PointRow{
			TimeMs: p.Time, MessageId: p.MessageID, Identifier: p.Identifier, Matches: p.Matches, Fixed: p.Fixed,
			Business: p.Business, Live: p.Live, RevenueMicros: p.RevenueMicros, SessionId: p.SessionID,
			Channel: p.Channel, CampaignSource: p.Campaign.Source, CampaignMedium: p.Campaign.Medium,
			CampaignName: p.Campaign.Name, Member: p.Member,
		}
		out[i] = &rows[i]
	}
	return out
}

func fromPoints(list []*wirepb.PointRow) []journey.Point {
	out := make([]journey.Point, len(list))
	for i, p := range list {
		out[i] = journey.Point{
			OrderKey: journey.OrderKey{Time: p.TimeMs, MessageID: p.MessageId, Identifier: p.Identifier},
			Matches:  p.Matches, Fixed: p.Fixed, Business: p.Business, Live: p.Live, RevenueMicros: p.RevenueMicros,
			SessionID: p.SessionId, Channel: p.Channel,
			Campaign: journey.Campaign{Source: p.CampaignSource, Medium: p.CampaignMedium, Name: p.CampaignName},
			Member:   p.Member,
		}
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

// EncodeJourneys is the row of a profile's journeys.
func EncodeJourneys(list []*journey.Journey) []byte {
	r := &wirepb.JourneysRow{Journeys: make([]*wirepb.JourneyRow, len(list))}
	for i, j := range list {
		r.Journeys[i] = &wirepb.JourneyRow{
			Id: j.ID, StartMs: j.Start, EndMs: j.End, MintedMs: j.Minted, Absorbed: voids(j.Absorbed),
			Live: j.Live, Approximate: j.Approximate, Base: base(j.Base), Emitted: j.Emitted,
			EmittedFrom: j.EmittedFrom, Published: j.Published(), Lapsed: j.Lapsed,
		}
	}
	return marshalRow(r)
}

// DecodeJourneys is the reverse of EncodeJourneys. The journeys alias b.
func DecodeJourneys(b []byte) ([]*journey.Journey, error) {
	var r wirepb.JourneysRow
	if err := unmarshalRow(b, &r); err != nil {
		return nil, err
	}
	out := make([]*journey.Journey, len(r.Journeys))
	for i, j := range r.Journeys {
		out[i] = &journey.Journey{
			ID: j.Id, Start: j.StartMs, End: j.EndMs, Minted: j.MintedMs, Absorbed: fromVoids(j.Absorbed),
			Live: j.Live, Approximate: j.Approximate, Base: fromBase(j.Base), Emitted: j.Emitted, EmittedFrom: j.EmittedFrom, Lapsed: j.Lapsed,
		}
		out[i].SetPublished(j.Published)
	}
	return out, nil
}

func base(b *journey.Base) *wirepb.BaseRow {
	if b == nil {
		return nil
	}
	r := &wirepb.BaseRow{
		Fold: fold(&b.Fold), GapMs: b.Gap, StartMs: b.Start, EndMs: b.End, ThroughMs: b.Through.Time,
		ThroughMessage: b.Through.MessageID, ThroughIdentifier: b.Through.Identifier,
		Touchpoints: b.Touchpoints, Business: b.Business, Sessions: b.Sessions, RevenueMicros: b.RevenueMicros,
	}
	for _, id := range slices.Sorted(maps.Keys(b.Ends)) {
		r.Ends = append(r.Ends, &wirepb.EndRow{Identifier: id, EndMs: b.Ends[id]})
	}
	return r
}

func fromBase(r *wirepb.BaseRow) *journey.Base {
	if r == nil {
		return nil
	}
	b := &journey.Base{
		Fold: fromFold(r.Fold), Gap: r.GapMs, Start: r.StartMs, End: r.EndMs,
		Through:     journey.OrderKey{Time: r.ThroughMs, MessageID: r.ThroughMessage, Identifier: r.ThroughIdentifier},
		Touchpoints: r.Touchpoints, Business: r.Business, Sessions: r.Sessions, RevenueMicros: r.RevenueMicros,
		Ends: map[string]int64{},
	}
	for _, e := range r.Ends {
		b.Ends[e.Identifier] = e.EndMs
	}
	return b
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
		Stage: int(r.Stage) - 1, Substage: int(r.Substage) - 1, Entered: r.EnteredMs, Seq: r.Seq,
		Furthest: int(r.Furthest) - 1, Visited: r.Visited, Converted: r.Converted,
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
