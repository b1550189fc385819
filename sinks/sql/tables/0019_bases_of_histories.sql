-- Old versions of missions and tiers may go by age: of each member one row stands for them, from which its history goes on.

CREATE TABLE cube.base_missions (
	mission_key int PRIMARY KEY, place_us bigint NOT NULL, lsn bigint NOT NULL, tie bigint NOT NULL, source_id text COLLATE "C" NOT NULL,
	version_number int NOT NULL, told_at timestamptz NOT NULL, deleted_at timestamptz, mission_name text, mission_type text,
	started_at timestamptz, completed_at timestamptz, final_status text, closed_before timestamptz NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cube.base_tiers (
	tier_key int PRIMARY KEY, place_us bigint NOT NULL, lsn bigint NOT NULL, tie bigint NOT NULL, source_id text COLLATE "C" NOT NULL,
	version_number int NOT NULL, told_at timestamptz NOT NULL, deleted_at timestamptz, tier_name text, requires_approval boolean,
	requires_snapshot boolean, requires_benchmark boolean, risk_level text, description text, policy_from timestamptz,
	closed_before timestamptz NOT NULL, loaded_at timestamptz NOT NULL DEFAULT now()
);
