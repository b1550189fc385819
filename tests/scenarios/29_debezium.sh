#!/usr/bin/env bash
# A real Debezium on a real PostgreSQL: a transaction open over a snapshot, keys that change, texts that are not sent because they did not, deletes,
# an incremental snapshot, a connector that is killed and sends again, a TRUNCATE, a failover to a restored database. The cube equals the table each
# time.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/install.sh"
# shellcheck source=/dev/null
. "$CUBE_TEST_ROOT/deploy/lib/postgres.sh"

DEBEZIUM_VERSION=3.4.3.Final
JARS=${XDG_CACHE_HOME:-$HOME/.cache}/gracecube/debezium/$DEBEZIUM_VERSION

# --- Sources ---

# source_start NAME → a PostgreSQL of its own that can be captured
source_start() {
	POSTGRES_NO_SYNC=1 postgres_start "$PWD/$1" fsync=off wal_level=logical max_wal_senders=4 max_replication_slots=4 >&2
	SOURCE=$1
}
# at TEXT… → in the source that is looked at
at() { postgres_psql "$PWD/$SOURCE" postgres -At "$@"; }

# capture [NAME=VALUE…] → Debezium on the source, as its $CAPTURE
capture() {
	cat >"$SOURCE.properties" <<-PROPERTIES
		brokers=$CUBE_TEST_BROKERS
		name=grace
		connector.class=io.debezium.connector.postgresql.PostgresConnector
		offset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore
		offset.storage.file.filename=$PWD/$SOURCE.offsets
		offset.flush.interval.ms=500
		flush.lsn.source=false
		database.hostname=127.0.0.1
		database.port=$(postgres_port "$PWD/$SOURCE")
		database.user=$POSTGRES_USER
		database.password=$(postgres_password "$PWD/$SOURCE")
		database.dbname=postgres
		topic.prefix=$CUBE_TEST_PREFIX
		plugin.name=pgoutput
		slot.name=grace
		publication.name=grace
		publication.autocreate.mode=disabled
		table.include.list=public.action_contracts
		signal.data.collection=public.signals
		incremental.snapshot.chunk.size=3
		skipped.operations=none
		poll.interval.ms=100
		$(printf '%s\n' "$@")
	PROPERTIES
	start "$SOURCE" java -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xmx256m -cp "$JARS/*:$PWD" Capture "$SOURCE.properties"
	CAPTURE=$PID
}
there_is_a_topic() { kcat -L -J -b "$CUBE_TEST_BROKERS" | jq -e --arg topic "$GRACECUBE_STREAMS_ACTION_CONTRACTS_TOPICS" 'any(.topics[]; .topic == $topic)' >/dev/null; }
captured() { catch_up && [ "$(sql -c "SELECT count(*) FROM cube.fact_verification_executions WHERE contract_id = '$1'")" = 1 ]; }

# state → how far the source, Debezium and the cube are, for a message
state() {
	at -c "SELECT 'source at ' || pg_current_wal_lsn(), 'slot at ' || confirmed_flush_lsn, 'active ' || active FROM pg_replication_slots" \
		-c "SELECT 'connected', application_name, state, wait_event, left(query, 80) FROM pg_stat_activity WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid()"
	sql -c "SELECT 'cube at', topic, partition, next_offset, dead FROM cube.etl_offset ORDER BY 1, 2"
	tail -n 5 "$SOURCE.log"
}

# What was written before comes before in its own partition only: whoever asks for rows waits for all of them.
read_table() { at -c "SELECT id, status, md5(error_message) FROM action_contracts ORDER BY id COLLATE \"C\"" >table.rows; }
# is_the_table [KEY…] → the cube has what was read of the table, and these keys
is_the_table() {
	catch_up
	sql -c 'SELECT contract_id, contract_status, md5(error_message) FROM cube.fact_verification_executions ORDER BY contract_id' |
		awk -F'|' -v besides="$*" 'index(" " besides " ", " " $1 " ") == 0' >cube.rows
	cmp -s table.rows cube.rows
}

# equals_source WHAT → a row that is written last comes, and then the cube is the table
equals_source() {
	MARK=$((${MARK:-0} + 1))
	at -c "DELETE FROM action_contracts WHERE id LIKE 'mark-%'" -c "INSERT INTO action_contracts VALUES ('mark-$MARK', 'pending')"
	wait_until 90 captured "mark-$MARK" || fail "$1: nothing came: $(state)"
	read_table
	wait_until 20 is_the_table || fail "$1: the cube is not the table: $(diff table.rows cube.rows | grep '^[<>]' | head -n 3 | tr '\n' ' ')"
	equal "$1: dead letters" "$(sql -c "SELECT count(*) FROM cube.etl_dead_letter WHERE outcome IS DISTINCT FROM 'discarded'")" 0
	verify_agrees >&2
	echo "$1: $(wc -l <table.rows) rows, positions up to $(at -c 'SELECT pg_current_wal_lsn()')" >&2
}

