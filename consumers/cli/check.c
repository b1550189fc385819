/* gracecube check: proves a deployment, one line a check.
 *
 * Guarantee: every check is run, or is reported as skipped with the check that it depends on; nothing is changed, neither in Kafka nor in
 * PostgreSQL. Threads: the main thread.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include <gracecube/sink.h>
#include <gracecube/stream.h>

#include "cli/output.h"
#include "cli/command.h"
#include "kafka/client.h"
#include "service/listen.h"

#define SERVER_VERSION_MIN 150000
#define CLOCK_WARN_US GC_SECOND_US
/* How long the topics may take to show whether they can be read: a fetch that finds nothing is answered after half a second. */
#define TRY_US (3 * GC_SECOND_US)
/* "stream " with the longest name of one */
#define NAME_WIDTH 32

enum outcome { OUTCOME_OK, OUTCOME_WARNING, OUTCOME_BAD, OUTCOME_SKIPPED, OUTCOME_COUNT };

static const struct {
	const char *shown, *json;
} outcomes[OUTCOME_COUNT] = {
	[OUTCOME_OK] = { "OK", "ok" },
	[OUTCOME_WARNING] = { "WARN", "warning" },
	[OUTCOME_BAD] = { "BAD", "bad" },
	[OUTCOME_SKIPPED] = { "SKIP", "skipped" },
};

struct check_options {
	int64_t timeout_us;
	bool live;
};

struct check {
	const struct check_options *options;
	const struct gc_config *cfg;
	json_t *lines; /* NULL when they are printed as they come */
	int64_t counts[OUTCOME_COUNT];
	int64_t statements, bad_statements;
};

static void tell(struct check *check, enum outcome outcome, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void tell(struct check *check, enum outcome outcome, const char *name, const char *format, ...)
{
	char text[2048];
	struct gc_arena arena;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	gc_cube_name(check->cfg, text, sizeof(text));
	check->counts[outcome]++;
	if (check->lines) {
		json_array_append_new(check->lines, json_pack("{s:o, s:s, s:o}", "check", gc_output_text_json(name), "outcome",
							      outcomes[outcome].json, "text", gc_output_text_json(text)));
		return;
	}
	gc_arena_init(&arena);
	printf("%-4s  %-*s  %s\n", outcomes[outcome].shown, NAME_WIDTH, name, gc_output_escape(gc_span_of(text), false, &arena));
	fflush(stdout); /* the next check may take a while */
	gc_arena_done(&arena);
}

/* The first line: below it an error in a file shows the place, and the place is named anyway. */
static void tell_error(struct check *check, const char *name, const struct gc_err *err)
{
	tell(check, OUTCOME_BAD, name, "%s%s%.*s", err->where, *err->where ? ": " : "", (int)strcspn(err->text, "\n"), err->text);
}

/* ---- Kafka ---- */

/* "grace.public.x (4 partitions)" of those that exist, or the names alone of those that do not; returns how many those are. */
static size_t list_topics(const struct gc_kafka_topic *topics, size_t count, bool existing, char *buffer, size_t bytes)
{
	size_t listed = 0, used = 0;

	*buffer = '\0';
	for (size_t i = 0; i < count; i++) {
		char extent[40] = "";
		int n;

		if ((topics[i].partitions > 0) != existing)
			continue;
		if (existing)
			snprintf(extent, sizeof(extent), topics[i].partitions == 1 ? " (%d partition)" : " (%d partitions)",
				 (int)topics[i].partitions);
		n = snprintf(buffer + used, bytes - used, "%s%s%s", listed++ ? ", " : "", topics[i].name, extent);
		used = used + (size_t)n < bytes ? used + (size_t)n : bytes - 1;
	}
	return listed;
}

/* One warning a topic that is there, or may be there, and that the user may not read. */
static bool warn_of_rights(struct check *check, const char *name, const struct gc_kafka_topic *topics, size_t count)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		if (topics[i].refused == RD_KAFKA_RESP_ERR_NO_ERROR || topics[i].refused == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
			continue;
		tell(check, OUTCOME_WARNING, name, "%s: %s", topics[i].name, gc_kafka_sentence(topics[i].refused));
		found = true;
	}
	return found;
}

