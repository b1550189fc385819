/* gracecube dead: the records that could not be applied, byte for byte, each with its reason. Here are the table of the command, and what
 * shows them and changes nothing; what works them off is in dead_work.c, what moves them in dead_move.c.
 *
 * Threads: the main thread.
 */
#include <inttypes.h>
#include <stdlib.h>

#include <gracecube/base64.h>
#include <gracecube/human.h>
#include <gracecube/sink.h>
#include <gracecube/stream.h>

#include "cli/output.h"
#include "cli/command.h"
#include "cli/dead.h"
#include "cli/group.h"

/* Of bytes that are no text; more is for a file (--raw). */
#define DUMP_BYTES 4096

static const char *text_of(const char *value)
{
	return value ? value : "";
}

/* ---- list ---- */

enum list_column {
	LIST_ID,
	LIST_TOPIC,
	LIST_PARTITION,
	LIST_OFFSET,
	LIST_TIME,
	LIST_STREAM,
	LIST_CODE,
	LIST_WHERE,
	LIST_REASON,
	LIST_TRIES,
	LIST_OUTCOME,
	LIST_WORKED,
	LIST_BY,
	LIST_IMPORTED,
	LIST_TOTAL, /* of all that fit, the same in every row */
};

static const char list_sql[] = "SELECT dead_letter_id, topic, partition, kafka_offset, " GC_SQL_US(
	"dead_at") ", stream, error_code, error_where, reason, tries,"
		   " outcome, " GC_SQL_US("worked_at") ", worked_by, " GC_SQL_US(
			   "imported_at") ", count(*) OVER ()"
					  " FROM cube.etl_dead_letter WHERE group_id = $1"
					  " AND ($2::text IS NULL OR topic = $2) AND ($3::text IS NULL OR stream = $3) AND ($4::text IS NULL OR error_code = $4)"
					  " AND dead_at >= to_timestamp($5::bigint / 1e6) AND " GC_LETTER_IS(
						  "$7") " ORDER BY dead_letter_id DESC LIMIT $6::bigint";

static const struct gc_table_column list_columns[] = {
	{ "id", true, 0 },      { "topic", false, 0 }, { "partition", true, 0 }, { "offset", true, 0 },  { "refused", false, 0 },
	{ "stream", false, 0 }, { "code", false, 0 },  { "where", false, 40 },   { "reason", false, 0 }, { "tries", true, 0 },
	{ "became", false, 0 }, { "at", false, 0 },    { "by", false, 40 },
};
/* Of letters that wait there is nothing to say in the last ones. */
#define LIST_WAITING_COLUMNS 10

struct list {
	struct gc_table table;
	json_t *json; /* NULL when a table is wanted */
	int64_t shown, total;
};

static void list_json(struct list *list, const char *const *values)
{
	json_t *letter = json_pack("{s:I, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "id",
				   (json_int_t)gc_output_int(values[LIST_ID], 0), "topic", gc_output_text_json(values[LIST_TOPIC]),
				   "partition", (json_int_t)gc_output_int(values[LIST_PARTITION], 0), "offset",
				   (json_int_t)gc_output_int(values[LIST_OFFSET], 0), "refused_at",
				   gc_output_time_json(gc_output_int(values[LIST_TIME], GC_NO_TIME)), "stream",
				   gc_output_text_json(values[LIST_STREAM]), "code", gc_output_text_json(values[LIST_CODE]),
				   "where", gc_output_text_json(values[LIST_WHERE]), "reason",
				   gc_output_text_json(values[LIST_REASON]), "tries",
				   (json_int_t)gc_output_int(values[LIST_TRIES], 0), "outcome",
				   gc_output_text_json(values[LIST_OUTCOME]), "worked_at",
				   gc_output_time_json(gc_output_int(values[LIST_WORKED], GC_NO_TIME)), "worked_by",
				   gc_output_text_json(values[LIST_BY]), "imported_at",
				   gc_output_time_json(gc_output_int(values[LIST_IMPORTED], GC_NO_TIME)));

	json_array_append_new(list->json, letter);
}

static void list_row(struct list *list, const char *const *values)
{
	char time[GC_OUTPUT_BYTES];

	for (int i = LIST_ID; i < (int)list->table.column_count; i++) {
		if (i == LIST_TIME || i == LIST_WORKED)
			gc_table_add(&list->table, gc_output_time(gc_output_int(values[i], GC_NO_TIME), time, sizeof(time)));
		else
			gc_table_add(&list->table, values[i]);
	}
}

