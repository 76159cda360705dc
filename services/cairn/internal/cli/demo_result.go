package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/cairnhq/cairn/pkg/warehouse"
	"github.com/cairnhq/cairn/services/console/mapview"
)

// demoResult is what a demo found; its names in JSON are public. Acknowledged =
// touchpoints + duplicates + rejected + late.
type demoResult struct {
	Seed      uint64    `json:"seed"`
	Customers int       `json:"customers"`
	From      time.Time `json:"from"`
	Fixed     time.Time `json:"fixed"` // when the checkout was
	To        time.Time `json:"to"`

	EventsSent   uint64 `json:"events_sent"`
	Acknowledged uint64 `json:"acknowledged"`
	Requests     int    `json:"requests"`
	Retries      int    `json:"retries"`
	Touchpoints  uint64 `json:"touchpoints"`
	Duplicates   uint64 `json:"duplicates"`
	Rejected     uint64 `json:"rejected"`
	Late         uint64 `json:"late"`
	Sessions     uint64 `json:"sessions"`
	Profiles     uint64 `json:"profiles"` // customers by today's identity, without robots
	Journeys     uint64 `json:"journeys"`

	RejectedReasons map[string]uint64 `json:"rejected_reasons"`
	JourneyStatus   map[string]uint64 `json:"journey_status"`
	SourceEvents    map[string]uint64 `json:"source_touchpoints"`

	Transitions        uint64            `json:"transitions"`
	TransitionsByStage []transitionCount `json:"transitions_by_stage"`

	Conversion *demoConversion `json:"conversion"`
	Checkouts  demoCheckouts   `json:"checkouts"`
	Map        *mapview.Map    `json:"map"`
	Verify     verifyResult    `json:"verify"`
	Seconds    struct {
		Start  float64 `json:"start"`
		Send   float64 `json:"send"`
		Settle float64 `json:"settle"`
	} `json:"seconds"`

	verify warehouse.Report
}

// transitionCount is how often journeys went from a stage to another.
type transitionCount struct {
	From      string `json:"from"` // "": the journey began
	To        string `json:"to"`
	Direction string `json:"direction"`
	Count     uint64 `json:"count"`
}

// read fills in everything that ClickHouse knows.
func (r *demoResult) read(ctx context.Context, conn driver.Conn, ns string) (err error) {
	err = conn.QueryRow(ctx, fmt.Sprintf(`SELECT sum(touchpoints), sum(duplicates), sum(rejected), sum(late) FROM %s_bi.v_data_quality`, ns)).
		Scan(&r.Touchpoints, &r.Duplicates, &r.Rejected, &r.Late)
	if err != nil {
		return fmt.Errorf("read the accounting: %w", err)
	}
	for _, q := range []struct {
		into *map[string]uint64
		sum  *uint64
		sql  string
	}{
		{&r.RejectedReasons, new(uint64), "SELECT toString(reason), count() FROM %s_bi.v_rejected GROUP BY reason"},
		{&r.JourneyStatus, &r.Journeys, "SELECT toString(status), count() FROM %s_bi.v_journeys GROUP BY status"},
		{&r.SourceEvents, new(uint64), "SELECT toString(source), sum(touchpoints) AS n FROM %s_bi.v_data_quality GROUP BY source HAVING n > 0"},
		{new(map[string]uint64), &r.Sessions, "SELECT '', count() FROM %s_bi.v_sessions"},
	} {
		if *q.into, *q.sum, err = countBy(ctx, conn, fmt.Sprintf(q.sql, ns)); err != nil {
			return err
		}
	}
	if err := errors.Join(r.readTransitions(ctx, conn, ns), r.readCheckouts(ctx, conn, ns)); err != nil {
		return err
	}
	if r.Map, err = mapview.Fetch(ctx, conn, ns, time.Time{}, time.Time{}); err != nil {
		return err
	}
	r.Profiles = r.Map.Totals.Profiles
	r.Conversion = conversion(r.Map, r.Fixed)
	return nil
}

// countBy reads rows of a name and a count.
func countBy(ctx context.Context, conn driver.Conn, query string) (counts map[string]uint64, sum uint64, err error) {
	rows, err := conn.Query(ctx, query)
	if err != nil {
		return nil, 0, fmt.Errorf("count: %w", err)
	}
	defer func() { _ = rows.Close() }()
	counts = map[string]uint64{}
	for rows.Next() {
		var name string
		var n uint64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, 0, fmt.Errorf("count: %w", err)
		}
		counts[name] = n
		sum += n
	}
	return counts, sum, rows.Err()
}

