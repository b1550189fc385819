-- Of a table that is not partitioned: one statement.
CREATE INDEX CONCURRENTLY IF NOT EXISTS key_verification_executions_created_at ON cube.key_verification_executions (created_at);
