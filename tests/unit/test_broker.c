/* The embedded broker, the producer on it, and the helpers that ask it. test_throttle.c holds the producer back. */
#include "brokers.h"
/* wants rdkafka.h first */
#include <librdkafka/rdkafka_mock.h>

/* ---- tests ---- */

static void assert_bytes(const void *got, size_t len, struct gc_span wanted)
{
	assert_int_equal(got == NULL, wanted.ptr == NULL);
	assert_int_equal(len, wanted.len);
	if (len > 0)
		assert_memory_equal(got, wanted.ptr, len);
}

static void assert_header(const rd_kafka_headers_t *headers, size_t i, const char *wanted_name, struct gc_span wanted)
{
	const char *name;
	const void *value;
	size_t len;

	assert_int_equal(rd_kafka_header_get_all(headers, i, &name, &value, &len), 0);
	assert_string_equal(name, wanted_name);
	assert_bytes(value, len, wanted);
}

static void records_arrive_byte_for_byte(void **state)
{
	static const struct gc_header headers[] = {
		{ GC_LIT("a"), GC_LIT("1\0\xFF") },
		{ GC_LIT("a"), GC_SPAN_NULL },
		{ GC_LIT(""), GC_LIT("") },
	};
	static const struct gc_message messages[] = {
		{ .topic = GC_LIT("bytes"),
		  .timestamp_us = 1000,
		  .key = GC_LIT("k\0\xFF"),
		  .value = GC_LIT("\0\x80 v"),
		  .headers = headers,
		  .header_count = COUNT(headers) },
		{ .topic = GC_LIT("bytes"), .timestamp_us = INT64_C(1795410143304000), .key = GC_SPAN_NULL, .value = GC_SPAN_NULL },
		{ .topic = GC_LIT("bytes"), .timestamp_us = INT64_C(7258118399999000), .key = GC_LIT(""), .value = GC_LIT("") },
	};
	const struct gc_producer_options options = { .keep_partition = true };
	struct gc_producer *producer = open_producer(&options);
	rd_kafka_headers_t *got;
	rd_kafka_t *reader;

	(void)state;
	create_topic("bytes");
	for (size_t i = 0; i < COUNT(messages); i++)
		send_one(producer, &messages[i]);
	assert_delivered(producer, COUNT(messages));
	gc_producer_close(producer);

	reader = open_reader("bytes", 0);
	for (size_t i = 0; i < COUNT(messages); i++) {
		rd_kafka_message_t *message = read_one(reader);

		assert_bytes(message->key, message->key_len, messages[i].key);
		assert_bytes(message->payload, message->len, messages[i].value);
		assert_int_equal(rd_kafka_message_timestamp(message, NULL), messages[i].timestamp_us / 1000);
		if (i == 0) {
			assert_int_equal(rd_kafka_message_headers(message, &got), 0);
			for (size_t h = 0; h < COUNT(headers); h++)
				assert_header(got, h, headers[h].name.ptr, headers[h].value);
		}
		rd_kafka_message_destroy(message);
	}
	close_reader(reader);
}

static int32_t asked_partition;

static bool note_partition(void *arg, const char *topic, int32_t partition, size_t bytes)
{
	(void)arg;
	assert_string_equal(topic, "test.keys");
	assert_true(bytes > 0);
	asked_partition = partition;
	return true;
}

