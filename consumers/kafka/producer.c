/* Producer: every message ends as delivered or as failed, exactly one of the two.
 *
 * Guarantees: sent = delivered + failed once flushed. What arrives is key, value, headers and timestamp as they were given,
 * in the order given within a partition; a lost acknowledgement doubles nothing, because the producer is idempotent. Except
 * after the crash of a broker: it knows a producer again by its records of the last day (producer.id.expiration.ms), so what
 * bears an older timestamp may be there twice.
 * Threads: delivery reports and errors are served by gc_producer_poll() in the caller's thread: no lock.
 */
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/log.h>
#include <gracecube/map.h>

#include "kafka/admin.h"
#include "kafka/client.h"
#include "kafka/producer.h"

/* Kafka's own limit of a topic's name. */
#define TOPIC_NAME_MAX 249
/* One turn of waiting: for room in the queue, for may_send, for reports. */
#define TURN_US (20 * 1000)
#define METADATA_TURN_US (2 * 1000 * 1000)
/* So many times the time-out, once the brokers have been there. */
#define PATIENT 6
/* How long brokers that create topics by themselves may take for it. */
#define CREATION_US (5 * GC_SECOND_US)
/* A record's own bytes in the log, and its share of the batch's. */
#define RECORD_OVERHEAD_BYTES 80

struct topic {
	char *name;
	rd_kafka_topic_t *handle;
	int32_t partitions;
	int32_t next_partition; /* for messages without a key, where we choose */
};

struct gc_producer {
	struct gc_kafka_client client; /* its rk is the producer */
	const struct gc_config *cfg;
	const struct gc_producer_options *options;
	int64_t timeout_us;
	struct topic *topics;
	size_t topic_count;
	struct gc_map topic_index; /* the message's topic → index in topics */
	struct gc_producer_counts counts;
	struct gc_complaint failures;
};

/* ---- what comes back ---- */

static void count_failure(struct gc_producer *producer, const rd_kafka_message_t *report)
{
	const char *topic = rd_kafka_topic_name(report->rkt);
	struct gc_err err;
	int64_t repeated;

	gc_kafka_fail(&err, report->err, topic, "A message was not acknowledged");
	if (producer->counts.failed++ == 0)
		producer->counts.first_failure = err;
	if (gc_complain(&producer->failures, gc_monotonic_us(), &repeated))
		gc_warn("message not delivered", GC_ERR_FIELDS(&err), GC_I("partition", report->partition),
			GC_I("repeated", repeated));
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *report, void *opaque)
{
	struct gc_producer *producer = opaque;

	(void)rk;
	if (report->err) {
		count_failure(producer, report);
		return;
	}
	producer->counts.delivered++;
	producer->counts.bytes += report->len + report->key_len;
}

static void on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
	struct gc_producer *producer = opaque;

	(void)rk;
	gc_kafka_hear(&producer->client, (rd_kafka_resp_err_t)code, text);
}

static bool is_stopping(const struct gc_producer *producer)
{
	const struct gc_producer_options *options = producer->options;

	return options->stopping && options->stopping(options->arg);
}

void gc_producer_poll(struct gc_producer *producer, int64_t wait_us)
{
	rd_kafka_poll(producer->client.rk, (int)(wait_us / 1000));
	gc_kafka_login_renew(&producer->client.login, producer->client.rk, producer->cfg);
}

static enum gc_verdict fail_stopped(struct gc_err *err)
{
	return gc_fail(err, GC_RETRY, "stopped", "", "Stopped before the message was sent");
}

/* ---- open and close ---- */

struct producer_property {
	const char *name, *value;
	bool may_differ; /* the user may set it otherwise */
};

