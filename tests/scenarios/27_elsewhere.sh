#!/usr/bin/env bash
# Cubes beside each other and in other places: two in one database and a third in another, which read overlapping topics at the same time,
# each exact; who is in a role of one sees nothing of another; the API, its events, tokens and audit, dead letters, old months and positions of
# each are its own; one is dropped and the others go on.
. "$CUBE_TEST_ROOT/tests/lib/scenario.sh"
second=tier # its roles are gracecube_tier_reader, gracecube_tier_tier_1 …, which look like those of tiers and are none
third=f     # a name that functions use for tables
traffic() { python3 -B "$CUBE_TEST_ROOT/tests/lib/traffic.py" "$@" >&2; }

# reads PREFIX… → every stream has a topic of each of these, and the group is the one that follows from the schema
reads() {
	local stream topics
	for stream in $(known_streams); do
		printf -v topics ",%s.$stream" "$@"
		export "GRACECUBE_STREAMS_${stream^^}_TOPICS=${topics#,}"
	done
	export GRACECUBE_KAFKA_GROUP_ID=''
}
# of CUBE → the program and psql are of this cube
of() {
	case $1 in
	first) # the group that all cubes called cube have is shared with other scenarios
		reads "$CUBE_TEST_PREFIX.a"
		GRACECUBE_CUBE_SCHEMA='cube' GRACECUBE_POSTGRES_DSN=$one GRACECUBE_KAFKA_GROUP_ID=$CUBE_TEST_PREFIX
		;;
	second) reads "$CUBE_TEST_PREFIX.a" "$CUBE_TEST_PREFIX.b" && GRACECUBE_CUBE_SCHEMA=$second GRACECUBE_POSTGRES_DSN=$one ;;
	third) reads "$CUBE_TEST_PREFIX.b" && GRACECUBE_CUBE_SCHEMA=$third GRACECUBE_POSTGRES_DSN=$other ;;
	esac
	export GRACECUBE_CUBE_SCHEMA
	EXPECTED=$PWD/expected.$1
}
# new_second → the second cube as the runbook says: an administrator makes its roles, its owner makes it
new_second() {
	export CUBE_OWNER_PASSWORD=owners CUBE_WRITER_PASSWORD=writers CUBE_API_PASSWORD=apis CUBE_READER_PASSWORD=readers
	NAME=$second PGHOST=$CUBE_TEST_PGHOST PGPORT=$CUBE_TEST_PGPORT PGUSER=$CUBE_TEST_PGUSER PGDATABASE=$CUBE_TEST_DATABASE \
		GRACECUBE_POSTGRES_DSN=${one/user=$CUBE_TEST_PGUSER/user=gracecube_${second}_owner} follows 'Several cubes' 1
	equal 'owner of the second cube' "$(sql -c "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = '$second'")" "gracecube_${second}_owner"
}
# login NAME → psql as NAME, who needs no password over the socket
login() { sql -d "${one/user=$CUBE_TEST_PGUSER/user=$1}" "${@:2}"; }
drop_roles() {
	local role
	stop_all
	for database in "$one" "$other"; do
		psql -X -q -d "$database" -c 'SET client_min_messages = warning' -c "DROP SCHEMA IF EXISTS cube, $second, $third CASCADE" >&2 || true
	done
	for role in "$analyst" "$limited" gracecube_{"$second","$third"}_{reader,writer,api,tier_1,tier_2,tier_3}; do
		psql -X -q -d "$one" -c "DROP ROLE IF EXISTS $role" >&2 || true
	done
	for role in gracecube_"$second"_{owner,run,serve,grafana}; do
		psql -X -q -d "$one" -c "DROP OWNED BY $role CASCADE" -c "DROP ROLE $role" >&2 || true
	done
}
is_there() { [ "$(sql -c "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = '$1' AND datname = current_database()")" = t ]; }
stop_all() {
	local pid
	for pid in $pids; do kill "$pid" 2>/dev/null && wait "$pid" || true; done
	pids=''
}

own_topics
new_database other
other=$GRACECUBE_POSTGRES_DSN
new_database
one=$GRACECUBE_POSTGRES_DSN analyst=${CUBE_TEST_PREFIX}_analyst limited=${CUBE_TEST_PREFIX}_limited
trap drop_roles EXIT
pids=''

