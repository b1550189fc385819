-- Is each shard alive?

SELECT cube.define_view('cube_shard_liveness', $$
SELECT s.shard_id, s.heartbeats, l.last_heartbeat_at, date_part('epoch', now() - l.last_heartbeat_at) AS seconds_since,
	l.usual_gap AS usual_gap_seconds, coalesce((SELECT sum(greatest(round(g / nullif(l.usual_gap, 0)) - 1, 0)) FROM unnest(l.gaps) g), 0)::bigint AS missed_beats,
	s.avg_load, l.last_status
FROM (SELECT shard_id, cube.total(heartbeats) AS heartbeats, cube.mean(sum(load_micro), cube.total(load_n), 1e6) AS avg_load
	FROM cube.rollup_heartbeats_daily GROUP BY shard_id HAVING cube.total(heartbeats) <> 0) s,
LATERAL (SELECT max(b.created_at) AS last_heartbeat_at, percentile_cont(0.5) WITHIN GROUP (ORDER BY b.gap) AS usual_gap, array_agg(b.gap) AS gaps,
		(array_agg(b.status ORDER BY b.created_at DESC))[1] AS last_status
	FROM (SELECT r.created_at, r.status, date_part('epoch', r.created_at - lag(r.created_at) OVER (ORDER BY r.created_at)) AS gap
		FROM (SELECT f.created_at, f.status FROM cube.fact_shard_heartbeats f WHERE f.shard_id = s.shard_id ORDER BY f.created_at DESC LIMIT 101) r) b) l$$);
SELECT cube.describe('cube.cube_shard_liveness', 'Is each shard alive: last heartbeat, beats missed lately against its own usual gap, load. Of all tiers, whoever asks.', $$
	shard_id: the shard
	heartbeats: beats
	last_heartbeat_at: the last one
	seconds_since: how long ago that is
	usual_gap_seconds: median time between its last 101 beats, seconds
	missed_beats: beats that the usual gap would have had in longer gaps, among these
	avg_load: mean load
	last_status: status of the last beat
$$);