/* In the order of their reasons. */
static const struct producer_property properties[] = {
	{ "enable.idempotence", "true", false },
	{ "acks", "all", false },
	/* With more, librdkafka (to 2.15, by its source) counts a request that a young partition refused as acknowledged by the next one
	 * that it took: lost without a word. https://github.com/confluentinc/confluent-kafka-go/issues/921
	 * It costs nothing: 227,606 records in 2.27 s, with five in 2.34 s. */
	{ "max.in.flight.requests.per.connection", "1", false },
	/* As Java's producers choose, so that a key stays on one partition whoever publishes. */
	{ "partitioner", "murmur2_random", true },
	/* A line of a capture file may be larger than a broker takes by default; that is for the broker to say. */
	{ "message.max.bytes", "33554432", true },
	/* Enough to keep brokers busy, little enough to stay out of the way: the default is 1 GiB. */
	{ "queue.buffering.max.kbytes", "65536", true },
	{ "linger.ms", "5", true },
};

static enum gc_verdict set_properties(const struct gc_producer *producer, rd_kafka_conf_t *conf, struct gc_err *err)
{
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
		const struct producer_property *property = &properties[i];

		if (property->may_differ && gc_kafka_has_property(producer->cfg, property->name))
			continue;
		if (gc_kafka_set(conf, property->name, property->value, err))
			return err->verdict;
	}
	/* Who creates topics by admin requests must be able to ask for one without creating it. */
	return gc_kafka_set(conf, "allow.auto.create.topics", producer->options->create_topics ? "false" : "true", err);
}

static enum gc_verdict make_client(struct gc_producer *producer, struct gc_err *err)
{
	rd_kafka_conf_t *conf;
	char text[256];

	if (gc_kafka_conf(producer->cfg, "producer", &conf, err))
		return err->verdict;
	if (set_properties(producer, conf, err)) {
		rd_kafka_conf_destroy(conf);
		return err->verdict;
	}
	rd_kafka_conf_set_opaque(conf, producer);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_error_cb(conf, on_error);
	producer->client.rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (producer->client.rk)
		return GC_OK;
	rd_kafka_conf_destroy(conf);
	return gc_fail(err, GC_FATAL, "kafka.properties", producer->cfg->kafka_brokers, "No Kafka producer: %s", text);
}

enum gc_verdict gc_producer_open(const struct gc_config *cfg, const struct gc_producer_options *options,
				 struct gc_producer **ret_producer, struct gc_err *err)
{
	struct gc_producer *producer = gc_calloc(1, sizeof(*producer));

	producer->cfg = cfg;
	producer->options = options;
	producer->client.login_hint = gc_kafka_login_hint(cfg);
	producer->timeout_us = options->timeout_us ? options->timeout_us : GC_KAFKA_TIMEOUT_US;
	gc_map_init(&producer->topic_index);
	if (make_client(producer, err)) {
		gc_producer_close(producer);
		return err->verdict;
	}
	*ret_producer = producer;
	return GC_OK;
}

void gc_producer_close(struct gc_producer *producer)
{
	if (!producer)
		return;
	for (size_t i = 0; i < producer->topic_count; i++) {
		rd_kafka_topic_destroy(producer->topics[i].handle);
		free(producer->topics[i].name);
	}
	if (producer->client.rk)
		rd_kafka_destroy(producer->client.rk);
	gc_map_done(&producer->topic_index);
	free(producer->topics);
	free(producer);
}

/* ---- what cannot be published at all ---- */

/* The name it goes to; false when it does not fit. */
static bool name_topic(const struct gc_producer_options *options, struct gc_span topic, char *ret_name, size_t bytes)
{
	struct gc_span name = options->topic ? gc_span_of(options->topic) : topic;
	const char *prefix = !options->topic && options->topic_prefix ? options->topic_prefix : "";
	int len = snprintf(ret_name, bytes, "%s%.*s", prefix, (int)name.len, name.ptr ? name.ptr : "");

	return name.len <= TOPIC_NAME_MAX && len >= 0 && (size_t)len == strlen(prefix) + name.len && (size_t)len < bytes;
}

