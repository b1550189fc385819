/* Claims: what the group assigns becomes ours by a row of cube.etl_offset each, and reading starts where that row stands. See consumer.h.
 *
 * Threads: one consumer belongs to one worker.
 */
#include "kafka/claim.h"
#include "kafka/client.h"

#include <gracecube/arena.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what is held ---- */

/* Another worker may hold them by now. What was fetched of them goes with them: a record knows its partition by its place in the list. */
void gc_parts_release(struct gc_consumer *c)
{
	gc_consumer_drop(c);
	for (size_t i = 0; i < c->source.part_count; i++) {
		int64_t mine = c->index;

		atomic_store(&c->source.parts[i].position->halted_us, 0);
		atomic_compare_exchange_strong(&c->source.parts[i].position->holder, &mine, 0);
	}
	free(c->source.parts);
	c->source.parts = NULL;
	c->source.part_count = 0;
}

void gc_pending_forget(struct gc_consumer *c)
{
	if (c->pending)
		rd_kafka_topic_partition_list_destroy(c->pending);
	c->pending = NULL;
}

/* A partition that is taken away while it still stops ends the process: "Assertion `rktp->rktp_started' failed" (librdkafka 2.0.2; the
 * code of 2.12 is the same). The orders to stop, and their answers, go through the queue of librdkafka's main thread, where these two
 * questions stand behind them. */
rd_kafka_resp_err_t gc_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t code = rd_kafka_assign(rk, list);

	for (int i = 0; i < 2; i++) {
		rd_kafka_topic_partition_list_t *held = NULL;

		if (rd_kafka_assignment(rk, &held) == RD_KAFKA_RESP_ERR_NO_ERROR)
			rd_kafka_topic_partition_list_destroy(held);
	}
	return code;
}

void gc_assign_nothing(rd_kafka_t *rk)
{
	rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);

	gc_assign(rk, none);
	rd_kafka_topic_partition_list_destroy(none);
}

static const struct gc_stream_config *stream_of_topic(const struct gc_config *config, const char *topic)
{
	for (size_t s = 0; s < config->stream_count; s++) {
		for (size_t t = 0; t < config->streams[s].topic_count; t++) {
			if (strcmp(config->streams[s].topics[t], topic) == 0)
				return &config->streams[s];
		}
	}
	return NULL;
}

static struct gc_part *make_parts(struct gc_consumer *c, const rd_kafka_topic_partition_list_t *list)
{
	struct gc_part *parts = gc_calloc((size_t)list->cnt + 1, sizeof(*parts));

	for (int i = 0; i < list->cnt; i++) {
		const struct gc_stream_config *stream = stream_of_topic(c->config, list->elems[i].topic);

		parts[i].position = gc_position_get(c->positions, list->elems[i].topic, list->elems[i].partition);
		parts[i].partition = list->elems[i].partition;
		parts[i].stream = gc_stream_find(gc_span_of(stream->name));
		parts[i].unit = stream->time_unit;
	}
	return parts;
}

/* ---- standing still ---- */

/* How long until what stands still is tried again: doubled each time. */
#define TRY_AGAIN_US (10 * GC_SECOND_US)
#define TRY_AGAIN_MAX_US (5 * GC_MINUTE_US)
/* How long librdkafka may take to stand elsewhere in one partition. */
#define SEEK_MS 2000
/* How often it is asked whether a topic that was not to be seen is there. */
#define LOOK_INTERVAL_US GC_MINUTE_US

static void try_later(struct gc_part *part)
{
	part->wait_us = part->wait_us == 0                     ? TRY_AGAIN_US
			: part->wait_us * 2 > TRY_AGAIN_MAX_US ? TRY_AGAIN_MAX_US
							       : part->wait_us * 2;
	part->try_us = gc_monotonic_us() + part->wait_us;
}

