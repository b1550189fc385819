/* Claims: for each partition that the group assigns a row of cube.etl_offset is claimed, and reading starts at its next_offset. See
 * consumer.h.
 *
 * Threads: one consumer belongs to one worker.
 */
#include "kafka/claim.h"
#include "kafka/client.h"

#include <gracecube/arena.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what is held ---- */

static void release(struct gc_consumer *c, const struct gc_assignment *assignment)
{
	int64_t mine = c->index;

	atomic_store(&assignment->position->halted_us, 0);
	atomic_compare_exchange_strong(&assignment->position->holder, &mine, 0);
}

/* Another worker may own them by now. Records fetched from them are discarded too: each holds an index into this list. */
void gc_assignments_release(struct gc_consumer *c)
{
	gc_consumer_discard(c);
	for (size_t i = 0; i < c->source.assignment_count; i++)
		release(c, &c->source.assignments[i]);
	free(c->source.assignments);
	c->source.assignments = NULL;
	c->source.assignment_count = 0;
}

static bool is_listed(const rd_kafka_topic_partition_list_t *list, const struct gc_assignment *assignment)
{
	return rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)list, assignment->position->topic,
						  assignment->partition) != NULL;
}

void gc_assignments_drop(struct gc_consumer *c, const rd_kafka_topic_partition_list_t *gone)
{
	struct gc_assignment *assignments = c->source.assignments;
	size_t *now_at = gc_calloc(c->source.assignment_count + 1, sizeof(*now_at)), kept = 0;

	for (size_t i = 0; i < c->source.assignment_count; i++) {
		if (is_listed(gone, &assignments[i])) {
			release(c, &assignments[i]);
			atomic_store(&assignments[i].position->given_up_us, gc_monotonic_us());
			now_at[i] = GC_GONE;
		} else {
			now_at[i] = kept;
			assignments[kept++] = assignments[i];
		}
	}
	if (kept < c->source.assignment_count)
		gc_records_keep(c, now_at);
	c->source.assignment_count = kept;
	free(now_at);
}

static struct gc_assignment *make_assignments(struct gc_consumer *c, const rd_kafka_topic_partition_list_t *list)
{
	struct gc_assignment *assignments = gc_calloc((size_t)list->cnt + 1, sizeof(*assignments));

	for (int i = 0; i < list->cnt; i++) {
		const struct gc_stream_config *stream = gc_config_stream_of(c->config, gc_span_of(list->elems[i].topic));

		assignments[i].position = gc_position_get(c->positions, list->elems[i].topic, list->elems[i].partition);
		assignments[i].partition = list->elems[i].partition;
		assignments[i].stream = gc_stream_find(gc_span_of(stream->name));
		assignments[i].unit = stream->time_unit;
		assignments[i].applies_truncate = stream->truncate == GC_APPLY;
	}
	return assignments;
}

/* ---- standing still ---- */

/* Delay before a halted partition is retried: doubled each time. */
#define RETRY_US (10 * GC_SECOND_US)
#define RETRY_MAX_US (5 * GC_MINUTE_US)
/* Timeout of a seek in one partition. */
#define SEEK_MS 2000
/* How often a topic that was missing, or not authorized, is looked up again. */
#define TOPICS_CHECK_US GC_MINUTE_US

static void schedule_retry(struct gc_assignment *assignment)
{
	assignment->wait_us = assignment->wait_us == 0                 ? RETRY_US
			      : assignment->wait_us * 2 > RETRY_MAX_US ? RETRY_MAX_US
								       : assignment->wait_us * 2;
	assignment->retry_us = gc_monotonic_us() + assignment->wait_us;
}

