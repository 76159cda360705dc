CREATE OR REPLACE VIEW {{.DB}}_bi.v_time_in_stage
(
    stage        String COMMENT 'Stage of the journey model',
    stage_order  UInt8 COMMENT 'Position of the stage in the model; sort by it',
    visits       UInt64 COMMENT 'Times that journeys entered the stage, without robots; being passed over is no visit',
    visits_ended UInt64 COMMENT 'Those that ended by going on or back',
    p50_seconds  Nullable(Float64) COMMENT 'Half of the visits that ended took no longer; null: none has ended',
    p90_seconds  Nullable(Float64) COMMENT 'Nine in ten took no longer; null: none has ended',
    mean_seconds Nullable(Float64) COMMENT 'Their mean; null: none has ended'
)
AS
SELECT
    s.stage AS stage, s.stage_order AS stage_order, v.visits AS visits, length(v.seconds) AS visits_ended,
    if(visits_ended = 0, NULL, arrayReduce('quantileExactInclusive(0.5)', v.seconds)) AS p50_seconds,
    if(visits_ended = 0, NULL, arrayReduce('quantileExactInclusive(0.9)', v.seconds)) AS p90_seconds,
    if(visits_ended = 0, NULL, arrayAvg(v.seconds)) AS mean_seconds
FROM {{.DB}}_bi.dim_stage AS s
LEFT JOIN
(
    SELECT stage, count() AS visits, groupArrayIf(assumeNotNull(dwell_seconds), dwell_seconds IS NOT NULL) AS seconds
    FROM {{.DB}}_api.visits_read
    WHERE NOT is_bot AND NOT passed_over
    GROUP BY stage
) AS v ON v.stage = s.stage
SETTINGS join_use_nulls = 0 -- a reader's own setting would turn unmatched rows into nulls
COMMENT 'How long journeys stay in each stage';

-- Where a journey stands with the stage it got furthest to: it went on from all
-- stages before that one. There it is still open as long as it lives and the
-- stage's window is open, and has dropped off afterwards. furthest_order is 0 before
-- the first stage.
CREATE OR REPLACE VIEW {{.DB}}_api.journey_standings AS
WITH
  (SELECT argMax(journey_gap_ms, revision) FROM {{.DB}}.models) AS gap_ms,
  (SELECT groupArray(stage) FROM {{.DB}}_bi.dim_stage) AS names,
  (SELECT groupArray(toUInt8(stage_order)) FROM {{.DB}}_bi.dim_stage) AS orders,
  (SELECT groupArray(toInt64(window_seconds * 1000)) FROM {{.DB}}_bi.dim_stage) AS spans,
  toUnixTimestamp64Milli(now64(3)) AS now_ms
SELECT
    journey_key, profile_key, is_latest, persona, started_at, converted, revenue, furthest_stage,
    transform(CAST(furthest_stage AS String), names, orders, toUInt8(0)) AS furthest_order,
    CAST(furthest_order = length(names) AS Bool) AS arrived,
    CAST(NOT arrived AND now_ms <= toUnixTimestamp64Milli(ended_at) + gap_ms
        AND (spans[furthest_order] = 0 OR now_ms <= toUnixTimestamp64Milli(furthest_since) + spans[furthest_order]) AS Bool) AS still_open,
    furthest_since, next_event, next_channel, next_at
FROM {{.DB}}_api.journeys_read
WHERE NOT is_bot;

