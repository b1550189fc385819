/* Pipeline: see pipeline.h. The guarantee, in three sentences: a record's rows, its dead letter and the position behind it are one
 * commit. A position moves only from the value that the cube has, or the commit fails. So whatever is killed, cut off or sent again, each
 * record changes the cube exactly once, or is in the dead letters with its reason.
 *
 * Threads: a pipeline belongs to one worker.
 */
#include "worker/pipeline.h"

#include <gracecube/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gc_pipeline_init(struct gc_pipeline *p, const struct gc_config *config, struct gc_source *source,
		      struct gc_worker_counters *counters, int64_t cache_entries)
{
	*p = (struct gc_pipeline){ .config = config, .source = source, .counters = counters };
	gc_dimension_cache_init(&p->cache, cache_entries);
	p->batch = gc_batch_new(&p->cache, config->limits_value_bytes, config->limits_key_bytes);
	gc_batch_ask_headers(p->batch, source->calls->headers);
}

void gc_pipeline_done(struct gc_pipeline *p)
{
	gc_pg_close(p->pg);
	gc_batch_free(p->batch);
	gc_dimension_cache_done(&p->cache);
	free(p->emptying.after);
}

/* ---- steps of one batch ---- */

static uint32_t partition_of(struct gc_pipeline *p, struct gc_assignment *assignment)
{
	struct gc_partition_batch *parts;

	if (assignment->in_batch == 0) {
		assignment->in_batch = 1 + gc_batch_partition(p->batch, gc_span_of(assignment->position->topic),
							      assignment->partition, assignment->offset_id, assignment->owner_epoch,
							      assignment->next_offset, &assignment->order);
		gc_batch_partitions(p->batch, &parts);
		parts[assignment->in_batch - 1].applies_truncate = assignment->applies_truncate;
		parts[assignment->in_batch - 1].truncated = assignment->truncated;
		parts[assignment->in_batch - 1].last_hash = assignment->last_hash;
	}
	return assignment->in_batch - 1;
}

static void begin_batch(struct gc_pipeline *p, size_t from, size_t to, bool is_unread)
{
	p->from = from;
	p->to = to;
	p->is_unread = is_unread;
	gc_batch_reset(p->batch);
	for (size_t i = 0; i < p->source->assignment_count; i++)
		p->source->assignments[i].in_batch = 0;
}

size_t gc_pipeline_fill(struct gc_pipeline *p, size_t from, size_t to, const struct gc_err *reject_reason)
{
	struct gc_source *s = p->source;
	int64_t started = gc_monotonic_us();

	begin_batch(p, from, to, reject_reason != NULL);
	for (size_t i = from; i < to && !gc_batch_truncate(p->batch); i++) {
		const struct gc_record *record = &s->records[i];
		struct gc_assignment *assignment = &s->assignments[record->assignment];

		p->to = i + 1;
		if (record->message.offset < assignment->next_offset || assignment->is_refused)
			continue; /* applied already (the answer to a COMMIT was lost), or its partition is halted before it */
		if (reject_reason)
			gc_batch_add_dead(p->batch, partition_of(p, assignment), assignment->stream, &record->message,
					  reject_reason);
		else if (!gc_batch_add(p->batch, partition_of(p, assignment), assignment->stream, assignment->unit,
				       &record->message)) {
			p->to = i;
			break;
		}
	}
	gc_batch_coalesce(p->batch);
	gc_counter_add(&p->counters->decode_us, gc_monotonic_us() - started);
	gc_histogram_add(&p->counters->decode, &gc_stage_buckets, gc_monotonic_us() - started);
	return gc_batch_message_count(p->batch);
}

enum gc_verdict gc_pipeline_resolve(struct gc_pipeline *p, struct gc_err *err)
{
	int64_t started = gc_monotonic_us(), cpu = gc_thread_cpu_us();
	enum gc_verdict verdict = gc_pg_resolve(p->pg, p->batch, &p->cache, err);

	gc_counter_add(&p->counters->keys_us, gc_monotonic_us() - started);
	gc_histogram_add(&p->counters->resolve, &gc_stage_buckets, gc_monotonic_us() - started);
	gc_counter_add(&p->counters->encode_us, gc_thread_cpu_us() - cpu);
	return verdict;
}