static void pause_assignment(struct gc_consumer *c, const struct gc_assignment *assignment, bool paused)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, assignment->position->topic, assignment->partition);
	if (paused)
		rd_kafka_pause_partitions(c->rk, list);
	else
		rd_kafka_resume_partitions(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

void gc_assignment_halt(struct gc_consumer *c, struct gc_assignment *assignment, const struct gc_err *why)
{
	assignment->is_paused = true;
	assignment->is_out_of_range = false;
	schedule_retry(assignment);
	pause_assignment(c, assignment, true);
	gc_position_halt(c->positions, assignment->position, why);
}

void gc_assignment_recovered(struct gc_consumer *c, struct gc_assignment *assignment)
{
	assignment->wait_us = 0;
	if (gc_position_halted_us(assignment->position) != 0)
		gc_position_heal(c->positions, assignment->position);
}

/* ---- claiming ---- */

/* An error of a connection (a handshake that is cut off, a login that is not known yet) is transient here, since the brokers were right
 * when this worker started: it is retried until librdkafka calls it fatal. */
static enum gc_verdict ask_watermarks(struct gc_consumer *c, const struct gc_assignment *assignments, size_t count,
				      struct gc_kafka_watermarks *marks, struct gc_err *err)
{
	enum gc_verdict verdict;

	for (size_t i = 0; i < count; i++)
		marks[i] = (struct gc_kafka_watermarks){ .topic = assignments[i].position->topic,
							 .partition = assignments[i].partition };
	verdict = gc_kafka_watermarks(c->rk, marks, count, GC_KAFKA_TIMEOUT_US, err);
	if (verdict == GC_FATAL && rd_kafka_fatal_error(c->rk, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR)
		verdict = err->verdict = GC_RETRY;
	return verdict;
}

static void halt_unknown(struct gc_consumer *c, struct gc_assignment *assignment)
{
	struct gc_err why;

	gc_fail(&why, GC_RETRY, "watermark", assignment->position->topic,
		"%s[%d] is not read: the broker did not tell its first offset; see whether it has a leader",
		assignment->position->topic, assignment->partition);
	gc_assignment_halt(c, assignment, &why);
}

static bool is_beyond_end(const struct gc_assignment *assignment, const struct gc_kafka_watermarks *mark)
{
	return mark->high >= 0 && assignment->next_offset > mark->high;
}

static void halt_beyond_end(struct gc_consumer *c, struct gc_assignment *assignment, const struct gc_kafka_watermarks *mark)
{
	struct gc_err why;

	gc_fail(&why, GC_FATAL, "topic_recreated", assignment->position->topic,
		"the cube's position is offset %lld of %s[%d], but Kafka ends at %lld: the topic was truncated or made anew; give it a new "
		"group (kafka.group_id) to read it from its beginning",
		(long long)assignment->next_offset, assignment->position->topic, assignment->partition, (long long)mark->high);
	gc_assignment_halt(c, assignment, &why);
}

/* The ends were asked before the claim, and the previous owner may have read on since. After the claim only we move these positions, so an
 * end that is asked now is not below them, unless the topic was recreated. */
static enum gc_verdict check_ends(struct gc_consumer *c, struct gc_assignment *assignments, size_t count,
				  struct gc_kafka_watermarks *marks, struct gc_err *err)
{
	bool asked_again = false;

	for (size_t i = 0; i < count; i++) {
		if (is_beyond_end(&assignments[i], &marks[i]) && !asked_again &&
		    ask_watermarks(c, assignments, count, marks, err) != GC_OK)
			return err->verdict;
		asked_again |= is_beyond_end(&assignments[i], &marks[i]);
		if (is_beyond_end(&assignments[i], &marks[i]))
			halt_beyond_end(c, &assignments[i], &marks[i]);
	}
	return GC_OK;
}

static void take_claim(struct gc_assignment *assignment, const struct gc_claim *claim, const struct gc_kafka_watermarks *mark)
{
	if (claim->lost > 0)
		gc_error("records were deleted by retention before they were read", GC_S("topic", assignment->position->topic),
			 GC_I("partition", assignment->partition), GC_I("records", claim->lost));
	assignment->offset_id = claim->offset_id;
	assignment->owner_epoch = claim->owner_epoch;
	assignment->next_offset = claim->next_offset;
	assignment->last_hash = claim->next_offset > mark->low ? claim->last_hash : 0;
	assignment->order = claim->order;
	assignment->truncated = claim->truncated;
	assignment->end = mark->high;
	assignment->reached = 0;
	assignment->is_held = false;
	assignment->at_end = mark->high >= 0 && claim->next_offset >= mark->high;
	gc_counter_add(&assignment->position->lost, claim->lost);
	atomic_store(&assignment->position->next_offset, claim->next_offset);
	atomic_store(&assignment->position->target, mark->high);
}

/* Claims those whose first offset the broker told; the others are halted. */
static enum gc_verdict claim_known(struct gc_consumer *c, struct gc_pg *pg, struct gc_assignment *assignments, size_t count,
				   struct gc_kafka_watermarks *marks, struct gc_err *err)
{
	struct gc_claim *claims = gc_calloc(count + 1, sizeof(*claims));
	size_t *of = gc_calloc(count + 1, sizeof(*of)), known = 0;
	enum gc_verdict verdict = GC_OK;

	for (size_t i = 0; i < count; i++) {
		if (marks[i].low < 0)
			continue;
		of[known] = i;
		claims[known++] = (struct gc_claim){ .stream = assignments[i].stream->name,
						     .topic = gc_span_of(assignments[i].position->topic),
						     .partition = assignments[i].partition,
						     .low_offset = marks[i].low };
	}
	if (known > 0)
		verdict = gc_pg_claim(pg, c->config->kafka_group_id, c->owner, claims, known, err);
	for (size_t k = 0; verdict == GC_OK && k < known; k++)
		take_claim(&assignments[of[k]], &claims[k], &marks[of[k]]);
	for (size_t i = 0; verdict == GC_OK && i < count; i++) {
		if (marks[i].low < 0)
			halt_unknown(c, &assignments[i]);
	}
	free(of);
	free(claims);
	return verdict;
}

static enum gc_verdict claim_assignments(struct gc_consumer *c, struct gc_pg *pg, struct gc_assignment *assignments, size_t count,
					 struct gc_err *err)
{
	struct gc_kafka_watermarks *marks = gc_calloc(count + 1, sizeof(*marks));
	enum gc_verdict verdict = ask_watermarks(c, assignments, count, marks, err);

	if (verdict == GC_OK)
		verdict = claim_known(c, pg, assignments, count, marks, err);
	if (verdict == GC_OK)
		verdict = check_ends(c, assignments, count, marks, err);
	free(marks);
	return verdict;
}

/* Those from `first` on. Halted partitions stay in the assignment, paused, so that each can be resumed without reassigning the others. */
static enum gc_verdict start_reading(struct gc_consumer *c, size_t first, struct gc_err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)c->source.assignment_count);
	rd_kafka_resp_err_t code;

	for (size_t i = first; i < c->source.assignment_count; i++) {
		struct gc_assignment *assignment = &c->source.assignments[i];

		assignment->verify_previous = assignment->last_hash != 0;
		rd_kafka_topic_partition_list_add(list, assignment->position->topic, assignment->partition)
			->offset = assignment->next_offset - assignment->verify_previous;
	}
	code = gc_membership_read(c, list);
	rd_kafka_topic_partition_list_destroy(list);
	for (size_t i = first; i < c->source.assignment_count; i++) /* librdkafka keeps a pause across assignments */
		pause_assignment(c, &c->source.assignments[i], c->source.assignments[i].is_paused);
	return code ? gc_kafka_fail(err, code, c->config->kafka_brokers, "starting to read") : GC_OK;
}

