/* Places of records: single rules, and worlds that are made at random: a source with transactions, snapshots while some of them are open, a
 * connector that sends again, a restore, clocks that step back, rows that come directly. Whatever arrives when, the cube ends as the source.
 */
#include "unit.h"
#include <stdio.h>
#include <string.h>

#include <gracecube/arena.h>
#include <gracecube/order.h>

#define T0 INT64_C(1795410000000000)

static struct gc_order order;

static int begin(void **state)
{
	(void)state;
	order = (struct gc_order){ 0 };
	return 0;
}

/* ---- single rules; times in seconds ---- */

static const struct gc_message *message_of(const char *key)
{
	static struct gc_message messages[16];
	static size_t next;
	struct gc_message *message = &messages[next++ % 16];

	*message = (struct gc_message){ .key = gc_span_of(key), .timestamp_us = T0 };
	return message;
}

static struct gc_version placed(struct gc_change change)
{
	if (!change.source)
		change.source = 1;
	gc_order_place(&order, &change);
	return change.version;
}

static struct gc_version change(int64_t lsn, double seconds)
{
	return placed((struct gc_change){
		.message = message_of("k"),
		.version = { .lsn = lsn, .source_us = T0 + (int64_t)(seconds * 1e6), .kafka_us = T0 + GC_MINUTE_US } });
}

static struct gc_version deleted(const char *key, int64_t lsn, double seconds)
{
	return placed((struct gc_change){
		.message = message_of(key),
		.op = GC_DELETE,
		.version = { .lsn = lsn, .source_us = T0 + (int64_t)(seconds * 1e6), .kafka_us = T0 + GC_MINUTE_US } });
}

static struct gc_version snapshot(int64_t lsn, double seconds, bool is_incremental)
{
	return placed((struct gc_change){
		.message = message_of("k"),
		.is_snapshot = true,
		.is_incremental = is_incremental,
		.version = { .lsn = lsn, .source_us = T0 + (int64_t)(seconds * 1e6), .kafka_us = T0 + GC_MINUTE_US } });
}

static struct gc_version row(int64_t offset, double seconds)
{
	return placed((struct gc_change){ .message = message_of("k"),
					  .version = { .kafka_us = T0 + (int64_t)(seconds * 1e6), .offset = offset } });
}

static struct gc_version tombstone(const char *key, int64_t offset, double seconds)
{
	return placed((struct gc_change){ .message = message_of(key),
					  .op = GC_DELETE,
					  .is_tombstone = true,
					  .version = { .kafka_us = T0 + (int64_t)(seconds * 1e6), .offset = offset } });
}

static void assert_newer(struct gc_version newer, struct gc_version older)
{
	assert_true(gc_version_compare(newer, older) > 0);
	assert_true(gc_version_compare(older, newer) < 0);
}

static void assert_same(struct gc_version one, struct gc_version other)
{
	assert_int_equal(gc_version_compare(one, other), 0);
}

static void a_change_that_the_snapshot_did_not_see_is_newer(void **state)
{
	struct gc_version seen = snapshot(0x9D059C0, 20, false), unseen = change(0x9D043C8, 19), next = change(0x9D07000, 19.5);

	(void)state;
	assert_newer(unseen, seen);
	assert_newer(next, unseen);
	assert_newer(change(0x9D08000, 30), next);
}

static void a_snapshot_and_a_change_may_share_a_position(void **state)
{
	struct gc_version seen = snapshot(900, 20, false);

	(void)state;
	assert_newer(change(900, 20), seen);
	assert_newer(change(900, 25), seen);
}

static void a_snapshot_between_changes_is_behind_them(void **state)
{
	struct gc_version before = change(100, 10), chunk = snapshot(100, 11, true), after = change(105, 10.9);

	(void)state;
	assert_newer(chunk, before);
	assert_newer(after, chunk);
	assert_same(snapshot(100, 11, true), chunk);
	assert_newer(chunk, change(100, 10));
	assert_same(change(105, 10.9), after);
}

static void a_restored_source_is_behind_the_former_one(void **state)
{
	struct gc_version former = change(9000000, 10), seen = snapshot(50000, 100, false), changed = change(51000, 99),
			  same_moment = change(51010, 99), gone = deleted("k", 52000, 110);

	(void)state;
	assert_newer(seen, former);
	assert_newer(changed, seen);
	assert_newer(same_moment, changed);
	assert_newer(gone, same_moment);
}

static void a_moved_source_needs_no_snapshot(void **state)
{
	struct gc_version former = change(9000000, 10);

	(void)state;
	assert_newer(change(5000, 11), former);
}