# --- Names ---
sql -c 'CREATE SCHEMA occupied' -c 'CREATE TABLE occupied.by_others (n int)'
for refused in 'occupied|holds 1 tables and functions that are no cube' 'select|is a key word of SQL' 'Sales|must be a schema' 'public|not one of PostgreSQL'; do
	if GRACECUBE_CUBE_SCHEMA=${refused%|*} "$CUBE_TEST_BIN" migrate >refused.out 2>&1; then fail "migrate makes a cube in the schema ${refused%|*}"; fi
	contains "the schema ${refused%|*}" refused.out "${refused#*|}"
done
of second
if "$CUBE_TEST_BIN" status -s kafka.group_id=gracecube >refused.out 2>&1; then fail 'a second cube in the group of the first is not refused'; fi
contains 'a second cube in the group of the first' refused.out "leave it empty, and it is gracecube-$second"

# --- Three at once ---
traffic a.1 "$CUBE_TEST_PREFIX.a" 31 150
traffic a.2 "$CUBE_TEST_PREFIX.a" 32 150
traffic b.1 "$CUBE_TEST_PREFIX.b" 33 150
publish a.1/* b.1/*
for cube in first second third; do
	of $cube
	[ $cube != second ] || new_second
	"$CUBE_TEST_BIN" migrate >&2
	start "$cube" "$CUBE_TEST_BIN" run
	pids+=" $PID"
done
publish a.2/*
# read_by CUBE DIR… → it comes to have read these, and its answers are the oracle's
read_by() {
	local cube=$1 records
	shift
	of "$cube"
	expect "$@"
	records=$(read_records "$@")
	reaches "$records" 120
	answers_are >answers.out || fail "the $cube cube differs: $(cat answers.out)"
	told+="${told:+, }$records"
}
read_by first a.1 a.2
read_by second a.1 a.2 b.1
read_by third b.1
shown "three cubes read $told records of overlapping topics at the same time, two in one database, and each answers as the oracle does"

# --- What the program knows of each ---
for cube in first second third; do
	of $cube
	verify_agrees
	"$CUBE_TEST_BIN" check >check.out 2>&1 || fail "check of the $cube cube: $(grep '^BAD' check.out)"
	"$CUBE_TEST_BIN" status --json >status.json
	"$CUBE_TEST_BIN" retention --dry-run -s retention.facts=1d >retention.out
	"$CUBE_TEST_BIN" dead list >dead.out
	equal "programs of the $cube cube at work" "$(sql -c "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name ~ '^gracecube$([ $cube = first ] || echo "/$(schema)") worker '")" t
done

# --- Nobody sees the other's ---
of first
sql -c "CREATE ROLE $analyst LOGIN IN ROLE gracecube_${second}_reader" -c "CREATE ROLE $limited LOGIN IN ROLE gracecube_tier_1"
equal 'executions that an analyst of the second cube sees' "$(login "$analyst" -c "SELECT sum(total_executions) FROM $second.cube_daily_verification_by_tier")" \
	"$(sql -c "SELECT sum(total_executions) FROM $second.cube_daily_verification_by_tier")"
equal 'tiers that a login limited to tier_1 sees of the first' "$(login "$limited" -c 'SELECT DISTINCT tier_code FROM cube.cube_executions')" tier_1
for refused in "$analyst cube" "$limited $second"; do
	read -r role schema <<<"$refused"
	for what in cube_executions fact_verification_executions dim_tier rollup_verification_daily; do
		if login "$role" -c "SELECT count(*) FROM $schema.$what" >refused.out 2>&1; then fail "$role reads $schema.$what"; fi
		contains "$role reads $schema.$what" refused.out "permission denied for schema $schema"
	done
done
shared=$(sql -c "SELECT string_agg(grantee || ' in ' || nspname, ', ') FROM (
	SELECT n.nspname, a.grantee::regrole::text AS grantee FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a WHERE nspname IN ('cube', '$second')
	UNION SELECT n.nspname, a.grantee::regrole::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, aclexplode(p.proacl) a WHERE nspname IN ('cube', '$second')
	UNION SELECT n.nspname, a.grantee::regrole::text FROM pg_namespace n, aclexplode(n.nspacl) a WHERE nspname IN ('cube', '$second')) g
	WHERE grantee LIKE 'gracecube\_%' AND grantee LIKE 'gracecube\_$second\_%' AND grantee !~ '^gracecube_tier_[0-9]$' <> (nspname = '$second')")
equal "roles of one cube with rights in the other's schema" "$shared" ''

# --- One schema is the other, name for name ---
lock=$("$CUBE_TEST_BIN" migrate --sql -s cube.schema=$second -s kafka.group_id= | sed -n 's/.*pg_try_advisory_lock(\([0-9]*\)03, l).*/\1/p')
dump() { pg_dump --schema-only --no-owner --schema="$1" --dbname="$one" | sed "/^ALTER DEFAULT PRIVILEGES/d"; }
dump cube | sed "s/\bcube\.\([a-z%\"']\)/$second.\1/g; s/\b$second\.business_\(days\|hours\|zone\)/cube.business_\1/g; s/'cube'/'$second'/g; s/\(SCHEMA\|search_path =\) cube\b/\1 $second/g
	s/\bgracecube_/gracecube_${second}_/g; s/\b72400\([0-9][0-9]\)\b/$lock\1/g" | python3 -B "$CUBE_TEST_ROOT/tests/lib/schema.py" >first.schema