/* Behind what is held; records hold indexes, so that stays where it is. */
static void hold(struct gc_consumer *c, const struct gc_assignment *assignments, size_t count)
{
	struct gc_source *source = &c->source;

	source->assignments = gc_realloc(source->assignments,
					 (source->assignment_count + count + 1) * sizeof(*source->assignments));
	for (size_t i = 0; i < count; i++) {
		source->assignments[source->assignment_count++] = assignments[i];
		atomic_store(&assignments[i].position->holder, c->index);
		atomic_store(&assignments[i].position->given_up_us, 0);
		atomic_store(&assignments[i].position->told_us, -1);
	}
}

enum gc_verdict gc_consumer_claim(struct gc_consumer *c, struct gc_pg *pg, struct gc_err *err)
{
	size_t count, first;
	struct gc_assignment *assignments;
	enum gc_verdict verdict;

	if (!c->pending)
		return GC_OK;
	count = (size_t)c->pending->cnt;
	assignments = make_assignments(c, c->pending);
	if (c->is_incremental)
		gc_assignments_drop(c, c->pending);
	else
		gc_assignments_release(c);
	verdict = count > 0 ? claim_assignments(c, pg, assignments, count, err) : GC_OK;
	first = c->source.assignment_count;
	if (verdict == GC_OK)
		hold(c, assignments, count);
	free(assignments);
	if (verdict != GC_OK)
		return verdict;
	gc_pending_forget(c);
	c->joined = true;
	return start_reading(c, first, err);
}

