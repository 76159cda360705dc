CREATE TABLE IF NOT EXISTS {{.DB}}.identities
(
    identifier  String COMMENT 'kind:value',
    map         Array(Tuple(from_at DateTime64(3, 'UTC'), message_id String, user_id String))
                COMMENT 'Owners by time, oldest first; the first also owns all before it',
    epoch       UInt64 COMMENT 'Version of the map',
    frozen      Bool COMMENT 'Too many users: none of its links count',
    revision    UInt64 COMMENT 'epoch << 40 | counter; the highest row counts',
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the sink wrote it'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY identifier
COMMENT 'Which user an identifier belongs to, and since when';

-- Running totals: the highest revision of a key counts, never the sum of rows.
CREATE TABLE IF NOT EXISTS {{.DB}}.data_quality
(
    minute      DateTime('UTC') COMMENT 'Minute of arrival',
    source      String COMMENT 'Site, app or till',
    partition   Int32 COMMENT 'Partition of touchpoints.raw',
    accepted    UInt64 COMMENT 'Raw records, less copies',
    touchpoints UInt64 COMMENT 'Became touchpoints',
    duplicates  UInt64 COMMENT 'Had been seen before',
    rejected    UInt64 COMMENT 'Could not be used',
    late        UInt64 COMMENT 'Beyond the lateness horizon',
    rekeyed     UInt64 COMMENT 'Were sent on to their right partition',
    revision    UInt64 COMMENT 'epoch << 40 | counter; the highest row counts',
    inserted_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the sink wrote it'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, source, partition)
COMMENT 'What became of the raw records, per minute of arrival, source and partition';

CREATE TABLE IF NOT EXISTS {{.DB}}.epochs
(
    step         LowCardinality(String) COMMENT 'device or profile',
    epoch        UInt32 COMMENT 'Number of the rebuild',
    partition    Int32 COMMENT 'Partition that finished it',
    completed_at DateTime64(3, 'UTC') COMMENT 'When',
    inserted_at  DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the sink wrote it'
)
ENGINE = ReplacingMergeTree(completed_at)
ORDER BY (step, epoch, partition)
COMMENT 'Completed rebuilds: derived rows of a lower epoch are obsolete';

CREATE TABLE IF NOT EXISTS {{.DB}}.models
(
    model          String COMMENT 'Name of the journey model',
    session_gap_ms UInt64 COMMENT 'A longer pause splits sessions',
    journey_gap_ms UInt64 COMMENT 'A longer pause ends a journey',
    lateness_ms    UInt64 COMMENT 'Older arrivals are late',
    goal           String COMMENT 'Stage that converts a journey, empty if none',
    revision       UInt64 COMMENT 'The highest of all rows is the model in force'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY model
COMMENT 'Journey models; the row with the highest revision is in force';

CREATE TABLE IF NOT EXISTS {{.DB}}.stages
(
    model       String COMMENT 'Name of the journey model',
    stage       String COMMENT 'Name of the stage',
    stage_order UInt8 COMMENT 'Position in the model, from 1',
    substages   Array(String) COMMENT 'Substages in order',
    window_ms   UInt64 COMMENT 'Time a journey may stay before it counts as dropped off',
    revision    UInt64 COMMENT 'The highest of all rows is the model in force; stages of a lower one are gone'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (model, stage)
COMMENT 'Stages of the journey models; dim_stage has those in force';
