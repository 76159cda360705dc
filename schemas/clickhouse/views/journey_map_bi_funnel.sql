-- The journey map's stage headers, over all time: a row per stage.
CREATE OR REPLACE VIEW {{.DB}}_bi.v_stage_funnel
(
  stage String COMMENT 'Stage of the journey model',
  stage_order UInt8 COMMENT 'Position of the stage in the model; sort by it',
  profiles UInt64 COMMENT 'Unique profiles that reached this stage or a later one, without robots',
  of_entrants Nullable(Float64) COMMENT 'profiles / profiles of the first stage, 0 to 1; NULL: no entrants',
  went_on UInt64 COMMENT 'Unique profiles that reached a later stage',
  conversion Nullable(Float64) COMMENT 'went_on / profiles, 0 to 1; who may still go on counts as not gone on. NULL: last stage, or nobody',
  median_dwell_seconds Nullable(Float64) COMMENT 'Median seconds from entering the stage to leaving it; NULL: none has left yet',
  mean_dwell_seconds Nullable(Float64) COMMENT 'Mean seconds from entering the stage to leaving it; NULL: none has left yet',
  entered UInt64 COMMENT 'The same as profiles: converted + dropped + still_open',
  converted UInt64 COMMENT 'Those who reached a later stage; of the last stage all',
  dropped UInt64 COMMENT 'Those who did not, and whose journey or time in the stage (its window) is over',
  still_open UInt64 COMMENT 'Those who may still go on',
  is_immature Bool COMMENT 'Some may still go on, so conversion can rise',
  settled_conversion Nullable(Float64) COMMENT 'converted / (converted + dropped), 0 to 1: without those who may still go on. NULL: last stage, or nobody has settled',
  window_seconds Float64 COMMENT 'Time a journey may stay in the stage before it counts as dropped off; 0: as long as the journey lives'
) AS
SELECT stage, stage_order, profiles, of_entrants, went_on, conversion, median_dwell_seconds, mean_dwell_seconds,
  entered, converted, dropped, still_open, is_immature, settled_conversion, window_seconds
FROM {{.DB}}_api.stage_funnel(from = '1900-01-01 00:00:00.000', to = '2299-01-01 00:00:00.000')
COMMENT 'Stage by stage: profiles, conversion, drop-off and dwell, over all time';
