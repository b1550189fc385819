/* Records as such: what their timestamps are worth. */
#include "unit.h"

#include <gracecube/message.h>

#define MS_IN_US INT64_C(1795428000000000) /* microseconds where milliseconds are wanted */

static void every_timestamp_fits(void **state)
{
	static const struct {
		int64_t ms, us;
	} cases[] = {
		{ 0, 0 },
		{ 1795428000000, INT64_C(1795428000000000) },
		{ MS_IN_US, INT64_C(1795428000000000000) },
		{ INT64_MAX / 1000, INT64_MAX / 1000 * 1000 },
		{ INT64_MAX / 1000 + 1, INT64_MAX },
		{ INT64_C(1795428000000000000), INT64_MAX },
		{ INT64_MAX, INT64_MAX },
		{ -1, -1 },
		{ -1795428000000, -1 },
		{ INT64_MIN, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(gc_message_us(cases[i].ms), cases[i].us);
}

static int64_t read_one(struct gc_clock *clock, int64_t offset, int64_t timestamp_us)
{
	struct gc_message message = { .offset = offset, .timestamp_us = timestamp_us, .instead_us = 77 };

	gc_clock_read(clock, &message);
	assert_int_equal(message.timestamp_us, timestamp_us); /* the record is what it is */
	return gc_message_time(&message);
}

/* In the place of what is not believed stands what was believed before. */
static void times_ahead_are_not_believed(void **state)
{
	int64_t now = gc_now_us(), day_ahead = now + GC_DAY_US;
	struct gc_clock clock = { 0 };

	(void)state;
	assert_int_equal(read_one(&clock, 0, gc_message_us(MS_IN_US)), 1); /* nothing known before it */
	assert_int_equal(read_one(&clock, 1, now - 5), now - 5);
	assert_int_equal(read_one(&clock, 2, gc_message_us(MS_IN_US)), now - 5);
	assert_int_equal(read_one(&clock, 3, INT64_MAX), now - 5);
	assert_int_equal(read_one(&clock, 4, now - 9), now - 9); /* late, and believed */
	assert_int_equal(read_one(&clock, 5, day_ahead + GC_HOUR_US), now - 5);
	assert_int_equal(read_one(&clock, 6, day_ahead - GC_HOUR_US), day_ahead - GC_HOUR_US);
	assert_int_equal(read_one(&clock, 7, day_ahead + GC_HOUR_US), day_ahead - GC_HOUR_US);
	assert_int_equal(read_one(&clock, 8, -1), -1);
	assert_int_equal(read_one(&clock, 90, INT64_MAX), day_ahead - GC_HOUR_US); /* offsets between may hold nothing */
}

/* Read again from an earlier place, nothing is known of what stood before it. */
static void the_clock_begins_anew_further_back(void **state)
{
	int64_t now = gc_now_us();
	struct gc_clock clock = { 0 };

	(void)state;
	assert_int_equal(read_one(&clock, 7, now), now);
	assert_int_equal(read_one(&clock, 8, INT64_MAX), now);
	assert_int_equal(read_one(&clock, 5, now - 50), now - 50); /* the record before the position is read first */
	assert_int_equal(read_one(&clock, 6, INT64_MAX), now - 50);
	assert_int_equal(read_one(&clock, 6, INT64_MAX), 1);
}

static void records_are_told_apart(void **state)
{
	struct gc_message one = { .key = GC_LIT("k"), .value = GC_LIT("v"), .timestamp_us = 5 }, other = one;

	(void)state;
	assert_true(gc_message_hash(&one) == gc_message_hash(&other));
	other.instead_us = 7; /* what it is believed to be is no part of it */
	assert_true(gc_message_hash(&one) == gc_message_hash(&other));
	other.timestamp_us = 6;
	assert_true(gc_message_hash(&one) != gc_message_hash(&other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_timestamp_fits),
		cmocka_unit_test(times_ahead_are_not_believed),
		cmocka_unit_test(the_clock_begins_anew_further_back),
		cmocka_unit_test(records_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
