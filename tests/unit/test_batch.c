/* The batch: the ledger, refused messages, links, misses, the caches, and its memory. test_coalesce.c has coalescing. */
#include <malloc.h>

#include "batches.h"

/* ---- the ledger ---- */

static void offsets_without_a_record_are_ignored(void **state)
{
	struct gc_partition_batch *parts;

	(void)state;
	begin_batch();
	gc_batch_partition(batch, GC_LIT("topic"), 0, 70, 1, 1000, NULL);
	add(0, 1003, 7, "approval_requests", GC_LIT("a"), GC_SPAN_NULL);
	add(0, 1004, 9, "approval_requests", GC_LIT("b"), GC_SPAN_NULL);
	add(0, INT64_C(5000000000), 8, "approval_requests", GC_LIT("c"), GC_SPAN_NULL);
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_partitions(batch, &parts), 1);
	assert_int_equal(parts[0].from_offset, 1000);
	assert_int_equal(parts[0].to_offset, INT64_C(5000000001));
	assert_int_equal(parts[0].last_kafka_us, 9);
	assert_ledger(0, 3, 0, 0, 3 + INT64_C(5000000000) - 1005);
	assert_int_equal(gc_batch_message_count(batch), 3);
}

static void add_ahead(int64_t offset, int64_t instead_us, struct gc_span value)
{
	struct gc_message *message = gc_arena_zalloc(&texts, sizeof(*message));

	*message = (struct gc_message){ .topic = GC_LIT("topic"),
					.offset = offset,
					.timestamp_us = INT64_C(1795428000000000000),
					.instead_us = instead_us,
					.key = GC_LIT("a"),
					.value = value };
	gc_batch_add(batch, 0, stream_named("approval_requests"), GC_UNIT_AUTO, message);
}

/* A timestamp that is not believed decides nothing, is no sign of freshness, and is said. */
static void times_ahead_decide_nothing(void **state)
{
	struct gc_row *const *rows;
	struct gc_partition_batch *parts;
	const struct gc_issue *issues;

	(void)state;
	begin_two_partitions();
	add(0, 0, 5, "approval_requests", GC_LIT("a"), GC_LIT("{\"id\":\"a\",\"status\":\"one\",\"created_at\":" T0 "}"));
	add_ahead(1, 5, GC_LIT("{\"id\":\"a\",\"status\":\"two\",\"created_at\":" T0 "}"));
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_rows(batch, stream_named("approval_requests")->targets[0], &rows), 1);
	assert_int_equal(rows[0]->version.offset, 1);
	assert_int_equal(rows[0]->version.kafka_us, 5);
	assert_int_equal(gc_batch_partitions(batch, &parts), 2);
	assert_int_equal(parts[0].last_kafka_us, 5);
	assert_int_equal(gc_batch_issues(batch, &issues), 1);
	assert_string_equal(issues[0].field, "kafka_timestamp");
	assert_text(issues[0].raw, "1795428000000000");
	assert_int_equal(issues[0].kafka_us, -1);

	begin_two_partitions();
	add_ahead(0, 1, GC_LIT("{\"id\":\"a\",\"status\":\"one\",\"created_at\":" T0 "}"));
	add(0, 1, 5, "approval_requests", GC_LIT("a"), GC_LIT("{\"id\":\"a\",\"status\":\"two\",\"created_at\":" T0 "}"));
	gc_batch_coalesce(batch);
	gc_batch_rows(batch, stream_named("approval_requests")->targets[0], &rows);
	assert_int_equal(rows[0]->version.offset, 1);

	begin_two_partitions();
	add_ahead(0, 1, GC_LIT("{\"id\":\"a\",\"status\":\"one\",\"created_at\":" T0 "}"));
	gc_batch_coalesce(batch);
	gc_batch_partitions(batch, &parts);
	assert_int_equal(parts[0].last_kafka_us, -1);
}

