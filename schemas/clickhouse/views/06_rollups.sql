{{define "touchpoint_columns"}}
    toDate32(t.event_time) AS day,
    t.event_time AS event_time,
    sipHash64(t.profile) AS profile_key,
    if(t.journey_id = '', 0, sipHash64(t.journey_id)) AS journey_key,
    if(t.session_id = '', 0, sipHash64(t.session_id)) AS session_key,
    CAST(t.stage AS LowCardinality(String)) AS stage,
    t.stage_since AS stage_since,
    t.persona AS persona,
    t.channel AS channel,
    t.channel_group AS channel_group,
    CAST(if(t.event = '', t.type, t.event) AS LowCardinality(String)) AS event,
    t.actor AS actor,
    t.is_bot AS is_bot,
    t.revenue AS revenue,
    t.sentiment AS sentiment,
    toUInt32(f.frictions) AS frictions,
    CAST(multiIf(t.is_asset, '',
            JSONHas(t.properties, 'content_type'), replaceRegexpAll(lower(trimBoth(JSONExtractString(t.properties, 'content_type'))), '[^a-z0-9]+', '_'),
            t.type IN ('page', 'screen'), 'page', '') AS LowCardinality(String)) AS content_type,
    multiIf(content_type = '', '',
            JSONExtractString(t.properties, 'content_name') != '', JSONExtractString(t.properties, 'content_name'),
            JSONExtractString(t.properties, 'title') != '' AND t.type NOT IN ('page', 'screen'), JSONExtractString(t.properties, 'title'),
            JSONExtractString(t.properties, 'content_id') != '', JSONExtractString(t.properties, 'content_id'),
            t.page_path) AS content,
    now64(3, 'UTC') AS refreshed_at
FROM {{.DB}}_bi.v_touchpoints AS t
LEFT JOIN
(
    SELECT identifier, touchpoint_id, count() AS frictions FROM {{.DB}}.frictions FINAL
    WHERE status != 'void' AND {{.InForce "profile" "at"}}
    GROUP BY identifier, touchpoint_id
) AS f ON f.identifier = t.identifier AND f.touchpoint_id = t.message_id
SETTINGS join_use_nulls = 0{{end -}}
{{define "journey_columns"}}
WITH
  (SELECT argMax(goal, revision) FROM {{.DB}}.models) AS goal,
  toDateTime64(0, 3, 'UTC') AS never
SELECT
    sipHash64(j.journey_id) AS journey_key,
    sipHash64(j.profile) AS profile_key,
    CAST(j.started_at = max(j.started_at) OVER (PARTITION BY j.profile) AS Bool) AS is_latest,
    CAST(p.robots AND p.touchpoints > 0 AS Bool) AS is_bot,
    j.persona AS persona,
    j.started_at AS started_at,
    j.ended_at AS ended_at,
    j.furthest_stage AS furthest_stage,
    arrayLast(s -> s.2 = furthest_stage, s.steps).3 AS reached_at,
    if(reached_at = never, started_at, reached_at) AS furthest_since,
    j.converted AS converted,
    arrayFirst(s -> s.2 = goal, s.steps).3 AS goal_at,
    if(goal_at = never, ended_at, goal_at) AS converted_at,
    j.revenue AS revenue,
    arrayFilter(t -> NOT converted OR t.1 <= converted_at, p.touches) AS touches,
    arraySlice(arrayCompact(arrayFilter(s -> s != '', p.points.4)), 1, 11) AS stage_path,
    arraySlice(arrayCompact(p.points.3), 1, 11) AS channel_path,
    arraySlice(arrayCompact(p.points.2), 1, 11) AS event_path,
    arrayFirst(x -> x.1 > furthest_since, p.points) AS following,
    following.2 AS next_event,
    following.3 AS next_channel,
    following.1 AS next_at,
    now64(3, 'UTC') AS refreshed_at
