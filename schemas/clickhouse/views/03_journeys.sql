CREATE OR REPLACE VIEW {{.DB}}_bi.v_journeys
(
    journey_id       String COMMENT 'Stable id',
    profile          String COMMENT 'Customer, kind:value',
    started_at       DateTime64(3, 'UTC') COMMENT 'First customer touchpoint',
    ended_at         DateTime64(3, 'UTC') COMMENT 'Last customer touchpoint',
    duration_seconds Float64 COMMENT 'From the first to the last touchpoint',
    status           LowCardinality(String) COMMENT 'open, converted or lapsed',
    stage            LowCardinality(String) COMMENT 'Stage it is in, empty before the first',
    substage         LowCardinality(String) COMMENT 'Substage it is in',
    furthest_stage   LowCardinality(String) COMMENT 'Furthest stage it reached',
    touchpoints      UInt64 COMMENT 'Customer touchpoints',
    sessions         UInt64 COMMENT 'Sessions it spans',
    transitions      UInt64 COMMENT 'Number of stage transitions',
    revenue          Decimal(18, 6) COMMENT 'In units of the touchpoints'' currency',
    converted        Bool COMMENT 'The goal was reached',
    approximate      Bool COMMENT 'Beyond a bound: not exact',
    live             Bool COMMENT 'false: changed by a late or backfilled touchpoint',
    model            LowCardinality(String) COMMENT 'Journey model that read it',
    business_touchpoints UInt64 COMMENT 'Touchpoints of the business',
    persona          LowCardinality(String) COMMENT 'The profile''s at the journey''s last touchpoint, empty: none matches',
    sentiment        Nullable(Float64) COMMENT 'Mean score, -2 to 2; null without evidence',
    sentiment_count  UInt64 COMMENT 'Scores that sentiment is the mean of',
    intent           Decimal(18, 3) COMMENT 'Points of intent, as of the last touchpoint',
    frictions        UInt64 COMMENT 'Frictions in it',
    epoch            UInt32 COMMENT 'Rebuild that made the row, 0: none'
)
AS
SELECT
    j.journey_id AS journey_id, j.profile AS profile, j.started_at AS started_at, j.ended_at AS ended_at,
    (toUnixTimestamp64Milli(j.ended_at) - toUnixTimestamp64Milli(j.started_at)) / 1000 AS duration_seconds,
    j.status AS status, j.stage AS stage, j.substage AS substage, j.furthest_stage AS furthest_stage,
    j.touchpoints AS touchpoints, j.sessions AS sessions, j.transitions AS transitions,
    CAST(toDecimal128(j.revenue_micros, 6) / 1000000 AS Decimal(18, 6)) AS revenue,
    j.converted AS converted, j.approximate AS approximate, j.live AS live, j.model AS model,
    j.business_touchpoints AS business_touchpoints, j.persona AS persona,
    if(j.sentiment_count = 0, NULL, j.sentiment_sum / (100 * j.sentiment_count)) AS sentiment,
    j.sentiment_count AS sentiment_count,
    CAST(toDecimal128(j.intent_millis, 3) / 1000 AS Decimal(18, 3)) AS intent,
    f.frictions AS frictions,
    toUInt32(bitShiftRight(j.revision, 40)) AS epoch
FROM {{.DB}}.journeys AS j FINAL
LEFT JOIN
(
    SELECT journey_id, count() AS frictions FROM {{.DB}}.frictions FINAL
    WHERE status != 'void' AND journey_id != ''
      AND {{.InForce "profile" "at"}}
    GROUP BY journey_id
) AS f ON f.journey_id = j.journey_id
WHERE j.status != 'void' AND {{.InForce "profile" "j.ended_at"}}
SETTINGS join_use_nulls = 0 -- a reader's own setting would turn unmatched rows into nulls
COMMENT 'Journeys: touchpoints of one profile with no pause longer than the journey gap';

CREATE OR REPLACE VIEW {{.DB}}_bi.v_transitions
(
    profile         String COMMENT 'Customer, kind:value',
    journey_id      String COMMENT 'The journey that moved',
    seq             UInt32 COMMENT 'Number of the transition in its journey, from 1',
    from_stage      LowCardinality(String) COMMENT 'Stage left, empty on the first',
    to_stage        LowCardinality(String) COMMENT 'Stage entered',
    direction       LowCardinality(String) COMMENT 'advance, return or within',
    substage        LowCardinality(String) COMMENT 'Substage entered',
    skipped         Array(String) COMMENT 'Stages passed over',
    at              DateTime64(3, 'UTC') COMMENT 'When it happened',
    dwell_seconds   Nullable(Float64) COMMENT 'Time spent in from_stage, null on the first',
    touchpoint_id   String COMMENT 'message_id of the touchpoint that caused it',
    identifier      String COMMENT 'Identifier of that touchpoint',
    session_id      String COMMENT 'Session of that touchpoint when it arrived',
    channel         LowCardinality(String) COMMENT 'Channel of that touchpoint',
    campaign_source LowCardinality(String) COMMENT 'utm_source',
    campaign_medium LowCardinality(String) COMMENT 'utm_medium',
    campaign_name   LowCardinality(String) COMMENT 'utm_campaign',
    live            Bool COMMENT 'false: caused by a late or backfilled touchpoint',
    model           LowCardinality(String) COMMENT 'Journey model that read it',
    emitted_at      DateTime64(3, 'UTC') COMMENT 'When it was published',
    sentiment       Nullable(Decimal(3, 2)) COMMENT 'Mean score of the journey up to then, -2 to 2; null without evidence',
    persona         LowCardinality(String) COMMENT 'The profile''s at that touchpoint, empty: none matches',
    epoch           UInt32 COMMENT 'Rebuild that made the row, 0: none'
)
AS
SELECT
    profile, journey_id, seq, from_stage, to_stage, direction, substage, skipped, at,
    dwell_ms / 1000 AS dwell_seconds,
    touchpoint_id, identifier, session_id, channel, campaign_source, campaign_medium, campaign_name, live, model, emitted_at,
    CAST(toDecimal32(sentiment, 2) / 100 AS Nullable(Decimal(3, 2))) AS sentiment,
    persona,
    toUInt32(bitShiftRight(revision, 40)) AS epoch
FROM {{.DB}}.transitions FINAL
WHERE status != 'void' AND {{.InForce "profile" "at"}}
COMMENT 'Stage transitions of journeys, in force';
