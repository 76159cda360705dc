package warehouse

import (
	"context"
	"fmt"
)

// refreshRollUps has the roll-ups made anew, each after those that it reads, so that
// what differs then is not their age.
func (v verifier) refreshRollUps(ctx context.Context) error {
	for _, name := range []string{"touchpoints", "days", "visits", "journeys"} {
		view := "rollup_" + name + "_refresh"
		var there uint64
		if err := v.conn.QueryRow(ctx, "SELECT count() FROM system.view_refreshes WHERE database = ? AND view = ?", v.namespace, view).Scan(&there); err != nil {
			return fmt.Errorf("look for %s: %w", view, err)
		}
		if there == 0 {
			continue // what it left in its table is compared as it is
		}
		for _, statement := range []string{"SYSTEM REFRESH VIEW ", "SYSTEM WAIT VIEW "} {
			if err := v.conn.Exec(ctx, statement+v.namespace+"."+view); err != nil {
				return fmt.Errorf("refresh %s.%s: %w", v.namespace, view, err)
			}
		}
	}
	return nil
}

// The roll-ups are of all rebuilds, so the views stand in quotes here: newestOnly
// leaves them alone.

const daysCounts = "SELECT (SELECT count() FROM {{.DB}}_bi.`v_touchpoints`), (SELECT sum(touchpoints) FROM {{.DB}}.rollup_days)"

// Touchpoints and profiles by day, stage and channel are those of v_touchpoints, and
// so are the revenue, the sessions and the journeys of a day.
const daysDifferences = `
SELECT concat('roll-up of days: ', toString(day), ', stage "', stage, '", channel ', channel, if(is_bot, ', robots', ''), ' should have ',
              toString(touchpoints), ' touchpoints of ', toString(profiles), ' profiles, has ', toString(has_touchpoints), ' of ', toString(has_profiles)) AS difference
FROM
(
    SELECT day, stage, channel, is_bot, sum(t) AS touchpoints, sum(p) AS profiles, sum(ht) AS has_touchpoints, sum(hp) AS has_profiles
    FROM
    (
        SELECT toDate32(event_time) AS day, toString(stage) AS stage, toString(channel) AS channel, is_bot,
               count() AS t, uniqExact(profile) AS p, 0 AS ht, 0 AS hp
        FROM {{.DB}}_bi.` + "`v_touchpoints`" + ` GROUP BY ALL
        UNION ALL
        SELECT day, toString(stage), toString(channel), is_bot, 0, 0, sum(touchpoints), uniqExact(profile_key) FROM {{.DB}}.rollup_days GROUP BY ALL
    )
    GROUP BY day, stage, channel, is_bot
    HAVING (touchpoints, profiles) != (has_touchpoints, has_profiles)
)
UNION ALL
SELECT concat('roll-up of touchpoints: ', toString(day), ' should have revenue ', toString(revenue), ', ', toString(sessions), ' sessions, ', toString(journeys),
              ' journeys, has ', toString(has_revenue), ', ', toString(has_sessions), ', ', toString(has_journeys)) AS difference
FROM
(
    SELECT day, sum(r) AS revenue, sum(s) AS sessions, sum(j) AS journeys, sum(hr) AS has_revenue, sum(hs) AS has_sessions, sum(hj) AS has_journeys
    FROM
    (
        SELECT toDate32(event_time) AS day, sum(revenue) AS r, uniqExactIf(session_id, session_id != '') AS s, uniqExactIf(journey_id, journey_id != '') AS j,
               toDecimal128(0, 6) AS hr, 0 AS hs, 0 AS hj
        FROM {{.DB}}_bi.` + "`v_touchpoints`" + ` GROUP BY day
        UNION ALL
        SELECT day, toDecimal128(0, 6), 0, 0, sum(revenue), uniqExactIf(session_key, session_key != 0), uniqExactIf(journey_key, journey_key != 0)
        FROM {{.DB}}.rollup_touchpoints GROUP BY day
    )
    GROUP BY day
    HAVING (revenue, sessions, journeys) != (has_revenue, has_sessions, has_journeys)
)`

const journeyRollUpCounts = "SELECT (SELECT count() FROM {{.DB}}_bi.`v_journeys`), (SELECT count() FROM {{.DB}}.rollup_journeys)"

// Each journey is there once, with what v_journeys says of it.
const journeyRollUpDifferences = `
SELECT concat('roll-up of journeys: ', if(id = '', concat('a row of no journey, key ', toString(key)), concat('journey ', id)), ' should be there ', toString(want), ' times, is ', toString(has),
              if(want = has, ', with other values', '')) AS difference
FROM
(
    SELECT key, max(name) AS id, countIf(name != '') AS want, countIf(name = '') AS has, uniqExact(row) AS rows
    FROM
    (
        SELECT sipHash64(journey_id) AS key, journey_id AS name, (sipHash64(profile), started_at, ended_at, toString(furthest_stage), converted, revenue, toString(persona)) AS row
        FROM {{.DB}}_bi.` + "`v_journeys`" + `
        UNION ALL
        SELECT journey_key, '', (profile_key, started_at, ended_at, toString(furthest_stage), converted, revenue, toString(persona)) FROM {{.DB}}.rollup_journeys
    )
    GROUP BY key
    HAVING want != 1 OR has != 1 OR rows != 1
)`

// visitsOf are the transitions that are visits: into a stage of the model in force.
const visitsOf = "{{.DB}}_bi.`v_transitions` WHERE direction IN ('advance', 'return') AND to_stage IN (SELECT stage FROM {{.DB}}_bi.dim_stage WHERE stage_order > 0)"

const visitsCounts = "SELECT (SELECT count() FROM " + visitsOf + "), (SELECT count() FROM {{.DB}}.rollup_visits WHERE NOT passed_over)"

// A visit to a stage begins with the transition into it, and there is none besides.
const visitsDifferences = `
SELECT concat('roll-up of visits: ', if(id = '', concat('journey with the key ', toString(key)), concat('journey ', id)), ' should come to ', stage, ' at ', toString(at), ' ',
              toString(want), ' times, comes ', toString(has)) AS difference
FROM
(
    SELECT key, stage, at, max(name) AS id, countIf(name != '') AS want, countIf(name = '') AS has
    FROM
    (
        SELECT sipHash64(journey_id) AS key, toString(to_stage) AS stage, at, journey_id AS name
        FROM ` + visitsOf + `
        UNION ALL
        SELECT journey_key, toString(stage), entered_at, '' FROM {{.DB}}.rollup_visits WHERE NOT passed_over
    )
    GROUP BY key, stage, at
    HAVING want != has
)`
