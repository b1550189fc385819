/* The base library: errors, spans, arena, map, log lines.
 *
 * Log lines are captured by putting a temporary file in the place of standard error for the length of one call.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include <gracecube/arena.h>
#include <gracecube/err.h>
#include <gracecube/hex.h>
#include <gracecube/log.h>
#include <gracecube/map.h>
#include <gracecube/time.h>

#define REPLACEMENT "\xEF\xBF\xBD"

static void assert_span(struct gc_span span, const char *wanted)
{
	assert_non_null(span.ptr);
	assert_int_equal(span.len, strlen(wanted));
	assert_memory_equal(span.ptr, wanted, span.len);
}

/* ---- err ---- */

static void error_is_filled_and_verdict_returned(void **state)
{
	struct gc_err err;

	(void)state;
	assert_int_equal(gc_fail(&err, GC_REJECT, "not_json", "byte 7", "expected %s, got %d", "more", 3), GC_REJECT);
	assert_int_equal(err.verdict, GC_REJECT);
	assert_string_equal(err.code, "not_json");
	assert_string_equal(err.where, "byte 7");
	assert_string_equal(err.text, "expected more, got 3");
	assert_int_equal(gc_fail(NULL, GC_FATAL, "x", "y", "z"), GC_FATAL);
	gc_fail(&err, GC_RETRY, NULL, NULL, "away");
	assert_string_equal(err.code, "");
	assert_string_equal(err.where, "");
}

static void error_may_quote_itself(void **state)
{
	struct gc_err err;

	(void)state;
	gc_fail(&err, GC_RETRY, "08006", "db:5432", "connection lost");
	gc_fail(&err, err.verdict, err.code, err.where, "while applying: %s", err.text);
	assert_string_equal(err.text, "while applying: connection lost");
	assert_string_equal(err.code, "08006");
	assert_string_equal(err.where, "db:5432");
}

static void error_text_is_cut_between_characters(void **state)
{
	char longest[2000];
	struct gc_err err;

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		memset(longest, 'a', shift);
		for (size_t i = shift; i + 3 < sizeof(longest); i += 3)
			memcpy(longest + i, "€", 4);
		gc_fail(&err, GC_REJECT, longest, longest, "%s", longest);
		assert_true(gc_span_is_utf8(gc_span_of(err.code)));
		assert_true(gc_span_is_utf8(gc_span_of(err.where)));
		assert_true(gc_span_is_utf8(gc_span_of(err.text)));
		assert_true(strlen(err.text) > sizeof(err.text) - 5);
		assert_null(strchr(err.text, '?'));
	}
	gc_fail(&err, GC_REJECT, "c",
		"a\xFF"
		"b",
		"%s", "\xC3(");
	assert_string_equal(err.where, "a?b");
	assert_string_equal(err.text, "?(");
}

static void verdicts_have_names(void **state)
{
	(void)state;
	assert_string_equal(gc_verdict_name(GC_OK), "ok");
	assert_string_equal(gc_verdict_name(GC_RETRY), "retry");
	assert_string_equal(gc_verdict_name(GC_REJECT), "reject");
	assert_string_equal(gc_verdict_name(GC_FENCED), "fenced");
	assert_string_equal(gc_verdict_name(GC_FATAL), "fatal");
	assert_string_equal(gc_verdict_name((enum gc_verdict)77), "unknown");
}

/* ---- span ---- */

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

/* ---- arena ---- */

static void arena_hands_out_aligned_memory(void **state)
{
	struct gc_arena arena;
	unsigned char *pieces[300];

	(void)state;
	gc_arena_init(&arena);
	for (size_t i = 0; i < 300; i++) {
		pieces[i] = gc_arena_alloc(&arena, i * 7);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)i, i * 7);
	}
	for (size_t i = 0; i < 300; i++)
		for (size_t j = 0; j < i * 7; j++)
			assert_int_equal(pieces[i][j], (unsigned char)i);
	assert_true(arena.used_bytes >= 300 * 299 / 2 * 7);
	gc_arena_done(&arena);
	assert_null(arena.first);
}

static void arena_zeroes_on_demand(void **state)
{
	struct gc_arena arena;

	(void)state;
	gc_arena_init(&arena);
	for (int round = 0; round < 2; round++) {
		memset(gc_arena_alloc(&arena, 4000), 0xAA, 4000);
		gc_arena_reset(&arena, SIZE_MAX);
		const unsigned char *zeroes = gc_arena_zalloc(&arena, 4000);
		for (size_t i = 0; i < 4000; i++)
			assert_int_equal(zeroes[i], 0);
		assert_non_null(gc_arena_zalloc(&arena, 0));
		gc_arena_reset(&arena, SIZE_MAX);
	}
	gc_arena_done(&arena);
}

