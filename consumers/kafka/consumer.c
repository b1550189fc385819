/* Consumer: see consumer.h. Threads: one consumer belongs to one worker. */
#include "kafka/claim.h"
#include "kafka/client.h"

#include <gracecube/arena.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define CLOSE_LIMIT_US (2 * GC_SECOND_US)
#define POLL_MS 100
/* What the process fetches ahead unless kafka.queue_bytes says so. */
#define QUEUE_BYTES (64LL * 1024 * 1024)
#define QUEUE_BYTES_FOR_A_SECOND (160LL * 1024 * 1024)

/* ---- opening ---- */

/* Reasons: the position is PostgreSQL's, so nothing may be committed, stored or reset behind our back; an end-of-partition tells "caught
 * up" from "stalled"; roundrobin, because Debezium's topics have one partition each and range would give all of them to the first worker.
 * The sticky assignor of librdkafka before 2.2.0 may give a partition to two owners. Members learn of a rebalance by their heartbeats, and
 * those that have revoked their partitions wait for the last one: one second, not librdkafka's three. */
static const struct {
	const char *name, *value;
	bool is_fixed;
	bool is_classic; /* under KIP-848 the brokers decide it */
} properties[] = {
	{ "enable.auto.commit", "false", .is_fixed = true },
	{ "enable.auto.offset.store", "false", .is_fixed = true },
	{ "auto.offset.reset", "error", .is_fixed = true },
	{ "isolation.level", "read_committed", .is_fixed = true },
	{ "allow.auto.create.topics", "false", .is_fixed = true },
	{ "enable.partition.eof", "true", .is_fixed = true },
	{ .name = "check.crcs", .value = "true" },
	{ "partition.assignment.strategy", "roundrobin", .is_classic = true },
	{ "session.timeout.ms", "15000", .is_classic = true },
	{ "heartbeat.interval.ms", "1000", .is_classic = true },
	{ .name = "max.poll.interval.ms", .value = "300000" },
	{ .name = "topic.metadata.refresh.interval.ms", .value = "10000" },
	{ .name = "fetch.wait.max.ms", .value = "100" },
	{ .name = "socket.nagle.disable", .value = "true" },
	{ .name = "fetch.message.max.bytes", .value = "2097152" },
};

/* Whether fetching resumes soon after the queue was full: from librdkafka 2.2.0 on, as loaded and not as compiled against. */
static bool resumes_soon(const struct gc_config *config, rd_kafka_conf_t *conf)
{
	static const char name[] = "fetch.queue.backoff.ms";
	char ignored[128];

	return gc_kafka_has_property(config, name) ||
	       rd_kafka_conf_set(conf, name, "5", ignored, sizeof(ignored)) == RD_KAFKA_CONF_OK;
}

/* Older ones resume when the broker's thread wakes for another reason, up to a second later: the queue has to last that long. */
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

/* One id a member: a worker is one. */
static enum gc_verdict set_instance(const struct gc_config *config, int index, rd_kafka_conf_t *conf, struct gc_err *err)
{
	const char *instance = gc_kafka_property(config, "group.instance.id");
	char id[256];

	if (!instance)
		return GC_OK;
	snprintf(id, sizeof(id), "%s-%d", instance, index);
	return gc_kafka_set(conf, "group.instance.id", id, err);
}

static enum gc_verdict configure(const struct gc_config *config, int index, bool is_apart, rd_kafka_conf_t *conf,
				 struct gc_err *err)
{
	enum gc_verdict verdict = gc_kafka_set(conf, "group.id", config->kafka_group_id, err);

	if (verdict == GC_OK && !is_apart)
		verdict = set_instance(config, index, conf, err);
	for (size_t i = 0; verdict == GC_OK && i < sizeof(properties) / sizeof(properties[0]); i++) {
		if (properties[i].is_classic && gc_kafka_is_kip848(config))
			continue;
		if (properties[i].is_fixed || !gc_kafka_has_property(config, properties[i].name))
			verdict = gc_kafka_set(conf, properties[i].name, properties[i].value, err);
	}
	/* writers wait while the last records are fetched */
	if (verdict == GC_OK && is_apart)
		verdict = gc_kafka_set(conf, "fetch.wait.max.ms", "10", err);
	if (verdict == GC_OK && is_apart && gc_kafka_is_kip848(config))
		verdict = gc_kafka_set(conf, "group.protocol", "classic", err); /* of no group */
	return verdict == GC_OK ? set_queue(config, conf, err) : verdict;
}

/* Keeps the reason of a fatal error of librdkafka, after which the client cannot be used. Under KIP-848 much is fatal that passes: the id of
 * a member that was killed and whose session has not ended, a group that was deleted. Another client may do what this one cannot. */
