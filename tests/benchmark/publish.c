/* Publishes contract events: publish BROKERS TOPIC CAPTURE EVENTS [salt=N] [a_second=N], a backlog unless so many a second are asked
 * for; another salt gives other keys.
 * Prints what it did as one JSON object. Threads: one, and librdkafka's own.
 */
#include "events.h"

#include <gracecube/time.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct tally {
	uint64_t acknowledged, failed;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct tally *tally = opaque;

	(void)rk;
	if (message->err)
		tally->failed++;
	else
		tally->acknowledged++;
}

static rd_kafka_t *make_producer(const char *brokers, struct tally *tally)
{
	static const char *const settings[][2] = { { "acks", "all" },
						   { "linger.ms", "50" },
						   { "batch.size", "1000000" },
						   { "partitioner", "murmur2_random" },
						   { "queue.buffering.max.kbytes", "131072" } };
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256];
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		rd_kafka_conf_set(conf, settings[i][0], settings[i][1], NULL, 0);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, tally);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (!rk)
		fprintf(stderr, "no producer: %s\n", text);
	return rk;
}

static rd_kafka_headers_t *headers_of(const struct gc_message *message)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(message->header_count);

	for (size_t i = 0; i < message->header_count; i++) {
		const struct gc_header *h = &message->headers[i];

		rd_kafka_header_add(headers, h->name.ptr, (ssize_t)h->name.len, h->value.ptr, (ssize_t)h->value.len);
	}
	return headers;
}

static bool send_message(rd_kafka_t *rk, const char *topic, const struct gc_message *message)
{
	rd_kafka_headers_t *headers = headers_of(message);
	rd_kafka_resp_err_t code;

	for (;;) {
		code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
					 RD_KAFKA_V_KEY(message->key.ptr, message->key.len),
					 RD_KAFKA_V_VALUE((void *)(uintptr_t)message->value.ptr, message->value.len),
					 RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			break;
		rd_kafka_poll(rk, 20);
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_headers_destroy(headers);
		fprintf(stderr, "%s: %s\n", topic, rd_kafka_err2str(code));
	}
	return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Waits until the next one is due. */
static void keep_pace(rd_kafka_t *rk, int64_t started, uint64_t count, uint64_t a_second)
{
	int64_t early_us = started + (int64_t)(count * GC_SECOND_US / a_second) - gc_monotonic_us();

	if (early_us > 0)
		usleep((useconds_t)early_us);
	rd_kafka_poll(rk, 0);
}

static bool publish(rd_kafka_t *rk, const char *topic, struct bench_events *events, uint64_t a_second, struct tally *tally)
{
	int64_t started = gc_monotonic_us();
	uint64_t count = 0, value_bytes = 0, record_bytes = 0;
	struct gc_message message;
	double seconds;

	while (bench_events_next(events, &message)) {
		if (!send_message(rk, topic, &message))
			return false;
		count++;
		value_bytes += message.value.len;
		record_bytes += message.value.len + message.key.len;
		for (size_t i = 0; i < message.header_count; i++)
			record_bytes += message.headers[i].name.len + message.headers[i].value.len;
		if (a_second)
			keep_pace(rk, started, count, a_second);
		else if (count % 1000 == 0)
			rd_kafka_poll(rk, 0);
	}
	rd_kafka_flush(rk, 60000);
	seconds = (double)(gc_monotonic_us() - started) / 1e6;
	if (tally->acknowledged != count) {
		fprintf(stderr, "only %llu of %llu events were acknowledged\n", (unsigned long long)tally->acknowledged,
			(unsigned long long)count);
		return false;
	}
	printf("{\"events\": %llu, \"value_bytes\": %.0f, \"record_bytes\": %.0f, \"seconds\": %.3f}\n", (unsigned long long)count,
	       (double)value_bytes / (double)count, (double)record_bytes / (double)count, seconds);
	return true;
}

int main(int argc, char **argv)
{
	struct bench_events_options options = { .salt = 1 };
	struct bench_events *events = NULL;
	struct tally tally = { 0 };
	struct gc_err err;
	rd_kafka_t *rk = NULL;
	uint64_t a_second = 0;
	bool done = false;

	if (argc < 5) {
		fputs("usage: publish BROKERS TOPIC CAPTURE EVENTS [salt=N] [a_second=N]\n", stderr);
		return 2;
	}
	options.capture = argv[3];
	options.count = strtoull(argv[4], NULL, 10);
	for (int i = 5; i < argc; i++) {
		if (strncmp(argv[i], "salt=", 5) == 0)
			options.salt = strtoull(argv[i] + 5, NULL, 10);
		if (strncmp(argv[i], "a_second=", 9) == 0)
			a_second = strtoull(argv[i] + 9, NULL, 10);
	}
	if (bench_events_open(&options, &events, &err) != GC_OK)
		fprintf(stderr, "%s: %s\n", err.where, err.text);
	else
		rk = make_producer(argv[1], &tally);
	if (rk) {
		done = publish(rk, argv[2], events, a_second, &tally);
		rd_kafka_destroy(rk);
	}
	bench_events_close(events);
	return done ? 0 : 1;
}
