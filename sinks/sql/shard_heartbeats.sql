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

-- A gap needs its neighbours, which no rollup knows; but whether a shard is alive its last hundred beats tell, however many there were.
CREATE INDEX ON cube.fact_shard_heartbeats (shard_id, created_at);
CREATE VIEW cube.cube_shard_liveness AS
SELECT s.shard_id, s.heartbeats, l.last_heartbeat_at, date_part('epoch', now() - l.last_heartbeat_at) AS seconds_since,
	l.usual_gap AS usual_gap_seconds, coalesce((SELECT sum(greatest(round(g / nullif(l.usual_gap, 0)) - 1, 0)) FROM unnest(l.gaps) g), 0)::bigint AS missed_beats,
	s.avg_load, l.last_status
FROM (SELECT shard_id, cube.total(heartbeats) AS heartbeats, cube.mean(cube.total(load_micro), cube.total(load_n), 1e6) AS avg_load
	FROM cube.rollup_heartbeats_daily GROUP BY shard_id HAVING cube.total(heartbeats) <> 0) s,
LATERAL (SELECT max(b.created_at) AS last_heartbeat_at, percentile_cont(0.5) WITHIN GROUP (ORDER BY b.gap) AS usual_gap, array_agg(b.gap) AS gaps,
		(array_agg(b.status ORDER BY b.created_at DESC))[1] AS last_status
	FROM (SELECT r.created_at, r.status, date_part('epoch', r.created_at - lag(r.created_at) OVER (ORDER BY r.created_at)) AS gap
		FROM (SELECT f.created_at, f.status FROM cube.fact_shard_heartbeats f WHERE f.shard_id = s.shard_id ORDER BY f.created_at DESC LIMIT 101) r) b) l;
COMMENT ON VIEW cube.cube_shard_liveness IS 'Is each shard alive: last heartbeat, beats missed lately against its own usual gap, load.';
SELECT cube.comment_columns('cube.cube_shard_liveness', $$
	shard_id: the shard
	heartbeats: beats
	last_heartbeat_at: the last one
	seconds_since: how long ago that is
	usual_gap_seconds: median time between its last 101 beats, seconds
	missed_beats: beats that the usual gap would have had in longer gaps, among these
	avg_load: mean load
	last_status: status of the last beat
$$);
