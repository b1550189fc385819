/* Answers: tables, numbers and times for people, JSON texts, and bytes of records made readable. */
#include "unit.h"

#include <stdlib.h>

#include <gracecube/base64.h>

#include "cli/output.h"

/* ---- tables ---- */

static const struct gc_table_column columns[] = {
	{ "name", false, 8 },
	{ "count", true, 0 },
	{ "note", false, 0 },
};

/* What a table with these cells prints; free it. */
static char *print_table(const char *const *cells)
{
	struct gc_table table;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	gc_table_init(&table, columns, 3);
	for (; cells && *cells; cells++)
		gc_table_add(&table, strcmp(*cells, "NULL") ? *cells : NULL);
	gc_table_print(&table, out);
	gc_table_done(&table);
	fclose(out);
	return text;
}

static void assert_table(const char *const *cells, const char *expected)
{
	char *text = print_table(cells);

	assert_string_equal(text, expected);
	free(text);
}

static void test_table_lines_up(void **state)
{
	const char *const cells[] = { "a", "1", "first", "bcd", "1000000", "NULL", NULL };

	(void)state;
	assert_table(cells, "name    count  note\n"
			    "a           1  first\n"
			    "bcd   1000000  -\n");
}

static void test_table_without_rows_is_silent(void **state)
{
	(void)state;
	assert_table(NULL, "");
}

static void test_table_has_no_trailing_blanks(void **state)
{
	const char *const cells[] = { "longer", "1", "", "a", "2", "x", NULL };

	(void)state;
	assert_table(cells, "name    count  note\n"
			    "longer      1\n"
			    "a           2  x\n");
}

static void test_table_counts_characters_and_cuts(void **state)
{
	const char *const cells[] = { "äöüß", "1", "x", "äöüßäöüßä", "2", "y", "12345678", "3", "z", NULL };

	(void)state;
	assert_table(cells, "name      count  note\n"
			    "äöüß          1  x\n"
			    "äöüßäöü…      2  y\n"
			    "12345678      3  z\n");
}

static void test_table_escapes_what_a_terminal_would_obey(void **state)
{
	const char *const cells[] = { "a\nb", "1", "\033[31m\xff", NULL };

	(void)state;
	assert_table(cells, "name  count  note\n"
			    "a\\nb      1  \\u001b[31m\xEF\xBF\xBD\n");
}

static void test_table_grows(void **state)
{
	struct gc_table table;
	char *text = NULL;
	size_t bytes = 0, lines = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	gc_table_init(&table, columns, 3);
	for (int i = 0; i < 3000; i++)
		gc_table_add_int(&table, i - 1000);
	gc_table_print(&table, out);
	gc_table_done(&table);
	fclose(out);
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 1001);
	free(text);
}

/* ---- numbers and times ---- */

