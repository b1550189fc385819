/* gracecube reconcile TOPIC: the rows that the source no longer has, as deletes to be published. The cube only ever changes by records on its
 * topics, so that who reads them again ends the same; what is printed here is such records, one a row, in the lines that `gracecube publish`
 * takes. Each says that its row was gone right before the snapshot that lacks it: a change since then is newer, and stands.
 *
 * Threads: the main thread.
 */
#include <jansson.h>
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/sink.h>
#include <gracecube/stream.h>
#include <gracecube/time.h>

#include "cli/command.h"
#include "cli/output.h"

struct reconcile_options {
	int64_t before_us;
};

static const struct gc_flag flags[] = {
	{ "before", 0, "TIME", "when all rows of then were gone; without it, the latest full snapshot", GC_FLAG_TIME,
	  .offset = offsetof(struct reconcile_options, before_us) },
	{ .name = NULL },
};

struct reconciling {
	const char *topic;
	const struct gc_stream *stream;
	int64_t before_us; /* 0: no snapshot is known */
	bool is_read, is_mixed;
	size_t rows;
};

static void take_topic(void *arg, const char *const *values, int columns)
{
	struct reconciling *r = arg;

	(void)columns;
	r->is_read = values[0] != NULL;
	r->stream = values[0] ? gc_stream_find(gc_span_of(values[0])) : NULL;
	if (r->before_us == 0)
		r->before_us = gc_output_int(values[1], 0);
	r->is_mixed = gc_output_int(values[2], 0) > 1;
}

/* The key as the source has it. */
static const char *key_of(const struct gc_stream *stream, const char *key)
{
	size_t prefix = stream->key_prefix ? strlen(stream->key_prefix) : 0;

	return prefix > 0 && strncmp(key, stream->key_prefix, prefix) == 0 ? key + prefix : key;
}

static void print_text(json_t *line, const char *member, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	json_object_set_new(line, member, json_string(text));
	free(text);
	json_decref(json);
}

static void print_delete(void *arg, const char *const *values, int columns)
{
	struct reconciling *r = arg;
	const char *key = key_of(r->stream, values[0]);
	json_t *line = json_pack("{s:s, s:I}", "topic", r->topic, "timestamp", (json_int_t)(gc_now_us() / 1000));

	(void)columns;
	print_text(line, "key", json_pack("{s:s}", r->stream->key_field, key));
	print_text(line, "value",
		   json_pack("{s:s, s:s, s:s, s:i, s:I}", r->stream->key_field, key, "__op", "d", "__deleted", "true", "__lsn", 1,
			     "__source_ts_us", (json_int_t)(r->before_us - 1)));
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
	r->rows++;
}

static const char topic_sql[] =
	"SELECT min(o.stream), max(o.snapshot_us), count(DISTINCT s) FROM cube.etl_offset o LEFT JOIN LATERAL cube.sources_of(o.record_order) s ON true"
	" WHERE o.group_id = $1 AND o.topic = $2";

static enum gc_verdict print_deletes(struct gc_pg *pg, struct reconciling *r, struct gc_err *err)
{
	const struct gc_gone gone = {
		.target = r->stream->targets[0]->name, .topic = r->topic, .before_us = r->before_us, .after = ""
	};

	return gc_pg_gone(pg, &gone, print_delete, r, err);
}

static enum gc_verdict check(const struct gc_config *config, const struct reconciling *r, struct gc_err *err)
{
	if (!r->is_read || !r->stream)
		return gc_fail(err, GC_FATAL, "topic", r->topic, "group %s has read no topic %s; `gracecube status` lists them",
			       config->kafka_group_id, r->topic);
	if (!r->stream->key_field)
		return gc_fail(err, GC_FATAL, "topic", r->topic, "rows of %s have no key, so that none of them is ever deleted",
			       r->stream->name);
	if (r->before_us == 0)
		return gc_fail(
			err, GC_FATAL, "topic", r->topic,
			"no full snapshot of this table has been read to its end (\"snapshot\": \"last_in_data_collection\" or \"last\"); "
			"have the connector take one, or say --before when you know that all rows of then are gone");
	if (r->is_mixed)
		return gc_fail(err, GC_FATAL, "topic", r->topic,
			       "rows of several databases come through this topic: a snapshot of one says nothing of the others");
	return GC_OK;
}

static int run_reconcile(struct gc_command_line *line)
{
	const struct reconcile_options *options = line->options;
	struct reconciling r = { .topic = line->args[0], .before_us = options->before_us };
	char before[GC_OUTPUT_BYTES];
	struct gc_config config;
	struct gc_pg *pg = NULL;
	struct gc_err err = { .verdict = GC_OK };
	enum gc_verdict verdict;

	if (gc_command_config(line, &config, &err) != GC_OK)
		return gc_command_fail(&err);
	verdict = gc_pg_open(&config, "gracecube reconcile", &pg, &err);
	if (verdict == GC_OK)
		verdict = gc_pg_query(pg, topic_sql, (const char *const[]){ config.kafka_group_id, r.topic }, 2, take_topic, &r,
				      &err);
	if (verdict == GC_OK)
		verdict = check(&config, &r, &err);
	if (verdict == GC_OK)
		verdict = print_deletes(pg, &r, &err);
	if (verdict == GC_OK)
		fprintf(stderr, "gracecube: %zu rows of %s are gone since %s%s\n", r.rows, r.topic,
			gc_output_time(r.before_us, before, sizeof(before)),
			r.rows ? "; nothing is deleted before these lines are published" : "");
	gc_pg_close(pg);
	gc_config_free(&config);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

const struct gc_command gc_command_reconcile = {
	.name = "reconcile",
	.summary = "tells which rows of a topic the source no longer has",
	.usage = "reconcile TOPIC [--before TIME] [options]",
	.help = "Examples:\n"
		"  gracecube reconcile grace.public.action_contracts >gone.jsonl      after a snapshot: what it lacks\n"
		"  gracecube publish gone.jsonl                                       and delete it\n"
		"  gracecube reconcile grace.public.security_events --before 2026-11-23T10:00:00Z   after a TRUNCATE\n"
		"\n"
		"Where deletes were lost (a gap, a connector that began anew, a database that was restored), or the source emptied a table,\n"
		"rows stay in the cube that the source no longer has. A full snapshot of the table names all that there are; what the cube\n"
		"has of that topic from before it, and the snapshot did not name, is printed: a delete for each row, in the lines that\n"
		"`gracecube publish` takes. Nothing else is done, and a row that has changed since the snapshot stays, whenever they are\n"
		"published. On the topic the deletes are seen by whoever reads it again, too.\n"
		"\n"
		"Only rows that were captured count, those with a log position. A TRUNCATE that is applied needs none of this: see\n"
		"streams.<stream>.truncate. Have `gracecube status` say that nothing is behind first:\n"
		"rows of the snapshot that are not read yet would be printed as well, to come back when they are.\n"
		"\n"
		"Exit codes: 0 done; 2 wrong usage; 69 PostgreSQL not reachable; 78 configuration, rights or schema are wrong, or it cannot be\n"
		"told from this topic.\n",
	.flags = flags,
	.options_bytes = sizeof(struct reconcile_options),
	.args_min = 1,
	.args_max = 1,
	.run = run_reconcile,
};
