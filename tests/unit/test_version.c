/* Which of two versions is the newer one: a table of what decides, and that the order is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <gracecube/stream.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int sign(int number)
{
	return (number > 0) - (number < 0);
}

static void first_that_both_know_decides(void **state)
{
	static const struct {
		const char *what;
		struct gc_version older, newer; /* lsn, source_us, kafka_us, offset */
	} cases[] = {
		{ "log position", { 10, 9, 9, 9 }, { 11, 1, 1, 1 } },
		{ "log position, without a time", { 10, 0, 9, 9 }, { 11, 0, 1, 1 } },
		{ "log position against everything else", { 1, INT64_MAX, INT64_MAX, INT64_MAX }, { 2, 1, 1, 0 } },
		{ "source's time, same position", { 10, 5, 9, 9 }, { 10, 6, 1, 1 } },
		{ "source's time, no positions", { 0, 5, 9, 9 }, { 0, 6, 1, 1 } },
		{ "source's time, one position only", { 10, 5, 9, 9 }, { 0, 6, 1, 1 } },
		{ "source's time, the other position only", { 0, 5, 9, 9 }, { 10, 6, 1, 1 } },
		{ "Kafka's time, nothing else", { 0, 0, 5, 9 }, { 0, 0, 6, 1 } },
		{ "Kafka's time, a tombstone behind", { 10, 5, 5, 1 }, { 0, 0, 6, 2 } },
		{ "Kafka's time, a tombstone before", { 0, 0, 5, 9 }, { 10, 5, 6, 1 } },
		{ "Kafka's time, same position and time", { 10, 5, 5, 9 }, { 10, 5, 6, 1 } },
		{ "Kafka's time, a position against a time", { 10, 0, 5, 9 }, { 0, 5, 6, 1 } },
		{ "offset, everything else the same", { 10, 5, 5, 1 }, { 10, 5, 5, 2 } },
		{ "offset, nothing else", { 0, 0, 5, 1 }, { 0, 0, 5, 2 } },
		{ "offset, a tombstone of the same moment", { 10, 5, 5, 1 }, { 0, 0, 5, 2 } },
		{ "a negative position is not known", { -1, 5, 5, 1 }, { 10, 6, 1, 1 } },
		{ "a negative time is not known", { 0, -5, 5, 1 }, { 0, 6, 6, 1 } },
		{ "far apart", { 1, 0, 0, 0 }, { INT64_MAX, 0, 0, 0 } },
		{ "offsets beyond 32 bits", { 0, 0, 5, INT64_C(2147483647) }, { 0, 0, 5, INT64_C(4294967296) } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (gc_version_compare(cases[i].older, cases[i].newer) >= 0 ||
		    gc_version_compare(cases[i].newer, cases[i].older) <= 0)
			fail_msg("%s", cases[i].what);
		assert_int_equal(gc_version_compare(cases[i].older, cases[i].older), 0);
		assert_int_equal(gc_version_compare(cases[i].newer, cases[i].newer), 0);
	}
}

static struct gc_version version_of(unsigned n)
{
	return (struct gc_version){ n % 3, n / 3 % 3, n / 9 % 3, n / 27 % 3 };
}

/* All versions with members 0 to 2: 81 of them. */
static void either_way_round_is_the_same(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 81; a++)
		for (unsigned b = 0; b < 81; b++)
			assert_int_equal(sign(gc_version_compare(version_of(a), version_of(b))),
					 -sign(gc_version_compare(version_of(b), version_of(a))));
}

/* Versions that know as much as each other are in one order; a tombstone among positions may not be, see gc_batch_seal(). */
static void equals_in_knowledge_are_in_one_order(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 81 * 81 * 81; n++) {
		struct gc_version a = version_of(n % 81), b = version_of(n / 81 % 81), c = version_of(n / 81 / 81);

		if ((a.lsn > 0) != (b.lsn > 0) || (b.lsn > 0) != (c.lsn > 0) || (a.source_us > 0) != (b.source_us > 0) ||
		    (b.source_us > 0) != (c.source_us > 0))
			continue;
		if (gc_version_compare(a, b) <= 0 && gc_version_compare(b, c) <= 0)
			assert_true(gc_version_compare(a, c) <= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_that_both_know_decides),
		cmocka_unit_test(either_way_round_is_the_same),
		cmocka_unit_test(equals_in_knowledge_are_in_one_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