static void fill_arena(struct gc_arena *arena, void *ret_pieces[64])
{
	for (size_t i = 0; i < 64; i++) {
		size_t bytes = i == 40 ? 3000000 : 20000;

		ret_pieces[i] = gc_arena_alloc(arena, bytes);
		memset(ret_pieces[i], (int)i, bytes);
	}
}

/* The same work after a reset takes the very same memory: nothing is asked of the system. */
static void arena_reuses_what_it_keeps(void **state)
{
	struct gc_arena arena;
	void *first[64], *second[64];

	(void)state;
	gc_arena_init(&arena);
	fill_arena(&arena, first);
	for (int round = 0; round < 3; round++) {
		gc_arena_reset(&arena, SIZE_MAX);
		assert_int_equal(arena.used_bytes, 0);
		fill_arena(&arena, second);
		assert_memory_equal(first, second, sizeof(first));
	}
	gc_arena_done(&arena);
}

static void arena_gives_back_what_is_too_much(void **state)
{
	struct gc_arena arena;
	void *pieces[64];

	(void)state;
	gc_arena_init(&arena);
	fill_arena(&arena, pieces);
	gc_arena_reset(&arena, 100000);
	assert_non_null(arena.first);
	assert_ptr_equal(arena.first, arena.current);
	fill_arena(&arena, pieces);
	gc_arena_reset(&arena, 0);
	assert_null(arena.first);
	assert_null(arena.current);
	fill_arena(&arena, pieces);
	gc_arena_done(&arena);
	gc_arena_reset(&arena, 0);
	gc_arena_done(&arena);
}

static void arena_copies_and_prints(void **state)
{
	struct gc_arena arena;
	char longest[5000];

	(void)state;
	gc_arena_init(&arena);
	struct gc_span copy = gc_arena_dup(&arena, (struct gc_span){ "abcdef", 3 });
	assert_span(copy, "abc");
	assert_int_equal(copy.ptr[3], '\0');
	assert_span(gc_arena_dup(&arena, GC_LIT("")), "");
	assert_null(gc_arena_dup(&arena, GC_SPAN_NULL).ptr);
	assert_span(gc_arena_printf(&arena, "%s:%d", "user", 7), "user:7");
	assert_span(gc_arena_printf(&arena, "%s", ""), "");
	memset(longest, 'x', sizeof(longest));
	assert_int_equal(gc_arena_printf(&arena, "%.*s", (int)sizeof(longest), longest).len, sizeof(longest));
	gc_arena_done(&arena);
}

static void heap_never_returns_null(void **state)
{
	(void)state;
	void *nothing = gc_malloc(0), *none = gc_calloc(0, 8);
	assert_non_null(nothing);
	assert_non_null(none);
	nothing = gc_realloc(nothing, 100);
	memset(nothing, 1, 100);
	nothing = gc_realloc(nothing, 0);
	assert_non_null(nothing);
	uint64_t *numbers = gc_calloc(10, sizeof(*numbers));
	for (int i = 0; i < 10; i++)
		assert_int_equal(numbers[i], 0);
	char *text = gc_strdup("copy");
	assert_string_equal(text, "copy");
	free(text);
	free(numbers);
	free(none);
	free(nothing);
}

static void take_too_much(int how)
{
	const struct rlimit no_core = { 0, 0 };
	struct gc_arena arena;

	gc_arena_init(&arena);
	setrlimit(RLIMIT_CORE, &no_core);
	if (how == 0)
		gc_malloc(SIZE_MAX / 2 - 100);
	else if (how == 1)
		gc_calloc(SIZE_MAX / 4, 8);
	else
		gc_arena_alloc(&arena, SIZE_MAX - 3);
	_exit(0);
}

