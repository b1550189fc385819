-- The latest TRUNCATE of a topic's table that was applied: what stands before it and comes later was deleted, see cube.note_truncate().
ALTER TABLE cube.etl_offset ADD COLUMN truncated bigint[];
