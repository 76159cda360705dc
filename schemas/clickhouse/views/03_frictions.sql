-- The profile is the one that the profile step finds, as in v_journeys and
-- v_transitions: when a touchpoint turns out to be somebody else's, or aliases
-- join users, it withdraws the friction and sends it again under the right name.
-- The session is the survivor, where that of the touchpoint was merged.
CREATE OR REPLACE VIEW {{.DB}}_bi.v_frictions
(
    friction_id   String COMMENT 'Stable id',
    profile       String COMMENT 'Customer, kind:value',
    journey_id    String COMMENT 'Journey that the touchpoint is in, empty if none',
    name          LowCardinality(String) COMMENT 'Name of the pattern in the model',
    kind          LowCardinality(String) COMMENT 'event, repetition or absence',
    severity      UInt8 COMMENT '1 (a nuisance) to 5',
    stage         LowCardinality(String) COMMENT 'Stage of the journey after the touchpoint, empty before the first',
    substage      LowCardinality(String) COMMENT 'Substage of the journey after the touchpoint',
    at            DateTime64(3, 'UTC') COMMENT 'When it struck: an absence when its time had run out, all others at their touchpoint',
    touchpoint_id String COMMENT 'message_id of the touchpoint that caused it; of an absence the one that nothing followed',
    identifier    String COMMENT 'Identifier of that touchpoint',
    session_id    String COMMENT 'Session that holds that touchpoint now, empty for business touchpoints',
    channel       LowCardinality(String) COMMENT 'Channel of that touchpoint',
    persona       LowCardinality(String) COMMENT 'The profile''s at that touchpoint, empty: none matches',
    live          Bool COMMENT 'false: caused by a late or backfilled touchpoint',
    model         LowCardinality(String) COMMENT 'Journey model that found it',
    emitted_at    DateTime64(3, 'UTC') COMMENT 'When it was published',
    epoch         UInt32 COMMENT 'Rebuild that made the row, 0: none'
)
AS
SELECT
    f.friction_id AS friction_id, f.profile AS profile, f.journey_id AS journey_id, f.name AS name, f.kind AS kind,
    f.severity AS severity, f.stage AS stage, f.substage AS substage, f.at AS at, f.touchpoint_id AS touchpoint_id,
    f.identifier AS identifier, if(v.merged_into != '', v.merged_into, f.session_id) AS session_id,
    f.channel AS channel, f.persona AS persona, f.live AS live, f.model AS model, f.emitted_at AS emitted_at,
    toUInt32(bitShiftRight(f.revision, 40)) AS epoch
FROM {{.DB}}.frictions AS f FINAL
LEFT JOIN
(
    SELECT session_id AS void_id, merged_into FROM {{.DB}}.sessions FINAL
    WHERE status = 'void'
      AND {{.InForce "device" "ended_at"}}
) AS v ON v.void_id = f.session_id
WHERE f.status != 'void' AND {{.InForce "profile" "f.at"}}
SETTINGS join_use_nulls = 0 -- a reader's own setting would turn unmatched rows into nulls
COMMENT 'Friction: trouble that customers had, in force';
