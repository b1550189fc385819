-- Metrics, as `migrate` has them from the registry (config/metrics.yaml and the files of cube.metrics_files).

CREATE TABLE cube.metric_definition (
	name text COLLATE "C" PRIMARY KEY,
	definition jsonb NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now()
);
