-- Links of more keys than one transaction takes, and which partitions stand still.

CREATE TABLE cube.relink_queue (
	relink_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	target text NOT NULL,
	column_name text NOT NULL,
	value text COLLATE "C" NOT NULL,
	after_key text COLLATE "C" NOT NULL DEFAULT '',
	queued_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cube.etl_halt (
	group_id text NOT NULL,
	topic text NOT NULL,
	partition int NOT NULL,
	owner text NOT NULL,
	halted_at timestamptz NOT NULL,
	told_at timestamptz NOT NULL DEFAULT now(),
	code text NOT NULL,
	reason text NOT NULL,
	PRIMARY KEY (group_id, topic, partition)
);