dump $second | python3 -B "$CUBE_TEST_ROOT/tests/lib/schema.py" >second.schema
diff first.schema second.schema >schema.diff || fail "the schemas differ: $(head -c 600 schema.diff)"
shown "a role of one cube sees nothing of the other, and its $(wc -l <second.schema) statements are those of the first by other names"

# --- What is printed for psql is the same cube ---
of second
new_database printed
"$CUBE_TEST_BIN" migrate --sql | sql >&2
"$CUBE_TEST_BIN" migrate >printed.out
contains 'migrate of a cube that psql has made' printed.out 'nothing to do'
pg_dump --schema-only --schema=$second --dbname="$GRACECUBE_POSTGRES_DSN" | python3 -B "$CUBE_TEST_ROOT/tests/lib/schema.py" >printed.schema
new_cube made
pg_dump --schema-only --schema=$second --dbname="$GRACECUBE_POSTGRES_DSN" | python3 -B "$CUBE_TEST_ROOT/tests/lib/schema.py" >made.schema
diff made.schema printed.schema >schema.diff || fail "psql makes another schema than migrate: $(head -c 600 schema.diff)"
for name in printed made; do # whose tables hold the roles
	psql -X -q -h "$CUBE_TEST_PGHOST" -p "$CUBE_TEST_PGPORT" -U "$CUBE_TEST_PGUSER" -d postgres -c "DROP DATABASE ${CUBE_TEST_PREFIX}_$name" >&2
done
shown 'the SQL that migrate prints makes the same cube by psql, and migrate knows it'

# --- Its dashboard ---
NAME=$second follows 'Several cubes' 2
queries=0
while IFS=$'\t' read -r title text; do
	queries=$((queries + 1))
	login gracecube_${second}_grafana -c "$text" >found 2>&1 || fail "the second cube's board, $title: $(head -n 1 found)"
done < <(python3 -B "$CUBE_TEST_ROOT/tests/lib/boards.py" analytics-$second.json)
[ $queries -gt 10 ] || fail "only $queries queries on the second cube's board"

# --- Their APIs: a token of the one is none of the other, and so are answers and audit ---
declare -A port token asked_of
# ask CUBE PATH TOKEN → the answer of that cube's API in answer.json; ANSWERED: its status
ask() { ANSWERED=$(curl -sS -o answer.json -w '%{http_code}' -H "Authorization: Bearer $3" "http://127.0.0.1:${port[$1]}$2"); }
for cube in first second; do
	of $cube
	port[$cube]=$(free_port)
	start "serve-$cube" "$CUBE_TEST_BIN" serve -s "serve.listen=127.0.0.1:${port[$cube]}"
	pids+=" $PID"
	token[$cube]=$("$CUBE_TEST_BIN" token create "of-$cube" --role operator)
	wait_until 20 curl -fsS -o /dev/null "http://127.0.0.1:${port[$cube]}/readyz" || fail "serve of the $cube cube: $(tail -n 2 "serve-$cube.log")"
	curl -fsS "http://127.0.0.1:${port[$cube]}/" >page.html
	contains "the page of the $cube cube" page.html '<html'