/* Nanoseconds where the source's microseconds are wanted. */
static void source_times_beyond_the_range_decide_nothing(void **state)
{
	struct gc_row *const *rows;
	const struct gc_issue *issues;

	(void)state;
	begin_two_partitions();
	add(0, 0, 5, "approval_requests", GC_LIT("a"),
	    GC_LIT("{\"op\":\"c\",\"after\":{\"id\":\"a\",\"created_at\":" T0 "},\"source\":{\"ts_us\":1795428000000000000}}"));
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_rows(batch, stream_named("approval_requests")->targets[0], &rows), 1);
	assert_int_equal(rows[0]->version.source_us, 0);
	assert_int_equal(gc_batch_issues(batch, &issues), 1);
	assert_string_equal(issues[0].field, "source_timestamp");
}

static void each_partition_has_its_counts(void **state)
{
	struct gc_partition_batch *parts;
	struct gc_message refused = {
		.topic = GC_LIT("topic"), .partition = 1, .offset = 3, .timestamp_us = -1, .key = GC_LIT("x")
	};
	const struct gc_dead_letter *letters;
	struct gc_err err;

	(void)state;
	begin_two_partitions();
	add(0, 0, 10, "approval_requests", GC_LIT("a"), GC_SPAN_NULL);
	add(1, 0, 11, "approval_requests", GC_LIT("a"), GC_SPAN_NULL);
	add(1, 1, 12, "approval_requests", GC_LIT("b"), GC_LIT("{"));
	add(1, 2, 13, "approval_requests", GC_LIT("b"), GC_LIT("{\"op\":\"m\",\"source\":{}}"));
	gc_fail(&err, GC_REJECT, "22003", "merge_approvals", "the database refused it");
	gc_batch_add_dead(batch, 1, stream_named("approval_requests"), &refused, &err);
	gc_batch_coalesce(batch);
	assert_ledger(0, 0, 1, 0, 0);
	assert_ledger(1, 1, 0, 2, 1);
	assert_int_equal(gc_batch_partitions(batch, &parts), 2);
	assert_int_equal(parts[1].offset_id, 71);
	assert_int_equal(parts[1].last_kafka_us, 13);
	assert_int_equal(gc_batch_dead_letters(batch, &letters), 2);
	assert_string_equal(letters[0].code, "not_json");
	assert_int_equal(letters[0].partition, 1);
	assert_string_equal(letters[1].code, "22003");
	assert_string_equal(letters[1].where, "merge_approvals");
	assert_text(letters[1].reason, "the database refused it");
	assert_string_equal(letters[1].stream, "approval_requests");
	assert_ptr_equal(letters[1].message, &refused);
}

/* An error-like log entry makes two rows: its fate is that of the first. */
static void one_record_counts_once(void **state)
{
	struct gc_row *const *rows;
	const struct gc_target *const *targets;

	(void)state;
	begin_two_partitions();
	for (int i = 0; i < 3; i++)
		add_next("immutable_log", "{\"id\":5,\"sequence\":9,\"timestamp\":" T0 ",\"action\":\"failed\"}");
	gc_batch_coalesce(batch);
	assert_ledger(0, 1, 2, 0, 0);
	assert_int_equal(gc_batch_targets(batch, &targets), 2);
	for (size_t t = 0; t < 2; t++) {
		assert_int_equal(gc_batch_rows(batch, targets[t], &rows), 1);
		assert_int_equal(rows[0]->counts_in_ledger, targets[t] == target_of("immutable_log"));
		assert_int_equal(rows[0]->version.offset, 2);
	}
}

/* ---- a TRUNCATE of the source ---- */

#define CHANGE(op, key, us, lsn)                                                                                                   \
	"{\"op\":\"" op "\",\"after\":{\"id\":\"" key "\",\"mission_id\":\"m\",\"status\":\"planned\",\"created_at\":" T0          \
	"},\"source\":{\"ts_us\":" us ",\"lsn\":" lsn "}}"

static void begin_truncate(bool applies, struct gc_version truncated)
{
	struct gc_partition_batch *parts;

	begin_two_partitions();
	gc_batch_partitions(batch, &parts);
	parts[0].applies_truncate = applies;
	parts[0].truncated = truncated;
}

