-- The stage headers of the journey map, of what happened in [from, to): a row
-- per stage of the current model, also for a stage that nobody reached.
--
-- A profile counts in the furthest stage it was in at a touchpoint of the range
-- and in every stage before that one, so the numbers never rise from left to
-- right. Who did not go on is still open as long as its journey lives and, where
-- the stage has a window, no longer than that since its last step; then it has
-- dropped off. In the last stage there is nowhere to go on to: all have arrived.
--
-- best is the furthest stage and its latest step in one number, stage * 2^48 + ms,
-- which may be before 1970: the maximum of a tuple takes four times as long.
CREATE OR REPLACE VIEW {{.DB}}_api.stage_funnel AS
WITH
  (SELECT argMax(journey_gap_ms, revision) FROM {{.DB}}.models) AS gap_ms,
  (SELECT groupArray(stage) FROM {{.DB}}_bi.dim_stage) AS names,
  (SELECT groupArray(toUInt8(stage_order)) FROM {{.DB}}_bi.dim_stage) AS orders,
  (SELECT groupArray(toInt64(window_seconds * 1000)) FROM {{.DB}}_bi.dim_stage) AS spans,
  toUnixTimestamp64Milli(now64(3)) AS now_ms,
  (
    SELECT groupArray((furthest, n, open)) FROM (
      SELECT furthest, count() AS n,
        countIf(now_ms <= last_ms + gap_ms AND (spans[indexOf(orders, furthest)] = 0 OR now_ms <= since_ms + spans[indexOf(orders, furthest)])) AS open
      FROM (
        SELECT
          max(bitShiftLeft(toInt64(transform(toString(stage), names, orders, toUInt8(0)) AS o), 48) + toUnixTimestamp64Milli(stage_since)) AS best,
          toUInt8(bitShiftRight(best + bitShiftLeft(toInt64(1), 47), 48)) AS furthest,
          best - bitShiftLeft(toInt64(furthest), 48) AS since_ms,
          max(toUnixTimestamp64Milli(last_at)) AS last_ms
        FROM {{.DB}}_api.days_read(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')})
        WHERE NOT is_bot AND stage != '' AND o > 0
        GROUP BY profile_key
      ) GROUP BY furthest
    )
  ) AS reach,
  arraySum(arrayMap(r -> r.2, reach)) AS entrants,
  dwells AS (
    SELECT stage, groupArray(assumeNotNull(dwell_seconds)) AS seconds
    FROM {{.DB}}_api.visits_read
    WHERE NOT is_bot AND dwell_seconds IS NOT NULL
      AND left_at >= {from:DateTime64(3, 'UTC')} AND left_at < {to:DateTime64(3, 'UTC')}
    GROUP BY stage
  )
SELECT
  s.stage AS stage,
  toUInt8(s.stage_order) AS stage_order,
  toUInt64(arraySum(arrayMap(r -> if(r.1 >= s.stage_order, r.2, 0), reach))) AS profiles,
  if(entrants = 0, NULL, profiles / entrants) AS of_entrants,
  toUInt64(arraySum(arrayMap(r -> if(r.1 > s.stage_order, r.2, 0), reach))) AS went_on,
  if(profiles = 0 OR is_last, NULL, went_on / profiles) AS conversion,
  if(empty(d.seconds), NULL, arrayReduce('quantileExactInclusive(0.5)', d.seconds)) AS median_dwell_seconds,
  if(empty(d.seconds), NULL, arrayAvg(d.seconds)) AS mean_dwell_seconds,
  profiles AS entered,
  if(is_last, profiles, went_on) AS converted,
  toUInt64(entered - converted - still_open) AS dropped,
  toUInt64(if(is_last, 0, arraySum(arrayMap(r -> if(r.1 = s.stage_order, r.3, 0), reach)))) AS still_open,
  CAST(still_open > 0 AS Bool) AS is_immature,
  if(is_last OR entered = still_open, NULL, converted / (entered - still_open)) AS settled_conversion,
  s.window_seconds AS window_seconds,
  s.stage_order = length(names) AS is_last
FROM {{.DB}}_bi.dim_stage AS s
LEFT JOIN dwells AS d ON d.stage = s.stage
SETTINGS join_use_nulls = 0;