static void what_is_sent_again_stands_where_it_stood(void **state)
{
	struct gc_version first = change(90, 10), second = change(100, 11), direct = row(7, 12);

	(void)state;
	assert_same(change(90, 10), first);
	assert_same(change(100, 11), second);
	assert_newer(direct, change(90, 10));
	assert_newer(direct, change(100, 11));
	assert_newer(change(110, 13), direct);
}

static void the_commit_decides_and_not_the_position(void **state)
{
	struct gc_version early = change(100, 10), late = change(90, 11);

	(void)state;
	assert_newer(late, early);
	assert_newer(change(120, 12), late);
	assert_same(change(90, 11), late);
}

static void one_statement_may_change_several_rows(void **state)
{
	struct gc_version seen = snapshot(200, 20, false), gone = deleted("old", 190, 19), renamed = change(190, 19);

	(void)state;
	assert_newer(gone, seen);
	assert_same(renamed, gone);
}

static void a_clock_of_the_source_may_step_back(void **state)
{
	struct gc_version before = change(100, 10), after = change(110, 4);

	(void)state;
	assert_newer(after, before);
	assert_newer(change(120, 5), after);
}

static void rows_without_a_position_come_as_kafka_has_them(void **state)
{
	struct gc_version pending = row(0, 0), executing = row(1, 0.004), verified = row(2, 0.003), later = row(3, 3600),
			  back = row(4, 10);

	(void)state;
	assert_newer(executing, pending);
	assert_newer(verified, executing);
	assert_newer(back, later);
	assert_newer(row(5, 3599), back);
}

static void a_tombstone_is_its_delete(void **state)
{
	struct gc_version created = change(100, 10), gone = deleted("k", 110, 11), again, born;

	(void)state;
	assert_newer(gone, created);
	assert_same(tombstone("k", 1, 11.4), gone);
	born = change(120, 11.2);
	assert_newer(born, gone);
	again = deleted("k", 110, 11);
	assert_same(again, gone);
	assert_newer(born, tombstone("k", 2, 30)); /* sent again: the new life stands */
	assert_newer(tombstone("other", 3, 31), born);
}

static void databases_do_not_mix(void **state)
{
	struct gc_version first = change(9000, 10),
			  other = placed((struct gc_change){
				  .message = message_of("k"),
				  .source = 2,
				  .version = { .lsn = 5, .source_us = T0 + 5 * GC_SECOND_US, .kafka_us = T0 } });

	(void)state;
	assert_newer(first, other);
	assert_int_equal(other.at_us, T0 + 5 * GC_SECOND_US);
	assert_same(change(9000, 10), first);
	for (int64_t source = 3; source < 9; source++) /* more than are told apart: the latest ones are */
		placed((struct gc_change){ .message = message_of("k"), .source = source, .version = { .lsn = 5, .kafka_us = T0 } });
	assert_same(change(9000, 10), first);
}

static void a_time_far_ahead_decides_nothing(void **state)
{
	struct gc_change wild = { .message = message_of("k"),
				  .source = 1,
				  .version = { .lsn = 10, .source_us = T0 + 3 * GC_DAY_US, .kafka_us = T0 } };

	(void)state;
	gc_order_place(&order, &wild);
	assert_int_equal(wild.version.at_us, T0);
	assert_int_equal(wild.disbelieved_us, T0 + 3 * GC_DAY_US);
	assert_newer(change(20, 1), wild.version);
}

static void an_order_is_kept_as_text(void **state)
{
	struct gc_arena arena;
	struct gc_order read;

	(void)state;
	gc_arena_init(&arena);
	change(100, 10);
	row(1, 3);
	deleted("k", 110, 11);
	order.sources[3].lsn = INT64_MIN;
	order.sources[2].lsn = INT64_MAX;
	read = gc_order_read(gc_arena_printf(&arena, "%.*s", (int)gc_order_text(&order, &arena).len,
					     gc_order_text(&order, &arena).ptr)
				     .ptr);
	assert_memory_equal(&read, &order, sizeof(order));
	for (const char *const *text = (const char *const[]){ "", "{", "{1,2}", "{}", "no", NULL }; *text; text++) {
		read = gc_order_read(*text);
		assert_int_equal(read.sources[0].source, 0);
		assert_int_equal(read.row_us, 0);
	}
	gc_arena_done(&arena);
}

/* ---- worlds ---- */

#define KEYS 5
#define LOG_MAX 600
#define OPEN_MAX 3

static uint64_t chance;

static unsigned below(unsigned n)
{
	uint64_t z = chance += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ (z >> 31)) % n);
}

/* One record of a log. */
struct told {
	int key, value; /* value 0: deleted */
	struct gc_change change;
};

struct log {
	struct told told[LOG_MAX];
	size_t count;
};

