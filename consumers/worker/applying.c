/* Applying: what is in hand becomes commits. See worker.h for the guarantee, and applying.h.
 *
 * Threads: a worker is one thread.
 */
#include "worker/applying.h"
#include "kafka/claim.h"
#include "kafka/client.h"

#include <gracecube/arena.h>
#include <stdio.h>

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
		if (record->message.offset < part->next_offset || part->is_refused)
			continue; /* applied already: a COMMIT whose answer was lost; or it stands still before it */
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
	gc_counter_add(&w->counters.keys_us, resolved - started);
	gc_histogram_add(&w->counters.resolve, &gc_stage_buckets, resolved - started);
	if (verdict != GC_OK)
		return verdict;
	gc_batch_bind(w->batch);
	verdict = gc_pg_apply(w->pg, w->batch, &late, err);
	gc_counter_add(&w->counters.applied, -late);
	gc_counter_add(&w->counters.superseded, late);
	gc_counter_add(&w->counters.apply_us, gc_monotonic_us() - resolved);
	gc_histogram_add(&w->counters.commit, &gc_stage_buckets, gc_monotonic_us() - resolved);
	gc_counter_add(&w->counters.encode_us, gc_thread_cpu_us() - cpu);
	return verdict;
}

/* Open pages hear of commits by NOTIFY, outside of the facts' transaction. What comes closer together is told at once. */
void gc_tell_changes(struct gc_worker *w, int64_t interval_us)
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

/* It is read and applied: whatever was wrong with it is over. */
static void praise_part(struct gc_worker *w, struct gc_part *part)
{
	part->rejections = 0;
	if (part->is_on_trial)
		gc_part_works(w->consumer, part);
	part->is_on_trial = false;
}

/* Durable: the positions move, and only now. */
static void settle_batch(struct gc_worker *w, bool is_dead_letter)
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
		part->last_hash = moved->last_hash;
		atomic_store(&part->position->next_offset, moved->to_offset);
		if (!is_dead_letter)
			praise_part(w, part);
		gc_counter_add(&w->counters.applied, moved->applied);
		gc_counter_add(&w->counters.superseded, moved->superseded);
		gc_counter_add(&w->counters.dead, moved->dead);
		gc_counter_add(&w->counters.ignored, moved->ignored);
	}
	gc_counter_add(&w->counters.records, (int64_t)gc_batch_message_count(w->batch));
	gc_counter_add(&w->counters.batches, 1);
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
	gc_counter_add(&w->counters.decode_us, gc_monotonic_us() - started);
	gc_histogram_add(&w->counters.decode, &gc_stage_buckets, gc_monotonic_us() - started);
	if (gc_batch_message_count(w->batch) > 0)
		verdict = send_batch(w, err);
	if (verdict == GC_OK) {
		gc_count_committed(w, from, to);
		settle_batch(w, poison != NULL);
		gc_tell_changes(w, GC_TELL_INTERVAL_US);
	}
	return verdict;
}

/* The same, until it is done or cannot be: the database away, a deadlock. A rebalance while waiting drops the records: done. What may have
 * been too much twice is given back, to be tried in smaller parts. A month whose table was taken away is made anew: once. */
static enum gc_verdict apply_range(struct gc_worker *w, size_t from, size_t to, const struct gc_err *poison, struct gc_err *err)
{
	struct gc_backoff backoff = { .wait_us = 0 };
	enum gc_verdict verdict;
	bool has_forgotten = false;
	int too_much = 0;

	for (;;) {
		verdict = gc_ensure_database(w, err);
		if (verdict == GC_OK && to > w->consumer->record_count)
			break;
		if (verdict == GC_OK)
			verdict = gc_rights_heal(w, try_range(w, from, to, poison, err), err);
		if (verdict == GC_REJECT && strcmp(err->code, GC_PG_NO_PARTITION) == 0 && !has_forgotten) {
			gc_keys_forget(&w->keys);
			has_forgotten = true;
			continue;
		}
		if (verdict != GC_RETRY || gc_must_leave(w))
			break;
		too_much += gc_sqlstate_wants_less(err->code);
		if (too_much >= 2 && to - from > 1)
			break;
		gc_wait_a_while(w, &backoff, err);
	}
	gc_end_wait(w, &backoff);
	return verdict;
}

