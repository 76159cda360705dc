-- Stage conversion by the day (UTC) a stage was entered, for days in [from, to).
--
-- A profile counts on a day when it entered the stage on that day, came back to
-- it, or passed over it. It went on when the same journey reached a later stage
-- afterwards, on whatever day. Who did not may still go on as long as the journey
-- lives and the stage's window is open: such a day is immature, and can rise.
CREATE OR REPLACE VIEW {{.DB}}_api.stage_funnel_daily AS
WITH
  (SELECT argMax(journey_gap_ms, revision) FROM {{.DB}}.models) AS gap_ms,
  (SELECT groupArray(toUInt8(stage_order)) FROM {{.DB}}_bi.dim_stage) AS orders,
  (SELECT groupArray(toInt64(window_seconds * 1000)) FROM {{.DB}}_bi.dim_stage) AS spans,
  toUnixTimestamp64Milli(now64(3)) AS now_ms
SELECT
  toDate(entered_at) AS day,
  v.stage AS stage,
  toUInt8(any(v.stage_order)) AS stage_order,
  toUInt64(uniqExact(profile_key)) AS profiles,
  toUInt64(uniqExactIf(profile_key, v.went_on)) AS went_on,
  if(any(v.stage_order) = length(orders), NULL, went_on / profiles) AS conversion,
  toUInt64(if(any(v.stage_order) = length(orders), 0, uniqExactIf(profile_key, v.went_on OR now_ms <= toUnixTimestamp64Milli(ended_at) + gap_ms
    AND (spans[indexOf(orders, v.stage_order)] = 0 OR now_ms <= toUnixTimestamp64Milli(entered_at) + spans[indexOf(orders, v.stage_order)])) - went_on)) AS still_open,
  toUInt64(if(any(v.stage_order) = length(orders), 0, profiles - went_on - still_open)) AS dropped,
  CAST(still_open > 0 AS Bool) AS is_immature
FROM {{.DB}}_api.visits_read AS v
WHERE NOT is_bot AND entered_at >= {from:DateTime64(3, 'UTC')} AND entered_at < {to:DateTime64(3, 'UTC')}
GROUP BY day, v.stage;
