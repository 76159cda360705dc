CREATE OR REPLACE VIEW {{.DB}}_bi.v_content_engagement
(
    content_type       LowCardinality(String) COMMENT 'properties.content_type in snake case; page: a page or screen without one',
    content            String COMMENT 'properties.content_name, title or content_id, else the path of the page',
    touchpoints        UInt64 COMMENT 'Touchpoints of customers with it, without robots',
    profiles           UInt64 COMMENT 'Unique profiles',
    sessions           UInt64 COMMENT 'Unique sessions',
    sentiment          Nullable(Float64) COMMENT 'Mean score of these touchpoints, -2 to 2; null without evidence',
    sentiment_count    UInt64 COMMENT 'Scores that it is the mean of',
    converted_profiles UInt64 COMMENT 'Unique profiles whose journey converted at or after such a touchpoint',
    conversion         Float64 COMMENT 'converted_profiles / profiles, 0 to 1; an association, not a proof'
)
AS
SELECT
    t.content_type AS content_type, t.content AS content, count() AS touchpoints, uniqExact(t.profile_key) AS profiles, uniqExactIf(t.session_key, t.session_key != 0) AS sessions,
    if(sentiment_count = 0, NULL, toFloat64(sum(t.sentiment)) / sentiment_count) AS sentiment, count(t.sentiment) AS sentiment_count,
    uniqExactIf(t.profile_key, j.journey_key != 0 AND t.event_time <= j.converted_at) AS converted_profiles,
    converted_profiles / profiles AS conversion
FROM {{.DB}}_api.touchpoints_read AS t
LEFT JOIN (SELECT journey_key, converted_at FROM {{.DB}}_api.journeys_read WHERE converted AND journey_key != 0) AS j ON j.journey_key = t.journey_key
WHERE NOT t.is_bot AND t.actor = 'customer' AND t.content != ''
GROUP BY content_type, content
SETTINGS join_use_nulls = 0 -- a reader's own setting would turn unmatched rows into nulls
COMMENT 'Which content customers engage with, and what goes with it';

CREATE OR REPLACE VIEW {{.DB}}_bi.v_lead_intent
(
    profile         String COMMENT 'Customer, kind:value',
    journey_id      String COMMENT 'Its open journey',
    stage           LowCardinality(String) COMMENT 'Stage it is in, empty before the first',
    substage        LowCardinality(String) COMMENT 'Substage it is in',
    persona         LowCardinality(String) COMMENT 'The profile''s at the last touchpoint, empty: none matches',
    intent          Decimal(18, 3) COMMENT 'Points of intent, as of the last touchpoint',
    intent_rank     UInt64 COMMENT '1: the highest intent of all open journeys; equals share a rank',
    touchpoints     UInt64 COMMENT 'Customer touchpoints',
    started_at      DateTime64(3, 'UTC') COMMENT 'First customer touchpoint',
    last_at         DateTime64(3, 'UTC') COMMENT 'Last customer touchpoint',
    silent_seconds  Float64 COMMENT 'Time since then',
    sentiment       Nullable(Float64) COMMENT 'Mean score, -2 to 2; null without evidence',
    frictions       UInt64 COMMENT 'Frictions in it'
)
AS
SELECT
    profile, journey_id, stage, substage, persona, intent, rank() OVER (ORDER BY intent DESC) AS intent_rank, touchpoints, started_at, ended_at AS last_at,
    (toUnixTimestamp64Milli(now64(3)) - toUnixTimestamp64Milli(ended_at)) / 1000 AS silent_seconds, sentiment, frictions
FROM {{.DB}}_bi.v_journeys
WHERE status = 'open'
COMMENT 'Open journeys by intent: whom to talk to first';

CREATE OR REPLACE VIEW {{.DB}}_bi.v_profiles
(
    profile            String COMMENT 'Customer, kind:value',
    first_at           DateTime64(3, 'UTC') COMMENT 'First customer touchpoint of its first journey',
    last_at            DateTime64(3, 'UTC') COMMENT 'Last customer touchpoint',
    journeys           UInt64 COMMENT 'How many',
    converted_journeys UInt64 COMMENT 'Those that reached the goal',
    touchpoints        UInt64 COMMENT 'Customer touchpoints',
    sessions           UInt64 COMMENT 'Sessions of its journeys',
    frictions          UInt64 COMMENT 'Frictions of its journeys',
    revenue            Decimal(38, 6) COMMENT 'In units of the touchpoints'' currency',
    status             String COMMENT 'Of the latest journey: open, converted or lapsed',
    stage              String COMMENT 'Of the latest journey, empty before the first stage',
    persona            String COMMENT 'Of the latest journey, empty: none matches',
    intent             Decimal(18, 3) COMMENT 'Points of the latest journey, as of its last touchpoint',
    sentiment          Nullable(Float64) COMMENT 'Mean score of all journeys, -2 to 2; null without evidence',
    sentiment_count    UInt64 COMMENT 'Scores that it is the mean of'
)
AS
SELECT
    j.profile AS profile, min(j.started_at) AS first_at, max(j.ended_at) AS last_at, count() AS journeys, countIf(j.converted) AS converted_journeys,
    sum(j.touchpoints) AS touchpoints, sum(j.sessions) AS sessions, sum(j.frictions) AS frictions, sum(j.revenue) AS revenue,
    argMax(j.status, j.started_at) AS status, argMax(j.stage, j.started_at) AS stage, argMax(j.persona, j.started_at) AS persona, argMax(j.intent, j.started_at) AS intent,
    if(sentiment_count = 0, NULL, sum(ifNull(j.sentiment, 0) * j.sentiment_count) / sentiment_count) AS sentiment, sum(j.sentiment_count) AS sentiment_count
FROM {{.DB}}_bi.v_journeys AS j
GROUP BY j.profile
COMMENT 'Customers with their journeys summed up';

CREATE OR REPLACE VIEW {{.DB}}_bi.dim_channel
(
    channel     LowCardinality(String) COMMENT 'How the customer and the business met',
    first_at    DateTime64(3, 'UTC') COMMENT 'First touchpoint on it',
    last_at     DateTime64(3, 'UTC') COMMENT 'Last touchpoint on it',
    has_replies Bool COMMENT 'The business acts on it, too'
)
AS SELECT channel, min(event_time) AS first_at, max(event_time) AS last_at, CAST(max(actor = 'business') AS Bool) AS has_replies
FROM {{.DB}}_api.touchpoints_read
GROUP BY channel
COMMENT 'Channels that have touchpoints';

CREATE OR REPLACE VIEW {{.DB}}_bi.dim_persona
(
    persona  LowCardinality(String) COMMENT 'Name in the model, empty: none matches; join by it',
    label    String COMMENT 'The same to show: (none) where it is empty',
    profiles UInt64 COMMENT 'Unique profiles with a journey of that persona'
)
AS SELECT persona, if(persona = '', '(none)', persona) AS label, uniqExact(profile) AS profiles
FROM {{.DB}}_bi.v_journeys
GROUP BY persona
COMMENT 'Personas that journeys have';
