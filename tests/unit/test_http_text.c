/* Values as JSON and CSV: what PostgreSQL prints, on its way out; and tokens. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <gracecube/hex.h>
#include <gracecube/token.h>
#include <http/api/text.h>

static const struct {
	enum gc_cell kind;
	const char *value, *json, *csv;
} cells[] = {
	{ GC_CELL_TEXT, NULL, "null", "" },
	{ GC_CELL_TEXT, "", "\"\"", "\"\"" },
	{ GC_CELL_TEXT, "plain", "\"plain\"", "plain" },
	{ GC_CELL_TEXT, "a,b", "\"a,b\"", "\"a,b\"" },
	{ GC_CELL_TEXT, "say \"no\"", "\"say \\\"no\\\"\"", "\"say \"\"no\"\"\"" },
	{ GC_CELL_TEXT, "\"", "\"\\\"\"", "\"\"\"\"" },
	{ GC_CELL_TEXT, "two\nlines\r", "\"two\\nlines\\r\"", "\"two\nlines\r\"" },
	{ GC_CELL_TEXT, "back\\slash\ttab", "\"back\\\\slash\\ttab\"", "back\\slash\ttab" },
	{ GC_CELL_TEXT, "\b\f\x01\x1f", "\"\\b\\f\\u0001\\u001f\"", "\b\f\x01\x1f" },
	{ GC_CELL_TEXT, "李雷 </script>", "\"李雷 </script>\"", "李雷 </script>" },
	{ GC_CELL_INTEGER, "-9223372036854775808", "-9223372036854775808", "-9223372036854775808" },
	{ GC_CELL_NUMBER, "0.1", "0.1", "0.1" },
	{ GC_CELL_NUMBER, "1e-07", "1e-07", "1e-07" },
	{ GC_CELL_NUMBER, "NaN", "null", "NaN" },
	{ GC_CELL_NUMBER, "-Infinity", "null", "-Infinity" },
	{ GC_CELL_NUMBER, NULL, "null", "" },
	{ GC_CELL_BOOLEAN, "t", "true", "true" },
	{ GC_CELL_BOOLEAN, "f", "false", "false" },
	{ GC_CELL_DATE, "2026-11-05", "\"2026-11-05\"", "2026-11-05" },
	{ GC_CELL_TIME, "2026-11-05 10:17:30.570393+00", "\"2026-11-05T10:17:30.570393Z\"", "2026-11-05T10:17:30.570393Z" },
	{ GC_CELL_TIME, "2026-11-05 10:17:30+00", "\"2026-11-05T10:17:30Z\"", "2026-11-05T10:17:30Z" },
	{ GC_CELL_TIME, "infinity", "\"infinity\"", "infinity" },
	/* what a spreadsheet would run; numbers are what they are */
	{ GC_CELL_TEXT, "=1+1", "\"=1+1\"", "'=1+1" },
	{ GC_CELL_TEXT, "+1", "\"+1\"", "'+1" },
	{ GC_CELL_TEXT, "-", "\"-\"", "'-" },
	{ GC_CELL_TEXT, "@SUM(1)", "\"@SUM(1)\"", "'@SUM(1)" },
	{ GC_CELL_TEXT, "\t=1", "\"\\t=1\"", "'\t=1" },
	{ GC_CELL_TEXT, "\r=1", "\"\\r=1\"", "\"'\r=1\"" },
	{ GC_CELL_TEXT, "=cmd|' /C \"calc\"'!A0", "\"=cmd|' /C \\\"calc\\\"'!A0\"", "\"'=cmd|' /C \"\"calc\"\"'!A0\"" },
	{ GC_CELL_TEXT, "a=1", "\"a=1\"", "a=1" },
	{ GC_CELL_INTEGER, "-1", "-1", "-1" },
	{ GC_CELL_NUMBER, "-0.5", "-0.5", "-0.5" },
	{ GC_CELL_TIME, "-infinity", "\"-infinity\"", "-infinity" },
	{ GC_CELL_JSON, "{\"a\": [1]}", "{\"a\": [1]}", "\"{\"\"a\"\": [1]}\"" },
};

static void cells_are_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cells); i++) {
		struct gc_text text = { NULL, 0, 0 };

		gc_json_put_cell(&text, cells[i].kind, cells[i].value);
		assert_string_equal(text.ptr, cells[i].json);
		gc_text_done(&text);
	}
}

static void cells_are_csv(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cells); i++) {
		struct gc_text text = { NULL, 0, 0 };

		gc_text_puts(&text, "");
		gc_csv_put_cell(&text, cells[i].kind, cells[i].value);
		assert_string_equal(text.ptr, cells[i].csv);
		gc_text_done(&text);
	}
}

