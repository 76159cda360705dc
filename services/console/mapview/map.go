// Package mapview is the journey map as a value: read from ClickHouse by Fetch,
// served as JSON by the console, printed as text by WriteTable.
//
// What the numbers mean is defined by the views it reads,
// schemas/clickhouse/views/journey_map*.sql. Shares are 0 to 1, times are UTC. A
// number for which there is no evidence is nil, never zero.
package mapview

import (
	"encoding/json"
	"strconv"
	"time"
)

// Map is the journey map of a range of time. It is a snapshot: nothing in it
// changes, save by Mask.
type Map struct {
	Namespace string `json:"namespace"`
	// From is the start of the range, To the end that no longer belongs to it;
	// nil: open.
	From *time.Time `json:"from"`
	To   *time.Time `json:"to"`
	// GeneratedAt is when the numbers were read.
	GeneratedAt time.Time `json:"generated_at"`
	// DataAsOf is when the last touchpoint arrived that the numbers could hold,
	// whatever the range; nil: there is none yet.
	DataAsOf *time.Time `json:"data_as_of"`
	// FirstTouchpointAt and LastTouchpointAt are the span of event times of all
	// there is, whatever the range.
	FirstTouchpointAt *time.Time `json:"first_touchpoint_at"`
	LastTouchpointAt  *time.Time `json:"last_touchpoint_at"`
	// Goal is the stage that converts a journey; "": the model has none.
	Goal string `json:"goal"`
	// MinCount is the smallest count that is shown; see Mask.
	MinCount uint64 `json:"min_count"`
	Totals   Totals `json:"totals"`
	// Stages are in the model's order, also those that nobody reached.
	Stages []Stage `json:"stages"`
	// Channels are those with a touchpoint in a stage, most touchpoints first.
	Channels []Channel `json:"channels"`
	// Daily has the days with an entry into a stage, oldest first, stages in order.
	Daily []Day `json:"daily"`
}

// Totals is what the map was drawn from.
type Totals struct {
	Touchpoints         uint64 `json:"touchpoints"`
	TouchpointsInStages uint64 `json:"touchpoints_in_stages"`
	RobotTouchpoints    uint64 `json:"robot_touchpoints"`
	Profiles            uint64 `json:"profiles"`
}

// Stage is the header of one column.
type Stage struct {
	Stage string `json:"stage"`
	Order uint8  `json:"order"`
	// Profiles reached this stage or a later one.
	Profiles   Count    `json:"profiles"`
	OfEntrants *float64 `json:"of_entrants"`
	// WentOn of them reached a later stage so far.
	WentOn Count `json:"went_on"`
	// Conversion is WentOn / Profiles; nil on the last stage and where nobody was.
	Conversion         *float64 `json:"conversion"`
	MedianDwellSeconds *float64 `json:"median_dwell_seconds"`
	MeanDwellSeconds   *float64 `json:"mean_dwell_seconds"`
}

// Channel is one row: a cell for every stage, in the order of Map.Stages.
type Channel struct {
	Channel string `json:"channel"`
	Cells   []Cell `json:"cells"`
}

// Cell is a channel in a stage.
type Cell struct {
	Stage string `json:"stage"`
	// Touchpoints on the channel by profiles that were in the stage.
	Touchpoints Count `json:"touchpoints"`
	// Profiles are unique; one can be in several cells.
	Profiles Count `json:"profiles"`
	// Share is Profiles / the stage's Profiles.
	Share            *float64 `json:"share"`
	MeanDwellSeconds *float64 `json:"mean_dwell_seconds"`
}

// Day is a stage's conversion by the day on which it was entered.
type Day struct {
	Day        string   `json:"day"` // 2026-11-23
	Stage      string   `json:"stage"`
	Profiles   Count    `json:"profiles"`
	WentOn     Count    `json:"went_on"`
	Conversion *float64 `json:"conversion"`
}

// Count is a number of profiles or touchpoints. A hidden one is too small to
// show and is null in JSON.
type Count struct {
	N      uint64
	Hidden bool
}

// MarshalJSON writes the number, or null when it is hidden.
func (c Count) MarshalJSON() ([]byte, error) {
	if c.Hidden {
		return []byte("null"), nil
	}
	return strconv.AppendUint(nil, c.N, 10), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Count) UnmarshalJSON(b []byte) error {
	var n *uint64
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	*c = Count{Hidden: n == nil}
	if n != nil {
		c.N = *n
	}
	return nil
}

// Empty tells whether nobody is on the map.
func (m *Map) Empty() bool {
	return len(m.Stages) == 0 || m.Stages[0].Profiles.N == 0
}

// Mask hides every count of profiles from 1 to smallest-1 and all that is said
// about so few, so that a map shown beyond the business does not point at
// persons. It does not guard against differences between two maps. 0 and 1 hide
// nothing.
func (m *Map) Mask(smallest uint64) {
	m.MinCount = max(smallest, 1)
	few := func(c Count) bool { return c.N > 0 && c.N < m.MinCount }
	for i := range m.Stages {
		s := &m.Stages[i]
		if few(s.Profiles) {
			*s = Stage{Stage: s.Stage, Order: s.Order, Profiles: Count{Hidden: true}, WentOn: Count{Hidden: true}}
		} else if few(s.WentOn) || few(Count{N: s.Profiles.N - s.WentOn.N}) {
			s.WentOn, s.Conversion = Count{Hidden: true}, nil
			s.MedianDwellSeconds, s.MeanDwellSeconds = nil, nil
		}
	}
	for _, ch := range m.Channels {
		for i, c := range ch.Cells {
			if few(c.Profiles) {
				ch.Cells[i] = Cell{Stage: c.Stage, Touchpoints: Count{Hidden: true}, Profiles: Count{Hidden: true}}
			}
		}
	}
	for i := range m.Daily {
		d := &m.Daily[i]
		if few(d.Profiles) {
			*d = Day{Day: d.Day, Stage: d.Stage, Profiles: Count{Hidden: true}, WentOn: Count{Hidden: true}}
		} else if few(d.WentOn) || few(Count{N: d.Profiles.N - d.WentOn.N}) {
			d.WentOn, d.Conversion = Count{Hidden: true}, nil
		}
	}
}
