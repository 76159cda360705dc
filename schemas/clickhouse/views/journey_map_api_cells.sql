-- The heat cells of the journey map: touchpoints and unique profiles while in a
-- stage, by channel, of what happened in [from, to). Robots are left out.
--
-- A profile is in as many cells as it used channels, so cells overlap and are
-- never summed. mean_dwell_seconds is over the visits to the stage that ended in
-- the range, of the profiles of the cell; NULL when none has ended yet. For it
-- profiles meet their visits once a stage, not once a cell: visitor is a profile in
-- a stage, as a number that two share with a chance of 1 in millions.
CREATE OR REPLACE VIEW {{.DB}}_api.journey_map AS
WITH
  cells AS (
    SELECT stage, channel, sum(touchpoints) AS n, uniqExact(profile_key) AS people
    FROM {{.DB}}_api.days_read(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')})
    WHERE NOT is_bot AND stage != ''
    GROUP BY stage, channel
  ),
  visitors AS (
    SELECT profile_key + sipHash64(stage) AS visitor, arrayDistinct(groupArray(sipHash64(stage, channel))) AS of_cells
    FROM {{.DB}}_api.days_read(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')})
    WHERE NOT is_bot AND stage != ''
    GROUP BY visitor
  ),
  visits AS (
    SELECT profile_key + sipHash64(stage) AS visitor, sum(dwell_seconds) AS seconds, count() AS visits
    FROM {{.DB}}_api.visits_read
    WHERE dwell_seconds IS NOT NULL AND left_at >= {from:DateTime64(3, 'UTC')} AND left_at < {to:DateTime64(3, 'UTC')}
    GROUP BY visitor
  ),
  dwells AS (
    SELECT arrayJoin(of_cells) AS cell, sum(seconds) / sum(visits) AS mean
    FROM visitors AS p INNER JOIN visits AS v ON v.visitor = p.visitor
    GROUP BY cell
  )
SELECT
  c.stage AS stage,
  toUInt8(s.stage_order) AS stage_order,
  c.channel AS channel,
  toUInt64(c.n) AS touchpoints,
  toUInt64(c.people) AS profiles,
  d.mean AS mean_dwell_seconds
FROM cells AS c
INNER JOIN {{.DB}}_bi.dim_stage AS s ON s.stage = c.stage
LEFT JOIN dwells AS d ON d.cell = sipHash64(c.stage, c.channel)
SETTINGS join_use_nulls = 0;
