-- A mission that very many contracts named in passing becomes known in slices, in the order of their keys: see code/2_engine/relink.sql.
CREATE INDEX CONCURRENTLY IF NOT EXISTS key_verification_executions_by_mission ON cube.key_verification_executions (mission_ref, contract_id) WHERE mission_ref IS NOT NULL;
