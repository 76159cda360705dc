package warehouse

// What sessions, journeys and transitions say of their touchpoints, beyond where
// they begin and end. Rows that are flagged as inexact are left out: sessions that
// are oversized, journeys that are approximate.

// computedSessionValues are the values of sessions by definition, from the table
// touchpoints: the joins of v_touchpoints say nothing about them. What a page
// loads is counted among the events, and is no page and no evidence; a touchpoint
// without an event, as identify, is counted among none.
const computedSessionValues = `
    SELECT session_id, sum(pages) AS pages, sum(score) AS score, sum(scores) AS scores, sumIf(n, event != '') AS happened,
           mapFromArrays(groupArray(event), groupArray(n)) AS events
    FROM
    (
        SELECT if(v.merged_into != '', v.merged_into, p.session_id) AS session_id, toString(p.event) AS event,
               toInt64(count()) AS n,
               countIf(p.type IN ('page', 'screen') AND NOT bitTest(p.flags, 1)) AS pages,
               sumIf(toInt64(p.sentiment), p.sentiment_source != '' AND NOT bitTest(p.flags, 1)) AS score,
               countIf(p.sentiment_source != '' AND NOT bitTest(p.flags, 1)) AS scores
        FROM
        (
            SELECT session_id, event, type, flags, sentiment, sentiment_source FROM {{.DB}}.touchpoints FINAL
            WHERE actor != 'business'
              AND bitShiftRight(revision, 40) >= (SELECT max(epoch) FROM {{.DB}}.epochs WHERE step = 'device')
        ) AS p
        LEFT JOIN
        (
            SELECT session_id AS void_id, merged_into FROM {{.DB}}.sessions FINAL
            WHERE status = 'void'
              AND bitShiftRight(revision, 40) >= (SELECT max(epoch) FROM {{.DB}}.epochs WHERE step = 'device')
        ) AS v ON v.void_id = p.session_id
        GROUP BY session_id, event
    )
    GROUP BY session_id`

const foundSessionValues = `
    SELECT session_id, pages, event_counts, sentiment_sum, sentiment_count FROM {{.DB}}.sessions FINAL
    WHERE status != 'void' AND NOT oversized
      AND bitShiftRight(revision, 40) >= (SELECT max(epoch) FROM {{.DB}}.epochs WHERE step = 'device')`

const sessionValuesCounts = `
SELECT (SELECT toUInt64(sum(t.happened)) FROM (` + computedSessionValues + `) AS t WHERE t.session_id IN (SELECT session_id FROM (` + foundSessionValues + `))),
       (SELECT sum(arraySum(mapValues(event_counts))) FROM (` + foundSessionValues + `))
SETTINGS join_use_nulls = 0`

// The model is not known here: an event that a session counts by its name must be
// counted whole, and all that it does not name are others. Sessions that are
// missing are told by the other checks.
const sessionValuesDifferences = `
SELECT concat('session ', session_id, ' ', problem) AS difference
FROM
(
    WITH
        arrayFilter(e -> e != 'other', mapKeys(s.event_counts)) AS named,
        arrayMap(e -> (toString(e), t.events[e]), named) AS by_name,
        arraySort(arrayFilter(e -> e.2 != 0, arrayPushBack(by_name, ('other', t.happened - arraySum(e -> e.2, by_name))))) AS computed,
        arraySort(arrayFilter(e -> e.2 != 0, arrayMap((e, n) -> (toString(e), toInt64(n)), mapKeys(s.event_counts), mapValues(s.event_counts)))) AS found
    SELECT s.session_id AS session_id, arrayJoin(arrayFilter(p -> p != '', [
        if(s.pages != t.pages, concat('says ', toString(s.pages), ' pages and has ', toString(t.pages)), ''),
        if(found != computed, concat('says events ', toString(found), ' and has ', toString(computed)), ''),
        if(s.sentiment_sum != t.score OR s.sentiment_count != t.scores,
           concat('says ', toString(s.sentiment_count), ' scores of ', toString(s.sentiment_sum), ' hundredths and has ', toString(t.scores), ' of ', toString(t.score)), '')
    ])) AS problem
    FROM (` + foundSessionValues + `) AS s
    INNER JOIN (` + computedSessionValues + `) AS t ON t.session_id = s.session_id
)
SETTINGS join_use_nulls = 0`