static bool has_moved_back(const struct gc_assignment *before, const struct gc_consumer *c)
{
	for (size_t i = 0; i < c->source.assignment_count; i++) {
		if (c->source.assignments[i].next_offset < before[i].next_offset)
			return true;
	}
	return false;
}

enum gc_verdict gc_consumer_reclaim(struct gc_consumer *c, struct gc_pg *pg, struct gc_err *err)
{
	size_t bytes = c->source.assignment_count * sizeof(*c->source.assignments);
	struct gc_assignment *before;
	enum gc_verdict verdict;

	if (c->source.assignment_count == 0)
		return GC_OK;
	before = gc_malloc(bytes);
	memcpy(before, c->source.assignments, bytes);
	verdict = claim_assignments(c, pg, c->source.assignments, c->source.assignment_count, err);
	if (verdict != GC_OK) {
		memcpy(c->source.assignments, before, bytes);
	} else if (has_moved_back(before, c)) {
		/* a failover lost commits: what was fetched does not begin at the cube's position */
		gc_consumer_discard(c);
		verdict = start_reading(c, 0, err);
	} else {
		/* reading goes on; an end is reported once, so it is kept */
		for (size_t i = 0; i < c->source.assignment_count; i++) {
			c->source.assignments[i].at_end |= before[i].at_end;
			c->source.assignments[i].reached = before[i].reached;
		}
	}
	free(before);
	return verdict;
}

/* The position is out of range, and retention is not the reason. */
static void halt_out_of_range(struct gc_consumer *c, struct gc_assignment *assignment)
{
	struct gc_err why;

	gc_fail(&why, GC_FATAL, "offset_out_of_range", assignment->position->topic,
		"Kafka does not have offset %lld of %s[%d], the cube's position, though it lies between the first and the last "
		"one: the topic was truncated or made anew; see `gracecube status`",
		(long long)assignment->next_offset, assignment->position->topic, assignment->partition);
	gc_assignment_halt(c, assignment, &why);
}

enum gc_verdict gc_consumer_restart(struct gc_consumer *c, struct gc_pg *pg, struct gc_err *err)
{
	int64_t *lost = gc_calloc(c->source.assignment_count + 1, sizeof(*lost));
	enum gc_verdict verdict = GC_OK;

	for (size_t i = 0; i < c->source.assignment_count; i++)
		lost[i] = atomic_load(&c->source.assignments[i].position->lost);
	if (c->source.assignment_count > 0)
		verdict = claim_assignments(c, pg, c->source.assignments, c->source.assignment_count, err);
	gc_consumer_discard(c);
	for (size_t i = 0; verdict == GC_OK && i < c->source.assignment_count; i++) {
		struct gc_assignment *assignment = &c->source.assignments[i];

		if (assignment->is_out_of_range && atomic_load(&assignment->position->lost) == lost[i] && !assignment->is_paused)
			halt_out_of_range(c, assignment);
		assignment->is_out_of_range = false;
	}
	if (verdict == GC_OK)
		c->needs_restart = false;
	free(lost);
	return verdict == GC_OK && c->source.assignment_count > 0 ? start_reading(c, 0, err) : verdict;
}

/* ---- limits ---- */

/* Below the limit there is nothing more to be read: that is an end, up to which the position passes over what nobody can read. */
void gc_assignment_hold(struct gc_consumer *c, struct gc_assignment *assignment, int64_t offset, int64_t limit)
{
	assignment->is_held = assignment->at_end = assignment->is_drained = true;
	assignment->held_offset = offset;
	assignment->reached = limit;
	pause_assignment(c, assignment, true);
	gc_assignment_recovered(c, assignment);
}

/* All in one go: librdkafka answers when each stands where it is to be read. */
void gc_assignments_go_on(struct gc_consumer *c)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)c->source.assignment_count);
	rd_kafka_error_t *error = NULL;

	for (size_t i = 0; i < c->source.assignment_count; i++) {
		struct gc_assignment *assignment = &c->source.assignments[i];

		if (!assignment->is_held || assignment->is_paused ||
		    atomic_load(&assignment->position->limit) <= assignment->reached)
			continue;
		assignment->is_held = false;
		rd_kafka_topic_partition_list_add(list, assignment->position->topic, assignment->partition)
			->offset = assignment->held_offset;
	}
	if (list->cnt > 0) {
		rd_kafka_resume_partitions(c->rk, list);
		error = rd_kafka_seek_partitions(c->rk, list, SEEK_MS);
	}
	c->needs_restart |= error != NULL;
	for (int i = 0; i < list->cnt; i++)
		c->needs_restart |= list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_error_destroy(error);
	rd_kafka_topic_partition_list_destroy(list);
}

