package console

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
)

// oracle is what the map must show, computed in SQL from the tables alone and in
// another way than the views do: stages of touchpoints by explicit intervals
// instead of an ASOF join, dwell from times instead of dwell_ms, medians and
// reach in Go.
type oracle struct {
	stages map[string]stageTruth
	cells  map[string]cellTruth // channel/stage
	days   map[string][2]uint64 // day/stage: profiles, went on
	points uint64
	robots uint64
}

type stageTruth struct {
	profiles, wentOn uint64
	dwells           []float64 // sorted
}

type cellTruth struct {
	touchpoints, profiles uint64
	dwell                 float64 // mean; -1: none
}

func (s stageTruth) median() float64 {
	n := len(s.dwells)
	return (s.dwells[(n-1)/2] + s.dwells[n/2]) / 2
}

func (s stageTruth) mean() float64 {
	sum := 0.0
	for _, d := range s.dwells {
		sum += d
	}
	return sum / float64(len(s.dwells))
}

// steps are the final transitions between stages, with the time the next one
// ends the stay. Ranks are those of shopStages, from 1; 0 is none.
const steps = `
	SELECT profile, journey_id, seq, at, direction, indexOf([STAGES], from_stage) AS from_rank, indexOf([STAGES], to_stage) AS to_rank,
		leadInFrame(at, 1, toDateTime64('2200-01-01', 3, 'UTC')) OVER w AS until,
		lagInFrame(at, 1, at) OVER w AS since
	FROM (SELECT * FROM NS.transitions ORDER BY revision DESC LIMIT 1 BY journey_id, seq)
	WHERE status != 'void'
	WINDOW w AS (PARTITION BY journey_id ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)`

// points are the final touchpoints of people with their profile.
const points = `
	SELECT if(t.user_id != '', 'user:' || t.user_id, if(i.user != '', 'user:' || i.user, t.identifier)) AS profile, t.channel AS channel, t.event_time AS event_time
	FROM (SELECT * FROM NS.touchpoints ORDER BY revision DESC LIMIT 1 BY identifier, message_id) AS t
	LEFT JOIN (SELECT identifier, any(map.user_id[1]) AS user FROM NS.identities GROUP BY identifier) AS i ON i.identifier = t.identifier
	WHERE bitAnd(t.flags, 1) = 0`

// ask fills the namespace, the stages and the range into a query.
func ask(ctx context.Context, t *testing.T, conn driver.Conn, ns string, from, to time.Time, query string, scan func(driver.Rows) error) {
	t.Helper()
	list := "'" + strings.Join(shopStages(), "', '") + "'"
	query = strings.NewReplacer("STEPS", "("+steps+")", "POINTS", "("+points+")").Replace(query)
	query = strings.NewReplacer("[STAGES]", "["+list+"]", "NS.", ns+".",
		"FROM_TIME", "toDateTime64('"+from.Format("2006-01-02 15:04:05")+"', 3, 'UTC')",
		"TO_TIME", "toDateTime64('"+to.Format("2006-01-02 15:04:05")+"', 3, 'UTC')").Replace(query)
	rows, err := conn.Query(ctx, query)
	require.NoError(t, err, query)
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		require.NoError(t, scan(rows))
	}
	require.NoError(t, rows.Err())
}

// truth computes the oracle for touchpoints and steps in [from, to).
func truth(ctx context.Context, t *testing.T, conn driver.Conn, ns string, from, to time.Time) oracle {
	t.Helper()
	o := oracle{stages: map[string]stageTruth{}, cells: map[string]cellTruth{}, days: map[string][2]uint64{}}
	o.readReach(ctx, t, conn, ns, from, to)
	o.readDwell(ctx, t, conn, ns, from, to)
	o.readCells(ctx, t, conn, ns, from, to)
	o.readDays(ctx, t, conn, ns, from, to)
	ask(ctx, t, conn, ns, from, to, `SELECT count() FROM POINTS WHERE event_time >= FROM_TIME AND event_time < TO_TIME`,
		func(r driver.Rows) error { return r.Scan(&o.points) })
	ask(ctx, t, conn, ns, from, to, `SELECT uniqExact(identifier, message_id) FROM NS.touchpoints WHERE bitAnd(flags, 1) = 1
		AND event_time >= FROM_TIME AND event_time < TO_TIME`, func(r driver.Rows) error { return r.Scan(&o.robots) })
	return o
}

