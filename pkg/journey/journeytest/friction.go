package journeytest

import "github.com/cairnhq/cairn/pkg/journey"

// Friction is one named pattern of semantics.md D9; exactly one of the three
// kinds is set. A slow response is an absence whose Without wants the business
// as actor.
type Friction struct {
	Name       string
	Event      *journey.Rule
	Repetition *Repetition
	Absence    *Absence
}

// Repetition fires at the AtLeast-th match with the same value within Within ms.
type Repetition struct {
	Match   journey.Rule
	Value   func(*journey.Touchpoint) string
	AtLeast int
	Within  int64
}

// Absence fires when Without does not follow After within For ms.
type Absence struct {
	After, Without journey.Rule
	For            int64
}

// frictions lists the frictions of a profile's touchpoints, sorted by time
// within each pattern, patterns as given.
func frictions(patterns []Friction, name string, points []*journey.Touchpoint, now int64) []FrictionRow {
	var rows []FrictionRow
	for _, f := range patterns {
		var found []FrictionRow
		switch {
		case f.Event != nil:
			found = matchesOf(f.Event, points)
		case f.Repetition != nil:
			found = repetitions(f.Repetition, points)
		case f.Absence != nil:
			found = absences(f.Absence, points, now)
		}
		for _, row := range found {
			row.Profile, row.Name = name, f.Name
			rows = append(rows, row)
		}
	}
	return rows
}

func matchesOf(r *journey.Rule, points []*journey.Touchpoint) []FrictionRow {
	var rows []FrictionRow
	for _, p := range points {
		if matches(r, p) {
			rows = append(rows, FrictionRow{At: p.Time, MessageID: p.MessageID, Identifier: p.Identifier})
		}
	}
	return rows
}

// repetitions keeps, per value, the times of the matches since t - within; the
// n-th fires and empties the list.
func repetitions(r *Repetition, points []*journey.Touchpoint) []FrictionRow {
	var rows []FrictionRow
	kept := map[string][]int64{}
	for _, p := range points {
		if !matches(&r.Match, p) {
			continue
		}
		value := r.Value(p)
		var recent []int64
		for _, t := range append(kept[value], p.Time) {
			if t >= p.Time-r.Within {
				recent = append(recent, t)
			}
		}
		if len(recent) >= r.AtLeast {
			rows = append(rows, FrictionRow{At: p.Time, MessageID: p.MessageID, Identifier: p.Identifier})
			recent = nil
		}
		kept[value] = recent
	}
	return rows
}

// absences opens an episode at each match of After that is later than the end
// of every earlier episode. The first Without in it, but for the opener, ends
// it; else it ends in friction once the clock is past open + for.
func absences(a *Absence, points []*journey.Touchpoint, now int64) []FrictionRow {
	var rows []FrictionRow
	opened, end := false, int64(0)
	for _, p := range points {
		if !matches(&a.After, p) || opened && p.Time <= end {
			continue
		}
		opened, end = true, p.Time+a.For
		if q := fulfilment(a, p, points); q != nil {
			end = q.Time
		} else if now > end {
			rows = append(rows, FrictionRow{At: end, MessageID: p.MessageID, Identifier: p.Identifier})
		}
	}
	return rows
}

func fulfilment(a *Absence, opener *journey.Touchpoint, points []*journey.Touchpoint) *journey.Touchpoint {
	for _, q := range points {
		if q != opener && matches(&a.Without, q) && q.Time >= opener.Time && q.Time <= opener.Time+a.For {
			return q
		}
	}
	return nil
}
