/* Consumer: see consumer.h. Threads: one consumer belongs to one worker. */
#include "consumer.h"
#include "kafka.h"

#include <gracecube/arena.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CLOSE_LIMIT_US (10 * GC_SECOND_US)
#define POLL_MS 100
/* What the process fetches ahead unless kafka.queue_bytes says so. */
#define QUEUE_BYTES (64LL * 1024 * 1024)
#define QUEUE_BYTES_FOR_A_SECOND (160LL * 1024 * 1024)

/* ---- opening ---- */

/* Reasons: the position is PostgreSQL's, so nothing may be committed, stored or reset behind our back; an end-of-partition tells
 * "caught up" from "stalled"; roundrobin, because Debezium's topics have one partition each and range would give all of them to the
 * first worker. The sticky assignor of librdkafka before 2.2.0 may give a partition to two owners. Members hear of each other by their
 * heartbeats, and until the last one has, those who left their partitions wait: one second, not librdkafka's three. */
static const struct {
	const char *name, *value;
	bool fixed;
} properties[] = {
	{ "enable.auto.commit", "false", true },
	{ "enable.auto.offset.store", "false", true },
	{ "auto.offset.reset", "error", true },
	{ "isolation.level", "read_committed", true },
	{ "allow.auto.create.topics", "false", true },
	{ "enable.partition.eof", "true", true },
	{ "check.crcs", "true", false },
	{ "partition.assignment.strategy", "roundrobin", false },
	{ "session.timeout.ms", "15000", false },
	{ "heartbeat.interval.ms", "1000", false },
	{ "max.poll.interval.ms", "300000", false },
	{ "topic.metadata.refresh.interval.ms", "10000", false },
	{ "fetch.wait.max.ms", "100", false },
	{ "socket.nagle.disable", "true", false },
	{ "fetch.message.max.bytes", "2097152", false },
};

/* Whether fetching goes on soon after the queue was full: from librdkafka 2.2.0 on, the running one and not the headers'. */
static bool resumes_soon(const struct gc_config *config, rd_kafka_conf_t *conf)
{
	static const char name[] = "fetch.queue.backoff.ms";
	char ignored[128];

	return gc_kafka_has_property(config, name) ||
	       rd_kafka_conf_set(conf, name, "5", ignored, sizeof(ignored)) == RD_KAFKA_CONF_OK;
}

/* Before, it goes on when the broker's thread wakes for another reason, up to a second later, and what is queued has to last. */
static enum gc_verdict set_queue(const struct gc_config *config, rd_kafka_conf_t *conf, struct gc_err *err)
{
	int64_t bytes = resumes_soon(config, conf) ? QUEUE_BYTES : QUEUE_BYTES_FOR_A_SECOND;
	char kilobytes[24];

	if (config->kafka_queue_bytes > 0)
		bytes = config->kafka_queue_bytes;
	bytes /= config->run_workers;
	snprintf(kilobytes, sizeof(kilobytes), "%lld", (long long)(bytes < 1024 ? 1 : bytes / 1024));
	return gc_kafka_set(conf, "queued.max.messages.kbytes", kilobytes, err);
}

static enum gc_verdict configure(const struct gc_config *config, rd_kafka_conf_t *conf, struct gc_err *err)
{
	enum gc_verdict verdict = gc_kafka_set(conf, "group.id", config->kafka_group_id, err);

	for (size_t i = 0; verdict == GC_OK && i < sizeof(properties) / sizeof(properties[0]); i++) {
		if (properties[i].fixed || !gc_kafka_has_property(config, properties[i].name))
			verdict = gc_kafka_set(conf, properties[i].name, properties[i].value, err);
	}
	return verdict == GC_OK ? set_queue(config, conf, err) : verdict;
}

/* Another worker may hold them by now. What was fetched of them goes with them: a record knows its partition by its place in the list. */
static void release_parts(struct gc_consumer *c)
{
	gc_consumer_drop(c, c->record_count);
	for (size_t i = 0; i < c->part_count; i++) {
		int64_t mine = c->index;

		atomic_compare_exchange_strong(&c->parts[i].position->holder, &mine, 0);
	}
	free(c->parts);
	c->parts = NULL;
	c->part_count = 0;
}

