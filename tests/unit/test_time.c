/* Time: a table of forms that are read and forms that are refused, and the calendar against glibc's, day by day. */
#include <math.h>
#include <time.h>

#include <gracecube/time.h>

#include "suite.h"

static const struct form {
	const char *text, *wanted;
} forms[] = {
	{ "2026-11-23T07:45:02.570393Z", "2026-11-23T07:45:02.570393Z" },
	{ "2026-11-23t07:45:02.570393z", "2026-11-23T07:45:02.570393Z" },
	{ "2026-11-23 07:45:02.570393+00", "2026-11-23T07:45:02.570393Z" },
	{ "2026-11-23 07:45:02", "2026-11-23T07:45:02.000000Z" },
	{ "2026-11-23 07:45", "2026-11-23T07:45:00.000000Z" },
	{ "2026-11-23T07:45Z", "2026-11-23T07:45:00.000000Z" },
	{ "2026-11-23T07:45+05:30", "2026-11-23T02:15:00.000000Z" },
	{ "2026-11-23", "2026-11-23T00:00:00.000000Z" },
	{ "2026-11-23T07:45:02.5", "2026-11-23T07:45:02.500000Z" },
	{ "2026-11-23T07:45:02.57039399999999999999999Z", "2026-11-23T07:45:02.570393Z" },
	{ "2026-11-23T07:45:02.0000000000000000000000001Z", "2026-11-23T07:45:02.000000Z" },
	{ "2026-11-23T07:45:02+05", "2026-11-23T02:45:02.000000Z" },
	{ "2026-11-23T07:45:02+0530", "2026-11-23T02:15:02.000000Z" },
	{ "2026-11-23T07:45:02+05:30", "2026-11-23T02:15:02.000000Z" },
	{ "2026-11-23T07:45:02.25-08:00", "2026-11-23T15:45:02.250000Z" },
	{ "2026-11-23T00:00:00+14:00", "2026-11-22T10:00:00.000000Z" },
	{ "2026-11-23T00:00:00-23:59", "2026-11-23T23:59:00.000000Z" },
	{ "2026-11-23T07:45:02-00:00", "2026-11-23T07:45:02.000000Z" },
	{ "2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z" },
	{ "2016-12-31T23:59:60.75Z", "2017-01-01T00:00:00.750000Z" },
	{ "2016-12-31T15:59:60-08:00", "2017-01-01T00:00:00.000000Z" },
	{ "2016-12-31 23:59:60", "2017-01-01T00:00:00.000000Z" },
	{ "2024-02-29", "2024-02-29T00:00:00.000000Z" },
	{ "2000-02-29", "2000-02-29T00:00:00.000000Z" },
	{ "1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z" },
	{ "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z" },
	{ "0001-01-01T00:00:00+01:00", "0000-12-31T23:00:00.000000Z" },
	{ "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z" },
};

static void form_is_read(void **state)
{
	const struct form *row = *state;
	char text[GC_TIME_TEXT_BYTES];
	int64_t us;

	if (!gc_time_parse(gc_span_of(row->text), GC_UNIT_AUTO, &us))
		fail_msg("%s was refused", row->text);
	assert_string_equal(gc_time_format(us, text, sizeof(text)), row->wanted);
}

