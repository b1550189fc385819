-- One rollup that knows days and is filled day by day, one that does not.
SELECT cube.define_rollup('rollup_next_daily', 'fact_verification_executions',
	ARRAY['day date = cube.day_of(f.time_key)', 'action_type text = coalesce(f.action_type, ''unknown'')'],
	ARRAY['executions bigint = 1', 'duration_us bigint = round(f.duration_seconds * 1e6)::bigint']);
SELECT cube.define_rollup('rollup_next_status', 'fact_verification_executions', ARRAY['contract_status text = coalesce(f.contract_status, ''unknown'')'], ARRAY['executions bigint = 1']);
