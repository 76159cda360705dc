package warehouse

const frictionsCounts = `
SELECT (SELECT count() FROM {{.DB}}_bi.v_frictions),
       (SELECT count() FROM {{.DB}}_bi.v_frictions
        WHERE (identifier, touchpoint_id) IN (SELECT identifier, message_id FROM {{.DB}}_bi.v_touchpoints))`

// What a friction says of its touchpoint holds, by the views' identity and by the
// transitions of the journey. Whether a pattern matches is not computed again: the
// model is not known here.
const frictionsDifferences = `
SELECT concat('friction ', friction_id, ', ', name, ', ', problem) AS difference
FROM
(
    WITH
        p.message_id != '' AS there,
        arrayLast(x -> (x.1, x.2, x.3) <= (p.event_time, p.message_id, p.identifier), s.steps) AS last
    SELECT f.friction_id AS friction_id, toString(f.name) AS name, arrayJoin(arrayFilter(x -> x != '', [
        if(NOT there, concat('is of touchpoint ', f.touchpoint_id, ' of ', f.identifier, ', which is not there'), ''),
        if(there AND f.profile != p.profile, concat('is of ', f.profile, ' and its touchpoint of ', p.profile), ''),
        if(there AND f.journey_id != p.journey_id, concat('is in journey ', f.journey_id, ' and its touchpoint in ', p.journey_id), ''),
        if(there AND f.session_id != p.session_id, concat('is in session ', f.session_id, ' and its touchpoint in ', p.session_id), ''),
        if(there AND f.channel != p.channel, concat('is on ', f.channel, ' and its touchpoint on ', p.channel), ''),
        if(there AND if(f.kind = 'absence', f.at <= p.event_time, f.at != p.event_time),
           concat('is at ', toString(f.at), ' and its touchpoint at ', toString(p.event_time)), ''),
        if(there AND p.is_asset, 'is of something that a page loaded', ''),
        if(there AND f.journey_id = p.journey_id AND NOT f.is_approximate AND (f.stage, f.substage) != (last.4, last.5),
           concat('is in stage ', f.stage, '/', f.substage, ' and its journey was in ', last.4, '/', last.5), ''),
        if(f.twins > 1, 'is there twice', '')
    ])) AS problem
    FROM
    (
        SELECT friction_id, profile, journey_id, name, kind, toString(stage) AS stage, toString(substage) AS substage, at, touchpoint_id,
               identifier, session_id, channel, count() OVER (PARTITION BY profile, name, touchpoint_id, identifier) AS twins,
               journey_id IN (SELECT journey_id FROM {{.DB}}.journeys FINAL WHERE approximate) AS is_approximate
        FROM {{.DB}}_bi.v_frictions
    ) AS f
    LEFT JOIN
    (
        SELECT message_id, identifier, profile, journey_id, session_id, channel, event_time, is_asset FROM {{.DB}}_bi.v_touchpoints
        WHERE (identifier, message_id) IN (SELECT identifier, touchpoint_id FROM {{.DB}}_bi.v_frictions)
    ) AS p ON p.identifier = f.identifier AND p.message_id = f.touchpoint_id
    LEFT JOIN
    (
        SELECT journey_id, arraySort(groupArray((at, touchpoint_id, identifier, toString(to_stage), toString(substage)))) AS steps
        FROM {{.DB}}_bi.v_transitions GROUP BY journey_id
    ) AS s ON s.journey_id = f.journey_id
)
SETTINGS join_use_nulls = 0`
