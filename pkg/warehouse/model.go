package warehouse

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/cairnhq/cairn/pkg/journey"
)

// PutModel makes a journey model the one in force for the views (gaps, stages and
// their order). A model equal to the one in force is not written again. Of two
// calls at once either may win; both are complete.
func PutModel(ctx context.Context, conn driver.Conn, namespace string, m *journey.Model) error {
	if err := CheckNamespace(namespace); err != nil {
		return err
	}
	if len(m.Stages) == 0 {
		return fmt.Errorf("write the model %s: it has no stages", m.Name)
	}
	want := modelRow{
		Name: m.Name, SessionGap: uint64(m.SessionGap), JourneyGap: uint64(m.JourneyGap),
		Lateness: uint64(m.Lateness), Goal: m.StageName(m.Goal), Stages: stageRows(m),
	}
	have, revision, err := modelInForce(ctx, conn, namespace)
	if err != nil {
		return err
	}
	if have.equal(want) {
		return nil
	}
	// Ahead of the one in force even where this machine's clock is behind.
	revision = max(revision+1, uint64(time.Now().UnixMilli()))
	return want.insert(ctx, conn, namespace, revision)
}

// modelRow is a model as the tables hold it; times in ms.
type modelRow struct {
	Name                             string
	SessionGap, JourneyGap, Lateness uint64
	Goal                             string
	Stages                           []stageRow
}

type stageRow struct {
	Name      string
	Order     uint8 // from 1
	Substages []string
	Window    uint64
}

func stageRows(m *journey.Model) []stageRow {
	var list []stageRow
	for i, s := range m.Stages {
		list = append(list, stageRow{Name: s.Name, Order: uint8(i + 1), Substages: slices.Clone(s.Substages), Window: uint64(s.Window)})
	}
	return list
}

func (r modelRow) equal(o modelRow) bool {
	return r.Name == o.Name && r.SessionGap == o.SessionGap && r.JourneyGap == o.JourneyGap && r.Lateness == o.Lateness &&
		r.Goal == o.Goal && slices.EqualFunc(r.Stages, o.Stages, func(a, b stageRow) bool {
		return a.Name == b.Name && a.Order == b.Order && a.Window == b.Window && slices.Equal(a.Substages, b.Substages)
	})
}

// modelInForce reads the newest model; the zero model and 0 if there is none.
func modelInForce(ctx context.Context, conn driver.Conn, namespace string) (modelRow, uint64, error) {
	var m modelRow
	var revision uint64
	row := conn.QueryRow(ctx, `SELECT argMax(model, revision), argMax(session_gap_ms, revision), argMax(journey_gap_ms, revision),
		argMax(lateness_ms, revision), argMax(goal, revision), max(revision) FROM `+namespace+`.models`)
	if err := row.Scan(&m.Name, &m.SessionGap, &m.JourneyGap, &m.Lateness, &m.Goal, &revision); err != nil {
		return m, 0, fmt.Errorf("read the model in force: %w", err)
	}
	rows, err := conn.Query(ctx, `SELECT stage, stage_order, substages, window_ms, revision FROM `+namespace+`.stages FINAL
		WHERE revision = (SELECT max(revision) FROM `+namespace+`.stages) ORDER BY stage_order`)
	if err != nil {
		return m, 0, fmt.Errorf("read the stages in force: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s stageRow
		var written uint64
		if err := rows.Scan(&s.Name, &s.Order, &s.Substages, &s.Window, &written); err != nil {
			return m, 0, fmt.Errorf("read the stages in force: %w", err)
		}
		revision = max(revision, written)
		m.Stages = append(m.Stages, s)
	}
	return m, revision, rows.Err()
}

// insert writes the stages in one block, which readers see whole or not at all,
// and then the model. A crash between the two leaves them different from any
// model that is put next, which then writes both.
func (r modelRow) insert(ctx context.Context, conn driver.Conn, namespace string, revision uint64) error {
	stages, err := conn.PrepareBatch(ctx, "INSERT INTO "+namespace+".stages (model, stage, stage_order, substages, window_ms, revision)")
	if err != nil {
		return fmt.Errorf("write the stages: %w", err)
	}
	defer func() { _ = stages.Close() }()
	for _, s := range r.Stages {
		if err := stages.Append(r.Name, s.Name, s.Order, s.Substages, s.Window, revision); err != nil {
			return fmt.Errorf("write the stages: %w", err)
		}
	}
	if err := stages.Send(); err != nil {
		return fmt.Errorf("write the stages: %w", err)
	}
	if err := conn.Exec(ctx, "INSERT INTO "+namespace+".models (model, session_gap_ms, journey_gap_ms, lateness_ms, goal, revision) VALUES (?, ?, ?, ?, ?, ?)",
		r.Name, r.SessionGap, r.JourneyGap, r.Lateness, r.Goal, revision); err != nil {
		return fmt.Errorf("write the model: %w", err)
	}
	return nil
}