static void take_letter(void *arg, const char *const *values, int columns)
{
	struct list *list = arg;

	(void)columns;
	list->shown++;
	list->total = gc_output_int(values[LIST_TOTAL], 0);
	if (list->json)
		list_json(list, values);
	else
		list_row(list, values);
}

static enum gc_verdict read_list(struct list *list, struct gc_pg *pg, const char *group, const struct dead_options *options,
				 struct gc_err *err)
{
	char since[24], limit[24];
	const char *values[] = {
		group, options->topic, options->stream, options->code, since, limit, gc_letter_states[options->state]
	};

	snprintf(since, sizeof(since), "%" PRId64, options->since_us);
	snprintf(limit, sizeof(limit), "%" PRId64, options->limit);
	return gc_pg_query(pg, list_sql, values, 7, take_letter, list, err);
}

static void take_counts(void *arg, const char *const *values, int columns)
{
	for (int i = 0; i < columns; i++)
		((int64_t *)arg)[i] = gc_output_int(values[i], 0);
}

/* An empty answer may come from a wrong filter or a wrong group, or all is done: says which. */
enum gc_verdict gc_dead_explain_nothing(struct gc_pg *pg, const char *group, struct gc_err *err)
{
	int64_t counts[3] = { 0 }, mine, worked, others;
	enum gc_verdict verdict =
		gc_pg_query(pg,
			    "SELECT count(*) FILTER (WHERE group_id = $1), count(outcome) FILTER (WHERE group_id = $1),"
			    " count(*) FILTER (WHERE group_id <> $1) FROM cube.etl_dead_letter",
			    &group, 1, take_counts, counts, err);

	if (verdict)
		return verdict;
	mine = counts[0];
	worked = counts[1];
	others = counts[2];
	if (mine && worked)
		fprintf(stderr,
			"gracecube: none of the %" PRId64 " dead letters of group %s fits; %" PRId64
			" of them are worked off, see --state any\n",
			mine, group, worked);
	else if (mine)
		fprintf(stderr, "gracecube: none of the %" PRId64 " dead letters of group %s fits\n", mine, group);
	else if (others)
		fprintf(stderr, "gracecube: no dead letters of group %s; other groups have %" PRId64 ", see kafka.group_id\n",
			group, others);
	else
		fprintf(stderr, "gracecube: no dead letters\n");
	return GC_OK;
}

static void print_list(const struct list *list)
{
	gc_table_print(&list->table, stdout);
	if (list->total > list->shown)
		fprintf(stderr, "gracecube: the newest %" PRId64 " of %" PRId64 "; --limit shows more\n", list->shown, list->total);
}

static void print_list_json(struct list *list)
{
	json_t *answer = json_pack("{s:I, s:o}", "total", (json_int_t)list->total, "dead_letters", list->json);

	gc_output_print_json(answer, false);
}

static enum gc_verdict list_letters(struct gc_pg *pg, const char *group, const struct dead_options *options, bool as_json,
				    struct gc_err *err)
{
	struct list list = { .json = as_json ? json_array() : NULL };
	enum gc_verdict verdict;

	gc_table_init(&list.table, list_columns,
		      options->state == GC_LETTER_WAITING ? LIST_WAITING_COLUMNS : sizeof(list_columns) / sizeof(list_columns[0]));
	verdict = read_list(&list, pg, group, options, err);
	if (!verdict && as_json)
		print_list_json(&list);
	else if (!verdict && list.shown)
		print_list(&list);
	else if (!verdict)
		verdict = gc_dead_explain_nothing(pg, group, err);
	else
		json_decref(list.json);
	gc_table_done(&list.table);
	return verdict;
}

/* ---- show ---- */

enum show_column {
	SHOW_ID,
	SHOW_GROUP,
	SHOW_TOPIC,
	SHOW_PARTITION,
	SHOW_OFFSET,
	SHOW_KAFKA_TIME,
	SHOW_STREAM,
	SHOW_KEY,
	SHOW_VALUE,
	SHOW_HEADERS,
	SHOW_CODE,
	SHOW_WHERE,
	SHOW_REASON,
	SHOW_TIME,
	SHOW_TRIES,
	SHOW_OUTCOME,
	SHOW_WORKED,
	SHOW_BY,
	SHOW_IMPORTED,
};

