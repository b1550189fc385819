-- How errors ended: resolved, false positive, archived, open. A false positive is resolved, too, and 0.2.0 did not tell it from others.
CREATE TABLE cube.rollup_errors_by_status (
	day date NOT NULL, severity text NOT NULL, status text NOT NULL, component_key int NOT NULL, lane smallint NOT NULL,
	errors bigint NOT NULL, resolution_n bigint NOT NULL, resolution_us bigint NOT NULL,
	PRIMARY KEY (day, severity, status, component_key, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 5000);
