/* gracecube metrics query, explain: what the cube answers by cube.metric() and cube.metric_change(), as a table or as JSON.
 *
 * Threads: the main thread.
 */
#include <inttypes.h>
#include <stdlib.h>

#include <gracecube/human.h>
#include <gracecube/sink.h>

#include "cli/metrics.h"
#include "cli/output.h"

enum column_kind { COLUMN_TIME, COLUMN_TEXT, COLUMN_NUMBER, COLUMN_MEMBERS /* a column for each dimension */ };

struct column {
	const char *name, *title; /* in SQL and JSON; in a table */
	enum column_kind kind;
};

/* What is asked, with $1 to $6 for name, from, to, by, where and compare, and $7 for what is its own; and what is answered. */
struct question {
	const char *from, *order;
	const struct column *columns;
	int count;
	bool is_change;
};

/* The last two with a comparison only. */
static const struct column value_columns[] = {
	{ "at", "at", COLUMN_TIME },
	{ "dimensions", NULL, COLUMN_MEMBERS },
	{ "value", "value", COLUMN_NUMBER },
	{ "numerator", "of", COLUMN_NUMBER },
	{ "denominator", "per", COLUMN_NUMBER },
	{ "n", "n", COLUMN_NUMBER },
	{ "value_before", "before", COLUMN_NUMBER },
	{ "n_before", "n before", COLUMN_NUMBER },
};
static const struct column change_columns[] = {
	{ "dimension", "dimension", COLUMN_TEXT },
	{ "member", "member", COLUMN_TEXT },
	{ "members", "members", COLUMN_NUMBER },
	{ "part", "part", COLUMN_NUMBER },
	{ "mix", "mix", COLUMN_NUMBER },
	{ "rate", "rate", COLUMN_NUMBER },
	{ "value", "value", COLUMN_NUMBER },
	{ "value_before", "before", COLUMN_NUMBER },
	{ "n", "n", COLUMN_NUMBER },
	{ "n_before", "n before", COLUMN_NUMBER },
};

#define WINDOW "($1, $2::timestamptz, $3::timestamptz, "
#define VALUES_FROM "cube.metric_compared" WINDOW "$7, string_to_array($4, ','), cube.metric_filter($5), $6)"
static const struct question values_question = { VALUES_FROM, " ORDER BY m.at, m.dimensions", value_columns, 6, false };
static const struct question compared_question = { VALUES_FROM, " ORDER BY m.at, m.dimensions", value_columns, 8, false };
static const struct question change_question = { "cube.metric_change" WINDOW
						 "$6, string_to_array($4, ','), cube.metric_filter($5), $7)",
						 "", change_columns, sizeof(change_columns) / sizeof(change_columns[0]), true };

struct rows {
	struct gc_table table;
	json_t *json; /* NULL when a table is wanted */
	const struct question *question;
	const struct gc_flag_list *by;
};

/* As PostgreSQL prints it. */
static json_t *value_json(enum column_kind kind, const char *value)
{
	json_t *json;

	if (!value)
		return json_null();
	if (kind == COLUMN_TIME)
		return gc_output_time_json(gc_output_int(value, GC_NO_TIME));
	if (kind == COLUMN_TEXT)
		return json_string(value);
	json = json_loads(value, JSON_DECODE_ANY, NULL);
	return json ? json : json_null(); /* NaN */
}

static void append_row(struct rows *rows, const char *const *values)
{
	json_t *row = json_object();

	for (int i = 0; i < rows->question->count; i++)
		json_object_set_new(row, rows->question->columns[i].name, value_json(rows->question->columns[i].kind, values[i]));
	json_array_append_new(rows->json, row);
}

/* A column for each dimension, in the order in which they were asked for. */
static void add_members(struct rows *rows, const char *dimensions)
{
	json_t *members = json_loads(dimensions, 0, NULL);

	for (size_t i = 0; i < rows->by->count; i++)
		gc_table_add(&rows->table, json_string_value(json_object_get(members, rows->by->items[i])));
	json_decref(members);
}

/* Four decimals are enough for people; --json has all. */
static void add_number(struct gc_table *table, const char *value)
{
	char text[GC_OUTPUT_BYTES];

	if (value && strpbrk(value, ".e")) {
		snprintf(text, sizeof(text), "%.4f", strtod(value, NULL));
		value = text;
	}
	gc_table_add(table, value);
}

static void add_cell(struct rows *rows, enum column_kind kind, const char *value)
{
	char time[GC_OUTPUT_BYTES];

	if (kind == COLUMN_TIME)
		gc_table_add(&rows->table, gc_output_time(gc_output_int(value, GC_NO_TIME), time, sizeof(time)));
	else if (kind == COLUMN_MEMBERS)
		add_members(rows, value);
	else if (kind == COLUMN_NUMBER)
		add_number(&rows->table, value);
	else
		gc_table_add(&rows->table, value);
}

static void take_row(void *arg, const char *const *values, int columns)
{
	struct rows *rows = arg;

	(void)columns;
	if (rows->json) {
		append_row(rows, values);
		return;
	}
	for (int i = 0; i < rows->question->count; i++)
		add_cell(rows, rows->question->columns[i].kind, values[i]);
}