// readTransitions counts them by pair of stages, in the model's order.
func (r *demoResult) readTransitions(ctx context.Context, conn driver.Conn, ns string) error {
	rows, err := conn.Query(ctx, fmt.Sprintf(`
		SELECT toString(t.from_stage), toString(t.to_stage), toString(t.direction), count()
		FROM %[1]s_bi.v_transitions AS t
		LEFT JOIN %[1]s_bi.dim_stage AS f ON f.stage = t.from_stage
		LEFT JOIN %[1]s_bi.dim_stage AS s ON s.stage = t.to_stage
		GROUP BY t.from_stage, t.to_stage, t.direction
		ORDER BY any(f.stage_order), any(s.stage_order), t.direction`, ns))
	if err != nil {
		return fmt.Errorf("count the transitions: %w", err)
	}
	defer func() { _ = rows.Close() }()
	r.TransitionsByStage = []transitionCount{}
	for rows.Next() {
		var t transitionCount
		if err := rows.Scan(&t.From, &t.To, &t.Direction, &t.Count); err != nil {
			return fmt.Errorf("count the transitions: %w", err)
		}
		r.Transitions += t.Count
		r.TransitionsByStage = append(r.TransitionsByStage, t)
	}
	return rows.Err()
}

// demoCheckouts are the sessions with a checkout, by whether it began before the
// checkout was fixed.
type demoCheckouts struct {
	Before checkouts `json:"before"`
	After  checkouts `json:"after"`
}

type checkouts struct {
	Started uint64 `json:"started"`
	Ordered uint64 `json:"ordered"` // in the same session
}

func (c checkouts) share() float64 { return float64(c.Ordered) / float64(max(c.Started, 1)) }

func (r *demoResult) readCheckouts(ctx context.Context, conn driver.Conn, ns string) error {
	c := &r.Checkouts
	err := conn.QueryRow(ctx, fmt.Sprintf(`
		SELECT countIf(began < @fixed), countIf(began < @fixed AND ordered), countIf(began >= @fixed), countIf(began >= @fixed AND ordered)
		FROM
		(
			SELECT minIf(event_time, event = 'checkout_started') AS began, countIf(event = 'order_completed') > 0 AS ordered
			FROM %s_bi.v_touchpoints WHERE session_id != '' GROUP BY session_id HAVING countIf(event = 'checkout_started') > 0
		)`, ns), clickhouse.DateNamed("fixed", r.Fixed, clickhouse.MilliSeconds)).
		Scan(&c.Before.Started, &c.Before.Ordered, &c.After.Started, &c.After.Ordered)
	if err != nil {
		return fmt.Errorf("count the checkouts: %w", err)
	}
	return nil
}

// demoConversion compares how many went on from the stage before the goal, by
// the day they entered it, before and after the day on which the checkout was fixed.
type demoConversion struct {
	Stage  string     `json:"stage"`
	Before daysOfWeek `json:"before"`
	After  daysOfWeek `json:"after"`
}

// daysOfWeek sums up some days of the journey map.
type daysOfWeek struct {
	From       string  `json:"from"` // 2026-11-23
	To         string  `json:"to"`   // included
	Profiles   uint64  `json:"profiles"`
	WentOn     uint64  `json:"went_on"`
	Conversion float64 `json:"conversion"`
}

// conversion reads it from the map's days. A customer counts on each day anew.
// It is nil where there was nobody before or after.
func conversion(m *mapview.Map, fixed time.Time) *demoConversion {
	c := &demoConversion{Stage: m.FocusStage()}
	fixedOn := fixed.UTC().Format(time.DateOnly)
	for _, d := range m.Daily {
		if d.Stage != c.Stage || d.Day == fixedOn {
			continue
		}
		sum := &c.Before
		if d.Day > fixedOn {
			sum = &c.After
		}
		if sum.From == "" {
			sum.From = d.Day
		}
		sum.To = d.Day
		sum.Profiles += d.Profiles.N
		sum.WentOn += d.WentOn.N
	}
	if c.Before.Profiles == 0 || c.After.Profiles == 0 {
		return nil
	}
	c.Before.Conversion = float64(c.Before.WentOn) / float64(c.Before.Profiles)
	c.After.Conversion = float64(c.After.WentOn) / float64(c.After.Profiles)
	return c
}
