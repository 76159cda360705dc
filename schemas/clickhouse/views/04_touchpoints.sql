-- Everything that can change after a touchpoint was written is resolved here:
--   profile     its own user, else its identifier's owner at that moment; a user
--               that aliases join to others goes under the name of them all
--   session_id  the survivor, where its session was merged (void rows name the
--               final survivor, so one step is enough)
--   journey_id  the profile's latest journey started at or before it; a business
--               touchpoint may follow the last customer touchpoint by the gap
--   stage       the last transition of that journey at or before it. Transitions
--               of one millisecond count as one, the last of them.
CREATE OR REPLACE VIEW {{.DB}}_bi.v_touchpoints
(
    message_id        String COMMENT 'Unique together with identifier',
    identifier        String COMMENT 'Primary identifier, kind:value',
    profile           String COMMENT 'Customer by today''s identity, kind:value',
    user_id           String COMMENT 'User id the touchpoint itself carries, empty if none',
    session_id        String COMMENT 'Session that holds it now, empty for business touchpoints',
    journey_id        String COMMENT 'Journey that holds it, empty if none',
    type              LowCardinality(String) COMMENT 'track, page, screen, identify, group or alias',
    event             LowCardinality(String) COMMENT 'Event name in snake case',
    channel           LowCardinality(String) COMMENT 'How the customer and the business met',
    actor             LowCardinality(String) COMMENT 'customer or business',
    source            LowCardinality(String) COMMENT 'Site, app or till that emitted it',
    event_time        DateTime64(3, 'UTC') COMMENT 'When it happened',
    received_at       DateTime64(3, 'UTC') COMMENT 'When it arrived',
    stage             String COMMENT 'Stage of the journey at that moment, empty before the first',
    substage          String COMMENT 'Substage of the journey at that moment',
    page_url          String COMMENT 'Full address of the page',
    page_path         String COMMENT 'Path of the page',
    page_title        String COMMENT 'Title of the page',
    referrer          String COMMENT 'Address of the page before',
    campaign_source   LowCardinality(String) COMMENT 'utm_source',
    campaign_medium   LowCardinality(String) COMMENT 'utm_medium',
    campaign_name     LowCardinality(String) COMMENT 'utm_campaign',
    campaign_term     LowCardinality(String) COMMENT 'utm_term',
    campaign_content  LowCardinality(String) COMMENT 'utm_content',
    locale            LowCardinality(String) COMMENT 'Language tag',
    revenue           Decimal(18, 6) COMMENT 'In units of currency',
    currency          LowCardinality(String) COMMENT 'ISO 4217',
    is_bot            Bool COMMENT 'A robot''s touchpoint',
    is_asset          Bool COMMENT 'An image, script or style sheet, not a page',
    is_time_corrected Bool COMMENT 'The clock of the device was off, the event time was corrected',
    is_backfill       Bool COMMENT 'Came in by an import of the past',
    live              Bool COMMENT 'false: late or backfilled, not happening when it arrived',
    properties        String COMMENT 'JSON object, empty if none',
    sentiment         Nullable(Decimal(3, 2)) COMMENT 'Score, -2 to 2; null without evidence',
    sentiment_source  LowCardinality(String) COMMENT 'nps, csat, ces, stars, text or signal; empty: no evidence',
    device            LowCardinality(String) COMMENT 'desktop, mobile, tablet, tv, bot or other; empty without a user agent',
    channel_group     LowCardinality(String) COMMENT 'Why the customer came, a channel group: Organic Search, Paid Social, Email, Store...; empty: nothing says',
    referrer_host     LowCardinality(String) COMMENT 'Host of the referrer, without www.',
    referrer_class    LowCardinality(String) COMMENT 'search, social, video, shopping, email, chatbot, paid, internal or unknown; empty without a referrer',
    click_id_kind     LowCardinality(String) COMMENT 'Parameter of the page''s address: gclid, msclkid, fbclid...; empty: none',
    click_id          String COMMENT 'Its value',
    campaign_id       LowCardinality(String) COMMENT 'utm_id',
    browser           LowCardinality(String) COMMENT 'By the user agent, empty if it names none',
    browser_version   LowCardinality(String) COMMENT 'First number of the version',
    os                LowCardinality(String) COMMENT 'Operating system by the user agent, empty if it names none',
    os_version        LowCardinality(String) COMMENT 'First number of the version',
    country           LowCardinality(String) COMMENT 'ISO 3166 code by the truncated address; empty without a database of places',
    region            LowCardinality(String) COMMENT 'Likewise, in English',
    city              LowCardinality(String) COMMENT 'Likewise, in English',
    is_off_plan       Bool COMMENT 'Violates the tracking plan, which only warns of it',
    persona           LowCardinality(String) COMMENT 'Of its journey: the profile''s at the journey''s last touchpoint; empty if none',
    stage_since       DateTime64(3, 'UTC') COMMENT 'When the journey made its last step up to then; 1970-01-01 before the first',
    epoch             UInt32 COMMENT 'Rebuild that made the row, 0: none'
)
AS
WITH (SELECT argMax(journey_gap_ms, revision) FROM {{.DB}}.models) AS journey_gap_ms
SELECT
    t.message_id AS message_id,
    t.identifier AS identifier,
    t.profile AS profile,
    t.user_id AS user_id,
    t.session_id AS session_id,
    if(j.journey_id != '' AND toUnixTimestamp64Milli(t.event_time)
           <= toUnixTimestamp64Milli(j.ended_at) + if(t.actor = 'business', journey_gap_ms, 0),
       j.journey_id, '') AS journey_id,
    t.type AS type,
    t.event AS event,
    t.channel AS channel,
    t.actor AS actor,
    t.source AS source,
    t.event_time AS event_time,
    t.received_at AS received_at,
    if(journey_id != '' AND s.journey_id = journey_id, s.stage, '') AS stage,
    if(journey_id != '' AND s.journey_id = journey_id, s.substage, '') AS substage,
    t.page_url AS page_url,
    t.page_path AS page_path,
    t.page_title AS page_title,
    t.referrer AS referrer,
    t.campaign_source AS campaign_source,
    t.campaign_medium AS campaign_medium,
    t.campaign_name AS campaign_name,
    t.campaign_term AS campaign_term,
    t.campaign_content AS campaign_content,
    t.locale AS locale,
    CAST(toDecimal128(t.revenue_micros, 6) / 1000000 AS Decimal(18, 6)) AS revenue,
    t.currency AS currency,
    CAST(bitTest(t.flags, 0) AS Bool) AS is_bot,
    CAST(bitTest(t.flags, 1) AS Bool) AS is_asset,
    CAST(bitTest(t.flags, 2) OR bitTest(t.flags, 3) AS Bool) AS is_time_corrected,
    CAST(bitTest(t.flags, 4) AS Bool) AS is_backfill,
    CAST(NOT bitTest(t.flags, 5) AS Bool) AS live,
    t.properties AS properties,
    if(t.sentiment_source = '', NULL, CAST(toDecimal32(t.sentiment, 2) / 100 AS Decimal(3, 2))) AS sentiment,
    t.sentiment_source AS sentiment_source,
    t.device AS device,
    t.channel_group AS channel_group,
    t.referrer_host AS referrer_host,
    t.referrer_class AS referrer_class,
    t.click_id_kind AS click_id_kind,
    t.click_id AS click_id,
    t.campaign_id AS campaign_id,
    t.browser AS browser,
    t.browser_version AS browser_version,
    t.os AS os,
    t.os_version AS os_version,
    t.country AS country,
    t.region AS region,
    t.city AS city,
    CAST(bitTest(t.flags, 6) AS Bool) AS is_off_plan,
    CAST(if(journey_id != '', j.persona, '') AS LowCardinality(String)) AS persona,
    if(stage != '', s.at, toDateTime64(0, 3, 'UTC')) AS stage_since,
    toUInt32(bitShiftRight(t.revision, 40)) AS epoch
