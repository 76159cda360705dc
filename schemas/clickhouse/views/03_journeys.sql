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
    model            LowCardinality(String) COMMENT 'Journey model that read it'
)
AS
WITH (SELECT max(epoch) FROM {{.DB}}.epochs WHERE step = 'profile') AS profile_epoch
SELECT
    journey_id, profile, started_at, ended_at,
    (toUnixTimestamp64Milli(ended_at) - toUnixTimestamp64Milli(started_at)) / 1000 AS duration_seconds,
    status, stage, substage, furthest_stage, touchpoints, sessions, transitions,
    CAST(toDecimal128(revenue_micros, 6) / 1000000 AS Decimal(18, 6)) AS revenue,
    converted, approximate, live, model
FROM {{.DB}}.journeys FINAL
WHERE status != 'void' AND bitShiftRight(revision, 40) >= profile_epoch
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
    emitted_at      DateTime64(3, 'UTC') COMMENT 'When it was published'
)
AS
WITH (SELECT max(epoch) FROM {{.DB}}.epochs WHERE step = 'profile') AS profile_epoch
SELECT
    profile, journey_id, seq, from_stage, to_stage, direction, substage, skipped, at,
    dwell_ms / 1000 AS dwell_seconds,
    touchpoint_id, identifier, session_id, channel, campaign_source, campaign_medium, campaign_name, live, model, emitted_at
FROM {{.DB}}.transitions FINAL
WHERE status != 'void' AND bitShiftRight(revision, 40) >= profile_epoch
COMMENT 'Stage transitions of journeys, in force';