static size_t check_stream(struct check *check, const struct gc_stream_config *stream, const struct gc_kafka_topic *topics)
{
	char name[80], list[1500];
	size_t existing = list_topics(topics, stream->topic_count, true, list, sizeof(list));
	bool refused;

	snprintf(name, sizeof(name), "stream %s", stream->name);
	refused = warn_of_rights(check, name, topics, stream->topic_count);
	if (stream->topic_count == 0) {
		tell(check, OUTCOME_OK, name, "left unread: streams.%s.topics is empty", stream->name);
	} else if (existing) {
		tell(check, OUTCOME_OK, name, "%s", list);
	} else if (!refused) {
		list_topics(topics, stream->topic_count, false, list, sizeof(list));
		tell(check, OUTCOME_WARNING, name, "no topic %s; create one, or see streams.%s.topics", list, stream->name);
	}
	return existing;
}

static void check_streams(struct check *check, const struct gc_kafka_topic *topics, size_t configured)
{
	size_t existing = 0;

	for (size_t i = 0; i < check->cfg->stream_count; i++) {
		existing += check_stream(check, &check->cfg->streams[i], topics);
		topics += check->cfg->streams[i].topic_count;
	}
	if (existing)
		tell(check, OUTCOME_OK, "topics", "%zu of %zu configured topics are in Kafka", existing, configured);
	else
		tell(check, OUTCOME_BAD, "topics",
		     "none of the %zu configured topics is in Kafka, or this user may not see them; create them, or see"
		     " streams.*.topics and kafka.brokers",
		     configured);
}

static void check_broker(struct check *check, struct gc_kafka_client *client)
{
	size_t count;
	struct gc_kafka_topic *topics = gc_kafka_configured(check->cfg, 0, &count);
	int64_t began_us = gc_monotonic_us();
	struct gc_err err;

	if (gc_kafka_topics(client->rk, topics, count, check->options->timeout_us, &err) == GC_OK) {
		tell(check, OUTCOME_OK, "broker", "%s answered in %" PRId64 " ms", check->cfg->kafka_brokers,
		     (gc_monotonic_us() - began_us) / 1000);
		gc_kafka_try(client->rk, topics, count, TRY_US);
		check_streams(check, topics, count);
	} else {
		gc_kafka_explain(client, &err);
		tell(check, OUTCOME_BAD, "broker", "%s: %s", check->cfg->kafka_brokers, err.text);
		tell(check, OUTCOME_SKIPPED, "topics", "those of the streams were not looked for, because no broker answered");
	}
	free(topics);
}

static void check_kafka(struct check *check)
{
	struct gc_kafka_client *client = NULL;
	struct gc_err err;

	if (gc_kafka_open(check->cfg, &client, &err)) {
		tell(check, OUTCOME_BAD, "librdkafka", "%s", err.text);
		tell(check, OUTCOME_SKIPPED, "broker", "not asked, because there is no client");
		tell(check, OUTCOME_SKIPPED, "topics", "those of the streams were not looked for, because there is no client");
		return;
	}
	tell(check, OUTCOME_OK, "librdkafka", "version %s, %zu propert%s of kafka.properties accepted", rd_kafka_version_str(),
	     check->cfg->kafka_property_count, check->cfg->kafka_property_count == 1 ? "y" : "ies");
	check_broker(check, client);
	gc_kafka_close(client);
}

/* ---- PostgreSQL: each takes one row ---- */

struct row {
	const char *values[8];
	struct gc_arena *arena;
};

static void take_row(void *arg, const char *const *values, int columns)
{
	struct row *row = arg;

	for (int i = 0; i < columns && i < 8; i++)
		row->values[i] = gc_arena_dup(row->arena, gc_span_of(values[i])).ptr;
}

/* True with the row; else the check is reported as failed. */
static bool ask(struct check *check, struct gc_pg *pg, const char *name, const char *sql, struct row *row)
{
	struct gc_err err;

	if (gc_pg_query(pg, sql, NULL, 0, take_row, row, &err) == GC_OK)
		return true;
	tell_error(check, name, &err);
	return false;
}

