package wire

import (
	"fmt"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/pkg/wire/wirepb"
)

// EncodeRelinquish is the record that tells a home of an identifier's map.
func EncodeRelinquish(identifier string, known journey.KnownMap) []byte {
	return Marshal(&wirepb.RelinquishRecord{Identifier: identifier, Known: knownMap(known)})
}

// DecodeRelinquish is the reverse of EncodeRelinquish. The strings alias b.
func DecodeRelinquish(b []byte) (identifier string, known journey.KnownMap, err error) {
	var r wirepb.RelinquishRecord
	if err := r.UnmarshalVTUnsafe(b); err != nil {
		return "", journey.KnownMap{}, fmt.Errorf("relinquish record: %w", err)
	}
	return r.Identifier, fromKnownMap(r.Known), nil
}

// EncodeAdopt is the record that hands points to a home; the home is its key.
func EncodeAdopt(a *journey.Adopt) []byte {
	return Marshal(&wirepb.AdoptRecord{Identifier: a.Identifier, Known: knownMap(a.Known), Points: points(a.Points)})
}

// DecodeAdopt is the reverse of EncodeAdopt. The strings alias b.
func DecodeAdopt(b []byte, to string) (journey.Adopt, error) {
	var r wirepb.AdoptRecord
	if err := r.UnmarshalVTUnsafe(b); err != nil {
		return journey.Adopt{}, fmt.Errorf("adopt record: %w", err)
	}
	return journey.Adopt{To: to, Identifier: r.Identifier, Known: fromKnownMap(r.Known), Points: fromPoints(r.Points)}, nil
}
