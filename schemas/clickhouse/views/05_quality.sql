CREATE OR REPLACE VIEW {{.DB}}_bi.v_data_quality
(
    minute      DateTime('UTC') COMMENT 'Minute of arrival',
    source      String COMMENT 'Site, app or till',
    accepted    UInt64 COMMENT 'Raw records',
    touchpoints UInt64 COMMENT 'Became touchpoints',
    duplicates  UInt64 COMMENT 'Had been seen before',
    rejected    UInt64 COMMENT 'Could not be used',
    late        UInt64 COMMENT 'Beyond the lateness horizon',
    rekeyed     UInt64 COMMENT 'Were sent on to their right partition',
    erased      UInt64 COMMENT 'Of people who were forgotten: held back, or deleted since',
    difference  Int64 COMMENT 'accepted less all the others (rekeyed aside); anything but 0 is a loss or a double'
)
AS
SELECT
    q.minute AS minute,
    q.source AS source,
    sum(q.accepted) AS accepted,
    toUInt64(sum(q.touchpoints) - sum(q.forgotten_touchpoints)) AS touchpoints,
    sum(q.duplicates) AS duplicates,
    toUInt64(sum(q.rejected) - sum(q.forgotten_rejected)) AS rejected,
    toUInt64(sum(q.late) - sum(q.forgotten_late)) AS late,
    sum(q.rekeyed) AS rekeyed,
    sum(q.erased) + sum(q.forgotten_touchpoints) + sum(q.forgotten_late) + sum(q.forgotten_rejected) AS erased,
    toInt64(accepted) - toInt64(touchpoints) - toInt64(duplicates) - toInt64(rejected) - toInt64(late) - toInt64(erased) AS difference
FROM {{.DB}}.data_quality AS q FINAL
WHERE {{.InForce "device" "q.minute"}}
GROUP BY q.minute, q.source
COMMENT 'Accounting of the raw records: accepted = touchpoints + duplicates + rejected + late + erased';

CREATE OR REPLACE VIEW {{.DB}}_bi.v_rejected
(
    origin      String COMMENT 'topic/partition/offset of the record',
    reason      LowCardinality(String) COMMENT 'Short reason; sink_... are the sink''s own',
    error       String COMMENT 'The reason as a sentence',
    source      LowCardinality(String) COMMENT 'Site, app or till, where known',
    received_at DateTime64(3, 'UTC') COMMENT 'When it arrived',
    value_bytes UInt64 COMMENT 'Size of the record, which is kept whole in the table'
)
AS
SELECT origin, reason, error, source, received_at, length(value) AS value_bytes
FROM {{.DB}}.rejected FINAL
WHERE revision = 0 OR {{.InForce "device" "received_at"}}
COMMENT 'Records that could not be used, without their content';

CREATE OR REPLACE VIEW {{.DB}}_bi.v_late
(
    origin      String COMMENT 'topic/partition/offset of the raw record',
    reason      LowCardinality(String) COMMENT 'Why it is late',
    message_id  String COMMENT 'Unique together with identifier',
    identifier  String COMMENT 'Primary identifier, kind:value',
    type        LowCardinality(String) COMMENT 'track, page, screen, identify, group or alias',
    event       LowCardinality(String) COMMENT 'Event name in snake case',
    channel     LowCardinality(String) COMMENT 'How the customer and the business met',
    source      LowCardinality(String) COMMENT 'Site, app or till',
    event_time  DateTime64(3, 'UTC') COMMENT 'When it happened',
    received_at DateTime64(3, 'UTC') COMMENT 'When it arrived',
    epoch       UInt32 COMMENT 'Rebuild that made the row, 0: none'
)
AS
SELECT origin, reason, message_id, identifier, type, event, channel, source, event_time, received_at,
    toUInt32(bitShiftRight(revision, 40)) AS epoch
FROM {{.DB}}.late FINAL
WHERE {{.InForce "device" "received_at"}}
COMMENT 'Touchpoints beyond the lateness horizon';

-- Read without FINAL on purpose: a maximum does not care for doubles, and this
-- view is polled.
CREATE OR REPLACE VIEW {{.DB}}_bi.v_freshness
(
    table_name     String COMMENT 'Table of the warehouse',
    newest_at      DateTime64(3, 'UTC') COMMENT 'Newest time the rows speak of',
    newest_insert_at DateTime64(3, 'UTC') COMMENT 'When the newest row was written'
)
AS
SELECT 'touchpoints' AS table_name, max(received_at) AS newest_at, max(inserted_at) AS newest_insert_at FROM {{.DB}}.touchpoints
UNION ALL SELECT 'sessions', max(ended_at), max(inserted_at) FROM {{.DB}}.sessions
UNION ALL SELECT 'journeys', max(ended_at), max(inserted_at) FROM {{.DB}}.journeys
UNION ALL SELECT 'transitions', max(at), max(inserted_at) FROM {{.DB}}.transitions
UNION ALL SELECT 'frictions', max(at), max(inserted_at) FROM {{.DB}}.frictions
UNION ALL SELECT 'data_quality', toDateTime64(max(minute), 3, 'UTC'), max(inserted_at) FROM {{.DB}}.data_quality
UNION ALL SELECT 'rollup_touchpoints', max(event_time), max(refreshed_at) FROM {{.DB}}.rollup_touchpoints
UNION ALL SELECT 'rollup_journeys', max(ended_at), max(refreshed_at) FROM {{.DB}}.rollup_journeys
COMMENT 'How far each table is; 1970-01-01 while it is empty';