static void pause_part(struct gc_consumer *c, const struct gc_part *part, bool paused)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, part->position->topic, part->partition);
	if (paused)
		rd_kafka_pause_partitions(c->rk, list);
	else
		rd_kafka_resume_partitions(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

void gc_part_shut(struct gc_consumer *c, struct gc_part *part, const struct gc_err *why)
{
	part->is_shut = true;
	part->is_adrift = false;
	try_later(part);
	pause_part(c, part, true);
	gc_position_halt(c->positions, part->position, why);
}

void gc_part_works(struct gc_consumer *c, struct gc_part *part)
{
	part->wait_us = 0;
	if (gc_position_halted_us(part->position) != 0)
		gc_position_heal(c->positions, part->position);
}

/* ---- claiming ---- */

/* Whatever a connection meets with meanwhile, a handshake that is cut off or a login that is not known yet, is met with by a worker whose
 * brokers were right at the start: it asks again, until the client itself is broken. */
static enum gc_verdict ask_watermarks(struct gc_consumer *c, const struct gc_part *parts, size_t count,
				      struct gc_kafka_watermarks *marks, struct gc_err *err)
{
	enum gc_verdict verdict;

	for (size_t i = 0; i < count; i++)
		marks[i] = (struct gc_kafka_watermarks){ .topic = parts[i].position->topic, .partition = parts[i].partition };
	verdict = gc_kafka_watermarks(c->rk, marks, count, GC_KAFKA_TIMEOUT_US, err);
	if (verdict == GC_FATAL && rd_kafka_fatal_error(c->rk, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR)
		verdict = err->verdict = GC_RETRY;
	return verdict;
}

static void shut_unknown(struct gc_consumer *c, struct gc_part *part)
{
	struct gc_err why;

	gc_fail(&why, GC_RETRY, "watermark", part->position->topic,
		"%s[%d] is not read: the broker did not tell its first offset; see whether it has a leader", part->position->topic,
		part->partition);
	gc_part_shut(c, part, &why);
}

static bool is_beyond(const struct gc_part *part, const struct gc_kafka_watermarks *mark)
{
	return mark->high >= 0 && part->next_offset > mark->high;
}

static void shut_beyond(struct gc_consumer *c, struct gc_part *part, const struct gc_kafka_watermarks *mark)
{
	struct gc_err why;

	gc_fail(&why, GC_FATAL, "topic_recreated", part->position->topic,
		"the cube stands at offset %lld of %s[%d], but Kafka ends at %lld: the topic was truncated or made anew; give it a new "
		"group (kafka.group_id) to read it from its beginning",
		(long long)part->next_offset, part->position->topic, part->partition, (long long)mark->high);
	gc_part_shut(c, part, &why);
}

/* The ends were asked before the claim, and the owner before us may have read on since. From the claim on only we move these
 * positions: an end that is asked now lies behind them, unless the topic is another one. */
static enum gc_verdict check_ends(struct gc_consumer *c, struct gc_part *parts, size_t count, struct gc_kafka_watermarks *marks,
				  struct gc_err *err)
{
	bool asked_again = false;

	for (size_t i = 0; i < count; i++) {
		if (is_beyond(&parts[i], &marks[i]) && !asked_again && ask_watermarks(c, parts, count, marks, err) != GC_OK)
			return err->verdict;
		asked_again |= is_beyond(&parts[i], &marks[i]);
		if (is_beyond(&parts[i], &marks[i]))
			shut_beyond(c, &parts[i], &marks[i]);
	}
	return GC_OK;
}

static void take_claim(struct gc_part *part, const struct gc_claim *claim, const struct gc_kafka_watermarks *mark)
{
	if (claim->lost > 0)
		gc_error("records were deleted by retention before they were read", GC_S("topic", part->position->topic),
			 GC_I("partition", part->partition), GC_I("records", claim->lost));
	part->offset_id = claim->offset_id;
	part->owner_epoch = claim->owner_epoch;
	part->next_offset = claim->next_offset;
	part->last_hash = claim->next_offset > mark->low ? claim->last_hash : 0;
	part->end = mark->high;
	part->reached = 0;
	part->at_end = mark->high >= 0 && claim->next_offset >= mark->high;
	gc_counter_add(&part->position->lost, claim->lost);
	atomic_store(&part->position->next_offset, claim->next_offset);
	atomic_store(&part->position->target, mark->high);
}

/* Those whose first offset the broker told; the others stand still, and the rest goes on. */
static enum gc_verdict claim_known(struct gc_consumer *c, struct gc_pg *pg, struct gc_part *parts, size_t count,
				   struct gc_kafka_watermarks *marks, struct gc_err *err)
{
	struct gc_claim *claims = gc_calloc(count + 1, sizeof(*claims));
	size_t *of = gc_calloc(count + 1, sizeof(*of)), known = 0;
	enum gc_verdict verdict = GC_OK;

	for (size_t i = 0; i < count; i++) {
		if (marks[i].low < 0)
			continue;
		of[known] = i;
		claims[known++] = (struct gc_claim){ .stream = parts[i].stream->name,
						     .topic = gc_span_of(parts[i].position->topic),
						     .partition = parts[i].partition,
						     .low_offset = marks[i].low };
	}
	if (known > 0)
		verdict = gc_pg_claim(pg, c->config->kafka_group_id, c->owner, claims, known, err);
	for (size_t k = 0; verdict == GC_OK && k < known; k++)
		take_claim(&parts[of[k]], &claims[k], &marks[of[k]]);
	for (size_t i = 0; verdict == GC_OK && i < count; i++) {
		if (marks[i].low < 0)
			shut_unknown(c, &parts[i]);
	}
	free(of);
	free(claims);
	return verdict;
}

static enum gc_verdict claim_parts(struct gc_consumer *c, struct gc_pg *pg, struct gc_part *parts, size_t count, struct gc_err *err)
{
	struct gc_kafka_watermarks *marks = gc_calloc(count + 1, sizeof(*marks));
	enum gc_verdict verdict = ask_watermarks(c, parts, count, marks, err);

	if (verdict == GC_OK)
		verdict = claim_known(c, pg, parts, count, marks, err);
	if (verdict == GC_OK)
		verdict = check_ends(c, parts, count, marks, err);
	free(marks);
	return verdict;
}

/* What stands still has its place in the assignment too, so that it can be tried again without the others. */
static enum gc_verdict start_reading(struct gc_consumer *c, struct gc_err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)c->source.part_count);
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < c->source.part_count; i++) {
		struct gc_part *part = &c->source.parts[i];

		part->has_witness = part->last_hash != 0;
		rd_kafka_topic_partition_list_add(list, part->position->topic, part->partition)->offset = part->next_offset -
													  part->has_witness;
	}
	gc_assign_nothing(c->rk);
	code = gc_assign(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	for (size_t i = 0; i < c->source.part_count; i++) /* librdkafka remembers a pause beyond the assignment */
		pause_part(c, &c->source.parts[i], c->source.parts[i].is_shut);
	return code ? gc_kafka_fail(err, code, c->config->kafka_brokers, "starting to read") : GC_OK;
}

