-- The journey map's stage headers, over all time: a row per stage.
CREATE OR REPLACE VIEW {{.DB}}_bi.v_stage_funnel
(
  stage String COMMENT 'Stage of the journey model',
  stage_order UInt8 COMMENT 'Position of the stage in the model; sort by it',
  profiles UInt64 COMMENT 'Unique profiles that reached this stage or a later one, without robots',
  of_entrants Nullable(Float64) COMMENT 'profiles / profiles of the first stage, 0 to 1; NULL: no entrants',
  went_on UInt64 COMMENT 'Unique profiles that reached a later stage',
  conversion Nullable(Float64) COMMENT 'went_on / profiles, 0 to 1. Windows are not closed yet: who may still go on counts as not gone on. NULL: last stage, or nobody',
  median_dwell_seconds Nullable(Float64) COMMENT 'Median seconds from entering the stage to leaving it; NULL: none has left yet',
  mean_dwell_seconds Nullable(Float64) COMMENT 'Mean seconds from entering the stage to leaving it; NULL: none has left yet'
) AS
SELECT stage, stage_order, profiles, of_entrants, went_on, conversion, median_dwell_seconds, mean_dwell_seconds
FROM {{.DB}}_api.stage_funnel(from = '1900-01-01 00:00:00.000', to = '2299-01-01 00:00:00.000')
COMMENT 'Stage by stage: profiles, conversion and dwell, over all time';