static void note_end(struct gc_consumer *c)
{
	char text[512] = "";
	rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(c->rk, text, sizeof(text));

	gc_kafka_fail(&c->broken, fatal, c->config->kafka_group_id, text);
	if (!c->is_kip848 || (!c->joined && gc_kafka_verdict(fatal) == GC_FATAL))
		c->broken.verdict = GC_FATAL;
	else
		c->broken.verdict = GC_RETRY;
}

/* Errors that librdkafka reports are informational: it retries connections by itself, as when a broker restarts behind TLS or does not know
 * its users yet. What was never right is found before workers start, see gc_run_start(). Only a fatal error ends the consumer. */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct gc_consumer *c = opaque;
	int64_t repeated;

	c->troubles++;
	if (rd_kafka_fatal_error(rk, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR)
		note_end(c);
	else if (gc_complain(&c->complaint, gc_monotonic_us(), &repeated))
		gc_warn("a broker cannot be reached; it is tried again", GC_S("code", rd_kafka_err2name((rd_kafka_resp_err_t)code)),
			GC_S("err", reason), GC_I("repeated", repeated));
}

static enum gc_verdict subscribe(struct gc_consumer *c, const struct gc_reading *reading, struct gc_err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)reading->topic_count);
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < reading->topic_count; i++)
		rd_kafka_topic_partition_list_add(list, reading->topics[i], RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? gc_kafka_fail(err, code, c->config->kafka_brokers, "subscribing") : GC_OK;
}

/* As if a group had assigned them. */
static void take_places(struct gc_consumer *c, const struct gc_reading *reading)
{
	c->pending = rd_kafka_topic_partition_list_new((int)reading->place_count);
	for (size_t i = 0; i < reading->place_count; i++)
		rd_kafka_topic_partition_list_add(c->pending, reading->places[i].topic, reading->places[i].partition);
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
		verdict = configure(c->config, c->index, c->is_apart, conf, err);
	if (verdict != GC_OK) {
		if (conf)
			rd_kafka_conf_destroy(conf);
		return verdict;
	}
	rd_kafka_conf_set_opaque(conf, c);
	rd_kafka_conf_set_rebalance_cb(conf, gc_membership_changed);
	rd_kafka_conf_set_error_cb(conf, on_error);
	c->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (!c->rk) {
		rd_kafka_conf_destroy(conf);
		return gc_fail(err, GC_FATAL, "kafka.properties", "kafka", "the consumer did not start: %s", text);
	}
	rd_kafka_poll_set_consumer(c->rk);
	return GC_OK;
}

enum gc_verdict gc_consumer_open(const struct gc_config *config, struct gc_positions *positions, int index,
				 const struct gc_reading *reading, _Atomic int64_t *at_end, struct gc_consumer **ret_consumer,
				 struct gc_err *err)
{
	struct gc_consumer *c = gc_calloc(1, sizeof(*c));
	enum gc_verdict verdict;

	c->config = config;
	c->positions = positions;
	c->index = index;
	c->at_end = at_end;
	c->is_apart = reading->place_count > 0;
	c->is_kip848 = !c->is_apart && gc_kafka_is_kip848(config);
	c->is_incremental = !c->is_apart && gc_kafka_is_incremental(config);
	c->broken.verdict = GC_OK;
	c->source.calls = &gc_consumer_calls;
	name_owner(c, index);
	verdict = make_client(c, err);
	if (verdict == GC_OK && c->is_apart)
		take_places(c, reading);
	else if (verdict == GC_OK)
		verdict = subscribe(c, reading, err);
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

/* rd_kafka_destroy() waits for librdkafka's threads and for all references to its objects, possibly for ever. */
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
	gc_pending_forget(c);
	gc_assignments_release(c);
	if (c->rk && !close_client(c->rk))
		gc_warn("the consumer did not leave its group in time; the group's session timeout will do it");
	else if (c->rk && !destroy_within_limit(c->rk))
		gc_warn("librdkafka does not let go of its client; it ends with the process");
	free(c->source.records);
	free(c);
}

/* ---- fetching ---- */

static struct gc_assignment *find_assignment(struct gc_consumer *c, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < c->source.assignment_count; i++) {
		if (c->source.assignments[i].partition == partition && strcmp(c->source.assignments[i].position->topic, topic) == 0)
			return &c->source.assignments[i];
	}
	return NULL;
}

