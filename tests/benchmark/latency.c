/* How long it takes from publishing an event until a SELECT sees its row: one event at a time, each flushed, then asked for until it is
 * there. The broker's own acknowledgement is part of it and told apart.
 *
 *     latency BROKERS TOPIC CAPTURE CONNINFO EVENTS SALT
 *
 * Another salt gives other keys. Prints one JSON object, times in ms. Threads: one, and librdkafka's own.
 */
#include "events.h"

#include <gracecube/arena.h>
#include <gracecube/json.h>
#include <gracecube/time.h>
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* For each event that counts so many before, without pauses: connections, caches, plans, and the broker, whose code is compiled while it
 * runs. With 20 instead of 2,000 before 500, all of its times are half as long again. */
#define WARM_UP 4
#define GIVE_UP_US (60 * GC_SECOND_US) /* the first one waits until the consumer has its partitions */
#define ASK_EVERY_US 100

struct sample {
	int64_t acknowledged_us, visible_us;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	(void)rk;
	*(int64_t *)opaque = message->err ? -1 : gc_monotonic_us();
}

static rd_kafka_t *make_producer(const char *brokers, int64_t *acknowledged)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256];
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
	rd_kafka_conf_set(conf, "acks", "all", NULL, 0);
	rd_kafka_conf_set(conf, "linger.ms", "0", NULL, 0);
	rd_kafka_conf_set(conf, "socket.nagle.disable", "true", NULL, 0);
	rd_kafka_conf_set(conf, "partitioner", "murmur2_random", NULL, 0);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, acknowledged);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (!rk)
		fprintf(stderr, "no producer: %s\n", text);
	return rk;
}

static PGconn *make_reader(const char *conninfo)
{
	PGconn *pg = PQconnectdb(conninfo);
	/* the cube has a status in lower case, as no source is bound to */
	PGresult *result =
		PQprepare(pg, "see",
			  "SELECT FROM cube.fact_verification_executions WHERE contract_id = $1 AND contract_status = lower($2)", 2,
			  NULL);

	if (PQresultStatus(result) != PGRES_COMMAND_OK) {
		fprintf(stderr, "%s", PQerrorMessage(pg));
		PQfinish(pg);
		pg = NULL;
	}
	PQclear(result);
	return pg;
}

static bool is_visible(PGconn *pg, const char *id, const char *status)
{
	const char *values[] = { id, status };
	PGresult *result = PQexecPrepared(pg, "see", 2, values, NULL, NULL, 0);
	bool visible = PQntuples(result) == 1;

	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		fprintf(stderr, "%s", PQerrorMessage(pg));
		exit(1);
	}
	PQclear(result);
	return visible;
}

static bool read_row(struct gc_arena *arena, const struct gc_message *message, const char **ret_id, const char **ret_status)
{
	const struct gc_json *root, *after;

	if (gc_json_parse(message->value, arena, &root, NULL) != GC_OK)
		return false;
	after = gc_json_get(root, GC_LIT("after"));
	*ret_id = gc_arena_dup(arena, gc_json_text(gc_json_get(after, GC_LIT("id")), arena, NULL)).ptr;
	*ret_status = gc_arena_dup(arena, gc_json_text(gc_json_get(after, GC_LIT("status")), arena, NULL)).ptr;
	return true;
}

static bool take_sample(rd_kafka_t *rk, const char *topic, PGconn *pg, const struct gc_message *message, int64_t *acknowledged,
			struct sample *ret_sample)
{
	struct gc_arena arena;
	const char *id = NULL, *status = NULL;
	int64_t started;
	bool visible = false;

	gc_arena_init(&arena);
	*acknowledged = 0;
	if (read_row(&arena, message, &id, &status)) {
		started = gc_monotonic_us();
		rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				  RD_KAFKA_V_KEY(message->key.ptr, message->key.len),
				  RD_KAFKA_V_VALUE((void *)(uintptr_t)message->value.ptr, message->value.len), RD_KAFKA_V_END);
		rd_kafka_flush(rk, (int)(GIVE_UP_US / 1000));
		while (*acknowledged > 0 && !visible && gc_monotonic_us() - started < GIVE_UP_US) {
			visible = is_visible(pg, id, status);
			if (!visible)
				usleep(ASK_EVERY_US);
		}
		*ret_sample = (struct sample){ *acknowledged - started, gc_monotonic_us() - started };
	}
	if (!visible)
		fprintf(stderr, "%s with status %s was not to be seen after %lld s\n", id ? id : "an event", status ? status : "?",
			(long long)(GIVE_UP_US / GC_SECOND_US));
	gc_arena_done(&arena);
	return visible;
}

static int compare_times(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static void print_times(const char *name, int64_t *times, size_t count, const char *end)
{
	qsort(times, count, sizeof(*times), compare_times);
	printf("\"%s\": {\"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, \"max\": %.2f}%s", name, (double)times[(count - 1) / 2] / 1e3,
	       (double)times[(count - 1) * 9 / 10] / 1e3, (double)times[(count - 1) * 99 / 100] / 1e3,
	       (double)times[count - 1] / 1e3, end);
}

static bool measure(rd_kafka_t *rk, const char *topic, PGconn *pg, struct bench_events *events, size_t count, int64_t *acknowledged)
{
	int64_t *acks = gc_malloc(count * sizeof(*acks)), *views = gc_malloc(count * sizeof(*views));
	struct gc_message message;
	struct sample sample;
	size_t n = 0;

	for (size_t i = 0; n < count && bench_events_next(events, &message); i++) {
		/* no rhythm that something else could fall in step with */
		if (i >= WARM_UP * count)
			usleep(5000 + (useconds_t)(random() % 20000));
		if (!take_sample(rk, topic, pg, &message, acknowledged, &sample))
			break;
		if (i < WARM_UP * count)
			continue;
		acks[n] = sample.acknowledged_us;
		views[n++] = sample.visible_us;
	}
	if (n == count) {
		printf("{\"events\": %zu, ", count);
		print_times("acknowledged_ms", acks, n, ", ");
		print_times("visible_ms", views, n, "}\n");
	}
	free(acks);
	free(views);
	return n == count;
}

int main(int argc, char **argv)
{
	struct bench_events_options options = { .changes_only = true };
	struct bench_events *events = NULL;
	struct gc_err err;
	int64_t acknowledged = 0;
	rd_kafka_t *rk = NULL;
	PGconn *pg = NULL;
	size_t count;
	bool done = false;

	if (argc != 7) {
		fputs("usage: latency BROKERS TOPIC CAPTURE CONNINFO EVENTS SALT\n", stderr);
		return 2;
	}
	count = strtoul(argv[5], NULL, 10);
	options.capture = argv[3];
	options.count = count + WARM_UP * count;
	options.salt = strtoull(argv[6], NULL, 10);
	if (bench_events_open(&options, &events, &err) != GC_OK)
		fprintf(stderr, "%s: %s\n", err.where, err.text);
	else
		rk = make_producer(argv[1], &acknowledged);
	if (rk)
		pg = make_reader(argv[4]);
	if (pg)
		done = measure(rk, argv[2], pg, events, count, &acknowledged);
	if (pg)
		PQfinish(pg);
	if (rk)
		rd_kafka_destroy(rk);
	bench_events_close(events);
	return done ? 0 : 1;
}