static bool add_captured(const char *stream, const char *value)
{
	struct gc_message *message = gc_arena_zalloc(&texts, sizeof(*message));

	*message = (struct gc_message){
		.topic = GC_LIT("topic"), .offset = next_offset[0]++, .timestamp_us = 1795000000000000, .value = gc_span_of(value)
	};
	return gc_batch_add(batch, 0, stream_named(stream), GC_UNIT_AUTO, message);
}

static void a_truncate_is_a_batch_of_its_own(void **state)
{
	const char *value = "{\"op\":\"t\",\"source\":{\"ts_us\":1794000000000000,\"lsn\":9}}";

	(void)state;
	begin_truncate(true, (struct gc_version){ 0 });
	add_captured("approval_requests", CHANGE("c", "a", "1793000000000000", "8"));
	assert_false(add_captured("approval_requests", value));
	assert_null(gc_batch_truncate(batch));
	assert_int_equal(gc_batch_message_count(batch), 1);
	assert_ledger(0, 1, 0, 0, 0);
	begin_truncate(true, (struct gc_version){ 0 });
	assert_true(add_captured("approval_requests", value));
	assert_non_null(gc_batch_truncate(batch));
	assert_int_equal(gc_batch_truncate(batch)->version.at_us, 1794000000000000);
	assert_int_equal(gc_batch_truncate(batch)->version.lsn, 9);
	assert_ledger(0, 1, 0, 0, 0);
}

static void a_truncate_that_means_no_rows_is_refused(void **state)
{
	static const struct {
		bool applies;
		const char *stream, *source, *reason;
	} cases[] = {
		{ false, "approval_requests", "{\"ts_us\":1794000000000000,\"lsn\":9}",
		  ", unless they are deleted: `gracecube reconcile topic --before " },
		{ true, "shard_heartbeats", "{\"ts_us\":1794000000000000,\"lsn\":9}", ": rows of shard_heartbeats have no key" },
		{ true, "approval_requests", "{\"ts_us\":1794000000000000}", ": without a log position" },
	};
	const struct gc_dead_letter *letters;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		begin_truncate(cases[i].applies, (struct gc_version){ 0 });
		assert_true(add_captured(cases[i].stream,
					 gc_arena_printf(&texts, "{\"op\":\"t\",\"source\":%s}", cases[i].source).ptr));
		assert_null(gc_batch_truncate(batch));
		assert_ledger(0, 0, 0, 1, 0);
		assert_int_equal(gc_batch_dead_letters(batch, &letters), 1);
		assert_string_equal(letters[0].code, "truncate");
		assert_int_equal(strncmp(letters[0].reason.ptr, GC_TRUNCATE_REFUSED, strlen(GC_TRUNCATE_REFUSED)), 0);
		assert_int_equal(strncmp(letters[0].reason.ptr + strlen(GC_TRUNCATE_REFUSED), cases[i].reason,
					 strlen(cases[i].reason)),
				 0);
	}
}

/* Of another partition, or sent again: it comes with its delete, and where every version counts it is one. */
static void rows_from_before_a_truncate_are_deleted_at_once(void **state)
{
	const struct gc_version truncated = { .at_us = 1794000000000000, .lsn = 9, .source_us = 1794000000000000 };
	struct gc_row *const *rows;

	(void)state;
	begin_truncate(true, truncated);
	add_captured("approval_requests", CHANGE("c", "before", "1793000000000000", "5"));
	add_captured("approval_requests", CHANGE("c", "same time", "1794000000000000", "8"));
	add_captured("approval_requests", CHANGE("c", "behind", "1794000000000000", "10"));
	add_captured("approval_requests", "{\"id\":\"direct\",\"created_at\":" T0 "}");
	add_captured("mission_timelines", CHANGE("r", "7", "1793000000000000", "4"));
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_rows(batch, target_of("approval_requests"), &rows), 4);
	for (size_t i = 0; i < 4; i++) {
		bool is_gone = gc_span_equal(rows[i]->key, GC_LIT("before")) || gc_span_equal(rows[i]->key, GC_LIT("same time"));

		assert_int_equal(rows[i]->deleted, is_gone);
		assert_true(rows[i]->counts_in_ledger);
		assert_int_equal(is_gone, gc_version_compare(rows[i]->version, truncated) == 0);
	}
	assert_int_equal(gc_batch_rows(batch, target_of("mission_timelines"), &rows), 2);
	assert_int_equal(rows[0]->deleted + rows[1]->deleted, 1);
	assert_int_equal(rows[0]->counts_in_ledger + rows[1]->counts_in_ledger, 1);
	assert_ledger(0, 5, 0, 0, 0);
}

