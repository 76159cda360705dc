package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cairnhq/cairn/pkg/journey"
)

// stages is the check of stages, or why there is none.
func (v verifier) stages(ctx context.Context) (c checkSQL, why string, err error) {
	inForce, _, err := modelInForce(ctx, v.conn, v.namespace)
	if err != nil {
		return c, "", err
	}
	if inForce.Name != v.options.Model.Name {
		return c, fmt.Sprintf("the model given is %s, and %s is in force", v.options.Model.Name, inForce.Name), nil
	}
	c, wrong := stagesCheck(v.options.Model, v.options.Condition)
	if wrong != nil {
		why = wrong.Error()
	}
	return c, why, nil
}

// stagesCheck folds the stages of journeys again, in SQL: which rules a touchpoint
// matches, whether there were enough within the time, and where that leads. where
// formulates a condition over v_touchpoints. The error says which rule it cannot.
func stagesCheck(m *journey.Model, where func(condition string) (string, error)) (checkSQL, error) {
	f := stageFold{model: m}
	for s, stage := range m.Stages {
		for i := range stage.Rules {
			if err := f.rule(s, &stage.Rules[i], where); err != nil {
				return checkSQL{}, fmt.Errorf("stage %s, rule %d: %w", stage.Name, i+1, err)
			}
		}
	}
	return checkSQL{"stages of journeys", f.counts(), f.differences()}, nil
}

// stageFold collects what the rules are in SQL, in the order of the model.
type stageFold struct {
	model                  *journey.Model
	matches, fires         []string // whether a touchpoint matches, and whether there were enough
	counted                []string // columns about rules that need several
	stage, substage, after []string // numbers; -1: none
}

func (f *stageFold) rule(stage int, r *journey.Rule, where func(string) (string, error)) error {
	if r.Intent > 0 {
		return errors.New("it asks for intent")
	}
	if r.After >= 0 && r.AtLeast > 1 {
		return errors.New("it counts what comes after a stage")
	}
	n := len(f.matches)
	conditions := []string{"NOT is_asset"}
	if len(r.Events) > 0 {
		conditions = append(conditions, in("event", r.Events))
	}
	if r.Type != "" {
		conditions = append(conditions, "type = "+quoted(r.Type))
	}
	if len(r.Channels) > 0 {
		conditions = append(conditions, in("channel", r.Channels))
	}
	if r.Actor != "" {
		conditions = append(conditions, "actor = "+quoted(r.Actor))
	}
	if r.Condition != "" && where == nil {
		return errors.New("it has a condition")
	}
	if r.Condition != "" {
		sql, err := where(r.Condition)
		if err != nil {
			return err
		}
		conditions = append(conditions, sql)
	}
	f.matches = append(f.matches, fmt.Sprintf("(%s) AS m%d", strings.Join(conditions, " AND "), n))
	fires := fmt.Sprintf("m%d", n)
	if r.AtLeast > 1 {
		over := fmt.Sprintf("OVER (PARTITION BY journey_id, m%d ORDER BY event_time, message_id, identifier ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)", n)
		f.counted = append(f.counted, fmt.Sprintf("row_number() %s AS n%d, lagInFrame(event_time, %d) %s AS since%d", over, n, r.AtLeast-1, over, n))
		fires += fmt.Sprintf(" AND n%d >= %d", n, r.AtLeast)
		if r.Within > 0 {
			fires += fmt.Sprintf(" AND toUnixTimestamp64Milli(since%d) >= toUnixTimestamp64Milli(event_time) - %d", n, r.Within)
		}
	}
	f.fires = append(f.fires, fmt.Sprintf("if(%s, %d, 0)", fires, n+1))
	f.stage, f.substage, f.after = append(f.stage, strconv.Itoa(stage)), append(f.substage, strconv.Itoa(r.Substage)), append(f.after, strconv.Itoa(r.After))
	return nil
}

// Journeys beyond the bounds are approximate, and are left out.
const exactJourneys = "journey_id != '' AND journey_id NOT IN (SELECT journey_id FROM {{.DB}}.journeys FINAL WHERE approximate)"

