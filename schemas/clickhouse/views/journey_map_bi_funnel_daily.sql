-- Stage conversion by the day a stage was entered, over all time.
CREATE OR REPLACE VIEW {{.DB}}_bi.v_stage_funnel_daily
(
  day Date COMMENT 'Day (UTC) on which the stage was entered or passed over',
  stage String COMMENT 'Stage of the journey model',
  stage_order UInt8 COMMENT 'Position of the stage in the model; sort by it',
  profiles UInt64 COMMENT 'Unique profiles that entered or passed over the stage on that day, without robots',
  went_on UInt64 COMMENT 'Those of them whose journey reached a later stage afterwards, on whatever day',
  conversion Nullable(Float64) COMMENT 'went_on / profiles, 0 to 1; can rise while is_immature. NULL: last stage',
  dropped UInt64 COMMENT 'Those who did not go on, and whose journey or time in the stage (its window) is over; 0 in the last stage',
  still_open UInt64 COMMENT 'Those who may still go on; 0 in the last stage',
  is_immature Bool COMMENT 'Some may still go on'
) AS
SELECT day, stage, stage_order, profiles, went_on, conversion, dropped, still_open, is_immature
FROM {{.DB}}_api.stage_funnel_daily(from = '1900-01-01 00:00:00.000', to = '2299-01-01 00:00:00.000')
COMMENT 'Stage conversion by day of entry';