/* ---- messages that are refused ---- */

static void refused_messages_leave_nothing_behind(void **state)
{
	static const struct {
		const char *stream, *value;
	} cases[] = {
		{ "approval_requests",
		  "{\"id\":\"k\",\"contract_id\":\"c\",\"tier\":\"tier_9\",\"decision_by\":\"x\",\"risk_score\":-1,\"created_at\":\"soon\"}" },
		{ "approval_requests",
		  "{\"id\":\"k\",\"created_at\":" T0 ",\"contract_id\":\"c\",\"risk_score\":-1,\"decided_at\":[]}" },
		{ "mission_timelines", "{\"id\":\"k\",\"mission_id\":\"m\",\"started_at\":{}}" },
		{ "playbook_runs", "{\"id\":4,\"diagnosis\":{\"event\":5},\"service\":\"new\",\"created_at\":\"1960-01-01\"}" },
		{ "immutable_log", "{\"id\":4,\"sequence\":4,\"timestamp\":" T0
				   ",\"action\":\"failed\",\"resource\":\"security_event:1\",\"result\":{}}" },
		{ "trigger_events",
		  "{\"event_type\":\"error.detected\",\"payload\":{\"error_id\":\"e\",\"severity\":\"a\\u0000\"},\"timestamp\":null}" },
		{ "action_contracts",
		  "{\"id\":\"k\",\"mission_id\":\"m\",\"triggered_by\":\"a:b\",\"confidence_score\":7,\"created_at\":" T0
		  ",\"run_id\":\"x\"}" },
		{ "action_contracts", "{\"id\":\"k\",\"created_at\":" T0 ",\"id\":\"k\"}" },
	};
	const struct gc_target *const *targets;
	const struct gc_dead_letter *letters;
	const struct gc_issue *issues;
	const struct gc_link *links;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct gc_misses *misses;

		begin_two_partitions();
		add_next(cases[i].stream, "%s", cases[i].value);
		gc_batch_coalesce(batch);
		misses = gc_batch_misses(batch);
		if (gc_batch_dead_letters(batch, &letters) != 1)
			fail_msg("%s was accepted", cases[i].value);
		assert_string_equal(letters[0].stream, cases[i].stream);
		assert_int_equal(gc_batch_targets(batch, &targets), 0);
		assert_int_equal(gc_batch_issues(batch, &issues), 0);
		assert_int_equal(gc_batch_links(batch, &links), 0);
		assert_int_equal(misses->hour_count + misses->partition_count, 0);
		for (int d = 0; d < GC_DIM_COUNT; d++)
			assert_int_equal(misses->member_count[d], 0);
		assert_false(gc_batch_introduces_missions(batch));
		assert_ledger(0, 0, 0, 1, 0);
	}
}