static const char show_sql[] = "SELECT dead_letter_id, group_id, topic, partition, kafka_offset, " GC_SQL_US(
	"kafka_timestamp") ", stream,"
			   " encode(key, 'base64'), encode(value, 'base64'), headers, error_code, error_where, reason, " GC_SQL_US(
				   "dead_at") ", tries, outcome, " GC_SQL_US("worked_at") ", worked_by, " GC_SQL_US("imported_at") " FROM cube.etl_dead_letter WHERE dead_letter_id = $1";

struct show {
	const struct dead_options *options;
	bool as_json, found;
	struct gc_arena arena;
};

/* GC_SPAN_NULL for null, and for what is no base64: the cube never holds that. */
static struct gc_span decode(const char *base64, struct gc_arena *arena)
{
	struct gc_span bytes = GC_SPAN_NULL;

	if (base64 && !gc_base64_decode(gc_span_of(base64), arena, &bytes))
		return GC_SPAN_NULL;
	return bytes;
}

/* {"bytes": 3, "text": "abc", "base64": "YWJj"}; text is null where it is no UTF-8. */
static json_t *bytes_json(const char *base64, struct gc_arena *arena)
{
	struct gc_span bytes = decode(base64, arena);
	char *packed;
	size_t len = 0;
	json_t *json;

	if (!bytes.ptr)
		return json_null();
	packed = gc_arena_alloc(arena, strlen(base64) + 1);
	for (const char *c = base64; *c; c++)
		if (*c != '\n')
			packed[len++] = *c;
	packed[len] = '\0';
	json = json_pack("{s:I, s:o, s:s}", "bytes", (json_int_t)bytes.len, "text",
			 gc_span_is_utf8(bytes) ? json_stringn(bytes.ptr, bytes.len) : json_null(), "base64", packed);
	return json;
}

static json_t *header_json(const json_t *header, struct gc_arena *arena)
{
	return json_pack("{s:o, s:o}", "name", bytes_json(json_string_value(json_array_get(header, 0)), arena), "value",
			 bytes_json(json_string_value(json_array_get(header, 1)), arena));
}

static json_t *headers_json(const char *text, struct gc_arena *arena)
{
	json_t *stored = json_loads(text_of(text), 0, NULL), *headers = json_array(), *header;
	size_t i;

	json_array_foreach(stored, i, header) json_array_append_new(headers, header_json(header, arena));
	json_decref(stored);
	return headers;
}

static json_t *int_json(const char *value)
{
	return value ? json_integer((json_int_t)gc_output_int(value, 0)) : json_null();
}

static void show_json(struct show *show, const char *const *values)
{
	json_t *letter = json_object();

	json_object_set_new(letter, "id", int_json(values[SHOW_ID]));
	json_object_set_new(letter, "group", gc_output_text_json(values[SHOW_GROUP]));
	json_object_set_new(letter, "topic", gc_output_text_json(values[SHOW_TOPIC]));
	json_object_set_new(letter, "partition", int_json(values[SHOW_PARTITION]));
	json_object_set_new(letter, "offset", int_json(values[SHOW_OFFSET]));
	json_object_set_new(letter, "timestamp", gc_output_time_json(gc_output_int(values[SHOW_KAFKA_TIME], GC_NO_TIME)));
	json_object_set_new(letter, "refused_at", gc_output_time_json(gc_output_int(values[SHOW_TIME], GC_NO_TIME)));
	json_object_set_new(letter, "stream", gc_output_text_json(values[SHOW_STREAM]));
	json_object_set_new(letter, "code", gc_output_text_json(values[SHOW_CODE]));
	json_object_set_new(letter, "where", gc_output_text_json(values[SHOW_WHERE]));
	json_object_set_new(letter, "reason", gc_output_text_json(values[SHOW_REASON]));
	json_object_set_new(letter, "tries", int_json(values[SHOW_TRIES]));
	json_object_set_new(letter, "outcome", gc_output_text_json(values[SHOW_OUTCOME]));
	json_object_set_new(letter, "worked_at", gc_output_time_json(gc_output_int(values[SHOW_WORKED], GC_NO_TIME)));
	json_object_set_new(letter, "worked_by", gc_output_text_json(values[SHOW_BY]));
	json_object_set_new(letter, "imported_at", gc_output_time_json(gc_output_int(values[SHOW_IMPORTED], GC_NO_TIME)));
	json_object_set_new(letter, "headers", headers_json(values[SHOW_HEADERS], &show->arena));
	json_object_set_new(letter, "key", bytes_json(values[SHOW_KEY], &show->arena));
	json_object_set_new(letter, "value", bytes_json(values[SHOW_VALUE], &show->arena));
	gc_output_print_json(letter, false);
}

