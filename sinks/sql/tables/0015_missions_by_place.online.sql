CREATE INDEX CONCURRENTLY IF NOT EXISTS version_missions_by_place ON cube.version_missions (source_id, coalesce(place_us, at_us), lsn, tie);
