-- What the heavy views read once a namespace is large (views/06_rollups.sql). Each
-- refresh replaces a table whole, from final rows; nothing is ever added up from
-- updates. A key is sipHash64 of the id it stands for: half a million ids share one
-- with a chance of 1 in 10^8.
CREATE TABLE IF NOT EXISTS {{.DB}}.rollup_touchpoints
(
    day           Date32 COMMENT 'Day (UTC) of event_time',
    event_time    DateTime64(3, 'UTC') COMMENT 'When it happened' CODEC(Delta, LZ4),
    profile_key   UInt64 COMMENT 'sipHash64 of the profile',
    journey_key   UInt64 COMMENT 'sipHash64 of the journey_id, 0: none',
    session_key   UInt64 COMMENT 'sipHash64 of the session_id, 0: none',
    stage         LowCardinality(String) COMMENT 'Stage of the journey at that moment, empty before the first',
    stage_since   DateTime64(3, 'UTC') COMMENT 'When the journey made its last step up to then; 1970-01-01: none' CODEC(Delta, LZ4),
    persona       LowCardinality(String) COMMENT 'Of its journey, empty if none',
    channel       LowCardinality(String) COMMENT 'How the customer and the business met',
    channel_group LowCardinality(String) COMMENT 'Why the customer came, empty: nothing says',
    event         LowCardinality(String) COMMENT 'Event name, the type where there is none',
    actor         LowCardinality(String) COMMENT 'customer or business',
    is_bot        Bool COMMENT 'A robot''s touchpoint',
    revenue       Decimal(18, 6) COMMENT 'In units of its currency',
    sentiment     Nullable(Decimal(3, 2)) COMMENT 'Score, -2 to 2; null without evidence',
    frictions     UInt32 COMMENT 'Frictions it caused',
    content_type  LowCardinality(String) COMMENT 'properties.content_type in snake case, page for pages, empty: no content',
    content       String COMMENT 'Name of the content: properties.content_name, title or content_id, else the path of the page',
    refreshed_at  DateTime64(3, 'UTC') COMMENT 'When the table was made'
)
ENGINE = MergeTree
ORDER BY (day, profile_key, event_time)
COMMENT 'Roll-up: touchpoints of v_touchpoints with what the heavy views need of them';

CREATE TABLE IF NOT EXISTS {{.DB}}.rollup_journeys
(
    journey_key    UInt64 COMMENT 'sipHash64 of the journey_id',
    profile_key    UInt64 COMMENT 'sipHash64 of the profile',
    is_latest      Bool COMMENT 'The profile''s latest journey',
    is_bot         Bool COMMENT 'All touchpoints are a robot''s',
    persona        LowCardinality(String) COMMENT 'The profile''s at the last touchpoint, empty: none matches',
    started_at     DateTime64(3, 'UTC') COMMENT 'First customer touchpoint',
    ended_at       DateTime64(3, 'UTC') COMMENT 'Last customer touchpoint',
    furthest_stage LowCardinality(String) COMMENT 'Furthest stage it reached, empty: none',
    furthest_since DateTime64(3, 'UTC') COMMENT 'When it made its last step there',
    converted      Bool COMMENT 'The goal was reached',
    converted_at   DateTime64(3, 'UTC') COMMENT 'When it first entered the goal''s stage, else its end',
    revenue        Decimal(18, 6) COMMENT 'In units of the touchpoints'' currency',
    touches        Array(Tuple(at DateTime64(3, 'UTC'), channel_group String)) COMMENT 'Sessions in it in order, up to the conversion: begin and channel group, Direct if nothing says',
    stage_path     Array(String) COMMENT 'Stages in order, repeats collapsed, the first 11',
    channel_path   Array(String) COMMENT 'Channels of the customer''s touchpoints, likewise',
    event_path     Array(String) COMMENT 'Events of the customer''s touchpoints, likewise',
    next_event     String COMMENT 'Event of the customer''s first touchpoint after furthest_since, empty: none',
    next_channel   String COMMENT 'Its channel',
    next_at        DateTime64(3, 'UTC') COMMENT 'When; 1970-01-01: none',
    refreshed_at   DateTime64(3, 'UTC') COMMENT 'When the table was made'
)
ENGINE = MergeTree
ORDER BY (profile_key, started_at)
COMMENT 'Roll-up: journeys of v_journeys with their paths and the sessions that led to a conversion';

CREATE TABLE IF NOT EXISTS {{.DB}}.rollup_days
(
    day          Date32 COMMENT 'Day (UTC) of event_time',
    stage        LowCardinality(String) COMMENT 'Stage of the journey at that moment, empty before the first',
    channel      LowCardinality(String) COMMENT 'How the customer and the business met',
    profile_key  UInt64 COMMENT 'sipHash64 of the profile',
    is_bot       Bool COMMENT 'A robot''s touchpoints',
    touchpoints  UInt64 COMMENT 'How many',
    last_at      DateTime64(3, 'UTC') COMMENT 'The last of them',
    stage_since  DateTime64(3, 'UTC') COMMENT 'The latest step their journeys had made; 1970-01-01: none',
    refreshed_at DateTime64(3, 'UTC') COMMENT 'When the table was made'
)
ENGINE = MergeTree
ORDER BY (day, stage, channel, profile_key)
COMMENT 'Roll-up: touchpoints by day, stage, channel and profile';

CREATE TABLE IF NOT EXISTS {{.DB}}.rollup_visits
(
    day           Date32 COMMENT 'Day (UTC) of entered_at',
    stage         LowCardinality(String) COMMENT 'Stage that was entered or passed over',
    stage_order   UInt8 COMMENT 'Its position in the model',
    profile_key   UInt64 COMMENT 'sipHash64 of the profile',
    journey_key   UInt64 COMMENT 'sipHash64 of the journey_id',
    persona       LowCardinality(String) COMMENT 'The profile''s at the touchpoint that entered, empty: none matches',
    is_bot        Bool COMMENT 'A robot''s',
    passed_over   Bool COMMENT 'The journey skipped the stage',
    entered_at    DateTime64(3, 'UTC') COMMENT 'When it was entered or passed over',
    left_at       DateTime64(3, 'UTC') COMMENT 'When the journey went on or back; 1970-01-01: it has not',
    dwell_seconds Nullable(Float64) COMMENT 'Time in the stage, null until it is left',
    went_on       Bool COMMENT 'The journey reached a later stage then or afterwards',
    ended_at      DateTime64(3, 'UTC') COMMENT 'Last customer touchpoint of the journey',
    refreshed_at  DateTime64(3, 'UTC') COMMENT 'When the table was made'
)
ENGINE = MergeTree
ORDER BY (day, stage, profile_key)
COMMENT 'Roll-up: visits of journeys to stages';
