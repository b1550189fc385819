-- That a transaction wrote a key was told by its number, which is another one's in a cube that was dumped and restored. Merges know it of themselves.
DO $$
DECLARE key_table regclass;
BEGIN
	FOR key_table IN SELECT a.attrelid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
			WHERE c.relnamespace = 'cube'::regnamespace AND c.relname LIKE 'key\_%' AND a.attname = 'xid' AND NOT a.attisdropped ORDER BY c.relname LOOP
		EXECUTE format('ALTER TABLE %s DROP COLUMN xid', key_table);
	END LOOP;
END $$;