/* The hashes are those of Kafka's own test of its murmur2. */
static const struct {
	const char *key;
	int32_t hash;
} java_keys[] = {
	{ "21", -973932308 },
	{ "foobar", -790332482 },
	{ "a-little-bit-long-string", -985981536 },
	{ "a-little-bit-longer-string", -1486304829 },
	{ "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971 },
	{ "abc", 479470107 },
};

static int32_t java_partition(int32_t hash)
{
	return (hash & 0x7FFFFFFF) % PARTITIONS;
}

/* By our choice, where a hook must know it, and by librdkafka's, where none does. */
static void keys_go_where_java_sends_them(void **state)
{
	const struct gc_producer_options by_us = { .topic_prefix = "test.", .may_send = note_partition };
	const struct gc_producer_options by_librdkafka = { .topic_prefix = "test." };
	struct gc_producer *ours = open_producer(&by_us), *theirs = open_producer(&by_librdkafka);

	(void)state;
	create_topic("test.keys");
	for (size_t i = 0; i < COUNT(java_keys); i++) {
		struct gc_message message = { .topic = GC_LIT("keys"), .timestamp_us = -1, .value = GC_LIT("v") };

		message.key = gc_span_of(java_keys[i].key);
		send_one(ours, &message);
		assert_int_equal(asked_partition, java_partition(java_keys[i].hash));
		send_one(theirs, &message);
	}
	assert_delivered(ours, COUNT(java_keys));
	assert_delivered(theirs, COUNT(java_keys));
	gc_producer_close(ours);
	gc_producer_close(theirs);
}

static void topics_and_offsets_are_told(void **state)
{
	struct gc_kafka_topic topics[] = { { .name = "test.keys" }, { .name = "never made" } };
	struct gc_kafka_watermarks marks[PARTITIONS];
	int64_t wanted[PARTITIONS] = { 0 };
	struct gc_kafka_client *client;
	struct gc_err err;

	(void)state;
	MUST(gc_kafka_open(&cfg, &client, &err));
	for (int round = 0; round < 2; round++) { /* asking makes no topic */
		MUST(gc_kafka_topics(client->rk, topics, COUNT(topics), GC_KAFKA_TIMEOUT_US, &err));
		assert_int_equal(topics[0].partitions, PARTITIONS);
		assert_int_equal(topics[1].partitions, 0);
	}
	for (size_t i = 0; i < COUNT(java_keys); i++)
		wanted[java_partition(java_keys[i].hash)] += 2; /* once by either producer */
	for (int32_t i = 0; i < PARTITIONS; i++)
		marks[i] = (struct gc_kafka_watermarks){ .topic = "test.keys", .partition = i };
	MUST(gc_kafka_watermarks(client->rk, marks, PARTITIONS, GC_KAFKA_TIMEOUT_US, &err));
	for (int32_t i = 0; i < PARTITIONS; i++) {
		assert_int_equal(marks[i].low, 0);
		assert_int_equal(marks[i].high, wanted[i]);
	}
	MUST(gc_kafka_watermarks(client->rk, NULL, 0, GC_KAFKA_TIMEOUT_US, &err));
	gc_kafka_close(client);
	gc_kafka_close(NULL);
}

static void what_cannot_be_published_is_refused(void **state)
{
	static const struct {
		struct gc_message message;
		const char *code;
	} cases[] = {
		{ { .topic = GC_SPAN_NULL, .timestamp_us = -1 }, "no_topic_name" },
		{ { .topic = GC_LIT(""), .timestamp_us = -1 }, "bad_topic" },
		{ { .topic = GC_LIT("a b"), .timestamp_us = -1 }, "bad_topic" },
		{ { .topic = GC_LIT("a\0b"), .timestamp_us = -1 }, "bad_topic" },
		{ { .topic = GC_LIT(".."), .timestamp_us = -1 }, "bad_topic" },
		{ { .topic = GC_LIT("bytes"), .timestamp_us = 0 }, "bad_timestamp" },
		{ { .topic = GC_LIT("bytes"), .timestamp_us = 999 }, "bad_timestamp" },
		{ { .topic = GC_LIT("bytes"), .timestamp_us = -2 }, "bad_timestamp" },
		{ { .topic = GC_LIT("bytes"), .timestamp_us = -1, .partition = PARTITIONS }, "no_partition" },
		{ { .topic = GC_LIT("bytes"), .timestamp_us = -1, .partition = -1 }, "no_partition" },
	};
	const struct gc_producer_options options = { .keep_partition = true };
	struct gc_producer *producer = open_producer(&options);
	struct gc_err err;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(gc_producer_send(producer, &cases[i].message, &err), GC_REJECT);
		if (strcmp(err.code, cases[i].code) != 0)
			fail_msg("case %zu: %s instead of %s", i, err.code, cases[i].code);
	}
	assert_delivered(producer, 0);
	gc_producer_close(producer);
}

