-- A version with a log position was told from others by that alone, which another log may have too: now by its own time as well. By the time this
-- runs, no function of before writes any more. One that was sent again since then is there under both.
DO $$
DECLARE versions text;
BEGIN
	FOREACH versions IN ARRAY ARRAY['version_missions', 'version_tiers'] LOOP
		EXECUTE format('DELETE FROM cube.%1$I v USING cube.%1$I w WHERE v.lsn > 0 AND v.at_us = 0 AND (w.source_id, w.lsn, w.tie) = (v.source_id, v.lsn, v.tie)
			AND w.at_us = round(extract(epoch FROM v.changed_at) * 1000000)', versions);
		EXECUTE format('UPDATE cube.%I SET at_us = round(extract(epoch FROM changed_at) * 1000000) WHERE lsn > 0 AND at_us = 0', versions);
		COMMIT;
	END LOOP;
END $$;