static void check_server(struct check *check, struct gc_pg *pg, struct gc_arena *arena)
{
	static const char sql[] =
		"SELECT current_setting('server_version_num'), current_setting('server_version'), current_database(),"
		" current_user";
	struct row row = { .arena = arena };

	if (!ask(check, pg, "database", sql, &row))
		return;
	if (gc_output_int(row.values[0], 0) >= SERVER_VERSION_MIN)
		tell(check, OUTCOME_OK, "database", "PostgreSQL %s, database %s, role %s", row.values[1], row.values[2],
		     row.values[3]);
	else
		tell(check, OUTCOME_BAD, "database", "PostgreSQL %s is too old; at least 15 is needed", row.values[1]);
}

static void check_schema(struct check *check, struct gc_pg *pg, struct gc_arena *arena)
{
	static const char sql[] =
		"SELECT version, program, " GC_SQL_US("applied_at") " FROM cube.schema_version ORDER BY version DESC LIMIT 1";
	struct row row = { .arena = arena };
	char time[GC_OUTPUT_BYTES];

	if (!ask(check, pg, "schema version", sql, &row))
		return;
	gc_output_time(gc_output_int(row.values[2], GC_NO_TIME), time, sizeof(time));
	if (gc_output_int(row.values[0], 0) >= gc_schema_version())
		tell(check, OUTCOME_OK, "schema version", "version %s, the one needed; completed by gracecube %s at %s UTC",
		     row.values[0], row.values[1], time);
	else
		tell(check, OUTCOME_WARNING, "schema version",
		     "all is there that version %d needs, but it is not complete: older programs of version %s may still connect; run"
		     " `gracecube migrate` when none is left",
		     gc_schema_version(), row.values[0]);
}

/* What `run` and `verify` call, and what all commands read, as code/5_rights/rights.sql gives it to gracecube_writer; said here once more,
 * because who lacks rights cannot ask the cube for them. A function that is not there is no right either. */
static const char rights_sql[] =
	"WITH called AS (SELECT unnest('{add_dead_letters,add_quality_issues,advance,claim,do_step,ensure_hours,ensure_partitions,gone_keys,mission_gate,"
	"next_step,note_truncate,plan_retention,relink_slice,resolve_actor,resolve_component,resolve_mission,resolve_tier,take_lane,tell_halts,trim_piece,verify}'::text[]) AS name),"
	" functions AS (SELECT p.oid, p.proname FROM pg_proc p WHERE p.pronamespace = 'cube'::regnamespace)"
	" SELECT count(*), min(what) FILTER (WHERE NOT allowed), count(*) FILTER (WHERE NOT allowed), current_user FROM ("
	"SELECT format('call cube.%s, which is not there', c.name) AS what, false AS allowed FROM called c"
	" WHERE c.name NOT IN (SELECT f.proname FROM functions f)"
	" UNION ALL SELECT format('call %s', f.oid::regprocedure), has_function_privilege(f.oid, 'EXECUTE') FROM functions f"
	" WHERE f.proname ~ '^(merge|lock)_(?!mesh_(errors|approvals)$)' OR f.proname IN (SELECT c.name FROM called c)"
	" UNION ALL SELECT format('read cube.%I', c.relname), has_table_privilege(c.oid, 'SELECT')"
	" FROM pg_class c WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition"
	" AND (c.relname ~ '^(cube_|etl_|(dim|fact|rollup)_(?!.*_ledger$))' OR c.relname IN ('fact', 'fact_link', 'relink_queue', 'rollup', 'rollup_fill',"
	" 'setting', 'schema_version', 'schema_file', 'horizon', 'closed_month', 'rebuild')) AND c.relname <> 'cube_api_audit') r";