enum gc_verdict gc_consumer_claim(struct gc_consumer *c, struct gc_pg *pg, struct gc_err *err)
{
	size_t count;
	struct gc_part *parts;
	enum gc_verdict verdict;

	if (!c->pending)
		return GC_OK;
	count = (size_t)c->pending->cnt;
	parts = make_parts(c, c->pending);
	gc_parts_release(c);
	verdict = count > 0 ? claim_parts(c, pg, parts, count, err) : GC_OK;
	if (verdict != GC_OK) {
		free(parts);
		return verdict;
	}
	c->source.parts = parts;
	c->source.part_count = count;
	for (size_t i = 0; i < count; i++)
		atomic_store(&parts[i].position->holder, c->index);
	gc_pending_forget(c);
	c->joined = true;
	return start_reading(c, err);
}

static bool has_moved_back(const struct gc_part *before, const struct gc_consumer *c)
{
	for (size_t i = 0; i < c->source.part_count; i++) {
		if (c->source.parts[i].next_offset < before[i].next_offset)
			return true;
	}
	return false;
}

enum gc_verdict gc_consumer_reclaim(struct gc_consumer *c, struct gc_pg *pg, struct gc_err *err)
{
	size_t bytes = c->source.part_count * sizeof(*c->source.parts);
	struct gc_part *before;
	enum gc_verdict verdict;

	if (c->source.part_count == 0)
		return GC_OK;
	before = gc_malloc(bytes);
	memcpy(before, c->source.parts, bytes);
	verdict = claim_parts(c, pg, c->source.parts, c->source.part_count, err);
	if (verdict != GC_OK) {
		memcpy(c->source.parts, before, bytes);
	} else if (has_moved_back(before, c)) {
		/* a failover lost commits: what was fetched does not begin where the cube stands */
		gc_consumer_drop(c);
		verdict = start_reading(c, err);
	} else {
		/* reading goes on, and Kafka tells of an end once */
		for (size_t i = 0; i < c->source.part_count; i++) {
			c->source.parts[i].at_end |= before[i].at_end;
			c->source.parts[i].reached = before[i].reached;
		}
	}
	free(before);
	return verdict;
}