/* GC_FLAG_TIME has 0 for what was not given. */
static const char *time_text(int64_t us, char *buffer, size_t bytes)
{
	if (us == 0)
		return NULL;
	gc_time_format(us, buffer, bytes);
	return buffer;
}

#define SQL_BYTES_MAX 1000
static void make_sql(const struct question *question, char sql[SQL_BYTES_MAX])
{
	size_t len = 0;

	for (int i = 0; i < question->count; i++)
		len += (size_t)snprintf(sql + len, SQL_BYTES_MAX - len,
					question->columns[i].kind == COLUMN_TIME ? "%s" GC_SQL_US("m.%s") : "%sm.%s",
					i ? ", " : "SELECT ", question->columns[i].name);
	snprintf(sql + len, SQL_BYTES_MAX - len, " FROM %s m%s", question->from, question->order);
}

static enum gc_verdict ask(struct gc_pg *pg, const struct gc_command_line *line, const struct question *question, struct rows *rows,
			   struct gc_err *err)
{
	const struct gc_metrics_options *options = line->options;
	char sql[SQL_BYTES_MAX], from[64], to[64], limit[24],
		*by = options->by.count ? gc_metrics_join(options->by.items, (int)options->by.count) : NULL;
	const char *values[] = {
		line->args[0],
		time_text(options->from_us, from, sizeof(from)),
		time_text(options->to_us, to, sizeof(to)),
		by,
		options->where,
		options->compare ? gc_metrics_comparisons[options->compare] : NULL,
		question->is_change ? limit
		: options->grain    ? gc_metrics_grains[options->grain]
				    : NULL,
	};
	enum gc_verdict verdict;

	snprintf(limit, sizeof(limit), "%" PRId64, options->limit);
	make_sql(question, sql);
	verdict = gc_pg_query(pg, sql, values, 7, take_row, rows, err);
	free(by);
	/* what was asked is wrong, not the program */
	if (verdict != GC_OK && strcmp(err->code, "GC022") == 0)
		return gc_fail(err, GC_FATAL, "usage", "metrics", "%s", err->text);
	if (verdict != GC_OK && strcmp(err->code, "GC404") == 0)
		return gc_fail(err, GC_REJECT, "no_metric", "metrics", "%s", err->text);
	return verdict;
}

static void print_rows(struct rows *rows)
{
	if (rows->json) {
		gc_output_print_json(rows->json, false);
		rows->json = NULL;
	} else {
		gc_table_print(&rows->table, stdout);
	}
}

#define COLUMNS_MAX 16
#define CUTS_MAX 16
static size_t name_columns(const struct rows *rows, struct gc_table_column columns[COLUMNS_MAX + CUTS_MAX])
{
	size_t count = 0;

	for (int i = 0; i < rows->question->count; i++) {
		const struct column *column = &rows->question->columns[i];

		if (column->kind != COLUMN_MEMBERS)
			columns[count++] = (struct gc_table_column){ column->title, column->kind == COLUMN_NUMBER, 60 };
		for (size_t n = 0; column->kind == COLUMN_MEMBERS && n < rows->by->count; n++)
			columns[count++] = (struct gc_table_column){ rows->by->items[n], false, 60 };
	}
	return count;
}

static int answer(struct gc_command_line *line, const struct question *question)
{
	const struct gc_metrics_options *options = line->options;
	struct gc_table_column columns[COLUMNS_MAX + CUTS_MAX];
	struct rows rows = { .question = question, .by = &options->by };
	struct gc_config cfg;
	struct gc_err err = { .verdict = GC_OK };
	struct gc_pg *pg = NULL;
	enum gc_verdict verdict;

	if (options->by.count > CUTS_MAX)
		return gc_command_misuse(line, "--by has more than %d dimensions", CUTS_MAX);
	if (gc_command_config(line, &cfg, &err) != GC_OK)
		return gc_command_fail(&err);
	rows.json = line->json ? json_array() : NULL;
	gc_table_init(&rows.table, columns, name_columns(&rows, columns));
	verdict = gc_pg_open_reader(&cfg, "gracecube metrics", &pg, &err);
	if (verdict == GC_OK)
		verdict = ask(pg, line, question, &rows, &err);
	if (verdict == GC_OK)
		print_rows(&rows);
	json_decref(rows.json);
	gc_table_done(&rows.table);
	gc_pg_close(pg);
	gc_config_free(&cfg);
	return verdict == GC_OK ? GC_EXIT_DONE : gc_command_fail(&err);
}

int gc_metrics_query(struct gc_command_line *line)
{
	const struct gc_metrics_options *options = line->options;

	return answer(line, options->compare ? &compared_question : &values_question);
}

int gc_metrics_explain(struct gc_command_line *line)
{
	const struct gc_metrics_options *options = line->options;

	if (options->grain)
		return gc_command_misuse(line, "--grain does not go with explain, which is about the whole window");
	return answer(line, &change_question);
}