/* ---- trying again ---- */

/* Resumes at the cube's position; whether anything comes is seen then. */
static bool seek(struct gc_consumer *c, struct gc_assignment *assignment)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_error_t *error;
	bool done;

	assignment->verify_previous = assignment->last_hash != 0;
	pause_assignment(c, assignment, false);
	rd_kafka_topic_partition_list_add(list, assignment->position->topic, assignment->partition)
		->offset = assignment->next_offset - assignment->verify_previous;
	error = rd_kafka_seek_partitions(c->rk, list, SEEK_MS);
	done = error == NULL && list->elems[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_error_destroy(error);
	rd_kafka_topic_partition_list_destroy(list);
	return done;
}

static bool has_records(const struct gc_consumer *c, const struct gc_assignment *assignment)
{
	for (size_t i = 0; i < c->source.record_count; i++) {
		if (&c->source.assignments[c->source.records[i].assignment] == assignment)
			return true;
	}
	return false;
}

/* Claims first: the position may have been changed by hand, and the topic recreated. */
static void retry_halted(struct gc_consumer *c, struct gc_pg *pg, struct gc_assignment *assignment)
{
	struct gc_err err = { .verdict = GC_OK };

	assignment->is_paused = false;
	if (claim_assignments(c, pg, assignment, 1, &err) != GC_OK)
		gc_debug("a halted partition could not be claimed", GC_ERR_FIELDS(&err));
	else if (!assignment->is_paused) {
		/* A partition whose fetcher librdkafka has stopped refuses to seek (_STATE, for ever; 2.0.2 and 2.8.0, about every other
		 * time on a busy machine): assigning all partitions anew starts it. */
		c->needs_restart = !seek(c, assignment);
		assignment->is_on_trial |= assignment->is_refused;
		assignment->is_refused = false;
		assignment->retry_us = gc_monotonic_us() + assignment->wait_us;
		return;
	}
	if (!assignment->is_paused)
		schedule_retry(assignment);
	assignment->is_paused = true;
}

/* A retried partition gives a record, an end or an error. One that stays silent is retried again. */
static bool is_retry_due(const struct gc_consumer *c, const struct gc_assignment *assignment, int64_t now)
{
	bool is_silent = !assignment->is_paused && gc_position_halted_us(assignment->position) != 0;

	return (assignment->is_paused || is_silent) && now >= assignment->retry_us && !has_records(c, assignment);
}

/* A topic that is not authorized has no partition that could be retried: it is looked up by name. */
static void check_missing_topics(struct gc_consumer *c)
{
	struct gc_err err;

	c->topics_check_us = gc_monotonic_us() + TOPICS_CHECK_US;
	for (size_t s = 0; s < c->config->stream_count; s++) {
		const struct gc_stream_config *stream = &c->config->streams[s];

		for (size_t t = 0; t < stream->topic_count; t++) {
			struct gc_kafka_topic topic = { .name = stream->topics[t] };
			struct gc_position *whole = gc_position_find(c->positions, topic.name, GC_WHOLE_TOPIC);

			if (whole && gc_position_halted_us(whole) != 0 &&
			    gc_kafka_topics(c->rk, &topic, 1, SEEK_MS * 1000, &err) == GC_OK && topic.partitions > 0)
				gc_position_heal(c->positions, whole);
		}
	}
}

void gc_consumer_retry_halted(struct gc_consumer *c, struct gc_pg *pg)
{
	int64_t now = gc_monotonic_us();

	for (size_t i = 0; i < c->source.assignment_count && !c->pending && !c->needs_restart; i++) {
		struct gc_assignment *assignment = &c->source.assignments[i];

		if (is_retry_due(c, assignment, now))
			retry_halted(c, pg, assignment);
	}
	if (c->index == 1 && now >= c->topics_check_us)
		check_missing_topics(c);
}
