CREATE INDEX CONCURRENTLY IF NOT EXISTS key_agentic_insights_by_mission ON cube.key_agentic_insights (mission_ref, insight_id) WHERE mission_ref IS NOT NULL;
