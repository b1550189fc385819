/* Which of two versions is the newer one: that the order is one. What decides is in tests/contract/version_order.csv, see test_contract.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <gracecube/stream.h>

static int sign(int number)
{
	return (number > 0) - (number < 0);
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

/* Versions that know as much as each other are in one order; a tombstone among positions may not be, see transforms/coalesce.c. */
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
		cmocka_unit_test(either_way_round_is_the_same),
		cmocka_unit_test(equals_in_knowledge_are_in_one_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
