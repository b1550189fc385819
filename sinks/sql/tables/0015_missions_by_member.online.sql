-- Whether a version says what the one before it says is told without reading the others of its source; in the order of places, see 0009_order.sql.
CREATE INDEX CONCURRENTLY IF NOT EXISTS version_missions_by_member ON cube.version_missions (mission_key, source_id);