static void neighbours_of_refused_messages_stay(void **state)
{
	struct gc_row *const *rows;
	const struct gc_issue *issues;

	(void)state;
	begin_two_partitions();
	add_next("approval_requests", "{\"id\":\"a\",\"created_at\":" T0 ",\"risk_score\":-1}");
	add_next("approval_requests", "{\"id\":\"b\",\"created_at\":\"soon\",\"risk_score\":-1}");
	add_next("approval_requests", "{\"id\":\"c\",\"created_at\":" T0 ",\"risk_score\":\"NaN\"}");
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_rows(batch, target_of("approval_requests"), &rows), 2);
	assert_text(rows[0]->key, "a");
	assert_text(rows[1]->key, "c");
	assert_int_equal(gc_batch_issues(batch, &issues), 2);
	assert_text(issues[0].key, "a");
	assert_text(issues[0].raw, "-1");
	assert_string_equal(issues[0].stream, "approval_requests");
	assert_int_equal(issues[0].kafka_us, 1000);
	assert_text(issues[1].key, "c");
	assert_int_equal(issues[1].offset, 2);
	assert_ledger(0, 2, 0, 1, 0);
}

/* ---- links ---- */

static void assert_links(const char *const (*wanted)[2], size_t count)
{
	const struct gc_link *links;

	assert_int_equal(gc_batch_links(batch, &links), count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(links[i].target, wanted[i][0]);
		assert_text(links[i].key, wanted[i][1]);
	}
}

/* Who locks keys of a fact for a link locks those that it writes itself in the same sorted pass. */
static void links_are_locked_with_own_keys(void **state)
{
	static const char *const own[][2] = {
		{ "error_events", "security_event:1" }, { "error_events", "security_event:5" },
		{ "error_events", "security_event:9" }, { "verification_executions", "c1" },
		{ "verification_executions", "c2" },    { "verification_executions", "c3" },
	};
	static const char *const others[][2] = { { "verification_executions", "c2" } };

	(void)state;
	begin_two_partitions();
	add_next("approval_requests", "{\"id\":1,\"created_at\":" T0 ",\"contract_id\":\"c2\"}");
	add_next("approval_requests", "{\"id\":2,\"created_at\":" T0 ",\"contract_id\":\"c2\"}");
	add_next("approval_requests", "{\"id\":3,\"created_at\":" T0 "}");
	add_next("action_contracts", "{\"id\":\"c3\",\"created_at\":" T0 "}");
	add_next("action_contracts", "{\"id\":\"c3\",\"created_at\":" T0 "}");
	add_next("action_contracts", "{\"id\":\"c2\",\"__deleted\":\"true\"}");
	add_next("action_contracts", "{\"id\":\"c1\",\"created_at\":" T0 "}");
	add_next("playbook_runs", "{\"id\":7,\"created_at\":" T0 ",\"diagnosis\":\"{\\\"event\\\": 5}\"}");
	add_next("security_events", "{\"id\":9,\"created_at\":" T0 "}");
	add_next("security_events", "{\"id\":1,\"created_at\":" T0 "}");
	gc_batch_coalesce(batch);
	assert_links(own, COUNT(own));

	begin_two_partitions();
	add_next("approval_requests", "{\"id\":1,\"created_at\":" T0 ",\"contract_id\":\"c2\"}");
	add_next("security_events", "{\"id\":9,\"created_at\":" T0 "}");
	gc_batch_coalesce(batch);
	assert_links(others, COUNT(others));

	begin_two_partitions();
	add_next("action_contracts", "{\"id\":\"c1\",\"created_at\":" T0 "}");
	gc_batch_coalesce(batch);
	assert_links(NULL, 0);
}

/* ---- misses and caches ---- */

static void assert_members(enum gc_dimension dimension, const char *const *wanted)
{
	const struct gc_misses *misses = gc_batch_misses(batch);
	size_t count = 0;

	for (; wanted[count]; count++) {
		assert_true(count < misses->member_count[dimension]);
		assert_text(misses->members[dimension][count], wanted[count]);
	}
	assert_int_equal(misses->member_count[dimension], count);
}

