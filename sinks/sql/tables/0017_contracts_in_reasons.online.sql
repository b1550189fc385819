-- Approvals name their contract in their reason, which was not read before. Those that are there get it, and its tier with it, 500 a transaction. It
-- may be repeated.
DO $$
DECLARE
	ids text[];
	contracts text[];
	last_id text COLLATE "C" := '';
BEGIN
	LOOP
		SELECT array_agg(a.approval_id ORDER BY a.approval_id), array_agg(a.contract ORDER BY a.approval_id) INTO ids, contracts
		FROM (SELECT f.approval_id, cube.contract_in(f.action_description) AS contract FROM cube.fact_approvals f
			WHERE f.contract_id IS NULL AND f.action_description LIKE '%contract=%' AND octet_length(cube.contract_in(f.action_description)) <= 512 AND f.approval_id > last_id
			ORDER BY f.approval_id LIMIT 500) a;
		EXIT WHEN ids IS NULL;
		PERFORM cube.lock_verification_executions(contracts), cube.lock_approvals(ids);
		UPDATE cube.key_approvals k SET contract_id = u.contract FROM unnest(ids, contracts) u (id, contract) WHERE k.approval_id = u.id AND k.contract_id IS NULL;
		UPDATE cube.fact_approvals f SET contract_id = k.contract_id FROM cube.key_approvals k
		WHERE k.approval_id = ANY (ids) AND f.approval_id = k.approval_id AND f.created_at = k.created_at AND f.contract_id IS NULL;
		PERFORM cube.relink_approvals(ids);
		last_id := ids[cardinality(ids)];
		COMMIT;
	END LOOP;
END $$;
