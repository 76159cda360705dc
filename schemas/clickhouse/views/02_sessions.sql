-- A session belongs to its identifier for good; whose identifier it was is
-- answered for the moment the session began. A user that aliases join to others
-- goes under the name of them all. The persona is that of the profile's latest
-- journey begun at or before the session's end.
CREATE OR REPLACE VIEW {{.DB}}_bi.v_sessions
(
    session_id       String COMMENT 'Stable id',
    identifier       String COMMENT 'Whose session, kind:value',
    profile          String COMMENT 'Customer by today''s identity, kind:value',
    started_at       DateTime64(3, 'UTC') COMMENT 'First touchpoint',
    ended_at         DateTime64(3, 'UTC') COMMENT 'Last touchpoint',
    duration_seconds Float64 COMMENT 'From the first to the last touchpoint',
    touchpoints      UInt64 COMMENT 'Customer touchpoints',
    status           LowCardinality(String) COMMENT 'open or closed',
    channel          LowCardinality(String) COMMENT 'Channel of the first touchpoint',
    last_channel     LowCardinality(String) COMMENT 'Channel of the last touchpoint',
    source           LowCardinality(String) COMMENT 'Source of the first touchpoint',
    landing_page     String COMMENT 'Path of the first page',
    exit_page        String COMMENT 'Path of the last page',
    referrer         String COMMENT 'Referrer of the first touchpoint',
    campaign_source  LowCardinality(String) COMMENT 'utm_source',
    campaign_medium  LowCardinality(String) COMMENT 'utm_medium',
    campaign_name    LowCardinality(String) COMMENT 'utm_campaign',
    revenue          Decimal(18, 6) COMMENT 'In units of the touchpoints'' currency',
    is_bot           Bool COMMENT 'A robot''s session',
    live             Bool COMMENT 'false: changed by a late or backfilled touchpoint',
    device           LowCardinality(String) COMMENT 'desktop, mobile, tablet, tv, bot or other, of the first touchpoint; empty without a user agent',
    pages            UInt64 COMMENT 'Pages and screens, not what they load',
    is_bounce        Bool COMMENT 'The customer touched once and left: one touchpoint',
    event_counts     Map(LowCardinality(String), UInt64) COMMENT 'Touchpoints per event that the model mentions, and of all other events as other',
    sentiment        Nullable(Float64) COMMENT 'Mean score, -2 to 2; null without evidence',
    sentiment_count  UInt64 COMMENT 'Scores that sentiment is the mean of',
    persona          LowCardinality(String) COMMENT 'Of the profile''s latest journey begun at or before the session''s end, empty if none',
    oversized        Bool COMMENT 'Beyond a bound: copies may have been counted',
    channel_group    LowCardinality(String) COMMENT 'Why the customer came, a channel group: of the first touchpoint that says, else Direct; empty for sessions written before it was known',
    epoch            UInt32 COMMENT 'Rebuild that made the row, 0: none'
)
AS
SELECT
    s.session_id AS session_id,
    s.identifier AS identifier,
    s.profile AS profile,
    s.started_at AS started_at,
    s.ended_at AS ended_at,
    (toUnixTimestamp64Milli(s.ended_at) - toUnixTimestamp64Milli(s.started_at)) / 1000 AS duration_seconds,
    s.touchpoints AS touchpoints,
    s.status AS status,
    s.channel AS channel,
    s.last_channel AS last_channel,
    s.source AS source,
    s.landing_page AS landing_page,
    s.exit_page AS exit_page,
    s.referrer AS referrer,
    s.campaign_source AS campaign_source,
    s.campaign_medium AS campaign_medium,
    s.campaign_name AS campaign_name,
    CAST(toDecimal128(s.revenue_micros, 6) / 1000000 AS Decimal(18, 6)) AS revenue,
    s.is_bot AS is_bot,
    s.live AS live,
    s.device AS device,
    s.pages AS pages,
    CAST(s.touchpoints = 1 AS Bool) AS is_bounce,
    s.event_counts AS event_counts,
    if(s.sentiment_count = 0, NULL, s.sentiment_sum / (100 * s.sentiment_count)) AS sentiment,
    s.sentiment_count AS sentiment_count,
    j.persona AS persona,
    s.oversized AS oversized,
    s.channel_group AS channel_group,
    toUInt32(bitShiftRight(s.revision, 40)) AS epoch
FROM
(
    SELECT
        p.*,
        arrayLast(m -> m.from_at <= p.started_at, i.map).user_id AS linked,
        multiIf(i.frozen OR empty(i.map), p.identifier,
                linked != '', concat('user:', linked),
                concat('user:', i.map[1].user_id)) AS owner_now,
        if(r.name != '', concat('user:', r.name), owner_now) AS profile
    FROM
    (
        SELECT * FROM {{.DB}}.sessions FINAL
        WHERE status != 'void'
          AND {{.InForce "device" "ended_at"}}
    ) AS p
    LEFT JOIN
    (
        SELECT identifier AS map_of, map, frozen FROM {{.DB}}.identities FINAL
        WHERE {{.InForceAlways "device"}}
    ) AS i ON i.map_of = p.identifier
    LEFT JOIN
    (
        SELECT identifier AS renamed, map[1].user_id AS name FROM {{.DB}}.identities FINAL
        WHERE startsWith(identifier, 'user:') AND notEmpty(map)
          AND {{.InForceAlways "profile"}}
    ) AS r ON r.renamed = owner_now
) AS s
ASOF LEFT JOIN
(
    SELECT profile, started_at, persona FROM {{.DB}}.journeys FINAL
    WHERE status != 'void'
      AND {{.InForce "profile" "ended_at"}}
) AS j ON j.profile = s.profile AND j.started_at <= s.ended_at
SETTINGS join_use_nulls = 0 -- a reader's own setting would turn unmatched rows into nulls
COMMENT 'Sessions: touchpoints of one identifier with no pause longer than the inactivity gap';
