package warehouse

import (
	"fmt"
	"strings"
	"text/template"
)

// verifyChecks lists the checks in the order of the report. Fields of the
// templates: DB, and the inactivity gaps, GapMillis and JourneyGapMillis.
func verifyChecks() []checkSQL {
	return []checkSQL{
		{"sessions", sessionsCounts, sessionsDifferences},
		{"session ids of touchpoints", sessionIDsCounts, sessionIDsDifferences},
		{"journeys", journeysCounts, journeysDifferences},
		{"accounting per minute and source", accountingCounts, accountingDifferences},
		{"accounting of rows", rowsCounts, rowsDifferences},
		{"transitions", transitionsCounts, transitionsDifferences},
		{"values of sessions", sessionValuesCounts, sessionValuesDifferences},
		{"values of journeys", journeyValuesCounts, journeyValuesDifferences},
		{"values of transitions", transitionValuesCounts, transitionValuesDifferences},
		{"frictions", frictionsCounts, frictionsDifferences},
		{"roll-ups of days", daysCounts, daysDifferences},
		{"roll-up of journeys", journeyRollUpCounts, journeyRollUpDifferences},
		{"roll-up of visits", visitsCounts, visitsDifferences},
	}
}

func (v verifier) render(text string) (string, error) {
	tmpl, err := template.New("verify").Option("missingkey=error").Parse(newestOnly(text))
	if err != nil {
		return "", fmt.Errorf("read query: %w", err)
	}
	var b strings.Builder
	err = tmpl.Execute(&b, struct {
		names
		GapMillis, JourneyGapMillis int64
	}{names{v.namespace}, v.options.Gap.Milliseconds(), v.options.JourneyGap.Milliseconds()})
	if err != nil {
		return "", fmt.Errorf("render query: %w", err)
	}
	return b.String(), nil
}

// newestOnly makes a check read what the newest rebuild has made, not what earlier
// ones left for the time before it: that was made by other rules, and what goes over
// the boundary is in parts.
func newestOnly(text string) string {
	const since = `(SELECT argMax(from_at, epoch) FROM {{.DB}}.epochs WHERE step = 'device')`
	for column, views := range map[string][]string{
		`epoch >= (SELECT max(epoch) FROM {{.DB}}.epochs WHERE step = 'device')`:  {"v_touchpoints", "v_sessions"},
		`epoch >= (SELECT max(epoch) FROM {{.DB}}.epochs WHERE step = 'profile')`: {"v_journeys", "v_transitions", "v_frictions"},
		`minute >= ` + since:      {"v_data_quality"},
		`received_at >= ` + since: {"v_rejected", "v_late"},
	} {
		for _, view := range views {
			view = "{{.DB}}_bi." + view
			text = strings.ReplaceAll(text, view, "(SELECT * FROM "+view+" WHERE "+column+")")
		}
	}
	return text
}

// computedSessions are the sessions by definition: an identifier's customer
// touchpoints in order; a pause longer than the gap begins another session. It
// reads the table, not v_touchpoints, whose joins say nothing about sessions.
const computedSessions = `
    SELECT identifier, min(event_time) AS started_at, max(event_time) AS ended_at, count() AS touchpoints
    FROM
    (
        SELECT identifier, event_time,
               sum(is_first) OVER (PARTITION BY identifier ORDER BY event_time, message_id ROWS UNBOUNDED PRECEDING) AS number
        FROM
        (
            SELECT identifier, event_time, message_id,
                   row_number() OVER w = 1
                   OR toUnixTimestamp64Milli(event_time) - toUnixTimestamp64Milli(lagInFrame(event_time) OVER w) > {{.GapMillis}} AS is_first
            FROM {{.DB}}.touchpoints FINAL
            WHERE actor != 'business'
              AND bitShiftRight(revision, 40) >= (SELECT max(epoch) FROM {{.DB}}.epochs WHERE step = 'device')
            WINDOW w AS (PARTITION BY identifier ORDER BY event_time, message_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
        )
    )
    GROUP BY identifier, number`

const sessionsCounts = `SELECT (SELECT count() FROM (` + computedSessions + `)), (SELECT count() FROM {{.DB}}_bi.v_sessions)`

// Both sides are gathered per identifier and start, so that a session that is
// there twice is a difference too.
const sessionsDifferences = `
SELECT concat('session of ', identifier, ' at ', toString(started_at), ': computed ', toString(computed), ', found ', toString(found)) AS difference
FROM
(
    WITH
        arraySort(groupArrayIf((ended_at, touchpoints), side = 'computed')) AS computed,
        arraySort(groupArrayIf((ended_at, touchpoints), side = 'found')) AS found
    SELECT identifier, started_at, computed, found
    FROM
    (
        SELECT 'computed' AS side, identifier, started_at, ended_at, touchpoints FROM (` + computedSessions + `)
        UNION ALL
        SELECT 'found', identifier, started_at, ended_at, touchpoints FROM {{.DB}}_bi.v_sessions
    )
    GROUP BY identifier, started_at
    HAVING computed != found
)`

const sessionIDsCounts = `
SELECT (SELECT count() FROM {{.DB}}_bi.v_sessions),
       (SELECT uniqExact(session_id) FROM {{.DB}}_bi.v_touchpoints WHERE actor != 'business')`

