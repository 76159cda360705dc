package wire

import (
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// DecodePoints appends the points of a row to list, in the order of EncodePoints. They
// alias b.
func DecodePoints(list []journey.Point, b []byte) ([]journey.Point, error) {
	b, err := rowBody(stateVersion, b)
	if err != nil {
		return nil, err
	}
	d := decoders.Get().(*pointsDecoder) //nolint:forcetypeassert // nothing else is in it
	defer decoders.Put(d)
	defer d.reset()
	if list, err = d.decode(list, b); err != nil {
		return nil, fmt.Errorf("decode state row of points: %w", err)
	}
	return list, nil
}

// Fields of a PointsRow.
const (
	pointsField  = 1
	stringsField = 2
)

// pointsDecoder reads a PointsRow point by point, with memory that is used again: the
// message of a whole row would take more than its points.
type pointsDecoder struct {
	strings []string
	row     wirepb.PointRow
}

//nolint:gochecknoglobals // a pool is shared by all, or it is none
var decoders = sync.Pool{New: func() any { return &pointsDecoder{} }}

// reset lets go of what the row holds.
func (d *pointsDecoder) reset() {
	clear(d.strings)
	d.strings = d.strings[:0]
	d.row = wirepb.PointRow{}
}

func (d *pointsDecoder) decode(list []journey.Point, b []byte) ([]journey.Point, error) {
	points := 0
	err := fields(b, func(field protowire.Number, value []byte) error {
		switch field {
		case pointsField:
			points++
		case stringsField: // behind the points that name them
			d.strings = append(d.strings, unsafe.String(unsafe.SliceData(value), len(value)))
		default: // of a later release
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	from := len(list)
	list = slices.Grow(list, points)
	campaign := campaignOf(&wirepb.PointRow{}) // of the point before
	err = fields(b, func(field protowire.Number, value []byte) error {
		if field != pointsField {
			return nil
		}
		d.row = wirepb.PointRow{}
		if err := d.row.UnmarshalVTUnsafe(value); err != nil {
			return err
		}
		var before *journey.Point
		if same := campaignOf(&d.row) == campaign; same && len(list) > from {
			before = &list[len(list)-1]
		}
		campaign = campaignOf(&d.row)
		p, err := fromPoint(&d.row, d.strings, before)
		list = append(list, p)
		return err
	})
	return list, err
}

// fields calls fn with what a message has of bytes, strings and messages; others are
// of a later cairn.
func fields(b []byte, fn func(field protowire.Number, value []byte) error) error {
	for len(b) > 0 {
		field, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(field, typ, b); n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := fn(field, value); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// fromPoints is the reverse of points.
func fromPoints(r *wirepb.PointsRow) ([]journey.Point, error) {
	if r == nil {
		return nil, nil
	}
	out := make([]journey.Point, len(r.Points))
	for i, p := range r.Points {
		var before *journey.Point
		if i > 0 && campaignOf(p) == campaignOf(r.Points[i-1]) {
			before = &out[i-1]
		}
		var err error
		if out[i], err = fromPoint(p, r.Strings, before); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// campaignOf are the numbers of the strings that name a point's campaign.
func campaignOf(p *wirepb.PointRow) [3]uint32 {
	return [3]uint32{p.CampaignSource, p.CampaignMedium, p.CampaignName}
}

// fromPoint is a point of a row with these strings; before is one of the same campaign,
// nil if there is none.
func fromPoint(p *wirepb.PointRow, strings []string, before *journey.Point) (journey.Point, error) {
	var bad error
	text := func(n uint32) string {
		if n == 0 {
			return ""
		}
		if int(n) > len(strings) {
			bad = fmt.Errorf("points: there is no string %d, there are %d", n, len(strings))
			return ""
		}
		return strings[n-1]
	}
	out := journey.Point{
		OrderKey: journey.OrderKey{Time: p.TimeMs, MessageID: p.MessageId, Identifier: text(p.Identifier)},
		Matches:  p.Matches, Troubles: p.Troubles, Fixed: p.Fixed, Business: p.Business, Live: p.Live,
		RevenueMicros: p.RevenueMicros, SessionID: text(p.SessionId), Channel: text(p.Channel),
		Member: text(p.Member), Event: uint8(p.Event), Scored: p.Scored, Sentiment: int16(p.Sentiment), Intent: int32(p.Intent),
		Rare: fromRare(p),
	}
	switch {
	case campaignOf(p) == [3]uint32{}:
	case before != nil: // as mostly
		out.Campaign = before.Campaign
	default:
		out.Campaign = &journey.Campaign{Source: text(p.CampaignSource), Medium: text(p.CampaignMedium), Name: text(p.CampaignName)}
	}
	return out, bad
}

func fromRare(p *wirepb.PointRow) *journey.Rare {
	if len(p.Repeats)+len(p.Traits) == 0 {
		return nil
	}
	r := &journey.Rare{}
	for _, v := range p.Repeats {
		r.Repeats = append(r.Repeats, journey.Repeat{Friction: uint8(v.Friction), Value: v.Value})
	}
	for _, t := range p.Traits {
		r.Traits = append(r.Traits, journey.Trait{Index: int(t.Index), Value: t.Value})
	}
	return r
}
