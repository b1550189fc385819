/* The base library: errors, arena, map, hex. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gracecube/arena.h>
#include <gracecube/err.h>
#include <gracecube/hex.h>
#include <gracecube/map.h>

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

/* ---- hex ---- */

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
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(arena_hands_out_aligned_memory),
		cmocka_unit_test(arena_zeroes_on_demand),
		cmocka_unit_test(arena_reuses_what_it_keeps),
		cmocka_unit_test(arena_gives_back_what_is_too_much),
		cmocka_unit_test(arena_copies_and_prints),
		cmocka_unit_test(heap_never_returns_null),
		cmocka_unit_test(running_out_of_memory_ends_the_process),
		cmocka_unit_test(map_finds_what_was_put),
		cmocka_unit_test(map_replaces_and_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
