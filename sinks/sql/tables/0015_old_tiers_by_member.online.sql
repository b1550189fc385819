DROP INDEX CONCURRENTLY IF EXISTS cube.version_tiers_tier_key_idx;