static void forget_pending(struct gc_consumer *c)
{
	if (c->pending)
		rd_kafka_topic_partition_list_destroy(c->pending);
	c->pending = NULL;
}

/* A partition that is taken away while it still stops ends the process: "Assertion `rktp->rktp_started' failed" (librdkafka 2.0.2; the
 * code of 2.12 is the same). The orders to stop, and their answers, go through the queue of librdkafka's main thread, where these two
 * questions stand behind them. */
static rd_kafka_resp_err_t read_these(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t code = rd_kafka_assign(rk, list);

	for (int i = 0; i < 2; i++) {
		rd_kafka_topic_partition_list_t *held = NULL;

		if (rd_kafka_assignment(rk, &held) == RD_KAFKA_RESP_ERR_NO_ERROR)
			rd_kafka_topic_partition_list_destroy(held);
	}
	return code;
}

static void read_nothing(rd_kafka_t *rk)
{
	rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);

	read_these(rk, none);
	rd_kafka_topic_partition_list_destroy(none);
}

/* Called inside a poll. What is assigned is only noted: the claim needs the database, which may be away. The group has its answer at
 * once, or it would assign anew on its own; still, one assignment may follow another without a revocation between them. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	struct gc_consumer *c = opaque;

	c->rebalances++;
	forget_pending(c);
	release_parts(c);
	c->is_adrift = false;
	c->is_revoked = code != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		gc_debug("partitions assigned", GC_I("partitions", partitions->cnt));
		c->pending = rd_kafka_topic_partition_list_copy(partitions);
		read_nothing(rk);
	} else {
		gc_debug("partitions revoked", GC_I("partitions", partitions ? partitions->cnt : 0),
			 GC_I("lost", rd_kafka_assignment_lost(rk)));
		read_these(rk, NULL);
	}
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct gc_consumer *c = opaque;
	char text[512];
	rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(rk, text, sizeof(text));

	if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR)
		gc_fail(&c->broken, GC_FATAL, rd_kafka_err2name(fatal), "kafka", "the consumer is of no use any more: %s", text);
	else if (gc_kafka_verdict((rd_kafka_resp_err_t)code) == GC_FATAL && code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		gc_kafka_fail(&c->broken, (rd_kafka_resp_err_t)code, c->config->kafka_brokers, reason);
}

static enum gc_verdict subscribe(struct gc_consumer *c, const char *const *topics, size_t topic_count, struct gc_err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)topic_count);
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < topic_count; i++)
		rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? gc_kafka_fail(err, code, c->config->kafka_brokers, "subscribing") : GC_OK;
}

static void name_owner(struct gc_consumer *c, int index)
{
	char host[128] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(c->owner, sizeof(c->owner), "%s:%d:%d", host, (int)getpid(), index);
}

static enum gc_verdict make_client(struct gc_consumer *c, struct gc_err *err)
{
	rd_kafka_conf_t *conf = NULL;
	char text[256];
	enum gc_verdict verdict = gc_kafka_conf(c->config, "consumer", &conf, err);

	if (verdict == GC_OK)
		verdict = configure(c->config, conf, err);
	if (verdict != GC_OK) {
		if (conf)
			rd_kafka_conf_destroy(conf);
		return verdict;
	}
	rd_kafka_conf_set_opaque(conf, c);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_error_cb(conf, on_error);
	c->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (!c->rk) {
		rd_kafka_conf_destroy(conf);
		return gc_fail(err, GC_FATAL, "kafka.properties", "kafka", "the consumer did not start: %s", text);
	}
	rd_kafka_poll_set_consumer(c->rk);
	return GC_OK;
}

enum gc_verdict gc_consumer_open(const struct gc_config *config, void *run, int index, const char *const *topics,
				 size_t topic_count, struct gc_consumer **ret_consumer, struct gc_err *err)
{
	struct gc_consumer *c = gc_calloc(1, sizeof(*c));
	enum gc_verdict verdict;

	c->config = config;
	c->run = run;
	c->index = index;
	c->broken.verdict = GC_OK;
	name_owner(c, index);
	verdict = make_client(c, err);
	if (verdict == GC_OK)
		verdict = subscribe(c, topics, topic_count, err);
	if (verdict != GC_OK) {
		gc_consumer_close(c);
		return verdict;
	}
	*ret_consumer = c;
	return GC_OK;
}

/* rd_kafka_consumer_close() may hang when a topic is gone (librdkafka before 2.1.0 and 2.6.1), so it is done through a queue, with
 * a limit; a client that does not close in time is left to the end of the process. */
