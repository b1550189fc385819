-- Places of records, see deploy/RUNBOOK.md, "Which record is the newer one": what a partition's records so far say of those to come, and how many
-- were superseded although their own time was the later one.
ALTER TABLE cube.etl_offset ADD COLUMN record_order bigint[], ADD COLUMN contradicting bigint NOT NULL DEFAULT 0;
