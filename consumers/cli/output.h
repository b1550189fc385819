/* Output: how commands show their results. Tables for people, JSON for programs, and raw bytes of records made readable.
 *
 * Guarantee: what comes from records never reaches a terminal as it stands: control characters are escaped and bytes that
 * are no UTF-8 are replaced. Threads: no shared state; a table belongs to one thread.
 */
#ifndef GRACECUBE_ANSWER_H
#define GRACECUBE_ANSWER_H

#include <jansson.h>
#include <stdio.h>

#include <gracecube/arena.h>
#include <gracecube/time.h>

/* ---- tables ---- */

struct gc_table_column {
	const char *title;
	bool is_number; /* to the right */
	int width_max;  /* a longer text ends in "…"; 0: no limit */
};

struct gc_table {
	const struct gc_table_column *columns;
	size_t column_count;
	struct gc_arena arena;
	const char **cells; /* row after row */
	size_t cell_count, cell_capacity;
};

/* The columns must live as long as the table. */
void gc_table_init(struct gc_table *table, const struct gc_table_column *columns, size_t count);
void gc_table_done(struct gc_table *table);
/* The next cell, left to right, row after row; copied and escaped. NULL is shown as "-". */
void gc_table_add(struct gc_table *table, const char *text);
void gc_table_add_int(struct gc_table *table, int64_t number);
/* Titles and rows; nothing at all when there are no rows. */
void gc_table_print(const struct gc_table *table, FILE *out);

/* ---- numbers and times ---- */

#define GC_OUTPUT_BYTES 48 /* for the buffers below */
/* "1,234,567"; returns buffer. */
const char *gc_output_count(int64_t number, char *buffer, size_t bytes);
/* How long, in the two largest units: "0s", "42s", "3m 10s", "2d 4h". Negative is 0: clocks differ. */
const char *gc_output_age(int64_t us, char *buffer, size_t bytes);
/* "2026-11-23 07:45:02", in UTC; "-" for GC_NO_TIME. */
const char *gc_output_time(int64_t us, char *buffer, size_t bytes);

#define GC_NO_TIME INT64_C(-1)
/* A timestamptz as gc_output_int() reads it: µs since 1970. */
#define GC_SQL_US(expression) "(extract(epoch FROM " expression ") * 1000000)::bigint"

/* A whole number out of a query's answer; `otherwise` for NULL. */
int64_t gc_output_int(const char *value, int64_t otherwise);

/* ---- JSON ---- */

/* NULL is null; bytes that are no UTF-8 are replaced by U+FFFD. */
json_t *gc_output_text_json(const char *text);
/* RFC 3339; null for GC_NO_TIME. */
json_t *gc_output_time_json(int64_t us);
/* To stdout with a newline; on one line when asked for, for answers that follow each other. Releases it. */
void gc_output_print_json(json_t *take_answer, bool on_one_line);

/* ---- bytes of records ---- */

/* In characters, each as wide as any other: good for names and sentences in Latin, Greek or Cyrillic. */
size_t gc_output_width(const char *text);
/* True when it can be read as it stands: UTF-8 without control characters but tab and line ends. */
bool gc_output_is_text(struct gc_span bytes);
/* Fit for a terminal, NUL-terminated: control characters as \n or \u001b, what is no UTF-8 as U+FFFD. keep_lines leaves
 * tabs and line ends. */
const char *gc_output_escape(struct gc_span bytes, bool keep_lines, struct gc_arena *arena);
/* Sixteen bytes a line with their offset, in hexadecimal and as ASCII; of more than bytes_max only the first. */
void gc_output_dump(struct gc_span bytes, size_t bytes_max, FILE *out);

#endif
