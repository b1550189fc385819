-- Snapshots that allow a contract to be rolled back.

SELECT cube.describe('cube.fact_snapshots', 'One row a safe-hold snapshot; natural primary key.', $$
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