/* Kafka has not what is to be read next, and retention is not the reason. */
static void shut_adrift(struct gc_consumer *c, struct gc_part *part)
{
	struct gc_err why;

	gc_fail(&why, GC_FATAL, "offset_out_of_range", part->position->topic,
		"Kafka does not have offset %lld of %s[%d], at which the cube stands, though it lies between the first and the last "
		"one: the topic was truncated or made anew; see `gracecube status`",
		(long long)part->next_offset, part->position->topic, part->partition);
	gc_part_shut(c, part, &why);
}

enum gc_verdict gc_consumer_restart(struct gc_consumer *c, struct gc_pg *pg, struct gc_err *err)
{
	int64_t *lost = gc_calloc(c->source.part_count + 1, sizeof(*lost));
	enum gc_verdict verdict = GC_OK;

	for (size_t i = 0; i < c->source.part_count; i++)
		lost[i] = atomic_load(&c->source.parts[i].position->lost);
	if (c->source.part_count > 0)
		verdict = claim_parts(c, pg, c->source.parts, c->source.part_count, err);
	gc_consumer_drop(c);
	for (size_t i = 0; verdict == GC_OK && i < c->source.part_count; i++) {
		struct gc_part *part = &c->source.parts[i];

		if (part->is_adrift && atomic_load(&part->position->lost) == lost[i] && !part->is_shut)
			shut_adrift(c, part);
		part->is_adrift = false;
	}
	if (verdict == GC_OK)
		c->is_adrift = false;
	free(lost);
	return verdict == GC_OK && c->source.part_count > 0 ? start_reading(c, err) : verdict;
}

/* ---- trying again ---- */

/* It stands where the cube does, and is read; whether it gives anything is seen then. */
static bool read_again(struct gc_consumer *c, struct gc_part *part)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_error_t *error;
	bool done;

	part->has_witness = part->last_hash != 0;
	pause_part(c, part, false);
	rd_kafka_topic_partition_list_add(list, part->position->topic, part->partition)->offset = part->next_offset -
												  part->has_witness;
	error = rd_kafka_seek_partitions(c->rk, list, SEEK_MS);
	done = error == NULL && list->elems[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_error_destroy(error);
	rd_kafka_topic_partition_list_destroy(list);
	return done;
}

static bool has_records(const struct gc_consumer *c, const struct gc_part *part)
{
	for (size_t i = 0; i < c->source.record_count; i++) {
		if (&c->source.parts[c->source.records[i].part] == part)
			return true;
	}
	return false;
}

/* The claim first: the position may have been moved by hand, and the topic may be another one. */
static void try_again(struct gc_consumer *c, struct gc_pg *pg, struct gc_part *part)
{
	struct gc_err err = { .verdict = GC_OK };

	part->is_shut = false;
	if (claim_parts(c, pg, part, 1, &err) != GC_OK)
		gc_debug("what stands still could not be claimed", GC_ERR_FIELDS(&err));
	else if (!part->is_shut) {
		/* A partition whose fetcher librdkafka has stopped cannot be moved (_STATE, for ever; 2.0.2 and 2.8.0, about every other time on a
		 * busy machine): all are assigned anew then, which starts it. */
		c->is_adrift = !read_again(c, part);
		part->is_on_trial |= part->is_refused;
		part->is_refused = false;
		part->try_us = gc_monotonic_us() + part->wait_us;
		return;
	}
	if (!part->is_shut)
		try_later(part);
	part->is_shut = true;
}

/* What is read again says something: a record, an end or an error. If it says nothing, it is tried once more: a silence must not last for
 * ever. */
static bool should_try(const struct gc_consumer *c, const struct gc_part *part, int64_t now)
{
	bool is_silent = !part->is_shut && gc_position_halted_us(part->position) != 0;

	return (part->is_shut || is_silent) && now >= part->try_us && !has_records(c, part);
}

/* Topics that the user may not see leave no partition behind: whether they are there by now is asked. */
static void look_for_topics(struct gc_consumer *c)
{
	struct gc_err err;

	c->look_us = gc_monotonic_us() + LOOK_INTERVAL_US;
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

void gc_consumer_revive(struct gc_consumer *c, struct gc_pg *pg)
{
	int64_t now = gc_monotonic_us();

	for (size_t i = 0; i < c->source.part_count && !c->pending && !c->is_adrift; i++) {
		struct gc_part *part = &c->source.parts[i];

		if (should_try(c, part, now))
			try_again(c, pg, part);
	}
	if (c->index == 1 && now >= c->look_us)
		look_for_topics(c);
}
