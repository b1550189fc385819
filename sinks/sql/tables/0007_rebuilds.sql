-- Rebuilds: each is a cube of its own beside this one until it takes its place. That of the cube under way has no swapped_at.

CREATE TABLE cube.rebuild (
	rebuild_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	began_at timestamptz NOT NULL DEFAULT now(),
	began_by text NOT NULL DEFAULT session_user,
	program text NOT NULL,
	partitions bigint[] NOT NULL,
	incomplete text[] NOT NULL,
	members jsonb NOT NULL,
	kept bigint NOT NULL,
	read_at timestamptz,
	swapped_at timestamptz,
	dropped_at timestamptz
);