/* On the line that has begun when it is short text, else as a dump below it. */
static void print_short(struct gc_span bytes, struct gc_arena *arena)
{
	if (!bytes.ptr) {
		puts("none");
	} else if (gc_output_is_text(bytes)) {
		puts(gc_output_escape(bytes, false, arena));
	} else {
		printf("%zu bytes\n", bytes.len);
		gc_output_dump(bytes, DUMP_BYTES, stdout);
	}
}

static void print_headers(const char *text, struct gc_arena *arena)
{
	json_t *headers = json_loads(text_of(text), 0, NULL), *header;
	size_t i;

	json_array_foreach(headers, i, header)
	{
		struct gc_span name = decode(json_string_value(json_array_get(header, 0)), arena);

		printf("header     %s: ", gc_output_escape(name, false, arena));
		print_short(decode(json_string_value(json_array_get(header, 1)), arena), arena);
	}
	json_decref(headers);
}

static void print_value(struct gc_span value, struct gc_arena *arena)
{
	if (!value.ptr) {
		puts("value      none");
		return;
	}
	printf("value      %zu bytes\n", value.len);
	if (gc_span_is_utf8(value))
		puts(gc_output_escape(value, true, arena));
	else
		gc_output_dump(value, DUMP_BYTES, stdout);
	if (!gc_span_is_utf8(value) && value.len > DUMP_BYTES)
		printf("… the first %d bytes; `gracecube dead show --raw` writes all of them\n", DUMP_BYTES);
}

static void print_field(const char *name, const char *value, struct gc_arena *arena)
{
	printf("%-10s %s\n", name, gc_output_escape(gc_span_of(text_of(value)), false, arena));
}

static void print_time(const char *name, const char *value)
{
	int64_t us = gc_output_int(value, GC_NO_TIME);
	char text[GC_TIME_TEXT_BYTES];

	printf("%-10s %s\n", name, us == GC_NO_TIME ? "none" : gc_time_format(us, text, sizeof(text)));
}

/* What has been done about it. */
static void print_work(const char *const *values, struct gc_arena *arena)
{
	if (values[SHOW_IMPORTED])
		print_time("imported", values[SHOW_IMPORTED]);
	if (!values[SHOW_WORKED])
		return;
	print_field("tries", values[SHOW_TRIES], arena);
	print_field("outcome", values[SHOW_OUTCOME] ? values[SHOW_OUTCOME] : "refused again", arena);
	print_time("worked", values[SHOW_WORKED]);
	print_field("by", values[SHOW_BY], arena);
}

static void show_page(struct show *show, const char *const *values)
{
	struct gc_arena *arena = &show->arena;

	print_field("id", values[SHOW_ID], arena);
	print_field("group", values[SHOW_GROUP], arena);
	print_field("topic", values[SHOW_TOPIC], arena);
	print_field("partition", values[SHOW_PARTITION], arena);
	print_field("offset", values[SHOW_OFFSET], arena);
	print_time("timestamp", values[SHOW_KAFKA_TIME]);
	print_time("refused", values[SHOW_TIME]);
	print_field("stream", values[SHOW_STREAM], arena);
	print_field("code", values[SHOW_CODE], arena);
	print_field("where", values[SHOW_WHERE], arena);
	print_field("reason", values[SHOW_REASON], arena);
	print_work(values, arena);
	print_headers(values[SHOW_HEADERS], arena);
	printf("%-10s ", "key");
	print_short(decode(values[SHOW_KEY], arena), arena);
	print_value(decode(values[SHOW_VALUE], arena), arena);
}

static void write_raw(struct show *show, const char *base64)
{
	struct gc_span value = decode(base64, &show->arena);

	if (!value.ptr)
		fprintf(stderr, "gracecube: the record has no value: it is a tombstone, or was discarded\n");
	else
		fwrite(value.ptr, 1, value.len, stdout);
}

static void take_whole_letter(void *arg, const char *const *values, int columns)
{
	struct show *show = arg;

	(void)columns;
	show->found = true;
	if (show->options->raw)
		write_raw(show, values[SHOW_VALUE]);
	else if (show->as_json)
		show_json(show, values);
	else
		show_page(show, values);
}

static enum gc_verdict show_letter(struct gc_pg *pg, const char *id, struct show *show, struct gc_err *err)
{
	enum gc_verdict verdict;