static void note_change(struct gc_pipeline *p, const struct gc_stream *stream)
{
	for (size_t i = 0; gc_streams[i] && i < 64; i++)
		p->changed |= (uint64_t)(gc_streams[i] == stream) << i;
}

/* A record of it was applied: earlier rejections count no more. */
static void clear_rejections(struct gc_pipeline *p, struct gc_assignment *assignment)
{
	assignment->rejections = 0;
	if (assignment->is_on_trial)
		p->source->calls->recovered(p->source, assignment);
	assignment->is_on_trial = false;
}

/* The batch is committed: only now the positions advance. */
static void advance_positions(struct gc_pipeline *p)
{
	struct gc_partition_batch *parts;
	size_t n = gc_batch_partitions(p->batch, &parts);

	gc_batch_committed(p->batch);
	for (size_t i = 0; i < p->source->assignment_count; i++) {
		struct gc_assignment *assignment = &p->source->assignments[i];
		const struct gc_partition_batch *moved = assignment->in_batch > 0 && assignment->in_batch <= n
								 ? &parts[assignment->in_batch - 1]
								 : NULL;

		if (!moved)
			continue;
		note_change(p, assignment->stream);
		assignment->next_offset = moved->to_offset;
		assignment->last_hash = moved->last_hash;
		assignment->order = moved->order;
		atomic_store(&assignment->position->next_offset, moved->to_offset);
		if (!p->is_unread)
			clear_rejections(p, assignment);
		gc_counter_add(&p->counters->applied, moved->applied);
		gc_counter_add(&p->counters->superseded, moved->superseded);
		gc_counter_add(&p->counters->dead, moved->dead);
		gc_counter_add(&p->counters->ignored, moved->ignored);
	}
	gc_counter_add(&p->counters->records, (int64_t)gc_batch_message_count(p->batch));
	gc_counter_add(&p->counters->batches, 1);
	atomic_store(&p->counters->progress_us, gc_monotonic_us());
	atomic_store(&p->counters->cache_hits, (int64_t)p->cache.hits);
	atomic_store(&p->counters->cache_misses, (int64_t)p->cache.missed);
}

enum gc_verdict gc_pipeline_apply(struct gc_pipeline *p, struct gc_err *err)
{
	int64_t started = gc_monotonic_us(), cpu = gc_thread_cpu_us(), superseded = 0;
	enum gc_verdict verdict;

	gc_batch_assign_keys(p->batch);
	verdict = gc_pg_apply(p->pg, p->batch, &superseded, err);
	gc_counter_add(&p->counters->applied, -superseded);
	gc_counter_add(&p->counters->superseded, superseded);
	gc_counter_add(&p->counters->apply_us, gc_monotonic_us() - started);
	gc_histogram_add(&p->counters->commit, &gc_stage_buckets, gc_monotonic_us() - started);
	gc_counter_add(&p->counters->encode_us, gc_thread_cpu_us() - cpu);
	if (verdict == GC_OK) {
		p->links_wait = p->links_wait || gc_batch_introduces_missions(p->batch);
		p->links_may_wait = true;
		gc_count_committed(p);
		advance_positions(p);
	}
	return verdict;
}

static enum gc_verdict try_batch(struct gc_pipeline *p, struct gc_err *err)
{
	enum gc_verdict verdict = gc_pipeline_resolve(p, err);

	if (verdict == GC_OK)
		verdict = gc_pipeline_apply(p, err);
	if (verdict == GC_OK)
		gc_pipeline_notify(p, GC_NOTIFY_INTERVAL_US);
	return verdict;
}

/* ---- a TRUNCATE of the source ---- */

/* What stood before it is deleted as by records, some rows a transaction, which leaves the position where it is; the record's own comes last.
 * Whoever takes over in between deletes what is left. A row that stood before it and comes later, as of another partition, comes with its
 * delete: all who read the topic know of the TRUNCATE before the first row is asked for. */

/* Rows of a transaction: half a second of work. Halved while that is too much for the server. */
#define GONE_MAX 5000
#define GONE_MIN 50

struct gone {
	struct gc_pipeline *pipeline;
	struct gc_assignment *assignment;
	struct gc_truncate truncate;
	uint32_t part;
	struct gc_span last;
	size_t count;
};