install_packages debezium >&2
fetch_jars "$JARS" "Debezium $DEBEZIUM_VERSION" "io.debezium:debezium-embedded:$DEBEZIUM_VERSION" \
	"io.debezium:debezium-connector-postgres:$DEBEZIUM_VERSION" org.slf4j:slf4j-simple:1.7.36
javac -cp "$JARS/*" -d . "$CUBE_TEST_ROOT/tests/debezium/Capture.java" >&2
chmod 711 . # the servers' user passes through
new_cube
own_topics
export GRACECUBE_STREAMS_ACTION_CONTRACTS_TOPICS="$CUBE_TEST_PREFIX.public.action_contracts"
trap 'postgres_stop "$CUBE_TEST_DIR/first"; postgres_stop "$CUBE_TEST_DIR/second"' EXIT

# --- A transaction that is open over the snapshot ---
source_start first
at -c 'CREATE TABLE action_contracts (id text PRIMARY KEY, status text, tier text DEFAULT $$tier_2$$, error_message text, created_at timestamptz DEFAULT $$2026-11-20T10:00:00Z$$)' \
	-c 'ALTER TABLE action_contracts ALTER error_message SET STORAGE EXTERNAL' \
	-c 'CREATE TABLE signals (id text PRIMARY KEY, type text, data text)' \
	-c "INSERT INTO action_contracts SELECT 'c' || n, 'pending', 'tier_1', repeat(md5(n::text), 300) FROM generate_series(1, 20) n" \
	-c 'CREATE PUBLICATION grace FOR TABLE action_contracts, signals' \
	-c "SELECT pg_create_logical_replication_slot('grace', 'pgoutput')" \
	-c 'SELECT pg_switch_wal()' -c 'CREATE TABLE filler AS SELECT 1' -c 'SELECT pg_switch_wal()' >&2
mkfifo open.sql
postgres_psql "$PWD/first" postgres <open.sql >&2 &
exec 7>open.sql
echo "BEGIN; UPDATE action_contracts SET status = 'executing' WHERE id IN ('c1', 'c2'); DELETE FROM action_contracts WHERE id = 'c3';" >&7
is_open() { [ "$(at -c "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")" = 1 ]; }
wait_until 20 is_open || fail 'no transaction is open'
at -c "UPDATE action_contracts SET status = 'verified' WHERE id = 'c4'"
read_table
capture converter.schemas.enable=true
wait_until 90 there_is_a_topic || fail "Debezium makes no topic: $(state)"
wait_until 90 is_the_table || fail "the snapshot does not come: $(state)"
equal 'what the snapshot saw' "$(sql -c "SELECT string_agg(contract_status, ' ' ORDER BY contract_id) FROM cube.fact_verification_executions WHERE contract_id IN ('c1', 'c2', 'c3')")" 'pending pending pending'
echo 'COMMIT; \q' >&7
exec 7>&-
equals_source 'a transaction open over the snapshot'
# behind the snapshot; it notes how far it is when another change comes
has_noted() { at -c "UPDATE action_contracts SET tier = 'tier_1' WHERE id = 'c20'" && grep -aq lsn_commit first.offsets; }
wait_until 20 has_noted || fail 'Debezium notes no offset'
cp first.offsets kept.offsets

# --- Whatever happens to rows; an incremental snapshot beside it; a connector that is killed ---
at -c "UPDATE action_contracts SET status = 'failed' WHERE id = 'c5'" -c "UPDATE action_contracts SET id = 'renamed' WHERE id = 'c6'" \
	-c "UPDATE action_contracts SET error_message = repeat(md5('other'), 300) WHERE id = 'c7'" -c "DELETE FROM action_contracts WHERE id IN ('c8', 'c9')" \
	-c "INSERT INTO action_contracts VALUES ('c9', 'verified')" \
	-c "INSERT INTO signals VALUES ('1', 'execute-snapshot', '{\"type\": \"incremental\", \"data-collections\": [\"public.action_contracts\"]}')"
