/* gracecube rebuild: makes the cube again from its topics by the rules of today, beside the live one, shows the difference, and lets the two
 * change places when it is told to.
 *
 * Guarantee: killed anywhere, it goes on where it was, and the live cube never notices. Threads: the main thread, and the workers that read;
 * the signal handler sets one flag.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/stop.h>

#include "cli/rebuild.h"

static const struct gc_flag flags[] = {
	{ "stream", 0, "STREAM,…", "read only these streams again", GC_FLAG_LIST,
	  .offset = offsetof(struct gc_rebuild_options, streams) },
	{ "swap", 0, NULL, "put the new cube in the place of the live one", GC_FLAG_BOOL,
	  .offset = offsetof(struct gc_rebuild_options, swap) },
	{ "abandon", 0, NULL, "throw the new cube away", GC_FLAG_BOOL, .offset = offsetof(struct gc_rebuild_options, abandon) },
	{ "drop-old", 0, NULL, "drop the cube that was live before the swap", GC_FLAG_BOOL,
	  .offset = offsetof(struct gc_rebuild_options, drop_old) },
	GC_FLAG_PROGRESS(struct gc_rebuild_options),
	{ .name = NULL },
};

/* ---- the difference ---- */

static const struct gc_table_column difference_columns[] = {
	{ "kind", false, 0 },    { "of", false, 0 },       { "in both or one", true, 0 }, { "only live", true, 0 },
	{ "only new", true, 0 }, { "different", true, 0 }, { "such as", false, 60 },
};
static const struct gc_table_column metric_columns[] = { { "metric", false, 0 }, { "live", true, 0 }, { "new", true, 0 } };

static void take_difference(void *arg, const struct gc_rebuild_difference *d)
{
	struct gc_rebuild_telling *telling = arg;
	int64_t differing = d->only_live + d->only_rebuilt + d->different;

	telling->compared += d->both_sides;
	*(d->kind[0] == 'r' ? &telling->rows : &telling->cells) += differing;
	json_array_append_new(telling->difference_list,
			      json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "kind", d->kind, "of", d->subject, "compared",
					(json_int_t)d->both_sides, "only_live", (json_int_t)d->only_live, "only_new",
					(json_int_t)d->only_rebuilt, "different", (json_int_t)d->different, "example",
					gc_output_text_json(d->example)));
	if (differing == 0)
		return;
	gc_table_add(&telling->differences, d->kind);
	gc_table_add(&telling->differences, d->subject);
	gc_table_add_int(&telling->differences, d->both_sides);
	gc_table_add_int(&telling->differences, d->only_live);
	gc_table_add_int(&telling->differences, d->only_rebuilt);
	gc_table_add_int(&telling->differences, d->different);
	gc_table_add(&telling->differences, d->example);
}

static const char *number_of(double value, char *buffer, size_t bytes)
{
	if (isnan(value))
		return NULL;
	snprintf(buffer, bytes, value == floor(value) ? "%.0f" : "%.6f", value);
	return buffer;
}

static void take_metric(void *arg, const struct gc_rebuild_metric *m)
{
	struct gc_rebuild_telling *telling = arg;
	char live[GC_OUTPUT_BYTES], rebuilt[GC_OUTPUT_BYTES];

	gc_table_add(&telling->metrics, m->name);
	gc_table_add(&telling->metrics, number_of(m->live, live, sizeof(live)));
	gc_table_add(&telling->metrics, number_of(m->rebuilt, rebuilt, sizeof(rebuilt)));
	json_array_append_new(telling->metric_list, json_pack("{s:s, s:o, s:o}", "metric", m->name, "live",
							      isnan(m->live) ? json_null() : json_real(m->live), "new",
							      isnan(m->rebuilt) ? json_null() : json_real(m->rebuilt)));
}

static bool has_differences(const struct gc_rebuild_telling *telling)
{
	return telling->rows + telling->cells > 0;
}

static void tell_difference(const struct gc_rebuild_telling *telling)
{
	char compared[GC_OUTPUT_BYTES];

	if (telling->as_json)
		return;
	putchar('\n');
	gc_table_print(&telling->differences, stdout);
	if (has_differences(telling))
		putchar('\n');
	gc_table_print(&telling->metrics, stdout);
	gc_output_count(telling->compared, compared, sizeof(compared));
	if (has_differences(telling))
		printf("\nrebuild: %" PRId64 " rows and %" PRId64 " cells differ, of %s that were compared at the same positions\n",
		       telling->rows, telling->cells, compared);
	else
		printf("\nrebuild: nothing differs; %s rows and cells were compared at the same positions\n", compared);
	fflush(stdout);
}