static void check_rights(struct check *check, struct gc_pg *pg, struct gc_arena *arena)
{
	struct row row = { .arena = arena };

	if (!ask(check, pg, "rights", rights_sql, &row))
		return;
	if (gc_output_int(row.values[2], 0) == 0)
		tell(check, OUTCOME_OK, "rights", "role %s has all of the %s rights that are needed", row.values[3], row.values[0]);
	else
		tell(check, OUTCOME_BAD, "rights",
		     "role %s lacks %s of %s rights, for example to %s; GRANT gracecube_writer to it, or see postgres.dsn",
		     row.values[3], row.values[2], row.values[0], row.values[1]);
}

static void take_statement(void *arg, const char *name, const char *problem)
{
	struct check *check = arg;

	check->statements++;
	if (!problem)
		return;
	check->bad_statements++;
	tell(check, OUTCOME_BAD, "statements",
	     "cube.merge_%s does not fit its descriptor, the schema was made by another program: %s", name, problem);
}

static void check_statements(struct check *check, struct gc_pg *pg)
{
	struct gc_err err;

	if (gc_pg_check_statements(pg, take_statement, check, &err))
		tell_error(check, "statements", &err);
	else if (check->bad_statements == 0)
		tell(check, OUTCOME_OK, "statements", "all %" PRId64 " fit the descriptors of the streams", check->statements);
}

static void check_ledger(struct check *check, struct gc_pg *pg, struct gc_arena *arena)
{
	static const char sql[] = "SELECT count(*), count(*) FILTER (WHERE open), min(place) FILTER (WHERE open) FROM ("
				  "SELECT applied + superseded + dead + ignored <> next_offset - first_offset AS open,"
				  " format('%s[%s] of group %s', topic, partition, group_id) AS place FROM cube.etl_offset) o";
	struct row row = { .arena = arena };

	if (!ask(check, pg, "ledger", sql, &row))
		return;
	if (gc_output_int(row.values[1], 0) == 0)
		tell(check, OUTCOME_OK, "ledger", "closed in all of %s partitions", row.values[0]);
	else
		tell(check, OUTCOME_BAD, "ledger",
		     "not closed in %s of %s partitions, for example %s; somebody changed cube.etl_offset", row.values[1],
		     row.values[0], row.values[2]);
}

static void check_clock(struct check *check, struct gc_pg *pg, struct gc_arena *arena)
{
	struct row row = { .arena = arena };
	int64_t before_us = gc_now_us(), difference_us;

	if (!ask(check, pg, "clock", "SELECT " GC_SQL_US("clock_timestamp()"), &row))
		return;
	difference_us = gc_output_int(row.values[0], 0) - (before_us + gc_now_us()) / 2;
	if (llabs(difference_us) <= CLOCK_WARN_US)
		tell(check, OUTCOME_OK, "clock", "the database's differs by %" PRId64 " ms", difference_us / 1000);
	else
		tell(check, OUTCOME_WARNING, "clock",
		     "the database's is %.1f s %s this machine's, and ages are wrong by that; set both by NTP",
		     (double)llabs(difference_us) / GC_SECOND_US, difference_us > 0 ? "ahead of" : "behind");
}

/* Old row versions cannot be cleaned away while somebody might still look at them, and the rows of "now" get slower with each: after an
 * hour of an open BEGIN a commit took 9 ms instead of 1. What others do is shown with pg_read_all_stats only; their age is not. */
static void check_horizon(struct check *check, struct gc_pg *pg, struct gc_arena *arena)
{
	static const char sql[] =
		"SELECT who, concat_ws(', ', (extract(epoch FROM clock_timestamp() - since) / 60)::int || ' minutes', age(xmin) || ' transactions'), how FROM ("
		"SELECT format('session %s (%s, user %s)', pid, coalesce(nullif(application_name, ''), 'no name'), usename) AS who, xact_start AS since,"
		" backend_xmin AS xmin, format('SELECT pg_terminate_backend(%s)', pid) AS how FROM pg_stat_activity"
		" WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND datname = current_database()"
		" UNION ALL SELECT format('prepared transaction %s', gid), prepared, transaction, format('ROLLBACK PREPARED %L', gid)"
		" FROM pg_prepared_xacts WHERE database = current_database()"
		" UNION ALL SELECT format('replication slot %s', slot_name), NULL, xmin, format('SELECT pg_drop_replication_slot(%L)', slot_name)"
		" FROM pg_replication_slots WHERE xmin IS NOT NULL) h"
		" WHERE clock_timestamp() - since > interval '5 min' OR age(xmin) > 100000 ORDER BY age(xmin) DESC LIMIT 1";
	struct row row = { .arena = arena };

	if (!ask(check, pg, "snapshots", sql, &row))
		return;
	if (!row.values[0])
		tell(check, OUTCOME_OK, "snapshots", "nobody holds an old one");
	else
		tell(check, OUTCOME_WARNING, "snapshots",
		     "%s has held one for %s: every commit gets slower until it ends; if it is forgotten: %s", row.values[0],
		     row.values[1], row.values[2]);
}

