/* Capture files: what is read, what is refused and with which words, and files that end badly. */
#include <unistd.h>
#include <zlib.h>

#include <gracecube/arena.h>

#include "kafka/capture.h"
#include "suite.h"

static char path[64];

static int make_path(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/gracecube-capture-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	return close(fd);
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_plain(const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void write_gzip(const char *text, size_t len)
{
	gzFile file = gzopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(gzwrite(file, text, (unsigned)len), (int)len);
	assert_int_equal(gzclose(file), Z_OK);
}

static struct gc_capture *open_capture(void)
{
	struct gc_capture *capture;
	struct gc_err err;

	if (gc_capture_open(path, &capture, &err))
		fail_msg("%s: %s", err.where, err.text);
	return capture;
}

static struct gc_capture *open_text(const char *text)
{
	write_plain(text, strlen(text));
	return open_capture();
}

static const struct gc_message *next(struct gc_capture *capture)
{
	const struct gc_message *message;
	struct gc_err err;

	if (gc_capture_next(capture, &message, &err))
		fail_msg("%s: %s", err.where, err.text);
	return message;
}

static void assert_span(struct gc_span got, struct gc_span wanted)
{
	assert_int_equal(got.ptr == NULL, wanted.ptr == NULL);
	assert_int_equal(got.len, wanted.len);
	assert_true(gc_span_equal(got, wanted));
}

static void a_record_is_read_whole(void **state)
{
	struct gc_capture *capture = open_text(
		"{\"topic\": \"grace.x\", \"partition\": 3, \"offset\": 17, \"timestamp\": 1795410143304,"
		" \"headers\": [[\"a\", \"1\"], [\"a\", null], [\"\", \"\"]], \"key\": \"{\\\"id\\\":1}\", \"value\": \"v\"}\n");
	const struct gc_message *message = next(capture);

	(void)state;
	assert_span(message->topic, GC_LIT("grace.x"));
	assert_int_equal(message->partition, 3);
	assert_int_equal(message->offset, 17);
	assert_int_equal(message->timestamp_us, INT64_C(1795410143304000));
	assert_span(message->key, GC_LIT("{\"id\":1}"));
	assert_span(message->value, GC_LIT("v"));
	assert_int_equal(message->header_count, 3);
	assert_span(message->headers[0].value, GC_LIT("1"));
	assert_span(message->headers[1].name, GC_LIT("a"));
	assert_span(message->headers[1].value, GC_SPAN_NULL);
	assert_span(message->headers[2].value, GC_LIT(""));
	assert_null(next(capture));
	assert_null(next(capture));
	gc_capture_close(capture);
}

static void what_may_be_missing_is_null(void **state)
{
	struct gc_capture *capture = open_text("{\"value\":null}\n\r\n  \n{\"value\":\"\",\"headers\":null}");
	const struct gc_message *message = next(capture);

	(void)state;
	assert_span(message->topic, GC_SPAN_NULL);
	assert_span(message->key, GC_SPAN_NULL);
	assert_span(message->value, GC_SPAN_NULL);
	assert_int_equal(message->partition, 0);
	assert_int_equal(message->offset, -1);
	assert_int_equal(message->timestamp_us, -1);
	assert_int_equal(message->header_count, 0);
	assert_span(next(capture)->value, GC_LIT(""));
	assert_non_null(strstr(gc_capture_place(capture), ":4"));
	assert_null(next(capture));
	gc_capture_close(capture);
}

static void bytes_that_are_no_text_are_base64(void **state)
{
	struct gc_capture *capture = open_text(
		"{\"key\": {\"base64\": \"/w==\"}, \"value\": {\"base64\": \"AP8B\"}, \"headers\": [[{\"base64\": \"/w==\"}, {\"base64\": \"\"}]],"
		" \"more\": {\"code\": \"x\"}}\n");
	const struct gc_message *message = next(capture);

	(void)state;
	assert_span(message->key, GC_LIT("\xFF"));
	assert_span(message->value, GC_LIT("\0\xFF\x01"));
	assert_int_equal(message->header_count, 1);
	assert_span(message->headers[0].name, GC_LIT("\xFF"));
	assert_span(message->headers[0].value, GC_LIT(""));
	assert_int_equal(gc_capture_member(capture, "more")->type, GC_JSON_OBJECT);
	assert_null(gc_capture_member(capture, "less"));
	gc_capture_close(capture);
}

static const struct text {
	const char *json;
	struct gc_span wanted;
} texts[] = {
	{ "", GC_LIT("") },
	{ "a\\u0000b", GC_LIT("a\0b") },
	{ "\\u0000", GC_LIT("\0") },
	{ "\\u0000\\b\\f\\n\\r\\t\\/\\\\\\\"", GC_LIT("\0\b\f\n\r\t/\\\"") },
	{ "\\u0000\\u00e9\\u20AC\\ud83d\\uDE00\\udbff\\udfff\\uFFFF", GC_LIT("\0é€😀\xF4\x8F\xBF\xBF\xEF\xBF\xBF") },
	{ "\\u0000 \\ufffd é€😀", GC_LIT("\0 \xEF\xBF\xBD é€😀") },
	{ "\\ufffd", GC_LIT("\xEF\xBF\xBD") },
	{ "\\u2028\x7F", GC_LIT("\xE2\x80\xA8\x7F") },
};

static void text_is_exact(void **state)
{
	const struct text *row = *state;
	struct gc_capture *capture;
	char line[256];

	snprintf(line, sizeof(line), "{\"value\":\"%s\"}\n", row->json);
	capture = open_text(line);
	assert_span(next(capture)->value, row->wanted);
	gc_capture_close(capture);
}

static const struct bad_line {
	const char *line, *code;
} bad_lines[] = {
	{ "{", "not_json" },
	{ "{\"value\":\"\xFF\"}", "not_json" },
	{ "{\"value\":\"v\"} x", "not_json" },
	{ "{\"value\":NaN}", "not_json" },
	{ "[]", "not_object" },
	{ "\"text\"", "not_object" },
	{ "{\"value\":\"v\",\"value\":\"w\"}", "duplicate_key" },
	{ "{}", "no_value" },
	{ "{\"vlaue\":\"v\"}", "no_value" },
	{ "{\"value\":{}}", "not_text" },
	{ "{\"value\":\"v\",\"key\":1}", "not_text" },
	{ "{\"value\":\"v\",\"topic\":true}", "not_text" },
	{ "{\"value\":\"\\ud800\"}", "half_character" },
	{ "{\"value\":\"\\ud800\\ud800\"}", "half_character" },
	{ "{\"value\":\"\\udc00\\ud800\"}", "half_character" },
	{ "{\"value\":\"\\ud83d\\n\\ude00\"}", "half_character" },
	{ "{\"value\":\"v\",\"partition\":\"0\"}", "not_a_number" },
	{ "{\"value\":\"v\",\"partition\":-1}", "out_of_range" },
	{ "{\"value\":\"v\",\"partition\":2147483648}", "out_of_range" },
	{ "{\"value\":\"v\",\"offset\":1.5}", "not_a_number" },
	{ "{\"value\":\"v\",\"timestamp\":-2}", "out_of_range" },
	{ "{\"value\":\"v\",\"timestamp\":9223372036854775807}", "out_of_range" },
	{ "{\"value\":\"v\",\"timestamp\":99999999999999999999}", "not_a_number" },
	{ "{\"value\":\"v\",\"headers\":{}}", "bad_header" },
	{ "{\"value\":\"v\",\"headers\":[\"a\"]}", "bad_header" },
	{ "{\"value\":\"v\",\"headers\":[[\"a\"]]}", "bad_header" },
	{ "{\"value\":\"v\",\"headers\":[[\"a\",\"b\",\"c\"]]}", "bad_header" },
	{ "{\"value\":\"v\",\"headers\":[[null,\"b\"]]}", "bad_header" },
	{ "{\"value\":\"v\",\"headers\":[{\"a\":\"b\"}]}", "bad_header" },
	{ "{\"value\":\"v\",\"headers\":[[\"a\",1]]}", "not_text" },
	{ "{\"value\":{\"base64\":\"Zg\"}}", "not_text" },
	{ "{\"value\":{\"base64\":1}}", "not_text" },
	{ "{\"value\":{\"base64\":\"Zg==\",\"x\":1}}", "not_text" },
	{ "{\"value\":{\"hex\":\"66\"}}", "not_text" },
	{ "{\"value\":\"v\",\"headers\":[[{},\"b\"]]}", "not_text" },
	{ "{\"value\":\"v\",\"headers\":[[\"a\",\"\\ud800\"]]}", "half_character" },
};

static void bad_line_is_refused_and_the_next_is_read(void **state)
{
	const struct bad_line *row = *state;
	const struct gc_message *message = NULL;
	struct gc_capture *capture;
	struct gc_err err;
	char text[256];

	snprintf(text, sizeof(text), "\n%s\n{\"value\":\"good\"}\n", row->line);
	capture = open_text(text);
	assert_int_equal(gc_capture_next(capture, &message, &err), GC_REJECT);
	assert_string_equal(err.code, row->code);
	assert_non_null(strstr(err.where, ":2"));
	assert_null(message);
	assert_span(next(capture)->value, GC_LIT("good"));
	gc_capture_close(capture);
}

/* {"value":"xxx…"} of so many bytes, and a line feed. */
static size_t append_line(char *text, size_t bytes)
{
	memset(text, 'x', bytes);
	memcpy(text, "{\"value\":\"", 10);
	memcpy(text + bytes - 2, "\"}", 2);
	text[bytes] = '\n';
	return bytes + 1;
}

static void a_line_has_a_limit(void **state)
{
	char *text = gc_malloc(GC_CAPTURE_LINE_BYTES * 3);
	size_t len = append_line(text, GC_CAPTURE_LINE_BYTES);
	const struct gc_message *message = NULL;
	struct gc_capture *capture;
	struct gc_err err;

	(void)state;
	len += append_line(text + len, GC_CAPTURE_LINE_BYTES + 1);
	len += append_line(text + len, 20);
	write_plain(text, len);
	capture = open_capture();
	assert_int_equal(next(capture)->value.len, GC_CAPTURE_LINE_BYTES - 12);
	assert_int_equal(gc_capture_next(capture, &message, &err), GC_REJECT);
	assert_string_equal(err.code, "too_long");
	assert_int_equal(next(capture)->value.len, 8);
	assert_null(next(capture));
	gc_capture_close(capture);
	free(text);
}

/* Lines of all lengths, so that every place of a line falls on the reader's block ends. */
static size_t make_many(char *text)
{
	size_t len = 0;

	for (size_t bytes = 12; bytes < 2000; bytes++)
		len += append_line(text + len, bytes);
	return len;
}

static void assert_many(struct gc_capture *capture)
{
	for (size_t bytes = 12; bytes < 2000; bytes++)
		assert_int_equal(next(capture)->value.len, bytes - 12);
	assert_null(next(capture));
	gc_capture_close(capture);
}

static void plain_and_gzip_read_the_same(void **state)
{
	char *text = gc_malloc(4 << 20);
	size_t len = make_many(text);

	(void)state;
	write_plain(text, len);
	assert_many(open_capture());
	write_plain(text, len - 1); /* no line feed at the end */
	assert_many(open_capture());
	write_gzip(text, len);
	assert_many(open_capture());
	free(text);
}

static void a_gzip_cut_short_is_an_error_after_what_it_held(void **state)
{
	char *text = gc_malloc(4 << 20);
	size_t len = make_many(text), read = 0;
	const struct gc_message *message;
	struct gc_capture *capture;
	enum gc_verdict verdict;
	struct gc_err err;

	(void)state;
	for (size_t i = 0; i < len; i++) /* so that it does not shrink to nothing */
		if (text[i] == 'x')
			text[i] = (char)('a' + random() % 26);
	write_gzip(text, len);
	assert_int_equal(truncate(path, (off_t)len / 3), 0);
	capture = open_capture();
	while (!(verdict = gc_capture_next(capture, &message, &err)) && message)
		read++;
	assert_int_equal(verdict, GC_FATAL);
	assert_string_equal(err.code, "not_readable");
	assert_true(read > 500 && read < 1988);
	assert_int_equal(gc_capture_next(capture, &message, &err), GC_FATAL);
	gc_capture_close(capture);
	free(text);
}

static void files_that_are_none_are_errors(void **state)
{
	const struct gc_message *message;
	struct gc_capture *capture;
	struct gc_err err;

	(void)state;
	assert_int_equal(gc_capture_open("/nowhere/x.jsonl", &capture, &err), GC_FATAL);
	assert_string_equal(err.code, "no_file");
	assert_int_equal(gc_capture_open("/", &capture, &err), GC_OK);
	assert_int_equal(gc_capture_next(capture, &message, &err), GC_FATAL);
	assert_string_equal(err.code, "not_readable");
	gc_capture_close(capture);
	gc_capture_close(NULL);
	write_plain("", 0);
	capture = open_capture();
	assert_null(next(capture));
	gc_capture_close(capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_read_whole),
		cmocka_unit_test(what_may_be_missing_is_null),
		cmocka_unit_test(bytes_that_are_no_text_are_base64),
		cmocka_unit_test(a_line_has_a_limit),
		cmocka_unit_test(plain_and_gzip_read_the_same),
		cmocka_unit_test(a_gzip_cut_short_is_an_error_after_what_it_held),
		cmocka_unit_test(files_that_are_none_are_errors),
	};
	struct suite suite = { 0 };
	int failed;

	for (size_t i = 0; i < COUNT(texts); i++)
		suite_add(&suite, text_is_exact, &texts[i], "text: %s", texts[i].json);
	for (size_t i = 0; i < COUNT(bad_lines); i++)
		suite_add(&suite, bad_line_is_refused_and_the_next_is_read, &bad_lines[i], "%s: %s", bad_lines[i].code,
			  bad_lines[i].line);
	failed = suite_run(&suite, make_path, remove_path);
	return failed + cmocka_run_group_tests_name("capture", tests, make_path, remove_path);
}
