-- Stage conversion by the day (UTC) a stage was entered, for days in [from, to).
--
-- A profile counts on a day when it entered the stage on that day, came back to
-- it, or passed over it. It went on when the same journey reached a later stage
-- afterwards, on whatever day, so the newest days can still rise.
CREATE OR REPLACE VIEW {{.DB}}_api.stage_funnel_daily AS
WITH
  stages AS (SELECT stage, stage_order FROM {{.DB}}_bi.dim_stage),
  robots AS (
    SELECT profile FROM {{.DB}}_bi.v_sessions GROUP BY profile HAVING min(is_bot) = 1
  ),
  steps AS (
    SELECT
      t.profile AS profile, t.at AS at, t.direction AS direction,
      if(t.from_stage = '', -1, toInt16(f.stage_order)) AS from_order,
      toInt16(s.stage_order) AS to_order,
      max(toInt16(s.stage_order)) OVER (
        PARTITION BY t.profile, t.journey_id ORDER BY t.seq ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
      ) AS furthest
    FROM {{.DB}}_bi.v_transitions AS t
    INNER JOIN stages AS s ON s.stage = t.to_stage
    LEFT JOIN stages AS f ON f.stage = t.from_stage
    WHERE t.direction IN ('advance', 'return') AND t.profile NOT IN robots
  )
SELECT
  toDate(p.at) AS day,
  s.stage AS stage,
  toUInt8(any(s.stage_order)) AS stage_order,
  toUInt64(uniqExact(p.profile)) AS profiles,
  toUInt64(uniqExactIf(p.profile, p.furthest > s.stage_order)) AS went_on,
  if(any(s.stage_order) = (SELECT max(stage_order) FROM stages), NULL, went_on / profiles) AS conversion
FROM steps AS p
CROSS JOIN stages AS s
WHERE p.at >= {from:DateTime64(3, 'UTC')} AND p.at < {to:DateTime64(3, 'UTC')}
  AND ((s.stage_order > p.from_order AND s.stage_order <= p.to_order)
    OR (p.direction = 'return' AND s.stage_order = p.to_order))
GROUP BY day, s.stage;
