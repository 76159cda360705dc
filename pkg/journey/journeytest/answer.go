package journeytest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// Values of Session.Status and Journey.Status.
const (
	statusOpen      = "open"
	statusClosed    = "closed"
	statusConverted = "converted"
	statusLapsed    = "lapsed"
)

// Answer is the final content of the tables, without ids, revisions and
// emission times. Batch makes it; an Engine's Finish must make the same.
type Answer struct {
	Owners      map[Point]string // profile of every touchpoint
	Sessions    []Session        // by identifier, start
	Journeys    []Journey        // by profile, start
	Transitions []Transition     // by profile, journey start, seq
	Frictions   []FrictionRow    // by profile, time, name
	Frozen      []string         // identifiers and users a limit froze
	Duplicates  int              // copies beyond the first
	Late        int              // beyond the horizon, in none of the tables
}

// Point names a touchpoint (semantics.md D1).
type Point struct{ Identifier, MessageID string }

func pointOf(p *journey.Touchpoint) Point { return Point{p.Identifier, p.MessageID} }

// Session is a row of the table sessions.
type Session struct {
	Identifier                string
	Start, End                int64
	Count                     int
	Status                    string // open or closed
	FirstMessage, LastMessage string // by order key
	RevenueMicros             int64
	Bot                       bool // any of its touchpoints is a bot's

	Channel, LastChannel string         // of the first and the last touchpoint
	Device, Campaign     string         // of the first touchpoint
	Landing, Exit        string         // first and last page path; "" without any
	Pages                int            // pages and screens
	EventCounts          map[string]int // touchpoints per event the model mentions, all others as "other"
	SentimentSum         int64          // hundredths
	SentimentCount       int
}

// otherEvents counts the events that the model does not mention.
const otherEvents = "other"

// Journey is a row of the table journeys.
type Journey struct {
	Profile         string
	Start, End      int64
	Touchpoints     int // the customer's
	Business        int // the business's, within the window or up to the gap after it
	Status          string
	Converted       bool
	Stage, Substage string // where it stands at the end
	RevenueMicros   int64  // of all its touchpoints, as is what follows
	SentimentSum    int64  // hundredths
	SentimentCount  int
	Persona         string // the profile's after its last touchpoint; "" none
	IntentMillis    int64  // thousandths of a point, after its last touchpoint
	Sessions        int    // pauses of an identifier longer than the session gap, and its first touchpoint
}

// Transition is a row of the table transitions.
type Transition struct {
	Profile      string
	JourneyStart int64
	Seq          int
	From, To     string
	Direction    string // advance, return or within
	Substage     string
	Skipped      []string
	At           int64
	Dwell        *int64 // ms in the stage left; nil for a journey's first
	MessageID    string
	Identifier   string
	Channel      string // of the touchpoint
	Sentiment    *int32 // mean of the journey's evidence so far, hundredths; nil without any
	Persona      string // the profile's after the touchpoint
}

// FrictionRow is one friction: when it struck and the touchpoint that caused
// it, which for an absence is the one that opened the episode.
type FrictionRow struct {
	Profile, Name, Kind   string
	Severity              int
	At                    int64
	MessageID, Identifier string
	Channel               string // of the touchpoint
	Stage, Substage       string // where the journey stood after the touchpoint
	Persona               string // the profile's after the touchpoint
	JourneyStart          int64  // of the journey the touchpoint is in; 0: none
}

// Sort brings the rows into the documented order, so that an Engine may append
// them as it finds them.
func (a *Answer) Sort() *Answer {
	slices.SortFunc(a.Sessions, func(x, y Session) int {
		return cmp.Or(strings.Compare(x.Identifier, y.Identifier), cmp.Compare(x.Start, y.Start))
	})
	slices.SortFunc(a.Journeys, func(x, y Journey) int {
		return cmp.Or(strings.Compare(x.Profile, y.Profile), cmp.Compare(x.Start, y.Start))
	})
	slices.SortFunc(a.Transitions, func(x, y Transition) int {
		return cmp.Or(strings.Compare(x.Profile, y.Profile), cmp.Compare(x.JourneyStart, y.JourneyStart),
			cmp.Compare(x.Seq, y.Seq))
	})
	slices.SortFunc(a.Frictions, func(x, y FrictionRow) int {
		return cmp.Or(strings.Compare(x.Profile, y.Profile), cmp.Compare(x.At, y.At), strings.Compare(x.Name, y.Name),
			strings.Compare(x.MessageID, y.MessageID), strings.Compare(x.Identifier, y.Identifier))
	})
	slices.Sort(a.Frozen)
	return a
}