static void misses_are_unique_and_sorted(void **state)
{
	const struct gc_misses *misses;

	(void)state;
	gc_dimension_cache_clear(&cache);
	gc_dimension_cache_put(&cache, GC_DIM_ACTOR, GC_LIT("user:known"), 4);
	begin_two_partitions();
	add_next("action_contracts",
		 "{\"id\":\"c1\",\"created_at\":" T0
		 ",\"triggered_by\":\"user:zoë\",\"tier\":\"tier_2\",\"component\":\"b\",\"mission_id\":\"m2\"}");
	add_next(
		"action_contracts",
		"{\"id\":\"c2\",\"created_at\":\"2026-10-24T01:59:59Z\",\"triggered_by\":\"user:bob\",\"tier\":\"TIER_2\",\"component\":\"a\"}");
	add_next(
		"action_contracts",
		"{\"id\":\"c2\",\"created_at\":\"2026-10-24T02:00:00Z\",\"triggered_by\":\"user:known\",\"tier\":\"tier_1\",\"component\":\"b\",\"mission_id\":\"m1\"}");
	add_next("approval_requests", "{\"id\":1,\"created_at\":\"2025-12-31T23:59:59Z\",\"decision_by\":\"bob\"}");
	add_next("action_contracts", "{\"id\":\"c3\",\"__deleted\":\"true\"}");
	gc_batch_coalesce(batch);
	misses = gc_batch_misses(batch);
	/* also of the version of c2 that does not stay */
	assert_members(GC_DIM_COMPONENT, (const char *const[]){ "a", "b", NULL });
	assert_members(GC_DIM_TIER, (const char *const[]){ "tier_1", "tier_2", NULL });
	assert_members(GC_DIM_ACTOR, (const char *const[]){ "user:bob", "user:zoë", NULL });
	assert_members(GC_DIM_MISSION, (const char *const[]){ "m1", "m2", NULL });
	assert_int_equal(misses->hour_count, 3);
	assert_int_equal(misses->hours[0], T0_US / GC_HOUR_US - 297 * 24 + 22); /* from 1 o'clock on the 297th day of the year */
	assert_int_equal(misses->hours[1], T0_US / GC_HOUR_US);
	assert_int_equal(misses->hours[2], T0_US / GC_HOUR_US + 1);
	assert_int_equal(misses->partition_count, 2);
	assert_string_equal(misses->partitions[0].target, "approvals");
	assert_int_equal(misses->partitions[0].month, (2025 - 1970) * 12 + 11);
	assert_string_equal(misses->partitions[1].target, "verification_executions");
	assert_int_equal(misses->partitions[1].month, (2026 - 1970) * 12 + 9);
}

/* As gc_pg_resolve() does, with numbers of its own. */
static void learn_misses(int32_t first)
{
	const struct gc_misses *misses = gc_batch_misses(batch);

	for (int d = 0; d < GC_DIM_COUNT; d++) {
		for (size_t i = 0; i < misses->member_count[d]; i++)
			gc_dimension_cache_put(&cache, (enum gc_dimension)d, misses->members[d][i], first++);
	}
	for (size_t i = 0; i < misses->partition_count; i++)
		gc_dimension_cache_put_partition(&cache, misses->partitions[i].target, misses->partitions[i].month);
	for (size_t i = 0; i < misses->hour_count; i++)
		gc_dimension_cache_put_hour(&cache, misses->hours[i]);
}

static int64_t key_in(const struct gc_row *row, const char *column)
{
	const struct gc_value *value = &row->values[column_of(row->target, column)];

	assert_int_equal(value->state, GC_VALUE_SET);
	return value->integer;
}

