-- Where a version of a mission stands, as 0009_order.sql has it for all records.
ALTER TABLE cube.version_missions ADD COLUMN place_us bigint;