static const char *const no_times[] = {
	"",
	" ",
	"now",
	"2026-11",
	"2026-11-2",
	"2026-11-23T",
	"2026-11-23 ",
	"2026-11-23T07",
	"2026-11-23T07:4",
	"2026-11-23T07:45:",
	"2026-11-23T07:45:0",
	"2026-11-23T07:45:02.",
	"2026-11-23T07:45:02.Z",
	"2026-11-23T07:45:02,5",
	"2026-11-23T07:45:02.5x",
	"2026-11-23T07:45:02ZZ",
	"2026-11-23T07:45:02 Z",
	"2026-11-23T07:45:02+",
	"2026-11-23T07:45:02+5",
	"2026-11-23T07:45:02+053",
	"2026-11-23T07:45:02+05:",
	"2026-11-23T07:45:02+05:3",
	"2026-11-23T07:45:02+24:00",
	"2026-11-23T07:45:02+05:60",
	"2026-11-23T07:45:02+05:30:00",
	"2026-11-23T24:00:00Z",
	"2026-11-23T23:60:00Z",
	"2026-11-23T23:58:60Z",
	"2026-11-23T12:00:60Z",
	"2026-11-23T23:59:61Z",
	"2026-11-23T7:45:02Z",
	"2026-00-23",
	"2026-13-23",
	"2026-11-00",
	"2026-11-31",
	"2026-02-29",
	"1900-02-29",
	"2100-02-29",
	"0000-01-01",
	"10000-01-01",
	"-2026-11-23",
	"+2026-11-23",
	"2026/11/23",
	"20261123T074502Z",
	"2026-11-23Z",
	"2026-11-23+01:00",
	" 2026-11-23",
	"2026-11-23\n",
	"2026-W47-1",
	"2026-327",
	"1e9",
	"1792804640.",
	".5",
	"-",
	"+",
	"+-5",
	"-+5.5",
	"1.5.5",
	"0x10",
	"1 2",
	"NaN",
	"infinity",
	"1792804640.5e3",
	"1792804640,5",
};

static void text_is_no_time(void **state)
{
	const char *text = *state;
	int64_t us = 42;

	assert_false(gc_time_parse(gc_span_of(text), GC_UNIT_AUTO, &us));
	assert_int_equal(us, 42);
}

static void other_texts_are_no_time(void **state)
{
	int64_t us = 42;

	(void)state;
	assert_false(gc_time_parse(GC_SPAN_NULL, GC_UNIT_S, &us));
	assert_false(gc_time_parse(GC_LIT("2026-11-23\0"), GC_UNIT_S, &us));
	assert_int_equal(us, 42);
}

static const struct epoch {
	const char *text;
	enum gc_time_unit unit;
	int64_t wanted;
} epochs[] = {
	{ "0", GC_UNIT_AUTO, 0 },
	{ "2026", GC_UNIT_AUTO, 2026 * GC_SECOND_US }, /* a bare year is a whole number */
	{ "1792804640", GC_UNIT_AUTO, INT64_C(1792804640000000) },
	{ "1792804640570", GC_UNIT_AUTO, INT64_C(1792804640570000) },
	{ "1792804640570393", GC_UNIT_AUTO, INT64_C(1792804640570393) },
	{ "1792804640570393999", GC_UNIT_AUTO, INT64_C(1792804640570393) },
	{ "1792804640.570393", GC_UNIT_AUTO, INT64_C(1792804640570393) },
	{ "1792804640.5703939999", GC_UNIT_S, INT64_C(1792804640570393) },
	{ "1792804640570.393", GC_UNIT_AUTO, INT64_C(1792804640570393) },
	{ "1792804640570393.9", GC_UNIT_AUTO, INT64_C(1792804640570393) },
	{ "1792804640570393999.9", GC_UNIT_NS, INT64_C(1792804640570393) },
	{ "+5", GC_UNIT_S, 5000000 },
	{ "-1.5", GC_UNIT_S, -1500000 },
	{ "-0.0000005", GC_UNIT_S, -1 },
	{ "-0.0000000", GC_UNIT_S, 0 },
	{ "-1", GC_UNIT_NS, -1 },
	{ "-1000", GC_UNIT_NS, -1 },
	{ "-1000.5", GC_UNIT_NS, -2 },
	{ "-1001.0", GC_UNIT_NS, -2 },
	{ "1792804640", GC_UNIT_US, 1792804640 },
	{ "007", GC_UNIT_MS, 7000 },
};

static void epoch_is_read(void **state)
{
	const struct epoch *row = *state;
	int64_t us;

	if (!gc_time_parse(gc_span_of(row->text), row->unit, &us))
		fail_msg("%s was refused", row->text);
	if (us != row->wanted)
		fail_msg("%s gave %lld", row->text, (long long)us);
}

