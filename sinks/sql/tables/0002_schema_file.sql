-- What this cube was made by, file by file: `migrate` and every program that connects compare it with what they carry.

CREATE TABLE cube.schema_file (
	file text COLLATE "C" PRIMARY KEY,
	sha256 text NOT NULL,
	program text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);