static bool close_client(rd_kafka_t *rk)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_error_t *error = rd_kafka_consumer_close_queue(rk, queue);
	int64_t until_us = gc_monotonic_us() + CLOSE_LIMIT_US;
	bool closed;

	rd_kafka_error_destroy(error);
	while (!rd_kafka_consumer_closed(rk) && gc_monotonic_us() < until_us) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(queue, POLL_MS);

		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE)
			rd_kafka_assign(rk, NULL);
		rd_kafka_event_destroy(event);
	}
	closed = rd_kafka_consumer_closed(rk);
	rd_kafka_queue_destroy(queue);
	return closed;
}

static void *destroy_client(void *rk)
{
	rd_kafka_destroy(rk);
	return NULL;
}

/* Waits for librdkafka's threads and for whoever holds on to something of it: that may be for ever. */
static bool destroy_within_limit(rd_kafka_t *rk)
{
	pthread_t thread;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CLOSE_LIMIT_US / GC_SECOND_US;
	if (pthread_create(&thread, NULL, destroy_client, rk) != 0)
		return false;
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
		return true;
	pthread_detach(thread);
	return false;
}

void gc_consumer_close(struct gc_consumer *c)
{
	if (!c)
		return;
	forget_pending(c);
	release_parts(c);
	if (c->rk && !close_client(c->rk))
		gc_warn("the consumer did not leave its group in time; the group's session timeout will do it");
	else if (c->rk && !destroy_within_limit(c->rk))
		gc_warn("librdkafka does not let go of its client; it ends with the process");
	free(c->records);
	free(c);
}

/* ---- fetching ---- */

static struct gc_part *find_part(struct gc_consumer *c, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < c->part_count; i++) {
		if (c->parts[i].partition == partition && strcmp(c->parts[i].position->topic, topic) == 0)
			return &c->parts[i];
	}
	return NULL;
}

/* The bytes stay librdkafka's. */
static struct gc_message message_of(const rd_kafka_message_t *fetched, struct gc_part *part)
{
	rd_kafka_timestamp_type_t type;
	int64_t timestamp_ms = rd_kafka_message_timestamp(fetched, &type);
	struct gc_message message = {
		.topic = gc_span_of(part->position->topic),
		.partition = part->partition,
		.offset = fetched->offset,
		.timestamp_us = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : gc_message_us(timestamp_ms),
		.key = { fetched->key, fetched->key ? fetched->key_len : 0 },
		.value = { fetched->payload, fetched->payload ? fetched->len : 0 },
	};

	gc_clock_read(&part->clock, &message);
	return message;
}

static void keep_record(struct gc_consumer *c, rd_kafka_message_t *fetched, struct gc_part *part, const struct gc_message *message)
{
	if (c->record_count == c->record_capacity) {
		c->record_capacity = c->record_capacity ? c->record_capacity * 2 : 1024;
		c->records = gc_realloc(c->records, c->record_capacity * sizeof(*c->records));
	}
	c->records[c->record_count++] = (struct gc_record){ .fetched = fetched,
							    .message = *message,
							    .part = (uint32_t)(part - c->parts) };
	c->record_bytes += fetched->len + fetched->key_len;
	gc_counter_add(&part->position->records, 1);
	gc_counter_add(&part->position->bytes, (int64_t)(fetched->len + fetched->key_len));
}

/* An error that belongs to one partition or topic. Returns true when it was a message that should be kept. */
static void note_event(struct gc_consumer *c, const rd_kafka_message_t *event)
{
	const char *topic = event->rkt ? rd_kafka_topic_name(event->rkt) : "";
	struct gc_part *part = event->rkt ? find_part(c, topic, event->partition) : NULL;

	if (event->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		if (part) {
			part->at_end = true;
			part->reached = event->offset;
		}
	} else if (event->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || event->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
		c->is_adrift |= part != NULL;
	} else if (event->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || event->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
		gc_debug("topic does not exist", GC_S("topic", topic));
	} else if (gc_kafka_verdict(event->err) == GC_FATAL && event->err != RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
		gc_kafka_fail(&c->broken, event->err, topic, "reading");
	} else {
		gc_warn("reading stumbled", GC_S("topic", topic), GC_I("partition", event->partition),
			GC_S("err", rd_kafka_message_errstr(event)));
	}
}