static void epochs_too_large_are_refused(void **state)
{
	int64_t us = 42;

	(void)state;
	assert_false(gc_time_parse(GC_LIT("9223372036855"), GC_UNIT_S, &us));
	assert_false(gc_time_parse(GC_LIT("9223372036854.775808"), GC_UNIT_S, &us));
	assert_false(gc_time_parse(GC_LIT("9223372036854775808"), GC_UNIT_US, &us));
	assert_false(gc_time_parse(GC_LIT("99999999999999999999.5"), GC_UNIT_US, &us));
	assert_int_equal(us, 42);
}

static void epoch_units_are_told_from_size(void **state)
{
	int64_t us = 0;

	(void)state;
	assert_true(gc_time_from_epoch(INT64_C(99999999999), GC_UNIT_AUTO, &us));
	assert_int_equal(us, INT64_C(99999999999000000));
	assert_true(gc_time_from_epoch(INT64_C(100000000000), GC_UNIT_AUTO, &us));
	assert_int_equal(us, INT64_C(100000000000000));
	assert_true(gc_time_from_epoch(INT64_C(100000000000000), GC_UNIT_AUTO, &us));
	assert_int_equal(us, INT64_C(100000000000000));
	assert_true(gc_time_from_epoch(INT64_C(100000000000000000), GC_UNIT_AUTO, &us));
	assert_int_equal(us, INT64_C(100000000000000));
	assert_true(gc_time_from_epoch(INT64_MIN, GC_UNIT_AUTO, &us));
	assert_int_equal(us, INT64_MIN / 1000 - 1);
	assert_true(gc_time_from_epoch(-1, GC_UNIT_AUTO, &us));
	assert_int_equal(us, -1000000);
}

static void epochs_that_overflow_are_refused(void **state)
{
	int64_t us = 42;

	(void)state;
	assert_false(gc_time_from_epoch(INT64_MAX, GC_UNIT_S, &us));
	assert_false(gc_time_from_epoch(INT64_MIN, GC_UNIT_MS, &us));
	assert_false(gc_time_from_real((double)NAN, GC_UNIT_S, &us));
	assert_false(gc_time_from_real(HUGE_VAL, GC_UNIT_AUTO, &us));
	assert_false(gc_time_from_real(-HUGE_VAL, GC_UNIT_NS, &us));
	assert_false(gc_time_from_real(0x1p63, GC_UNIT_US, &us));
	assert_false(gc_time_from_real(1e300, GC_UNIT_AUTO, &us));
	assert_int_equal(us, 42);
}

static void real_epochs_are_rounded(void **state)
{
	int64_t us;

	(void)state;
	assert_true(gc_time_from_real(1792804640.570393, GC_UNIT_AUTO, &us));
	assert_int_equal(us, INT64_C(1792804640570393));
	assert_true(gc_time_from_real(1792804640570.393, GC_UNIT_AUTO, &us));
	assert_int_equal(us, INT64_C(1792804640570393));
	assert_true(gc_time_from_real(1792804640570393.0, GC_UNIT_US, &us));
	assert_int_equal(us, INT64_C(1792804640570393));
	assert_true(gc_time_from_real(1.5e18, GC_UNIT_AUTO, &us));
	assert_int_equal(us, INT64_C(1500000000000000));
	assert_true(gc_time_from_real(-1.5, GC_UNIT_S, &us));
	assert_int_equal(us, -1500000);
	assert_true(gc_time_from_real(-0x1p63, GC_UNIT_US, &us));
	assert_int_equal(us, INT64_MIN);
}

/* Every day of ten thousand years, at a moment of the day that moves. */
static void calendar_agrees_with_glibc(void **state)
{
	int64_t first, last;

	(void)state;
	assert_true(gc_time_parse(GC_LIT("0001-01-01"), GC_UNIT_S, &first));
	assert_true(gc_time_parse(GC_LIT("9999-12-31"), GC_UNIT_S, &last));
	for (int64_t us = first, step = 0; us <= last; us += GC_DAY_US, step++) {
		time_t second = (time_t)(us / GC_SECOND_US + step * 7919 % 86400);
		int year, month, day;
		struct tm tm;

		gmtime_r(&second, &tm);
		gc_time_civil((int64_t)second * GC_SECOND_US, &year, &month, &day);
		if (year != tm.tm_year + 1900 || month != tm.tm_mon + 1 || day != tm.tm_mday)
			fail_msg("%lld is not %d-%d-%d", (long long)second, year, month, day);
	}
}