FROM
(
    SELECT
        p.* EXCEPT (session_id),
        if(v.merged_into != '', v.merged_into, p.session_id) AS session_id,
        arrayLast(m -> (m.from_at, m.message_id) <= (p.event_time, p.message_id), i.map).user_id AS linked,
        multiIf(p.user_id != '', concat('user:', p.user_id),
                i.frozen OR empty(i.map), p.identifier,
                linked != '', concat('user:', linked),
                concat('user:', i.map[1].user_id)) AS owner_now,
        if(r.name != '', concat('user:', r.name), owner_now) AS profile
    FROM
    (
        SELECT * FROM {{.DB}}.touchpoints FINAL
        WHERE {{.InForce "device" "received_at"}}
    ) AS p
    LEFT JOIN
    (
        SELECT identifier AS map_of, map, frozen FROM {{.DB}}.identities FINAL
        WHERE {{.InForceAlways "device"}}
    ) AS i ON i.map_of = p.identifier
    LEFT JOIN
    (
        SELECT session_id AS void_id, merged_into FROM {{.DB}}.sessions FINAL
        WHERE status = 'void'
          AND {{.InForce "device" "ended_at"}}
    ) AS v ON v.void_id = p.session_id
    LEFT JOIN
    (
        SELECT identifier AS renamed, map[1].user_id AS name FROM {{.DB}}.identities FINAL
        WHERE startsWith(identifier, 'user:') AND notEmpty(map)
          AND {{.InForceAlways "profile"}}
    ) AS r ON r.renamed = owner_now
) AS t
ASOF LEFT JOIN
(
    -- Not v_journeys, which also counts what is in the journeys.
    SELECT profile, started_at, ended_at, journey_id, persona FROM {{.DB}}.journeys FINAL
    WHERE status != 'void'
      AND {{.InForce "profile" "ended_at"}}
) AS j ON j.profile = t.profile AND j.started_at <= t.event_time
ASOF LEFT JOIN
(
    SELECT profile, at, argMax(journey_id, seq) AS journey_id, argMax(to_stage, seq) AS stage, argMax(substage, seq) AS substage
    FROM {{.DB}}_bi.v_transitions
    GROUP BY profile, at
) AS s ON s.profile = t.profile AND s.at <= t.event_time
SETTINGS join_use_nulls = 0 -- a reader's own setting would turn unmatched rows into nulls
COMMENT 'Touchpoints with the profile, session, journey and stage they belong to today';