struct open {
	int key, value; /* value < 0: none is open */
	int64_t lsn;
};

struct world {
	struct log log;
	size_t resend_from; /* the connector has said that it is done with what stands before */
	int value[KEYS];    /* as committed */
	struct open open[OPEN_MAX];
	int64_t lsn, now_us;
	int next_value;
};

static const char *const key_names[KEYS] = { "a", "b", "c", "d", "e" };

static void tell(struct world *w, int key, int value, struct gc_change change)
{
	struct told *told = &w->log.told[w->log.count++];

	assert_true(w->log.count < LOG_MAX);
	change.source = 1;
	change.op = value ? GC_UPSERT : GC_DELETE;
	change.version.kafka_us = w->now_us + 300 * 1000; /* the connector's delay */
	*told = (struct told){ key, value, change };
}

static void tell_change(struct world *w, int key, int value, int64_t lsn)
{
	tell(w, key, value, (struct gc_change){ .version = { .lsn = lsn, .source_us = w->now_us } });
	if (value == 0)
		tell(w, key, 0, (struct gc_change){ .is_tombstone = true });
}

static bool is_locked(const struct world *w, int key)
{
	for (int i = 0; i < OPEN_MAX; i++) {
		if (w->open[i].value >= 0 && w->open[i].key == key)
			return true;
	}
	return false;
}

static bool is_any_open(const struct world *w)
{
	for (int i = 0; i < OPEN_MAX; i++) {
		if (w->open[i].value >= 0)
			return true;
	}
	return false;
}

static void write_row(struct world *w)
{
	struct open *open = &w->open[below(OPEN_MAX)];
	int key = (int)below(KEYS);

	if (open->value >= 0 || is_locked(w, key))
		return;
	*open = (struct open){ key, below(5) ? ++w->next_value : 0, w->lsn += 1 + below(100) };
	if (open->value == 0 && w->value[key] == 0)
		open->value = ++w->next_value;
}

static void commit(struct world *w)
{
	struct open *open = &w->open[below(OPEN_MAX)];

	if (open->value < 0)
		return;
	w->value[open->key] = open->value;
	tell_change(w, open->key, open->value, open->lsn);
	open->value = -1;
}

/* What is open is not seen. The connector's clock is ahead, or it takes its time to come to this table. */
static void take_snapshot(struct world *w, bool is_incremental)
{
	int64_t at_us = w->now_us + (is_incremental ? 0 : below(5000000));

	for (int key = 0; key < KEYS; key++) {
		if (w->value[key] && (!is_incremental || below(2)))
			tell(w, key, w->value[key],
			     (struct gc_change){ .is_snapshot = true,
						 .is_incremental = is_incremental,
						 .version = { .lsn = w->lsn, .source_us = at_us } });
	}
	if (!is_incremental)
		w->resend_from = w->log.count;
}

/* From somewhere up to the newest, as a connector does that has not noted how far it was. */
static void send_again(struct world *w)
{
	size_t end = w->log.count, from = w->resend_from + below((unsigned)(end - w->resend_from) + 1);

	if (end - from > 40)
		from = end - 40;
	while (from < end && w->log.told[from].change.is_tombstone)
		from++; /* it has its delete's position, and comes with it or not at all */
	for (size_t i = from; i < end; i++)
		tell(w, w->log.told[i].key, w->log.told[i].value, w->log.told[i].change);
}

/* To a backup that lacks what came last, minutes later; then a snapshot. What the backup does not have at all is left to reconcile. */
static void restore(struct world *w)
{
	w->lsn = below(5000);
	w->now_us += (int64_t)(1 + below(10)) * GC_MINUTE_US;
	for (int i = 0; i < OPEN_MAX; i++)
		w->open[i].value = -1;
	for (int key = 0; key < KEYS; key++) {
		if (w->value[key] && below(2))
			w->value[key] = ++w->next_value;
	}
	take_snapshot(w, false);
}

static void step_world(struct world *w)
{
	unsigned what = below(100);

	w->now_us += below(20000);
	if (what < 40)
		write_row(w);
	else if (what < 85)
		commit(w);
	else if (what < 88)
		take_snapshot(w, true);
	else if (what < 90)
		take_snapshot(w, false);
	else if (what < 94)
		send_again(w);
	else if (what < 95)
		restore(w);
	else if (what < 97 && !is_any_open(w))
		w->now_us -= below(50000); /* the source's clock is corrected: positions tell, unless they contradict it too */
}

/* Reads a log: the places of all its records. */
static void read_log(const struct log *log, struct gc_version *versions)
{
	struct gc_order read = { 0 };

	for (size_t i = 0; i < log->count; i++) {
		struct gc_message message = { .key = gc_span_of(key_names[log->told[i].key]),
					      .offset = (int64_t)i,
					      .timestamp_us = T0 };
		struct gc_change change = log->told[i].change;

		change.message = &message;
		change.version.offset = (int64_t)i;
		gc_order_place(&read, &change);
		versions[i] = change.version;
	}
}