// Parts of an answer, for Text and Diff.
const (
	PartOwners      = "owners"
	PartSessions    = "sessions"
	PartJourneys    = "journeys"
	PartTransitions = "transitions"
	PartFrictions   = "frictions"
	PartCounts      = "counts"
)

// Parts lists all parts in the order in which String prints them.
func Parts() []string {
	return []string{PartOwners, PartSessions, PartJourneys, PartTransitions, PartFrictions, PartCounts}
}

// Views of an answer: columns that the parts leave out of their lines.
const (
	ViewVisits    = "visits"    // what a session consisted of
	ViewSentiment = "sentiment" // of each journey, and as of each transition
	ViewPersonas  = "personas"  // likewise
	ViewIntent    = "intent"    // of each journey
)

// Views lists all views.
func Views() []string { return []string{ViewVisits, ViewSentiment, ViewPersonas, ViewIntent} }

// String prints the whole answer, a line per row, each part under its name.
func (a *Answer) String() string {
	var b strings.Builder
	for _, part := range Parts() {
		if lines := a.Lines(part); len(lines) > 0 {
			b.WriteString(part + "\n  " + strings.Join(lines, "\n  ") + "\n")
		}
	}
	return b.String()
}

// Diff compares the parts named, or all, and returns "" or the rows that only
// one of the two has, those of want marked "-", those of got "+".
func Diff(want, got *Answer, parts ...string) string {
	if len(parts) == 0 {
		parts = Parts()
	}
	var b strings.Builder
	for _, part := range parts {
		w, g := want.details(part), got.details(part)
		if slices.Equal(w, g) {
			continue
		}
		b.WriteString(part + "\n" + missing("- ", w, g) + missing("+ ", g, w))
	}
	return b.String()
}

// missing lists the rows that occur in a more often than in b.
func missing(mark string, a, b []string) string {
	left := map[string]int{}
	for _, row := range b {
		left[row]++
	}
	var lines strings.Builder
	for _, row := range a {
		if left[row]--; left[row] < 0 {
			lines.WriteString(mark + row + "\n")
		}
	}
	return lines.String()
}

// details is Lines with the columns that Lines leaves out for readability.
func (a *Answer) details(part string) []string {
	lines := a.Lines(part)
	for i := range lines {
		switch part {
		case PartSessions:
			s := a.Sessions[i]
			lines[i] += fmt.Sprintf(" (first %s, last %s; %s; sentiment %d of %d)", s.FirstMessage, s.LastMessage, s.visit(),
				s.SentimentSum, s.SentimentCount)
		case PartJourneys:
			j := a.Journeys[i]
			lines[i] += fmt.Sprintf(" (sessions %d; sentiment %d of %d; persona %s; intent %d)", j.Sessions,
				j.SentimentSum, j.SentimentCount, orNone(j.Persona), j.IntentMillis)
		case PartTransitions:
			t := a.Transitions[i]
			lines[i] += fmt.Sprintf(" (of %s, in the journey of %s; channel %s; sentiment %s; persona %s)", Who(t.Identifier),
				Clock(t.JourneyStart), t.Channel, mean(t.Sentiment), orNone(t.Persona))
		case PartFrictions:
			f := a.Frictions[i]
			lines[i] += fmt.Sprintf(" (%s of %s; severity %d; channel %s; persona %s; in the journey of %d)", f.Kind, Who(f.Identifier),
				f.Severity, f.Channel, orNone(f.Persona), f.JourneyStart)
		}
	}
	return lines
}
