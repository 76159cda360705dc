package mapview

import (
	"math"
	"strconv"
	"strings"
)

// FormatCount writes a count with thousands separators: 48,200.
func FormatCount(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// FormatShare writes a share of 0 to 1 as a percentage with one decimal, halves
// rounded up; the page rounds in the same way.
func FormatShare(share float64) string {
	return strconv.FormatFloat(math.Floor(share*1000+0.5)/10, 'f', 1, 64) + "%"
}

// FormatDuration writes seconds in two units while the larger is below ten, else
// in one: 9 h 20 m, 14 h, 0.3 s.
func FormatDuration(seconds float64) string {
	if seconds < 10 {
		return strconv.FormatFloat(math.Floor(seconds*10+0.5)/10, 'f', 1, 64) + " s"
	}
	s := uint64(math.Floor(seconds + 0.5))
	above := uint64(math.MaxUint64)
	for _, u := range []struct {
		size, next          uint64
		unit, lower, larger string
	}{{86400, 3600, "d", "h", ""}, {3600, 60, "h", "m", "d"}, {60, 1, "m", "s", "h"}} {
		if s >= u.size && s < 10*u.size {
			return twoUnits(s, u.size, u.next, u.unit, u.lower)
		}
		if s >= u.size {
			n := (s + u.size/2) / u.size
			if n*u.size >= above {
				return "1 " + u.larger // 59 m 40 s
			}
			return FormatCount(n) + " " + u.unit
		}
		above = u.size
	}
	return strconv.FormatUint(s, 10) + " s"
}

// twoUnits rounds s to the lower unit, leaving it out when it is zero.
func twoUnits(s, size, next uint64, unit, lower string) string {
	s = (s + next/2) / next * next
	text := strconv.FormatUint(s/size, 10) + " " + unit
	if rest := s % size / next; rest > 0 {
		text += " " + strconv.FormatUint(rest, 10) + " " + lower
	}
	return text
}
