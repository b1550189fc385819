/* gracecube migrate: the schema as this program needs it.
 *
 * Guarantee: it is there as a whole or not at all, however often and from how many sides it is asked for at once (one
 * transaction under a lock, see sinks/postgres/migrate.c). Threads: the main thread.
 */
#include <jansson.h>
#include <time.h>

#include <gracecube/log.h>
#include <gracecube/sink.h>

#include "answer.h"
#include "command.h"

#define PAUSE_FIRST_US (GC_SECOND_US / 4)
#define PAUSE_MAX_US (5 * GC_SECOND_US)

struct migrate_options {
	bool dry_run;
	int64_t wait_us;
};

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void pause_for(int64_t us)
{
	struct timespec pause = { .tv_sec = us / GC_SECOND_US, .tv_nsec = us % GC_SECOND_US * 1000 };

	nanosleep(&pause, NULL);
}

/* At least one try; waiting helps only where the verdict says so. */
static enum gc_verdict migrate_patiently(const struct gc_config *cfg, int64_t wait_us, int *ret_from, struct gc_err *err)
{
	int64_t until_us = gc_monotonic_us() + wait_us, pause_us = PAUSE_FIRST_US, repeated;
	struct gc_complaint complaint = { 0 };
	enum gc_verdict verdict;

	while ((verdict = gc_pg_migrate(cfg, ret_from, err)) == GC_RETRY) {
		int64_t now_us = gc_monotonic_us();

		if (now_us >= until_us)
			return verdict;
		if (gc_complain(&complaint, now_us, &repeated))
			gc_warn("PostgreSQL is not ready, trying again", GC_ERR_FIELDS(err), GC_I("repeated", repeated),
				GC_I("seconds_left", (until_us - now_us) / GC_SECOND_US));
		pause_for(smaller(pause_us, until_us - now_us));
		pause_us = smaller(2 * pause_us, PAUSE_MAX_US);
	}
	return verdict;
}

static void print_answer(int from, bool as_json)
{
	if (as_json)
		gc_answer_print_json(json_pack("{s:o, s:i}", "found", from ? json_integer(from) : json_null(), "now",
					       GC_SCHEMA_VERSION),
				     false);
	else if (from == 0)
		printf("migrate: no cube found, made with schema version %d\n", GC_SCHEMA_VERSION);
	else if (from == GC_SCHEMA_VERSION)
		printf("migrate: schema version %d found, and that is the one needed; nothing to do\n", from);
	else
		printf("migrate: schema version %d found, now it is %d\n", from, GC_SCHEMA_VERSION);
}

static int run_migrate(struct gc_command_line *line)
{
	const struct migrate_options *options = line->options;
	struct gc_config cfg;
	struct gc_err err;
	enum gc_verdict verdict;
	int from;

	if (options->dry_run && (line->json || options->wait_us))
		return gc_command_misuse(line, "--dry-run prints SQL and asks no database: --json and --wait do not go with it");
	if (gc_command_config(line, &cfg, &err))
		return gc_command_fail(&err);
	if (options->dry_run) {
		gc_pg_print_schema(stdout);
		gc_config_free(&cfg);
		return GC_EXIT_DONE;
	}
	verdict = migrate_patiently(&cfg, options->wait_us, &from, &err);
	gc_config_free(&cfg);
	if (verdict)
		return gc_command_fail(&err);
	print_answer(from, line->json);
	return GC_EXIT_DONE;
}

static const struct gc_flag flags[] = {
	{ "dry-run", 'n', NULL, "print the SQL that makes the schema; change nothing", GC_FLAG_BOOL,
	  .offset = offsetof(struct migrate_options, dry_run) },
	{ "wait", 'w', "TIME", "how long to wait for the database; 0s is one try", GC_FLAG_DURATION,
	  .offset = offsetof(struct migrate_options, wait_us), .initially = "0s", .max = GC_DAY_US },
	{ .name = NULL },
};

const struct gc_command gc_command_migrate = {
	.name = "migrate",
	.summary = "makes the cube in PostgreSQL, or brings it up to date",
	.usage = "migrate [options]",
	.help = "Examples:\n"
		"  gracecube migrate\n"
		"  gracecube migrate --wait 60s          where the database is started at the same time\n"
		"  gracecube migrate --dry-run | less    read the SQL first\n"
		"\n"
		"Makes the schema `cube` (tables, views, functions, triggers, first rows of the dimensions) in the database of\n"
		"postgres.dsn, and writes cube.business_* there. It says which schema version was found and which is there now.\n"
		"All of it is one transaction: it happens as a whole or not at all. Safe to repeat, and to start twice at once.\n"
		"\n"
		"The role needs CREATE on the database. If it may also create roles, gracecube_writer (for `run`) and\n"
		"gracecube_reader (for analysts) are made; otherwise they are left out.\n"
		"\n"
		"Exit codes: 0 the schema is there; 2 wrong words; 69 PostgreSQL not reachable in time; 78 wrong configuration, a\n"
		"refused login, a missing right, or a schema that is newer than this program.\n",
	.flags = flags,
	.options_bytes = sizeof(struct migrate_options),
	.has_json = true,
	.run = run_migrate,
};
