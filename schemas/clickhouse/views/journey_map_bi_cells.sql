-- The journey map as a table, over all time: a row per stage and channel.
CREATE OR REPLACE VIEW {{.DB}}_bi.v_journey_map
(
  stage String COMMENT 'Stage of the journey model',
  stage_order UInt8 COMMENT 'Position of the stage in the model; sort by it',
  channel LowCardinality(String) COMMENT 'Channel of the touchpoints',
  touchpoints UInt64 COMMENT 'Touchpoints on the channel while the profile was in the stage, without robots',
  profiles UInt64 COMMENT 'Unique profiles with such a touchpoint; a profile can be in several cells, so never sum them',
  mean_dwell_seconds Nullable(Float64) COMMENT 'Mean seconds from entering the stage to leaving it, of the cell''s profiles; NULL: none has left yet'
) AS
SELECT stage, stage_order, channel, touchpoints, profiles, mean_dwell_seconds
FROM {{.DB}}_api.journey_map(from = '1900-01-01 00:00:00.000', to = '2299-01-01 00:00:00.000')
COMMENT 'The journey map: stage x channel, over all time';
