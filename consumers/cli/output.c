/* Output: tables, JSON, readable bytes. See output.h.
 *
 * Threads: no shared state.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/output.h"

/* ---- tables ---- */

void gc_table_init(struct gc_table *table, const struct gc_table_column *columns, size_t count)
{
	*table = (struct gc_table){ .columns = columns, .column_count = count };
	gc_arena_init(&table->arena);
}

void gc_table_done(struct gc_table *table)
{
	gc_arena_done(&table->arena);
	free(table->cells);
}

void gc_table_add(struct gc_table *table, const char *text)
{
	if (table->cell_count == table->cell_capacity) {
		table->cell_capacity = table->cell_capacity ? 2 * table->cell_capacity : 64;
		table->cells = gc_realloc(table->cells, table->cell_capacity * sizeof(*table->cells));
	}
	table->cells[table->cell_count++] = text ? gc_output_escape(gc_span_of(text), false, &table->arena) : "-";
}

void gc_table_add_int(struct gc_table *table, int64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	gc_table_add(table, text);
}

size_t gc_output_width(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xC0) != 0x80;
	return count;
}

static size_t bytes_of_characters(const char *text, size_t characters)
{
	size_t bytes = 0;

	while (text[bytes] && (characters > 0 || ((unsigned char)text[bytes] & 0xC0) == 0x80))
		characters -= ((unsigned char)text[bytes++] & 0xC0) != 0x80;
	return bytes;
}

static size_t width_of(const struct gc_table *table, size_t column)
{
	size_t width = gc_output_width(table->columns[column].title);
	size_t max = (size_t)table->columns[column].width_max;

	for (size_t i = column; i < table->cell_count; i += table->column_count) {
		size_t characters = gc_output_width(table->cells[i]);

		if (characters > width)
			width = characters;
	}
	return max && width > max ? max : width;
}

/* Padding is printed only once another cell follows, so that no line ends in blanks. */
static void print_text(const char *text, size_t *blanks_owed, FILE *out)
{
	if (*text == '\0')
		return;
	fprintf(out, "%*s%s", (int)*blanks_owed, "", text);
	*blanks_owed = 0;
}

static void print_cell(const struct gc_table_column *column, const char *text, size_t width, size_t *blanks_owed, FILE *out)
{
	size_t characters = gc_output_width(text);
	size_t shown = characters > width ? width : characters;

	if (column->is_number)
		*blanks_owed += width - shown;
	if (characters > width) {
		fprintf(out, "%*s%.*s…", (int)*blanks_owed, "", (int)bytes_of_characters(text, width - 1), text);
		*blanks_owed = 0;
	} else {
		print_text(text, blanks_owed, out);
	}
	*blanks_owed += 2 + (column->is_number ? 0 : width - shown);
}

static void print_row(const struct gc_table *table, const char *const *cells, const size_t *widths, FILE *out)
{
	size_t blanks_owed = 0;

	for (size_t i = 0; i < table->column_count; i++)
		print_cell(&table->columns[i], cells ? cells[i] : table->columns[i].title, widths[i], &blanks_owed, out);
	fputc('\n', out);
}

void gc_table_print(const struct gc_table *table, FILE *out)
{
	size_t *widths;

	if (table->cell_count == 0)
		return;
	widths = gc_calloc(table->column_count, sizeof(*widths));
	for (size_t i = 0; i < table->column_count; i++)
		widths[i] = width_of(table, i);
	print_row(table, NULL, widths, out);
	for (size_t i = 0; i + table->column_count <= table->cell_count; i += table->column_count)
		print_row(table, table->cells + i, widths, out);
	free(widths);
}

/* ---- numbers and times ---- */

const char *gc_output_count(int64_t number, char *buffer, size_t bytes)
{
	char digits[24];
	size_t len, to = 0;

	snprintf(digits, sizeof(digits), "%" PRId64, number);
	len = strlen(digits);
	for (size_t from = 0; from < len && to + 2 < bytes; from++) {
		buffer[to++] = digits[from];
		if (digits[from] != '-' && from + 1 < len && (len - from - 1) % 3 == 0)
			buffer[to++] = ',';
	}
	buffer[to] = '\0';
	return buffer;
}

const char *gc_output_age(int64_t us, char *buffer, size_t bytes)
{
	int64_t seconds = us > 0 ? us / GC_SECOND_US : 0;
	int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

	if (days)
		snprintf(buffer, bytes, "%" PRId64 "d %" PRId64 "h", days, hours % 24);
	else if (hours)
		snprintf(buffer, bytes, "%" PRId64 "h %" PRId64 "m", hours, minutes % 60);
	else if (minutes)
		snprintf(buffer, bytes, "%" PRId64 "m %" PRId64 "s", minutes, seconds % 60);
	else
		snprintf(buffer, bytes, "%" PRId64 "s", seconds);
	return buffer;
}

const char *gc_output_time(int64_t us, char *buffer, size_t bytes)
{
	char text[GC_TIME_TEXT_BYTES];

	if (us == GC_NO_TIME)
		snprintf(buffer, bytes, "-");
	else
		snprintf(buffer, bytes, "%.10s %.8s", gc_time_format(us, text, sizeof(text)), text + 11);
	return buffer;
}

int64_t gc_output_int(const char *value, int64_t otherwise)
{
	int64_t number;

	return value && gc_span_int64(gc_span_of(value), &number) ? number : otherwise;
}

