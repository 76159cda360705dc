package mapview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/cairnhq/cairn/pkg/warehouse"
)

// Bounds of an answer: a map is for eyes. A query that would return more fails.
const (
	maxRows = 20_000
	maxDays = 366 // the newest days with an entry that are read
)

// ErrRange says that a range is empty or cannot be asked for.
var ErrRange = errors.New("the range of time is empty")

// Earliest and Latest are the ends of an open range, and of what a DateTime64
// can hold.
func Earliest() time.Time { return time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC) }

// Latest is the end of an open range.
func Latest() time.Time { return time.Date(2299, 1, 1, 0, 0, 0, 0, time.UTC) }

// Fetch reads the journey map of what happened in [from, to) from the views of
// the namespace; a zero time leaves that end open. It runs one query after
// another, so touchpoints that arrive meanwhile can be in one number and not yet
// in another. Bound it by ctx. It is safe for concurrent use.
func Fetch(ctx context.Context, conn driver.Conn, namespace string, from, to time.Time) (*Map, error) {
	if err := warehouse.CheckNamespace(namespace); err != nil {
		return nil, err
	}
	m := &Map{
		Namespace: namespace, GeneratedAt: time.Now().UTC().Truncate(time.Millisecond), MinCount: 1,
		Stages: []Stage{}, Channels: []Channel{}, Daily: []Day{},
	}
	if m.From = orNil(from); m.From == nil {
		from = Earliest()
	}
	if m.To = orNil(to); m.To == nil {
		to = Latest()
	}
	if !from.Before(to) || from.Before(Earliest()) || to.After(Latest()) {
		return nil, ErrRange
	}
	f := fetcher{conn: conn, m: m, view: func(name string) string {
		return fmt.Sprintf("%s_api.%s(from = '%s', to = '%s')", namespace, name, literal(from), literal(to))
	}}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{
		"max_result_rows":      maxRows,
		"result_overflow_mode": "throw",
		"log_comment":          "cairn journey map",
	}))
	for _, step := range []struct {
		name string
		read func(context.Context) error
	}{
		{"span", f.span},
		{"stages", f.stages},
		{"channels", f.channels},
		{"days", f.daily},
		{"totals", f.totals},
	} {
		if err := step.read(ctx); err != nil {
			return nil, fmt.Errorf("read the %s of the journey map: %w", step.name, err)
		}
	}
	return m, nil
}

// literal is t as ClickHouse reads a DateTime64(3, 'UTC').
func literal(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// fetcher fills m.
type fetcher struct {
	conn driver.Conn
	m    *Map
	view func(name string) string
}

// span reads how far the data goes. It comes first: what arrives later can only
// make the map newer than it says.
func (f *fetcher) span(ctx context.Context) error {
	var n uint64
	var first, last, received time.Time
	row := f.conn.QueryRow(ctx, "SELECT count(), min(event_time), max(event_time), max(received_at) FROM "+f.m.Namespace+".touchpoints")
	if err := row.Scan(&n, &first, &last, &received); err != nil {
		return err
	}
	if n > 0 {
		f.m.FirstTouchpointAt, f.m.LastTouchpointAt, f.m.DataAsOf = orNil(first), orNil(last), orNil(received)
	}
	return nil
}

func (f *fetcher) stages(ctx context.Context) error {
	return f.each(ctx, `SELECT stage, stage_order, profiles, of_entrants, went_on, conversion, median_dwell_seconds, mean_dwell_seconds
		FROM `+f.view("stage_funnel")+` ORDER BY stage_order`, func(rows driver.Rows) error {
		var s Stage
		err := rows.Scan(&s.Stage, &s.Order, &s.Profiles.N, &s.OfEntrants, &s.WentOn.N, &s.Conversion, &s.MedianDwellSeconds, &s.MeanDwellSeconds)
		f.m.Stages = append(f.m.Stages, s)
		return err
	})
}

func (f *fetcher) channels(ctx context.Context) error {
	column := map[string]int{}
	for i, s := range f.m.Stages {
		column[s.Stage] = i
	}
	rowOf := map[string]int{}
	touchpoints := map[string]uint64{}
	err := f.each(ctx, `SELECT stage, channel, touchpoints, profiles, mean_dwell_seconds FROM `+f.view("journey_map")+`
		ORDER BY channel, stage`, func(rows driver.Rows) error {
		var channel string
		var c Cell
		if err := rows.Scan(&c.Stage, &channel, &c.Touchpoints.N, &c.Profiles.N, &c.MeanDwellSeconds); err != nil {
			return err
		}
		i, ok := column[c.Stage]
		if !ok {
			return nil // the model changed since the stages were read
		}
		if n := f.m.Stages[i].Profiles.N; n > 0 {
			share := float64(c.Profiles.N) / float64(n)
			c.Share = &share
		}
		if _, ok := rowOf[channel]; !ok {
			rowOf[channel] = len(f.m.Channels)
			f.m.Channels = append(f.m.Channels, Channel{Channel: channel, Cells: f.emptyCells()})
		}
		f.m.Channels[rowOf[channel]].Cells[i] = c
		touchpoints[channel] += c.Touchpoints.N
		return nil
	})
	// Names are sorted already; a stable sort keeps that among equals.
	slices.SortStableFunc(f.m.Channels, func(a, b Channel) int {
		switch x, y := touchpoints[a.Channel], touchpoints[b.Channel]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return err
}

func (f *fetcher) emptyCells() []Cell {
	cells := make([]Cell, len(f.m.Stages))
	for i, s := range f.m.Stages {
		cells[i].Stage = s.Stage
	}
	return cells
}

func (f *fetcher) daily(ctx context.Context) error {
	days := f.view("stage_funnel_daily")
	return f.each(ctx, fmt.Sprintf(`WITH d AS (SELECT * FROM %s)
		SELECT toString(day), stage, profiles, went_on, conversion FROM d
		WHERE day IN (SELECT DISTINCT day FROM d ORDER BY day DESC LIMIT %d)
		ORDER BY day, stage_order`, days, maxDays), func(rows driver.Rows) error {
		var d Day
		err := rows.Scan(&d.Day, &d.Stage, &d.Profiles.N, &d.WentOn.N, &d.Conversion)
		f.m.Daily = append(f.m.Daily, d)
		return err
	})
}

func (f *fetcher) totals(ctx context.Context) error {
	t := &f.m.Totals
	return f.conn.QueryRow(ctx, `SELECT touchpoints, touchpoints_in_stages, robot_touchpoints, profiles, goal FROM `+
		f.view("journey_map_totals")).Scan(&t.Touchpoints, &t.TouchpointsInStages, &t.RobotTouchpoints, &t.Profiles, &f.m.Goal)
}

// each calls scan for every row of a query.
func (f *fetcher) each(ctx context.Context, query string, scan func(driver.Rows) error) error {
	rows, err := f.conn.Query(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
