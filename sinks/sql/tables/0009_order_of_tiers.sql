-- Where a version of a tier stands, as 0009_order.sql has it for all records.
ALTER TABLE cube.version_tiers ADD COLUMN place_us bigint;