/* A topic made anew with more records than the cube has read looks like the old one; its record before the position does not. */
static void check_witness(struct gc_consumer *c, struct gc_part *part, const struct gc_message *message)
{
	part->has_witness = false;
	/* compaction may have taken it away: then another one comes first */
	if (message->offset + 1 == part->next_offset && (int64_t)gc_message_hash(message) != part->last_hash)
		gc_fail(&c->broken, GC_FATAL, "topic_recreated", part->position->topic,
			"the record before offset %lld of %s[%d] is not the one that the cube has read: the topic was made anew; give it a "
			"new group (kafka.group_id) to read it from its beginning",
			(long long)part->next_offset, part->position->topic, part->partition);
}

/* True when it is one to be applied: neither of a former assignment, nor before the position. */
static bool take_record(struct gc_consumer *c, rd_kafka_message_t *fetched, struct gc_part *part)
{
	struct gc_message message = message_of(fetched, part);

	if (part->has_witness && message.offset + 1 >= part->next_offset)
		check_witness(c, part, &message);
	else if (message.offset < part->next_offset)
		c->stale++;
	if (message.offset < part->next_offset)
		return false;
	keep_record(c, fetched, part, &message);
	return true;
}

/* True when it was a record and is kept. */
static bool take(struct gc_consumer *c, rd_kafka_message_t *fetched)
{
	struct gc_part *part = NULL;
	bool is_kept = false;

	if (!fetched->err)
		part = find_part(c, rd_kafka_topic_name(fetched->rkt), fetched->partition);
	if (part)
		is_kept = take_record(c, fetched, part);
	else if (fetched->err)
		note_event(c, fetched);
	else
		c->stale++;
	if (!is_kept)
		rd_kafka_message_destroy(fetched);
	return is_kept;
}

/* No linger: takes what has arrived while the last batch was committed, and waits only when there is nothing at all. */
void gc_consumer_gather(struct gc_consumer *c, int64_t wait_us)
{
	int wait_ms = c->record_count == 0 ? (int)(wait_us / 1000) : 0;

	while (c->record_count < (size_t)c->config->run_batch_records && c->record_bytes < (size_t)c->config->run_batch_bytes) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(c->rk, wait_ms);

		if (!message)
			break;
		if (take(c, message) || c->broken.verdict != GC_OK)
			wait_ms = 0;
	}
}

void gc_consumer_drop(struct gc_consumer *c, size_t count)
{
	if (count == 0)
		return; /* there may be no array yet */
	for (size_t i = 0; i < count; i++) {
		c->record_bytes -= c->records[i].fetched->len + c->records[i].fetched->key_len;
		rd_kafka_message_destroy(c->records[i].fetched);
	}
	memmove(c->records, c->records + count, (c->record_count - count) * sizeof(*c->records));
	c->record_count -= count;
}

/* ---- claiming ---- */

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

		parts[i].position = gc_position_get(c->run, list->elems[i].topic, list->elems[i].partition);
		parts[i].partition = list->elems[i].partition;
		parts[i].stream = gc_stream_find(gc_span_of(stream->name));
		parts[i].unit = stream->time_unit;
	}
	return parts;
}

static enum gc_verdict ask_watermarks(struct gc_consumer *c, const struct gc_part *parts, size_t count,
				      struct gc_kafka_watermarks *marks, struct gc_err *err)
{
	enum gc_verdict verdict;

	for (size_t i = 0; i < count; i++)
		marks[i] = (struct gc_kafka_watermarks){ .topic = parts[i].position->topic, .partition = parts[i].partition };
	verdict = gc_kafka_watermarks(c->rk, marks, count, GC_KAFKA_TIMEOUT_US, err);
	for (size_t i = 0; verdict == GC_OK && i < count; i++) {
		if (marks[i].low < 0)
			verdict = gc_fail(err, GC_RETRY, "watermark", marks[i].topic,
					  "the broker did not tell the first offset of %s[%d]", marks[i].topic, marks[i].partition);
	}
	return verdict;
}

