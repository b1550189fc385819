/* Publishing to the embedded broker no faster than somebody reads: nothing is dropped unread. */
#include "brokers.h"

#define VALUE_BYTES 20000
#define MESSAGES 600 /* 12 MB, more than twice of what the broker keeps */

static bool never(void *arg, const char *topic, int32_t partition, size_t bytes)
{
	(void)arg, (void)topic, (void)partition, (void)bytes;
	return false;
}

static bool always(void *arg)
{
	(void)arg;
	return true;
}

static void a_producer_held_back_can_be_stopped(void **state)
{
	const struct gc_message message = { .topic = GC_LIT("bytes"), .timestamp_us = -1, .value = GC_LIT("v") };
	const struct gc_producer_options options = { .may_send = never, .stopping = always };
	struct gc_producer *producer = open_producer(&options);
	struct gc_err err;

	(void)state;
	assert_int_equal(gc_producer_send(producer, &message, &err), GC_RETRY);
	assert_string_equal(err.code, "stopped");
	assert_delivered(producer, 0);
	gc_producer_close(producer);
}

/* Reads when the producer asks how far the reading has come: the slowest reader that still ends. */
struct slow_reader {
	rd_kafka_t *rk;
	int64_t position;
};

static int64_t read_some(void *arg, const char *topic, int32_t partition)
{
	struct slow_reader *reader = arg;

	assert_string_equal(topic, "narrow");
	assert_int_equal(partition, 0);
	for (int i = 0; i < 10; i++) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->rk, 0);

		if (!message)
			break;
		if (message->err)
			fail_msg("%s", rd_kafka_message_errstr(message));
		assert_int_equal(message->offset, reader->position);
		reader->position++;
		rd_kafka_message_destroy(message);
	}
	return reader->position;
}

static void send_many(struct gc_producer *producer)
{
	char *value = gc_calloc(1, VALUE_BYTES);
	const struct gc_message message = { .timestamp_us = -1, .value = { value, VALUE_BYTES } };

	for (int i = 0; i < MESSAGES; i++)
		send_one(producer, &message);
	assert_delivered(producer, MESSAGES);
	free(value);
}

static void without_a_throttle_the_broker_forgets(void **state)
{
	const struct gc_producer_options options = { .topic = "wide", .keep_partition = true };
	struct gc_producer *producer = open_producer(&options);
	struct gc_kafka_watermarks mark;

	(void)state;
	send_many(producer);
	gc_producer_close(producer);
	mark = ask_marks(&cfg, "wide");
	assert_int_equal(mark.high, MESSAGES);
	assert_true(mark.low > 0);
}

static void with_a_throttle_nothing_is_dropped_unread(void **state)
{
	struct slow_reader reader = { .position = 0 };
	struct gc_throttle *throttle = gc_throttle_new(read_some, &reader);
	const struct gc_producer_options options = {
		.topic = "narrow", .keep_partition = true, .may_send = gc_throttle_may_send, .arg = throttle
	};
	struct gc_producer *producer = open_producer(&options);

	(void)state;
	create_topic("narrow");
	reader.rk = open_reader("narrow", 0);
	send_many(producer);
	gc_producer_close(producer);
	while (reader.position < MESSAGES) {
		rd_kafka_message_t *message = read_one(reader.rk);

		assert_int_equal(message->offset, reader.position);
		reader.position++;
		rd_kafka_message_destroy(message);
	}
	close_reader(reader.rk);
	gc_throttle_free(throttle);
	gc_throttle_free(NULL);
}

static int64_t told_position;

static int64_t tell_position(void *arg, const char *topic, int32_t partition)
{
	(void)arg, (void)topic;
	return partition == 0 ? told_position : 0;
}

static void the_throttle_counts_bytes_of_a_partition(void **state)
{
	struct gc_throttle *throttle = gc_throttle_new(tell_position, NULL);
	const size_t half = GC_BROKER_AHEAD_BYTES / 2;

	(void)state;
	told_position = 0;
	assert_true(gc_throttle_may_send(throttle, "t", 0, half));
	assert_true(gc_throttle_may_send(throttle, "t", 0, half));
	assert_false(gc_throttle_may_send(throttle, "t", 0, 1));
	assert_true(gc_throttle_may_send(throttle, "t", 1, half)); /* another partition, another count */
	told_position = 1;
	assert_true(gc_throttle_may_send(throttle, "t", 0, half));
	assert_false(gc_throttle_may_send(throttle, "t", 0, 1));
	told_position = 3;
	assert_true(gc_throttle_may_send(throttle, "t", 0, 1));
	assert_false(gc_throttle_may_send(throttle, "t", 0, half + 1)); /* alone, or not at all */
	told_position = 4;
	assert_true(gc_throttle_may_send(throttle, "t", 0, 16 * half));
	assert_false(gc_throttle_may_send(throttle, "t", 0, 1));
	told_position = 5;
	assert_true(gc_throttle_may_send(throttle, "t", 0, 1));
	gc_throttle_free(throttle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_producer_held_back_can_be_stopped),
		cmocka_unit_test(without_a_throttle_the_broker_forgets),
		cmocka_unit_test(with_a_throttle_nothing_is_dropped_unread),
		cmocka_unit_test(the_throttle_counts_bytes_of_a_partition),
	};

	return cmocka_run_group_tests_name("throttle", tests, start_broker, stop_broker);
}
