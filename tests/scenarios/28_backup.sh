#!/usr/bin/env bash
# A cube with traffic is backed up and comes back elsewhere, by the words of the runbook: from a dump in a new cluster, first without its roles,
# then with them, as a copy that reads on beside the original; and from a base backup at a point in time, where the group's committed
# offsets are ahead of the cube's positions. Each ends as the oracle says, with the rights it had.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/postgres.sh"
export POSTGRES_NO_SYNC=1 CUBE_OWNER_PASSWORD=owners CUBE_WRITER_PASSWORD=writers CUBE_API_PASSWORD=apis CUBE_READER_PASSWORD=readers
PATH=$(postgres_bin "$PWD/home"):$PATH
pids=''
leave() {
	local pid server
	for pid in $pids; do kill "$pid" 2>/dev/null || true; done
	for server in home away; do postgres_remove "$PWD/$server"; done
}
trap leave EXIT

# at SERVER LOGIN [DATABASE] → the program and PostgreSQL's own are told so
at() {
	PGHOST=$(postgres_socket "$PWD/$1") PGPORT=$(postgres_port "$PWD/$1") PGUSER=$2 PGDATABASE=${3:-gracecube}
	export PGHOST PGPORT PGUSER PGDATABASE GRACECUBE_POSTGRES_DSN="host=$PGHOST port=$PGPORT user=$PGUSER dbname=$PGDATABASE"
}
rights() { pg_dump --schema-only | python3 -B "$CUBE_TEST_ROOT/tests/lib/schema.py" | grep -E '^(GRANT|REVOKE|ALTER DEFAULT|CREATE POLICY|ALTER TABLE [^ ]* ENABLE ROW|ALTER .* OWNER TO)'; }
tiers_of_alice() { PGUSER=alice psql -X -At -c "SELECT string_agg(DISTINCT tier_code, ' ') FROM cube.cube_executions"; }

