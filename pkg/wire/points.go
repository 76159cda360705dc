package wire

import (
	"slices"
	"sync"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// EncodePoints is a row of points, sorted by key.
func EncodePoints(list []journey.Point) []byte { return AppendPoints(nil, list) }

// AppendPoints is EncodePoints behind b.
func AppendPoints(b []byte, list []journey.Point) []byte {
	if len(list) == 0 {
		return appendRow(b, stateVersion, (*wirepb.PointsRow)(nil))
	}
	e := encoders.Get().(*pointsEncoder) //nolint:forcetypeassert // nothing else is in it
	defer encoders.Put(e)
	defer e.reset()
	return appendRow(b, stateVersion, e.row(list))
}

// texts are the strings of a row of points. They are few and repeat in runs, so
// looking through them from the end beats a map.
type texts []string

func (t *texts) number(s string) uint32 {
	if s == "" {
		return 0
	}
	for i := len(*t) - 1; i >= max(0, len(*t)-16); i-- {
		if (*t)[i] == s {
			return uint32(i + 1)
		}
	}
	*t = append(*t, s)
	return uint32(len(*t))
}

func points(list []journey.Point) *wirepb.PointsRow {
	if len(list) == 0 {
		return nil
	}
	var e pointsEncoder
	return e.row(list)
}

// pointsEncoder is the memory of a row of points, to be used again.
type pointsEncoder struct {
	out   wirepb.PointsRow
	rows  []wirepb.PointRow
	known texts
}

//nolint:gochecknoglobals // a pool is shared by all, or it is none
var encoders = sync.Pool{New: func() any { return &pointsEncoder{} }}

// reset lets go of what the points hold.
func (e *pointsEncoder) reset() {
	clear(e.rows)
	clear(e.known)
}

// row is the row of the points, valid until the encoder is used again.
func (e *pointsEncoder) row(list []journey.Point) *wirepb.PointsRow {
	e.rows = slices.Grow(e.rows[:0], len(list))[:len(list)]
	out, rows, known := &e.out, e.rows, e.known[:0]
	out.Points = out.Points[:0]
	for i := range list {
		p := &list[i]
		rows[i] = wirepb.PointRow{
			TimeMs: p.Time, MessageId: p.MessageID, Identifier: known.number(p.Identifier), Matches: p.Matches, Troubles: p.Troubles,
			Fixed: p.Fixed, Business: p.Business, Live: p.Live, RevenueMicros: p.RevenueMicros,
			SessionId: known.number(p.SessionID), Channel: known.number(p.Channel),
			Event: uint32(p.Event), Scored: p.Scored, Sentiment: int32(p.Sentiment), Intent: uint32(p.Intent),
		}
		if c := p.Campaign; c != nil {
			rows[i].CampaignSource, rows[i].CampaignMedium, rows[i].CampaignName = known.number(c.Source), known.number(c.Medium), known.number(c.Name)
		}
		rows[i].Member = known.number(p.Member)
		if p.Rare != nil {
			rare(&rows[i], p.Rare)
		}
		out.Points = append(out.Points, &rows[i])
	}
	e.known, out.Strings = known, known
	return out
}

func rare(row *wirepb.PointRow, r *journey.Rare) {
	for _, v := range r.Repeats {
		row.Repeats = append(row.Repeats, &wirepb.RepeatRow{Friction: uint32(v.Friction), Value: v.Value})
	}
	for _, t := range r.Traits {
		row.Traits = append(row.Traits, &wirepb.TraitRow{Index: uint32(t.Index), Value: t.Value})
	}
}