static const char *const database_checks[] = { "schema version", "rights", "statements", "ledger", "snapshots", "clock" };

static void skip_database(struct check *check, size_t from, const char *why)
{
	for (size_t i = from; i < sizeof(database_checks) / sizeof(database_checks[0]); i++)
		tell(check, OUTCOME_SKIPPED, database_checks[i], "%s", why);
}

/* The error's code says in which of these checks opening the cube failed. */
static void explain_database(struct check *check, const struct gc_err *err)
{
	if (strcmp(err->code, "no_schema") == 0 || strcmp(err->code, "schema_version") == 0) {
		tell(check, OUTCOME_OK, "database", "it answers");
		tell(check, OUTCOME_BAD, "schema version", "%s", err->text);
		skip_database(check, 1, "not looked at, because the schema is not the one needed");
	} else if (strcmp(err->code, "42501") == 0) {
		tell(check, OUTCOME_OK, "database", "it answers");
		tell(check, OUTCOME_SKIPPED, "schema version", "not looked at, because a right is missing");
		tell(check, OUTCOME_BAD, "rights", "%s", err->text);
		skip_database(check, 2, "not looked at, because a right is missing");
	} else {
		tell_error(check, "database", err);
		skip_database(check, 0, "not looked at, because the database could not be opened");
	}
}

static void check_database(struct check *check)
{
	struct gc_pg *pg = NULL;
	struct gc_arena arena;
	struct gc_err err;

	if (gc_pg_open_reader(check->cfg, "gracecube check", &pg, &err)) {
		explain_database(check, &err);
		return;
	}
	gc_arena_init(&arena);
	check_server(check, pg, &arena);
	check_schema(check, pg, &arena);
	check_rights(check, pg, &arena);
	check_statements(check, pg);
	check_ledger(check, pg, &arena);
	check_horizon(check, pg, &arena);
	check_clock(check, pg, &arena);
	gc_arena_done(&arena);
	gc_pg_close(pg);
}

/* ---- the command ---- */

static void skip_all(struct check *check)
{
	static const char why[] = "not looked at, because the configuration is wrong";

	tell(check, OUTCOME_SKIPPED, "librdkafka", "%s", why);
	tell(check, OUTCOME_SKIPPED, "broker", "%s", why);
	tell(check, OUTCOME_SKIPPED, "topics", "%s", why);
	tell(check, OUTCOME_SKIPPED, "database", "%s", why);
	skip_database(check, 0, why);
}

static void print_sum(const struct check *check)
{
	int64_t all = 0;

	for (int i = 0; i < OUTCOME_COUNT; i++)
		all += check->counts[i];
	printf("\ncheck: %" PRId64 " checks, ", all);
	if (check->counts[OUTCOME_BAD])
		printf("%" PRId64 " bad", check->counts[OUTCOME_BAD]);
	else
		printf("none bad");
	if (check->counts[OUTCOME_SKIPPED])
		printf(", %" PRId64 " skipped", check->counts[OUTCOME_SKIPPED]);
	if (check->counts[OUTCOME_WARNING])
		printf(", %" PRId64 " warning%s", check->counts[OUTCOME_WARNING], check->counts[OUTCOME_WARNING] == 1 ? "" : "s");
	putchar('\n');
}