// steps are the transitions of journeys as arrays, both ways: columns journey_id,
// computed and steps. The accumulator of the fold is the stage, the substage, a bit for
// each stage entered, and the transitions so far; p is a touchpoint, its last member
// the rules that fire at it. Numbers of rules, and of arrays, are from 1, those of
// stages from 0, -1 being none.
const steps = `
WITH
  CAST([%[1]s], 'Array(Int16)') AS rule_stage,
  CAST([%[2]s], 'Array(Int16)') AS rule_substage,
  CAST([%[3]s], 'Array(Int16)') AS rule_after,
  CAST([%[4]s], 'Array(Array(Int16))') AS stage_returns,
  CAST([%[5]s], 'Array(String)') AS stage_names,
  CAST([%[6]s], 'Array(Array(String))') AS stage_substages
SELECT journey_id, true AS computed,
    arrayFold(
        (acc, p) -> arrayMap(rules -> arrayMap((to, direction) -> arrayMap(substage -> if(to < 0, acc, CAST((
                    to, substage, bitOr(acc.3, bitShiftLeft(toUInt64(1), greatest(to, 0))),
                    arrayPushBack(acc.4, (p.1, p.2, p.3, stage_names[acc.1 + 1], stage_names[to + 1], direction, stage_substages[to + 1][substage + 1]))
                ), '%[7]s')),
                [toInt16(arrayMax(arrayPushBack(arrayMap(n -> if(rule_stage[n] = to, rule_substage[n], toInt16(-1)), rules), toInt16(-1))))])[1],
                [multiIf(empty(rules), toInt16(-1),
                    arrayMax(n -> rule_stage[n], rules) > acc.1, arrayMax(n -> rule_stage[n], rules),
                    acc.1 < 0, toInt16(-1),
                    arrayExists(n -> rule_stage[n] < acc.1 AND has(stage_returns[acc.1 + 1], rule_stage[n]), rules),
                    arrayMax(n -> if(rule_stage[n] < acc.1 AND has(stage_returns[acc.1 + 1], rule_stage[n]), rule_stage[n], toInt16(-1)), rules),
                    arrayExists(n -> rule_stage[n] = acc.1 AND rule_substage[n] > acc.2, rules), acc.1,
                    toInt16(-1))],
                [multiIf(empty(rules), '', arrayMax(n -> rule_stage[n], rules) > acc.1, 'advance',
                    arrayExists(n -> rule_stage[n] < acc.1 AND has(stage_returns[acc.1 + 1], rule_stage[n]), rules), 'return', 'within')])[1],
            [arrayFilter(n -> rule_after[n] < 0 OR bitTest(acc.3, if(rule_after[n] < 0, 0, rule_after[n])), p.4)])[1],
        arraySort(groupArray((event_time, message_id, identifier, fired))),
        CAST((-1, -1, 0, []), '%[7]s')).4 AS steps
FROM
(
    SELECT journey_id, event_time, message_id, identifier, arrayFilter(n -> n > 0, CAST([%[8]s], 'Array(UInt8)')) AS fired
    FROM
    (
        SELECT %[9]s FROM
        (
            SELECT journey_id, event_time, message_id, identifier, %[10]s
            FROM {{.DB}}_bi.v_touchpoints WHERE ` + exactJourneys + `
        )
    )
    WHERE notEmpty(fired)
)
GROUP BY journey_id
UNION ALL
SELECT journey_id, false, arraySort(t -> t.1, groupArray((seq, (at, touchpoint_id, identifier, toString(from_stage), toString(to_stage), toString(direction), toString(substage))))).2
FROM {{.DB}}_bi.v_transitions WHERE ` + exactJourneys + `
GROUP BY journey_id`

const accumulator = "Tuple(Int16, Int16, UInt64, Array(Tuple(DateTime64(3, \\'UTC\\'), String, String, String, String, String, String)))"

func (f *stageFold) steps() string {
	var returns, names, substages []string
	for _, s := range f.model.Stages {
		var back []string
		for _, to := range s.Returns {
			back = append(back, strconv.Itoa(to))
		}
		returns = append(returns, "["+strings.Join(back, ", ")+"]")
		names = append(names, quoted(s.Name))
		substages = append(substages, "["+literals(s.Substages)+"]")
	}
	list := func(of []string) string { return strings.Join(of, ", ") }
	return fmt.Sprintf(steps, list(f.stage), list(f.substage), list(f.after), list(returns), list(names), list(substages), accumulator,
		list(f.fires), list(append([]string{"*"}, f.counted...)), list(f.matches))
}

func (f *stageFold) counts() string {
	return "SELECT sumIf(length(steps), computed), sumIf(length(steps), NOT computed) FROM (" + f.steps() + ")"
}

// differences names the first transition of a journey that is another one than
// computed.
func (f *stageFold) differences() string {
	return `
SELECT concat('stages of journey ', journey_id, ', transition ', toString(first), ': computed ', if(want.5 = '', 'none', concat(toString(want.1), ' to ', want.5, if(want.7 = '', '', concat('/', want.7)), ' by ', want.2)), ', found ', if(has.5 = '', 'none', concat(toString(has.1), ' to ', has.5, if(has.7 = '', '', concat('/', has.7)), ' by ', has.2))) AS difference
FROM
(
    SELECT journey_id, groupArrayArrayIf(steps, computed) AS should, groupArrayArrayIf(steps, NOT computed) AS are,
           arrayFirst(i -> should[i] != are[i], range(1, 1 + greatest(length(should), length(are)))) AS first,
           should[first] AS want, are[first] AS has
    FROM (` + f.steps() + `)
    GROUP BY journey_id
    HAVING should != are
)`
}