static bool is_beyond(const struct gc_claim *claim, const struct gc_kafka_watermarks *mark)
{
	return mark->high >= 0 && claim->next_offset > mark->high;
}

/* The ends were asked before the claim, and the owner before us may have read on since. From the claim on only we move these
 * positions: an end that is asked now lies behind them, unless the topic is another one. */
static enum gc_verdict check_ends(struct gc_consumer *c, const struct gc_part *parts, const struct gc_claim *claims, size_t count,
				  struct gc_kafka_watermarks *marks, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;
	bool asked_again = false;

	for (size_t i = 0; verdict == GC_OK && i < count; i++) {
		if (is_beyond(&claims[i], &marks[i]) && !asked_again) {
			verdict = ask_watermarks(c, parts, count, marks, err);
			asked_again = true;
		}
		if (verdict == GC_OK && is_beyond(&claims[i], &marks[i]))
			verdict = gc_fail(
				err, GC_FATAL, "topic_recreated", parts[i].position->topic,
				"the cube stands at offset %lld of %s[%d], but Kafka ends at %lld: the topic was truncated or made "
				"anew; give it a new group (kafka.group_id) to read it from its beginning",
				(long long)claims[i].next_offset, parts[i].position->topic, parts[i].partition,
				(long long)marks[i].high);
	}
	return verdict;
}

static enum gc_verdict claim_parts(struct gc_consumer *c, struct gc_pg *pg, struct gc_part *parts, size_t count, struct gc_err *err)
{
	struct gc_kafka_watermarks *marks = gc_calloc(count + 1, sizeof(*marks));
	struct gc_claim *claims = gc_calloc(count + 1, sizeof(*claims));
	enum gc_verdict verdict = ask_watermarks(c, parts, count, marks, err);

	for (size_t i = 0; i < count; i++)
		claims[i] = (struct gc_claim){ .stream = parts[i].stream->name,
					       .topic = gc_span_of(parts[i].position->topic),
					       .partition = parts[i].partition,
					       .low_offset = marks[i].low };
	if (verdict == GC_OK)
		verdict = gc_pg_claim(pg, c->config->kafka_group_id, c->owner, claims, count, err);
	if (verdict == GC_OK)
		verdict = check_ends(c, parts, claims, count, marks, err);
	for (size_t i = 0; verdict == GC_OK && i < count; i++) {
		if (claims[i].lost > 0)
			gc_error("records were deleted by retention before they were read", GC_S("topic", parts[i].position->topic),
				 GC_I("partition", parts[i].partition), GC_I("records", claims[i].lost));
		parts[i].offset_id = claims[i].offset_id;
		parts[i].owner_epoch = claims[i].owner_epoch;
		parts[i].next_offset = claims[i].next_offset;
		parts[i].last_hash = claims[i].next_offset > marks[i].low ? claims[i].last_hash : 0;
		parts[i].end = marks[i].high;
		gc_counter_add(&parts[i].position->lost, claims[i].lost);
		parts[i].at_end = marks[i].high >= 0 && claims[i].next_offset >= marks[i].high;
		atomic_store(&parts[i].position->next_offset, claims[i].next_offset);
		atomic_store(&parts[i].position->target, marks[i].high);
	}
	free(claims);
	free(marks);
	return verdict;
}

static enum gc_verdict start_reading(struct gc_consumer *c, struct gc_err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)c->part_count);
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < c->part_count; i++) {
		struct gc_part *part = &c->parts[i];

		part->has_witness = part->last_hash != 0;
		rd_kafka_topic_partition_list_add(list, part->position->topic, part->partition)->offset = part->next_offset -
													  part->has_witness;
	}
	read_nothing(c->rk);
	code = read_these(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
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
	verdict = count > 0 ? claim_parts(c, pg, parts, count, err) : GC_OK;
	if (verdict != GC_OK) {
		free(parts);
		return verdict;
	}
	release_parts(c);
	c->parts = parts;
	c->part_count = count;
	for (size_t i = 0; i < count; i++)
		atomic_store(&parts[i].position->holder, c->index);
	forget_pending(c);
	c->joined = true;
	return start_reading(c, err);
}

static bool has_moved_back(const struct gc_part *before, const struct gc_consumer *c)
{
	for (size_t i = 0; i < c->part_count; i++) {
		if (c->parts[i].next_offset < before[i].next_offset)
			return true;
	}
	return false;
}