/* So many equal refusals in a row are no record's fault. */
#define REJECTIONS_MAX 10

static bool is_no_records_fault(struct gc_part *part, const struct gc_err *err)
{
	bool is_equal = strcmp(part->rejected_for, err->code) == 0;

	snprintf(part->rejected_for, sizeof(part->rejected_for), "%s", err->code);
	part->rejections = is_equal ? part->rejections + 1 : 1;
	return part->rejections >= REJECTIONS_MAX || strcmp(err->code, GC_PG_NO_PARTITION) == 0;
}

/* The partition stands still before a record that the database refuses for a reason of its own; the others go on. */
static enum gc_verdict halt_part(struct gc_worker *w, struct gc_part *part, int64_t offset, const struct gc_err *err)
{
	bool is_month = strcmp(err->code, GC_PG_NO_PARTITION) == 0;
	struct gc_err why;

	gc_fail(&why, GC_FATAL, err->code, err->where, "%s[%d] stands still at offset %lld: %s: %s; %s", part->position->topic,
		part->partition, (long long)offset,
		is_month ? "the table of a month was taken away" : "the database refuses one record after another", err->text,
		is_month ? "ATTACH it again, or DROP it to have it made anew" : "see what has changed in the database");
	part->is_refused = true;
	gc_part_shut(w->consumer, part, &why);
	return GC_OK;
}

/* A record that the database refuses is found by halving, in log order, and dead-lettered when it is alone; its neighbours land. */
static enum gc_verdict apply_or_bisect(struct gc_worker *w, size_t from, size_t to, struct gc_err *err)
{
	size_t middle = from + (to - from) / 2;
	struct gc_err poison;
	struct gc_part *part;
	enum gc_verdict verdict = apply_range(w, from, to, NULL, err);

	if (verdict != GC_REJECT)
		return verdict;
	if (to - from == 1) {
		part = &w->consumer->parts[w->consumer->records[from].part];
		if (is_no_records_fault(part, err))
			return halt_part(w, part, w->consumer->records[from].message.offset, err);
		gc_counter_add(&w->counters.rejected, 1);
		poison = *err;
		return apply_range(w, from, to, &poison, err);
	}
	verdict = apply_or_bisect(w, from, middle, err);
	if (verdict != GC_OK || to > w->consumer->record_count)
		return verdict;
	return apply_or_bisect(w, middle, to, err);
}

/* ---- how much at once ---- */

/* After so many that went well twice as much is tried; twice as many each time that it was too much again. */
#define GROW_AFTER 16
#define GROW_AFTER_MAX 1024

/* True when less is to be tried: what was too much for the time-outs or the memory of the server may go in parts. */
static bool take_less(struct gc_worker *w, size_t records, const struct gc_err *err)
{
	if (records < 2 || !gc_sqlstate_wants_less(err->code) || gc_must_leave(w))
		return false;
	w->slice = records / 2;
	w->grow_after = w->grow_after ? w->grow_after * 2 : GROW_AFTER;
	if (w->grow_after > GROW_AFTER_MAX)
		w->grow_after = GROW_AFTER_MAX;
	w->went_well = 0;
	gc_warn("so many records at once are too much for the database; fewer are tried", GC_I("records", (int64_t)records),
		GC_I("next", (int64_t)w->slice), GC_ERR_FIELDS(err));
	return true;
}

