package segment

import (
	"bytes"
	"strconv"

	"github.com/cairnhq/cairn/pkg/journey"
	"github.com/cairnhq/cairn/services/collector/internal/door"
	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// Blocked reports whether an identifier says nothing about who it is and counts
// as absent.
func Blocked(id string) bool { return journey.Blocked(id) }

// idText is the identifier that a JSON value stands for: a string's text
// without surrounding white space, a number's decimal text; nil for null, true,
// false and blocked values. ok is false where the value cannot be an id. buf is
// scratch room that the result may alias.
func idText(raw, buf []byte) (id []byte, ok bool) {
	switch c := raw[0]; {
	case c == '"':
		id = bytes.TrimSpace(jsonscan.Unquote(raw, buf))
	case c == '-' || '0' <= c && c <= '9':
		id = decimal(raw)
	default:
		return nil, c == 'n' || c == 't' || c == 'f'
	}
	if Blocked(string(id)) {
		return nil, true
	}
	return id, true
}

// decimal is a JSON number without exponent, and without fraction if it has
// none: JavaScript's 42, Python's 42.0 and Java's 4.2E1 name the same customer.
func decimal(raw []byte) []byte {
	if !bytes.ContainsAny(raw, ".eE") {
		return raw
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return raw // beyond float64: its own text is as good an id as any
	}
	return strconv.AppendFloat(nil, f, 'f', -1, 64)
}

// primaryID appends the touchpoint's primary identifier to dst: anonymousId,
// else userId, else the first usable id of externalIds. Nothing is appended
// when there is none. The reject names a value of a type no id can have.
func (e *Event) primaryID(body, dst []byte) ([]byte, *door.Reject) {
	var buf [64]byte
	for _, f := range [...]field{fAnonymousID, fUserID} {
		if v := e.known[f]; v.Present() {
			id, ok := idText(v.In(body), buf[:])
			if !ok {
				return dst, door.BadField(fieldNames[f], "a string or a number")
			}
			if id != nil {
				return append(dst, id...), nil
			}
		}
	}
	if v := e.known[fExternalIDs]; v.Present() {
		return appendExternalID(v.In(body), dst)
	}
	return dst, nil
}

// appendExternalID appends the first usable id of a list of {type, id}.
func appendExternalID(list, dst []byte) ([]byte, *door.Reject) {
	if list[0] != '[' {
		return dst, door.BadField("externalIds", "a list of {type, id}")
	}
	s := jsonscan.New(list)
	_ = s.Open('[')
	for first := true; ; first = false {
		if more, _ := s.Element(first); !more { // no error can come: the list was checked before
			return dst, nil
		}
		if s.Peek() != '{' {
			return dst, door.BadField("externalIds", "a list of {type, id}")
		}
		kind, value := externalID(&s, list)
		if !value.Present() {
			continue
		}
		id, ok := idText(value.In(list), nil)
		if !ok {
			return dst, door.BadField("externalIds", "a list of {type, id} with strings or numbers as ids")
		}
		if id == nil {
			continue
		}
		if list[value.Start] != '"' {
			id = value.In(list) // the list is copied as it is: its readers see this text
		}
		if kind.Present() && list[kind.Start] == '"' && journey.SnakeCase(string(jsonscan.Unquote(kind.In(list), nil))) == journey.KindEmail {
			id = bytes.ToLower(id)
		}
		return append(dst, id...), nil
	}
}

func externalID(s *jsonscan.Scanner, list []byte) (kind, id jsonscan.Span) {
	_ = s.Open('{')
	for first := true; ; first = false {
		key, more, err := s.Member(first)
		if err != nil || !more {
			return kind, id
		}
		value, err := s.Skip()
		if err != nil {
			return kind, id
		}
		switch name := string(jsonscan.Unquote(key.In(list), nil)); {
		case name == "type" && !kind.Present():
			kind = value
		case name == "id" && !id.Present():
			id = value
		}
	}
}
