package journeytest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Base is day 1, 00:00 of every scenario and generated history: Monday, 5
// January 2026, UTC, in Unix milliseconds.
const Base int64 = 1767571200000

const (
	second int64 = 1000
	minute       = 60 * second
	hour         = 60 * minute
	day          = 24 * hour
)

// Clock prints a time as scenarios write it: "d1 10:00", with seconds and
// milliseconds only where they are not zero.
func Clock(ms int64) string {
	since := ms - Base
	n := since / day
	if since%day < 0 {
		n--
	}
	return fmt.Sprintf("d%d %s", n+1, timeOfDay(since-n*day))
}

func timeOfDay(ms int64) string {
	s := fmt.Sprintf("%02d:%02d", ms/hour, ms/minute%60)
	if ms%minute != 0 {
		s += fmt.Sprintf(":%02d", ms/second%60)
	}
	if ms%second != 0 {
		s += fmt.Sprintf(".%03d", ms%1000)
	}
	return s
}

// span prints two times, the day only once where it is the same.
func span(start, end int64) string {
	from, to := Clock(start), Clock(end)
	if start == end {
		return from
	}
	fromDay, _, _ := strings.Cut(from, " ")
	if toDay, rest, _ := strings.Cut(to, " "); toDay == fromDay {
		to = rest
	}
	return from + ".." + to
}

// length prints a duration: "35m", "1d2h", "0s".
func length(ms int64) string {
	s := ""
	if d := ms / day; d > 0 {
		s, ms = fmt.Sprintf("%dd", d), ms%day
	}
	rest := (time.Duration(ms) * time.Millisecond).String()
	if rest == "0s" && s != "" {
		return s
	}
	if strings.HasSuffix(rest, "m0s") {
		rest = strings.TrimSuffix(rest, "0s")
	}
	if strings.HasSuffix(rest, "h0m") {
		rest = strings.TrimSuffix(rest, "0m")
	}
	return s + rest
}

// Who prints an identifier as scenarios write it: a bare word is an anonymous
// visitor, +word a user, anything else kind:value.
func Who(identifier string) string {
	if v, ok := strings.CutPrefix(identifier, journey.KindAnonymous+":"); ok {
		return v
	}
	if v, ok := strings.CutPrefix(identifier, journey.KindUser+":"); ok {
		return "+" + v
	}
	return identifier
}

// Lines prints the rows of one part.
func (a *Answer) Lines(part string) []string {
	switch part {
	case PartOwners:
		return a.ownerLines()
	case PartSessions:
		return each(a.Sessions, Session.String)
	case PartJourneys:
		return each(a.Journeys, Journey.String)
	case PartTransitions:
		return each(a.Transitions, Transition.String)
	case PartFrictions:
		return each(a.Frictions, FrictionRow.String)
	case PartCounts:
		return a.countLines()
	}
	panic("journeytest: no part " + part)
}

func each[T any](rows []T, line func(T) string) []string {
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		lines = append(lines, line(row))
	}
	return lines
}

// ownerLines prints, per identifier and owner, the messages owned.
func (a *Answer) ownerLines() []string {
	messages := map[string][]string{}
	for p, owner := range a.Owners {
		key := Who(p.Identifier) + " -> " + Who(owner)
		messages[key] = append(messages[key], p.MessageID)
	}
	var lines []string
	for _, key := range sortedKeys(messages) {
		slices.Sort(messages[key])
		lines = append(lines, key+": "+strings.Join(messages[key], " "))
	}
	return lines
}

func (a *Answer) countLines() []string {
	var lines []string
	if a.Duplicates > 0 {
		lines = append(lines, fmt.Sprintf("duplicates %d", a.Duplicates))
	}
	if a.Late > 0 {
		lines = append(lines, fmt.Sprintf("late %d", a.Late))
	}
	if len(a.Frozen) > 0 {
		lines = append(lines, "frozen "+strings.Join(each(a.Frozen, Who), " "))
	}
	return lines
}

func (s Session) String() string {
	line := fmt.Sprintf("%s %s n=%d", Who(s.Identifier), span(s.Start, s.End), s.Count)
	if s.RevenueMicros != 0 {
		line += " revenue=" + money(s.RevenueMicros)
	}
	if s.Bot {
		line += " bot"
	}
	return line + " " + s.Status
}

func (j Journey) String() string {
	line := fmt.Sprintf("%s %s n=%d", Who(j.Profile), span(j.Start, j.End), j.Touchpoints)
	if j.Business > 0 {
		line += fmt.Sprintf(" business=%d", j.Business)
	}
	if j.RevenueMicros != 0 {
		line += " revenue=" + money(j.RevenueMicros)
	}
	if j.Stage != "" {
		line += " in " + stagePath(j.Stage, j.Substage)
	}
	return line + " " + j.Status
}

func (t Transition) String() string {
	from := t.From
	if from == "" {
		from = "none"
	}
	line := fmt.Sprintf("%s #%d %s: %s -> %s", Who(t.Profile), t.Seq, Clock(t.At), from, stagePath(t.To, t.Substage))
	if t.Direction != "advance" {
		line += " " + t.Direction
	}
	if t.Dwell != nil {
		line += " after " + length(*t.Dwell)
	}
	if len(t.Skipped) > 0 {
		line += " skipped " + strings.Join(t.Skipped, ", ")
	}
	return line + " by " + t.MessageID
}

func (f FrictionRow) String() string {
	return fmt.Sprintf("%s %s at %s by %s", Who(f.Profile), f.Name, Clock(f.At), f.MessageID)
}

func stagePath(stage, substage string) string {
	if substage == "" {
		return stage
	}
	return stage + "/" + substage
}

// money prints micro-units with two decimals, or all six where two lose some.
func money(micros int64) string {
	sign := ""
	if micros < 0 {
		sign, micros = "-", -micros
	}
	s := fmt.Sprintf("%s%d.%06d", sign, micros/1e6, micros%1e6)
	if micros%1e4 == 0 {
		return s[:len(s)-4]
	}
	return s
}
