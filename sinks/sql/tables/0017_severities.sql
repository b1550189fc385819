-- Severities are words of the sources; which is worse than which stands here, and whoever runs a cube adds those that are missing.
CREATE TABLE cube.dim_severity (
	severity text PRIMARY KEY,
	severity_order int NOT NULL
);
INSERT INTO cube.dim_severity VALUES ('unknown', 0), ('info', 10), ('low', 20), ('medium', 30), ('high', 40), ('critical', 50), ('sev0', 60);