for n in $(seq 30); do at -c "UPDATE action_contracts SET status = 'step $n' WHERE id = 'c1$((n % 10))'"; done
equals_source 'changes beside an incremental snapshot'
kill -9 "$CAPTURE"
at -c "UPDATE action_contracts SET status = 'rolled_back' WHERE id IN ('c1', 'c11')" -c "DELETE FROM action_contracts WHERE id = 'c12'"
cp kept.offsets first.offsets # it had not come to note more
superseded=$(sql -c 'SELECT sum(superseded) FROM cube.etl_offset')
capture converter.schemas.enable=false
equals_source 'a connector that was killed'
[ "$(sql -c 'SELECT sum(superseded) FROM cube.etl_offset')" -gt "$superseded" ] || fail 'the connector sent nothing again'
shown 'a transaction open over a snapshot, changed keys, texts left out, deletes, an incremental snapshot, a connector killed: the cube is the table'

# --- A TRUNCATE, which is told; keys that are there again behind it ---
TABLE_AGAIN="INSERT INTO action_contracts SELECT 'c' || n, 'again', 'tier_1', md5(n::text) FROM generate_series(1, 20) n WHERE n NOT IN (3, 8)"
at -c 'TRUNCATE action_contracts' -c "$TABLE_AGAIN" -c "INSERT INTO action_contracts VALUES ('behind', 'pending')"
is_told() { catch_up && [ "$(sql -c "SELECT count(*) FROM cube.etl_dead_letter WHERE error_code = 'truncate' AND outcome IS NULL")" = 1 ]; }
wait_until 90 is_told || fail "a TRUNCATE is not told: $(state)"
wait_until 20 captured behind || fail "what comes behind the TRUNCATE does not: $(state)"
catch_up
read -ra command < <(sql -c "SELECT reason FROM cube.etl_dead_letter WHERE error_code = 'truncate'" | grep -o 'reconcile [^`]*')
"$CUBE_TEST_BIN" "${command[@]}" >gone.jsonl
[ -s gone.jsonl ] || fail "${command[*]} names no row"
publish gone.jsonl
"$CUBE_TEST_BIN" dead discard --code truncate >&2
equals_source 'a TRUNCATE that is told, and reconciled'
shown 'TRUNCATE is a dead letter; what it names, published, makes the cube the table, with keys that were there before and are there again'

# --- A failover to a restored database, whose positions are low ---
pg_dump --no-publications -d "$(postgres_dsn "$PWD/first" postgres)" >dump.sql
at -c "UPDATE action_contracts SET status = 'lost with the failover' WHERE id IN ('c4', 'c5')"
equals_source 'before the failover'
kill "$CAPTURE"
high=$(at -c 'SELECT pg_current_wal_lsn()')
postgres_stop "$PWD/first"
source_start second
at -f dump.sql >&2
at -c 'CREATE PUBLICATION grace FOR TABLE action_contracts, signals' -c "UPDATE action_contracts SET status = 'after' WHERE id = 'c1'" \
	-c "UPDATE action_contracts SET error_message = concat(error_message, ' restored')" # each row of the snapshot is seen to come
[ "$(at -c "SELECT pg_current_wal_lsn() < '$high'")" = t ] || fail "positions go on: $high, $(at -c 'SELECT pg_current_wal_lsn()')"
capture converter.schemas.enable=false
read_table
wait_until 90 is_the_table "mark-$MARK" || fail "the snapshot does not come: $(state)"
# no change of the restored database tells of a row that the backup lacks
"$CUBE_TEST_BIN" reconcile "$GRACECUBE_STREAMS_ACTION_CONTRACTS_TOPICS" >gone.jsonl
equal 'rows that the snapshot lacks' "$(jq -r .key gone.jsonl)" "{\"id\":\"mark-$MARK\"}"
publish gone.jsonl
at -c "UPDATE action_contracts SET status = 'later' WHERE id = 'c4'" -c "DELETE FROM action_contracts WHERE id = 'c10'"
equals_source 'a failover to a restored database'

# --- A TRUNCATE that is applied, whichever of the partitions it comes by ---
export GRACECUBE_STREAMS_ACTION_CONTRACTS_TRUNCATE=apply
at -c 'TRUNCATE action_contracts' -c "$TABLE_AGAIN"
equals_source 'a TRUNCATE that is applied'
kill "$CAPTURE"
GRACECUBE_KAFKA_GROUP_ID=${CUBE_TEST_PREFIX}_again catch_up
sql -c 'SELECT contract_id, contract_status, md5(error_message) FROM cube.fact_verification_executions ORDER BY contract_id' | diff table.rows - >&2 ||
	fail 'read by a second group the cube is another one'
verify_agrees >&2
shown 'a database restored from a dump, at lower positions: the cube is its table, but for what the snapshot lacks, which reconcile deletes; a TRUNCATE that is applied; read again by another group it stays so'
