-- The sums of a mission grow for as long as it lasts, and its confidence, counted in billionths, filled a bigint after 10.6 days of 10,000
-- contracts a second. This table takes the place of cube.rollup_verification_mission: it is filled from the facts while that one goes on being
-- read, and written by the same triggers.

CREATE TABLE cube.rollup_mission_executions (
	mission_key int NOT NULL, tier_key int NOT NULL, lane smallint NOT NULL, executions bigint NOT NULL,
	successful bigint NOT NULL, confidence_n bigint NOT NULL, confidence_ppb numeric NOT NULL,
	PRIMARY KEY (mission_key, tier_key, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
