-- Runs of self-healing playbooks.

SELECT cube.describe('cube.fact_playbook_runs', 'One row a playbook run; natural primary key.', $$
	run_id: natural key, the source's id as text
	time_key: dim_time, the minute of created_at
	component_key: dim_component: the service that is repaired
	actor_key: dim_actor: who asked for it
	run_number: the same id as a number: the highest run of an error is the one that counts
	playbook_id: the playbook, as text; NULL when the run has none
	status: proposed, running, succeeded, failed, aborted, rolled_back
	was_successful: status is succeeded
	diagnosis_code: code of the diagnosis
	error_id: the error that the diagnosis names, as in fact_error_events
	approval_id: the approval it waited for, as in fact_approvals
	queue_seconds: started_at − created_at, seconds
	duration_seconds: ended_at − started_at, seconds
	created_at: creation
	started_at: begin
	ended_at: end
	loaded_at: when the row was last written
$$);

SELECT cube.define_fact('fact_playbook_runs', 'playbook_runs', p_keeps => ARRAY['diagnosis_code', 'error_id']);
SELECT cube.define_link('fact_playbook_runs', 'error_id', 'error_events');
SELECT cube.define_rollup('rollup_playbooks_daily', 'fact_playbook_runs',
	ARRAY['day date = cube.day_of(f.time_key)', 'playbook_id text = coalesce(f.playbook_id, ''unknown'')', 'component_key int = f.component_key'],
	ARRAY['runs bigint = 1', 'successful bigint = f.was_successful::int', 'ended bigint = (f.ended_at IS NOT NULL)::int',
		'duration_n bigint = (f.duration_seconds IS NOT NULL)::int', 'duration_us bigint = round(f.duration_seconds * 1e6)::bigint']);