static enum gc_verdict compare(struct gc_rebuild_telling *telling, struct gc_rebuild_reader *reader, struct gc_err *err)
{
	enum gc_verdict verdict = gc_rebuild_link(reader->rebuild, err);

	if (verdict == GC_OK)
		verdict = gc_rebuild_meet(reader, err);
	if (verdict == GC_OK)
		verdict = gc_rebuild_freeze(reader->rebuild, err);
	if (verdict == GC_OK)
		verdict = gc_rebuild_compare(reader->rebuild, take_difference, take_metric, telling, err);
	if (verdict == GC_OK)
		tell_difference(telling);
	return verdict;
}

/* ---- the swap ---- */

/* The workers know the new cube by a name that it has no longer. */
static void clear_up(struct gc_rebuild_reader *reader)
{
	struct gc_err err;

	if (gc_rebuild_pause(reader, &err) != GC_OK)
		gc_debug("a worker had ended", GC_ERR_FIELDS(&err));
	if (gc_rebuild_finish_swap(reader->rebuild, &err) != GC_OK)
		gc_warn("views and functions of the cube before the swap still answer for the new one; `gracecube rebuild --swap` again ends that",
			GC_ERR_FIELDS(&err));
}

static enum gc_verdict swap(struct gc_rebuild_reader *reader, struct gc_err *err)
{
	enum gc_verdict verdict = gc_rebuild_begin_swap(reader->rebuild, err);

	if (verdict == GC_OK)
		verdict = gc_rebuild_meet(reader, err);
	if (verdict == GC_OK)
		verdict = gc_rebuild_commit_swap(reader->rebuild, err);
	if (verdict != GC_OK)
		gc_rebuild_cancel_swap(reader->rebuild);
	else
		clear_up(reader);
	return verdict;
}

/* They go by what a table is, not by its name. */
static void warn_of_views(struct gc_rebuild *rebuild)
{
	char views[GC_REBUILD_VIEWS_BYTES];
	struct gc_err err;

	if (gc_rebuild_views_elsewhere(rebuild, gc_rebuild_old_schema(rebuild), views, &err) == GC_OK && *views)
		fprintf(stderr,
			"gracecube: views of yours still read the cube before: %s; make them again (CREATE OR REPLACE VIEW)\n",
			views);
}

/* ---- all of it ---- */

static void tell_read(struct gc_rebuild_telling *telling, const struct gc_rebuild_reader *reader)
{
	double seconds = (double)(gc_monotonic_us() - reader->started_us) / 1e6;
	int64_t read, total;
	char number[GC_OUTPUT_BYTES], rate[GC_OUTPUT_BYTES];

	gc_run_progress(reader->run, &read, &total);
	read += reader->read;
	json_object_set_new(telling->answer, "records", json_integer(read));
	json_object_set_new(telling->answer, "seconds", json_real(seconds));
	if (telling->as_json)
		return;
	printf("rebuild: %s records were read in %.1f s, %s a second\n", gc_output_count(read, number, sizeof(number)), seconds,
	       gc_output_count((int64_t)((double)read / seconds), rate, sizeof(rate)));
	fflush(stdout);
}

static enum gc_verdict read_and_compare(struct gc_rebuild_telling *telling, struct gc_rebuild_reader *reader,
					struct gc_replay *replay, bool was_read, struct gc_err *err)
{
	enum gc_verdict verdict = gc_rebuild_read_files(reader, replay, err);

	if (verdict == GC_OK)
		verdict = gc_rebuild_read(reader, err);
	if (verdict == GC_OK)
		tell_read(telling, reader);
	if (verdict == GC_OK && !was_read)
		verdict = gc_rebuild_pause(reader, err);
	if (verdict == GC_OK && !was_read)
		verdict = gc_rebuild_end_reading(reader->rebuild, err);
	return verdict == GC_OK ? compare(telling, reader, err) : verdict;
}

static void tell_end(struct gc_rebuild_telling *telling, const struct gc_rebuild *rebuild, bool is_swapped)
{
	if (telling->as_json) {
		json_object_set_new(telling->answer, "rows_differing", json_integer(telling->rows));
		json_object_set_new(telling->answer, "cells_differing", json_integer(telling->cells));
		json_object_set_new(telling->answer, "swapped", json_boolean(is_swapped));
		json_object_set(telling->answer, "differences", telling->difference_list);
		json_object_set(telling->answer, "metrics", telling->metric_list);
		gc_output_print_json(json_incref(telling->answer), false);
	} else if (is_swapped) {
		printf("rebuild: the new cube has taken the place of the live one, which is the schema %s now; `gracecube rebuild --drop-old` drops it\n",
		       gc_rebuild_old_schema(rebuild));
	} else {
		puts("next: `gracecube rebuild --swap` puts the new cube in the place of the live one, `gracecube rebuild --abandon` throws it away");
	}
}

