// Package jsonscan walks JSON text once, strictly (RFC 8259), without building
// a tree: callers get the places of keys and values and copy what they need.
package jsonscan

import "fmt"

// hardDepth bounds what may be opened, and the recursion of Skip: what is nested
// deeper is walked with a stack of its own, at a byte a level.
const hardDepth = 256

// Span is a place in the scanned text, from Start up to but without End.
// The zero Span means absent: no JSON value is empty.
type Span struct{ Start, End int32 }

// Present tells a found value from an absent one.
func (s Span) Present() bool { return s.End != 0 }

// In returns the bytes of the span. They alias data.
func (s Span) In(data []byte) []byte { return data[s.Start:s.End] }

// SyntaxError is a place where the text stops being JSON.
type SyntaxError struct {
	Offset int // bytes from the start of the text
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset) }

// Scanner reads one JSON text, left to right. Make it with New. Not for
// concurrent use.
type Scanner struct {
	data    []byte
	pos     int
	depth   int
	deepest int
	members int
}

// New starts at the beginning of data, which must stay unchanged and be shorter
// than 2 GiB.
func New(data []byte) Scanner { return Scanner{data: data} }

// Depth is how many objects and arrays are open now.
func (s *Scanner) Depth() int { return s.depth }

// Deepest is the greatest Depth since the last call of ResetDeepest.
func (s *Scanner) Deepest() int { return s.deepest }

// ResetDeepest starts a new measurement of Deepest at the current depth.
func (s *Scanner) ResetDeepest() { s.deepest = s.depth }

// Members is how many members of objects were read, at any depth.
func (s *Scanner) Members() int { return s.members }

// Offset is the place of the next byte to read.
func (s *Scanner) Offset() int { return s.pos }

// Peek skips white space and returns the first byte of what follows, or 0 at
// the end of the text.
func (s *Scanner) Peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// End reports whether only white space is left.
func (s *Scanner) End() error {
	if s.Peek(); s.pos < len(s.data) {
		return s.unexpected("after the JSON value")
	}
	return nil
}

// Open enters an object ('{') or array ('[').
func (s *Scanner) Open(bracket byte) error {
	if s.Peek() != bracket || s.pos >= len(s.data) {
		return s.unexpected(fmt.Sprintf("where %q is needed", bracket))
	}
	return s.down()
}

func (s *Scanner) down() error {
	s.pos++
	s.depth++
	if s.depth > hardDepth {
		return &SyntaxError{s.pos - 1, fmt.Sprintf("more than %d nested objects and arrays", hardDepth)}
	}
	s.deepest = max(s.deepest, s.depth)
	return nil
}

func (s *Scanner) up() {
	s.pos++
	s.depth--
}

// Member moves to the next member of the open object: it returns the key with
// its quotes and stands before the value, which the caller must read. At the
// end it closes the object and returns ok false. first says that no member was
// read yet.
func (s *Scanner) Member(first bool) (key Span, ok bool, err error) {
	c := s.Peek()
	if c == '}' {
		s.up()
		return Span{}, false, nil
	}
	if !first {
		if c != ',' {
			return Span{}, false, s.unexpected("where ',' or '}' is needed")
		}
		s.pos++
		c = s.Peek()
	}
	if c != '"' {
		return Span{}, false, s.unexpected("where a key in quotes is needed")
	}
	start := s.pos
	if err := s.str(); err != nil {
		return Span{}, false, err
	}
	key = s.span(start)
	if s.Peek() != ':' {
		return Span{}, false, s.unexpected("where ':' is needed")
	}
	s.pos++
	s.members++
	return key, true, nil
}

// Element moves to the next element of the open array, as Member does for
// objects.
func (s *Scanner) Element(first bool) (ok bool, err error) {
	c := s.Peek()
	if first {
		if c == ']' {
			s.up()
			return false, nil
		}
		return true, nil
	}
	switch c {
	case ']':
		s.up()
		return false, nil
	case ',':
		s.pos++
		return true, nil
	}
	return false, s.unexpected("where ',' or ']' is needed")
}