static bool is_topic_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return name[0] != '\0' && name[strspn(name, allowed)] == '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static enum gc_verdict check_topic(const struct gc_producer_options *options, const struct gc_message *message, struct gc_err *err)
{
	char name[TOPIC_NAME_MAX + 1];

	if (!options->topic && !message->topic.ptr)
		return gc_fail(err, GC_REJECT, "no_topic_name", "", "There is no topic; name one in the record or for all of them");
	if (!name_topic(options, message->topic, name, sizeof(name)) || !is_topic_name(name))
		return gc_fail(err, GC_REJECT, "bad_topic", "",
			       "The topic's name is not 1 to %d letters, digits, dots, dashes and underscores", TOPIC_NAME_MAX);
	return GC_OK;
}

/* librdkafka reads the timestamp 0 as "now", so it cannot be published as it is. */
static enum gc_verdict check_timestamp(const struct gc_message *message, struct gc_err *err)
{
	if (message->timestamp_us == -1 || message->timestamp_us >= 1000)
		return GC_OK;
	return gc_fail(err, GC_REJECT, "bad_timestamp", "",
		       "The timestamp is %lld µs; it must be at least 1 ms after 1970, or -1 for none",
		       (long long)message->timestamp_us);
}

enum gc_verdict gc_producer_check(const struct gc_producer_options *options, const struct gc_message *message, struct gc_err *err)
{
	enum gc_verdict verdict = check_topic(options, message, err);

	return verdict ? verdict : check_timestamp(message, err);
}

/* ---- topics ---- */

/* A person waits for the first answer; later, brokers that are being restarted are worth more patience. */
static int64_t patience_us(const struct gc_producer *producer)
{
	return producer->counts.delivered > 0 ? PATIENT * producer->timeout_us : producer->timeout_us;
}

/* In short turns, so that a signal and a refused login end it soon. */
static enum gc_verdict ask_metadata(struct gc_producer *producer, rd_kafka_topic_t *topic,
				    const struct rd_kafka_metadata **ret_metadata, struct gc_err *err)
{
	int64_t give_up_us = gc_monotonic_us() + patience_us(producer);
	enum gc_verdict verdict;

	do {
		rd_kafka_resp_err_t code = rd_kafka_metadata(producer->client.rk, 0, topic, ret_metadata, METADATA_TURN_US / 1000);

		if (!code) {
			producer->client.heard = RD_KAFKA_RESP_ERR_NO_ERROR;
			return GC_OK;
		}
		gc_kafka_fail(err, code, producer->cfg->kafka_brokers, "The brokers did not tell of the topic");
		verdict = gc_kafka_explain(&producer->client, err);
	} while (verdict == GC_RETRY && gc_monotonic_us() < give_up_us && !is_stopping(producer));
	return verdict;
}

/* *ret_code: what the brokers say of the topic. */
static enum gc_verdict ask_partitions(struct gc_producer *producer, struct topic *topic, rd_kafka_resp_err_t *ret_code,
				      struct gc_err *err)
{
	const struct rd_kafka_metadata *metadata;

	if (ask_metadata(producer, topic->handle, &metadata, err))
		return err->verdict;
	*ret_code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (metadata->topic_cnt == 1) {
		*ret_code = metadata->topics[0].err;
		topic->partitions = metadata->topics[0].partition_cnt;
	}
	rd_kafka_metadata_destroy(metadata);
	return GC_OK;
}

static bool may_appear(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
}

static enum gc_verdict fail_topic(const struct gc_producer *producer, const struct topic *topic, rd_kafka_resp_err_t code,
				  struct gc_err *err)
{
	if (!may_appear(code))
		return gc_kafka_fail(err, code, topic->name, "The topic cannot be published to");
	return gc_fail(err, GC_FATAL, "no_topic", topic->name,
		       "The topic %s does not exist at %s, and the brokers create none by themselves; create it, or "
		       "publish with --create-topics",
		       topic->name, producer->cfg->kafka_brokers);
}

