-- When nobody is left who began to write facts by the triggers of before: whoever begins behind this lock has those of today.
LOCK TABLE ONLY cube.fact_agentic_events IN SHARE ROW EXCLUSIVE MODE;
DROP TABLE cube.rollup_log_blocks, cube.rollup_log_links;
