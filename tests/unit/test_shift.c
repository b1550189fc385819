/* Times moved inside a record: every form and unit by the same distance, and what must not move. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <gracecube/stream.h>

#include "kafka/capture.h"
#include "kafka/shift.h"

#define DAY INT64_C(86400)

static const struct gc_shift five_days = { 5 * DAY, 5 * DAY };

static void shifts(const char *from, const char *to, const struct gc_shift *by)
{
	struct gc_arena arena;
	struct gc_span got;

	gc_arena_init(&arena);
	got = gc_shift_json(gc_span_of(from), by, &arena);
	if (!gc_span_equal(got, gc_span_of(to)))
		fail_msg("%s\n became  %.*s\n but not %s", from, (int)got.len, got.ptr, to);
	gc_arena_done(&arena);
}

static void each_form_keeps_its_form(void **state)
{
	static const char *const pairs[][2] = {
		{ "{\"created_at\":1795280205}", "{\"created_at\":1795712205}" },
		{ "{\"created_at\":1795280205928}", "{\"created_at\":1795712205928}" },
		{ "{\"created_at\":1795280205928599}", "{\"created_at\":1795712205928599}" },
		{ "{\"created_at\":1795280205928599123}", "{\"created_at\":1795712205928599123}" },
		{ "{\"timestamp\":1795280205.9286}", "{\"timestamp\":1795712205.9286}" },
		{ "{\"timestamp\":\"1795280205.92\"}", "{\"timestamp\":\"1795712205.92\"}" },
		{ "{\"x_at\":\"2026-11-28\"}", "{\"x_at\":\"2026-12-03\"}" },
		{ "{\"x_at\":\"2026-11-28T23:59\"}", "{\"x_at\":\"2026-12-03T23:59\"}" },
		{ "{\"x_at\":\"2026-11-28 23:59:59.5+02\"}", "{\"x_at\":\"2026-12-03 23:59:59.5+02\"}" },
		{ "{\"x_at\":\"2026-11-28T00:00:00.123456789-05:30\"}", "{\"x_at\":\"2026-12-03T00:00:00.123456789-05:30\"}" },
		{ "{\"x_at\":\"2026-11-28T12:00:00.000001Z\"}", "{\"x_at\":\"2026-12-03T12:00:00.000001Z\"}" },
		{ "{ \"before\" : null, \"after\":{\"decided_at\":null,\"started_at\":1795280205928}, \"ts_ms\": 1795410267859 }",
		  "{ \"before\" : null, \"after\":{\"decided_at\":null,\"started_at\":1795712205928}, \"ts_ms\": 1795842267859 }" },
		{ "{\"payload\":\"{\\\"note\\\": \\\"a\\\\nb\\\", \\\"timestamp\\\": \\\"2026-11-28T00:00:00Z\\\"}\"}",
		  "{\"payload\":\"{\\\"note\\\": \\\"a\\\\nb\\\", \\\"timestamp\\\": \\\"2026-12-03T00:00:00Z\\\"}\"}" },
		{ "[{\"ended_at\":1795280205}]", "[{\"ended_at\":1795712205}]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++)
		shifts(pairs[i][0], pairs[i][1], &five_days);
}

static void other_things_stay(void **state)
{
	static const char *const texts[] = {
		"{\"id\":\"contract-2f12c4f61a56f332-1793381234.49709\",\"duration_ms\":1795280205}",
		"{\"before\":{\"created_at\":0,\"decided_at\":\"1970-01-01T00:00:00Z\",\"started_at\":-1}}",
		"{\"created_at\":\"soon\",\"decided_at\":\"\",\"started_at\":true,\"ended_at\":9223372036854775807}",
		"{\"text\":\"[not JSON\",\"empty\":\"{\"}",
		"{\"entry_hash\":\"00ff\",\"payload\":\"{\\\"expires_at\\\": 1795280205}\"}",
		"{\"manifest_hash\":\"00ff\",\"manifest\":{\"expires_at\":1795280205}}",
		"not JSON, created_at: 1795280205",
		"",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		shifts(texts[i], texts[i], &five_days);
}

/* The hash of a log entry covers its payload, not its time. */
static void a_signed_row_moves_with_its_signature_valid(void **state)
{
	(void)state;
	shifts("{\"sequence\":1,\"entry_hash\":\"0a\",\"payload\":\"{\\\"seen_at\\\": 1795280205}\",\"timestamp\":\"2026-11-28T00:00:00Z\"}",
	       "{\"sequence\":1,\"entry_hash\":\"0a\",\"payload\":\"{\\\"seen_at\\\": 1795280205}\",\"timestamp\":\"2026-12-03T00:00:00Z\"}",
	       &five_days);
}