	gc_arena_init(&show->arena);
	verdict = gc_pg_query(pg, show_sql, &id, 1, take_whole_letter, show, err);
	gc_arena_done(&show->arena);
	return verdict;
}

/* ---- the command ---- */

/* A mistyped stream would find nothing and look like good news. */
static int refuse_stream(const struct gc_command_line *line, const char *name)
{
	struct gc_nearest nearest = { .word = name };

	for (const struct gc_stream *const *stream = gc_streams; *stream; stream++)
		gc_nearest_offer(&nearest, (*stream)->name);
	if (nearest.best)
		return gc_command_misuse(line, "there is no stream %s; did you mean %s?", name, nearest.best);
	return gc_command_misuse(line, "there is no stream %s", name);
}

enum gc_verdict gc_dead_open(struct gc_config *cfg, struct gc_pg **ret_pg, struct gc_err *err)
{
	enum gc_verdict verdict = gc_pg_open_reader(cfg, "gracecube dead", ret_pg, err);

	return verdict ? verdict : gc_group_settle(cfg, *ret_pg, err);
}

/* A flag that this verb does not use would be ignored silently. */
int gc_dead_check_flags(struct gc_command_line *line)
{
	const struct dead_options *o = line->options;
	const struct {
		bool is_given;
		const char *flag, *verbs;
	} rows[] = {
		{ o->topic || o->stream || o->code || o->since_us, "a filter", "list, retry, discard, export" },
		{ o->all, "--all", "retry, discard, export" },
		{ o->again, "--again", "retry" },
		{ o->out, "--out", "export" },
		{ o->raw, "--raw", "show" },
		{ o->state != GC_LETTER_WAITING, "--state", "list, discard, export" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].is_given && !strstr(rows[i].verbs, line->verb->name))
			return gc_command_misuse(line, "%s goes with %s", rows[i].flag, rows[i].verbs);
	}
	if (o->stream && !gc_stream_find(gc_span_of(o->stream)))
		return refuse_stream(line, o->stream);
	return GC_EXIT_DONE;
}

static int run_list(struct gc_command_line *line)
{
	const struct dead_options *options = line->options;
	struct gc_config cfg;
	struct gc_pg *pg = NULL;
	struct gc_err err;
	enum gc_verdict verdict;

	if (gc_dead_check_flags(line))
		return GC_EXIT_USAGE;
	if (gc_command_config(line, &cfg, &err))
		return gc_command_fail(&err);
	verdict = gc_dead_open(&cfg, &pg, &err);
	if (!verdict)
		verdict = list_letters(pg, cfg.kafka_group_id, options, line->json, &err);
	gc_pg_close(pg);
	gc_config_free(&cfg);
	return verdict ? gc_command_fail(&err) : GC_EXIT_DONE;
}

static int run_show(struct gc_command_line *line)
{
	struct show show = { .options = line->options, .as_json = line->json };
	struct gc_config cfg;
	struct gc_pg *pg = NULL;
	struct gc_err err;
	enum gc_verdict verdict;
	int64_t id;

	if (!gc_span_int64(gc_span_of(line->args[0]), &id))
		return gc_command_misuse(line, "%s is no id; `gracecube dead list` shows them", line->args[0]);
	if (gc_dead_check_flags(line))
		return GC_EXIT_USAGE;
	if (show.options->raw && line->json)
		return gc_command_misuse(line, "show takes an id and either --raw or --json");
	if (gc_command_config(line, &cfg, &err))
		return gc_command_fail(&err);
	verdict = gc_pg_open(&cfg, "gracecube dead", &pg, &err);
	if (!verdict)
		verdict = show_letter(pg, line->args[0], &show, &err);
	if (!verdict && !show.found)
		verdict = gc_fail(&err, GC_REJECT, "no_such_id", line->args[0], "there is no dead letter with this id");
	gc_pg_close(pg);
	gc_config_free(&cfg);
	return verdict ? gc_command_fail(&err) : GC_EXIT_DONE;
}

static const struct gc_verb verbs[] = {
	{ "list", "the newest ones, a line each", run_list, 0, 0 },
	{ "show", "one of them with all that is known of it", run_show, 1, 1 },
	{ "retry", "runs those selected through today's code, into the cube", gc_dead_retry, -1, 0 },
	{ "discard", "throws the bytes of those selected away, for good", gc_dead_discard, -1, 0 },
	{ "export", "writes those selected as lines that import and publish read", gc_dead_export, -1, 0 },
	{ "import", "takes such lines as dead letters", gc_dead_import, -1, 1 },
	{ .name = NULL },
};

