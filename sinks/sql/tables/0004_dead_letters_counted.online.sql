-- Dead letters that were written before there was a ledger of them are counted, 1,000 a transaction: setting `bytes` makes the trigger count
-- them. Those that somebody had deleted by hand are noted as dropped. It may be repeated.
DO $$
DECLARE
	last_id bigint := 0;
	ids bigint[];
BEGIN
	LOOP
		ids := ARRAY(SELECT d.dead_letter_id FROM cube.etl_dead_letter d WHERE d.bytes IS NULL AND d.dead_letter_id > last_id
			ORDER BY d.dead_letter_id LIMIT 1000);
		EXIT WHEN ids = '{}';
		UPDATE cube.etl_dead_letter d SET bytes = cube.dead_letter_bytes(d.key, d.value, d.headers)
		WHERE d.dead_letter_id = ANY (ids) AND d.bytes IS NULL;
		last_id := ids[cardinality(ids)];
		COMMIT;
	END LOOP;
	INSERT INTO cube.etl_dead_letter_ledger AS l (group_id, topic, partition, stream, dropped)
	SELECT m.group_id, m.topic, m.partition, m.stream, m.missing FROM cube.missing_dead_letters() m WHERE m.missing > 0
	ON CONFLICT (group_id, topic, partition, stream) DO UPDATE SET dropped = l.dropped + excluded.dropped;
	COMMIT;
	ALTER TABLE cube.etl_dead_letter VALIDATE CONSTRAINT outcome_is_known;
END $$;
