package journey

import (
	"strings"
	"unicode"
)

// SnakeCase is the form in which event names compare (semantics D2): lower
// case, words joined by single underscores. "Order Completed", "orderCompleted"
// and "order-completed" all are order_completed. A name without a letter or a
// digit is only trimmed. SnakeCase(SnakeCase(s)) is SnakeCase(s), and a name in
// that form already is returned without an allocation.
func SnakeCase(s string) string {
	if isSnake(s) {
		return s
	}
	if out, ok := snakeASCII(s); ok {
		return out
	}
	return snakeRunes(s)
}

// maxSnakeASCII is how long a name is that needs no memory but its result's.
const maxSnakeASCII = 64

// snakeASCII is SnakeCase of a short name without other scripts; ok is false
// for others.
func snakeASCII(s string) (out string, ok bool) {
	if len(s) > maxSnakeASCII {
		return "", false
	}
	var buf [2 * maxSnakeASCII]byte
	n, last := 0, byte(0) // last: the word character before, 0 behind a separator
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 0x80:
			return "", false
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			if last == 0 && n > 0 {
				buf[n] = '_'
				n++
			}
			buf[n] = c
		case c >= 'A' && c <= 'Z':
			// As startsWord has it: a capital behind a small letter or a digit, or
			// before a small letter.
			if n > 0 && (last < 'A' || last > 'Z' || i+1 < len(s) && s[i+1] >= 'a' && s[i+1] <= 'z') {
				buf[n] = '_'
				n++
			}
			buf[n] = c | ' '
		default:
			last = 0
			continue
		}
		n, last = n+1, c
	}
	if n == 0 {
		return strings.TrimSpace(s), true
	}
	return string(buf[:n]), true
}

// snakeRunes is SnakeCase of any name.
func snakeRunes(s string) string {
	runes := []rune(s)
	var b strings.Builder
	b.Grow(len(s) + 4)
	gap := false // a separator was seen since the last word character
	for i, r := range runes {
		if !wordRune(r) {
			gap = true
			continue
		}
		if b.Len() > 0 && (gap || startsWord(runes, i)) {
			b.WriteByte('_')
		}
		gap = false
		b.WriteRune(unicode.ToLower(r))
	}
	if b.Len() == 0 {
		return strings.TrimSpace(s)
	}
	return b.String()
}

// isSnake reports whether s is plain ASCII and already in snake case.
func isSnake(s string) bool {
	last := byte('_') // a leading underscore is not snake case
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
		case c == '_' && last != '_':
		default:
			return false
		}
		last = c
	}
	return last != '_'
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }

// startsWord reports whether the capital at i begins a word: after a small
// letter or a digit ("orderCompleted"), or as the last of a run of capitals
// that a small letter follows ("HTTPError").
func startsWord(runes []rune, i int) bool {
	if i == 0 || !capital(runes[i]) || !wordRune(runes[i-1]) {
		return false
	}
	if !capital(runes[i-1]) {
		return true
	}
	return i+1 < len(runes) && unicode.IsLower(runes[i+1])
}

// capital leaves out what has no small form: it would still be one in the
// result, and start another word the next time.
func capital(r rune) bool { return unicode.IsUpper(r) && unicode.ToLower(r) != r }