/* The bytes stay librdkafka's. */
static struct gc_message message_of(const rd_kafka_message_t *fetched, struct gc_assignment *assignment)
{
	rd_kafka_timestamp_type_t type;
	int64_t timestamp_ms = rd_kafka_message_timestamp(fetched, &type);
	struct gc_message message = {
		.topic = gc_span_of(assignment->position->topic),
		.partition = assignment->partition,
		.offset = fetched->offset,
		.timestamp_us = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : gc_message_us(timestamp_ms),
		.key = { fetched->key, fetched->key ? fetched->key_len : 0 },
		.value = { fetched->payload, fetched->payload ? fetched->len : 0 },
	};

	gc_clock_read(&assignment->clock, &message);
	return message;
}

static void keep_record(struct gc_consumer *c, rd_kafka_message_t *fetched, struct gc_assignment *assignment,
			const struct gc_message *message)
{
	if (c->source.record_count == c->source.record_capacity) {
		c->source.record_capacity = c->source.record_capacity ? c->source.record_capacity * 2 : 1024;
		c->source.records = gc_realloc(c->source.records, c->source.record_capacity * sizeof(*c->source.records));
	}
	c->source.records[c->source.record_count++] = (struct gc_record){
		.fetched = fetched, .message = *message, .assignment = (uint32_t)(assignment - c->source.assignments)
	};
	c->source.record_bytes += fetched->len + fetched->key_len;
	assignment->is_drained = false;
	gc_counter_add(&assignment->position->records, 1);
	gc_counter_add(&assignment->position->bytes, (int64_t)(fetched->len + fetched->key_len));
}

/* One topic or partition cannot be read: the others go on. What else comes from the partition is discarded, because librdkafka skips what
 * it cannot read. */
static void halt(struct gc_consumer *c, const rd_kafka_message_t *event, const char *topic, struct gc_assignment *assignment)
{
	char what[320];
	struct gc_err why;

	if (assignment)
		snprintf(what, sizeof(what), "%s[%d] is halted at offset %lld", topic, assignment->partition,
			 (long long)(event->offset >= 0 ? event->offset : assignment->next_offset));
	else
		snprintf(what, sizeof(what), "%s is not read", topic);
	gc_kafka_fail(&why, event->err, topic, what);
	if (assignment)
		gc_assignment_halt(c, assignment, &why);
	else
		gc_position_halt(c->positions, gc_position_get(c->positions, topic, GC_WHOLE_TOPIC), &why);
}

/* Errors of a connection are never final here, see on_error(). */
static bool is_final(rd_kafka_resp_err_t code)
{
	return gc_kafka_verdict(code) == GC_FATAL && !gc_kafka_is_handshake(code) && code != RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED;
}

static void note_trouble(struct gc_consumer *c, const rd_kafka_message_t *event, const char *topic,
			 struct gc_assignment *assignment)
{
	bool final = is_final(event->err);
	int64_t repeated;

	c->troubles++;
	if (final && *topic)
		halt(c, event, topic, assignment);
	else if (final && !c->joined)
		gc_kafka_fail(&c->broken, event->err, c->config->kafka_group_id, "reading");
	else if (gc_complain(&c->complaint, gc_monotonic_us(), &repeated))
		gc_warn("Kafka reported an error; reading goes on", GC_S("topic", topic), GC_I("partition", event->partition),
			GC_S("code", rd_kafka_err2name(event->err)), GC_S("err", rd_kafka_message_errstr(event)),
			GC_I("repeated", repeated));
}

/* An event: the end of a partition, or an error of the group, of a topic or of a partition. */
static void note_event(struct gc_consumer *c, const rd_kafka_message_t *event)
{
	const char *topic = event->rkt ? rd_kafka_topic_name(event->rkt) : "";
	struct gc_assignment *assignment = event->rkt ? find_assignment(c, topic, event->partition) : NULL;

	if (assignment && (assignment->is_paused || assignment->is_held))
		return;
	switch (event->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		if (!assignment)
			return;
		assignment->at_end = assignment->is_drained = true;
		assignment->reached = event->offset;
		gc_assignment_recovered(c, assignment);
		return;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		if (assignment)
			assignment->is_out_of_range = c->needs_restart = true;
		return;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		gc_debug("topic does not exist", GC_S("topic", topic));
		return;
	case RD_KAFKA_RESP_ERR__FATAL:
		note_end(c);
		return;
	default:
		note_trouble(c, event, topic, assignment);
	}
}