static void running_out_of_memory_ends_the_process(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		int status;
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			/* what is written is of no interest here, and looks like a failure */
			if (freopen("/dev/null", "w", stderr))
				take_too_much(how);
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

/* ---- map ---- */

static void map_finds_what_was_put(void **state)
{
	struct gc_map map;
	char key[32];
	int64_t value = -1;

	(void)state;
	gc_map_init(&map);
	assert_false(gc_map_get(&map, GC_LIT("nothing"), &value));
	for (int64_t i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "key-%lld", (long long)i);
		gc_map_put(&map, gc_span_of(key), i * 3);
	}
	assert_int_equal(map.count, 20000);
	assert_true(map.capacity >= 20000);
	for (int64_t i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "key-%lld", (long long)i);
		assert_true(gc_map_get(&map, gc_span_of(key), &value));
		assert_int_equal(value, i * 3);
	}
	assert_false(gc_map_get(&map, GC_LIT("key-20000"), &value));
	gc_map_done(&map);
	gc_map_done(&map);
}

static void map_replaces_and_forgets(void **state)
{
	struct gc_map map;
	int64_t value = -1;

	(void)state;
	gc_map_init(&map);
	gc_map_put(&map, GC_LIT("a\0b"), 1);
	gc_map_put(&map, GC_LIT("a\0c"), 2);
	gc_map_put(&map, GC_LIT("a\0b"), INT64_MIN);
	gc_map_put(&map, GC_LIT(""), 9);
	assert_int_equal(map.count, 3);
	assert_true(gc_map_get(&map, GC_LIT("a\0b"), &value) && value == INT64_MIN);
	assert_true(gc_map_get(&map, GC_LIT("a\0c"), &value) && value == 2);
	assert_true(gc_map_get(&map, GC_LIT(""), &value) && value == 9);
	assert_false(gc_map_get(&map, GC_LIT("a"), &value));
	assert_int_equal(value, 9);
	gc_map_clear(&map);
	assert_int_equal(map.count, 0);
	assert_null(map.slots);
	assert_false(gc_map_get(&map, GC_LIT(""), &value));
	gc_map_put(&map, GC_LIT("again"), 5);
	assert_true(gc_map_get(&map, GC_LIT("again"), &value) && value == 5);
	gc_map_done(&map);
}

/* ---- log ---- */

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

static void hex_goes_both_ways(void **state)
{
	unsigned char bytes[4] = { 0x00, 0x9a, 0xff, 0x10 };
	char text[9];

	(void)state;
	gc_hex_put(bytes, sizeof(bytes), text);
	assert_string_equal(text, "009aff10");
	assert_true(gc_hex_decode("DEADbeef", sizeof(bytes), bytes));
	assert_memory_equal(bytes, "\xde\xad\xbe\xef", sizeof(bytes));
	assert_false(gc_hex_decode("0123456g", sizeof(bytes), bytes));
	assert_false(gc_hex_decode("012345", sizeof(bytes), bytes));
	assert_int_equal(gc_hex_digit('@'), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_is_filled_and_verdict_returned),
		cmocka_unit_test(error_may_quote_itself),
		cmocka_unit_test(error_text_is_cut_between_characters),
		cmocka_unit_test(verdicts_have_names),
		cmocka_unit_test(spans_order_by_byte),
		cmocka_unit_test(spans_are_trimmed),
		cmocka_unit_test(spans_compare_without_case),
		cmocka_unit_test(spans_are_split),
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(items_of_a_list_are_read_one_by_one),
		cmocka_unit_test(integers_are_read_whole),
		cmocka_unit_test(doubles_are_read_whole),
		cmocka_unit_test(doubles_round_as_strtod_does),
		cmocka_unit_test(doubles_see_the_last_of_many_digits),
		cmocka_unit_test(doubles_round_at_the_middle),
		cmocka_unit_test(utf8_is_checked),
		cmocka_unit_test(hashes_depend_on_bytes_alone),
		cmocka_unit_test(arena_hands_out_aligned_memory),
		cmocka_unit_test(arena_zeroes_on_demand),
		cmocka_unit_test(arena_reuses_what_it_keeps),
		cmocka_unit_test(arena_gives_back_what_is_too_much),
		cmocka_unit_test(arena_copies_and_prints),
		cmocka_unit_test(heap_never_returns_null),
		cmocka_unit_test(running_out_of_memory_ends_the_process),
		cmocka_unit_test(map_finds_what_was_put),
		cmocka_unit_test(map_replaces_and_forgets),
		cmocka_unit_test(log_lines_are_logfmt),
		cmocka_unit_test(log_lines_are_json),
		cmocka_unit_test(log_context_belongs_to_the_thread),
		cmocka_unit_test(log_values_are_cut_between_characters),
		cmocka_unit_test(log_lines_are_bounded_and_whole),
		cmocka_unit_test(complaints_come_at_growing_intervals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
