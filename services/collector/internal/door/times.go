package door

import (
	"strconv"
	"time"

	"github.com/cairnhq/cairn/services/collector/internal/jsonscan"
)

// millisAbove tells Unix times in milliseconds from those in seconds: as
// milliseconds it is March 1973, as seconds the year 5138.
const millisAbove = 100_000_000_000

// Bounds of a time that can be one, in Unix milliseconds: 1970 and 2100, as the device step has them.
const (
	minTime = 0
	maxTime = 4_102_444_800_000
)

// Stamp is a time that a client sent.
type Stamp struct {
	At   time.Time
	Text []byte // JSON string, RFC 3339
	Set  bool   // false: null or empty
}

// ParseTime reads a client's time: RFC 3339 as it is; ISO 8601 with a blank
// for the T, an offset without colon or no offset (then UTC), and Unix numbers
// in milliseconds or seconds are turned into it. ok is false for all else.
func ParseTime(raw []byte) (st Stamp, ok bool) {
	st, ok = readTime(raw)
	if ms := st.At.UnixMilli(); st.Set && (ms <= minTime || ms > maxTime) {
		return Stamp{}, false
	}
	return st, ok
}

func readTime(raw []byte) (st Stamp, ok bool) {
	switch c := raw[0]; {
	case c == '"':
		var buf [64]byte
		return parseTimeText(raw, jsonscan.Unquote(raw, buf[:]))
	case c == 'n':
		return Stamp{}, true
	case '0' <= c && c <= '9':
		n, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || n >= 1e14 {
			return Stamp{}, false
		}
		if n < millisAbove {
			n *= 1000
		}
		return NewStamp(time.UnixMilli(int64(n)).UTC()), true
	}
	return Stamp{}, false
}

func parseTimeText(raw, text []byte) (st Stamp, ok bool) {
	if len(text) == 0 {
		return Stamp{}, true
	}
	var at time.Time
	if at.UnmarshalText(text) == nil {
		return Stamp{at, raw, true}, true
	}
	for _, layout := range [...]string{
		"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05",
	} {
		if at, err := time.Parse(layout, string(text)); err == nil {
			return NewStamp(at), true
		}
	}
	return Stamp{}, false
}

// NewStamp is a time as a client could have sent it.
func NewStamp(at time.Time) Stamp {
	return Stamp{at, jsonscan.AppendQuoted(nil, at.Format(time.RFC3339Nano)), true}
}
