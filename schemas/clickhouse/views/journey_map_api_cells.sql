-- The heat cells of the journey map: touchpoints and unique profiles while in a
-- stage, by channel, of what happened in [from, to). Robots are left out.
--
-- A profile is in as many cells as it used channels, so cells overlap and are
-- never summed. mean_dwell_seconds is over the visits to the stage that ended in
-- the range, of the profiles of the cell; NULL when none has ended yet.
CREATE OR REPLACE VIEW {{.DB}}_api.journey_map AS
WITH
  stages AS (SELECT stage, stage_order FROM {{.DB}}_bi.dim_stage),
  cells AS (
    SELECT stage, channel, profile, count() AS n
    FROM {{.DB}}_bi.v_touchpoints
    WHERE is_bot = 0 AND stage != ''
      AND event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')}
    GROUP BY stage, channel, profile
  ),
  dwells AS (
    SELECT profile, from_stage AS stage, sum(dwell_seconds) AS seconds, count(dwell_seconds) AS visits
    FROM {{.DB}}_bi.v_transitions
    WHERE direction IN ('advance', 'return') AND from_stage != ''
      AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
    GROUP BY profile, from_stage
  )
SELECT
  c.stage AS stage,
  toUInt8(any(s.stage_order)) AS stage_order,
  c.channel AS channel,
  toUInt64(sum(c.n)) AS touchpoints,
  toUInt64(count()) AS profiles,
  if(sum(d.visits) = 0, NULL, toFloat64(sum(ifNull(d.seconds, 0))) / sum(d.visits)) AS mean_dwell_seconds
FROM cells AS c
INNER JOIN stages AS s ON s.stage = c.stage
LEFT JOIN dwells AS d ON d.profile = c.profile AND d.stage = c.stage
GROUP BY c.stage, c.channel;
