-- The latest full snapshot of a table of which the last row has come: what it lacks is gone, see `gracecube reconcile`.
ALTER TABLE cube.etl_offset ADD COLUMN snapshot_us bigint;
