package wire

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cairnhq/cairn/pkg/journey"
)

// readTimes reads the times and settles the event time (semantics D2).
func readTimes(in *RawRecord, d *document, out *Raw) error {
	t := &out.Touchpoint
	var ms [4]int64
	for i, f := range [...]slot{timestampSlot, originalSlot, sentSlot, receivedSlot} {
		if d.at[f].kind == absent {
			continue
		}
		var err error
		if ms[i], err = d.time(f); err != nil {
			names := [...]string{"/timestamp", "/originalTimestamp", "/sentAt", "/receivedAt"}
			return &RawError{ReasonBadTime, names[i], err}
		}
	}
	times := journey.Times{Timestamp: ms[0], Original: ms[1], Sent: ms[2], Received: ms[3]}
	if times.Received == 0 || times.Received > in.Arrival+arrivalSlack {
		times.Received = in.Arrival // nothing arrives before it is there
	}
	t.Received = times.Received
	var flags uint32
	t.Time, flags, t.Original = journey.EventTime(times)
	t.Flags |= flags
	return nil
}

// arrivalSlack is how far a writer's clock may be ahead of the broker's, ms.
const arrivalSlack = 5 * 60_000

// Bounds of a time that can be one, in Unix ms: 1970 and 2100.
const (
	minTime = 0
	maxTime = 4_102_444_800_000
)

// time reads RFC 3339, or a number of ms (or s) since 1970.
func (d *document) time(f slot) (int64, error) {
	var ms int64
	switch text := d.get(f); d.at[f].kind {
	case jsonString:
		var ok bool
		if ms, ok = rfc3339(text); !ok {
			at, err := time.Parse(time.RFC3339, text) // it takes a few forms more
			if err != nil {
				return 0, fmt.Errorf("%q is not an RFC 3339 time such as 2026-05-17T10:05:03.000Z", cut(text))
			}
			ms = at.UnixMilli()
		}
	case jsonNumber:
		n, _ := strconv.ParseFloat(text, 64) // too large ones are infinite
		ms = int64(n)
		if n < 1e11 { // seconds until the year 5138, ms from 1973 on
			ms = int64(n * 1000)
		}
	default:
		return 0, errors.New("a time is a string or a number")
	}
	if ms <= minTime || ms > maxTime {
		return 0, errors.New("the time lies outside 1970 to 2100")
	}
	return ms, nil
}

// rfc3339 reads a time as it is mostly written, 2026-05-17T10:05:03.123Z, with
// or without a fraction and with any offset, in Unix ms. ok is false for all
// else, also where time.Parse would read it.
func rfc3339(s string) (ms int64, ok bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	century, y := two(s, 0), two(s, 2)
	month, day := two(s, 5), two(s, 8)
	hour, minute, second := two(s, 11), two(s, 14), two(s, 17)
	if century|y|month|day|hour|minute|second < 0 {
		return 0, false
	}
	year := century*100 + y
	if month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	ms = ((daysSince1970(year, month, day)*24+hour)*60+minute)*60_000 + second*1000
	s = s[19:]
	if s[0] == '.' {
		i, unit := 1, int64(100)
		for ; i < len(s) && s[i]-'0' <= 9; i++ {
			ms += int64(s[i]-'0') * unit
			unit /= 10 // what is below a millisecond is dropped
		}
		if i == 1 || i == len(s) {
			return 0, false
		}
		s = s[i:]
	}
	if s == "Z" {
		return ms, true
	}
	if len(s) != len("+01:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	h, m := two(s, 1), two(s, 4)
	if h|m < 0 || h > 23 || m > 59 {
		return 0, false
	}
	offset := (h*60 + m) * 60_000
	if s[0] == '-' {
		offset = -offset
	}
	return ms - offset, true
}

// two reads the two digits at i; what is none is negative.
func two(s string, i int) int64 {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int64(a)*10 + int64(b)
}

// daysIn is the number of days of a month.
func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts by eras of 400 years, with years that begin in March.
func daysSince1970(year, month, day int64) int64 {
	month -= 3
	if month < 0 {
		year, month = year-1, month+12
	}
	year += 400 // none is negative
	inYear := (153*month+2)/5 + day - 1
	return year/400*146_097 + year%400*365 + year%400/4 - year%400/100 + inYear - 719_468 - 146_097
}