static bool is_begun(const struct gc_emptying *e, const struct gc_assignment *assignment)
{
	return e->after && e->offset_id == assignment->offset_id && e->owner_epoch == assignment->owner_epoch &&
	       e->offset == assignment->next_offset;
}

static enum gc_verdict note_truncate(const struct gone *gone, struct gc_err *err)
{
	struct gc_source *s = gone->pipeline->source;
	struct gc_claim *held = gc_calloc(s->assignment_count + 1, sizeof(*held));
	enum gc_verdict verdict;

	held[0] = (struct gc_claim){ .offset_id = gone->assignment->offset_id, .owner_epoch = gone->assignment->owner_epoch };
	for (size_t i = 0; i < s->assignment_count; i++)
		held[1 + i] = (struct gc_claim){ .offset_id = s->assignments[i].offset_id,
						 .owner_epoch = s->assignments[i].owner_epoch };
	verdict = gc_pg_note_truncate(gone->pipeline->pg, &gone->truncate, held, 1 + s->assignment_count, err);
	for (size_t i = 0; verdict == GC_OK && i < s->assignment_count; i++) {
		if (strcmp(s->assignments[i].position->topic, gone->assignment->position->topic) == 0 &&
		    gc_version_compare(s->assignments[i].truncated, gone->truncate.version) < 0)
			s->assignments[i].truncated = gone->truncate.version;
	}
	free(held);
	return verdict;
}

static enum gc_verdict begin_emptying(const struct gone *gone, struct gc_err *err)
{
	struct gc_emptying *e = &gone->pipeline->emptying;
	enum gc_verdict verdict = note_truncate(gone, err);

	if (verdict != GC_OK)
		return verdict;
	free(e->after);
	*e = (struct gc_emptying){ gone->assignment->offset_id, gone->assignment->owner_epoch, gone->assignment->next_offset,
				   gc_strdup(""), GONE_MAX };
	return GC_OK;
}

static void delete_row(void *arg, const char *const *values, int columns)
{
	struct gone *gone = arg;
	struct gc_batch *batch = gone->pipeline->batch;

	(void)columns;
	gone->last = gc_arena_dup(gc_batch_arena(batch), gc_span_of(values[0]));
	gc_batch_delete(batch, gone->part, gone->assignment->stream, &gone->truncate.version, gone->last);
	gone->count++;
}

static enum gc_verdict delete_some(struct gone *gone, struct gc_err *err)
{
	struct gc_pipeline *p = gone->pipeline;
	const struct gc_gone rows = { gone->assignment->stream->targets[0]->name,
				      gone->assignment->position->topic,
				      gone->truncate.version.at_us,
				      gone->truncate.version.lsn,
				      p->emptying.after,
				      p->emptying.rows_max };
	enum gc_verdict verdict;

	begin_batch(p, p->from, p->to, true);
	gone->part = partition_of(p, gone->assignment);
	verdict = gc_pg_gone(p->pg, &rows, delete_row, gone, err);
	if (verdict == GC_OK && gone->count > 0) {
		gc_batch_coalesce(p->batch);
		verdict = try_batch(p, err);
	}
	if (verdict == GC_RETRY && gc_sqlstate_wants_less(err->code) && p->emptying.rows_max > GONE_MIN)
		p->emptying.rows_max /= 2;
	return verdict;
}

/* Of the batch, which is this record alone, at `index`. */
static enum gc_verdict apply_truncate(struct gc_pipeline *p, size_t index, struct gc_err *err)
{
	struct gone gone = { .pipeline = p,
			     .assignment = &p->source->assignments[p->source->records[index].assignment],
			     .truncate = *gc_batch_truncate(p->batch) };
	enum gc_verdict verdict = is_begun(&p->emptying, gone.assignment) ? GC_OK : begin_emptying(&gone, err);
	struct gc_err refusal;

	if (verdict == GC_REJECT) {
		refusal = *err;
		gc_pipeline_fill(p, index, index + 1, &refusal);
		return try_batch(p, err);
	}
	if (verdict == GC_OK)
		verdict = delete_some(&gone, err);
	if (verdict != GC_OK)
		return verdict;
	if (gone.count > 0) {
		free(p->emptying.after);
		p->emptying.after = gc_span_strdup(gone.last);
		p->is_halfway = true;
		p->to = index;
		return GC_OK;
	}
	gc_pipeline_fill(p, index, index + 1, NULL);
	return try_batch(p, err);
}

