-- What the journey map was drawn from, of what happened in [from, to).
CREATE OR REPLACE VIEW {{.DB}}_api.journey_map_totals AS
SELECT
  toUInt64(countIf(is_bot = 0)) AS touchpoints,
  toUInt64(countIf(is_bot = 0 AND stage != '')) AS touchpoints_in_stages,
  toUInt64(countIf(is_bot != 0)) AS robot_touchpoints,
  toUInt64(uniqExactIf(profile, is_bot = 0)) AS profiles,
  (SELECT argMax(goal, revision) FROM {{.DB}}.models) AS goal
FROM {{.DB}}_bi.v_touchpoints
WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')};