/* A topic that has just been asked for, or made, takes a moment to appear; one that was made is sure to. */
static enum gc_verdict wait_for_topic(struct gc_producer *producer, struct topic *topic, struct gc_err *err)
{
	int64_t give_up_us = gc_monotonic_us() + (producer->options->create_topics ? PATIENT : 1) * CREATION_US;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	do {
		if (ask_partitions(producer, topic, &code, err))
			return err->verdict;
		if (!code && topic->partitions > 0)
			return GC_OK;
		if (is_stopping(producer))
			return fail_stopped(err);
		gc_producer_poll(producer, TURN_US);
	} while (may_appear(code) && gc_monotonic_us() < give_up_us);
	return fail_topic(producer, topic, code, err);
}

static enum gc_verdict set_topic(const struct gc_producer_options *options, rd_kafka_NewTopic_t *wish, struct gc_err *err)
{
	for (size_t i = 0; i < options->topic_setting_count; i++) {
		const struct gc_property *setting = &options->topic_settings[i];
		rd_kafka_resp_err_t code = rd_kafka_NewTopic_set_config(wish, setting->name, setting->value);

		if (code)
			return gc_kafka_fail(err, code, setting->name, "The topic's setting cannot be used");
	}
	return GC_OK;
}

/* Brokers that are just starting count as none: the reason for "replication factor larger than available brokers". */
static bool is_passing(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR || gc_kafka_verdict(code) == GC_RETRY;
}

static rd_kafka_resp_err_t insist_on_topic(struct gc_producer *producer, rd_kafka_NewTopic_t *wish, char *ret_text, size_t bytes)
{
	int64_t give_up_us = gc_monotonic_us() + patience_us(producer);
	rd_kafka_resp_err_t code = gc_admin_create_topic(producer->client.rk, wish, producer->timeout_us, ret_text, bytes);

	while (is_passing(code) && gc_monotonic_us() < give_up_us && !is_stopping(producer)) {
		gc_producer_poll(producer, TURN_US * 10);
		code = gc_admin_create_topic(producer->client.rk, wish, producer->timeout_us, ret_text, bytes);
	}
	return code;
}

static enum gc_verdict create_topic(struct gc_producer *producer, const struct topic *topic, struct gc_err *err)
{
	int32_t partitions = producer->options->partitions > 0 ? producer->options->partitions : -1;
	char text[256] = "", what[384];
	/* -1: the brokers' default, for the replicas too */
	rd_kafka_NewTopic_t *wish = rd_kafka_NewTopic_new(topic->name, partitions, -1, text, sizeof(text));
	rd_kafka_resp_err_t code;

	if (!wish)
		return gc_fail(err, GC_FATAL, "bad_topic", topic->name, "The topic cannot be created: %s", text);
	if (set_topic(producer->options, wish, err)) {
		rd_kafka_NewTopic_destroy(wish);
		return err->verdict;
	}
	code = insist_on_topic(producer, wish, text, sizeof(text));
	rd_kafka_NewTopic_destroy(wish);
	if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
		gc_info("topic created", GC_S("topic", topic->name));
		return GC_OK;
	}
	snprintf(what, sizeof(what), "The topic was not created (%s)", text);
	return gc_kafka_fail(err, code, topic->name, what);
}

static enum gc_verdict find_or_create(struct gc_producer *producer, struct topic *topic, struct gc_err *err)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	if (ask_partitions(producer, topic, &code, err))
		return err->verdict;
	if (!code && topic->partitions > 0)
		return GC_OK;
	if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && producer->options->create_topics &&
	    create_topic(producer, topic, err))
		return err->verdict;
	return wait_for_topic(producer, topic, err);
}

static struct topic *keep_topic(struct gc_producer *producer, struct gc_span asked, const struct topic *fresh)
{
	size_t index = producer->topic_count++;

