-- "user:" in a resolution note means that a person resolved the error, in any case; of errors of the mesh only lower case was seen. Those whose
-- note says it otherwise are computed again, 500 a transaction. It may be repeated.
DO $$
DECLARE
	ids text[];
	last_id text COLLATE "C" := '';
BEGIN
	LOOP
		ids := ARRAY(SELECT m.subject_id FROM cube.mesh_aspect m WHERE m.aspect = 'resolved' AND cube.names_person(m.note)
			AND m.note NOT LIKE '%user:%' AND m.subject_id > last_id ORDER BY m.subject_id LIMIT 500);
		EXIT WHEN ids = '{}';
		PERFORM cube.lock_error_events(ids);
		PERFORM cube.merge_mesh_errors(ids);
		last_id := ids[cardinality(ids)];
		COMMIT;
	END LOOP;
END $$;