CREATE OR REPLACE VIEW {{.DB}}_bi.v_next_after_dropoff
(
    stage        LowCardinality(String) COMMENT 'Stage in which the profile''s latest journey dropped off',
    stage_order  UInt8 COMMENT 'Position of the stage in the model; sort by it',
    next_event   String COMMENT 'Event of the customer''s first touchpoint after the last step there; (none): nothing followed',
    next_channel String COMMENT 'Its channel; (none): nothing followed',
    profiles     UInt64 COMMENT 'Unique profiles, without robots; each is in one row, so they sum to all that dropped off',
    share        Float64 COMMENT 'profiles / all that dropped off in the stage, 0 to 1',
    p50_seconds  Nullable(Float64) COMMENT 'Median seconds from the last step to that touchpoint; null: nothing followed'
)
AS
SELECT
    furthest_stage AS stage, furthest_order AS stage_order,
    if(n.next_event = '', '(none)', n.next_event) AS next_event, if(n.next_event = '', '(none)', n.next_channel) AS next_channel,
    count() AS profiles,
    profiles / sum(profiles) OVER (PARTITION BY stage) AS share,
    if(next_event = '(none)', NULL, quantileExactInclusive(0.5)((toUnixTimestamp64Milli(n.next_at) - toUnixTimestamp64Milli(n.furthest_since)) / 1000)) AS p50_seconds
FROM {{.DB}}_api.journey_standings AS n
WHERE is_latest AND furthest_order > 0 AND NOT arrived AND NOT still_open
GROUP BY stage, stage_order, next_event, next_channel
COMMENT 'What customers did next after they dropped off';

-- Friction by pattern and stage, of journeys that began in [from, to) and of
-- touchpoints of that time that are in no journey. A journey has settled in a stage
-- when it went on from it or dropped off there. With n settled journeys that had
-- the friction, revenue_at_stake is n * excess_drop_off (nothing if below 0) * the
-- mean revenue of the journeys that went on from the stage.
CREATE OR REPLACE VIEW {{.DB}}_api.friction AS
WITH
  standings AS (
    SELECT journey_key, furthest_order, still_open, revenue FROM {{.DB}}_api.journey_standings
    WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}
  ),
  hits AS (
    SELECT
      name, toString(f.stage) AS stage, if(journey_id = '', 0, sipHash64(journey_id)) AS journey_key, max(severity) AS severity, count() AS times,
      groupUniqArray(sipHash64(profile)) AS of_profiles
    FROM {{.DB}}_bi.v_frictions AS f
    WHERE journey_id != '' OR at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
    GROUP BY name, stage, journey_key
  ),
  everyone AS (
    SELECT
      o.stage AS stage, o.stage_order AS stage_order,
      countIf(s.furthest_order > o.stage_order) AS went_on, countIf(s.furthest_order = o.stage_order AND NOT s.still_open) AS dropped,
      sumIf(s.revenue, s.furthest_order > o.stage_order) AS revenue
    FROM standings AS s CROSS JOIN {{.DB}}_bi.dim_stage AS o
    GROUP BY stage, stage_order
  ),
  affected AS (
    SELECT
      h.name AS name, h.stage AS stage, any(o.stage_order) AS stage_order, max(h.severity) AS severity, sum(h.times) AS frictions,
      length(groupUniqArrayArray(h.of_profiles)) AS profiles,
      countIf(s.furthest_order > o.stage_order AND o.stage_order > 0) AS went_on, countIf(s.furthest_order = o.stage_order AND o.stage_order > 0 AND NOT s.still_open) AS dropped
    FROM hits AS h
    LEFT JOIN standings AS s ON s.journey_key = h.journey_key
    LEFT JOIN {{.DB}}_bi.dim_stage AS o ON o.stage = h.stage
    WHERE h.journey_key = 0 OR s.journey_key != 0
    GROUP BY name, stage
  )
SELECT
  a.name AS name, a.stage AS stage, a.stage_order AS stage_order, a.severity AS severity, a.frictions AS frictions, a.profiles AS profiles,
  a.went_on + a.dropped AS settled_journeys,
  e.went_on + e.dropped - settled_journeys AS others,
  if(settled_journeys = 0 OR is_last, NULL, a.dropped / settled_journeys) AS drop_off,
  if(others = 0 OR is_last, NULL, (e.dropped - a.dropped) / others) AS drop_off_without,
  drop_off - drop_off_without AS excess_drop_off,
  if(e.went_on = 0, NULL, greatest(excess_drop_off, 0) * settled_journeys * toFloat64(e.revenue) / e.went_on) AS revenue_at_stake,
  a.stage_order = (SELECT max(stage_order) FROM {{.DB}}_bi.dim_stage) AS is_last
