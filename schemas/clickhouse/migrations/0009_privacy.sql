{{define "counts"}}
    ADD COLUMN IF NOT EXISTS erased UInt64 COMMENT 'Held back: their person had asked to be forgotten' AFTER rekeyed,
    ADD COLUMN IF NOT EXISTS forgotten_touchpoints UInt64 COMMENT 'Of touchpoints: were erased since' AFTER erased,
    ADD COLUMN IF NOT EXISTS forgotten_late UInt64 COMMENT 'Of late: were erased since' AFTER forgotten_touchpoints,
    ADD COLUMN IF NOT EXISTS forgotten_rejected UInt64 COMMENT 'Of rejected: were erased since' AFTER forgotten_late{{end -}}
-- What was counted and erased since is told apart, never taken off: totals only grow.
ALTER TABLE {{.DB}}.data_quality{{template "counts"}};
ALTER TABLE {{.DB}}_next.data_quality{{template "counts"}};

-- Who was forgotten, as keyed hashes: the table proves that a request was carried
-- out, to somebody who knows the identifier and the namespace's secret.
CREATE TABLE IF NOT EXISTS {{.DB}}.erasures
(
    erasure_id   String COMMENT 'Random id of the request',
    requested_at DateTime64(3, 'UTC') COMMENT 'When it was asked for',
    completed_at DateTime64(3, 'UTC') COMMENT 'When nothing was left in state, topics'' newest values and tables',
    until        DateTime64(3, 'UTC') COMMENT 'Latest event time that is erased; 2261: new events are held back, too',
    asked        Array(String) COMMENT 'HMAC-SHA256 of the identifiers that the request named',
    subjects     UInt64 COMMENT 'Identifiers and users that were found to be the person''s',
    rows         Map(LowCardinality(String), UInt64) COMMENT 'Erased rows by table'
)
ENGINE = ReplacingMergeTree(completed_at)
ORDER BY erasure_id
COMMENT 'Erasures that are complete, without personal data';
