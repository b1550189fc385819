/* Log lines, and complaints that are not repeated.
 *
 * Log lines are captured by putting a temporary file in the place of standard error for the length of one call.
 */
#include "unit.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include <gracecube/arena.h>
#include <gracecube/err.h>
#include <gracecube/log.h>
#include <gracecube/time.h>

#define REPLACEMENT "\xEF\xBF\xBD"

static FILE *captured;
static int real_stderr;

static void capture_start(void)
{
	captured = tmpfile();
	assert_non_null(captured);
	fflush(stderr);
	real_stderr = dup(STDERR_FILENO);
	dup2(fileno(captured), STDERR_FILENO);
}

/* What was written since; the caller frees it. */
static char *capture_end(void)
{
	char *text = NULL;
	size_t size = 0;

	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	rewind(captured);
	if (getdelim(&text, &size, '\0', captured) < 0) {
		free(text);
		text = gc_strdup("");
	}
	fclose(captured);
	return text;
}

/* Checks "ts=<time> " and returns what follows. */
static const char *skip_time(const char *line)
{
	int64_t us;

	assert_memory_equal(line, "ts=", 3);
	assert_true(gc_time_parse((struct gc_span){ line + 3, 24 }, GC_UNIT_AUTO, &us));
	assert_int_equal(line[22], '.');
	assert_memory_equal(line + 26, "Z ", 2);
	assert_true(llabs(gc_now_us() - us) < GC_MINUTE_US);
	return line + 28;
}

static void log_lines_are_logfmt(void **state)
{
	(void)state;
	gc_log_setup(GC_LOG_INFO, GC_LOG_LOGFMT);
	capture_start();
	errno = ENOENT;
	gc_info("batch applied", GC_S("topic", "grace.public.x"), GC_I("rows", -3), GC_R("seconds", 0.1),
		GC_SPAN("actor", GC_LIT("user:Al \"x\"\n=\\")), GC_S("none", NULL), GC_S("empty", ""));
	assert_int_equal(errno, ENOENT);
	gc_debug("too quiet");
	char *text = capture_end();
	assert_string_equal(skip_time(text), "level=info msg=\"batch applied\" topic=grace.public.x rows=-3 seconds=0.1 "
					     "actor=\"user:Al \\\"x\\\"\\n=\\\\\" none=null empty=\"\"\n");
	free(text);
}

static void log_lines_are_json(void **state)
{
	const struct gc_err err = { .code = "08006", .where = "db:5432", .text = "gone" };

	(void)state;
	gc_log_setup(GC_LOG_DEBUG, GC_LOG_JSON);
	capture_start();
	gc_warn("sink away", GC_ERR_FIELDS(&err), GC_R("nan", NAN), GC_R("third", 1.0 / 3), GC_I("max", INT64_MAX),
		GC_SPAN("raw", GC_LIT("\xFF\x01\x7F\xC2\x9B é")), GC_SPAN("null", GC_SPAN_NULL));
	char *text = capture_end();
	json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(line);
	assert_int_equal(strlen(json_string_value(json_object_get(line, "ts"))), 24);
	assert_string_equal(json_string_value(json_object_get(line, "level")), "warn");
	assert_string_equal(json_string_value(json_object_get(line, "msg")), "sink away");
	assert_string_equal(json_string_value(json_object_get(line, "code")), "08006");
	assert_string_equal(json_string_value(json_object_get(line, "err")), "gone");
	assert_string_equal(json_string_value(json_object_get(line, "nan")), "nan");
	assert_true(json_real_value(json_object_get(line, "third")) == 1.0 / 3);
	assert_true(json_integer_value(json_object_get(line, "max")) == INT64_MAX);
	assert_string_equal(json_string_value(json_object_get(line, "raw")), REPLACEMENT "\x01\x7F\xC2\x9B é");
	assert_null(strchr(text, '\x7F'));
	assert_null(strstr(text, "\xC2\x9B"));
	assert_true(json_is_null(json_object_get(line, "null")));
	json_decref(line);
	free(text);
}

static void *log_in_a_thread(void *argument)
{
	(void)argument;
	gc_info("no context here");
	return NULL;
}