// Skip checks one value and moves behind it.
func (s *Scanner) Skip() (Span, error) {
	c := s.Peek()
	start := s.pos
	err := s.value(c)
	return s.span(start), err
}

func (s *Scanner) span(start int) Span { return Span{int32(start), int32(s.pos)} }

func (s *Scanner) value(c byte) error {
	switch c {
	case '"':
		return s.str()
	case '{', '[':
		if s.depth >= hardDepth {
			return s.deep()
		}
		if c == '{' {
			return s.object()
		}
		return s.array()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.number()
}

func (s *Scanner) object() error {
	if err := s.down(); err != nil {
		return err
	}
	for first := true; ; first = false {
		_, ok, err := s.Member(first)
		if err != nil || !ok {
			return err
		}
		if err := s.value(s.Peek()); err != nil {
			return err
		}
	}
}

func (s *Scanner) array() error {
	if err := s.down(); err != nil {
		return err
	}
	for first := true; ; first = false {
		ok, err := s.Element(first)
		if err != nil || !ok {
			return err
		}
		if err := s.value(s.Peek()); err != nil {
			return err
		}
	}
}

// deep walks an object or array without recursion.
func (s *Scanner) deep() error {
	var open []byte // brackets
	for {
		c, first := s.Peek(), false
		if c == '{' || c == '[' {
			open, first = append(open, c), true
			s.pos++
			s.depth++
			s.deepest = max(s.deepest, s.depth)
		} else if err := s.value(c); err != nil {
			return err
		}
		for more := false; !more; first = false {
			if len(open) == 0 {
				return nil
			}
			var err error
			if open[len(open)-1] == '{' {
				_, more, err = s.Member(first)
			} else {
				more, err = s.Element(first)
			}
			if err != nil {
				return err
			}
			if !more {
				open = open[:len(open)-1]
			}
		}
	}
}

func (s *Scanner) literal(word string) error {
	if end := s.pos + len(word); end <= len(s.data) && string(s.data[s.pos:end]) == word {
		s.pos = end
		return nil
	}
	return s.unexpected("where a value is needed")
}

// str reads a string; s.pos is at its opening quote.
func (s *Scanner) str() error {
	open := s.pos
	data := s.data
	for i := s.pos + 1; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			s.pos = i + 1
			return nil
		case c == '\\':
			n := escapeLen(data[i:])
			if n == 0 {
				return &SyntaxError{i, "invalid escape in a string"}
			}
			i += n - 1
		case c < ' ':
			return &SyntaxError{i, fmt.Sprintf("control character 0x%02x in a string", c)}
		}
	}
	return &SyntaxError{open, "string without an end"}
}

// escapeLen is the length of the escape that b starts with; 0: invalid.
func escapeLen(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) >= 6 && hex4(b[2:6]) >= 0 {
			return 6
		}
	}
	return 0
}

func (s *Scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos > start
}

// at consumes the next byte if it is one of the two.
func (s *Scanner) at(a, b byte) bool {
	if s.pos < len(s.data) && (s.data[s.pos] == a || s.data[s.pos] == b) {
		s.pos++
		return true
	}
	return false
}

func (s *Scanner) number() error {
	start := s.pos
	minus := s.at('-', '-')
	if !s.at('0', '0') && !s.digits() {
		if !minus {
			s.pos = start
			return s.unexpected("where a value is needed")
		}
		return s.unexpected("in a number")
	}
	if s.at('.', '.') && !s.digits() {
		return s.unexpected("in a number")
	}
	if s.at('e', 'E') {
		s.at('+', '-')
		if !s.digits() {
			return s.unexpected("in a number")
		}
	}
	return nil
}

func (s *Scanner) unexpected(where string) error {
	if s.pos >= len(s.data) {
		return &SyntaxError{s.pos, "unexpected end of the JSON text"}
	}
	return &SyntaxError{s.pos, fmt.Sprintf("unexpected %q %s", s.data[s.pos], where)}
}