/* ---- JSON ---- */

json_t *gc_output_text_json(const char *text)
{
	struct gc_arena arena;
	json_t *json;

	if (!text)
		return json_null();
	json = json_string(text);
	if (json)
		return json;
	gc_arena_init(&arena);
	json = json_string(gc_output_escape(gc_span_of(text), true, &arena));
	gc_arena_done(&arena);
	return json;
}

json_t *gc_output_time_json(int64_t us)
{
	char text[GC_TIME_TEXT_BYTES];

	return us == GC_NO_TIME ? json_null() : json_string(gc_time_format(us, text, sizeof(text)));
}

/* With 15 digits 0.7 is 0.7; jansson's 17 make it 0.69999999999999996. */
static int digits_of(const json_t *answer)
{
	for (int digits = 15; digits < 17; digits++) {
		char *text = json_dumps(answer, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
		json_t *copy = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
		bool is_same = copy && json_equal(copy, answer);

		json_decref(copy);
		free(text);
		if (is_same)
			return digits;
	}
	return 17;
}

void gc_output_print_json(json_t *take_answer, bool on_one_line)
{
	json_dumpf(take_answer, stdout,
		   (on_one_line ? JSON_COMPACT : JSON_INDENT(2)) | JSON_REAL_PRECISION(digits_of(take_answer)));
	putchar('\n');
	json_decref(take_answer);
}

/* ---- bytes of records ---- */

/* Length in bytes of the character at the front of the text, 0 when it is no UTF-8. */
static size_t first_character(struct gc_span text)
{
	for (size_t len = 1; len <= 4 && len <= text.len; len++)
		if (gc_span_is_utf8((struct gc_span){ text.ptr, len }))
			return len;
	return 0;
}

/* U+0000 to U+001F, U+007F to U+009F: -1 when it is none of them. */
static int control_code(const char *character, size_t len)
{
	unsigned char first = (unsigned char)character[0], second = len == 2 ? (unsigned char)character[1] : 0;

	if (len == 1 && (first < 0x20 || first == 0x7F))
		return first;
	return len == 2 && first == 0xC2 && second < 0xA0 ? second : -1;
}

static bool is_layout(int code)
{
	return code == '\t' || code == '\n' || code == '\r';
}

/* What is left of the text behind its first character, or behind a byte that is none. */
static struct gc_span behind(struct gc_span text, size_t character)
{
	size_t len = character ? character : 1;

	return (struct gc_span){ text.ptr + len, text.len - len };
}

bool gc_output_is_text(struct gc_span bytes)
{
	while (bytes.len > 0) {
		size_t len = first_character(bytes);
		int code = len ? control_code(bytes.ptr, len) : 0;

		if (len == 0 || (code >= 0 && !is_layout(code)))
			return false;
		bytes = behind(bytes, len);
	}
	return true;
}

static size_t put_code(char *to, size_t room, int code)
{
	if (code == '\n' || code == '\t' || code == '\r')
		return (size_t)snprintf(to, room, "\\%c", code == '\n' ? 'n' : code == '\t' ? 't' : 'r');
	return (size_t)snprintf(to, room, "\\u%04x", (unsigned)code);
}

/* One character from `bytes` to `to`, which has room for seven bytes; returns how many were written. */
static size_t put_character(char *to, const char *character, size_t len, bool keep_lines)
{
	int code = len ? control_code(character, len) : -1;

	if (len == 0) {
		memcpy(to, "\xEF\xBF\xBD", 3);
		return 3;
	}
	if (code >= 0 && !(keep_lines && is_layout(code)))
		return put_code(to, 7, code);
	memcpy(to, character, len);
	return len;
}

static size_t escaped_length(struct gc_span bytes, bool keep_lines)
{
	char scratch[7];
	size_t length = 0;

	while (bytes.len > 0) {
		size_t len = first_character(bytes);

		length += put_character(scratch, bytes.ptr, len, keep_lines);
		bytes = behind(bytes, len);
	}
	return length;
}

const char *gc_output_escape(struct gc_span bytes, bool keep_lines, struct gc_arena *arena)
{
	char *text = gc_arena_alloc(arena, escaped_length(bytes, keep_lines) + 1);
	size_t to = 0;

	while (bytes.len > 0) {
		size_t len = first_character(bytes);

		to += put_character(text + to, bytes.ptr, len, keep_lines);
		bytes = behind(bytes, len);
	}
	text[to] = '\0';
	return text;
}

#define DUMP_LINE 16

static void dump_line(struct gc_span bytes, size_t from, size_t to, FILE *out)
{
	fprintf(out, "%08zx ", from);
	for (size_t i = from; i < from + DUMP_LINE; i++) {
		if (i < to)
			fprintf(out, " %02x", (unsigned char)bytes.ptr[i]);
		else
			fputs("   ", out);
	}
	fputs("  ", out);
	for (size_t i = from; i < to; i++)
		fputc(bytes.ptr[i] >= 0x20 && bytes.ptr[i] < 0x7F ? bytes.ptr[i] : '.', out);
	fputc('\n', out);
}

void gc_output_dump(struct gc_span bytes, size_t bytes_max, FILE *out)
{
	size_t end = bytes.len < bytes_max ? bytes.len : bytes_max;

	for (size_t from = 0; from < end; from += DUMP_LINE)
		dump_line(bytes, from, from + DUMP_LINE < end ? from + DUMP_LINE : end, out);
}
