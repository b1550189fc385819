/* Spans: order, trimming, splitting, numbers to the last bit, UTF-8, hashes. */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/span.h>

static void assert_span(struct gc_span span, const char *wanted)
{
	assert_non_null(span.ptr);
	assert_int_equal(span.len, strlen(wanted));
	assert_memory_equal(span.ptr, wanted, span.len);
}

static void spans_order_by_byte(void **state)
{
	static const char *const rising[] = { "", "A", "AB", "B", "a", "aa", "b", "\xC3\xA9", "\xF0\x9F\x98\x80" };
	const size_t count = sizeof(rising) / sizeof(rising[0]);

	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++) {
			int order = gc_span_compare(gc_span_of(rising[i]), gc_span_of(rising[j]));

			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
		}
	assert_int_equal(gc_span_compare(GC_SPAN_NULL, GC_LIT("")), 0);
	assert_true(gc_span_compare(GC_LIT("a\0b"), GC_LIT("a\0c")) < 0);
}

static void spans_are_trimmed(void **state)
{
	(void)state;
	assert_span(gc_span_trim(GC_LIT(" \t\n\v\f\r a b \r\n")), "a b");
	assert_span(gc_span_trim(GC_LIT("   ")), "");
	assert_span(gc_span_trim(GC_LIT("x")), "x");
	assert_span(gc_span_trim(GC_LIT("\xC2\xA0")), "\xC2\xA0");
	assert_null(gc_span_trim(GC_SPAN_NULL).ptr);
}

static void spans_compare_without_case(void **state)
{
	(void)state;
	assert_true(gc_span_equal_nocase(GC_LIT("Tier_1"), GC_LIT("TIER_1")));
	assert_false(gc_span_equal_nocase(GC_LIT("tier"), GC_LIT("tiers")));
	assert_false(gc_span_equal_nocase(GC_LIT("["), GC_LIT("{")));
	assert_false(gc_span_equal_nocase(GC_LIT("@"), GC_LIT("`")));
	assert_true(gc_span_equal_nocase(GC_SPAN_NULL, GC_LIT("")));
	assert_true(gc_span_contains_nocase(GC_LIT("Connection TIMEOUT after"), GC_LIT("timeout")));
	assert_true(gc_span_contains_nocase(GC_LIT("abc"), GC_LIT("c")));
	assert_true(gc_span_contains_nocase(GC_LIT(""), GC_LIT("")));
	assert_false(gc_span_contains_nocase(GC_LIT("abc"), GC_LIT("abcd")));
	assert_false(gc_span_contains_nocase(GC_SPAN_NULL, GC_LIT("a")));
}

static void spans_are_split(void **state)
{
	struct gc_span before = GC_LIT("untouched"), after = before;

	(void)state;
	assert_false(gc_span_split(GC_LIT("alice"), ':', &before, &after));
	assert_false(gc_span_split(GC_SPAN_NULL, ':', &before, &after));
	assert_span(before, "untouched");
	assert_span(after, "untouched");
	assert_true(gc_span_split(GC_LIT("user:a:b"), ':', &before, &after));
	assert_span(before, "user");
	assert_span(after, "a:b");
	assert_true(gc_span_split(GC_LIT(":"), ':', &before, &after));
	assert_span(before, "");
	assert_span(after, "");
	assert_true(gc_span_starts_with(GC_LIT("user:a"), GC_LIT("user:")));
	assert_true(gc_span_starts_with(GC_SPAN_NULL, GC_LIT("")));
	assert_false(gc_span_starts_with(GC_LIT("user"), GC_LIT("user:")));
}

static void items_of_a_list_are_read_one_by_one(void **state)
{
	struct gc_span rest = GC_LIT(" a ,,b c, "), item = GC_SPAN_NULL;

	(void)state;
	assert_true(gc_span_next_item(&rest, ',', &item) && gc_span_equal(item, GC_LIT("a")));
	assert_true(gc_span_next_item(&rest, ',', &item) && gc_span_equal(item, GC_LIT("b c")));
	assert_false(gc_span_next_item(&rest, ',', &item));
	assert_true(gc_span_equal(item, GC_LIT("b c")));
	assert_false(gc_span_next_item(&rest, ',', &item));
}

static void integers_are_read_whole(void **state)
{
	static const char *const refused[] = { "",
					       "-",
					       "+",
					       " 1",
					       "1 ",
					       "1.0",
					       "0x1",
					       "--1",
					       "+-1",
					       "1e3",
					       "abc",
					       "9223372036854775808",
					       "-9223372036854775809",
					       "99999999999999999999999" };
	int64_t value = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_false(gc_span_int64(gc_span_of(refused[i]), &value));
	assert_false(gc_span_int64(GC_SPAN_NULL, &value));
	assert_int_equal(value, 42);
	assert_true(gc_span_int64(GC_LIT("-9223372036854775808"), &value) && value == INT64_MIN);
	assert_true(gc_span_int64(GC_LIT("9223372036854775807"), &value) && value == INT64_MAX);
	assert_true(gc_span_int64(GC_LIT("+007"), &value) && value == 7);
	assert_true(gc_span_int64(GC_LIT("-0"), &value) && value == 0);
}

static void assert_double(const char *text, double wanted)
{
	double value = -1;

	if (!gc_span_double(gc_span_of(text), &value) || memcmp(&value, &wanted, sizeof(value)) != 0)
		fail_msg("%.60s gave %a, not %a", text, value, wanted);
}

