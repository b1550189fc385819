/* gracecube migrate: the schema as this program needs it.
 *
 * Guarantee: a new cube is there as a whole or not at all, and an older one goes on while it is upgraded, however often and from how many
 * sides that is asked for at once (see sinks/postgres/migrate.c). Threads: the main thread.
 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include <gracecube/log.h>
#include <gracecube/sink.h>

#include "cli/output.h"
#include "cli/command.h"
#include "cli/progress.h"

#define PAUSE_FIRST_US (GC_SECOND_US / 4)
#define PAUSE_MAX_US (5 * GC_SECOND_US)

struct migrate_options {
	bool dry_run, print_sql, prune_metrics;
	int64_t wait_us;
};

/* What is told while it happens, and kept for JSON. */
struct telling {
	bool dry_run, as_json;
	json_t *steps, *fills, *old, *kept;
	char rollup[64]; /* that is being filled */
	struct gc_progress progress;
};

static void take_step(void *arg, const char *step, const char *file, const char *sha256)
{
	struct telling *telling = arg;

	json_array_append_new(telling->steps, json_pack("{s:s, s:s, s:s}", "step", step, "file", file, "sha256", sha256));
	if (telling->as_json)
		return;
	printf("%-8s  %.12s  %s\n", step, sha256, file);
	fflush(stdout); /* it may take a while */
}

static void begin_fill(struct telling *telling, const char *rollup, int64_t done, int64_t facts)
{
	snprintf(telling->rollup, sizeof(telling->rollup), "%s", rollup);
	json_array_append_new(telling->fills,
			      json_pack("{s:s, s:I, s:I}", "rollup", rollup, "done", (json_int_t)done, "facts", (json_int_t)facts));
	if (telling->as_json)
		return;
	printf("fill      %s, which has %" PRId64 " of %" PRId64 " facts\n", rollup, done, facts);
	fflush(stdout);
}

static void take_fill(void *arg, const char *rollup, int64_t done, int64_t facts)
{
	struct telling *telling = arg;

	if (strcmp(telling->rollup, rollup) != 0) {
		gc_progress_end(&telling->progress);
		begin_fill(telling, rollup, done, facts);
		gc_progress_start(&telling->progress, telling->dry_run ? GC_PROGRESS_NONE : GC_PROGRESS_AUTO, rollup, "facts",
				  facts);
	}
	gc_progress_at(&telling->progress, done);
}

static void take_old(void *arg, const char *program, const char *pid, const char *address, const char *since)
{
	struct telling *telling = arg;

	json_array_append_new(telling->old, json_pack("{s:o, s:I, s:o, s:s}", "program", gc_output_text_json(program), "pid",
						      (json_int_t)gc_output_int(pid, 0), "address", gc_output_text_json(address),
						      "since", since));
}