static int make_again(struct gc_rebuild_telling *telling, const struct gc_config *config, struct gc_rebuild *rebuild,
		      const struct gc_rebuild_options *options, struct gc_replay *replay, struct gc_rebuild_status *status)
{
	struct gc_rebuild_reader reader;
	struct gc_err err;
	enum gc_verdict verdict = gc_rebuild_begin_or_go_on(telling, config, rebuild, options, replay, status, &err);

	if (verdict != GC_OK)
		return gc_command_fail(&err);
	gc_rebuild_reader_init(&reader, rebuild, (enum gc_progress_mode)options->progress);
	verdict = read_and_compare(telling, &reader, replay, status->state == GC_REBUILD_READ, &err);
	if (verdict == GC_OK && options->swap)
		verdict = swap(&reader, &err);
	if (verdict == GC_OK && options->swap)
		warn_of_views(rebuild);
	if (verdict == GC_OK)
		tell_end(telling, rebuild, options->swap);
	gc_rebuild_reader_done(&reader);
	if (verdict != GC_OK)
		return gc_command_fail(&err);
	return has_differences(telling) && !options->swap ? GC_EXIT_FINDINGS : GC_EXIT_DONE;
}

/* A swap after which the program ended at once is finished first; who asked for it again has it. */
static int rebuild_cube(struct gc_rebuild_telling *telling, const struct gc_config *config, struct gc_rebuild *rebuild,
			const struct gc_rebuild_options *options, struct gc_replay *replay)
{
	struct gc_rebuild_status status;
	struct gc_err err;
	enum gc_verdict verdict = gc_rebuild_look(rebuild, &status, &err);

	if (verdict == GC_OK && status.is_unfinished)
		verdict = gc_rebuild_finish_swap(rebuild, &err);
	if (verdict != GC_OK)
		return gc_command_fail(&err);
	if (!status.is_unfinished || !options->swap || status.state >= GC_REBUILD_BEGUN)
		return make_again(telling, config, rebuild, options, replay, &status);
	warn_of_views(rebuild);
	tell_end(telling, rebuild, true);
	return GC_EXIT_DONE;
}

static int throw_away(const struct gc_rebuild_telling *telling, struct gc_rebuild *rebuild, bool is_old)
{
	struct gc_err err;
	enum gc_verdict verdict = is_old ? gc_rebuild_drop_old(rebuild, &err) : gc_rebuild_abandon(rebuild, &err);

	if (verdict != GC_OK)
		return gc_command_fail(&err);
	if (telling->as_json)
		gc_output_print_json(json_pack("{s:s}", "dropped", is_old ? "old" : "new"), false);
	else
		puts(is_old ? "rebuild: the cube before the swap is dropped"
			    : "rebuild: the new cube is thrown away; the live one was not touched");
	return GC_EXIT_DONE;
}

static int rebuild_and_tell(const struct gc_command_line *line, const struct gc_config *config, struct gc_rebuild *rebuild,
			    struct gc_replay *replay)
{
	const struct gc_rebuild_options *options = line->options;
	struct gc_rebuild_telling telling = { .as_json = line->json };
	int code;

	telling.answer = json_object();
	telling.difference_list = json_array();
	telling.metric_list = json_array();
	gc_table_init(&telling.differences, difference_columns, sizeof(difference_columns) / sizeof(difference_columns[0]));
	gc_table_init(&telling.metrics, metric_columns, sizeof(metric_columns) / sizeof(metric_columns[0]));
	code = options->abandon || options->drop_old ? throw_away(&telling, rebuild, options->drop_old)
						     : rebuild_cube(&telling, config, rebuild, options, replay);
	gc_table_done(&telling.metrics);
	gc_table_done(&telling.differences);
	json_decref(telling.metric_list);
	json_decref(telling.difference_list);
	json_decref(telling.answer);
	return code;
}

/* Files first: a line that is wrong is found before anything is made. */
static enum gc_verdict open_all(const struct gc_command_line *line, const struct gc_config *config, struct gc_replay **ret_replay,
				struct gc_rebuild **ret_rebuild, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	if (line->arg_count > 0)
		verdict = gc_replay_open(line->args, (size_t)line->arg_count, ret_replay, err);
	return verdict == GC_OK ? gc_rebuild_open(config, ret_rebuild, err) : verdict;
}

