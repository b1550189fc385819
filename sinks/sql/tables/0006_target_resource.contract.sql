-- Merge functions without target_resource. A new cube has none, and no code yet.
DO $$ BEGIN IF to_regproc('cube.drop_older_merges') IS NOT NULL THEN PERFORM cube.drop_older_merges(); END IF; END $$;
