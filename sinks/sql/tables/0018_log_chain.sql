-- Whether the chain of the log is whole, in one table, and by day, so that what is old may go. The sums of hashes of a block of 256 places were full
-- once a log had given the same 256 numbers more than twice, and what came beyond was a dead letter: they are a numeric. It takes the place of
-- cube.rollup_log_blocks and cube.rollup_log_links: it is filled from the facts while these go on being read, and written by the same triggers.

CREATE TABLE cube.rollup_log_chain (
	block bigint NOT NULL, day date NOT NULL, lane smallint NOT NULL, entries bigint NOT NULL, changed bigint NOT NULL,
	links numeric NOT NULL, PRIMARY KEY (block, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
