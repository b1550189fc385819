/* gracecube retention: throws away what is older than the options under retention say, or shows it.
 *
 * Guarantee: with --dry-run nothing is changed; without, what is told as gone is gone, and killed anywhere it goes on the next time.
 * Threads: the main thread; the signal handler sets one flag.
 */
#include <gracecube/retention.h>
#include <gracecube/sink.h>
#include <gracecube/stop.h>

#include "cli/output.h"
#include "cli/command.h"

struct retention_options {
	bool dry_run;
	int64_t wait_us;
};

static const struct gc_flag flags[] = {
	{ "dry-run", 'n', NULL, "show what would go and change nothing", GC_FLAG_BOOL,
	  .offset = offsetof(struct retention_options, dry_run) },
	{ "wait", 0, "TIME", "how long a table is tried for that somebody reads all the while", GC_FLAG_DURATION,
	  .offset = offsetof(struct retention_options, wait_us), .initially = "1m" },
	{ .name = NULL },
};

static const struct gc_table_column columns[] = {
	{ "kind", false, 0 }, { "table", false, 0 }, { "before", false, 0 },
	{ "rows", true, 0 },  { "bytes", true, 0 },  { "state", false, 0 },
};

struct telling {
	bool dry_run;
	struct gc_table table;
	json_t *items;
	int64_t rows, bytes;
};

static const char *state_of(const struct telling *telling, const struct gc_expiry *expiry)
{
	if (telling->dry_run)
		return "would go";
	return expiry->is_done ? "gone" : "kept by others";
}

/* A fact of which nothing is there is closed too, and that is not worth a line. */
static void add_row(struct telling *telling, const struct gc_expiry *expiry)
{
	char before[GC_OUTPUT_BYTES], rows[GC_OUTPUT_BYTES], bytes[GC_OUTPUT_BYTES];

	if (expiry->rows == 0 && expiry->bytes == 0)
		return;
	gc_table_add(&telling->table, expiry->kind);
	gc_table_add(&telling->table, expiry->table);
	gc_table_add(&telling->table, gc_output_time(expiry->before_us, before, sizeof(before)));
	gc_table_add(&telling->table, gc_output_count(expiry->rows, rows, sizeof(rows)));
	gc_table_add(&telling->table, gc_output_count(expiry->bytes, bytes, sizeof(bytes)));
	gc_table_add(&telling->table, state_of(telling, expiry));
}

static void take_expiry(void *arg, const struct gc_expiry *expiry)
{
	struct telling *telling = arg;

	telling->rows += expiry->rows;
	telling->bytes += telling->dry_run || expiry->is_done ? expiry->bytes : 0;
	add_row(telling, expiry);
	json_array_append_new(telling->items,
			      json_pack("{s:s, s:s, s:o, s:I, s:I, s:s}", "kind", expiry->kind, "table", expiry->table, "before",
					gc_output_time_json(expiry->before_us), "rows", (json_int_t)expiry->rows, "bytes",
					(json_int_t)expiry->bytes, "state", state_of(telling, expiry)));
}

static bool is_stopped(void *arg)
{
	(void)arg;
	return gc_stop_was_asked();
}

static void print_sum(const struct gc_config *config, const struct gc_retention *retention, const struct telling *telling)
{
	char rows[GC_OUTPUT_BYTES], bytes[GC_OUTPUT_BYTES];

	if (telling->table.cell_count > 0)
		putchar('\n');
	printf("retention: %s rows, %s bytes %s\n", gc_output_count(telling->rows, rows, sizeof(rows)),
	       gc_output_count(telling->bytes, bytes, sizeof(bytes)), retention->dry_run ? "would go" : "went");
	if (!gc_retention_is_set(config))
		puts("no option under retention is set: all is kept for ever");
}

static void print_json(const struct gc_config *config, const struct gc_retention *retention, const struct telling *telling)
{
	gc_output_print_json(json_pack("{s:b, s:b, s:I, s:I, s:I, s:O}", "dry_run", retention->dry_run, "is_set",
				       gc_retention_is_set(config), "rows", (json_int_t)telling->rows, "bytes",
				       (json_int_t)telling->bytes, "tables_left", (json_int_t)retention->left, "tables",
				       telling->items),
			     false);
}

static int tell(const struct gc_config *config, const struct gc_retention *retention, const struct telling *telling, bool as_json)
{
	if (as_json) {
		print_json(config, retention, telling);
	} else {
		gc_table_print(&telling->table, stdout);
		print_sum(config, retention, telling);
	}
	return GC_EXIT_DONE;
}

static int run_retention(struct gc_command_line *line)
{
	const struct retention_options *options = line->options;
	struct telling telling = { .dry_run = options->dry_run };
	struct gc_retention retention = { .dry_run = options->dry_run,
					  .patience_us = options->wait_us,
					  .each = take_expiry,
					  .is_stopped = is_stopped,
					  .arg = &telling };
	struct gc_config config;
	struct gc_err err = { .verdict = GC_OK };
	enum gc_verdict verdict;
	int code = GC_EXIT_DONE;

	if (gc_command_config(line, &config, &err) != GC_OK)
		return gc_command_fail(&err);
	gc_stop_on_signals(0);
	telling.items = json_array();
	gc_table_init(&telling.table, columns, sizeof(columns) / sizeof(columns[0]));
	verdict = gc_pg_retain(&config, &retention, &err);
	if (retention.is_elsewhere)
		fputs("gracecube: another process is throwing old data away; nothing was done here\n", stderr);
	else if (verdict == GC_OK || retention.left > 0)
		code = tell(&config, &retention, &telling, line->json);
	gc_table_done(&telling.table);
	json_decref(telling.items);
	gc_config_free(&config);
	if (verdict != GC_OK)
		return gc_command_fail(&err);
	return retention.is_elsewhere ? GC_EXIT_AGAIN : code;
}

const struct gc_command gc_command_retention = {
	.name = "retention",
	.summary = "throws away what is older than the configuration keeps",
	.usage = "retention [--dry-run] [options]",
	.help = "Examples:\n"
		"  gracecube retention --dry-run                        what would go, and how many bytes\n"
		"  gracecube retention --dry-run -s retention.facts=400d\n"
		"  gracecube retention\n"
		"\n"
		"Facts go by whole UTC months of their created_at, each table a month at a time: its sums are proven, its partition is\n"
		"detached, then dropped. Rollups and what is read from them stay as they were; `gracecube verify` says up to where they\n"
		"can no longer be computed again. From then on a record of such a month changes nothing and is counted as expired\n"
		"(`gracecube status`): late ones, changes and deletes of facts that went, corrections into or out of the month.\n"
		"Of histories goes what had ended before; what held then stays, so that each later time can be looked back to.\n"
		"What else is kept for a time, and for how long, is in the configuration under retention; without it nothing goes.\n"
		"`gracecube run` does the same by itself, every retention.interval.\n"
		"\n"
		"It runs beside everything else. No lock is waited for longer than 100 ms, and none while somebody holds it for more than a\n"
		"second: such a table is tried again for --wait, then it is said who reads it, and it is kept until the next time. Killed,\n"
		"it goes on where it was.\n"
		"\n"
		"Exit codes: 0 done; 2 wrong usage; 69 PostgreSQL not reachable; 75 a table is in use, or another process is at it;\n"
		"78 configuration, rights or schema are wrong, or the sums of a month are: it is kept until they are right.\n",
	.flags = flags,
	.options_bytes = sizeof(struct retention_options),
	.has_json = true,
	.run = run_retention,
};
