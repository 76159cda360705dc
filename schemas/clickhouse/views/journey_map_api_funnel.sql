-- The stage headers of the journey map, of what happened in [from, to): a row
-- per stage of the current model, also for a stage that nobody reached.
--
-- A profile counts in the furthest stage it was in at a touchpoint of the range
-- and in every stage before that one, so the numbers never rise from left to
-- right. Until stages have closed windows, went_on counts who went on so far:
-- a profile that may still go on is not told apart from one that dropped off.
CREATE OR REPLACE VIEW {{.DB}}_api.stage_funnel AS
WITH
  (
    SELECT groupArray((furthest, n)) FROM (
      SELECT furthest, count() AS n FROM (
        SELECT t.profile AS profile, max(s.stage_order) AS furthest
        FROM {{.DB}}_bi.v_touchpoints AS t
        INNER JOIN {{.DB}}_bi.dim_stage AS s ON s.stage = t.stage
        WHERE t.is_bot = 0 AND t.stage != ''
          AND t.event_time >= {from:DateTime64(3, 'UTC')} AND t.event_time < {to:DateTime64(3, 'UTC')}
        GROUP BY t.profile
      ) GROUP BY furthest
    )
  ) AS reach,
  arraySum(arrayMap(r -> r.2, reach)) AS entrants,
  stages AS (SELECT stage, stage_order FROM {{.DB}}_bi.dim_stage),
  robots AS (
    SELECT profile FROM {{.DB}}_bi.v_sessions GROUP BY profile HAVING min(is_bot) = 1
  ),
  dwells AS (
    SELECT from_stage, groupArray(toFloat64(assumeNotNull(dwell_seconds))) AS seconds
    FROM {{.DB}}_bi.v_transitions
    WHERE direction IN ('advance', 'return') AND from_stage != '' AND dwell_seconds IS NOT NULL
      AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')}
      AND profile NOT IN robots
    GROUP BY from_stage
  )
SELECT
  s.stage AS stage,
  toUInt8(s.stage_order) AS stage_order,
  toUInt64(arraySum(arrayMap(r -> if(r.1 >= s.stage_order, r.2, 0), reach))) AS profiles,
  if(entrants = 0, NULL, profiles / entrants) AS of_entrants,
  toUInt64(arraySum(arrayMap(r -> if(r.1 > s.stage_order, r.2, 0), reach))) AS went_on,
  if(profiles = 0 OR s.stage_order = max(s.stage_order) OVER (), NULL, went_on / profiles) AS conversion,
  if(empty(d.seconds), NULL, arrayReduce('quantileExactInclusive(0.5)', d.seconds)) AS median_dwell_seconds,
  if(empty(d.seconds), NULL, arrayAvg(d.seconds)) AS mean_dwell_seconds
FROM stages AS s
LEFT JOIN dwells AS d ON d.from_stage = s.stage;
