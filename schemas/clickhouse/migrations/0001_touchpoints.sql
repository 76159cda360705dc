-- One row per accepted touchpoint.
--
-- Two rows are the same touchpoint when identifier and message_id are equal; the
-- sorting key is exactly that, so the highest revision wins wherever FINAL is
-- read. The partition is the month of event_time. It never changes for a row
-- while the first copy in touchpoints.raw stays the first copy: event time is
-- computed from that copy alone, and a replay, a zombie or a second import of the
-- same file computes the same. received_at would not do, since a retry carries
-- another. Only a rebuild by a program that computes event times differently
-- could put a row into another month; its rows carry a higher epoch, and the
-- views hide the lower ones. FINAL merges across partitions by default and must
-- be left to (do_not_merge_across_partitions_select_final = 0).
CREATE TABLE IF NOT EXISTS {{.DB}}.touchpoints
(
    message_id        String COMMENT 'Unique together with identifier',
    identifier        String COMMENT 'Primary identifier, kind:value',
    user_id           String COMMENT 'Bare user id the touchpoint itself carries, empty if none',
    owner             String COMMENT 'Profile it was sent to when it arrived; today''s answer is in v_touchpoints',
    other_identifiers Array(String) COMMENT 'Further identifiers it carries, kind:value',
    type              LowCardinality(String) COMMENT 'track, page, screen, identify, group or alias',
    event             LowCardinality(String) COMMENT 'Event name in snake case',
    event_time        DateTime64(3, 'UTC') COMMENT 'When it happened' CODEC(Delta, LZ4),
    received_at       DateTime64(3, 'UTC') COMMENT 'When it arrived' CODEC(Delta, LZ4),
    original_time     DateTime64(3, 'UTC') COMMENT 'Event time before correction; 1970-01-01 if nothing was corrected',
    flags             UInt32 COMMENT 'Bits: 1 bot, 2 asset, 4 clamped, 8 skewed, 16 backfill, 32 not live',
    channel           LowCardinality(String) COMMENT 'How the customer and the business met',
    actor             LowCardinality(String) COMMENT 'customer or business',
    source            LowCardinality(String) COMMENT 'Site, app or till that emitted it',
    session_id        String COMMENT 'Session when it arrived; merged ones are resolved in v_touchpoints',
    page_url          String COMMENT 'Full address of the page',
    page_path         String COMMENT 'Path of the page',
    page_title        String COMMENT 'Title of the page',
    referrer          String COMMENT 'Address of the page before',
    campaign_source   LowCardinality(String) COMMENT 'utm_source',
    campaign_medium   LowCardinality(String) COMMENT 'utm_medium',
    campaign_name     LowCardinality(String) COMMENT 'utm_campaign',
    campaign_term     LowCardinality(String) COMMENT 'utm_term',
    campaign_content  LowCardinality(String) COMMENT 'utm_content',
    user_agent        LowCardinality(String) COMMENT 'As the client sent it',
    ip                String COMMENT 'Truncated address',
    locale            LowCardinality(String) COMMENT 'Language tag',
    revenue_micros    Int64 COMMENT 'Millionths of one unit of currency',
    currency          LowCardinality(String) COMMENT 'ISO 4217',
    properties        String COMMENT 'JSON object, empty if none',
    traits            String COMMENT 'JSON object, empty if none',
    context           String COMMENT 'JSON object less what has a column here, empty if none',
    previous_id       String COMMENT 'alias only: the user id before',
    raw_partition     Int32 COMMENT 'Partition of touchpoints.raw',
    raw_offset        Int64 COMMENT 'Offset in that partition',
    revision          UInt64 COMMENT 'epoch << 40 | counter; the highest row counts',
    inserted_at       DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the sink wrote it' CODEC(Delta, LZ4)
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(event_time)
ORDER BY (identifier, message_id)
COMMENT 'Accepted touchpoints, one row each';

-- Touchpoints that came after their sessions and journeys were settled. The
-- origin is where the record stands in touchpoints.raw, so it never changes.
CREATE TABLE IF NOT EXISTS {{.DB}}.late
(
    origin            String COMMENT 'topic/partition/offset of the raw record',
    reason            LowCardinality(String) COMMENT 'Why it is late',
    message_id        String COMMENT 'As in touchpoints, like all that follow',
    identifier        String,
    user_id           String,
    owner             String,
    other_identifiers Array(String),
    type              LowCardinality(String),
    event             LowCardinality(String),
    event_time        DateTime64(3, 'UTC'),
    received_at       DateTime64(3, 'UTC'),
    original_time     DateTime64(3, 'UTC'),
    flags             UInt32,
    channel           LowCardinality(String),
    actor             LowCardinality(String),
    source            LowCardinality(String),
    session_id        String,
    page_url          String,
    page_path         String,
    page_title        String,
    referrer          String,
    campaign_source   LowCardinality(String),
    campaign_medium   LowCardinality(String),
    campaign_name     LowCardinality(String),
    campaign_term     LowCardinality(String),
    campaign_content  LowCardinality(String),
    user_agent        LowCardinality(String),
    ip                String,
    locale            LowCardinality(String),
    revenue_micros    Int64,
    currency          LowCardinality(String),
    properties        String,
    traits            String,
    context           String,
    previous_id       String,
    raw_partition     Int32,
    raw_offset        Int64,
    revision          UInt64,
    inserted_at       DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the sink wrote it'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY origin
COMMENT 'Touchpoints beyond the lateness horizon, kept whole and counted nowhere else';

-- Records that no step could use. A writer that knows no epochs leaves revision
-- at 0, and such a row is never hidden.
CREATE TABLE IF NOT EXISTS {{.DB}}.rejected
(
    origin      String COMMENT 'topic/partition/offset of the record',
    reason      LowCardinality(String) COMMENT 'Short reason; sink_... are the sink''s own',
    error       String COMMENT 'The reason as a sentence',
    source      LowCardinality(String) COMMENT 'Site, app or till, where known',
    received_at DateTime64(3, 'UTC') COMMENT 'When it arrived',
    record_key  String COMMENT 'Key of the record, unchanged bytes',
    value       String COMMENT 'The record, unchanged bytes',
    revision    UInt64 COMMENT 'epoch << 40 | counter; 0: no epoch known',
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the sink wrote it'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY origin
COMMENT 'Rejected records, kept whole so that they can be repaired and replayed';