static void take_kept(void *arg, const char *file, int64_t metrics)
{
	struct telling *telling = arg;

	json_object_set_new(telling->kept, file, json_integer(metrics));
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* At least one try; waiting helps only where the verdict says so. */
static enum gc_verdict migrate_patiently(const struct gc_config *cfg, int64_t wait_us, struct gc_migration *migration,
					 struct gc_err *err)
{
	int64_t until_us = gc_monotonic_us() + wait_us, pause_us = PAUSE_FIRST_US, repeated;
	struct gc_complaint complaint = { 0 };
	enum gc_verdict verdict;

	while ((verdict = gc_pg_migrate(cfg, migration, err)) == GC_RETRY) {
		int64_t now_us = gc_monotonic_us();

		if (now_us >= until_us)
			return verdict;
		if (gc_complain(&complaint, now_us, &repeated))
			gc_warn("PostgreSQL is not ready, trying again", GC_ERR_FIELDS(err), GC_I("repeated", repeated),
				GC_I("seconds_left", (until_us - now_us) / GC_SECOND_US));
		gc_sleep_us(smaller(pause_us, until_us - now_us));
		pause_us = smaller(2 * pause_us, PAUSE_MAX_US);
	}
	return verdict;
}

static void print_json(const struct gc_migration *migration, const struct telling *telling)
{
	gc_output_print_json(json_pack("{s:o, s:i, s:i, s:b, s:O, s:O, s:O, s:I, s:O}", "found",
				       migration->found ? json_integer(migration->found) : json_null(), "now", migration->now,
				       "needed", gc_schema_version(), "dry_run", telling->dry_run, "steps", telling->steps, "fills",
				       telling->fills, "older_programs", telling->old, "metrics", (json_int_t)migration->metrics,
				       "metrics_kept", telling->kept),
			     false);
}

static void print_plan(const struct gc_migration *migration)
{
	if (migration->found == 0)
		printf("\nmigrate: no cube found; the %zu files above would make one with schema version %d\n", migration->steps,
		       gc_schema_version());
	else if (migration->steps == 0 && migration->found == gc_schema_version() && migration->metrics)
		printf("migrate: schema version %d found, and that is the one needed; definitions of metrics that would be written or taken"
		       " away: %" PRId64 "\n",
		       migration->found, migration->metrics);
	else if (migration->steps == 0 && migration->found == gc_schema_version())
		printf("migrate: schema version %d found, and that is the one needed; there is nothing to do\n", migration->found);
	else
		printf("\nmigrate: schema version %d found; the %zu files above would bring it to %d\n", migration->found,
		       migration->steps, gc_schema_version());
}

static void print_result(const struct gc_migration *migration)
{
	if (migration->found == 0)
		printf("migrate: no cube found, made with schema version %d\n", migration->now);
	else if (migration->waiting)
		printf("migrate: all is there that schema version %d needs; %d stays open to the older programs below\n",
		       gc_schema_version(), migration->now);
	else if (migration->found == migration->now && migration->steps)
		printf("migrate: schema version %d found, its functions and views are now those of this program\n",
		       migration->found);
	else if (migration->found == migration->now && migration->metrics)
		printf("migrate: schema version %d found, and that is the one needed\n", migration->found);
	else if (migration->found == migration->now)
		printf("migrate: schema version %d found, and that is the one needed; nothing to do\n", migration->found);
	else
		printf("migrate: schema version %d found, now it is %d\n", migration->found, migration->now);
	if (migration->found && migration->metrics)
		printf("migrate: definitions of metrics that were written or taken away: %" PRId64 "\n", migration->metrics);
}

static void print_old(const struct telling *telling)
{
	size_t i;
	json_t *old;
	struct gc_arena arena;

	if (json_array_size(telling->old) == 0)
		return;
	gc_arena_init(&arena);
	json_array_foreach(telling->old, i, old)
		printf("  %s, backend %lld, from %s, since %s UTC\n",
		       gc_output_escape(gc_span_of(json_string_value(json_object_get(old, "program"))), false, &arena),
		       (long long)json_integer_value(json_object_get(old, "pid")),
		       json_string_value(json_object_get(old, "address")), json_string_value(json_object_get(old, "since")));
	puts("They are of an older gracecube and may go on. Start the new ones, stop these, then run `gracecube migrate` once more.");
	gc_arena_done(&arena);
}

static void print_kept(const struct telling *telling)
{
	const char *file;
	json_t *metrics;
	struct gc_arena arena;

	gc_arena_init(&arena);
	json_object_foreach(telling->kept, file, metrics) printf(
		"migrate: the configuration does not name %s, whose metrics or targets (%lld) stay in the cube; --prune-metrics takes them away\n",
		gc_output_escape(gc_span_of(file), false, &arena), (long long)json_integer_value(metrics));
	gc_arena_done(&arena);
}

static void print_answer(const struct gc_migration *migration, const struct telling *telling)
{
	if (telling->as_json) {
		print_json(migration, telling);
		return;
	}
	if (telling->dry_run)
		print_plan(migration);
	else
		print_result(migration);
	print_kept(telling);
	print_old(telling);
}

static int migrate(const struct gc_command_line *line, const struct gc_config *cfg)
{
	const struct migrate_options *options = line->options;
	struct telling telling = { .dry_run = options->dry_run,
				   .as_json = line->json,
				   .steps = json_array(),
				   .fills = json_array(),
				   .old = json_array(),
				   .kept = json_object(),
				   .progress = { .mode = GC_PROGRESS_NONE } };
	struct gc_migration migration = { .dry_run = options->dry_run,
					  .prune_metrics = options->prune_metrics,
					  .step = take_step,
					  .fill = take_fill,
					  .old = take_old,
					  .kept = take_kept,
					  .arg = &telling };
	struct gc_err err;
	enum gc_verdict verdict = migrate_patiently(cfg, options->wait_us, &migration, &err);

	gc_progress_end(&telling.progress);
	if (verdict == GC_OK)
		print_answer(&migration, &telling);
	json_decref(telling.steps);
	json_decref(telling.fills);
	json_decref(telling.old);
	json_decref(telling.kept);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

static int run_migrate(struct gc_command_line *line)
{
	const struct migrate_options *options = line->options;
	struct gc_config cfg;
	struct gc_err err;
	int code;

	if (options->print_sql && (line->json || options->wait_us || options->dry_run || options->prune_metrics))
		return gc_command_misuse(line,
					 "--sql asks no database: --json, --wait, --dry-run and --prune-metrics do not go with it");
	if (gc_command_config(line, &cfg, &err))
		return gc_command_fail(&err);
	if (options->print_sql)
		code = gc_pg_print_schema(&cfg, stdout, &err) == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
	else
		code = migrate(line, &cfg);
	gc_config_free(&cfg);
	return code;
}

static const struct gc_flag flags[] = {
	{ "dry-run", 'n', NULL, "print what would be done, file by file; change nothing", GC_FLAG_BOOL,
	  .offset = offsetof(struct migrate_options, dry_run) },
	{ "sql", 0, NULL, "print the SQL of a whole new cube; ask no database", GC_FLAG_BOOL,
	  .offset = offsetof(struct migrate_options, print_sql) },
	{ "prune-metrics", 0, NULL, "take metrics and targets away whose file the configuration does not name; else they stay",
	  GC_FLAG_BOOL, .offset = offsetof(struct migrate_options, prune_metrics) },
	{ "wait", 'w', "TIME", "how long to wait for the database; 0s is one try", GC_FLAG_DURATION,
	  .offset = offsetof(struct migrate_options, wait_us), .initially = "0s", .max = GC_DAY_US },
	{ .name = NULL },
};

const struct gc_command gc_command_migrate = {
	.name = "migrate",
	.summary = "makes the cube in PostgreSQL, or brings it up to date",
	.usage = "migrate [options]",
	.help = "Examples:\n"
		"  gracecube migrate --dry-run           what would be done, file by file\n"
		"  gracecube migrate\n"
		"  gracecube migrate --wait 60s          where the database is started at the same time\n"
		"  gracecube migrate --sql | less        read the SQL first\n"
		"\n"
		"Makes the schema of cube.schema in the database of postgres.dsn, or brings that of any earlier gracecube to what this one needs,\n"
		"while the cube is in use. It says which schema version was found and which is there now, and writes cube.business_*\n"
		"and the metrics of the program and of cube.metrics_files there; those of files that are not named stay, unless --prune-metrics\n"
		"is given. Safe to repeat, to kill and to start twice at once.\n"
		"\n"
		"A cube is upgraded step by step: expand (tables get what is new), code (functions and triggers in one short transaction), fill\n"
		"(rollups that are new get the facts that are there), code again (rights, and views that differ, each a short transaction), online\n"
		"(other work that takes its time), contract (what only older programs need goes). Programs of the version before go on until\n"
		"the last step, which waits for their end: then it names them and is done by the next `migrate`. Killed, it goes on the next time.\n"
		"A lock that is not free within 80 ms is given up and tried again later, for 10 minutes, so nobody waits for it.\n"
		"\n"
		"The role needs CREATE on the database, or to own the cube. If it may also create roles, gracecube_writer (for `run`) and\n"
		"gracecube_reader (for analysts) are made; otherwise they are left out.\n"
		"\n"
		"Exit codes: 0 the schema is there; 2 wrong words; 69 PostgreSQL not reachable in time, or a lock that never was free;\n"
		"78 wrong configuration, a refused login, a missing right, or a cube that is newer than this program.\n",
	.flags = flags,
	.options_bytes = sizeof(struct migrate_options),
	.has_json = true,
	.run = run_migrate,
};
