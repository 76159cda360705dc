-- The stages of a model are written in one insert, so the newest revision is
-- always a whole model.
CREATE OR REPLACE VIEW {{.DB}}_bi.dim_stage
(
    model       String COMMENT 'Name of the journey model in force',
    stage       String COMMENT 'Name of the stage',
    stage_order UInt8 COMMENT 'Position in the model, from 1',
    substages   Array(String) COMMENT 'Substages in order',
    window_seconds Float64 COMMENT 'Time a journey may stay before it counts as dropped off'
)
AS SELECT model, stage, stage_order, substages, window_ms / 1000 AS window_seconds
FROM {{.DB}}.stages FINAL
WHERE revision = (SELECT max(revision) FROM {{.DB}}.stages)
ORDER BY stage_order
COMMENT 'Stages of the journey model in force';