done
for cube in first second; do
	of $cube
	ask $cube '/api/cube/executions?limit=5000' "${token[$cube]}"
	equal "status of executions of the $cube cube" "$ANSWERED" 200
	asked_of[$cube]=$(jq length answer.json)
	equal "executions that the API of the $cube cube tells" "${asked_of[$cube]}" "$(sql -c "SELECT count(*) FROM $(schema).fact_verification_executions")"
	for stranger in first second; do
		[ $stranger = $cube ] || ask $cube /api/cube/me "${token[$stranger]}"
		[ $stranger = $cube ] || equal "a token of the $stranger cube at the API of the $cube one" "$ANSWERED" 401
	done
	equal "tokens of the $cube cube" "$("$CUBE_TEST_BIN" token list --json | jq -r '[.[].name] | join(" ")')" "of-$cube"
done
[ "${asked_of[first]}" -lt "${asked_of[second]}" ] || fail 'both cubes have as many executions: the API could have answered of either'
of second
if "$CUBE_TEST_BIN" token revoke of-first >refused.out 2>&1; then fail 'the second cube revokes a token of the first'; fi
audited() { [ "$(sql -c "SELECT string_agg(DISTINCT token_name, ' ' ORDER BY token_name) FROM $(schema).cube_api_audit WHERE token_name <> ''")" = "of-$1" ]; }
for cube in first second; do
	of $cube
	wait_until 30 audited $cube || fail "audit of the $cube cube: $(sql -F ' ' -c "SELECT DISTINCT token_name, path FROM $(schema).cube_api_audit")"
	ask $cube /api/cube/audit "${token[$cube]}"
	equal "the audit of the $cube cube by its API" "$ANSWERED $(jq -r '[.[].token_name | select(. != null and . != "")] | unique | join(" ")' answer.json)" "200 of-$cube"
	curl -sSN -H "Authorization: Bearer ${token[$cube]}" "http://127.0.0.1:${port[$cube]}/api/cube/events" >"events.$cube" 2>/dev/null &
	pids+=" $!"
done
of first
shown "two APIs beside each other: ${asked_of[first]} executions and ${asked_of[second]}, each by its own token, in its own audit"