static void test_count(void **state)
{
	static const struct {
		int64_t number;
		const char *text;
	} rows[] = { { 0, "0" },
		     { 999, "999" },
		     { 1000, "1,000" },
		     { 123456, "123,456" },
		     { 1234567, "1,234,567" },
		     { -1000, "-1,000" },
		     { -123456, "-123,456" },
		     { INT64_MAX, "9,223,372,036,854,775,807" },
		     { INT64_MIN, "-9,223,372,036,854,775,808" } };
	char buffer[GC_OUTPUT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(gc_output_count(rows[i].number, buffer, sizeof(buffer)), rows[i].text);
}

static void test_age(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = { { -5 * GC_SECOND_US, "0s" },
		     { 999999, "0s" },
		     { 59 * GC_SECOND_US, "59s" },
		     { 60 * GC_SECOND_US, "1m 0s" },
		     { GC_HOUR_US - 1, "59m 59s" },
		     { GC_HOUR_US, "1h 0m" },
		     { 2 * GC_DAY_US + 4 * GC_HOUR_US + 1, "2d 4h" } };
	char buffer[GC_OUTPUT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(gc_output_age(rows[i].us, buffer, sizeof(buffer)), rows[i].text);
}

static void test_time(void **state)
{
	char buffer[GC_OUTPUT_BYTES];
	json_t *json = gc_output_time_json(INT64_C(1795410143304001)), *none = gc_output_time_json(GC_NO_TIME);

	(void)state;
	assert_string_equal(gc_output_time(INT64_C(1795410143304001), buffer, sizeof(buffer)), "2026-11-23 05:02:23");
	assert_string_equal(gc_output_time(GC_NO_TIME, buffer, sizeof(buffer)), "-");
	assert_string_equal(json_string_value(json), "2026-11-23T05:02:23.304001Z");
	assert_true(json_is_null(none));
	json_decref(json);
	json_decref(none);
}

static void test_int(void **state)
{
	(void)state;
	assert_int_equal(gc_output_int("42", -1), 42);
	assert_int_equal(gc_output_int("-7", 0), -7);
	assert_int_equal(gc_output_int(NULL, -1), -1);
	assert_int_equal(gc_output_int("4.2", -1), -1);
}

static void test_text_json(void **state)
{
	json_t *null = gc_output_text_json(NULL), *good = gc_output_text_json("a\nb"), *broken = gc_output_text_json("a\xff");

	(void)state;
	assert_true(json_is_null(null));
	assert_string_equal(json_string_value(good), "a\nb");
	assert_string_equal(json_string_value(broken), "a\xEF\xBF\xBD");
	json_decref(null);
	json_decref(good);
	json_decref(broken);
}

/* ---- bytes of records ---- */

static void test_is_text(void **state)
{
	(void)state;
	assert_true(gc_output_is_text(GC_LIT("")));
	assert_true(gc_output_is_text(GC_LIT("{\"a\":\n\t1}\r\n")));
	assert_true(gc_output_is_text(GC_LIT("\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80")));
	assert_false(gc_output_is_text(GC_LIT("a\0b")));
	assert_false(gc_output_is_text(GC_LIT("\033[2J")));
	assert_false(gc_output_is_text(GC_LIT("\x7F")));
	assert_false(gc_output_is_text(GC_LIT("\xC2\x9B"
					      "2J"))); /* a control sequence in one character */
	assert_false(gc_output_is_text(GC_LIT("\xFF\xFE")));
	assert_false(gc_output_is_text(GC_LIT("a\xC3")));
	assert_false(gc_output_is_text(GC_LIT("\xED\xA0\x80"))); /* a surrogate */
}

static void test_escape(void **state)
{
	struct gc_arena arena;

	(void)state;
	gc_arena_init(&arena);
	assert_string_equal(gc_output_escape(GC_LIT("plain ä"), false, &arena), "plain ä");
	assert_string_equal(gc_output_escape(GC_LIT("a\nb\tc\rd"), false, &arena), "a\\nb\\tc\\rd");
	assert_string_equal(gc_output_escape(GC_LIT("a\nb\tc"), true, &arena), "a\nb\tc");
	assert_string_equal(gc_output_escape(GC_LIT("\0\033\x7F\xC2\x9B"), true, &arena), "\\u0000\\u001b\\u007f\\u009b");
	assert_string_equal(gc_output_escape(GC_LIT("\xFFx\xE2\x82"), false, &arena), "\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD");
	assert_string_equal(gc_output_escape(GC_SPAN_NULL, false, &arena), "");
	gc_arena_done(&arena);
}

static void test_dump(void **state)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	(void)state;
	gc_output_dump(GC_LIT("0123456789abcdef\0\xff!and more"), 19, out);
	fclose(out);
	assert_string_equal(text, "00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef\n"
				  "00000010  00 ff 21                                         ..!\n");
	free(text);
}

static void test_base64(void **state)
{
	static const struct {
		const char *text, *bytes;
	} rows[] = { { "", "" },
		     { "Zg==", "f" },
		     { "Zm8=", "fo" },
		     { "Zm9v", "foo" },
		     { "Zm9vYg==", "foob" },
		     { "Zm9v\nYmE=\n", "fooba" },
		     { " Zm9v YmFy ", "foobar" },
		     { "/+8=", "\xFF\xEF" } };
	static const char *const wrong[] = { "Z",    "Zg",       "Zg=",   "Zm8",  "Z===", "=",
					     "====", "Zg==Zg==", "Zm9v=", "Zg=a", "Zm9-", "Zg===" };
	struct gc_arena arena;
	struct gc_span bytes;

	(void)state;
	gc_arena_init(&arena);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(gc_base64_decode(gc_span_of(rows[i].text), &arena, &bytes));
		assert_true(gc_span_equal(bytes, gc_span_of(rows[i].bytes)));
		assert_non_null(bytes.ptr);
	}
	for (size_t i = 0; i < 5; i++) { /* those without white space, the other way */
		char text[16] = "";

		assert_int_equal(gc_base64_bytes(strlen(rows[i].bytes)), strlen(rows[i].text));
		assert_ptr_equal(gc_base64_put(text, gc_span_of(rows[i].bytes)), text + strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(gc_base64_decode(gc_span_of(wrong[i]), &arena, &bytes));
	gc_arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_lines_up),
		cmocka_unit_test(test_table_without_rows_is_silent),
		cmocka_unit_test(test_table_has_no_trailing_blanks),
		cmocka_unit_test(test_table_counts_characters_and_cuts),
		cmocka_unit_test(test_table_escapes_what_a_terminal_would_obey),
		cmocka_unit_test(test_table_grows),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_int),
		cmocka_unit_test(test_text_json),
		cmocka_unit_test(test_is_text),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
