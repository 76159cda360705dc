package wire

import (
	"encoding/binary"
	"math/bits"
)

// jsonKind is what a JSON value is.
type jsonKind uint8

const (
	absent jsonKind = iota // no value at all
	jsonNull
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// value is a JSON value and where it stands in the text.
type value struct {
	from, to int32 // of the whole value, a string's quotes and brackets included
	kind     jsonKind
	more     bool // a string: it has escapes; an object: it has members
}

// maxDepth is how deep a raw touchpoint may be nested: the scanner uses the stack.
const maxDepth = 256

// bad is the place that the scanner returns where the text is no JSON, or is
// nested too deep.
const bad = -1

// scanner checks JSON (RFC 8259) from left to right. Its methods take the place
// where they begin and return the place behind what they read, or bad.
type scanner struct {
	data []byte
	high uint64 // all bytes of strings, one over the other: a top bit says that some are not ASCII
}

// ascii reports whether all strings read so far are plain ASCII.
func (s *scanner) ascii() bool { return s.high&topBits == 0 }

// space goes to the next byte that is no white space.
func (s *scanner) space(i int) int {
	if i < len(s.data) && s.data[i] > ' ' {
		return i // as mostly
	}
	return s.moreSpace(i)
}

func (s *scanner) moreSpace(i int) int {
	for i < len(s.data) && (s.data[i] == ' ' || s.data[i] == '\n' || s.data[i] == '\t' || s.data[i] == '\r') {
		i++
	}
	return i
}

// Eight bytes at once: their lowest and highest bits.
const (
	lowBits = 0x0101010101010101
	topBits = 0x8080808080808080
)

// str reads a string whose first quote is before i.
func (s *scanner) str(i int) (end int, escaped bool) {
	data, high := s.data, uint64(0)
	for i+8 <= len(data) {
		x := binary.LittleEndian.Uint64(data[i:])
		high |= x
		quote, slash := x^'"'*lowBits, x^'\\'*lowBits
		// The top bit of each byte that ends the run: a quote, a backslash or a
		// control character. The lowest one is exact, those above it need not be.
		stop := ((quote-lowBits)&^quote | (slash-lowBits)&^slash | (x-' '*lowBits)&^x) & topBits
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) / 8
		switch data[i] {
		case '"':
			s.high |= high
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = s.escape(i + 1); i == bad {
				return bad, true
			}
		default:
			return bad, escaped
		}
	}
	s.high |= high
	return s.shortStr(i, escaped)
}

// shortStr reads the rest of a string near the end of the text.
func (s *scanner) shortStr(i int, escaped bool) (int, bool) {
	for i < len(s.data) {
		switch c := s.data[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			if i = s.escape(i + 1); i == bad {
				return bad, true
			}
			continue
		case c < ' ':
			return bad, escaped
		default:
			s.high |= uint64(c)
		}
		i++
	}
	return bad, escaped
}

// escape reads an escape whose backslash is before i.
func (s *scanner) escape(i int) int {
	if i >= len(s.data) {
		return bad
	}
	switch s.data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if i+5 > len(s.data) {
			return bad
		}
		for _, c := range s.data[i+1 : i+5] {
			if (c < '0' || c > '9') && (c|' ' < 'a' || c|' ' > 'f') {
				return bad
			}
		}
		return i + 5
	}
	return bad
}

// number reads a number that begins at i.
func (s *scanner) number(i int) int {
	if s.data[i] == '-' {
		i++
	}
	switch {
	case i < len(s.data) && s.data[i] == '0':
		i++
	default:
		if i = s.digits(i); i == bad {
			return bad
		}
	}
	if i < len(s.data) && s.data[i] == '.' {
		if i = s.digits(i + 1); i == bad {
			return bad
		}
	}
	if i < len(s.data) && s.data[i]|' ' == 'e' {
		if i++; i < len(s.data) && (s.data[i] == '+' || s.data[i] == '-') {
			i++
		}
		return s.digits(i)
	}
	return i
}

// digits reads at least one digit.
func (s *scanner) digits(i int) int {
	from := i
	for i < len(s.data) && s.data[i]-'0' <= 9 {
		i++
	}
	if i == from {
		return bad
	}
	return i
}

// literal reads a word that begins at i.
func (s *scanner) literal(i int, word string) int {
	if end := i + len(word); end <= len(s.data) && string(s.data[i:end]) == word {
		return end
	}
	return bad
}

// member goes to the next member of an object: it reads the name and the colon,
// and returns the place where the value begins. Behind the last member it reads
// the closing brace, and the name is absent. i is behind the opening brace
// (first) or behind the value before.
func (s *scanner) member(i int, first bool) (name value, at int) {
	i = s.space(i)
	if i >= len(s.data) {
		return value{}, bad
	}
	switch c := s.data[i]; {
	case c == '}':
		return value{}, i + 1
	case first:
	case c == ',':
		i = s.space(i + 1)
	default:
		return value{}, bad
	}
	if i >= len(s.data) || s.data[i] != '"' {
		return value{}, bad
	}
	end, escaped := s.str(i + 1)
	if end == bad {
		return value{}, bad
	}
	at = s.space(end)
	if at >= len(s.data) || s.data[at] != ':' {
		return value{}, bad
	}
	return value{int32(i), int32(end), jsonString, escaped}, s.space(at + 1)
}

// value reads the value that begins at i, in the depth-th bracket.
func (s *scanner) value(i, depth int) (v value, end int) {
	if i >= len(s.data) {
		return value{}, bad
	}
	switch s.data[i] {
	case '"':
		v.kind = jsonString
		end, v.more = s.str(i + 1)
	case '{':
		v.kind = jsonObject
		end, v.more = s.object(i+1, depth+1)
	case '[':
		v.kind = jsonArray
		end = s.array(i+1, depth+1)
	case 't':
		v.kind, end = jsonBool, s.literal(i, "true")
	case 'f':
		v.kind, end = jsonBool, s.literal(i, "false")
	case 'n':
		v.kind, end = jsonNull, s.literal(i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		v.kind, end = jsonNumber, s.number(i)
	default:
		return value{}, bad
	}
	v.from, v.to = int32(i), int32(end)
	return v, end
}

// object reads the rest of an object of which nothing is needed.
func (s *scanner) object(i, depth int) (end int, members bool) {
	if depth > maxDepth {
		return bad, false
	}
	for first := true; ; first = false {
		name, at := s.member(i, first)
		if at == bad || name.kind == absent {
			return at, !first
		}
		if _, i = s.value(at, depth); i == bad {
			return bad, false
		}
	}
}

// array reads the rest of an array.
func (s *scanner) array(i, depth int) (end int) {
	if depth > maxDepth {
		return bad
	}
	if i = s.space(i); i < len(s.data) && s.data[i] == ']' {
		return i + 1
	}
	for {
		if _, i = s.value(s.space(i), depth); i == bad {
			return bad
		}
		if i = s.space(i); i >= len(s.data) {
			return bad
		}
		switch s.data[i] {
		case ']':
			return i + 1
		case ',':
			i++
		default:
			return bad
		}
	}
}
