-- Dead letters are worked off: what became of each, and a count of them that is there without counting. Programs of before go on: what they
-- write has neither bytes nor outcome, and 0004_dead_letters_counted.online.sql counts what they had written before.

ALTER TABLE cube.etl_dead_letter
	ADD COLUMN bytes bigint,
	ADD COLUMN tries bigint NOT NULL DEFAULT 0,
	ADD COLUMN outcome text,
	ADD COLUMN worked_at timestamptz,
	ADD COLUMN worked_by text,
	ADD COLUMN imported_at timestamptz,
	ADD CONSTRAINT outcome_is_known CHECK (outcome IN ('applied', 'superseded', 'ignored', 'discarded')) NOT VALID;

CREATE TABLE cube.etl_dead_letter_ledger (
	group_id text NOT NULL,
	topic text NOT NULL,
	partition int NOT NULL,
	stream text NOT NULL,
	letters bigint NOT NULL DEFAULT 0,
	worked bigint NOT NULL DEFAULT 0,
	bytes bigint NOT NULL DEFAULT 0,
	retries bigint NOT NULL DEFAULT 0,
	dropped bigint NOT NULL DEFAULT 0,
	changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (group_id, topic, partition, stream)
) WITH (fillfactor = 50);