FROM {{.DB}}_bi.v_journeys AS j
LEFT JOIN
(
    SELECT journey_id, arraySort(groupArray((seq, toString(to_stage), at))) AS steps
    FROM {{.DB}}_bi.v_transitions GROUP BY journey_id
) AS s ON s.journey_id = j.journey_id
LEFT JOIN
(
    -- Points of one millisecond stand in the order of their names.
    SELECT
        journey_key AS of_journey,
        arraySort(groupArrayIf((began_at, if(said = '', 'Direct', said)), session_key != 0)) AS touches,
        arraySort(groupArrayArray(visit)) AS points,
        min(robot) AS robots,
        sum(n) AS touchpoints
    FROM
    (
        SELECT
            journey_key, session_key,
            min(event_time) AS began_at,
            argMinIf(toString(channel_group), (event_time, channel_group), channel_group != '') AS said,
            groupArray((event_time, toString(event), toString(channel), toString(stage))) AS visit,
            min(is_bot) AS robot,
            count() AS n
        FROM {{end -}}
{{define "journey_source"}}
        WHERE actor = 'customer' AND journey_key != 0
        GROUP BY journey_key, session_key
    )
    GROUP BY journey_key
) AS p ON p.of_journey = sipHash64(j.journey_id)
SETTINGS join_use_nulls = 0{{end -}}
{{define "visit_columns"}}
WITH
  (SELECT groupArray(stage) FROM {{.DB}}_bi.dim_stage) AS names,
  (SELECT groupArray(toInt16(stage_order)) FROM {{.DB}}_bi.dim_stage) AS orders,
  toDateTime64(0, 3, 'UTC') AS never,
  ends AS
  (
    SELECT journey_id, ended_at FROM {{.DB}}.journeys FINAL
    WHERE status != 'void' AND {{.InForce "profile" "ended_at"}}
  ),
  steps AS
  (
    SELECT
        journey_id, profile, persona, at, direction, toString(to_stage) AS entered,
        if(from_stage = '', toInt16(-1), transform(toString(from_stage), names, orders, toInt16(0))) AS from_order,
        transform(entered, names, orders, toInt16(0)) AS to_order,
        max(to_order) OVER (PARTITION BY journey_id ORDER BY seq ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS furthest,
        leadInFrame(at, 1, never) OVER following AS next_at,
        leadInFrame(dwell_seconds, 1, NULL) OVER following AS next_dwell
    FROM {{.DB}}_bi.v_transitions
    WHERE direction IN ('advance', 'return')
    WINDOW following AS (PARTITION BY journey_id ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
  )
SELECT
    toDate32(p.at) AS day,
    arrayJoin(arrayFilter((n, o) -> if(p.direction = 'return', o = p.to_order, o > p.from_order AND o <= p.to_order), names, orders)) AS stage,
    toUInt8(transform(stage, names, orders, toInt16(0))) AS stage_order,
    sipHash64(p.profile) AS profile_key,
    sipHash64(p.journey_id) AS journey_key,
    p.persona AS persona,
    CAST(r.robot AS Bool) AS is_bot,
    CAST(stage != p.entered AS Bool) AS passed_over,
    p.at AS entered_at,
    if(passed_over, never, p.next_at) AS left_at,
    if(passed_over, NULL, p.next_dwell) AS dwell_seconds,
    CAST(p.furthest > stage_order AS Bool) AS went_on,
    e.ended_at AS ended_at,
    now64(3, 'UTC') AS refreshed_at
FROM steps AS p
LEFT JOIN ends AS e ON e.journey_id = p.journey_id
LEFT JOIN
(
    SELECT profile_key AS of_profile, true AS robot FROM {{end -}}
{{define "visit_source"}}
    WHERE actor = 'customer' GROUP BY profile_key HAVING min(is_bot)
) AS r ON r.of_profile = sipHash64(p.profile)
WHERE p.to_order > 0
SETTINGS join_use_nulls = 0{{end -}}
-- Touchpoints, visits to stages and journeys with what the heavy views need of them. What ends in
-- _live is computed from the tables at the moment of the query; the roll-ups hold
-- what it was at their last refresh; what ends in _read is the one or the other:
-- live as long as a namespace is small, the roll-up where that would take long.
-- The condition is a constant when a query is planned, so the branch that does not
-- count is not read, nor are the tables it would join.
CREATE OR REPLACE VIEW {{.DB}}_api.touchpoints_live AS
SELECT{{template "touchpoint_columns" .}};

CREATE OR REPLACE VIEW {{.DB}}_api.touchpoints_read AS
SELECT * FROM {{.DB}}_api.touchpoints_live WHERE NOT {{template "large" .}}
UNION ALL
SELECT * FROM {{.DB}}.rollup_touchpoints WHERE {{template "large" .}};

CREATE OR REPLACE VIEW {{.DB}}_api.journeys_live AS
SELECT * EXCEPT (reached_at, goal_at, following) FROM ({{template "journey_columns" .}}{{.DB}}_api.touchpoints_live{{template "journey_source"}});

CREATE OR REPLACE VIEW {{.DB}}_api.journeys_read AS
SELECT * FROM {{.DB}}_api.journeys_live WHERE NOT {{template "large" .}}
UNION ALL
SELECT * FROM {{.DB}}.rollup_journeys WHERE {{template "large" .}};

CREATE OR REPLACE VIEW {{.DB}}_api.visits_live AS
SELECT * FROM ({{template "visit_columns" .}}{{.DB}}_api.touchpoints_live{{template "visit_source"}});

CREATE OR REPLACE VIEW {{.DB}}_api.visits_read AS
SELECT * FROM {{.DB}}_api.visits_live WHERE NOT {{template "large" .}}
UNION ALL
SELECT * FROM {{.DB}}.rollup_visits WHERE {{template "large" .}};

-- Touchpoints of [from, to) by stage, channel and profile: whole days by the
-- roll-up of days, the first and the last one by their touchpoints. A profile has
-- several rows.
CREATE OR REPLACE VIEW {{.DB}}_api.days_read AS
SELECT stage, channel, profile_key, is_bot, touchpoints, last_at, stage_since
FROM {{.DB}}.rollup_days
WHERE day > toDate32({from:DateTime64(3, 'UTC')}) AND day < toDate32({to:DateTime64(3, 'UTC')}) AND {{template "large" .}}
UNION ALL
SELECT stage, channel, profile_key, is_bot, toUInt64(1), event_time, stage_since
FROM {{.DB}}.rollup_touchpoints
WHERE day IN (toDate32({from:DateTime64(3, 'UTC')}), toDate32({to:DateTime64(3, 'UTC')}))
  AND event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')} AND {{template "large" .}}
UNION ALL
SELECT stage, channel, profile_key, is_bot, toUInt64(1), event_time, stage_since
FROM {{.DB}}_api.touchpoints_live
WHERE event_time >= {from:DateTime64(3, 'UTC')} AND event_time < {to:DateTime64(3, 'UTC')} AND NOT {{template "large" .}};

-- Made anew at each migrate, without a refresh of their own there: the tables keep
-- what they hold until the next one is due. The others read what the first one made; the condition
-- below asks for the table that is made last.
DROP VIEW IF EXISTS {{.DB}}.rollup_journeys_refresh;
DROP VIEW IF EXISTS {{.DB}}.rollup_visits_refresh;
DROP VIEW IF EXISTS {{.DB}}.rollup_days_refresh;
DROP VIEW IF EXISTS {{.DB}}.rollup_touchpoints_refresh;
CREATE MATERIALIZED VIEW IF NOT EXISTS {{.DB}}.rollup_touchpoints_refresh
REFRESH EVERY 5 MINUTE TO {{.DB}}.rollup_touchpoints EMPTY
AS SELECT{{template "touchpoint_columns" .}}
COMMENT 'Makes rollup_touchpoints anew';

CREATE MATERIALIZED VIEW IF NOT EXISTS {{.DB}}.rollup_days_refresh
REFRESH EVERY 5 MINUTE DEPENDS ON {{.DB}}.rollup_touchpoints_refresh TO {{.DB}}.rollup_days EMPTY
AS SELECT day, stage, channel, profile_key, is_bot, count() AS touchpoints, max(event_time) AS last_at, max(stage_since) AS stage_since,
    now64(3, 'UTC') AS refreshed_at
FROM {{.DB}}.rollup_touchpoints AS t
GROUP BY day, stage, channel, profile_key, is_bot
COMMENT 'Makes rollup_days anew';

CREATE MATERIALIZED VIEW IF NOT EXISTS {{.DB}}.rollup_visits_refresh
REFRESH EVERY 5 MINUTE DEPENDS ON {{.DB}}.rollup_days_refresh TO {{.DB}}.rollup_visits EMPTY
AS SELECT * FROM ({{template "visit_columns" .}}{{.DB}}.rollup_touchpoints{{template "visit_source"}})
COMMENT 'Makes rollup_visits anew';

CREATE MATERIALIZED VIEW IF NOT EXISTS {{.DB}}.rollup_journeys_refresh
REFRESH EVERY 5 MINUTE DEPENDS ON {{.DB}}.rollup_visits_refresh TO {{.DB}}.rollup_journeys EMPTY
AS SELECT * EXCEPT (reached_at, goal_at, following) FROM ({{template "journey_columns" .}}{{.DB}}.rollup_touchpoints{{template "journey_source"}})
COMMENT 'Makes rollup_journeys anew';
{{define "large"}}((SELECT count() FROM {{.DB}}.touchpoints) >= 300000 AND (SELECT count() FROM {{.DB}}.rollup_journeys) > 0){{end -}}
