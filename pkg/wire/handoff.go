package wire

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// EncodeRelinquish is the record that tells a home of an identifier's map.
func EncodeRelinquish(identifier string, known journey.KnownMap) []byte {
	return marshalRow(&wirepb.RelinquishRecord{Identifier: identifier, Known: knownMap(known)})
}

// DecodeRelinquish is the reverse of EncodeRelinquish. The strings alias b.
func DecodeRelinquish(b []byte) (identifier string, known journey.KnownMap, err error) {
	var r wirepb.RelinquishRecord
	if err := unmarshalRow(b, &r); err != nil {
		return "", journey.KnownMap{}, fmt.Errorf("relinquish record: %w", err)
	}
	return r.Identifier, fromKnownMap(r.Known), nil
}

// EncodeLink is the record that tells another partition of an identifier's link.
func EncodeLink(identifier string, l journey.Link) []byte {
	return marshalRow(&wirepb.LinkRecord{Identifier: identifier, Link: &wirepb.Link{FromMs: l.Time, MessageId: l.MessageID, UserId: l.UserID}})
}

// DecodeLink is the reverse of EncodeLink. The strings alias b.
func DecodeLink(b []byte) (identifier string, l journey.Link, err error) {
	var r wirepb.LinkRecord
	switch err := unmarshalRow(b, &r); {
	case err != nil:
		return "", l, fmt.Errorf("link record: %w", err)
	case r.Link == nil || r.Identifier == "":
		return "", l, errors.New("link record: names no identifier or no user")
	}
	return r.Identifier, journey.Link{Time: r.Link.FromMs, MessageID: r.Link.MessageId, UserID: r.Link.UserId}, nil
}

// EncodeAdopt is the record that hands points to a home; the home is its key.
func EncodeAdopt(a *journey.Adopt) []byte {
	return marshalRow(&wirepb.AdoptRecord{Identifier: a.Identifier, Known: knownMap(a.Known), Points: points(a.Points)})
}

// DecodeAdopt is the reverse of EncodeAdopt. The strings alias b.
func DecodeAdopt(b []byte, to string) (journey.Adopt, error) {
	var r wirepb.AdoptRecord
	if err := unmarshalRow(b, &r); err != nil {
		return journey.Adopt{}, fmt.Errorf("adopt record: %w", err)
	}
	list, err := fromPoints(r.Points)
	return journey.Adopt{To: to, Identifier: r.Identifier, Known: fromKnownMap(r.Known), Points: list}, err
}

// EncodeUnion is the row of what a home knows of its aliases.
func EncodeUnion(u *journey.Union) []byte {
	r := &wirepb.UnionRow{Edges: edges(u.Edges), Frozen: u.Frozen, Canonical: u.Canonical, Version: u.Version, Inexact: u.Inexact}
	for _, member := range slices.Sorted(maps.Keys(u.Copies)) {
		r.Copies = append(r.Copies, &wirepb.CopyVersionRow{Member: member, Version: u.Copies[member]})
	}
	return marshalRow(r)
}

// DecodeUnion is the reverse of EncodeUnion. The strings alias b.
func DecodeUnion(b []byte) (journey.Union, error) {
	var r wirepb.UnionRow
	if err := unmarshalRow(b, &r); err != nil {
		return journey.Union{}, err
	}
	u := journey.Union{Edges: fromEdges(r.Edges), Frozen: r.Frozen, Canonical: r.Canonical, Version: r.Version, Inexact: r.Inexact}
	for _, c := range r.Copies {
		if u.Copies == nil {
			u.Copies = map[string]uint64{}
		}
		u.Copies[c.Member] = c.Version
	}
	return u, nil
}

func edges(list []journey.Edge) []*wirepb.EdgeRow {
	out := make([]*wirepb.EdgeRow, len(list))
	for i, e := range list {
		out[i] = &wirepb.EdgeRow{TimeMs: e.Time, MessageId: e.MessageID, Identifier: e.Identifier, From: e.From, To: e.To}
	}
	return out
}

func fromEdges(list []*wirepb.EdgeRow) []journey.Edge {
	var out []journey.Edge
	for _, e := range list {
		out = append(out, journey.Edge{Time: e.TimeMs, MessageID: e.MessageId, Identifier: e.Identifier, From: e.From, To: e.To})
	}
	return out
}

// EncodeJoin is the record that tells a home of aliases; the home is its key.
func EncodeJoin(j *journey.Join) []byte {
	return marshalRow(&wirepb.JoinRecord{Edges: edges(j.Edges), Freeze: j.Freeze})
}

// DecodeJoin is the reverse of EncodeJoin. The strings alias b.
func DecodeJoin(b []byte, to string) (journey.Join, error) {
	var r wirepb.JoinRecord
	if err := unmarshalRow(b, &r); err != nil {
		return journey.Join{}, fmt.Errorf("join record: %w", err)
	}
	return journey.Join{To: to, Edges: fromEdges(r.Edges), Freeze: r.Freeze}, nil
}

// EncodeCopy is the record that brings a member's points to its canonical home,
// which is its key.
func EncodeCopy(c *journey.Copy) []byte {
	r := &wirepb.CopyRecord{Member: c.Member, Version: c.Version, Full: c.Full, Inexact: c.Inexact, Added: points(c.Added)}
	for _, k := range c.Removed {
		r.Removed = append(r.Removed, keyRow(k))
	}
	return marshalRow(r)
}

// DecodeCopy is the reverse of EncodeCopy. The strings alias b.
func DecodeCopy(b []byte, to string) (journey.Copy, error) {
	var r wirepb.CopyRecord
	if err := unmarshalRow(b, &r); err != nil {
		return journey.Copy{}, fmt.Errorf("copy record: %w", err)
	}
	list, err := fromPoints(r.Added)
	c := journey.Copy{To: to, Member: r.Member, Version: r.Version, Full: r.Full, Inexact: r.Inexact, Added: list}
	for _, k := range r.Removed {
		c.Removed = append(c.Removed, fromKeyRow(k))
	}
	return c, err
}
