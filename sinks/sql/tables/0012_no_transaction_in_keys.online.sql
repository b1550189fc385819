-- That a transaction wrote a key was told by its number, which is another one's in a cube that was dumped and restored. Merges know it of themselves,
-- and no program has asked for it: each table lets it go in a transaction of its own.
SELECT format('ALTER TABLE cube.%I DROP COLUMN xid', c.relname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'cube'::regnamespace AND c.relname LIKE 'key\_%' AND a.attname = 'xid' AND NOT a.attisdropped ORDER BY c.relname;
