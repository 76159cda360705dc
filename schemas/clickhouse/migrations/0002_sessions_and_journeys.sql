-- Sessions and journeys are partitioned by the month of minted_at, the event time
-- of the touchpoint their id was minted from: started_at may move when a late
-- touchpoint comes, minted_at never does.
CREATE TABLE IF NOT EXISTS {{.DB}}.sessions
(
    session_id      String COMMENT 'Minted from the first-arrived touchpoint, never changes',
    identifier      String COMMENT 'Whose session, kind:value',
    status          LowCardinality(String) COMMENT 'open, closed or void (merged into another)',
    merged_into     String COMMENT 'void only: the session that holds its touchpoints now',
    started_at      DateTime64(3, 'UTC') COMMENT 'Event time of the first touchpoint',
    ended_at        DateTime64(3, 'UTC') COMMENT 'Event time of the last touchpoint',
    minted_at       DateTime64(3, 'UTC') COMMENT 'Event time of the touchpoint that gave the id',
    touchpoints     UInt64 COMMENT 'Customer touchpoints',
    channel         LowCardinality(String) COMMENT 'Channel of the first touchpoint',
    last_channel    LowCardinality(String) COMMENT 'Channel of the last touchpoint',
    source          LowCardinality(String) COMMENT 'Source of the first touchpoint',
    landing_page    String COMMENT 'Path of the first page',
    exit_page       String COMMENT 'Path of the last page',
    referrer        String COMMENT 'Referrer of the first touchpoint',
    campaign_source LowCardinality(String) COMMENT 'utm_source',
    campaign_medium LowCardinality(String) COMMENT 'utm_medium',
    campaign_name   LowCardinality(String) COMMENT 'utm_campaign',
    revenue_micros  Int64 COMMENT 'Millionths of one unit of currency',
    is_bot          Bool COMMENT 'A robot''s session',
    live            Bool COMMENT 'false: changed by a late or backfilled touchpoint',
    revision        UInt64 COMMENT 'epoch << 40 | counter; the highest row counts',
    inserted_at     DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the sink wrote it'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minted_at)
ORDER BY session_id
COMMENT 'Sessions: touchpoints of one identifier with no pause longer than the inactivity gap';

CREATE TABLE IF NOT EXISTS {{.DB}}.journeys
(
    journey_id     String COMMENT 'Minted from the first-arrived touchpoint, never changes',
    profile        String COMMENT 'Whose journey, kind:value',
    status         LowCardinality(String) COMMENT 'open, converted, lapsed or void (merged or moved)',
    merged_into    String COMMENT 'void only: the journey that holds its touchpoints now',
    started_at     DateTime64(3, 'UTC') COMMENT 'Event time of the first customer touchpoint',
    ended_at       DateTime64(3, 'UTC') COMMENT 'Event time of the last customer touchpoint',
    minted_at      DateTime64(3, 'UTC') COMMENT 'Event time of the touchpoint that gave the id',
    touchpoints    UInt64 COMMENT 'Customer touchpoints',
    sessions       UInt64 COMMENT 'Sessions it spans',
    revenue_micros Int64 COMMENT 'Millionths of one unit of currency',
    stage          LowCardinality(String) COMMENT 'Stage it is in, empty before the first',
    substage       LowCardinality(String) COMMENT 'Substage it is in',
    furthest_stage LowCardinality(String) COMMENT 'Furthest stage it reached',
    converted      Bool COMMENT 'The goal was reached',
    transitions    UInt64 COMMENT 'Number of transitions',
    model          LowCardinality(String) COMMENT 'Journey model that read it',
    approximate    Bool COMMENT 'Beyond a bound: not exact',
    live           Bool COMMENT 'false: changed by a late or backfilled touchpoint',
    revision       UInt64 COMMENT 'epoch << 40 | counter; the highest row counts',
    inserted_at    DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the sink wrote it'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minted_at)
ORDER BY journey_id
COMMENT 'Journeys: touchpoints of one profile with no pause longer than the journey gap';

-- A transition's time may move when a late touchpoint re-folds its journey, so
-- there is nothing immutable to partition by but the key itself.
CREATE TABLE IF NOT EXISTS {{.DB}}.transitions
(
    journey_id      String COMMENT 'The journey that moved',
    seq             UInt32 COMMENT 'Number of the transition in its journey, from 1',
    profile         String COMMENT 'Whose journey, kind:value',
    from_stage      LowCardinality(String) COMMENT 'Stage left, empty on the first',
    to_stage        LowCardinality(String) COMMENT 'Stage entered',
    direction       LowCardinality(String) COMMENT 'advance, return or within',
    substage        LowCardinality(String) COMMENT 'Substage entered',
    skipped         Array(String) COMMENT 'Stages passed over',
    at              DateTime64(3, 'UTC') COMMENT 'Event time of the touchpoint that caused it',
    dwell_ms        Nullable(Int64) COMMENT 'Time spent in from_stage; null on the first',
    touchpoint_id   String COMMENT 'message_id of the touchpoint that caused it',
    identifier      String COMMENT 'Identifier of that touchpoint',
    session_id      String COMMENT 'Session of that touchpoint',
    channel         LowCardinality(String) COMMENT 'Channel of that touchpoint',
    campaign_source LowCardinality(String) COMMENT 'utm_source',
    campaign_medium LowCardinality(String) COMMENT 'utm_medium',
    campaign_name   LowCardinality(String) COMMENT 'utm_campaign',
    status          LowCardinality(String) COMMENT 'void: withdrawn; empty otherwise',
    live            Bool COMMENT 'false: caused by a late or backfilled touchpoint',
    model           LowCardinality(String) COMMENT 'Journey model that read it',
    emitted_at      DateTime64(3, 'UTC') COMMENT 'When the profile step published it',
    revision        UInt64 COMMENT 'epoch << 40 | counter; the highest row counts',
    inserted_at     DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the sink wrote it'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (journey_id, seq)
COMMENT 'Stage transitions of journeys';
