/* The trickle: what happened happens again, now, under new names; what belongs together still does, and nothing is of the future. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gracecube/chain.h>
#include <gracecube/json.h>
#include <gracecube/stream.h>
#include <gracecube/time.h>

#include "kafka/capture.h"
#include "cli/trickle.h"

#define LINE(topic, when, key, value)                                                                                              \
	"{\"topic\":\"grace.public." topic "\",\"timestamp\":" when ",\"key\":\"" key "\",\"value\":\"" value "\"}\n"
#define SOURCE(lsn, us) "\\\"source\\\":{\\\"ts_us\\\":" us ",\\\"lsn\\\":" lsn "}"
#define CONTRACT "contract-5654e29acb05237c-1793022720.938649"
#define CONTRACT_KEY "{\\\"id\\\":\\\"" CONTRACT "\\\"}"

/* A snapshot's row; a contract that is made, told by the log and verified, the last twice; one of a year ago. */
static const char tape[] = LINE(
	"action_contracts", "1795410138000", "{\\\"id\\\":\\\"contract-old-1\\\"}",
	"{\\\"after\\\":{\\\"id\\\":\\\"contract-old-1\\\",\\\"created_at\\\":1793022720},\\\"op\\\":\\\"r\\\"," SOURCE(
		"1",
		"1795410137000000") "}") LINE("action_contracts", "1795410139000", CONTRACT_KEY,
					      "{\\\"after\\\":{\\\"id\\\":\\\"" CONTRACT
					      "\\\",\\\"run_id\\\":7,\\\"created_at\\\":1793022720},\\\"op\\\":\\\"c\\\"," SOURCE(
						      "10", "1795410138100000") "}")
	LINE("immutable_log", "1795410139000", "{\\\"id\\\":5}",
	     "{\\\"after\\\":{\\\"id\\\":5,\\\"sequence\\\":41,\\\"actor\\\":\\\"x\\\",\\\"action\\\":\\\"y\\\",\\\"resource\\\":\\\"security_event:72\\\",\\\"payload\\\":\\\"" CONTRACT
	     "\\\",\\\"result\\\":null,\\\"previous_hash\\\":\\\"00\\\",\\\"entry_hash\\\":\\\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\\",\\\"timestamp\\\":1793022725},\\\"op\\\":\\\"c\\\"," SOURCE(
		     "11", "1795410138200000") "}")
		LINE("action_contracts", "1795410140000", CONTRACT_KEY,
		     "{\\\"after\\\":{\\\"id\\\":\\\"" CONTRACT
		     "\\\",\\\"run_id\\\":7,\\\"created_at\\\":1793022720,\\\"verified_at\\\":1793022760},\\\"op\\\":\\\"u\\\"," SOURCE(
			     "12", "1795410138300000") "}")
			LINE("action_contracts", "1795410150000", CONTRACT_KEY,
			     "{\\\"after\\\":{\\\"id\\\":\\\"" CONTRACT
			     "\\\",\\\"run_id\\\":7,\\\"created_at\\\":1793022720,\\\"verified_at\\\":1793022760},\\\"op\\\":\\\"u\\\"," SOURCE(
				     "12", "1795410138300000") "}")
				LINE("action_contracts", "1795410151000", "{\\\"id\\\":\\\"contract-odd-1\\\"}",
				     "{\\\"after\\\":{\\\"id\\\":\\\"contract-odd-1\\\",\\\"created_at\\\":1760000000,\\\"verified_at\\\":1793022760},\\\"op\\\":\\\"c\\\"," SOURCE(
					     "13", "1795410138400000") "}")
					LINE("unknown", "1795410152000", "{\\\"id\\\":1}", "{\\\"id\\\":1}");

static struct gc_config cfg;
static struct gc_trickle *trickle;
static char path[] = "/tmp/gracecube-trickle-XXXXXX";

static int open_trickle(void **state)
{
	static const char *const names[] = { "action_contracts", "immutable_log", NULL };
	char *paths[] = { path };
	struct gc_err err;
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0 || write(fd, tape, sizeof(tape) - 1) != (ssize_t)sizeof(tape) - 1 || close(fd) ||
	    gc_config_load(&cfg, "/dev/null", names, &err))
		return -1;
	return gc_trickle_open(&cfg, paths, 1, 10, &trickle, &err) ? -1 : 0;
}

static int close_trickle(void **state)
{
	(void)state;
	gc_trickle_close(trickle);
	gc_config_free(&cfg);
	return unlink(path);
}

/* The row that the next record tells, once it is due; at_us: when that is. */
static const struct gc_json *next_row(struct gc_arena *arena, int64_t *now_us, const struct gc_message **ret_message)
{
	const struct gc_json *root;
	struct gc_err err;

	*now_us += gc_trickle_wait_us(trickle, *now_us);
	assert_int_equal(gc_trickle_wait_us(trickle, *now_us), 0);
	*ret_message = gc_trickle_next(trickle);
	assert_int_equal((*ret_message)->timestamp_us, *now_us);
	if (gc_json_parse((*ret_message)->value, arena, &root, &err))
		fail_msg("%.*s: %s", (int)(*ret_message)->value.len, (*ret_message)->value.ptr, err.text);
	return gc_json_get(root, GC_LIT("after"));
}