static void keys_take_the_place_of_names(void **state)
{
	struct gc_row *const *rows;

	(void)state;
	gc_dimension_cache_clear(&cache);
	begin_two_partitions();
	add_next("action_contracts",
		 "{\"id\":\"c1\",\"created_at\":" T0 ",\"triggered_by\":\"user:zoë\",\"tier\":\"tier_2\",\"mission_id\":\"m2\"}");
	add_next("action_contracts", "{\"id\":\"c2\",\"created_at\":" T0 "}");
	add_next("action_contracts", "{\"id\":\"c3\",\"__deleted\":\"true\"}");
	gc_batch_coalesce(batch);
	learn_misses(10);
	gc_batch_assign_keys(batch);
	assert_int_equal(gc_batch_rows(batch, target_of("action_contracts"), &rows), 3);
	assert_int_equal(key_in(rows[0], "component_key"), 10);
	assert_int_equal(key_in(rows[0], "tier_key"), 11);
	assert_int_equal(key_in(rows[0], "actor_key"), 12);
	assert_int_equal(key_in(rows[0], "own_mission_key"), 13);
	assert_int_equal(key_in(rows[1], "component_key"), 10);
	assert_int_equal(key_in(rows[1], "tier_key"), 0);
	assert_int_equal(key_in(rows[1], "actor_key"), 0);
	assert_int_equal(key_in(rows[1], "own_mission_key"), 0);
	assert_int_equal(rows[2]->values[column_of(rows[2]->target, "tier_key")].state, GC_VALUE_NULL);

	/* the same again misses nothing */
	begin_two_partitions();
	add_next("action_contracts",
		 "{\"id\":\"c1\",\"created_at\":" T0 ",\"triggered_by\":\"user:zoë\",\"tier\":\"tier_2\",\"mission_id\":\"m2\"}");
	gc_batch_coalesce(batch);
	for (int d = 0; d < GC_DIM_COUNT; d++)
		assert_int_equal(gc_batch_misses(batch)->member_count[d], 0);
	assert_int_equal(gc_batch_misses(batch)->hour_count + gc_batch_misses(batch)->partition_count, 0);
}

/* What a batch found when it decoded it finds when it assigns keys, however many members are cached in between. */
static void full_caches_lose_nothing_of_a_batch(void **state)
{
	const int64_t limit = cache.limit;
	struct gc_row *const *rows;

	(void)state;
	gc_dimension_cache_clear(&cache);
	cache.limit = 4;
	for (int round = 0; round < 50; round++) {
		begin_two_partitions();
		for (int i = 0; i < 6; i++)
			add_next("action_contracts", "{\"id\":\"c%d\",\"created_at\":" T0 ",\"tier\":\"tier_%d\"}", i,
				 (round * (i % 3) + i) % 17);
		gc_batch_coalesce(batch);
		learn_misses(1000 + round * 10);
		gc_batch_assign_keys(batch);
		assert_int_equal(gc_batch_rows(batch, target_of("action_contracts"), &rows), 6);
		for (size_t i = 0; i < 6; i++) {
			if (key_in(rows[i], "tier_key") == 0 || key_in(rows[i], "component_key") == 0)
				fail_msg("round %d, row %zu points at the unknown member", round, i);
		}
		/* the limit, and what one batch may add */
		assert_in_range(cache.members[GC_DIM_TIER].count, 1, 4 + 6);
	}
	cache.limit = limit;
}

static void caches_are_bounded(void **state)
{
	const int64_t limit = cache.limit;
	int32_t key;

	(void)state;
	gc_dimension_cache_clear(&cache);
	cache.limit = 100;
	for (int32_t i = 0; i < 5000; i++) {
		struct gc_span name;

		if (i % 10 == 0)
			begin_batch();
		name = gc_arena_printf(&texts, "member %d", (int)i);
		for (int d = 0; d < GC_DIM_COUNT; d++) {
			gc_dimension_cache_put(&cache, (enum gc_dimension)d, name, i);
			assert_true(gc_dimension_cache_find(&cache, (enum gc_dimension)d, name, &key) && key == i);
			assert_in_range(cache.members[d].count, 1, 110);
		}
		gc_dimension_cache_put_mission(&cache, name);
		gc_dimension_cache_put_partition(&cache, "approvals", i);
		gc_dimension_cache_put_hour(&cache, i);
		assert_true(gc_dimension_cache_has_mission(&cache, name) &&
			    gc_dimension_cache_has_partition(&cache, "approvals", i) && gc_dimension_cache_has_hour(&cache, i));
		assert_in_range(cache.known_missions.count, 1, 110);
		assert_in_range(cache.partitions.count, 1, 110);
		assert_in_range(cache.hours.count, 1, 110);
	}
	gc_dimension_cache_clear(&cache);
	assert_false(gc_dimension_cache_find(&cache, GC_DIM_ACTOR, GC_LIT("member 4999"), &key));
	assert_true(gc_dimension_cache_find(&cache, GC_DIM_ACTOR, GC_SPAN_NULL, &key) && key == 0);
	assert_true(gc_dimension_cache_find(&cache, GC_DIM_ACTOR, GC_LIT(""), &key) && key == 0);
	cache.limit = limit;
}

