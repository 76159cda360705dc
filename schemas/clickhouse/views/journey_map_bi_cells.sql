-- The journey map as a table, over all time.
CREATE OR REPLACE VIEW {{.DB}}_bi.v_journey_map
(
  stage LowCardinality(String) COMMENT 'Stage of the journey model',
  stage_order UInt8 COMMENT 'Position of the stage in the model; sort by it',
  channel LowCardinality(String) COMMENT 'Channel of the touchpoints',
  touchpoints UInt64 COMMENT 'Touchpoints while the profile was in the stage, without robots; they add up over rows',
  profiles UInt64 COMMENT 'Unique profiles with such a touchpoint; a profile can be in several cells, so never sum them',
  mean_dwell_seconds Nullable(Float64) COMMENT 'Mean seconds from entering the stage to leaving it, of the cell''s profiles; NULL: none has left yet',
  persona LowCardinality(String) COMMENT 'Of the journey, empty: none matches',
  event LowCardinality(String) COMMENT 'Event name, the type where there is none',
  actor LowCardinality(String) COMMENT 'customer: what they did; business: how it responded',
  sentiment Nullable(Float64) COMMENT 'Mean score of the touchpoints, -2 to 2; NULL without evidence',
  sentiment_count UInt64 COMMENT 'Scores that it is the mean of',
  frictions UInt64 COMMENT 'Frictions that these touchpoints caused'
) AS
WITH
  cells AS (
    SELECT stage, channel, persona, event, actor, count() AS n, uniqExact(profile_key) AS people,
      sum(sentiment) AS total, count(sentiment) AS scores, sum(t.frictions) AS troubles
    FROM {{.DB}}_api.touchpoints_read AS t
    WHERE NOT is_bot AND stage != ''
    GROUP BY stage, channel, persona, event, actor
  ),
  visitors AS (
    SELECT profile_key + sipHash64(stage) AS visitor, arrayDistinct(groupArray(sipHash64(stage, channel, persona, event, actor))) AS of_cells
    FROM {{.DB}}_api.touchpoints_read
    WHERE NOT is_bot AND stage != ''
    GROUP BY visitor
  ),
  visits AS (
    SELECT profile_key + sipHash64(stage) AS visitor, sum(dwell_seconds) AS seconds, count() AS visits
    FROM {{.DB}}_api.visits_read
    WHERE dwell_seconds IS NOT NULL
    GROUP BY visitor
  ),
  dwells AS (
    SELECT arrayJoin(of_cells) AS cell, sum(seconds) / sum(visits) AS mean
    FROM visitors AS p INNER JOIN visits AS v ON v.visitor = p.visitor
    GROUP BY cell
  )
SELECT
  c.stage AS stage, toUInt8(s.stage_order) AS stage_order, c.channel AS channel,
  c.n AS touchpoints, c.people AS profiles, d.mean AS mean_dwell_seconds,
  c.persona AS persona, c.event AS event, c.actor AS actor,
  if(c.scores = 0, NULL, toFloat64(c.total) / c.scores) AS sentiment, c.scores AS sentiment_count, c.troubles AS frictions
FROM cells AS c
INNER JOIN {{.DB}}_bi.dim_stage AS s ON s.stage = c.stage
LEFT JOIN dwells AS d ON d.cell = sipHash64(c.stage, c.channel, c.persona, c.event, c.actor)
SETTINGS join_use_nulls = 0
COMMENT 'The journey map: persona x stage x channel x event, by customer and business, over all time';