static void take_more(struct gc_worker *w, size_t records)
{
	if (w->slice == 0 || records < w->slice || ++w->went_well < w->grow_after)
		return;
	w->went_well = 0;
	w->slice = w->slice * 2 < (size_t)w->config->run_batch_records ? w->slice * 2 : 0;
	if (w->slice == 0) {
		w->grow_after = 0;
		gc_info("batches are as large as run.batch_records allows again");
	}
}

/* Another owner has the partitions, or had them: wait for the group to say, then stand where the cube stands. */
static enum gc_verdict yield_to_owner(struct gc_worker *w, struct gc_err *err)
{
	int64_t until = gc_monotonic_us() + GC_SECOND_US;
	uint64_t rebalances = w->consumer->rebalances;

	gc_counter_add(&w->counters.fenced, 1);
	gc_warn("another owner has moved these partitions; reading again from where the cube stands");
	gc_consumer_drop(w->consumer, w->consumer->record_count);
	while (w->consumer->rebalances == rebalances && gc_monotonic_us() < until && !gc_must_leave(w)) {
		gc_consumer_gather(w->consumer, GC_IDLE_WAIT_US);
		gc_consumer_drop(w->consumer, w->consumer->record_count);
	}
	return w->consumer->rebalances == rebalances ? gc_consumer_restart(w->consumer, w->pg, err) : GC_OK;
}

enum gc_verdict gc_apply_records(struct gc_worker *w, struct gc_err *err)
{
	size_t n = w->consumer->record_count, from = 0;
	enum gc_verdict verdict = GC_OK;

	while (verdict == GC_OK && from < n && w->consumer->record_count >= n) {
		size_t records = w->slice > 0 && n - from > w->slice ? w->slice : n - from;

		verdict = apply_or_bisect(w, from, from + records, err);
		if (verdict == GC_OK) {
			from += records;
			take_more(w, records);
		} else if (verdict == GC_RETRY && take_less(w, records, err)) {
			verdict = GC_OK; /* what of it was applied is passed over */
		}
	}
	if (verdict == GC_FENCED)
		return yield_to_owner(w, err);
	if (n > 0 && verdict == GC_OK && w->consumer->record_count >= n)
		gc_consumer_drop(w->consumer, n);
	return verdict;
}

/* ---- ends ---- */

/* A transaction of producers leaves a marker behind, an aborted one all its records: offsets that nobody can read. A position that stayed
 * before them at the end of a partition would look like a lag for ever, in Kafka's group as in the cube. */
#define PASS_INTERVAL_US (2 * GC_SECOND_US)

static bool is_before_end(const struct gc_part *part)
{
	return part->at_end && !part->is_shut && part->reached > part->next_offset;
}

/* So many offsets of the partition are passed over, as ignored. */
static void pass_end(struct gc_worker *w, struct gc_part *part)
{
	uint32_t index = partition_of(w, part);
	struct gc_partition *parts;

	gc_batch_partitions(w->batch, &parts);
	parts[index].ignored = part->reached - part->next_offset;
	parts[index].to_offset = part->reached;
	parts[index].last_hash = part->last_hash;
}

void gc_pass_ends(struct gc_worker *w)
{
	struct gc_consumer *c = w->consumer;
	int64_t now = gc_monotonic_us(), late = 0;
	struct gc_partition *parts;
	struct gc_err err;

	if (now - w->passed_us < PASS_INTERVAL_US || c->record_count > 0 || c->pending || c->is_adrift || !w->pg ||
	    gc_pg_is_lost(w->pg))
		return;
	w->passed_us = now;
	gc_batch_reset(w->batch);
	for (size_t i = 0; i < c->part_count; i++) {
		c->parts[i].in_batch = 0;
		if (is_before_end(&c->parts[i]))
			pass_end(w, &c->parts[i]);
	}
	if (gc_batch_partitions(w->batch, &parts) == 0)
		return;
	if (gc_pg_apply(w->pg, w->batch, &late, &err) == GC_OK)
		settle_batch(w, true);
	else
		gc_debug("what nobody can read was not passed over", GC_ERR_FIELDS(&err));
}