static int finish(struct check *check)
{
	bool good = check->counts[OUTCOME_BAD] == 0;

	if (check->lines)
		gc_output_print_json(json_pack("{s:b, s:o}", "good", good, "checks", check->lines), false);
	else
		print_sum(check);
	return good ? GC_EXIT_DONE : GC_EXIT_FINDINGS;
}

/* Wrong usage is not a failed check. */
static bool is_usage(const struct gc_err *err)
{
	return strcmp(err->code, "usage") == 0;
}

/* The health check of a container: asks the `run` or `serve` beside us, so that no other program is needed. */
static int check_live(const struct check_options *options, const struct gc_config *cfg)
{
	char body[4096];
	struct gc_err err;
	int status = 0;

	if (gc_http_get(cfg->http_listen, "/readyz?verbose", options->timeout_us, &status, body, sizeof(body), &err))
		return gc_command_fail(&err);
	fputs(body, stdout);
	return status == 200 ? GC_EXIT_DONE : GC_EXIT_FINDINGS;
}

static int run_check(struct gc_command_line *line)
{
	struct check check = { .options = line->options };
	struct gc_config cfg;
	struct gc_err err;
	enum gc_verdict verdict = gc_command_config(line, &cfg, &err);

	if (verdict && is_usage(&err))
		return gc_command_fail(&err);
	if (line->json)
		check.lines = json_array();
	if (verdict) {
		tell_error(&check, "configuration", &err);
		skip_all(&check);
		return finish(&check);
	}
	if (check.options->live) {
		int code = check_live(check.options, &cfg);

		json_decref(check.lines);
		gc_config_free(&cfg);
		return code;
	}
	check.cfg = &cfg;
	tell(&check, OUTCOME_OK, "configuration", "%s", cfg.path ? cfg.path : "no file; defaults, environment and flags");
	check_kafka(&check);
	check_database(&check);
	gc_config_free(&cfg);
	return finish(&check);
}

static const struct gc_flag flags[] = {
	{ "live", 0, NULL, "ask the running process at http.listen instead (GET /readyz)", GC_FLAG_BOOL,
	  .offset = offsetof(struct check_options, live) },
	GC_FLAG_KAFKA_TIMEOUT(struct check_options),
	{ .name = NULL },
};

const struct gc_command gc_command_check = {
	.name = "check",
	.summary = "tells whether all that gracecube needs is there, and what to do where it is not",
	.usage = "check [options]",
	.help = "Examples:\n"
		"  gracecube check\n"
		"  gracecube check -c /etc/gracecube.yaml --timeout 3s\n"
		"  gracecube check --live --timeout 3s            is the `run` beside us ready? For a container's health check\n"
		"  gracecube check --json | jq '.checks[] | select(.outcome != \"ok\")'\n"
		"\n"
		"One line a check: OK; WARN, something to know; BAD, something that must be set right, with what to do; SKIP, what\n"
		"could not be looked at because another check is bad. All are run, in this order:\n"
		"\n"
		"  configuration   it can be read, and from which file\n"
		"  librdkafka      its version, and that it takes all of kafka.properties\n"
		"  broker          one of kafka.brokers answers\n"
		"  stream …        which topics of each stream exist, with their partitions, and may be read\n"
		"  topics          at least one of all of them does\n"
		"  database        it answers, with PostgreSQL 15 or newer\n"
		"  schema version  the cube is there in the version that this program needs\n"
		"  rights          the role may do what `run` and `verify` do\n"
		"  statements      every prepared statement fits its stream's descriptor\n"
		"  ledger          every record that was read is accounted for\n"
		"  snapshots       nobody keeps old row versions from being cleaned away\n"
		"  clock           the database's clock and this machine's agree\n"
		"\n"
		"It changes nothing, and `run` may be at work meanwhile.\n"
		"\n"
		"Exit codes: 0 nothing is bad (warnings count as good); 1 something is bad; 2 wrong words.\n",
	.flags = flags,
	.options_bytes = sizeof(struct check_options),
	.has_json = true,
	.run = run_check,
};
