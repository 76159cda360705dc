package journeytest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
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

// Lines prints the rows of one part or view.
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
	case ViewVisits:
		return each(a.Sessions, func(s Session) string { return Who(s.Identifier) + " " + Clock(s.Start) + " " + s.visit() })
	case ViewSentiment:
		return a.perJourney(func(j Journey) string { return score(j.SentimentSum, j.SentimentCount) },
			func(t Transition) string { return mean(t.Sentiment) })
	case ViewPersonas:
		return a.perJourney(func(j Journey) string { return orNone(j.Persona) }, func(t Transition) string { return orNone(t.Persona) })
	case ViewIntent:
		return each(a.Journeys, func(j Journey) string { return j.title() + ": " + points(j.IntentMillis) })
	}
	panic("journeytest: no part or view " + part)
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
	line := fmt.Sprintf("%s n=%d", j.title(), j.Touchpoints)
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
	line := fmt.Sprintf("%s %s at %s", Who(f.Profile), f.Name, Clock(f.At))
	if f.Stage != "" {
		line += " in " + stagePath(f.Stage, f.Substage)
	}
	if f.Persona != "" {
		line += " as " + f.Persona
	}
	return line + " by " + f.MessageID
}

// title is whose journey it is, and when it was.
func (j Journey) title() string { return Who(j.Profile) + " " + span(j.Start, j.End) }

// visit prints what a session consisted of.
func (s Session) visit() string {
	var b strings.Builder
	b.WriteString(s.Channel)
	if s.LastChannel != s.Channel {
		b.WriteString(".." + s.LastChannel)
	}
	for _, column := range [][2]string{{"device", s.Device}, {"campaign", s.Campaign}, {"landing", s.Landing}, {"exit", s.Exit}} {
		if column[1] != "" {
			b.WriteString(" " + column[0] + "=" + column[1])
		}
	}
	if s.Pages > 0 {
		fmt.Fprintf(&b, " pages=%d", s.Pages)
	}
	for _, name := range sortedKeys(s.EventCounts) {
		if n := s.EventCounts[name]; n > 0 {
			fmt.Fprintf(&b, " %s=%d", name, n)
		}
	}
	return b.String()
}

// perJourney prints a line per journey, and one per transition before it.
func (a *Answer) perJourney(ofJourney func(Journey) string, ofTransition func(Transition) string) []string {
	var lines []string
	for _, j := range a.Journeys {
		for _, t := range a.Transitions {
			if t.Profile == j.Profile && t.JourneyStart == j.Start {
				lines = append(lines, fmt.Sprintf("%s #%d %s: %s", Who(t.Profile), t.Seq, stagePath(t.To, t.Substage), ofTransition(t)))
			}
		}
		lines = append(lines, j.title()+": "+ofJourney(j))
	}
	return lines
}

// score prints the mean of n scores: "+0.67 of 3".
func score(sum int64, n int) string {
	if n == 0 {
		return "none"
	}
	hundredths := int32(math.Round(float64(sum) / float64(n)))
	return fmt.Sprintf("%s of %d", mean(&hundredths), n)
}

// mean prints hundredths: "+0.67".
func mean(hundredths *int32) string {
	if hundredths == nil {
		return "none"
	}
	return fmt.Sprintf("%+.2f", float64(*hundredths)/100)
}

// points prints thousandths of a point: "32.5 points".
func points(millis int64) string {
	return strconv.FormatFloat(float64(millis)/1000, 'f', -1, 64) + " points"
}

func orNone(s string) string { return orText(s, "none") }

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