/* Read back by zlib, as a client does. */
static void gzip_is_the_same(void **state)
{
	static const size_t sizes[] = { 1, 100, 100000 };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct gc_text text = { NULL, 0, 0 }, zipped = { NULL, 0, 0 };
		z_stream z = { .next_in = NULL };
		char *back;

		while (text.len < sizes[i])
			gc_text_printf(&text, "%zu,", text.len * 7919 % 1000);
		assert_true(gc_text_gzip(&text, &zipped));
		back = malloc(text.len + 1);
		assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
		z.next_in = (unsigned char *)zipped.ptr;
		z.avail_in = (unsigned)zipped.len;
		z.next_out = (unsigned char *)back;
		z.avail_out = (unsigned)text.len + 1;
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.total_out, text.len);
		assert_memory_equal(back, text.ptr, text.len);
		inflateEnd(&z);
		free(back);
		gc_text_done(&text);
		gc_text_done(&zipped);
	}
}

static void text_grows(void **state)
{
	struct gc_text text = { NULL, 0, 0 };

	(void)state;
	for (int i = 0; i < 10000; i++)
		gc_text_printf(&text, "%d,", i);
	assert_int_equal(text.len, 48890);
	assert_int_equal(strlen(text.ptr), text.len);
	assert_string_equal(text.ptr + text.len - 10, "9998,9999,");
	gc_text_done(&text);
	assert_null(text.ptr);
}

static void a_token_is_read_as_it_was_made(void **state)
{
	char text[GC_TOKEN_TEXT_BYTES], other_text[GC_TOKEN_TEXT_BYTES];
	struct gc_token made, read, other;
	struct gc_err err;

	(void)state;
	assert_int_equal(gc_token_make(text, &made, &err), GC_OK);
	assert_int_equal(gc_token_make(other_text, &other, &err), GC_OK);
	assert_true(gc_token_parse(text, &read));
	assert_string_equal(read.id, made.id);
	assert_true(gc_token_equal(read.hash, made.hash));
	assert_false(gc_token_equal(read.hash, other.hash));
	assert_string_not_equal(text, other_text);
}

/* SHA-256 of 64 zeros, by sha256sum. */
static void the_hash_is_sha256_of_the_secret(void **state)
{
	char text[GC_TOKEN_TEXT_BYTES] = "gcube_0123456789ab_";
	char hash[2 * GC_TOKEN_HASH_BYTES + 1];
	struct gc_token token;

	(void)state;
	memset(text + strlen(text), '0', GC_TOKEN_SECRET_DIGITS);
	assert_true(gc_token_parse(text, &token));
	gc_hex_put(token.hash, sizeof(token.hash), hash);
	assert_string_equal(token.id, "0123456789ab");
	assert_string_equal(hash, "60e05bd1b195af2f94112fa7197a5c88289058840ce7c6df9693756bc6250f55");
}

static void what_is_no_token_is_refused(void **state)
{
	static const char good[] = "gcube_0123456789ab_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	static const char *const bad[] = {
		"",
		"x",
		"gcube",
		"gcube_",
		"gcube_0123456789ab",
		"gcube_0123456789ab_",
		"gcube_0123456789ab_00",
		"Gcube_0123456789ab_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"gcube_0123456789aB_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"gcube_0123456789ab-00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"gcube_0123456789ab_00112233445566778899aabbccddeeff00112233445566778899aabbccddeefg",
		"gcube_0123456789ab_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0",
		"gcube_0123456789ab0_0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
	};
	struct gc_token token;

	(void)state;
	assert_true(gc_token_parse(good, &token));
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(gc_token_parse(bad[i], &token));
}

static void secrets_are_masked(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "gcube_", "gcube_" },
		{ "token=gcube_0123456789ab_00ff&days=7", "token=gcube_*****************&days=7" },
		{ "/a/gcube_0/gcube_1", "/a/gcube_*/gcube_*" },
		{ "gcube gcube_gcube_ab", "gcube gcube_********" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[100];

		snprintf(text, sizeof(text), "%s", cases[i][0]);
		gc_token_mask(text, strlen(text));
		assert_string_equal(text, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cells_are_json),
		cmocka_unit_test(cells_are_csv),
		cmocka_unit_test(gzip_is_the_same),
		cmocka_unit_test(text_grows),
		cmocka_unit_test(a_token_is_read_as_it_was_made),
		cmocka_unit_test(the_hash_is_sha256_of_the_secret),
		cmocka_unit_test(what_is_no_token_is_refused),
		cmocka_unit_test(secrets_are_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