static void missions_open_once(void **state)
{
	(void)state;
	gc_dimension_cache_clear(&cache);
	begin_two_partitions();
	add_next("mission_timelines", "{\"id\":1,\"mission_id\":\"m1\"}");
	gc_batch_coalesce(batch);
	assert_true(gc_batch_introduces_missions(batch));
	assert_false(gc_dimension_cache_has_mission(&cache, GC_LIT("m1"))); /* not yet committed */
	gc_batch_committed(batch);
	assert_true(gc_dimension_cache_has_mission(&cache, GC_LIT("m1")));
	begin_two_partitions();
	add_next("mission_timelines", "{\"id\":1,\"mission_id\":\"m1\"}");
	add_next("action_contracts", "{\"id\":\"c\",\"created_at\":" T0 ",\"mission_id\":\"m9\"}");
	gc_batch_coalesce(batch);
	assert_false(gc_batch_introduces_missions(batch));
	gc_batch_committed(batch);
	assert_false(gc_dimension_cache_has_mission(&cache, GC_LIT("m9"))); /* named, not known */
}

/* ---- memory ---- */

static void fill_batch(void)
{
	begin_two_partitions();
	for (int i = 0; i < 300; i++) {
		add_next("action_contracts",
			 "{\"id\":\"c%d\",\"created_at\":" T0 ",\"confidence_score\":%d,\"triggered_by\":\"user:u%d\"}", i % 200, i,
			 i);
		add_next("immutable_log",
			 "{\"id\":%d,\"sequence\":%d,\"timestamp\":" T0
			 ",\"action\":\"failed\",\"resource\":\"security_event:%d\"}",
			 i, i, i);
		add_next("approval_requests", "{\"id\":%d,\"created_at\":\"soon\"}", i);
	}
	gc_batch_coalesce(batch);
}

static void batches_in_their_stride_keep_their_memory(void **state)
{
	size_t before;

	(void)state;
	for (int i = 0; i < 3; i++)
		fill_batch();
	before = mallinfo2().uordblks;
	for (int i = 0; i < 20; i++) {
		fill_batch();
		assert_int_equal(mallinfo2().uordblks, before);
	}
	gc_batch_reset(batch);
	gc_batch_coalesce(batch);
	assert_int_equal(gc_batch_message_count(batch), 0);
}

static void nothing_may_be_freed(void **state)
{
	(void)state;
	gc_batch_free(NULL);
	gc_batch_free(gc_batch_new(&cache, 100, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_without_a_record_are_ignored),
		cmocka_unit_test(each_partition_has_its_counts),
		cmocka_unit_test(times_ahead_decide_nothing),
		cmocka_unit_test(source_times_beyond_the_range_decide_nothing),
		cmocka_unit_test(one_record_counts_once),
		cmocka_unit_test(a_truncate_is_a_batch_of_its_own),
		cmocka_unit_test(a_truncate_that_means_no_rows_is_refused),
		cmocka_unit_test(rows_from_before_a_truncate_are_deleted_at_once),
		cmocka_unit_test(refused_messages_leave_nothing_behind),
		cmocka_unit_test(neighbours_of_refused_messages_stay),
		cmocka_unit_test(links_are_locked_with_own_keys),
		cmocka_unit_test(misses_are_unique_and_sorted),
		cmocka_unit_test(keys_take_the_place_of_names),
		cmocka_unit_test(full_caches_lose_nothing_of_a_batch),
		cmocka_unit_test(caches_are_bounded),
		cmocka_unit_test(missions_open_once),
		cmocka_unit_test(batches_in_their_stride_keep_their_memory),
		cmocka_unit_test(nothing_may_be_freed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
