-- Snapshots that allow a contract to be rolled back.

CREATE TABLE cube.fact_snapshots (
	snapshot_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	actor_key int NOT NULL,
	contract_id text COLLATE "C",
	snapshot_type text,
	status text,
	system_health_score double precision,
	is_golden boolean,
	is_validated boolean,
	validation_seconds double precision,
	triggered_by text,
	notes text,
	created_at timestamptz NOT NULL,
	validated_at timestamptz,
	restored_at timestamptz,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (snapshot_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_snapshots (time_key);
COMMENT ON TABLE cube.fact_snapshots IS 'One row a safe-hold snapshot; natural primary key.';
SELECT cube.comment_columns('cube.fact_snapshots', $$
	snapshot_id: natural key
	time_key: dim_time, the minute of created_at
	actor_key: dim_actor: who triggered it
	contract_id: the contract it was taken for
	snapshot_type: pre_action, …
	status: active, restored, …
	system_health_score: as the source has it, 0 to 100
	is_golden: a snapshot to return to
	is_validated: it was checked
	validation_seconds: validated_at − created_at, seconds
	triggered_by: raw text
	notes: free text
	created_at: creation
	validated_at: when it was checked
	restored_at: when it was restored
	loaded_at: when the row was last written
$$);
SELECT cube.define_fact('fact_snapshots', 'snapshots', p_keeps => ARRAY['notes']);
SELECT cube.define_link('fact_snapshots', 'contract_id', 'verification_executions');
SELECT cube.define_rollup('rollup_snapshots_daily', 'fact_snapshots', ARRAY['day date = cube.day_of(f.time_key)'],
	ARRAY['snapshots bigint = 1', 'validated bigint = coalesce(f.is_validated, false)::int', 'restored bigint = (f.restored_at IS NOT NULL)::int']);

CREATE VIEW cube.cube_daily_snapshots AS
SELECT day, cube.total(snapshots) AS snapshots, cube.total(validated) AS validated, cube.total(restored) AS restored
FROM cube.rollup_snapshots_daily GROUP BY day HAVING cube.total(snapshots) <> 0;
COMMENT ON VIEW cube.cube_daily_snapshots IS 'Snapshots by UTC day.';
SELECT cube.comment_columns('cube.cube_daily_snapshots', $$
	day: UTC day
	snapshots: taken on that day
	validated: those of them that were validated
	restored: those of them that were restored
$$);
