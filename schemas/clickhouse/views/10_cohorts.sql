CREATE OR REPLACE VIEW {{.DB}}_bi.v_retention
(
    cohort_week     Date32 COMMENT 'Monday (UTC) of the week of the profile''s first touchpoint of its own',
    week            UInt8 COMMENT 'Weeks after that one, 0 to 52',
    cohort_profiles UInt64 COMMENT 'Unique profiles of the cohort, without robots',
    active_profiles UInt64 COMMENT 'Those with a touchpoint of their own in that week',
    retention       Float64 COMMENT 'active_profiles / cohort_profiles, 0 to 1',
    is_immature     Bool COMMENT 'The week is not over'
)
AS
SELECT
    c.cohort_week AS cohort_week, toUInt8(c.week) AS week, c.cohort_profiles AS cohort_profiles, a.active AS active_profiles,
    active_profiles / cohort_profiles AS retention,
    CAST(addWeeks(cohort_week, week + 1) > toDate32(now('UTC')) AS Bool) AS is_immature
FROM
(
    SELECT cohort_week, count() AS cohort_profiles,
        arrayJoin(range(least(53, 1 + greatest(0, dateDiff('week', cohort_week, toDate32(now('UTC'))))))) AS week
    FROM
    (
        SELECT profile_key, min(toDate32(toMonday(day))) AS cohort_week FROM {{.DB}}_api.touchpoints_read
        WHERE NOT is_bot AND actor = 'customer' GROUP BY profile_key
    )
    GROUP BY cohort_week
) AS c
LEFT JOIN
(
    SELECT cohort_week, week, count() AS active
    FROM
    (
        SELECT groupUniqArray(toDate32(toMonday(day))) AS weeks, arrayMin(weeks) AS cohort_week, dateDiff('week', cohort_week, arrayJoin(weeks)) AS week
        FROM {{.DB}}_api.touchpoints_read
        WHERE NOT is_bot AND actor = 'customer' GROUP BY profile_key
    )
    WHERE week <= 52
    GROUP BY cohort_week, week
) AS a ON a.cohort_week = c.cohort_week AND a.week = c.week
SETTINGS join_use_nulls = 0 -- a reader's own setting would turn unmatched rows into nulls
COMMENT 'How many come back, week by week after the first touchpoint';

CREATE OR REPLACE VIEW {{.DB}}_bi.v_cohort_ltv
(
    cohort_month    Date32 COMMENT 'First day (UTC) of the month of the profile''s first touchpoint of its own',
    month           UInt8 COMMENT 'Months after that one, 0 to 24',
    cohort_profiles UInt64 COMMENT 'Unique profiles of the cohort, without robots',
    revenue         Decimal(38, 6) COMMENT 'Of the cohort in that month, in units of the touchpoints'' currency (not converted)',
    revenue_to_date Decimal(38, 6) COMMENT 'Of the cohort up to the end of that month',
    ltv             Float64 COMMENT 'revenue_to_date / cohort_profiles: what a customer has been worth by then',
    is_immature     Bool COMMENT 'The month is not over'
)
AS
SELECT
    c.cohort_month AS cohort_month, toUInt8(c.month) AS month, c.cohort_profiles AS cohort_profiles, toDecimal128(r.earned, 6) AS revenue,
    sum(revenue) OVER (PARTITION BY cohort_month ORDER BY month) AS revenue_to_date,
    toFloat64(revenue_to_date) / cohort_profiles AS ltv,
    CAST(addMonths(cohort_month, month + 1) > toDate32(now('UTC')) AS Bool) AS is_immature
