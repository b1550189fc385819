-- Prints one statement a table that copies what the cube has of its facts, :copies times, with their keys and the links between them, evenly over
-- the year before. Keys of a copy are as random as Grace's own, and its rows refer to each other. The statements may run beside each other. No
-- trigger fires: the rollups are filled afterwards, as new ones are, by `gracecube migrate`.
\set moved 's.created_at - (' :copies ' - i) * interval ''360 days'' / ' :copies
SELECT replace(format('SET session_replication_role = replica; INSERT INTO cube.%1$I (%2$s) SELECT %3$s FROM generate_series(1, %4$s) i, cube.%1$I s', c.relname,
	string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
	string_agg(CASE WHEN a.attname IN (SELECT key_column FROM cube.fact) THEN format($$s.%1$I || '~' || left(md5(s.%1$I || i), 8) || i$$, a.attname)
		WHEN a.attname = 'created_at' THEN :'moved'
		WHEN a.attname = 'time_key' THEN format('cube.time_key(%s)', :'moved')
		WHEN a.attname = 'sequence' THEN 's.sequence + i * 1000000::bigint'
		ELSE format('s.%I', a.attname) END, ', ' ORDER BY a.attnum), :copies), E'\n', ' ')
FROM cube.fact f, unnest(ARRAY[f.fact, 'key_' || f.target]) t, pg_class c, pg_attribute a
WHERE c.oid = format('cube.%I', t)::regclass AND a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
GROUP BY c.relname ORDER BY c.relname LIKE '%agentic_events' DESC, c.relname LIKE '%verification_executions' DESC, c.relname;
