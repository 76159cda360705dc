-- Rows from before have what a new column has by default: no sentiment, no device,
-- no persona, and 0 of what was not counted then. A rebuild writes them anew.
--
-- Scores are hundredths, -200 to 200, as the stream has them: sums of whole
-- numbers do not depend on their order. A touchpoint's score says nothing without
-- a source; the views show null then, and numbers from -2 to 2.
ALTER TABLE {{.DB}}.touchpoints
    ADD COLUMN IF NOT EXISTS sentiment Int16 COMMENT 'Score in hundredths, -200 to 200; means nothing without a source',
    ADD COLUMN IF NOT EXISTS sentiment_source LowCardinality(String) COMMENT 'nps, csat, ces, stars, text or signal; empty: no evidence',
    ADD COLUMN IF NOT EXISTS device LowCardinality(String) COMMENT 'desktop, mobile, tablet, tv, bot or other; empty without a user agent';

ALTER TABLE {{.DB}}.late
    ADD COLUMN IF NOT EXISTS sentiment Int16,
    ADD COLUMN IF NOT EXISTS sentiment_source LowCardinality(String),
    ADD COLUMN IF NOT EXISTS device LowCardinality(String);

ALTER TABLE {{.DB}}.sessions
    ADD COLUMN IF NOT EXISTS device LowCardinality(String) COMMENT 'Device of the first touchpoint',
    ADD COLUMN IF NOT EXISTS pages UInt64 COMMENT 'Pages and screens, not what they load',
    ADD COLUMN IF NOT EXISTS event_counts Map(LowCardinality(String), UInt64) COMMENT 'Touchpoints per event that the model mentions, and of all other events as other',
    ADD COLUMN IF NOT EXISTS sentiment_sum Int64 COMMENT 'Sum of the scores, in hundredths',
    ADD COLUMN IF NOT EXISTS sentiment_count UInt64 COMMENT 'Number of scores',
    ADD COLUMN IF NOT EXISTS oversized Bool COMMENT 'Beyond the bound on remembered messages: copies may have been counted';

ALTER TABLE {{.DB}}.journeys
    ADD COLUMN IF NOT EXISTS business_touchpoints UInt64 COMMENT 'Touchpoints of the business',
    ADD COLUMN IF NOT EXISTS persona LowCardinality(String) COMMENT 'The profile''s at the last touchpoint, empty: none matches',
    ADD COLUMN IF NOT EXISTS sentiment_sum Int64 COMMENT 'Sum of the scores, in hundredths, the business''s touchpoints included',
    ADD COLUMN IF NOT EXISTS sentiment_count UInt64 COMMENT 'Number of scores',
    ADD COLUMN IF NOT EXISTS intent_millis Int64 COMMENT 'Points in thousandths, as of the last touchpoint';

ALTER TABLE {{.DB}}.transitions
    ADD COLUMN IF NOT EXISTS sentiment Nullable(Int16) COMMENT 'Mean score of the journey up to the touchpoint, in hundredths; null without evidence',
    ADD COLUMN IF NOT EXISTS persona LowCardinality(String) COMMENT 'The profile''s at the touchpoint, empty: none matches';

-- One row per pattern and touchpoint of a profile. As with transitions there is
-- nothing to partition by: a row that withdraws another need not tell its time,
-- and the time of an absence follows the model. Frictions are few beside
-- touchpoints, and the views read them whole, so there is no skipping index
-- either: under FINAL one could hide the row that withdraws another.
CREATE TABLE IF NOT EXISTS {{.DB}}.frictions
(
    friction_id   String COMMENT 'Made from profile, pattern and touchpoint, never changes',
    profile       String COMMENT 'Whose friction, kind:value',
    journey_id    String COMMENT 'The journey that the touchpoint is in, empty if none',
    name          LowCardinality(String) COMMENT 'Name of the pattern in the model',
    kind          LowCardinality(String) COMMENT 'event, repetition or absence',
    severity      UInt8 COMMENT '1 (a nuisance) to 5',
    stage         LowCardinality(String) COMMENT 'Where the journey stood after the touchpoint, empty before the first',
    substage      LowCardinality(String) COMMENT 'Likewise',
    at            DateTime64(3, 'UTC') COMMENT 'When it struck: an absence when its time had run out, all others at their touchpoint',
    touchpoint_id String COMMENT 'message_id of the touchpoint that caused it; of an absence the one that nothing followed',
    identifier    String COMMENT 'Identifier of that touchpoint',
    session_id    String COMMENT 'Session of that touchpoint when it arrived',
    channel       LowCardinality(String) COMMENT 'Channel of that touchpoint',
    persona       LowCardinality(String) COMMENT 'The profile''s at the touchpoint, empty: none matches',
    status        LowCardinality(String) COMMENT 'void: withdrawn; empty otherwise',
    live          Bool COMMENT 'false: caused by a late or backfilled touchpoint',
    model         LowCardinality(String) COMMENT 'Journey model that found it',
    emitted_at    DateTime64(3, 'UTC') COMMENT 'When the profile step published it',
    revision      UInt64 COMMENT 'epoch << 40 | counter; the highest row counts',
    inserted_at   DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When the sink wrote it'
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY friction_id
COMMENT 'Friction: trouble that customers had';
