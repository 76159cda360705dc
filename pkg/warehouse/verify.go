package warehouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/cairnhq/cairn/pkg/journey"
)

// VerifyOptions of Verify.
type VerifyOptions struct {
	// Gap is the inactivity gap of sessions; 0: that of the model in force.
	Gap time.Duration
	// JourneyGap is the inactivity gap of journeys; 0: that of the model in force.
	JourneyGap time.Duration
	// Model is the journey model, by which stages are folded again; nil: they are not.
	Model *journey.Model
	// Condition formulates a condition of the model in SQL over v_touchpoints, as
	// model.WhereSQL does; nil: a model with conditions is not folded.
	Condition func(where string) (string, error)
	// Examples is how many differences each check names; 0: 10.
	Examples int
}

const defaultExamples = 10

// Verify recomputes in SQL, from the touchpoints, what the stream produced and
// compares. It is another formulation than the stream's: window functions over
// sorted touchpoints instead of merged intervals. The roll-ups are made anew and
// compared with the views that they shorten. The warehouse must be at rest: while
// rows are on their way, tables differ for a moment.
//
// The error is about the verification itself; differences are in the report.
func Verify(ctx context.Context, conn driver.Conn, namespace string, o VerifyOptions) (Report, error) {
	if err := CheckNamespace(namespace); err != nil {
		return Report{}, err
	}
	if o.Examples == 0 {
		o.Examples = defaultExamples
	}
	if o.Gap == 0 || o.JourneyGap == 0 {
		m, _, err := modelInForce(ctx, conn, namespace)
		if err != nil {
			return Report{}, err
		}
		if m.SessionGap == 0 {
			return Report{}, errors.New("no journey model is in force, so the inactivity gap is unknown: name it, or let cairn migrate or a sink of this namespace run first")
		}
		o.Gap = cmp.Or(o.Gap, time.Duration(m.SessionGap)*time.Millisecond)
		o.JourneyGap = cmp.Or(o.JourneyGap, time.Duration(m.JourneyGap)*time.Millisecond)
	}
	v := verifier{conn: conn, namespace: namespace, options: o}
	var report Report
	if err := v.refreshRollUps(ctx); err != nil {
		return report, err
	}
	checks := verifyChecks()
	if o.Model != nil {
		stages, why, err := v.stages(ctx)
		if err != nil {
			return report, err
		}
		if report.NotFolded = why; why == "" {
			checks = append(checks, stages)
		}
	}
	for _, c := range checks {
		check, err := v.run(ctx, c)
		if err != nil {
			return report, fmt.Errorf("verify %s: %w", c.name, err)
		}
		report.Checks = append(report.Checks, check)
	}
	return report, nil
}

// checkSQL is a check as queries over a namespace. Both are templates.
type checkSQL struct {
	name string
	// counts yields two numbers: how many things should be there, how many are.
	counts string
	// differences yields a line of text for each difference.
	differences string
}

type verifier struct {
	conn      driver.Conn
	namespace string
	options   VerifyOptions
}

func (v verifier) run(ctx context.Context, c checkSQL) (Check, error) {
	check := Check{Name: c.name}
	counts, err := v.render(c.counts)
	if err != nil {
		return check, err
	}
	if err := v.conn.QueryRow(ctx, counts).Scan(&check.Expected, &check.Found); err != nil {
		return check, fmt.Errorf("count: %w", err)
	}
	differences, err := v.render(c.differences)
	if err != nil {
		return check, err
	}
	// The total comes with every row, so that one pass gives both.
	rows, err := v.conn.Query(ctx, "SELECT difference, count() OVER () FROM ("+differences+") AS d ORDER BY difference LIMIT ?", v.options.Examples)
	if err != nil {
		return check, fmt.Errorf("compare: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var example string
		if err := rows.Scan(&example, &check.Differences); err != nil {
			return check, fmt.Errorf("compare: %w", err)
		}
		check.Examples = append(check.Examples, example)
	}
	return check, rows.Err()
}