// readReach counts profiles by the furthest stage they stayed in during the range.
func (o *oracle) readReach(ctx context.Context, t *testing.T, conn driver.Conn, ns string, from, to time.Time) {
	t.Helper()
	var furthest []uint64
	ask(ctx, t, conn, ns, from, to, `SELECT toUInt64(max(s.to_rank)) FROM POINTS AS p INNER JOIN STEPS AS s ON s.profile = p.profile
		WHERE p.event_time >= s.at AND p.event_time < s.until AND p.event_time >= FROM_TIME AND p.event_time < TO_TIME
		GROUP BY p.profile`, func(r driver.Rows) error {
		var rank uint64
		err := r.Scan(&rank)
		furthest = append(furthest, rank)
		return err
	})
	for i, name := range shopStages() {
		var s stageTruth
		for _, rank := range furthest {
			if rank >= uint64(i+1) {
				s.profiles++
			}
			if rank > uint64(i+1) {
				s.wentOn++
			}
		}
		o.stages[name] = s
	}
}

func (o *oracle) readDwell(ctx context.Context, t *testing.T, conn driver.Conn, ns string, from, to time.Time) {
	t.Helper()
	ask(ctx, t, conn, ns, from, to, `SELECT toInt64(from_rank), dateDiff('millisecond', since, at) / 1000 FROM STEPS
		WHERE from_rank > 0 AND at >= FROM_TIME AND at < TO_TIME AND profile IN (SELECT profile FROM POINTS)`, func(r driver.Rows) error {
		var rank int64
		var dwell float64
		err := r.Scan(&rank, &dwell)
		s := o.stages[shopStages()[rank-1]]
		s.dwells = append(s.dwells, dwell)
		o.stages[shopStages()[rank-1]] = s
		return err
	})
	for _, s := range o.stages {
		slices.Sort(s.dwells)
	}
}

func (o *oracle) readCells(ctx context.Context, t *testing.T, conn driver.Conn, ns string, from, to time.Time) {
	t.Helper()
	ask(ctx, t, conn, ns, from, to, `
		WITH stays AS (
			SELECT p.profile AS profile, p.channel AS channel, s.to_rank AS rank
			FROM POINTS AS p INNER JOIN STEPS AS s ON s.profile = p.profile
			WHERE p.event_time >= s.at AND p.event_time < s.until AND p.event_time >= FROM_TIME AND p.event_time < TO_TIME
		), visits AS (
			SELECT profile, from_rank AS rank, dateDiff('millisecond', since, at) / 1000 AS seconds FROM STEPS
			WHERE from_rank > 0 AND at >= FROM_TIME AND at < TO_TIME
		)
		SELECT n.channel, [STAGES][n.rank], n.touchpoints, n.profiles, ifNull(d.mean, -1) FROM (
			SELECT channel, rank, count() AS touchpoints, uniqExact(profile) AS profiles FROM stays GROUP BY channel, rank
		) AS n LEFT JOIN (
			SELECT c.channel AS channel, c.rank AS rank, toNullable(avg(v.seconds)) AS mean
			FROM (SELECT DISTINCT channel, rank, profile FROM stays) AS c INNER JOIN visits AS v ON v.profile = c.profile AND v.rank = c.rank
			GROUP BY c.channel, c.rank
		) AS d ON d.channel = n.channel AND d.rank = n.rank`, func(r driver.Rows) error {
		var channel, stage string
		var c cellTruth
		err := r.Scan(&channel, &stage, &c.touchpoints, &c.profiles, &c.dwell)
		o.cells[channel+"/"+stage] = c
		return err
	})
}

// readDays follows each journey by itself in Go.
func (o *oracle) readDays(ctx context.Context, t *testing.T, conn driver.Conn, ns string, from, to time.Time) {
	t.Helper()
	type step struct {
		profile  string
		at       time.Time
		from, to int
	}
	journeys := map[string][]step{}
	ask(ctx, t, conn, ns, from, to, `SELECT journey_id, profile, at, toInt64(from_rank), toInt64(to_rank) FROM STEPS
		WHERE profile IN (SELECT profile FROM POINTS) ORDER BY journey_id, seq`, func(r driver.Rows) error {
		var id string
		var s step
		var a, b int64
		err := r.Scan(&id, &s.profile, &s.at, &a, &b)
		s.from, s.to = int(a), int(b)
		journeys[id] = append(journeys[id], s)
		return err
	})
	entered, wentOn := map[string]map[string]bool{}, map[string]map[string]bool{}
	note := func(sets map[string]map[string]bool, key, profile string) {
		if sets[key] == nil {
			sets[key] = map[string]bool{}
		}
		sets[key][profile] = true
	}
	for _, list := range journeys {
		for i, s := range list {
			if s.at.Before(from) || !s.at.Before(to) {
				continue
			}
			for rank, name := range shopStages() {
				rank++
				if onward, back := s.from < rank && rank <= s.to, s.to < s.from && rank == s.to; !onward && !back {
					continue
				}
				key := s.at.UTC().Format(time.DateOnly) + "/" + name
				note(entered, key, s.profile)
				if slices.ContainsFunc(list[i:], func(later step) bool { return later.to > rank }) {
					note(wentOn, key, s.profile)
				}
			}
		}
	}
	for key, set := range entered {
		o.days[key] = [2]uint64{uint64(len(set)), uint64(len(wentOn[key]))}
	}
}