static void doubles_are_read_whole(void **state)
{
	static const char *const refused[] = {
		"",      ".",   "-",   "1e",     "1e+",  "e5",   "1 ",         " 1",    "0x10",
		"1.2.3", "1,5", "inf", "nan(1)", "+NaN", "-NaN", "--Infinity", "1e400", "-1e999999999999999999",
	};
	double value = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (gc_span_double(gc_span_of(refused[i]), &value))
			fail_msg("\"%s\" is no number", refused[i]);
	assert_false(gc_span_double(GC_SPAN_NULL, &value));
	assert_true(gc_span_double(GC_LIT("nAn"), &value) && isnan(value));
	assert_double("INFINITY", HUGE_VAL);
	assert_double("+Infinity", HUGE_VAL);
	assert_double("-infinity", -HUGE_VAL);
	assert_double("-0.0", -0.0);
	assert_double("1e-400", 0.0);
	assert_double("1e-320", 1e-320);
	assert_double("4.9406564584124654e-324", DBL_TRUE_MIN);
	assert_double("1.7976931348623157e308", DBL_MAX);
	assert_double("+1.5E+2", 150);
	assert_double("0e999999999999999999999", 0);
	assert_double("9007199254740993", 9007199254740992.0);
	assert_double("1792804640.570393", 1792804640.570393);
}

/* strtod in the C locale is the judge. */
static void doubles_round_as_strtod_does(void **state)
{
	uint64_t seed = 20261123;
	char text[64];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t bits;
		double wanted;

		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		bits = seed ^ seed >> 29;
		memcpy(&wanted, &bits, sizeof(wanted));
		if (!isfinite(wanted))
			continue;
		if (i % 2)
			wanted = (double)(bits >> 11) * 0x1p-53;
		snprintf(text, sizeof(text), "%.*g", 1 + i % 19, wanted);
		wanted = strtod(text, NULL);
		if (isfinite(wanted))
			assert_double(text, wanted);
	}
}

/* Half of the last place, then hundreds of digits, then one that decides. */
static void doubles_see_the_last_of_many_digits(void **state)
{
	char text[2100];

	(void)state;
	memset(text, '0', sizeof(text));
	memcpy(text, "9007199254740993.", 17);
	text[2000] = '\0';
	assert_double(text, 9007199254740992.0);
	text[1999] = '1';
	assert_double(text, 9007199254740994.0);
	/* a thousand zeros in front or behind, taken back by the exponent */
	memset(text, '0', sizeof(text));
	text[1] = '.';
	snprintf(text + 1500, 100, "25e1499");
	assert_double(text, 2.5);
	memset(text, '0', sizeof(text));
	text[0] = '7';
	snprintf(text + 1500, 100, "e-1499");
	assert_double(text, 7);
}

/* The middle of two neighbours has up to 767 digits, and only its last one, or one behind it, tells where to round. */
static void doubles_round_at_the_middle(void **state)
{
	char text[1200];

	(void)state;
	for (double low = 1e-307; low < 1e300; low *= 7.3e9) {
		long double middle = ((long double)low + (long double)nextafter(low, HUGE_VAL)) / 2;

		snprintf(text, sizeof(text), "%.1000Le", middle);
		char *last = strchr(text, 'e') - 1;
		assert_double(text, strtod(text, NULL));
		*last = '1';
		assert_double(text, nextafter(low, HUGE_VAL));
		*last = '0';
		while (*last == '0')
			last--;
		(*last)--;
		assert_double(text, low);
	}
}

static void utf8_is_checked(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
		{ "", true },
		{ "plain", true },
		{ "é€😀", true },
		{ "\xC2\x80", true },
		{ "\xDF\xBF", true },
		{ "\xE0\xA0\x80", true },
		{ "\xED\x9F\xBF", true },
		{ "\xEE\x80\x80", true },
		{ "\xEF\xBF\xBF", true },
		{ "\xF0\x90\x80\x80", true },
		{ "\xF4\x8F\xBF\xBF", true },
		{ "long enough for eight é", true },
		{ "\x80", false },
		{ "\xBF", false },
		{ "\xC0\x80", false },
		{ "\xC1\xBF", false },
		{ "\xC2", false },
		{ "\xC2\x41", false },
		{ "\xE0\x9F\xBF", false },
		{ "\xED\xA0\x80", false },
		{ "\xED\xBF\xBF", false },
		{ "\xE2\x82", false },
		{ "\xE2\x82\x41", false },
		{ "\xF0\x8F\xBF\xBF", false },
		{ "\xF4\x90\x80\x80", false },
		{ "\xF5\x80\x80\x80", false },
		{ "\xF0\x9F\x98", false },
		{ "\xFF", false },
		{ "eight by\xFFtes", false },
	};

	(void)state;
	assert_true(gc_span_is_utf8(GC_SPAN_NULL));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (gc_span_is_utf8(gc_span_of(cases[i].text)) != cases[i].valid)
			fail_msg("case %zu", i);
}

static void hashes_depend_on_bytes_alone(void **state)
{
	char text[] = "x-key";

	(void)state;
	assert_true(gc_span_hash(gc_span_of(text + 2)) == gc_span_hash(GC_LIT("key")));
	assert_true(gc_span_hash(GC_LIT("key")) != gc_span_hash(GC_LIT("Key")));
	assert_true(gc_span_hash(GC_SPAN_NULL) == gc_span_hash(GC_LIT("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_order_by_byte),
		cmocka_unit_test(spans_are_trimmed),
		cmocka_unit_test(spans_compare_without_case),
		cmocka_unit_test(spans_are_split),
		cmocka_unit_test(items_of_a_list_are_read_one_by_one),
		cmocka_unit_test(integers_are_read_whole),
		cmocka_unit_test(doubles_are_read_whole),
		cmocka_unit_test(doubles_round_as_strtod_does),
		cmocka_unit_test(doubles_see_the_last_of_many_digits),
		cmocka_unit_test(doubles_round_at_the_middle),
		cmocka_unit_test(utf8_is_checked),
		cmocka_unit_test(hashes_depend_on_bytes_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
