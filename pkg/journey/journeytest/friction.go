package journeytest

import "github.com/cairnhq/cairn/pkg/journey"

// frictions lists the frictions of a profile's touchpoints (D9), patterns as the
// model lists them.
func frictions(m *journey.Model, points []*journey.Touchpoint, now int64) []FrictionRow {
	var rows []FrictionRow
	for i := range m.Frictions {
		f := &m.Frictions[i]
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
			row.Name, row.Kind, row.Severity = f.Name, f.Kind(), f.Severity
			rows = append(rows, row)
		}
	}
	return rows
}

// struck is a friction that p caused.
func struck(p *journey.Touchpoint, at int64) FrictionRow {
	return FrictionRow{At: at, MessageID: p.MessageID, Identifier: p.Identifier, Channel: p.Channel}
}

func matchesOf(r *journey.Rule, points []*journey.Touchpoint) []FrictionRow {
	var rows []FrictionRow
	for _, p := range points {
		if matches(r, p) {
			rows = append(rows, struck(p, p.Time))
		}
	}
	return rows
}

// repetitions keeps, per value, the times of the matches since t - within; the
// n-th fires and empties the list. Without a value a touchpoint does not match.
func repetitions(r *journey.Repetition, points []*journey.Touchpoint) []FrictionRow {
	var rows []FrictionRow
	kept := map[string][]int64{}
	for _, p := range points {
		value, ok := "", true
		if r.By != nil {
			value, ok = r.By(p)
		}
		if !ok || !matches(&r.Match, p) {
			continue
		}
		var recent []int64
		for _, t := range append(kept[value], p.Time) {
			if t >= p.Time-r.Within {
				recent = append(recent, t)
			}
		}
		if len(recent) >= r.AtLeast {
			rows = append(rows, struck(p, p.Time))
			recent = nil
		}
		kept[value] = recent
	}
	return rows
}

// absences opens an episode at each match of After that is later than the end
// of every earlier episode. The first Without in it, but for the opener, ends
// it; else it ends in friction once the clock is past open + for.
func absences(a *journey.Absence, points []*journey.Touchpoint, now int64) []FrictionRow {
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
			rows = append(rows, struck(p, end))
		}
	}
	return rows
}

// fulfilment is the first Without from the opener's time to For later. At the
// same time it may stand before the opener: which of two things of one
// millisecond came first, nobody knows.
func fulfilment(a *journey.Absence, opener *journey.Touchpoint, points []*journey.Touchpoint) *journey.Touchpoint {
	for _, q := range points {
		if q != opener && matches(&a.Without, q) && q.Time >= opener.Time && q.Time <= opener.Time+a.For {
			return q
		}
	}
	return nil
}