enum gc_verdict gc_pipeline_try(struct gc_pipeline *p, size_t from, size_t to, const struct gc_err *reject_reason,
				struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	p->is_halfway = false;
	for (; verdict == GC_OK && !p->is_halfway && from < to && gc_pipeline_fill(p, from, to, reject_reason) > 0; from = p->to)
		verdict = gc_batch_truncate(p->batch) ? apply_truncate(p, p->to - 1, err) : try_batch(p, err);
	return verdict;
}

/* ---- telling ---- */

/* Open pages learn of commits by NOTIFY, outside of the facts' transaction. Commits that are closer together than interval_us are one
 * notification. */
void gc_pipeline_notify(struct gc_pipeline *p, int64_t interval_us)
{
	char names[1024] = "";
	size_t len = 0;
	int64_t now = gc_monotonic_us();

	if (!p->changed || !p->pg || gc_pg_is_lost(p->pg) || now - p->notified_us < interval_us)
		return;
	for (size_t i = 0; gc_streams[i] && len < sizeof(names); i++) {
		if (p->changed >> i & 1)
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len ? "," : "", gc_streams[i]->name);
	}
	gc_pg_notify(p->pg, names);
	p->changed = 0;
	p->notified_us = now;
}

/* ---- refusals ---- */

/* So many equal rejections in a row are not the records' fault. */
#define REJECTIONS_MAX 10

static bool is_no_records_fault(struct gc_assignment *assignment, const struct gc_err *err)
{
	bool is_equal = strcmp(assignment->rejected_for, err->code) == 0;

	snprintf(assignment->rejected_for, sizeof(assignment->rejected_for), "%s", err->code);
	assignment->rejections = is_equal ? assignment->rejections + 1 : 1;
	return assignment->rejections >= REJECTIONS_MAX || strcmp(err->code, GC_PG_NO_PARTITION) == 0;
}

/* Halts the partition before a record that the database refuses for a reason of its own; the others go on. */
static enum gc_verdict halt_assignment(struct gc_pipeline *p, struct gc_assignment *assignment, int64_t offset,
				       const struct gc_err *err)
{
	bool is_month = strcmp(err->code, GC_PG_NO_PARTITION) == 0;
	struct gc_err why;

	gc_fail(&why, GC_FATAL, err->code, err->where, "%s[%d] is halted at offset %lld: %s: %s; %s", assignment->position->topic,
		assignment->partition, (long long)offset,
		is_month ? "the table of a month was taken away" : "the database refuses one record after another", err->text,
		is_month ? "ATTACH it again, or DROP it to have it made anew" : "see what has changed in the database");
	assignment->is_refused = true;
	p->source->calls->halt(p->source, assignment, &why);
	return GC_OK;
}

static enum gc_verdict apply_or_bisect(struct gc_pipeline *p, const struct gc_retry_policy *policy, size_t from, size_t to,
				       struct gc_err *err)
{
	size_t middle = from + (to - from) / 2;
	struct gc_err reject_reason;
	struct gc_assignment *assignment;
	enum gc_verdict verdict = policy->attempt(policy->arg, from, to, NULL, err);

	if (verdict != GC_REJECT)
		return verdict;
	if (to - from == 1) {
		assignment = &p->source->assignments[p->source->records[from].assignment];
		if (is_no_records_fault(assignment, err))
			return halt_assignment(p, assignment, p->source->records[from].message.offset, err);
		gc_counter_add(&p->counters->rejected, 1);
		reject_reason = *err;
		return policy->attempt(policy->arg, from, to, &reject_reason, err);
	}
	verdict = apply_or_bisect(p, policy, from, middle, err);
	if (verdict != GC_OK || gc_pipeline_is_void(p) || p->is_halfway)
		return verdict;
	return apply_or_bisect(p, policy, middle, to, err);
}

/* ---- how much at once ---- */

/* After so many successes the slice doubles; the number doubles each time that a slice was too much again. */
#define GROW_AFTER 16
#define GROW_AFTER_MAX 1024

