-- What a next release may want of tables: a column, an index, rollups. tests/scenarios/23_next_release.sh migrates to it.

ALTER TABLE cube.dim_component ADD COLUMN team text;

-- In a partition it is made by 9000_next_partitions.online.sql.
CREATE INDEX fact_verification_executions_playbook_run ON ONLY cube.fact_verification_executions (playbook_run_id, time_key);

CREATE TABLE cube.rollup_next_daily (day date NOT NULL, action_type text NOT NULL, lane smallint NOT NULL, executions bigint NOT NULL, duration_us bigint NOT NULL,
	PRIMARY KEY (day, action_type, lane));
CREATE TABLE cube.rollup_next_status (contract_status text NOT NULL, lane smallint NOT NULL, executions bigint NOT NULL, PRIMARY KEY (contract_status, lane));
