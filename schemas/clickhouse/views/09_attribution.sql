-- Journeys as attribution sees them: the channel groups of its sessions in order,
-- of journeys that converted in [from, to), and of those that ended in it without.
-- A journey that converted without a session has (unknown).
CREATE OR REPLACE VIEW {{.DB}}_api.attribution_paths AS
SELECT
    if(empty(touches), ['(unknown)'], tupleElement(touches, 2)) AS groups,
    if(empty(touches), [converted_at], tupleElement(touches, 1)) AS times,
    converted, if(converted, converted_at, ended_at) AS at, toFloat64(revenue) AS revenue
FROM {{.DB}}_api.journeys_read
WHERE NOT is_bot AND (converted OR notEmpty(touches))
  AND at >= {from:DateTime64(3, 'UTC')} AND at < {to:DateTime64(3, 'UTC')};

-- Who gets the credit for conversions in [from, to). The weights of a journey's
-- sessions sum to 1 in every model, so credits sum to conversions and revenue.
--
-- Markov: sessions are states of a chain of first order, which all journeys walk
-- from session to session until they convert or end. The removal effect of a
-- channel is the share of conversions that would be lost without it: the
-- probability to come by it at all, times that to convert from there, over that to
-- convert; credits are in proportion. Both follow from N = 1 + T + T^2 + ..., the
-- expected visits, with T the matrix of steps: N doubles its terms in each of 40
-- rounds, N + T^k N and T^k T^k. A chain comes by a channel with the probability
-- (visits per journey) / N[channel, channel].
CREATE OR REPLACE VIEW {{.DB}}_api.attribution AS
WITH
  (SELECT arraySort(groupUniqArrayArray(groups)) FROM {{.DB}}_api.attribution_paths(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')})) AS names,
  (
    SELECT (groupArray(concat(step.1, '\n', step.2)), groupArray(toFloat64(n))) FROM (
      SELECT arrayJoin(arrayZip(groups, arrayPushBack(arrayPopFront(groups), if(converted, '\tconverted', '\tended')))) AS step, count() AS n
      FROM {{.DB}}_api.attribution_paths(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')}) GROUP BY step
    )
  ) AS steps,
  (
    SELECT (countIf(converted), sumIf(revenue, converted), count())
    FROM {{.DB}}_api.attribution_paths(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')})
  ) AS totals,
  arrayMap(a -> arrayMap(b -> transform(concat(a, '\n', b), steps.1, steps.2, toFloat64(0)), arrayConcat(names, ['\tconverted', '\tended'])), names) AS counts,
  arrayMap(row -> arraySum(row), counts) AS visits,
  arrayMap((row, n) -> arrayMap(x -> x / n, arraySlice(row, 1, length(names))), counts, visits) AS matrix,
  arrayMap((row, n) -> row[length(names) + 1] / n, counts, visits) AS converts,
  arrayFold(
    (acc, x) -> (
      arrayMap((sums, row) -> arrayMap((s, i) -> s + arrayDotProduct(row, arrayMap(r -> r[i], acc.1)), sums, arrayEnumerate(sums)), acc.1, acc.2),
      arrayMap(row -> arrayMap(i -> arrayDotProduct(row, arrayMap(r -> r[i], acc.2)), arrayEnumerate(row)), acc.2)
    ),
    range(40),
    (arrayMap(i -> arrayMap(j -> toFloat64(i = j), arrayEnumerate(names)), arrayEnumerate(names)), matrix)
  ).1 AS expected,
  arrayMap((row, n, i) -> n / assumeNotNull(totals.3) / row[i] * arrayDotProduct(row, converts), expected, visits, arrayEnumerate(names)) AS effects
SELECT
    model,
    channel_group,
    sum(weight) AS conversions,
    sum(weight * p.revenue) AS revenue
FROM
(
    SELECT
        groups, revenue, length(groups) AS n,
        arrayMap(t -> exp2((toUnixTimestamp64Milli(t) - toUnixTimestamp64Milli(at)) / 604800000), times) AS decays,
        arrayLastIndex(g -> g != 'Direct', groups) AS last_known,
        arrayEnumerate(groups) AS places
    FROM {{.DB}}_api.attribution_paths(from = {from:DateTime64(3, 'UTC')}, to = {to:DateTime64(3, 'UTC')})
    WHERE converted
) AS p
ARRAY JOIN
    ['first', 'last', 'last_non_direct', 'linear', 'time_decay', 'position'] AS model,
    [
        arrayMap(i -> toFloat64(i = 1), places),
        arrayMap(i -> toFloat64(i = n), places),
        arrayMap(i -> toFloat64(i = if(last_known = 0, n, last_known)), places),
        arrayMap(i -> 1 / n, places),
        arrayMap(d -> d / arraySum(decays), decays),
        arrayMap(i -> multiIf(n = 1, 1, n = 2, 0.5, i IN (1, n), 0.4, 0.2 / (n - 2)), places)
    ] AS weights
ARRAY JOIN groups AS channel_group, weights AS weight
GROUP BY model, channel_group
HAVING conversions > 0
UNION ALL
SELECT 'markov' AS model, share.1 AS channel_group, assumeNotNull(totals.1) * share.2 AS conversions, assumeNotNull(totals.2) * share.2 AS revenue
FROM (SELECT arrayJoin(arrayZip(names, arrayMap(e -> e / arraySum(effects), effects))) AS share)
WHERE assumeNotNull(totals.1) > 0 AND share.2 > 0;

CREATE OR REPLACE VIEW {{.DB}}_bi.v_attribution
(
    model         String COMMENT 'first, last, last_non_direct, linear, time_decay (half-life 7 days), position (40/20/40) or markov (removal effect); never sum over models',
    channel_group String COMMENT 'Channel group of the sessions that led to the conversion; Direct: nothing says, (unknown): no session',
    conversions   Float64 COMMENT 'Credit; sums to the journeys that converted in each model, without robots',
    revenue       Float64 COMMENT 'Credit in units of the touchpoints'' currency; sums to the revenue of those journeys in each model'
)
AS SELECT model, channel_group, conversions, revenue
FROM {{.DB}}_api.attribution(from = '1900-01-01 00:00:00.000', to = '2299-01-01 00:00:00.000')
COMMENT 'Which channel groups get the credit for conversions, by seven models';