static void a_record_larger_than_the_limit_is_refused(void **state)
{
	char *value = gc_calloc(1, 40 << 20);
	const struct gc_message message = { .topic = GC_LIT("bytes"), .timestamp_us = -1, .value = { value, 40 << 20 } };
	const struct gc_producer_options options = { .topic = "bytes" };
	struct gc_producer *producer = open_producer(&options);
	struct gc_err err;

	(void)state;
	assert_int_equal(gc_producer_send(producer, &message, &err), GC_REJECT);
	assert_string_equal(err.code, "too_large");
	gc_producer_close(producer);
	free(value);
}

/* ---- brokers that say no ---- */

#define PRODUCE_REQUEST 0
#define SLOW_MS 100

struct slow_cluster {
	rd_kafka_t *rk; /* lends it its threads */
	rd_kafka_mock_cluster_t *cluster;
	struct gc_config cfg;
};

static void start_slow_cluster(struct slow_cluster *slow)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	struct gc_err err;
	char text[256];

	MUST(gc_kafka_set(conf, "log_level", "4", &err));
	slow->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	assert_non_null(slow->rk);
	slow->cluster = rd_kafka_mock_cluster_new(slow->rk, 1);
	assert_non_null(slow->cluster);
	assert_int_equal(rd_kafka_mock_topic_create(slow->cluster, "old", 1, 1), 0);
	assert_int_equal(rd_kafka_mock_topic_create(slow->cluster, "young", 1, 1), 0);
	assert_int_equal(rd_kafka_mock_broker_set_rtt(slow->cluster, -1, SLOW_MS), 0);
	slow->cfg = (struct gc_config){ .kafka_brokers = gc_strdup(rd_kafka_mock_cluster_bootstraps(slow->cluster)) };
}

static void stop_slow_cluster(struct slow_cluster *slow)
{
	rd_kafka_mock_cluster_destroy(slow->cluster);
	rd_kafka_destroy(slow->rk);
	free(slow->cfg.kafka_brokers);
}

/* A partition that has just been made has no leader for a moment. What was sent then must be sent again, and not count as
 * acknowledged because a later request was. */