	producer->topics = gc_realloc(producer->topics, producer->topic_count * sizeof(*producer->topics));
	producer->topics[index] = *fresh;
	gc_map_put(&producer->topic_index, asked, (int64_t)index);
	return &producer->topics[index];
}

static enum gc_verdict open_topic(struct gc_producer *producer, struct gc_span asked, struct topic **ret_topic, struct gc_err *err)
{
	char name[TOPIC_NAME_MAX + 1];
	struct topic fresh = { .name = NULL };

	name_topic(producer->options, asked, name, sizeof(name)); /* gc_producer_check() has seen that it fits */
	fresh.handle = rd_kafka_topic_new(producer->client.rk, name, NULL);
	if (!fresh.handle)
		return gc_kafka_fail(err, rd_kafka_last_error(), name, "The topic cannot be published to");
	fresh.name = gc_strdup(name);
	if (find_or_create(producer, &fresh, err)) {
		rd_kafka_topic_destroy(fresh.handle);
		free(fresh.name);
		return err->verdict;
	}
	*ret_topic = keep_topic(producer, asked, &fresh);
	return GC_OK;
}

static enum gc_verdict find_topic(struct gc_producer *producer, const struct gc_message *message, struct topic **ret_topic,
				  struct gc_err *err)
{
	struct gc_span asked = producer->options->topic ? GC_LIT("") : message->topic;
	int64_t index;

	if (!gc_map_get(&producer->topic_index, asked, &index))
		return open_topic(producer, asked, ret_topic, err);
	*ret_topic = &producer->topics[index];
	return GC_OK;
}

/* ---- partitions ---- */

/* librdkafka's partitioner decides, unless somebody must know the partition before the message is sent. */
static int32_t choose_partition(const struct gc_producer *producer, struct topic *topic, const struct gc_message *message)
{
	if (producer->options->keep_partition)
		return message->partition;
	if (!producer->options->may_send)
		return RD_KAFKA_PARTITION_UA;
	if (message->key.ptr)
		return rd_kafka_msg_partitioner_murmur2(topic->handle, message->key.ptr, message->key.len, topic->partitions, NULL,
							NULL);
	topic->next_partition = (topic->next_partition + 1) % topic->partitions;
	return topic->next_partition;
}

static enum gc_verdict check_partition(const struct gc_producer *producer, const struct topic *topic, int32_t partition,
				       struct gc_err *err)
{
	if (!producer->options->keep_partition || (partition >= 0 && partition < topic->partitions))
		return GC_OK;
	return gc_fail(err, GC_REJECT, "no_partition", topic->name,
		       "The record is of partition %d, and the topic %s has %d of them, counted from 0", (int)partition,
		       topic->name, (int)topic->partitions);
}

static size_t bytes_in_log(const struct gc_message *message)
{
	size_t bytes = message->key.len + message->value.len + RECORD_OVERHEAD_BYTES;

	for (size_t i = 0; i < message->header_count; i++)
		bytes += message->headers[i].name.len + message->headers[i].value.len + 4;
	return bytes;
}

static enum gc_verdict wait_for_leave(struct gc_producer *producer, const struct topic *topic, int32_t partition,
				      const struct gc_message *message, struct gc_err *err)
{
	const struct gc_producer_options *options = producer->options;

	while (options->may_send && !options->may_send(options->arg, topic->name, partition, bytes_in_log(message))) {
		if (is_stopping(producer))
			return fail_stopped(err);
		gc_producer_poll(producer, TURN_US);
	}
	return GC_OK;
}

/* ---- send ---- */

static rd_kafka_headers_t *make_headers(const struct gc_message *message)
{
	rd_kafka_headers_t *headers;

	if (message->header_count == 0)
		return NULL;
	headers = rd_kafka_headers_new(message->header_count);
	for (size_t i = 0; i < message->header_count; i++) {
		const struct gc_header *header = &message->headers[i];

		rd_kafka_header_add(headers, header->name.ptr, (ssize_t)header->name.len, header->value.ptr,
				    (ssize_t)header->value.len);
	}
	return headers;
}