static void texts_come_back_as_they_went(void **state)
{
	char text[GC_TIME_TEXT_BYTES], wanted[64];

	(void)state;
	for (int64_t us = INT64_C(-62135596800000000); us < INT64_C(253402300800000000); us += INT64_C(3000007000037)) {
		time_t second = (time_t)((us - (us % GC_SECOND_US + GC_SECOND_US) % GC_SECOND_US) / GC_SECOND_US);
		int64_t back;
		struct tm tm;

		gmtime_r(&second, &tm);
		snprintf(wanted, sizeof(wanted), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(us - (int64_t)second * GC_SECOND_US));
		assert_string_equal(gc_time_format(us, text, sizeof(text)), wanted);
		assert_true(gc_time_parse(gc_span_of(text), GC_UNIT_AUTO, &back));
		assert_int_equal(back, us);
	}
}

static void every_int64_has_a_text(void **state)
{
	char text[GC_TIME_TEXT_BYTES];

	(void)state;
	assert_string_equal(gc_time_format(0, text, sizeof(text)), "1970-01-01T00:00:00.000000Z");
	assert_string_equal(gc_time_format(-1, text, sizeof(text)), "1969-12-31T23:59:59.999999Z");
	assert_string_equal(gc_time_format(INT64_MAX, text, sizeof(text)), "294247-01-10T04:00:54.775807Z");
	assert_string_equal(gc_time_format(INT64_MIN, text, sizeof(text)), "-290308-12-21T19:59:05.224192Z");
	assert_string_equal(gc_time_format(GC_TIME_END_US, text, sizeof(text)), "2200-01-01T00:00:00.000000Z");
	assert_string_equal(gc_time_format(0, text, 11), "1970-01-01");
}

static void clocks_run(void **state)
{
	int64_t wall = gc_now_us(), monotonic = gc_monotonic_us(), cpu = gc_thread_cpu_us();
	volatile int work = 0;

	(void)state;
	assert_in_range(wall / GC_SECOND_US, 1700000000, GC_TIME_END_US / GC_SECOND_US);
	while (gc_thread_cpu_us() - cpu < 2000)
		work = work + 1;
	assert_true(gc_monotonic_us() - monotonic >= 1000);
}

static const char *name_of(enum gc_time_unit unit)
{
	static const char *const names[] = { "auto", "s", "ms", "us", "ns" };

	return names[unit];
}

int main(void)
{
	struct suite suite = { 0 };

	for (size_t i = 0; i < COUNT(forms); i++)
		suite_add(&suite, form_is_read, &forms[i], "time: %s", forms[i].text);
	for (size_t i = 0; i < COUNT(no_times); i++)
		suite_add(&suite, text_is_no_time, no_times[i], "no time: %s", no_times[i]);
	for (size_t i = 0; i < COUNT(epochs); i++)
		suite_add(&suite, epoch_is_read, &epochs[i], "epoch, unit %s: %s", name_of(epochs[i].unit), epochs[i].text);
	SUITE_ADD(&suite, other_texts_are_no_time);
	SUITE_ADD(&suite, epochs_too_large_are_refused);
	SUITE_ADD(&suite, epoch_units_are_told_from_size);
	SUITE_ADD(&suite, epochs_that_overflow_are_refused);
	SUITE_ADD(&suite, real_epochs_are_rounded);
	SUITE_ADD(&suite, calendar_agrees_with_glibc);
	SUITE_ADD(&suite, texts_come_back_as_they_went);
	SUITE_ADD(&suite, every_int64_has_a_text);
	SUITE_ADD(&suite, clocks_run);
	return suite_run(&suite, NULL, NULL);
}