enum gc_verdict gc_consumer_reclaim(struct gc_consumer *c, struct gc_pg *pg, struct gc_err *err)
{
	size_t bytes = c->part_count * sizeof(*c->parts);
	struct gc_part *before;
	enum gc_verdict verdict;

	if (c->part_count == 0)
		return GC_OK;
	before = gc_malloc(bytes);
	memcpy(before, c->parts, bytes);
	verdict = claim_parts(c, pg, c->parts, c->part_count, err);
	if (verdict != GC_OK) {
		memcpy(c->parts, before, bytes);
	} else if (has_moved_back(before, c)) {
		/* a failover lost commits: what was fetched does not begin where the cube stands */
		gc_consumer_drop(c, c->record_count);
		verdict = start_reading(c, err);
	} else {
		/* reading goes on, and Kafka tells of an end once */
		for (size_t i = 0; i < c->part_count; i++)
			c->parts[i].at_end |= before[i].at_end;
	}
	free(before);
	return verdict;
}

static int64_t lost_of(const struct gc_consumer *c)
{
	int64_t lost = 0;

	for (size_t i = 0; i < c->part_count; i++)
		lost += atomic_load(&c->parts[i].position->lost);
	return lost;
}

enum gc_verdict gc_consumer_restart(struct gc_consumer *c, struct gc_pg *pg, struct gc_err *err)
{
	int64_t lost = lost_of(c);
	enum gc_verdict verdict = c->part_count > 0 ? claim_parts(c, pg, c->parts, c->part_count, err) : GC_OK;

	gc_consumer_drop(c, c->record_count);
	if (verdict == GC_OK && c->is_adrift && lost_of(c) == lost)
		verdict = gc_fail(
			err, GC_FATAL, "offset_out_of_range", c->config->kafka_group_id,
			"Kafka does not have the offset at which the cube stands, though it lies between the first and the last "
			"one: the topic was truncated or made anew; see `gracecube status`");
	if (verdict == GC_OK)
		c->is_adrift = false;
	return verdict == GC_OK && c->part_count > 0 ? start_reading(c, err) : verdict;
}

/* ---- the rest ---- */

/* rd_kafka_commit() that waits does so without a limit, while the group rebalances or its coordinator is away. */
static void commit_within(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list, int64_t wait_us)
{
	rd_kafka_queue_t *answers = rd_kafka_queue_new(rk);

	if (rd_kafka_commit_queue(rk, list, answers, NULL, NULL) == RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_event_destroy(rd_kafka_queue_poll(answers, (int)(wait_us / 1000)));
	rd_kafka_queue_destroy(answers);
}

/* A hint: whether it arrives does not matter. */
void gc_consumer_hint(struct gc_consumer *c, int64_t wait_us)
{
	rd_kafka_topic_partition_list_t *list;

	if (c->part_count == 0)
		return;
	list = rd_kafka_topic_partition_list_new((int)c->part_count);
	for (size_t i = 0; i < c->part_count; i++)
		rd_kafka_topic_partition_list_add(list, c->parts[i].position->topic, c->parts[i].partition)
			->offset = c->parts[i].next_offset;
	if (wait_us > 0)
		commit_within(c->rk, list, wait_us);
	else
		rd_kafka_commit(c->rk, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
}

void gc_consumer_pause(struct gc_consumer *c, bool paused)
{
	rd_kafka_topic_partition_list_t *list = NULL;

	if (rd_kafka_assignment(c->rk, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	if (paused)
		rd_kafka_pause_partitions(c->rk, list);
	else
		rd_kafka_resume_partitions(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

/* Kafka told of an end, or the position is where Kafka ended when the partition was claimed: behind a transaction only the first is so. */
static bool is_part_at_end(const struct gc_part *part)
{
	int64_t target = atomic_load(&part->position->target);

	return part->at_end || (target >= 0 && part->next_offset >= target);
}

bool gc_consumer_is_at_end(const struct gc_consumer *c)
{
	if (!c->joined || c->is_revoked || c->pending || c->record_count > 0)
		return false;
	for (size_t i = 0; i < c->part_count; i++) {
		if (!is_part_at_end(&c->parts[i]))
			return false;
	}
	return true;
}
