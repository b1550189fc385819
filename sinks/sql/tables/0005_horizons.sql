-- Facts may go by age, what was summed of them stays: up to where each fact is closed, which months went, and what other facts knew of them.

-- Of the ignored ones, so that programs that do not know of it keep the ledger closed.
ALTER TABLE cube.etl_offset ADD COLUMN expired bigint NOT NULL DEFAULT 0, ADD CONSTRAINT expired_are_ignored CHECK (expired BETWEEN 0 AND ignored);

CREATE TABLE cube.horizon (
	fact text PRIMARY KEY,
	closed_before timestamptz NOT NULL,
	closed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cube.closed_month (
	fact text NOT NULL,
	month date NOT NULL,
	bytes bigint NOT NULL,
	facts bigint,
	links_kept_at timestamptz NOT NULL DEFAULT now(),
	detached_at timestamptz,
	dropped_at timestamptz,
	PRIMARY KEY (fact, month)
);

CREATE TABLE cube.fact_link (
	fact text NOT NULL,
	target text NOT NULL,
	linked_keys text NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (fact, target)
);

CREATE TABLE cube.closed_link (
	target text NOT NULL,
	key text COLLATE "C" NOT NULL,
	links jsonb NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (target, key)
);
