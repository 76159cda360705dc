package model

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Units of a duration, in milliseconds.
const (
	msSecond int64 = 1000
	msMinute       = 60 * msSecond
	msHour         = 60 * msMinute
	msDay          = 24 * msHour
	msWeek         = 7 * msDay
)

// maxDuration keeps sums of times and durations far from overflow.
const maxDuration = 3660 * msDay

func units() map[string]int64 {
	return map[string]int64{"ms": 1, "s": msSecond, "m": msMinute, "h": msHour, "d": msDay, "w": msWeek}
}

// ParseDuration reads whole numbers with units, such as 30m, 90d or 1d12h, and
// returns milliseconds. Days have 24 hours. It must be positive and at most ten
// years.
func ParseDuration(text string) (int64, error) {
	rest, total := strings.TrimSpace(text), int64(0)
	if rest == "" {
		return 0, errors.New("it is empty; write a number and a unit, such as 30m")
	}
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration; write whole numbers and units, such as 30m, 36h or 90d", text)
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		unit, ok := units()[rest[:letters]]
		switch {
		case letters == 0:
			return 0, fmt.Errorf("%q has no unit; write ms, s, m, h, d or w, such as 30m", text)
		case !ok:
			return 0, fmt.Errorf("%q has an unknown unit %q; write ms, s, m, h, d or w", text, rest[:letters])
		case n > maxDuration/unit || total+n*unit > maxDuration:
			return 0, fmt.Errorf("%q is longer than ten years", text)
		}
		total, rest = total+n*unit, rest[letters:]
	}
	if total == 0 {
		return 0, fmt.Errorf("%q is zero; it must be longer", text)
	}
	return total, nil
}

// duration reads a duration in milliseconds; 0 if it is wrong.
func (s *source) duration(n ast.Node, what string) int64 {
	n, ok := s.value(n)
	if !ok {
		return 0
	}
	if i, ok := n.(*ast.IntegerNode); ok {
		s.fail(n, "%s: %v has no unit; write ms, s, m, h, d or w, such as 30m", what, i.Value)
		return 0
	}
	text := s.text(n, what)
	if text == "" {
		return 0
	}
	ms, err := ParseDuration(text)
	if err != nil {
		s.fail(n, "%s: %v", what, err)
	}
	return ms
}
