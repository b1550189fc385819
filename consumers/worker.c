/* Worker: see worker.h. The guarantee, in three sentences: a record's rows, its dead letter and the position behind it are one commit.
 * A position moves only from where the cube stands, or the commit fails. So whatever is killed, cut off or sent again, each record
 * changes the cube exactly once, or is in the dead letters with its reason.
 *
 * Threads: a worker is one thread.
 */
#include "worker.h"
#include "kafka.h"

#include <gracecube/arena.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define IDLE_WAIT_US (100 * 1000)
#define HINT_INTERVAL_US GC_SECOND_US
#define LAST_HINT_US (2 * GC_SECOND_US)
#define TELL_INTERVAL_US (200 * 1000) /* five times a second */
#define BACKOFF_MIN_US (50 * 1000)
#define BACKOFF_MAX_US (10 * GC_SECOND_US)
/* A database away for longer than this: partitions are paused and polled, so that the group does not expel us. A quarter of the
 * default max.poll.interval.ms. */
#define PAUSE_AFTER_US (75 * GC_SECOND_US)
#define POLL_SLICE_US (200 * 1000)

static bool must_leave(const struct gc_worker *w)
{
	return atomic_load(&w->state) == GC_DRAINING && gc_monotonic_us() >= atomic_load(&w->drain_until_us);
}

static bool is_draining(const struct gc_worker *w)
{
	return atomic_load(&w->state) == GC_DRAINING;
}