static void log_context_belongs_to_the_thread(void **state)
{
	pthread_t thread;

	(void)state;
	gc_log_setup(GC_LOG_ERROR, GC_LOG_LOGFMT);
	assert_int_equal(gc_log_level(), GC_LOG_ERROR);
	gc_log_setup(GC_LOG_INFO, GC_LOG_LOGFMT);
	gc_log_context("worker", "1");
	capture_start();
	gc_error("bad", GC_I("n", 1));
	pthread_create(&thread, NULL, log_in_a_thread, NULL);
	pthread_join(thread, NULL);
	gc_log_context("worker", NULL);
	gc_info("bare");
	char *text = capture_end();
	char *second = strchr(text, '\n') + 1, *third = strchr(second, '\n') + 1;
	assert_memory_equal(skip_time(text), "level=error msg=bad worker=1 n=1\n", 33);
	assert_memory_equal(skip_time(second), "level=info msg=\"no context here\"\n", 33);
	assert_string_equal(skip_time(third), "level=info msg=bare\n");
	free(text);
}

static void log_values_are_cut_between_characters(void **state)
{
	struct gc_arena arena;

	(void)state;
	gc_arena_init(&arena);
	gc_log_setup(GC_LOG_INFO, GC_LOG_JSON);
	for (int shift = 0; shift < 4; shift++) {
		char *value = gc_arena_zalloc(&arena, 9001);
		for (size_t i = 0; i < 9000; i += 4)
			memcpy(value + i, "😀", 4);
		memset(value, 'a', (size_t)shift * 4);
		capture_start();
		gc_info("long", GC_S("value", value + shift * 3), GC_I("after", 1));
		char *text = capture_end();
		json_t *line = json_loads(text, 0, NULL);
		assert_non_null(line);
		const char *shown = json_string_value(json_object_get(line, "value"));
		assert_in_range(strlen(shown), 2040, 2051);
		assert_string_equal(shown + strlen(shown) - 3, "…");
		assert_memory_equal(shown, value + shift * 3, strlen(shown) - 3);
		assert_int_equal(json_integer_value(json_object_get(line, "after")), 1);
		json_decref(line);
		free(text);
	}
	gc_arena_done(&arena);
}

static void log_lines_are_bounded_and_whole(void **state)
{
	char hostile[4001];

	(void)state;
	memset(hostile, 1, 4000);
	hostile[4000] = '\0';
	for (int format = GC_LOG_LOGFMT; format <= GC_LOG_JSON; format++) {
		gc_log_setup(GC_LOG_INFO, (enum gc_log_format)format);
		capture_start();
		gc_info("floods", GC_S("a", hostile), GC_S("b", hostile + 3000), GC_I("c", 1));
		char *text = capture_end();
		assert_true(strlen(text) < 13000);
		assert_int_equal(text[strlen(text) - 1], '\n');
		assert_non_null(strstr(text, format == GC_LOG_JSON ? "\"cut\":true}\n" : " cut=true\n"));
		if (format == GC_LOG_JSON) {
			json_t *line = json_loads(text, 0, NULL);
			assert_non_null(line);
			json_decref(line);
		}
		free(text);
	}
}

static void complaints_come_at_growing_intervals(void **state)
{
	struct gc_complaint complaint = { 0 };
	int64_t repeated = -1, said = 0, kept = 0;

	(void)state;
	assert_false(gc_complaint_over(&complaint));
	assert_true(gc_complain(&complaint, 0, &repeated));
	assert_int_equal(repeated, 0);
	assert_false(gc_complain(&complaint, GC_SECOND_US / 2, &repeated));
	assert_false(gc_complain(&complaint, GC_SECOND_US - 1, &repeated));
	assert_true(gc_complain(&complaint, GC_SECOND_US, &repeated));
	assert_int_equal(repeated, 2);
	assert_false(gc_complain(&complaint, 3 * GC_SECOND_US - 1, &repeated));
	assert_true(gc_complain(&complaint, 3 * GC_SECOND_US, &repeated));
	assert_int_equal(repeated, 1);
	/* one fault a second for a day: after 1 + 2 + … + 256 s one report in 300 s, and every fault is counted */
	for (int64_t second = 4; second < 86400; second++)
		if (gc_complain(&complaint, second * GC_SECOND_US, &repeated)) {
			said++;
			kept += repeated;
		}
	assert_in_range(said, 285, 300);
	assert_int_equal(said + kept + complaint.held_back, 86400 - 4);
	assert_true(gc_complaint_over(&complaint));
	assert_false(gc_complaint_over(&complaint));
	assert_true(gc_complain(&complaint, 0, &repeated));
	assert_int_equal(repeated, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_lines_are_logfmt),
		cmocka_unit_test(log_lines_are_json),
		cmocka_unit_test(log_context_belongs_to_the_thread),
		cmocka_unit_test(log_values_are_cut_between_characters),
		cmocka_unit_test(log_lines_are_bounded_and_whole),
		cmocka_unit_test(complaints_come_at_growing_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