/* A recreated topic with more records than the cube has read looks like the old one; its record before the position differs. */
static void check_topic_identity(struct gc_consumer *c, struct gc_assignment *assignment, const struct gc_message *message)
{
	struct gc_err why;

	assignment->verify_previous = false;
	/* compaction may have removed it: then another record comes first */
	if (message->offset + 1 != assignment->next_offset || (int64_t)gc_message_hash(message) == assignment->last_hash)
		return;
	gc_fail(&why, GC_FATAL, "topic_recreated", assignment->position->topic,
		"the record before offset %lld of %s[%d] is not the one that the cube has read: the topic was made anew; give it a "
		"new group (kafka.group_id) to read it from its beginning",
		(long long)assignment->next_offset, assignment->position->topic, assignment->partition);
	gc_assignment_halt(c, assignment, &why);
}

/* True when it is to be applied: it is neither of a former assignment nor before the position. */
static bool take_record(struct gc_consumer *c, rd_kafka_message_t *fetched, struct gc_assignment *assignment)
{
	int64_t limit = atomic_load(&assignment->position->limit);
	struct gc_message message;

	if (fetched->offset >= limit) {
		gc_assignment_hold(c, assignment, fetched->offset, limit);
		return false;
	}
	message = message_of(fetched, assignment);
	if (assignment->verify_previous && message.offset + 1 >= assignment->next_offset)
		check_topic_identity(c, assignment, &message);
	else if (message.offset < assignment->next_offset)
		c->discarded++;
	if (assignment->is_paused || message.offset < assignment->next_offset)
		return false;
	if (!assignment->is_on_trial)
		gc_assignment_recovered(c, assignment);
	keep_record(c, fetched, assignment, &message);
	return true;
}

/* True when it was a record and is kept. */
static bool take(struct gc_consumer *c, rd_kafka_message_t *fetched)
{
	struct gc_assignment *assignment = NULL;
	bool is_kept = false;

	if (!fetched->err)
		assignment = find_assignment(c, rd_kafka_topic_name(fetched->rkt), fetched->partition);
	if (assignment && !assignment->is_paused && !assignment->is_held)
		is_kept = take_record(c, fetched, assignment);
	else if (fetched->err)
		note_event(c, fetched);
	else
		c->discarded++;
	if (!is_kept)
		rd_kafka_message_destroy(fetched);
	return is_kept;
}

/* No linger: takes what arrived while the last batch was committed, and waits only when nothing has been fetched. */
void gc_consumer_poll(struct gc_consumer *c, int64_t wait_us)
{
	int wait_ms = c->source.record_count == 0 ? (int)(wait_us / 1000) : 0;

	if (c->is_apart)
		gc_assignments_go_on(c);
	while (c->source.record_count < (size_t)c->config->run_batch_records &&
	       c->source.record_bytes < (size_t)c->config->run_batch_bytes) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(c->rk, wait_ms);

		if (!message)
			break;
		if (take(c, message) || c->broken.verdict != GC_OK)
			wait_ms = 0;
	}
	gc_membership_note(c);
	gc_kafka_login_renew(&c->login, c->rk, c->config);
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
void gc_consumer_commit_offsets(struct gc_consumer *c, int64_t wait_us)
{
	rd_kafka_topic_partition_list_t *list;

	if (c->source.assignment_count == 0 || c->is_apart)
		return;
	list = rd_kafka_topic_partition_list_new((int)c->source.assignment_count);
	for (size_t i = 0; i < c->source.assignment_count; i++)
		rd_kafka_topic_partition_list_add(list, c->source.assignments[i].position->topic,
						  c->source.assignments[i].partition)
			->offset = c->source.assignments[i].next_offset;
	if (wait_us > 0)
		commit_within(c->rk, list, wait_us);
	else
		rd_kafka_commit(c->rk, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
}

void gc_consumer_pause(struct gc_consumer *c, bool paused)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)c->source.assignment_count);

	for (size_t i = 0; i < c->source.assignment_count; i++) {
		if (!c->source.assignments[i].is_paused)
			rd_kafka_topic_partition_list_add(list, c->source.assignments[i].position->topic,
							  c->source.assignments[i].partition);
	}
	if (paused)
		rd_kafka_pause_partitions(c->rk, list);
	else
		rd_kafka_resume_partitions(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
}

/* The end was reported, or the position has reached the high watermark of the claim: behind a transaction only the former happens. A halted
 * partition counts as at its end. */
static bool is_assignment_at_end(const struct gc_assignment *assignment)
{
	int64_t target = atomic_load(&assignment->position->target);

	return gc_position_halted_us(assignment->position) != 0 || assignment->at_end ||
	       (target >= 0 && assignment->next_offset >= target);
}

bool gc_consumer_is_at_end(const struct gc_consumer *c)
{
	if (!c->joined || c->is_revoked || c->pending || c->source.record_count > 0)
		return false;
	for (size_t i = 0; i < c->source.assignment_count; i++) {
		if (!is_assignment_at_end(&c->source.assignments[i]))
			return false;
	}
	return true;
}
