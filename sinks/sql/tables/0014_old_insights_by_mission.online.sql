DROP INDEX CONCURRENTLY IF EXISTS cube.key_agentic_insights_mission_ref_idx;