/* Takes the headers, unless it fails. */
static rd_kafka_resp_err_t produce(struct gc_producer *producer, const struct topic *topic, int32_t partition,
				   const struct gc_message *message, rd_kafka_headers_t *headers)
{
	int64_t timestamp_ms = message->timestamp_us < 0 ? 0 : message->timestamp_us / 1000; /* 0 is "now" */

	return rd_kafka_producev(producer->client.rk, RD_KAFKA_V_RKT(topic->handle), RD_KAFKA_V_PARTITION(partition),
				 RD_KAFKA_V_KEY(message->key.ptr, message->key.len),
				 RD_KAFKA_V_VALUE((void *)(uintptr_t)message->value.ptr, message->value.len),
				 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(timestamp_ms),
				 RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
}

static enum gc_verdict fail_produce(struct gc_producer *producer, const struct topic *topic, rd_kafka_resp_err_t code,
				    struct gc_err *err)
{
	char text[256];

	if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
		return gc_fail(err, GC_REJECT, "too_large", topic->name,
			       "The record is larger than message.max.bytes under kafka.properties");
	if (code != RD_KAFKA_RESP_ERR__FATAL)
		return gc_kafka_fail(err, code, topic->name, "The message cannot be sent");
	code = rd_kafka_fatal_error(producer->client.rk, text, sizeof(text));
	return gc_fail(err, GC_FATAL, rd_kafka_err2name(code), topic->name, "The producer cannot go on: %s", text);
}

/* A full queue empties as fast as the brokers acknowledge: waiting for reports is all there is to do. */
static enum gc_verdict queue_message(struct gc_producer *producer, const struct topic *topic, int32_t partition,
				     const struct gc_message *message, struct gc_err *err)
{
	rd_kafka_headers_t *headers = make_headers(message);
	rd_kafka_resp_err_t code = produce(producer, topic, partition, message, headers);

	while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && !is_stopping(producer)) {
		gc_producer_poll(producer, TURN_US);
		code = produce(producer, topic, partition, message, headers);
	}
	if (!code)
		return GC_OK;
	if (headers)
		rd_kafka_headers_destroy(headers);
	return code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? fail_stopped(err) : fail_produce(producer, topic, code, err);
}

enum gc_verdict gc_producer_send(struct gc_producer *producer, const struct gc_message *message, struct gc_err *err)
{
	struct topic *topic;
	int32_t partition;

	if (gc_producer_check(producer->options, message, err) || find_topic(producer, message, &topic, err))
		return err->verdict;
	partition = choose_partition(producer, topic, message);
	if (check_partition(producer, topic, partition, err) || wait_for_leave(producer, topic, partition, message, err) ||
	    queue_message(producer, topic, partition, message, err))
		return err->verdict;
	producer->counts.sent++;
	gc_producer_poll(producer, 0);
	return GC_OK;
}

static void give_up(struct gc_producer *producer)
{
	rd_kafka_purge(producer->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_flush(producer->client.rk, 1000); /* takes the reports of what was given up */
}

void gc_producer_flush(struct gc_producer *producer, int64_t grace_us)
{
	int64_t give_up_us = INT64_MAX;

	while (rd_kafka_outq_len(producer->client.rk) > 0 && gc_monotonic_us() < give_up_us) {
		if (give_up_us == INT64_MAX && is_stopping(producer))
			give_up_us = gc_monotonic_us() + grace_us;
		rd_kafka_flush(producer->client.rk, (int)(TURN_US / 1000));
	}
	if (rd_kafka_outq_len(producer->client.rk) > 0)
		give_up(producer);
}

void gc_producer_counts(const struct gc_producer *producer, struct gc_producer_counts *ret_counts)
{
	*ret_counts = producer->counts;
	ret_counts->topics = producer->topic_count;
}