static void count(_Atomic int64_t *counter, int64_t by)
{
	atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

/* ---- waiting ---- */

struct backoff {
	int64_t wait_us, since_us;
	bool paused;
	struct gc_complaint complaint;
};

/* One wait of a retry, 50 ms doubling to 10 s, with jitter. Long stalls keep the membership by polling paused partitions. */
static void wait_a_while(struct gc_worker *w, struct backoff *b, const struct gc_err *why)
{
	int64_t now = gc_monotonic_us(), repeated, until;

	if (b->since_us == 0)
		b->since_us = now;
	b->wait_us = b->wait_us == 0 ? BACKOFF_MIN_US : b->wait_us * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : b->wait_us * 2;
	until = now + b->wait_us / 2 + (int64_t)(random() % (b->wait_us / 2 + 1));
	if (gc_complain(&b->complaint, now, &repeated))
		gc_warn("waiting to try again", GC_ERR_FIELDS(why), GC_I("repeated", repeated));
	if (!b->paused && w->consumer && now - b->since_us > PAUSE_AFTER_US) {
		gc_consumer_pause(w->consumer, true);
		b->paused = true;
	}
	gc_count_retry(w, why);
	while (!must_leave(w) && gc_monotonic_us() < until) {
		gc_count_tick(w);
		if (b->paused)
			gc_consumer_gather(w->consumer, POLL_SLICE_US);
		else
			usleep(POLL_SLICE_US / 10);
	}
}

static void end_wait(struct gc_worker *w, struct backoff *b)
{
	if (b->paused)
		gc_consumer_pause(w->consumer, false);
	if (gc_complaint_over(&b->complaint))
		gc_info("works again", GC_R("after_s", (double)(gc_monotonic_us() - b->since_us) / 1e6));
}

/* ---- the database ---- */

/* A new connection: nothing cached is to be trusted, and the partitions are claimed again. */
static enum gc_verdict reconnect(struct gc_worker *w, struct gc_err *err)
{
	char role[64];
	enum gc_verdict verdict;

	gc_pg_close(w->pg);
	w->pg = NULL;
	gc_keys_forget(&w->keys);
	snprintf(role, sizeof(role), "gracecube worker %d", w->index);
	verdict = gc_pg_open_writer(w->config, role, &w->keys, &w->pg, err);
	if (verdict == GC_OK)
		verdict = gc_consumer_reclaim(w->consumer, w->pg, err);
	if (verdict == GC_OK)
		count(&w->counters.reconnects, 1);
	return verdict;
}

static enum gc_verdict ensure_database(struct gc_worker *w, struct gc_err *err)
{
	struct backoff backoff = { .wait_us = 0 };
	enum gc_verdict verdict = GC_OK;

	while (!w->pg || gc_pg_is_lost(w->pg)) {
		verdict = reconnect(w, err);
		if (verdict == GC_OK || (verdict != GC_RETRY && verdict != GC_FENCED) || must_leave(w))
			break;
		wait_a_while(w, &backoff, err);
	}
	end_wait(w, &backoff);
	return verdict;
}

/* ---- a batch ---- */

/* Headers are read only of records that go to the dead letters. */
static void read_headers(struct gc_worker *w, struct gc_record *record)
{
	rd_kafka_headers_t *headers;
	size_t n;
	struct gc_header *copy;

	if (record->message.headers || rd_kafka_message_headers(record->fetched, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	n = rd_kafka_header_cnt(headers);
	copy = gc_arena_alloc(gc_batch_arena(w->batch), n * sizeof(*copy));
	for (size_t i = 0; i < n; i++) {
		const char *name;
		const void *value;
		size_t length;

		if (rd_kafka_header_get_all(headers, i, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR)
			copy[i] = (struct gc_header){ gc_span_of(name), { value, value ? length : 0 } };
	}
	record->message.headers = copy;
	record->message.header_count = n;
}

static uint32_t partition_of(struct gc_worker *w, struct gc_part *part)
{
	if (part->in_batch == 0)
		part->in_batch = 1 + gc_batch_partition(w->batch, gc_span_of(part->position->topic), part->partition,
							part->offset_id, part->owner_epoch, part->next_offset);
	return part->in_batch - 1;
}

/* Decodes the records [from, to) into the batch. `poison` is the reason to dead-letter the only one unread. */
static void fill_batch(struct gc_worker *w, size_t from, size_t to, const struct gc_err *poison)
{
	struct gc_consumer *c = w->consumer;
	const struct gc_dead_letter *letters;
	size_t dead = 0;

	gc_batch_reset(w->batch);
	for (size_t i = 0; i < c->part_count; i++)
		c->parts[i].in_batch = 0;
	for (size_t i = from; i < to; i++) {
		struct gc_record *record = &c->records[i];
		struct gc_part *part = &c->parts[record->part];

		record->message.headers = NULL;
		if (record->message.offset < part->next_offset)
			continue; /* applied already: a COMMIT whose answer was lost */
		if (poison)
			gc_batch_add_dead(w->batch, partition_of(w, part), part->stream, &record->message, poison);
		else
			gc_batch_add(w->batch, partition_of(w, part), part->stream, part->unit, &record->message);
		if (gc_batch_dead_letters(w->batch, &letters) > dead) {
			dead++;
			read_headers(w, record);
		}
	}
	gc_batch_seal(w->batch);
}

static enum gc_verdict send_batch(struct gc_worker *w, struct gc_err *err)
{
	int64_t started = gc_monotonic_us(), resolved, cpu = gc_thread_cpu_us(), late = 0;
	enum gc_verdict verdict = gc_pg_resolve(w->pg, w->batch, &w->keys, err);

	resolved = gc_monotonic_us();
	count(&w->counters.keys_us, resolved - started);
	gc_histogram_add(&w->counters.resolve, &gc_stage_buckets, resolved - started);
	if (verdict != GC_OK)
		return verdict;
	gc_batch_bind(w->batch);
	verdict = gc_pg_apply(w->pg, w->batch, &late, err);
	count(&w->counters.applied, -late);
	count(&w->counters.superseded, late);
	count(&w->counters.apply_us, gc_monotonic_us() - resolved);
	gc_histogram_add(&w->counters.commit, &gc_stage_buckets, gc_monotonic_us() - resolved);
	count(&w->counters.encode_us, gc_thread_cpu_us() - cpu);
	return verdict;
}

/* Open pages hear of commits by NOTIFY, outside of the facts' transaction. What comes closer together is told at once. */
static void tell_changes(struct gc_worker *w, int64_t interval_us)
{
	char names[1024] = "";
	size_t len = 0;
	int64_t now = gc_monotonic_us();

	if (!w->changed || !w->pg || gc_pg_is_lost(w->pg) || now - w->told_us < interval_us)
		return;
	for (size_t i = 0; gc_streams[i] && len < sizeof(names); i++) {
		if (w->changed >> i & 1)
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? "," : "", gc_streams[i]->name);
	}
	gc_pg_notify(w->pg, names);
	w->changed = 0;
	w->told_us = now;
}

static void note_change(struct gc_worker *w, const struct gc_stream *stream)
{
	for (size_t i = 0; gc_streams[i] && i < 64; i++)
		w->changed |= (uint64_t)(gc_streams[i] == stream) << i;
}

/* Durable: the positions move, and only now. */
static void settle_batch(struct gc_worker *w)
{
	struct gc_partition *parts;
	size_t n = gc_batch_partitions(w->batch, &parts);

	gc_batch_committed(w->batch);
	for (size_t i = 0; i < w->consumer->part_count; i++) {
		struct gc_part *part = &w->consumer->parts[i];
		const struct gc_partition *moved = part->in_batch > 0 && part->in_batch <= n ? &parts[part->in_batch - 1] : NULL;

		if (!moved)
			continue;
		note_change(w, part->stream);
		part->next_offset = moved->to_offset;
		atomic_store(&part->position->next_offset, moved->to_offset);
		count(&w->counters.applied, moved->applied);
		count(&w->counters.superseded, moved->superseded);
		count(&w->counters.dead, moved->dead);
		count(&w->counters.ignored, moved->ignored);
	}
	count(&w->counters.records, (int64_t)gc_batch_message_count(w->batch));
	count(&w->counters.batches, 1);
	atomic_store(&w->counters.progress_us, gc_monotonic_us());
	atomic_store(&w->counters.cache_hits, (int64_t)w->keys.hits);
	atomic_store(&w->counters.cache_misses, (int64_t)w->keys.missed);
}

/* Decodes and applies [from, to) once. */
static enum gc_verdict try_range(struct gc_worker *w, size_t from, size_t to, const struct gc_err *poison, struct gc_err *err)
{
	int64_t started = gc_monotonic_us();
	enum gc_verdict verdict = GC_OK;

	fill_batch(w, from, to, poison);
	count(&w->counters.decode_us, gc_monotonic_us() - started);
	gc_histogram_add(&w->counters.decode, &gc_stage_buckets, gc_monotonic_us() - started);
	if (gc_batch_message_count(w->batch) > 0)
		verdict = send_batch(w, err);
	if (verdict == GC_OK) {
		gc_count_committed(w, from, to);
		settle_batch(w);
		tell_changes(w, TELL_INTERVAL_US);
	}
	return verdict;
}

/* The same, until it is done or cannot be: the database away, a deadlock. A rebalance while waiting drops the records: done. */
static enum gc_verdict apply_range(struct gc_worker *w, size_t from, size_t to, const struct gc_err *poison, struct gc_err *err)
{
	struct backoff backoff = { .wait_us = 0 };
	enum gc_verdict verdict;

	for (;;) {
		verdict = ensure_database(w, err);
		if (verdict == GC_OK && to > w->consumer->record_count)
			break;
		if (verdict == GC_OK)
			verdict = try_range(w, from, to, poison, err);
		if (verdict != GC_RETRY || must_leave(w))
			break;
		wait_a_while(w, &backoff, err);
	}
	end_wait(w, &backoff);
	return verdict;
}

/* A record that the database refuses is found by halving, in log order, and dead-lettered when it is alone; its neighbours land. */
static enum gc_verdict apply_or_bisect(struct gc_worker *w, size_t from, size_t to, struct gc_err *err)
{
	size_t middle = from + (to - from) / 2;
	struct gc_err poison;
	enum gc_verdict verdict = apply_range(w, from, to, NULL, err);

	if (verdict != GC_REJECT)
		return verdict;
	if (to - from == 1) {
		count(&w->counters.rejected, 1);
		poison = *err;
		return apply_range(w, from, to, &poison, err);
	}
	verdict = apply_or_bisect(w, from, middle, err);
	if (verdict != GC_OK || to > w->consumer->record_count)
		return verdict;
	return apply_or_bisect(w, middle, to, err);
}

/* Another owner has the partitions, or had them: wait for the group to say, then stand where the cube stands. */
static enum gc_verdict yield_to_owner(struct gc_worker *w, struct gc_err *err)
{
	int64_t until = gc_monotonic_us() + GC_SECOND_US;
	uint64_t rebalances = w->consumer->rebalances;

	count(&w->counters.fenced, 1);
	gc_warn("another owner has moved these partitions; reading again from where the cube stands");
	gc_consumer_drop(w->consumer, w->consumer->record_count);
	while (w->consumer->rebalances == rebalances && gc_monotonic_us() < until && !must_leave(w)) {
		gc_consumer_gather(w->consumer, IDLE_WAIT_US);
		gc_consumer_drop(w->consumer, w->consumer->record_count);
	}
	return w->consumer->rebalances == rebalances ? gc_consumer_restart(w->consumer, w->pg, err) : GC_OK;
}

static enum gc_verdict apply_records(struct gc_worker *w, struct gc_err *err)
{
	size_t n = w->consumer->record_count;
	enum gc_verdict verdict;

	if (n == 0)
		return GC_OK;
	verdict = apply_or_bisect(w, 0, n, err);
	if (verdict == GC_FENCED)
		return yield_to_owner(w, err);
	if (verdict == GC_OK && w->consumer->record_count >= n)
		gc_consumer_drop(w->consumer, n);
	return verdict;
}

/* ---- the loop ---- */

static bool has_to_claim(const struct gc_worker *w)
{
	return (w->consumer->pending || w->consumer->is_adrift) && !is_draining(w);
}

static enum gc_verdict claim_partitions(struct gc_worker *w, struct gc_err *err)
{
	struct backoff backoff = { .wait_us = 0 };
	enum gc_verdict verdict = GC_OK;

	while (has_to_claim(w)) {
		verdict = ensure_database(w, err);
		if (verdict == GC_OK && w->consumer->pending)
			verdict = gc_consumer_claim(w->consumer, w->pg, err);
		else if (verdict == GC_OK)
			verdict = gc_consumer_restart(w->consumer, w->pg, err);
		if (verdict != GC_RETRY)
			break;
		wait_a_while(w, &backoff, err);
	}
	end_wait(w, &backoff);
	return verdict;
}

static void tell_position(struct gc_worker *w)
{
	int64_t now = gc_monotonic_us();

	if (now - w->hinted_us < HINT_INTERVAL_US)
		return;
	w->hinted_us = now;
	gc_consumer_hint(w->consumer, 0);
}

static void note_idle(struct gc_worker *w)
{
	bool at_end = gc_consumer_is_at_end(w->consumer);

	atomic_store(&w->counters.at_end, at_end);
	if (at_end)
		atomic_store(&w->counters.progress_us, gc_monotonic_us());
	atomic_store(&w->counters.cpu_us, gc_thread_cpu_us());
	atomic_store(&w->counters.rebalances, (int64_t)w->consumer->rebalances);
}

static enum gc_verdict work_once(struct gc_worker *w, struct gc_err *err)
{
	int64_t started = gc_monotonic_us();
	enum gc_verdict verdict;

	gc_consumer_gather(w->consumer, IDLE_WAIT_US);
	count(&w->counters.poll_us, gc_monotonic_us() - started);
	gc_count_tick(w);
	gc_count_gathered(w);
	if (w->consumer->broken.verdict != GC_OK) {
		*err = w->consumer->broken;
		return err->verdict;
	}
	verdict = claim_partitions(w, err);
	if (verdict == GC_OK && w->pg && !gc_pg_is_lost(w->pg))
		gc_consumer_revive(w->consumer, w->pg);
	if (verdict == GC_OK)
		verdict = apply_records(w, err);
	if (verdict == GC_OK)
		tell_position(w);
	tell_changes(w, TELL_INTERVAL_US);
	note_idle(w);
	return verdict;
}

static enum gc_verdict run_loop(struct gc_worker *w, struct gc_err *err)
{
	enum gc_verdict verdict = ensure_database(w, err);

	while (verdict == GC_OK && !is_draining(w))
		verdict = work_once(w, err);
	if (verdict == GC_OK)
		verdict = apply_records(w, err);
	/* what could not be applied in time is read again by the next owner: nothing is lost */
	return verdict == GC_RETRY && is_draining(w) ? GC_OK : verdict;
}

void *gc_worker_main(void *argument)
{
	struct gc_worker *w = argument;
	struct gc_err err = { .verdict = GC_OK };
	char name[16];
	enum gc_verdict verdict;

	snprintf(name, sizeof(name), "%d", w->index);
	gc_log_context("worker", name);
	gc_keys_init(&w->keys, w->config->run_cache_entries);
	w->batch = gc_batch_new(&w->keys, w->config->limits_value_bytes, w->config->limits_key_bytes);
	verdict = gc_consumer_open(w->config, w->run, w->index, w->topics, w->topic_count, &w->consumer, &err);
	if (verdict == GC_OK) {
		verdict = run_loop(w, &err);
		gc_consumer_hint(w->consumer, LAST_HINT_US);
		tell_changes(w, 0);
	}
	gc_consumer_close(w->consumer);
	gc_pg_close(w->pg);
	gc_batch_free(w->batch);
	gc_keys_done(&w->keys);
	atomic_store(&w->counters.cpu_us, gc_thread_cpu_us());
	if (verdict != GC_OK)
		w->failure = err;
	atomic_store(&w->counters.at_end, 0);
	gc_log_context(NULL, NULL);
	return NULL;
}