static void what_a_broker_refused_is_sent_again(void **state)
{
	const struct gc_producer_options options = { .topic = NULL };
	const struct gc_message warming = { .topic = GC_LIT("old"), .timestamp_us = -1, .value = GC_LIT("v") };
	const struct gc_message message = { .topic = GC_LIT("young"), .timestamp_us = -1, .value = GC_LIT("v") };
	struct slow_cluster slow;
	struct gc_producer *producer;
	struct gc_kafka_watermarks mark;
	struct gc_err err;

	(void)state;
	start_slow_cluster(&slow);
	MUST(gc_producer_open(&slow.cfg, &options, &producer, &err));
	send_one(producer, &warming);
	gc_producer_flush(producer, 0); /* it has its producer id */
	rd_kafka_mock_push_request_errors(slow.cluster, PRODUCE_REQUEST, 1, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
	send_one(producer, &message);
	gc_producer_poll(producer, SLOW_MS / 2 * 1000); /* the first request is on its way */
	send_one(producer, &message);
	assert_delivered(producer, 3);
	gc_producer_close(producer);
	mark = ask_marks(&slow.cfg, "young");
	assert_int_equal(mark.high, 2);
	stop_slow_cluster(&slow);
}

/* ---- errors ---- */

static void nobody_there_is_a_retry(void **state)
{
	char nowhere[] = "127.0.0.1:1";
	const struct gc_config away = { .kafka_brokers = nowhere };
	const struct gc_message message = { .topic = GC_LIT("t"), .timestamp_us = -1 };
	const struct gc_producer_options options = { .timeout_us = 300 * 1000 };
	struct gc_kafka_topic topic = { .name = "t" };
	struct gc_kafka_client *client;
	struct gc_producer *producer;
	struct gc_err err;

	(void)state;
	MUST(gc_kafka_open(&away, &client, &err));
	assert_int_equal(gc_kafka_topics(client->rk, &topic, 1, 300 * 1000, &err), GC_RETRY);
	assert_int_equal(gc_kafka_explain(client, &err), GC_RETRY);
	assert_non_null(strstr(err.text, "no broker answered"));
	gc_kafka_close(client);
	MUST(gc_producer_open(&away, &options, &producer, &err));
	assert_int_equal(gc_producer_send(producer, &message, &err), GC_RETRY);
	assert_string_equal(err.where, "127.0.0.1:1");
	gc_producer_close(producer);
}

static void a_wrong_property_is_named(void **state)
{
	struct gc_property unknown[] = { { .name = (char[]){ "linger.sm" }, .value = (char[]){ "1" } } };
	struct gc_property wrong[] = { { .name = (char[]){ "linger.ms" }, .value = (char[]){ "soon" } } };
	struct gc_config with = { .kafka_brokers = cfg.kafka_brokers, .kafka_properties = unknown, .kafka_property_count = 1 };
	rd_kafka_conf_t *conf = NULL;
	struct gc_err err;

	(void)state;
	assert_int_equal(gc_kafka_conf(&with, "producer", &conf, &err), GC_FATAL);
	assert_non_null(strstr(err.text, "linger.sm"));
	with.kafka_properties = wrong;
	assert_int_equal(gc_kafka_conf(&with, "producer", &conf, &err), GC_FATAL);
	assert_non_null(strstr(err.text, "linger.ms"));
	assert_null(conf);
	assert_true(gc_kafka_has_property(&with, "linger.ms"));
	assert_false(gc_kafka_has_property(&with, "linger"));
}

static const struct verdict {
	rd_kafka_resp_err_t code;
	enum gc_verdict verdict;
} verdicts[] = {
	{ RD_KAFKA_RESP_ERR_NO_ERROR, GC_OK },
	{ RD_KAFKA_RESP_ERR__TRANSPORT, GC_RETRY },
	{ RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, GC_RETRY },
	{ RD_KAFKA_RESP_ERR__TIMED_OUT, GC_RETRY },
	{ RD_KAFKA_RESP_ERR__RESOLVE, GC_RETRY },
	{ RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, GC_RETRY },
	{ RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, GC_RETRY },
	{ RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, GC_RETRY },
	{ RD_KAFKA_RESP_ERR__AUTHENTICATION, GC_FATAL },
	{ RD_KAFKA_RESP_ERR__SSL, GC_FATAL },
	{ RD_KAFKA_RESP_ERR__FATAL, GC_FATAL },
	{ RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, GC_FATAL },
	{ RD_KAFKA_RESP_ERR__INVALID_ARG, GC_FATAL },
	{ RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, GC_FATAL },
	{ RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, GC_FATAL },
	{ RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, GC_FATAL },
	{ RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, GC_FATAL },
};

static void error_has_its_verdict(void **state)
{
	const struct verdict *row = *state;
	struct gc_err err;

	assert_int_equal(gc_kafka_verdict(row->code), row->verdict);
	assert_int_equal(gc_kafka_fail(&err, row->code, "t", "Asked"), row->verdict);
	assert_true(strncmp(err.text, "Asked: ", 7) == 0 && strlen(err.text) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_arrive_byte_for_byte),
		cmocka_unit_test(keys_go_where_java_sends_them),
		cmocka_unit_test(topics_and_offsets_are_told),
		cmocka_unit_test(what_cannot_be_published_is_refused),
		cmocka_unit_test(a_record_larger_than_the_limit_is_refused),
		cmocka_unit_test(what_a_broker_refused_is_sent_again),
		cmocka_unit_test(nobody_there_is_a_retry),
		cmocka_unit_test(a_wrong_property_is_named),
	};
	struct suite suite = { 0 };
	int failed;

	for (size_t i = 0; i < COUNT(verdicts); i++)
		suite_add(&suite, error_has_its_verdict, &verdicts[i], "%s: %s", rd_kafka_err2name(verdicts[i].code),
			  gc_verdict_name(verdicts[i].verdict));
	failed = suite_run(&suite, NULL, NULL);
	return failed + cmocka_run_group_tests_name("broker", tests, start_broker, stop_broker);
}