static void row_and_journey_move_apart(void **state)
{
	static const struct gc_shift by = { DAY, 2 };

	(void)state;
	shifts("{\"after\":{\"created_at\":1795280205},\"source\":{\"ts_us\":1795280205000000},\"ts_ms\":1795280205000}",
	       "{\"after\":{\"created_at\":1795366605},\"source\":{\"ts_us\":1795280207000000},\"ts_ms\":1795280207000}", &by);
	shifts("{\"created_at\":1795280205,\"__source_ts_ms\":1795280205000}",
	       "{\"created_at\":1795366605,\"__source_ts_ms\":1795280207000}", &by);
}

/* A stream whose times have other names than those that are moved would be torn apart. */
static void every_time_of_every_stream_is_moved(void **state)
{
	char from[200], to[200];
	size_t times = 0;

	(void)state;
	for (const struct gc_stream *const *stream = gc_streams; *stream; stream++) {
		for (const struct gc_target *const *target = (*stream)->targets; *target; target++) {
			for (int i = 0; i < (*target)->column_count; i++) {
				const struct gc_column *column = &(*target)->columns[i];

				if (column->kind != GC_TIME || !column->field)
					continue;
				snprintf(from, sizeof(from), "{\"%s\":1795280205}", column->field);
				snprintf(to, sizeof(to), "{\"%s\":1795712205}", column->field);
				shifts(from, to, &five_days);
				times++;
			}
		}
	}
	assert_true(times > 20);
}

static void the_oldest_and_the_newest_are_found(void **state)
{
	static const char text[] =
		"{\"after\":{\"created_at\":\"2026-11-28T00:00:00Z\",\"x_at\":1795280205},\"ts_ms\":1895410267859}";
	struct gc_arena arena;
	int64_t oldest = 0, newest = 0;

	(void)state;
	gc_arena_init(&arena);
	assert_true(gc_shift_range(gc_span_of(text), &arena, &oldest, &newest));
	assert_int_equal(oldest, INT64_C(1795280205000000));
	assert_int_equal(newest, INT64_C(1795824000000000));
	assert_false(gc_shift_range(GC_LIT("{\"id\":1,\"ts_ms\":1895410267859}"), &arena, &oldest, &newest));
	assert_false(gc_shift_range(GC_SPAN_NULL, &arena, &oldest, &newest));
	gc_arena_done(&arena);
}

/* ---- whole files ---- */

static void a_capture_ends_when_it_shall(void **state)
{
	static const char lines[] = "{\"topic\":\"t\",\"timestamp\":1795410267001,\"value\":\"{\\\"created_at\\\":1795410000}\"}\n"
				    "{\"topic\":\"t\",\"timestamp\":1795410268999,\"value\":null}\n"
				    "{\"topic\":\"t\",\"value\":\"{\\\"created_at\\\":1735410000}\"}\n";
	char path[] = "/tmp/gracecube-shift-XXXXXX", *paths[] = { path }, *stdin_path[] = { (char[]){ "-" } };
	struct gc_capture *capture = NULL;
	const struct gc_message *message;
	struct gc_shift shift;
	struct gc_err err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, lines, sizeof(lines) - 1), sizeof(lines) - 1);
	close(fd);
	assert_int_equal(gc_capture_ending(paths, 1, INT64_C(1796000000500000), &shift, &err), GC_OK);
	assert_int_equal(shift.row_s, 589731); /* to 1796000000.0 and no later */
	assert_int_equal(gc_capture_open(path, &capture, &err), GC_OK);
	gc_capture_shift(capture, &shift);
	assert_int_equal(gc_capture_next(capture, &message, &err), GC_OK);
	assert_int_equal(message->timestamp_us, INT64_C(1795999998001000));
	assert_true(gc_span_equal(message->value, GC_LIT("{\"created_at\":1795999731}")));
	assert_int_equal(gc_capture_next(capture, &message, &err), GC_OK);
	assert_int_equal(message->timestamp_us, INT64_C(1795999999999000));
	assert_null(message->value.ptr);
	assert_int_equal(gc_capture_next(capture, &message, &err), GC_OK);
	assert_int_equal(message->timestamp_us, -1);
	assert_true(gc_span_equal(message->value, GC_LIT("{\"created_at\":1735999731}")));
	gc_capture_close(capture);
	assert_int_equal(gc_capture_ending(stdin_path, 1, 1, &shift, &err), GC_FATAL);
	assert_non_null(strstr(err.text, "reads its files twice"));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_keeps_its_form),
		cmocka_unit_test(other_things_stay),
		cmocka_unit_test(a_signed_row_moves_with_its_signature_valid),
		cmocka_unit_test(row_and_journey_move_apart),
		cmocka_unit_test(every_time_of_every_stream_is_moved),
		cmocka_unit_test(the_oldest_and_the_newest_are_found),
		cmocka_unit_test(a_capture_ends_when_it_shall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