static int run_rebuild(struct gc_command_line *line)
{
	const struct gc_rebuild_options *options = line->options;
	struct gc_rebuild *rebuild = NULL;
	struct gc_replay *replay = NULL;
	struct gc_config config;
	struct gc_err err;
	int code;

	if (options->swap + options->abandon + options->drop_old > 1)
		return gc_command_misuse(line, "--swap, --abandon and --drop-old exclude each other");
	if (gc_rebuild_wrong_stream(&options->streams))
		return gc_command_misuse(line, "there is no stream %s; `gracecube config sample` lists them",
					 gc_rebuild_wrong_stream(&options->streams));
	if ((options->abandon || options->drop_old) && (options->streams.count > 0 || line->arg_count > 0))
		return gc_command_misuse(line, "--stream and files say what is read again; a cube is thrown away as a whole");
	if (gc_command_config(line, &config, &err) != GC_OK)
		return gc_command_fail(&err);
	gc_stop_on_signals(0);
	if (open_all(line, &config, &replay, &rebuild, &err) == GC_OK)
		code = rebuild_and_tell(line, &config, rebuild, replay);
	else
		code = gc_command_fail(&err);
	gc_rebuild_close(rebuild);
	gc_replay_close(replay);
	gc_config_free(&config);
	return code;
}

const struct gc_command gc_command_rebuild = {
	.name = "rebuild",
	.summary = "makes the cube again from its topics, beside the live one",
	.usage = "rebuild [--stream STREAM,…] [--swap | --abandon | --drop-old] [options] [FILE…]",
	.help = "Examples:\n"
		"  gracecube rebuild                     read all again, show what would be different; the live cube goes on\n"
		"  gracecube rebuild --swap              the same, and put the new cube in its place\n"
		"  gracecube rebuild --drop-old          when all is well: drop the one before\n"
		"  gracecube rebuild --abandon           or throw the new one away\n"
		"  gracecube rebuild --stream action_contracts    read only this stream again; all others stay as they are\n"
		"  gracecube rebuild archive/*.jsonl.gz  what Kafka has lost is read from capture files\n"
		"\n"
		"For when a rule has changed: every record that Kafka still has is read again by the rules of this program, into the schema\n"
		"<cube.schema>_rebuild. Where retention has eaten the beginning of a topic, that is said, and the rows of what cannot be read\n"
		"again are kept as they are. Members of dimensions keep their keys; tokens, audit, settings, dead letters that were worked\n"
		"off, and closed months stay. What was fixed by hand in SQL is not on the topics, and is shown as a difference.\n"
		"\n"
		"With --stream only the records of these streams are read again. The new cube begins with all that the others told, and goes on\n"
		"with them from where the live one stands; what one stream says of another's rows (a contract's mission, its snapshots, its\n"
		"benchmarks) is computed anew. Events of the mesh may come on any topic: what they told and is not read again is kept.\n"
		"\n"
		"With FILE…, capture files as `publish` takes them, each partition is read from these first, as far as they go and not beyond the\n"
		"live cube, then from Kafka. So each record must have the topic, partition and offset that it had there, in the order of its\n"
		"partition; at the seam the last record of the files is compared with Kafka's. What they have of other partitions is passed over.\n"
		"\n"
		"It reads apart from the consumer group, with run.workers workers, and never further than the live cube has; run, serve and all\n"
		"others go on. Then both are compared at the same positions: rows of facts and dimensions, cells of rollups, and the main\n"
		"metrics side by side. Nothing is swapped unless it is asked for. Killed anywhere, the same command goes on where it was.\n"
		"\n"
		"The swap is one transaction. Writers wait for it for a second at most, then go on in the new cube by themselves; readers\n"
		"do not wait. The cube before is the schema <cube.schema>_old until --drop-old.\n"
		"\n"
		"The role needs CREATE on the database and must own the cube, as for `migrate`; and room for a second cube.\n"
		"\n"
		"Exit codes: 0 nothing differs, or it was swapped or dropped; 1 there are differences, or there was nothing to throw away;\n"
		"2 wrong words; 69 Kafka or PostgreSQL not reachable; 75 another rebuild is at work, it was stopped, or there was too much\n"
		"traffic to meet the live cube; 78 wrong configuration, a missing right, or a rebuild that another program has begun.\n",
	.flags = flags,
	.options_bytes = sizeof(struct gc_rebuild_options),
	.has_json = true,
	.args_max = -1,
	.run = run_rebuild,
};
