package warehouse

// computedJourneys are the journeys by definition: a profile's customer
// touchpoints in order, by the profile that the warehouse finds them to belong
// to today; a pause longer than the journey gap begins another journey. The
// stream found the profiles in another way, by handing touchpoints on.
const computedJourneys = `
    SELECT profile, min(event_time) AS started_at, max(event_time) AS ended_at, count() AS touchpoints
    FROM
    (
        SELECT profile, event_time,
               sum(is_first) OVER (PARTITION BY profile ORDER BY event_time, message_id, identifier ROWS UNBOUNDED PRECEDING) AS number
        FROM
        (
            SELECT profile, event_time, message_id, identifier,
                   row_number() OVER w = 1
                   OR toUnixTimestamp64Milli(event_time) - toUnixTimestamp64Milli(lagInFrame(event_time) OVER w) > {{.JourneyGapMillis}} AS is_first
            FROM {{.DB}}_bi.v_touchpoints
            WHERE actor != 'business'
            WINDOW w AS (PARTITION BY profile ORDER BY event_time, message_id, identifier ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
        )
    )
    GROUP BY profile, number`

const journeysCounts = `SELECT (SELECT count() FROM (` + computedJourneys + `)), (SELECT count() FROM {{.DB}}_bi.v_journeys)`

const journeysDifferences = `
SELECT concat('journey of ', profile, ' at ', toString(started_at), ': computed ', toString(computed), ', found ', toString(found)) AS difference
FROM
(
    WITH
        arraySort(groupArrayIf((ended_at, touchpoints), side = 'computed')) AS computed,
        arraySort(groupArrayIf((ended_at, touchpoints), side = 'found')) AS found
    SELECT profile, started_at, computed, found
    FROM
    (
        SELECT 'computed' AS side, profile, started_at, ended_at, touchpoints FROM (` + computedJourneys + `)
        UNION ALL
        SELECT 'found', profile, started_at, ended_at, touchpoints FROM {{.DB}}_bi.v_journeys
    )
    GROUP BY profile, started_at
    HAVING computed != found
)`