// Every customer touchpoint names, perhaps through a void session, the session
// that counts it.
const sessionIDsDifferences = `
SELECT concat('session ', session_id, ': ', toString(s.touchpoints), ' touchpoints of ', s.identifier,
              ' in the session, ', toString(t.touchpoints), ' of ', t.identifier, ' name it') AS difference
FROM (SELECT session_id, identifier, touchpoints FROM {{.DB}}_bi.v_sessions) AS s
FULL OUTER JOIN
(
    SELECT session_id, arrayStringConcat(arraySort(groupUniqArray(identifier)), ', ') AS identifier, count() AS touchpoints
    FROM {{.DB}}_bi.v_touchpoints WHERE actor != 'business' GROUP BY session_id
) AS t USING (session_id)
WHERE s.touchpoints != t.touchpoints OR s.identifier != t.identifier
SETTINGS join_use_nulls = 0`

const accountingCounts = `
SELECT sum(accepted), sum(touchpoints) + sum(duplicates) + sum(rejected) + sum(late) + sum(erased) FROM {{.DB}}_bi.v_data_quality`

const accountingDifferences = `
SELECT concat('minute ', toString(minute), ' of source ', source, ': accepted ', toString(accepted), ' = touchpoints ', toString(touchpoints),
              ' + duplicates ', toString(duplicates), ' + rejected ', toString(rejected), ' + late ', toString(late), ' + erased ', toString(erased),
              ' is off by ', toString(difference)) AS difference
FROM (SELECT minute, source, accepted, touchpoints, duplicates, rejected, late, erased, difference FROM {{.DB}}_bi.v_data_quality WHERE difference != 0)`

// accountedRows compares the counters with the rows they speak of. Records that
// the sink rejected, or another door than the raw topic, are not in the counters.
const accountedRows = `
    SELECT 'touchpoints' AS what,
           (SELECT sum(touchpoints) FROM {{.DB}}_bi.v_data_quality) AS expected,
           (SELECT count() FROM {{.DB}}.touchpoints FINAL
            WHERE bitShiftRight(revision, 40) >= (SELECT max(epoch) FROM {{.DB}}.epochs WHERE step = 'device')
              -- A replay reads a little of what the epoch before has counted.
              AND received_at >= (SELECT argMax(from_at, epoch) FROM {{.DB}}.epochs WHERE step = 'device')) AS found
    UNION ALL
    SELECT 'late', (SELECT sum(late) FROM {{.DB}}_bi.v_data_quality), (SELECT count() FROM {{.DB}}_bi.v_late)
    UNION ALL
    SELECT 'rejected', (SELECT sum(rejected) FROM {{.DB}}_bi.v_data_quality),
           (SELECT count() FROM {{.DB}}_bi.v_rejected WHERE startsWith(origin, '{{.DB}}.touchpoints.raw/'))`

const rowsCounts = `SELECT sum(expected), sum(found) FROM (` + accountedRows + `)`

const rowsDifferences = `
SELECT concat(what, ': ', toString(expected), ' counted, ', toString(found), ' rows') AS difference
FROM (` + accountedRows + `) WHERE expected != found`

const transitionsCounts = `
SELECT (SELECT sum(transitions) FROM {{.DB}}_bi.v_journeys), (SELECT count() FROM {{.DB}}_bi.v_transitions)`

// The invariants of a journey's transitions: numbered from 1 without holes, times
// ascend, each leaves the stage the one before entered, and there are as many as
// the journey says, whose stage is the last one entered.
const transitionsDifferences = `
SELECT concat('journey ', journey_id, ': ', problem) AS difference
FROM
(
    SELECT
        if(j.journey_id != '', j.journey_id, t.journey_id) AS journey_id,
        arrayJoin(arrayFilter(p -> p != '', [
            if(j.journey_id = '', 'has transitions and is no journey', ''),
            if(j.journey_id != '' AND j.transitions != length(t.steps),
               concat('says ', toString(j.transitions), ' transitions and has ', toString(length(t.steps))), ''),
            if(arrayMap(s -> s.1, t.steps) != arrayMap(i -> toUInt32(i), range(1, length(t.steps) + 1)),
               concat('transitions are numbered ', toString(arrayMap(s -> s.1, t.steps))), ''),
            if(arrayMap(s -> s.2, t.steps) != arrayPopBack(arrayPushFront(arrayMap(s -> s.3, t.steps), '')),
               concat('stages left and entered do not join: ', toString(arrayMap(s -> (s.2, s.3), t.steps))), ''),
            if(NOT arraySort(arrayMap(s -> s.4, t.steps)) = arrayMap(s -> s.4, t.steps),
               concat('times do not ascend: ', toString(arrayMap(s -> s.4, t.steps))), ''),
            if(j.journey_id != '' AND j.stage != if(empty(t.steps), '', t.steps[-1].3),
               concat('says stage ', j.stage, ' and entered ', if(empty(t.steps), 'none', t.steps[-1].3), ' last'), '')
        ])) AS problem
    FROM (SELECT journey_id, transitions, toString(stage) AS stage FROM {{.DB}}_bi.v_journeys) AS j
    FULL OUTER JOIN
    (
        SELECT journey_id, arraySort(groupArray((seq, toString(from_stage), toString(to_stage), at))) AS steps
        FROM {{.DB}}_bi.v_transitions GROUP BY journey_id
    ) AS t ON t.journey_id = j.journey_id
)
SETTINGS join_use_nulls = 0`
