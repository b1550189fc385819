-- Signs of life of shards.

SELECT cube.describe('cube.fact_shard_heartbeats', 'One row a heartbeat; shard and time are its natural primary key.', $$
	heartbeat_id: <shard_id>@<µs since 1970>
	time_key: dim_time, the minute of created_at
	component_key: dim_component: shard_orchestrator
	actor_key: dim_actor: agent:<shard_id>
	shard_id: the shard
	status: as the shard says
	load: as the shard says
	created_at: when
	loaded_at: when the row was last written
$$);

SELECT cube.define_fact('fact_shard_heartbeats', 'shard_heartbeats');
SELECT cube.define_rollup('rollup_heartbeats_daily', 'fact_shard_heartbeats',
	ARRAY['day date = cube.day_of(f.time_key)', 'shard_id text = f.shard_id'],
	ARRAY['heartbeats bigint = 1', 'load_n bigint = (f.load IS NOT NULL)::int', 'load_micro bigint = round(f.load * 1e6)::bigint']);
