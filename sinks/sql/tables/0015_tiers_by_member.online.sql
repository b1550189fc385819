CREATE INDEX CONCURRENTLY IF NOT EXISTS version_tiers_by_member ON cube.version_tiers (tier_key, source_id);
