-- What the journey map was drawn from, of what happened in [from, to).
CREATE OR REPLACE VIEW {{.DB}}_api.journey_map_totals AS
SELECT
  toUInt64(sumIf(d.touchpoints, NOT is_bot)) AS touchpoints,
  toUInt64(sumIf(d.touchpoints, NOT is_bot AND stage != '')) AS touchpoints_in_stages,
  toUInt64(sumIf(d.touchpoints, is_bot)) AS robot_touchpoints,
  toUInt64(uniqExactIf(profile_key, NOT is_bot)) AS profiles,
  (SELECT argMax(goal, revision) FROM {{.DB}}.models) AS goal
FROM {{.DB}}_api.days_read(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}) AS d;
