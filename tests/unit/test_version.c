/* The order of versions is one. What decides is in tests/contract/version_order.csv, see test_contract.c; how a record gets its place, in
 * test_order.c. */
#include "unit.h"

#include <gracecube/stream.h>

#define VERSIONS 54u

/* Times 0 to 2, positions −1 to 1, offsets 0 and 1, with times of their own that decide nothing. */
static struct gc_version version_of(unsigned n)
{
	return (struct gc_version){
		.at_us = n % 3, .lsn = (int64_t)(n / 3 % 3) - 1, .offset = n / 9 % 2, .source_us = n % 5, .kafka_us = n / 18
	};
}

static void any_three_are_in_one_order(void **state)
{
	(void)state;
	for (unsigned n = 0; n < VERSIONS * VERSIONS * VERSIONS; n++) {
		struct gc_version a = version_of(n % VERSIONS), b = version_of(n / VERSIONS % VERSIONS),
				  c = version_of(n / VERSIONS / VERSIONS);
		int ab = gc_version_compare(a, b), bc = gc_version_compare(b, c), ac = gc_version_compare(a, c);

		assert_int_equal(ab, -gc_version_compare(b, a));
		if (ab == 0)
			assert_int_equal(ac, bc); /* what is equal is so to all others */
		if (ab <= 0 && bc <= 0)
			assert_true(ac <= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_three_are_in_one_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