/* True when fewer records are to be tried: what exceeded the timeouts or the memory of the server may succeed in parts. */
static bool shrink_slice(struct gc_pipeline *p, const struct gc_retry_policy *policy, size_t records, const struct gc_err *err)
{
	if (records < 2 || !gc_sqlstate_wants_less(err->code) || policy->is_over(policy->arg))
		return false;
	p->slice = records / 2;
	p->grow_after = p->grow_after ? p->grow_after * 2 : GROW_AFTER;
	if (p->grow_after > GROW_AFTER_MAX)
		p->grow_after = GROW_AFTER_MAX;
	p->succeeded = 0;
	gc_warn("so many records at once are too much for the database; fewer are tried", GC_I("records", (int64_t)records),
		GC_I("next", (int64_t)p->slice), GC_ERR_FIELDS(err));
	return true;
}

static void grow_slice(struct gc_pipeline *p, size_t records)
{
	if (p->slice == 0 || records < p->slice || ++p->succeeded < p->grow_after)
		return;
	p->succeeded = 0;
	p->slice = p->slice * 2 < (size_t)p->config->run_batch_records ? p->slice * 2 : 0;
	if (p->slice == 0) {
		p->grow_after = 0;
		gc_info("batches are as large as run.batch_records allows again");
	}
}

bool gc_pipeline_is_void(const struct gc_pipeline *p)
{
	return p->generation != p->source->generation;
}

enum gc_verdict gc_pipeline_run(struct gc_pipeline *p, const struct gc_retry_policy *policy, struct gc_err *err)
{
	size_t n = p->source->record_count;
	enum gc_verdict verdict = GC_OK;

	p->generation = p->source->generation;
	p->is_halfway = false;
	p->done = 0;
	while (verdict == GC_OK && p->done < n && !gc_pipeline_is_void(p) && !p->is_halfway) {
		size_t records = p->slice > 0 && n - p->done > p->slice ? p->slice : n - p->done;

		verdict = apply_or_bisect(p, policy, p->done, p->done + records, err);
		if (verdict == GC_OK && p->is_halfway) {
			p->done = p->to;
		} else if (verdict == GC_OK) {
			p->done += records;
			grow_slice(p, records);
		} else if (verdict == GC_RETRY && shrink_slice(p, policy, records, err)) {
			verdict = GC_OK; /* records of it that were applied are skipped */
		}
	}
	return verdict;
}

/* ---- ends ---- */

/* A transaction of a producer leaves a control record behind, an aborted one all its records: offsets that no consumer gets. A position
 * that stayed before them at the end of a partition would look like a lag for ever, in Kafka's group as in the cube. */

static int64_t end_of(const struct gc_assignment *assignment)
{
	int64_t limit = atomic_load(&assignment->position->limit);

	return assignment->reached < limit ? assignment->reached : limit;
}

static bool is_before_end(const struct gc_assignment *assignment)
{
	return assignment->at_end && !assignment->is_paused && end_of(assignment) > assignment->next_offset;
}

/* Moves the position to the end; the offsets between count as ignored. */
static void skip_to_end(struct gc_pipeline *p, struct gc_assignment *assignment)
{
	uint32_t index = partition_of(p, assignment);
	struct gc_partition_batch *parts;

	gc_batch_partitions(p->batch, &parts);
	parts[index].ignored = end_of(assignment) - assignment->next_offset;
	parts[index].to_offset = end_of(assignment);
}

void gc_pipeline_skip_to_ends(struct gc_pipeline *p)
{
	struct gc_partition_batch *parts;
	int64_t superseded = 0;
	struct gc_err err;

	begin_batch(p, 0, 0, true);
	for (size_t i = 0; i < p->source->assignment_count; i++) {
		if (is_before_end(&p->source->assignments[i]))
			skip_to_end(p, &p->source->assignments[i]);
	}
	if (gc_batch_partitions(p->batch, &parts) == 0)
		return;
	if (gc_pg_apply(p->pg, p->batch, &superseded, &err) == GC_OK)
		advance_positions(p);
	else
		gc_debug("what nobody can read was not passed over", GC_ERR_FIELDS(&err));
}
