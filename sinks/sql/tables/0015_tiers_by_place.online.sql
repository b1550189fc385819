CREATE INDEX CONCURRENTLY IF NOT EXISTS version_tiers_by_place ON cube.version_tiers (source_id, coalesce(place_us, at_us), lsn, tie);
