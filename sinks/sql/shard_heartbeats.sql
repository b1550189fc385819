-- Signs of life of shards.

CREATE TABLE cube.fact_shard_heartbeats (
	heartbeat_id text COLLATE "C" NOT NULL,
	time_key int NOT NULL,
	component_key int NOT NULL,
	actor_key int NOT NULL,
	shard_id text NOT NULL,
	status text,
	load double precision,
	created_at timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (heartbeat_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON cube.fact_shard_heartbeats (time_key);
COMMENT ON TABLE cube.fact_shard_heartbeats IS 'One row a heartbeat; shard and time are its natural primary key.';
SELECT cube.comment_columns('cube.fact_shard_heartbeats', $$
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

CREATE VIEW cube.cube_shard_liveness AS
WITH beats AS (
	SELECT shard_id, created_at, status, load, date_part('epoch', created_at - lag(created_at) OVER (PARTITION BY shard_id ORDER BY created_at)) AS gap
	FROM cube.fact_shard_heartbeats),
usual AS (SELECT shard_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) AS gap FROM beats GROUP BY shard_id)
SELECT b.shard_id, count(*) AS heartbeats, max(b.created_at) AS last_heartbeat_at, date_part('epoch', now() - max(b.created_at)) AS seconds_since,
	u.gap AS usual_gap_seconds, coalesce(sum(greatest(round(b.gap / nullif(u.gap, 0)) - 1, 0)), 0)::bigint AS missed_beats, avg(b.load) AS avg_load,
	(array_agg(b.status ORDER BY b.created_at DESC))[1] AS last_status
FROM beats b JOIN usual u USING (shard_id) GROUP BY b.shard_id, u.gap;
COMMENT ON VIEW cube.cube_shard_liveness IS 'Is each shard alive: last heartbeat, beats missed against its own usual gap, load. Read from the facts: a gap needs its neighbours.';
SELECT cube.comment_columns('cube.cube_shard_liveness', $$
	shard_id: the shard
	heartbeats: beats
	last_heartbeat_at: the last one
	seconds_since: how long ago that is
	usual_gap_seconds: median time between beats, seconds
	missed_beats: beats that the usual gap would have had in longer gaps
	avg_load: mean load
	last_status: status of the last beat
$$);