# --- A cube at home, made as the runbook says, and records that do not end ---
export ARCHIVE=$PWD/archive BASE=$PWD/base
mkdir "$ARCHIVE"
make_owner
give_to_owner 700 "$ARCHIVE"
postgres_start "$PWD/home" fsync=off archive_mode=on "archive_command='cp %p $ARCHIVE/%f'" >&2
at home gracecube postgres
createdb --template=template0 --encoding=UTF8 gracecube
at home gracecube
make_roles() { psql -X -q -f "$CUBE_TEST_ROOT/deploy/postgres/roles.sql" >&2; }
make_roles
sql -c 'CREATE ROLE alice LOGIN IN ROLE gracecube_tier_1'
at home gracecube_owner
"$CUBE_TEST_BIN" migrate >&2
own_topics
for part in 1 2 3; do more_traffic part.$part 4$part 120; done
head -n 1 "part.1/$CUBE_TEST_PREFIX.action_contracts.jsonl" | jq -c '.value = "not JSON"' >refused.jsonl
publish part.1/* refused.jsonl
at home gracecube_run
start run "$CUBE_TEST_BIN" run
pids=$PID
reaches "$(($(read_records part.1) + 1))" 60

# --- Backed up, of both kinds, while records come ---
at home gracecube
start publish "$CUBE_TEST_BIN" publish --rate 400 --progress none part.2/*
publisher=$PID
follows Backup 1 # the dump
follows Backup 3 # the base backup
in_dump=$(pg_restore --data-only --table=etl_offset --file=- cube.dump | awk '/^COPY/ { inside = 1; next } /^\\\./ { inside = 0 } inside' | wc -l)
[ "$in_dump" -gt 0 ] || fail 'the dump has no positions'
ends "$publisher" 60
equal 'publish: exit code' "$STATUS" 0
known=$(($(read_records part.1 part.2) + 1))
reaches "$known" 60
UNTIL=$(sql -c 'SELECT clock_timestamp()')
publish part.3/*
reaches $((known + $(read_records part.3))) 60
expect part.1 part.2 part.3
equal 'tiers that alice sees at home' "$(tiers_of_alice)" tier_1
rights >home.rights
sql -c 'SELECT pg_switch_wal()' >&2

# --- In a new cluster, before its roles: what was lost comes back ---
postgres_start "$PWD/away" fsync=off >&2
at away gracecube postgres
createdb --template=template0 --encoding=UTF8 bare
pg_restore --no-owner --dbname=bare cube.dump >bare.out 2>&1 || true
contains 'a dump without its roles' bare.out 'role "gracecube_reader" does not exist'
at away gracecube bare
make_roles
at away gracecube_owner bare
"$CUBE_TEST_BIN" migrate >bare.migrate
contains 'migrate of a cube without rights' bare.migrate '5_rights/rights.sql'
at away gracecube bare
sql -c 'CREATE ROLE alice LOGIN IN ROLE gracecube_tier_1'
rights | diff home.rights - >bare.diff || fail "rights after a restore without roles: $(head -n 5 bare.diff)"
equal 'tiers that alice sees without the roles of the dump' "$(tiers_of_alice)" tier_1
at away gracecube postgres
dropdb bare
psql -X -q -c 'DROP ROLE alice, gracecube_owner, gracecube_run, gracecube_serve, gracecube_grafana, gracecube_api, gracecube_reader, gracecube_writer, gracecube_tier_3, gracecube_tier_2, gracecube_tier_1'
shown "a dump that was restored before its roles has $(wc -l <home.rights) rights less, and gets them from roles.sql and migrate"

# --- As the runbook says: roles, database, and a copy goes on beside the original ---
at away gracecube
own_group=$GRACECUBE_KAFKA_GROUP_ID
"$CUBE_TEST_BIN" status >/dev/null 2>&1 && fail 'the new cluster has a cube'
follows Backup 2
contains 'migrate of what was restored' follows.2.out 'nothing to do'
rights | diff home.rights - >away.diff || fail "rights after a restore: $(head -n 5 away.diff)"
equal "rights on the database" "$(sql -c "SELECT datacl FROM pg_database WHERE datname = 'gracecube'")" "$(at home gracecube && sql -c "SELECT datacl FROM pg_database WHERE datname = 'gracecube'")"
sql -v original="$own_group" -v copy="$own_group.copy" -f "$(runbook Backup sql 1)" >&2
at away gracecube_run
export GRACECUBE_KAFKA_GROUP_ID=$own_group.copy
stood=$(position)
catch_up
answers_are >answers.out || fail "the restored cube differs: $(cat answers.out)"
verify_agrees
ledger_is $((known + $(read_records part.3)))
equal 'tiers that alice sees of the copy' "$(tiers_of_alice)" tier_1
equal 'dead letters of the copy' "$(sql -c "SELECT sum(letters) FROM cube.etl_dead_letter_ledger WHERE group_id = '$own_group.copy'")" 1
if sql -c 'DELETE FROM cube.fact_approvals' >refused.out 2>&1; then fail 'the restored writer deletes facts'; fi
contains "the restored writer's rights" refused.out 'permission denied'
shown "a dump restored into a new cluster stood at $stood records, read $(summary records) more in a group of its own beside the original, and answers as the oracle does; rights are as before"

# --- Back to a point in time, with its own group ---
kill "$pids"
ends "$pids" 30
pids=''
postgres_stop "$PWD/home"
mv home/data home/data.later
PGDATA=$PWD/home/data UNTIL=$UNTIL follows Backup 4
[ "$(id -u)" -ne 0 ] || chown -R "$(owner_name)" home/data
postgres_start "$PWD/home" fsync=off >&2
at home gracecube_run
export GRACECUBE_KAFKA_GROUP_ID=$own_group
is_promoted() { [ "$(sql -c 'SELECT pg_is_in_recovery()' 2>>promote.log)" = f ]; }
wait_until 60 is_promoted || fail "the restored server is still in recovery: $(tail -n 3 home/log/server.log)"
equal 'records that a cube of then accounts for' "$(position)" "$known"
again=$(read_records part.3)
equal 'lag that status shows, where the group has committed more' "$("$CUBE_TEST_BIN" status --json | jq .totals.lag_records)" "$again"
catch_up
equal 'records that are read again' "$(summary records)" "$again"
answers_are >answers.out || fail "the cube of then differs: $(cat answers.out)"
verify_agrees
ledger_is $((known + again))
equal 'tiers that alice sees of the cube of then' "$(tiers_of_alice)" tier_1
shown "a base backup and the log of $(find "$ARCHIVE" -type f | wc -l) segments brought the cube back to where it stood at $known records; the $again since then, which the group had committed, were read again and are there once"
