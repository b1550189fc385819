DROP INDEX CONCURRENTLY IF EXISTS cube.version_missions_mission_key_idx;