FROM affected AS a
LEFT JOIN everyone AS e ON e.stage = a.stage
SETTINGS join_use_nulls = 0;

CREATE OR REPLACE VIEW {{.DB}}_bi.v_friction
(
    name              LowCardinality(String) COMMENT 'Name of the pattern in the model',
    stage             LowCardinality(String) COMMENT 'Stage in which it struck, empty before the first',
    stage_order       UInt8 COMMENT 'Position of the stage in the model, 0 before the first; sort by it',
    severity          UInt8 COMMENT '1 (a nuisance) to 5',
    frictions         UInt64 COMMENT 'How often it struck',
    profiles          UInt64 COMMENT 'Unique profiles that it struck',
    settled_journeys  UInt64 COMMENT 'Journeys with it that went on from the stage or dropped off there, without robots',
    drop_off          Nullable(Float64) COMMENT 'Share of them that dropped off, 0 to 1; null: none, or the last stage',
    drop_off_without  Nullable(Float64) COMMENT 'The same of all other journeys that reached the stage; null: there are none, or the last stage',
    excess_drop_off   Nullable(Float64) COMMENT 'drop_off - drop_off_without; below 0: less drop-off with it',
    revenue_at_stake  Nullable(Float64) COMMENT 'settled_journeys * excess_drop_off (at least 0) * mean revenue of journeys that went on from the stage, in units of currency; an association, not a proof'
)
AS SELECT name, stage, stage_order, severity, frictions, profiles, settled_journeys, drop_off, drop_off_without, excess_drop_off, revenue_at_stake
FROM {{.DB}}_api.friction(from = '1900-01-01 00:00:00.000', to = '2299-01-01 00:00:00.000')
COMMENT 'What each friction goes with: profiles, excess drop-off, revenue at stake';

CREATE OR REPLACE VIEW {{.DB}}_bi.v_emotion_curve
(
    stage           String COMMENT 'Stage at the touchpoint',
    stage_order     UInt8 COMMENT 'Position of the stage in the model; sort by it',
    persona         LowCardinality(String) COMMENT 'Of the journey, empty if none',
    sentiment       Nullable(Float64) COMMENT 'Mean score, -2 to 2; null without evidence. Of several rows: sum(sentiment * sentiment_count) / sum(sentiment_count)',
    sentiment_count UInt64 COMMENT 'Scores that it is the mean of',
    negative_count  UInt64 COMMENT 'Scores below 0',
    profiles        UInt64 COMMENT 'Unique profiles with a touchpoint there, without robots',
    scored_profiles UInt64 COMMENT 'Those with a score'
)
AS
SELECT
    s.stage AS stage, s.stage_order AS stage_order, t.persona AS persona,
    if(t.scores = 0, NULL, t.total / t.scores) AS sentiment,
    t.scores AS sentiment_count, t.negative AS negative_count, t.profiles AS profiles, t.scored_profiles AS scored_profiles
FROM
(
    SELECT stage, persona, toFloat64(sum(sentiment)) AS total, count(sentiment) AS scores, countIf(sentiment < 0) AS negative,
        uniqExact(profile_key) AS profiles, uniqExactIf(profile_key, sentiment IS NOT NULL) AS scored_profiles
    FROM {{.DB}}_api.touchpoints_read
    WHERE NOT is_bot AND stage != ''
    GROUP BY stage, persona
) AS t
INNER JOIN {{.DB}}_bi.dim_stage AS s ON s.stage = t.stage
COMMENT 'How customers feel from stage to stage, by persona';
