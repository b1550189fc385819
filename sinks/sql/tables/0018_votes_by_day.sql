-- Votes by session and member, and by day, so that what is old may go. It takes the place of cube.rollup_votes, as cube.rollup_log_chain does of others.

CREATE TABLE cube.rollup_votes_daily (
	governance_session_id text COLLATE "C" NOT NULL, actor_key int NOT NULL, day date NOT NULL, lane smallint NOT NULL, votes bigint NOT NULL,
	approve bigint NOT NULL, reject bigint NOT NULL, abstain bigint NOT NULL, PRIMARY KEY (governance_session_id, actor_key, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