FROM
(
    SELECT cohort_month, count() AS cohort_profiles,
        arrayJoin(range(least(25, 1 + greatest(0, dateDiff('month', cohort_month, toDate32(now('UTC'))))))) AS month
    FROM
    (
        SELECT min(toDate32(toStartOfMonth(day))) AS cohort_month FROM {{.DB}}_api.touchpoints_read
        WHERE NOT is_bot AND actor = 'customer' GROUP BY profile_key
    )
    GROUP BY cohort_month
) AS c
LEFT JOIN
(
    SELECT f.cohort_month AS cohort_month, greatest(0, dateDiff('month', f.cohort_month, toDate32(toStartOfMonth(t.day)))) AS month, sum(t.revenue) AS earned
    FROM {{.DB}}_api.touchpoints_read AS t
    INNER JOIN
    (
        SELECT profile_key, min(toDate32(toStartOfMonth(day))) AS cohort_month FROM {{.DB}}_api.touchpoints_read
        WHERE NOT is_bot AND actor = 'customer' GROUP BY profile_key
    ) AS f ON f.profile_key = t.profile_key
    WHERE NOT t.is_bot AND t.revenue != 0
    GROUP BY cohort_month, month
) AS r ON r.cohort_month = c.cohort_month AND r.month = c.month
SETTINGS join_use_nulls = 0 -- a reader's own setting would turn unmatched rows into nulls
COMMENT 'What customers are worth, month by month after the first touchpoint';

-- A request is the first touchpoint of a customer on a channel since the business
-- last touched there; the answer is the business's next one on that channel. Of one
-- millisecond the customer's touchpoints come first.
CREATE OR REPLACE VIEW {{.DB}}_bi.v_response_latency
(
    channel       LowCardinality(String) COMMENT 'Channel on which the business acts, too',
    request_event String COMMENT 'Event of the request: the customer''s first touchpoint since the business''s last one',
    requests      UInt64 COMMENT 'How many, without robots',
    answered      UInt64 COMMENT 'Those that the business''s next touchpoint on the channel answered',
    unanswered    UInt64 COMMENT 'Those that nothing has followed yet',
    p50_seconds   Nullable(Float64) COMMENT 'Half of the answers took no longer; null: no answer',
    p90_seconds   Nullable(Float64) COMMENT 'Nine in ten took no longer; null: no answer',
    mean_seconds  Nullable(Float64) COMMENT 'Their mean; null: no answer',
    waiting_since Nullable(DateTime64(3, 'UTC')) COMMENT 'The oldest request without an answer; null: none'
)
AS
SELECT
    channel, request_event, count() AS requests, countIf(answered_at != never) AS answered, toUInt64(requests - answered) AS unanswered,
    if(answered = 0, NULL, quantileExactInclusiveIf(0.5)(seconds, answered_at != never)) AS p50_seconds,
    if(answered = 0, NULL, quantileExactInclusiveIf(0.9)(seconds, answered_at != never)) AS p90_seconds,
    if(answered = 0, NULL, avgIf(seconds, answered_at != never)) AS mean_seconds,
    if(unanswered = 0, NULL, minIf(asked_at, answered_at = never)) AS waiting_since
FROM
(
    SELECT r.channel AS channel, r.request_event AS request_event, r.asked_at AS asked_at, toDateTime64(0, 3, 'UTC') AS never, a.at AS answered_at,
        (toUnixTimestamp64Milli(answered_at) - toUnixTimestamp64Milli(asked_at)) / 1000 AS seconds
    FROM
    (
        SELECT t.profile_key AS profile_key, t.channel AS channel, min(t.event_time) AS asked_at, argMin(toString(t.event), (t.event_time, t.event)) AS request_event
        FROM
        (
            SELECT profile_key, channel, event_time, event FROM {{.DB}}_api.touchpoints_read
            WHERE NOT is_bot AND actor = 'customer' AND channel IN (SELECT DISTINCT channel FROM {{.DB}}.touchpoints WHERE actor = 'business')
        ) AS t
        ASOF LEFT JOIN (SELECT profile_key, channel, event_time AS at FROM {{.DB}}_api.touchpoints_read WHERE NOT is_bot AND actor = 'business') AS b
            ON b.profile_key = t.profile_key AND b.channel = t.channel AND b.at < t.event_time
        GROUP BY t.profile_key, t.channel, b.at
    ) AS r
    ASOF LEFT JOIN (SELECT profile_key, channel, event_time AS at FROM {{.DB}}_api.touchpoints_read WHERE NOT is_bot AND actor = 'business') AS a
        ON a.profile_key = r.profile_key AND a.channel = r.channel AND a.at >= r.asked_at
)
GROUP BY channel, request_event
SETTINGS join_use_nulls = 0 -- a reader's own setting would turn unmatched rows into nulls
COMMENT 'How long customers wait for an answer';