static struct gc_span text(struct gc_arena *arena, const struct gc_json *row, const char *name)
{
	return gc_arena_dup(arena, gc_json_text(gc_json_get(row, gc_span_of(name)), arena, NULL));
}

static int64_t number(const struct gc_json *row, const char *name)
{
	return gc_json_int(gc_json_get(row, gc_span_of(name)));
}

static void one_round(struct gc_arena *arena, int64_t *now_us, struct gc_span *ret_contract, struct gc_span *hash,
		      int64_t *sequence)
{
	const struct gc_message *message;
	struct gc_chain_entry entry = { .actor = GC_LIT("x"), .action = GC_LIT("y") };
	char hex[GC_CHAIN_HASH_BYTES];
	const struct gc_json *row = next_row(arena, now_us, &message);
	struct gc_span contract = text(arena, row, "id");
	int64_t created = number(row, "created_at");

	assert_true(gc_span_starts_with(contract, GC_LIT(CONTRACT "-")));
	assert_non_null(memmem(message->key.ptr, message->key.len, contract.ptr, contract.len));
	assert_true(number(row, "run_id") > 1000 && number(row, "run_id") % 1000 == 7);
	assert_true(created * GC_SECOND_US <= *now_us);

	row = next_row(arena, now_us, &message); /* the log */
	entry.sequence = number(row, "sequence");
	entry.resource = text(arena, row, "resource");
	entry.payload = text(arena, row, "payload");
	entry.previous_hash = text(arena, row, "previous_hash");
	assert_true(entry.sequence == *sequence + 1 || *sequence == 0);
	assert_true(gc_span_equal(entry.payload, contract));
	assert_true(gc_span_equal(entry.previous_hash, *hash));
	assert_true(gc_span_starts_with(entry.resource, GC_LIT("security_event:")) &&
		    entry.resource.len > sizeof("security_event:72"));
	assert_true(gc_chain_hash(&entry, arena, hex));
	*hash = text(arena, row, "entry_hash");
	*sequence = entry.sequence;
	assert_true(gc_span_equal(*hash, gc_span_of(hex)));
	assert_true(number(row, "timestamp") * GC_SECOND_US <= *now_us);

	row = next_row(arena, now_us, &message);
	assert_true(gc_span_equal(text(arena, row, "id"), contract));
	assert_int_equal(number(row, "created_at"), created);
	assert_int_equal(number(row, "verified_at"), created + 40);
	assert_true(number(row, "verified_at") * GC_SECOND_US <= *now_us);
	assert_true(number(row, "verified_at") * GC_SECOND_US > *now_us - 2 * GC_SECOND_US);
	*ret_contract = contract;
}

static void rounds_tell_the_same_of_other_things(void **state)
{
	struct gc_span first, second, hash = GC_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	int64_t sequence = 0, now_us = gc_now_us();
	struct gc_arena arena;

	(void)state;
	gc_arena_init(&arena);
	one_round(&arena, &now_us, &first, &hash, &sequence);
	assert_true(sequence > 41);
	now_us += GC_HOUR_US; /* the machine slept */
	one_round(&arena, &now_us, &second, &hash, &sequence);
	assert_false(gc_span_equal(first, second));
	gc_arena_done(&arena);
}

static void after_a_pause_there_is_no_burst(void **state)
{
	int64_t now_us = gc_now_us() + 3 * GC_HOUR_US, wait_us;

	(void)state;
	now_us += gc_trickle_wait_us(trickle, now_us);
	gc_trickle_next(trickle);
	now_us += GC_HOUR_US;
	assert_int_equal(gc_trickle_wait_us(trickle, now_us), 0);
	assert_true(gc_trickle_next(trickle)->timestamp_us > now_us - 2 * GC_SECOND_US);
	for (int i = 0; (wait_us = gc_trickle_wait_us(trickle, now_us)) == 0; i++) {
		assert_true(i < 20); /* of the last second at most */
		assert_true(gc_trickle_next(trickle)->timestamp_us <= now_us);
	}
}

static void nothing_to_tell_is_an_error(void **state)
{
	char *paths[] = { (char[]){ "/dev/null" } };
	struct gc_trickle *none;
	struct gc_err err;

	(void)state;
	assert_int_equal(gc_trickle_open(&cfg, paths, 1, 3, &none, &err), GC_FATAL);
	assert_non_null(strstr(err.text, "no changes of streams that are read"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounds_tell_the_same_of_other_things),
		cmocka_unit_test(after_a_pause_there_is_no_burst),
		cmocka_unit_test(nothing_to_tell_is_an_error),
	};

	return cmocka_run_group_tests(tests, open_trickle, close_trickle);
}