struct cell {
	bool known;
	int value;
	struct gc_version version;
};

static void apply(struct cell *cells, const struct told *told, struct gc_version version)
{
	struct cell *cell = &cells[told->key];

	if (!cell->known || gc_version_compare(version, cell->version) > 0)
		*cell = (struct cell){ true, told->value, version };
}

static void assert_cells(const struct cell *cells, const int *values, uint64_t seed)
{
	for (int key = 0; key < KEYS; key++) {
		if ((cells[key].known ? cells[key].value : 0) != values[key])
			fail_msg("seed %llu: %s ends as %d, the source has %d", (unsigned long long)seed, key_names[key],
				 cells[key].value, values[key]);
	}
}

static void shuffle(size_t *items, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = below((unsigned)i), kept = items[i - 1];

		items[i - 1] = items[j];
		items[j] = kept;
	}
}

static void worlds_end_as_their_source(void **state)
{
	static struct world world;
	static struct gc_version versions[LOG_MAX];
	static size_t arrival[LOG_MAX];

	(void)state;
	for (uint64_t seed = 1; seed <= 3000; seed++) {
		struct cell in_order[KEYS] = { 0 }, in_any_order[KEYS] = { 0 };

		chance = seed;
		world = (struct world){ .lsn = 100000, .now_us = T0 };
		for (int i = 0; i < OPEN_MAX; i++)
			world.open[i].value = -1;
		for (int i = 0; i < 120 && world.log.count < LOG_MAX - 120; i++)
			step_world(&world);
		read_log(&world.log, versions);
		for (size_t i = 0; i < world.log.count; i++) {
			apply(in_order, &world.log.told[i], versions[i]);
			arrival[i] = i;
		}
		shuffle(arrival, world.log.count);
		for (size_t i = 0; i < world.log.count; i++)
			apply(in_any_order, &world.log.told[arrival[i]], versions[arrival[i]]);
		assert_cells(in_order, world.value, seed);
		assert_cells(in_any_order, world.value, seed);
	}
}

/* Rows that come directly: of each key the last one of the partition, whatever the clocks of their producers. */
static void rows_end_as_the_log(void **state)
{
	static struct log log;
	static struct gc_version versions[LOG_MAX];

	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		struct cell cells[KEYS] = { 0 };
		int values[KEYS] = { 0 };

		chance = seed;
		log.count = 0;
		for (int n = 1; n <= 100; n++) {
			int key = (int)below(KEYS), value = below(6) ? n : 0;

			log.told[log.count++] = (struct told){ key,
							       value,
							       { .op = value ? GC_UPSERT : GC_DELETE,
								 .is_tombstone = value == 0,
								 .version = { .kafka_us = T0 + n * INT64_C(1000) +
											  (int64_t)below(3) * GC_HOUR_US } } };
			values[key] = value;
		}
		/* one that begins with a delete of what never was may be before a row of an earlier clock: it has none before it */
		log.told[0].change.is_tombstone = false;
		read_log(&log, versions);
		for (size_t i = log.count; i > 0; i--)
			apply(cells, &log.told[i - 1], versions[i - 1]);
		assert_cells(cells, values, seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_change_that_the_snapshot_did_not_see_is_newer, begin),
		cmocka_unit_test_setup(a_snapshot_and_a_change_may_share_a_position, begin),
		cmocka_unit_test_setup(a_snapshot_between_changes_is_behind_them, begin),
		cmocka_unit_test_setup(a_restored_source_is_behind_the_former_one, begin),
		cmocka_unit_test_setup(a_moved_source_needs_no_snapshot, begin),
		cmocka_unit_test_setup(what_is_sent_again_stands_where_it_stood, begin),
		cmocka_unit_test_setup(the_commit_decides_and_not_the_position, begin),
		cmocka_unit_test_setup(one_statement_may_change_several_rows, begin),
		cmocka_unit_test_setup(a_clock_of_the_source_may_step_back, begin),
		cmocka_unit_test_setup(rows_without_a_position_come_as_kafka_has_them, begin),
		cmocka_unit_test_setup(a_tombstone_is_its_delete, begin),
		cmocka_unit_test_setup(databases_do_not_mix, begin),
		cmocka_unit_test_setup(a_time_far_ahead_decides_nothing, begin),
		cmocka_unit_test_setup(an_order_is_kept_as_text, begin),
		cmocka_unit_test(worlds_end_as_their_source),
		cmocka_unit_test(rows_end_as_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
