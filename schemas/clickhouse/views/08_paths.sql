-- The path of a profile is that of its latest journey: its stages, or the channels
-- or events of the customer's touchpoints, with repeats collapsed. Each profile has
-- one path of a kind, so numbers of profiles add up. A path is cut after 10 items.
CREATE OR REPLACE VIEW {{.DB}}_api.paths AS
SELECT
    profile_key, converted,
    arrayJoin([('stage', stage_path), ('channel', channel_path), ('event', event_path)]) AS one,
    one.1 AS kind,
    arraySlice(one.2, 1, 10) AS items,
    length(one.2) > 10 AS is_cut
FROM {{.DB}}_api.journeys_read
WHERE is_latest AND NOT is_bot AND notEmpty(items)
  AND started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')};

-- An edge is a pair of neighbours at a place in the path. Items of a place beyond
-- the 9 that most profiles have there are one, (other).
CREATE OR REPLACE VIEW {{.DB}}_api.path_edges AS
SELECT
    kind, step AS from_step,
    if(step = 0 OR from_rank <= 9, from_name, '(other)') AS from_item,
    toUInt8(step + 1) AS to_step,
    if(is_end OR to_rank <= 9, to_name, '(other)') AS to_item,
    sum(n) AS profiles,
    profiles / sum(profiles) OVER (PARTITION BY kind, from_step, from_item) AS share
FROM
(
    SELECT
        kind, step, from_name, to_name, is_end, n,
        dense_rank() OVER (PARTITION BY kind, step ORDER BY from_n DESC, from_name) AS from_rank,
        dense_rank() OVER (PARTITION BY kind, step ORDER BY is_end, to_n DESC, to_name) AS to_rank
    FROM
    (
        SELECT
            kind, step, from_name, to_name, to_name IN ('(exit)', '(more)') AS is_end, n,
            sum(n) OVER (PARTITION BY kind, step, from_name) AS from_n,
            sum(n) OVER (PARTITION BY kind, step, to_name) AS to_n
        FROM
        (
            SELECT
                kind, toUInt8(edge.1 - 1) AS step, edge.2 AS from_name, edge.3 AS to_name, count() AS n
            FROM
            (
                SELECT
                    kind,
                    arrayConcat(['(start)'], items, [if(is_cut, '(more)', '(exit)')]) AS nodes,
                    arrayJoin(arrayZip(range(1, toUInt32(length(nodes))), arrayPopBack(nodes), arrayPopFront(nodes))) AS edge
                FROM {{.DB}}_api.paths(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')})
            )
            GROUP BY kind, step, from_name, to_name
        )
    )
)
GROUP BY kind, from_step, from_item, to_step, to_item;

CREATE OR REPLACE VIEW {{.DB}}_bi.v_path_edges
(
    kind      String COMMENT 'What the items are: stage, channel or event; look at one kind at a time',
    from_step UInt8 COMMENT 'Place in the path, 0: the start; a node is a place and an item',
    from_item String COMMENT 'Item at that place; (start), and (other): all but the 9 most frequent there',
    to_step   UInt8 COMMENT 'from_step + 1',
    to_item   String COMMENT 'Item that follows; (exit): nothing does, (more): the path goes on beyond 10 items, (other) as above',
    profiles  UInt64 COMMENT 'Unique profiles whose latest journey went so, without robots; what leaves a node sums to what enters it',
    share     Float64 COMMENT 'profiles / profiles of the node it leaves, 0 to 1'
)
AS SELECT kind, from_step, from_item, to_step, to_item, profiles, share
FROM {{.DB}}_api.path_edges(from = '1900-01-01 00:00:00.000', to = '2299-01-01 00:00:00.000')
COMMENT 'Paths as a graph: how many profiles went from item to item, place by place';

CREATE OR REPLACE VIEW {{.DB}}_bi.v_top_paths
(
    kind               String COMMENT 'What the items are: stage, channel or event; look at one kind at a time',
    path               String COMMENT 'Items joined by >, repeats collapsed; (more): it goes on beyond 10, (other): all paths but the 100 most frequent',
    items              UInt64 COMMENT 'Items of the path, at most 10; 0 for (other)',
    profiles           UInt64 COMMENT 'Unique profiles whose latest journey went so, without robots; each is in one row of a kind',
    share              Float64 COMMENT 'profiles / all profiles of the kind, 0 to 1',
    converted_profiles UInt64 COMMENT 'Those whose journey converted'
)
AS
SELECT
    kind, if(place <= 100, p.path, '(other)') AS path, max(if(place <= 100, p.items, 0)) AS items,
    sum(p.profiles) AS profiles, profiles / sum(profiles) OVER (PARTITION BY kind) AS share, sum(p.converted_profiles) AS converted_profiles
FROM
(
    SELECT
        kind, arrayStringConcat(g.items, ' > ') || if(is_cut, ' > (more)', '') AS path, length(g.items) AS items,
        count() AS profiles, countIf(converted) AS converted_profiles,
        row_number() OVER (PARTITION BY kind ORDER BY profiles DESC, path) AS place
    FROM {{.DB}}_api.paths(from = '1900-01-01 00:00:00.000', to = '2299-01-01 00:00:00.000') AS g
    GROUP BY kind, g.items, is_cut
) AS p
GROUP BY kind, path
COMMENT 'The most frequent paths as wholes';
