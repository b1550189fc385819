-- What a contract acts on, which its expected effect says. Contracts that are there already have it when their next record comes, or when they are
-- read again.
ALTER TABLE cube.fact_verification_executions ADD COLUMN target_resource text;