// scoredTouchpoints are the touchpoints of journeys with their evidence.
const scoredTouchpoints = `
    SELECT journey_id, message_id, identifier, event_time, actor = 'business' AS is_business,
           sentiment_source != '' AND NOT is_asset AS is_scored,
           if(is_scored, toInt64(ifNull(sentiment, 0) * 100), 0) AS score
    FROM {{.DB}}_bi.v_touchpoints WHERE journey_id != ''`

const foundJourneyValues = `
    SELECT journey_id, touchpoints, business_touchpoints, sentiment_sum, sentiment_count FROM {{.DB}}.journeys FINAL
    WHERE status != 'void' AND NOT approximate
      AND bitShiftRight(revision, 40) >= (SELECT max(epoch) FROM {{.DB}}.epochs WHERE step = 'profile')`

const journeyValuesCounts = `
SELECT (SELECT count() FROM (` + scoredTouchpoints + `) WHERE journey_id IN (SELECT journey_id FROM (` + foundJourneyValues + `))),
       (SELECT sum(touchpoints + business_touchpoints) FROM (` + foundJourneyValues + `))`

const journeyValuesDifferences = `
SELECT concat('journey ', journey_id, ' ', problem) AS difference
FROM
(
    SELECT j.journey_id AS journey_id, arrayJoin(arrayFilter(p -> p != '', [
        if(j.business_touchpoints != t.business,
           concat('says ', toString(j.business_touchpoints), ' touchpoints of the business and has ', toString(t.business)), ''),
        if(j.sentiment_sum != t.score OR j.sentiment_count != t.scores,
           concat('says ', toString(j.sentiment_count), ' scores of ', toString(j.sentiment_sum), ' hundredths and has ', toString(t.scores), ' of ', toString(t.score)), '')
    ])) AS problem
    FROM (` + foundJourneyValues + `) AS j
    LEFT JOIN
    (
        SELECT journey_id, countIf(is_business) AS business, countIf(is_scored) AS scores, sum(s.score) AS score
        FROM (` + scoredTouchpoints + `) AS s GROUP BY journey_id
    ) AS t ON t.journey_id = j.journey_id
)
SETTINGS join_use_nulls = 0`

const transitionValuesCounts = `
SELECT (SELECT count() FROM {{.DB}}_bi.v_transitions),
       (SELECT count() FROM {{.DB}}_bi.v_transitions
        WHERE (journey_id, touchpoint_id, identifier) IN (SELECT journey_id, message_id, identifier FROM {{.DB}}_bi.v_touchpoints))`

// A transition is caused by a touchpoint of its journey, at its time, and says the
// mean of the evidence up to it, rounded half away from zero.
const transitionValuesDifferences = `
SELECT concat('journey ', journey_id, ', transition ', toString(seq), ' ', problem) AS difference
FROM
(
    WITH
        toInt64(t.sentiment * 100) AS found,
        if(p.scores = 0, NULL, intDiv(p.score + if(p.score < 0, -1, 1) * intDiv(p.scores, 2), p.scores)) AS computed
    SELECT t.journey_id AS journey_id, t.seq AS seq, arrayJoin(arrayFilter(x -> x != '', [
        if(p.journey_id = '', concat('is caused by touchpoint ', t.touchpoint_id, ' of ', t.identifier, ', which is not in the journey'), ''),
        if(p.journey_id != '' AND p.event_time != t.at, concat('is at ', toString(t.at), ' and its touchpoint at ', toString(p.event_time)), ''),
        if(p.journey_id != '' AND found IS DISTINCT FROM computed,
           concat('says sentiment ', ifNull(toString(found), 'none'), ' in hundredths and the evidence is ', ifNull(toString(computed), 'none')), '')
    ])) AS problem
    FROM
    (
        SELECT journey_id, seq, at, touchpoint_id, identifier, sentiment FROM {{.DB}}_bi.v_transitions
        WHERE journey_id IN (SELECT journey_id FROM (` + foundJourneyValues + `))
    ) AS t
    LEFT JOIN
    (
        SELECT journey_id, message_id, identifier, event_time, sum(s.score) OVER w AS score, toInt64(sum(is_scored) OVER w) AS scores
        FROM (` + scoredTouchpoints + `) AS s
        WINDOW w AS (PARTITION BY journey_id ORDER BY event_time, message_id, identifier ROWS UNBOUNDED PRECEDING)
    ) AS p ON p.journey_id = t.journey_id AND p.message_id = t.touchpoint_id AND p.identifier = t.identifier
)
SETTINGS join_use_nulls = 0`
