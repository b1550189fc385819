/* An embedded broker for the tests of one program, with a producer and a reader on it. */
#ifndef GRACECUBE_TESTS_BROKERS_H
#define GRACECUBE_TESTS_BROKERS_H

#include <librdkafka/rdkafka.h>

#include <gracecube/arena.h>
#include <gracecube/log.h>

#include "kafka/embedded_broker.h"
#include "kafka/client.h"
#include "kafka/producer.h"
#include "suite.h"

#define PARTITIONS 7
#define WAIT_MS 10000

static struct gc_broker *broker;
static struct gc_config cfg;

static inline int start_broker(void **state)
{
	struct gc_err err;

	(void)state;
	gc_log_setup(GC_LOG_ERROR, GC_LOG_LOGFMT);
	if (gc_broker_start(PARTITIONS, &broker, &err))
		return -1;
	cfg.kafka_brokers = gc_strdup(gc_broker_bootstrap(broker));
	return 0;
}

static inline int stop_broker(void **state)
{
	(void)state;
	gc_broker_stop(broker);
	free(cfg.kafka_brokers);
	return 0;
}

/* ---- what the tests are made of ---- */

#define MUST(call)                                                                                                                 \
	do {                                                                                                                       \
		if ((call) != GC_OK)                                                                                               \
			fail_msg("%s: %s: %s", err.code, err.where, err.text);                                                     \
	} while (0)

static inline struct gc_producer *open_producer(const struct gc_producer_options *options)
{
	struct gc_producer *producer;
	struct gc_err err;

	MUST(gc_producer_open(&cfg, options, &producer, &err));
	return producer;
}

static inline void create_topic(const char *topic)
{
	struct gc_err err;

	MUST(gc_broker_create_topics(broker, (const char *const[]){ topic }, 1, &err));
}

static inline void send_one(struct gc_producer *producer, const struct gc_message *message)
{
	struct gc_err err;

	MUST(gc_producer_send(producer, message, &err));
}

static inline void assert_delivered(struct gc_producer *producer, uint64_t count)
{
	struct gc_producer_counts counts;

	gc_producer_flush(producer, 0);
	gc_producer_counts(producer, &counts);
	assert_int_equal(counts.sent, count);
	assert_int_equal(counts.delivered, count);
	assert_int_equal(counts.failed, 0);
}

static inline struct gc_kafka_watermarks ask_marks(const struct gc_config *where, const char *topic)
{
	struct gc_kafka_watermarks mark = { .topic = topic };
	struct gc_kafka_client *client;
	struct gc_err err;

	MUST(gc_kafka_open(where, &client, &err));
	MUST(gc_kafka_watermarks(client->rk, &mark, 1, GC_KAFKA_TIMEOUT_US, &err));
	gc_kafka_close(client);
	return mark;
}

/* Reads one partition from its beginning. */
static inline rd_kafka_t *open_reader(const char *topic, int32_t partition)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_conf_t *conf;
	rd_kafka_t *rk;
	struct gc_err err;
	char text[256];

	MUST(gc_kafka_conf(&cfg, "consumer", &conf, &err));
	MUST(gc_kafka_set(conf, "group.id", "test", &err));
	MUST(gc_kafka_set(conf, "enable.auto.commit", "false", &err));
	MUST(gc_kafka_set(conf, "auto.offset.reset", "error", &err));
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	assert_non_null(rk);
	rd_kafka_poll_set_consumer(rk);
	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = 0;
	assert_int_equal(rd_kafka_assign(rk, list), 0);
	rd_kafka_topic_partition_list_destroy(list);
	return rk;
}

static inline void close_reader(rd_kafka_t *rk)
{
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
}

static inline rd_kafka_message_t *read_one(rd_kafka_t *rk)
{
	rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);

	assert_non_null(message);
	if (message->err)
		fail_msg("%s", rd_kafka_message_errstr(message));
	return message;
}

#endif