# --- Programs of the one are not waited for by the other; a commit of the one is told to its own listeners ---
PGAPPNAME='gracecube worker 9' start old psql -X -d "$one" -c 'SELECT pg_sleep(600)' # as one of release 0.1.0, which takes no lock
pids+=" $PID"
wait_until 20 is_there 'gracecube worker 9' || fail 'no old program is connected'
for cube in cube $second; do sql -c "DELETE FROM $cube.schema_version WHERE version > 1"; done
"$CUBE_TEST_BIN" migrate >first.migrate
contains "migrate of the first cube beside an old program" first.migrate 'gracecube worker 9'
of second
"$CUBE_TEST_BIN" migrate >second.migrate
if grep -q worker second.migrate; then fail "migrate of the second cube waits for a program of the first: $(cat second.migrate)"; fi
mkfifo asked
sql <asked >told.out &
exec 5>asked
echo "LISTEN cube_changed; LISTEN ${second}_changed; SELECT 'listening';" >&5
wait_until 20 grep -q listening told.out || fail 'nobody listens'
traffic b.2 "$CUBE_TEST_PREFIX.b" 34 20
heard_first=$(grep -c '^event: changed' events.first) || true
heard_second=$(grep -c '^event: changed' events.second) || true
publish b.2/*
is_told() { echo 'SELECT 1;' >&5 && grep -q "\"$1\" with payload" told.out; }
wait_until 60 is_told ${second}_changed || fail "nobody tells of a commit: $(cat told.out)"
hears() { [ "$(grep -c '^event: changed' "events.$1")" -gt "$2" ]; }
wait_until 20 hears second "$heard_second" || fail "the page of the second cube hears of no commit: $(cat events.second)"
equal 'events on the page of the first cube, of which nothing was committed' "$(grep -c '^event: changed' events.first)" "$heard_first"
exec 5>&-
if grep -q '"cube_changed"' told.out; then fail "a commit of the second cube is told to those who listen to the first: $(cat told.out)"; fi
read_by second a.1 a.2 b.1 b.2
shown 'migrate waits for old programs of its own cube alone, and a commit is told to those who listen to its cube'

# --- Their dead letters, positions and old months ---
# a task that a rule of the second cube alone refuses, and what no cube can read, on a topic of both
letters() { sql -c "SELECT count(*) FROM $(schema).etl_dead_letter WHERE ${1:-true}"; }
has_letters() { [ "$(letters)" = "$1" ]; }
sql -c "ALTER TABLE $second.fact_execution_tasks ADD CONSTRAINT house_rule CHECK (status <> 'stuck') NOT VALID"
task() { jq -cn --arg topic "$CUBE_TEST_PREFIX.a.execution_tasks" --arg value "$1" '{topic: $topic, value: $value}'; }
{
	task '{"id": "27", "task_id": "27", "status": "stuck", "created_at": "2026-11-20T10:00:00Z"}'
	task 'no JSON'
} >tasks.jsonl
publish tasks.jsonl
wait_until 60 has_letters 2 || fail "dead letters of the second cube: $(letters)"
of first
wait_until 60 has_letters 1 || fail "dead letters of the first cube: $(letters)"
equal 'the task in the first cube' "$(sql -c "SELECT count(*) FROM cube.fact_execution_tasks WHERE status = 'stuck'")" 1
equal 'letters that the first cube lists' "$("$CUBE_TEST_BIN" dead list --json | jq '.dead_letters | length')" 1
of second
sql -c "ALTER TABLE $second.fact_execution_tasks DROP CONSTRAINT house_rule"
equal 'letters that the second cube lists' "$("$CUBE_TEST_BIN" dead list --json | jq '.dead_letters | length')" 2
"$CUBE_TEST_BIN" dead retry --all --json >retried.json || [ $? = 1 ]
equal 'a retry in the second cube' "$(jq -c '[.retried, .applied, .refused]' retried.json)" '[2,1,1]'
equal 'the task in the second cube' "$(sql -c "SELECT count(*) FROM $second.fact_execution_tasks WHERE status = 'stuck'")" 1
"$CUBE_TEST_BIN" dead export --all --out letters.jsonl
equal 'letters that the second cube exports' "$(wc -l <letters.jsonl)" 1
of first
equal 'tries in the first cube' "$(letters 'tries > 0')" 0
"$CUBE_TEST_BIN" dead discard --all >&2
of second
equal 'letters that wait in the second cube when the first has discarded its own' "$(letters 'outcome IS NULL')" 1
of first
"$CUBE_TEST_BIN" dead import letters.jsonl --json >imported.json
equal 'an import into the first cube' "$(jq -c '[.imported, .refused]' imported.json) $(letters 'outcome IS NULL')" '[1,0] 1'
of second
"$CUBE_TEST_BIN" dead discard --all >&2
of first
equal 'letters that wait in the first cube when the second has discarded its own' "$(letters 'outcome IS NULL')" 1
for cube in first second; do
	of $cube
	verify_agrees
	equal "positions that the $cube cube tells" "$("$CUBE_TEST_BIN" status --json | jq '[.partitions[].next_offset // empty] | add')" \
		"$(sql -c "SELECT sum(next_offset) FROM $(schema).etl_offset")"
done
kept=$((($(date +%s) - $(date -ud 2026-11-02 +%s)) / 86400))d
of first
sums() { sql -c "SELECT count(*), sum(hashtext(f::text)::bigint) FROM $(schema).fact_agentic_events f"; }
before=$(sums)
of second
old=$(sql -c "SELECT count(*) FROM $second.fact_agentic_events WHERE created_at < '2026-11-01Z'")
[ "$old" -gt 0 ] || fail 'no month is old'
"$CUBE_TEST_BIN" retention -s "retention.facts=$kept" >&2
equal 'old entries of the second cube' "$(sql -c "SELECT count(*) FROM $second.fact_agentic_events WHERE created_at < '2026-11-01Z'")" 0
verify_agrees
of first
equal 'facts and closed months of the first cube' "$(sums) $(sql -c 'SELECT count(*) FROM cube.horizon') $(sql -c 'SELECT count(*) FROM cube.closed_month')" "$before 0 0"
verify_agrees
sql -c "DELETE FROM cube.fact_execution_tasks WHERE status = 'stuck'" # the oracle knows nothing of it
shown "dead letters are retried, discarded, exported and imported, $old entries of an old month dropped, in one cube, and those of the other stay as they are"

# --- One goes, the other stays ---
stop_all
of first
sql -c 'SET client_min_messages = warning' -c "DROP SCHEMA $second CASCADE" >&2
traffic a.3 "$CUBE_TEST_PREFIX.a" 35 20
publish a.3/*
catch_up
told=''
read_by first a.1 a.2 a.3
verify_agrees
equal 'tiers that a login limited to tier_1 sees afterwards' "$(login "$limited" -c 'SELECT DISTINCT tier_code FROM cube.cube_executions')" tier_1
shown "the second cube was dropped, and the first went on: $told records, and verify agrees"