static const struct gc_flag flags[] = {
	{ "topic", 't', "TOPIC", "of this topic", GC_FLAG_TEXT, .offset = offsetof(struct dead_options, topic) },
	{ "stream", 0, "STREAM", "of this stream", GC_FLAG_TEXT, .offset = offsetof(struct dead_options, stream) },
	{ "code", 0, "CODE", "with this error code, like not_json", GC_FLAG_TEXT, .offset = offsetof(struct dead_options, code) },
	{ "since", 0, "TIME", "refused at this time or later, like 2026-11-23 or 2026-11-23T07:45:00Z", GC_FLAG_TIME,
	  .offset = offsetof(struct dead_options, since_us) },
	{ "all", 0, NULL, "retry, discard, export: all that wait", GC_FLAG_BOOL, .offset = offsetof(struct dead_options, all) },
	{ "again", 0, NULL, "retry: those that were retried already, too", GC_FLAG_BOOL,
	  .offset = offsetof(struct dead_options, again) },
	{ "state", 0, "STATE", "list, discard, export: those of this state", GC_FLAG_CHOICE,
	  .offset = offsetof(struct dead_options, state), .initially = "waiting", .choices = gc_letter_states },
	{ "limit", 'n', "N", "list, retry: show at most so many", GC_FLAG_INT, .offset = offsetof(struct dead_options, limit),
	  .initially = "50", .min = 1, .max = 1000000 },
	{ "out", 'o', "FILE", "export: into this file, which is there only once it is whole", GC_FLAG_TEXT,
	  .offset = offsetof(struct dead_options, out) },
	{ "raw", 0, NULL, "show: the value alone, byte for byte", GC_FLAG_BOOL, .offset = offsetof(struct dead_options, raw) },
	{ .name = NULL },
};

const struct gc_command gc_command_dead = {
	.name = "dead",
	.summary = "shows the records that could not be applied, and works them off",
	.usage = "dead list|show ID|retry|discard|export|import FILE… [ID…] [options]",
	.help = "Examples:\n"
		"  gracecube dead list\n"
		"  gracecube dead list --code missing_field --since 2026-11-23 --json\n"
		"  gracecube dead show 17 --raw > value.json\n"
		"  gracecube dead retry --code 23514       # once the rule that refused them is gone\n"
		"  gracecube dead retry 17 18\n"
		"  gracecube dead export --all --out letters.jsonl\n"
		"  gracecube dead discard --topic grace.shard_heartbeats\n"
		"  gracecube dead import letters.jsonl     # in another cube, or in one that discarded them\n"
		"\n"
		"A record that cannot be understood is a dead letter: it is kept in cube.etl_dead_letter, byte for byte and with the\n"
		"reason, and the records around it go on. What is selected are ids, or those of the group of kafka.group_id that all\n"
		"filters fit, or --all; while the default group has read nothing, those of the group that moved last.\n"
		"\n"
		"`retry` decodes and applies the bytes as `run` would today, by today's program and configuration. What a letter\n"
		"changes and what became of it are one commit, so it may be killed and repeated: applied; superseded, when the cube\n"
		"holds something newer; ignored, when it means nothing here. A letter that is refused again keeps its bytes, and\n"
		"has its new reason. One that was retried is not retried again but with --again.\n"
		"\n"
		"`discard` asks nothing and cannot be undone, but by an export and `import`. The letter stays in `list --state any`,\n"
		"with who and when. In the ledger of its partition it stays dead: `status` and `verify` count what the worker did.\n"
		"\n"
		"`export` writes the format of `publish`, with the reasons. `import` puts them into the group of kafka.group_id, where\n"
		"they wait; no ledger changes, and one that is there already stays as it is. To have records read from Kafka once\n"
		"more, `publish` the file instead.\n"
		"\n"
		"How many are kept: dead.max_count, dead.max_bytes, dead.when_full.\n"
		"\n"
		"Exit codes: 0 done, also when there was nothing to do; 1 some were refused again or are left, a line was no letter,\n"
		"or an id is not there; 2 wrong words; 69 PostgreSQL not reachable; 78 wrong configuration, a refused login, a missing\n"
		"right, or no cube in the database.\n",
	.flags = flags,
	.options_bytes = sizeof(struct dead_options),
	.has_json = true,
	.verbs = verbs,
};
