/* Embedded broker and the throttle that keeps its publisher close to its reader.
 *
 * Guarantee of the throttle: before a message is sent, all but the last GC_BROKER_AHEAD_BYTES of its partition have been
 * read. The broker drops from 5 MiB on, so nothing unread is dropped.
 * Threads: the broker has its own; the handles here belong to one thread each.
 */
#include <librdkafka/rdkafka.h>
/* wants the other first */
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/map.h>

#include "kafka/embedded_broker.h"
#include "kafka/client.h"

struct gc_broker {
	rd_kafka_t *rk; /* lends the cluster its threads */
	rd_kafka_mock_cluster_t *cluster;
	int partitions;
};

static enum gc_verdict make_handle(rd_kafka_t **ret_rk, struct gc_err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[256];
	rd_kafka_t *rk;

	rd_kafka_conf_set_log_cb(conf, gc_kafka_log);
	if (gc_kafka_set(conf, "client.id", "embedded broker", err) || gc_kafka_set(conf, "log_level", "4", err)) {
		rd_kafka_conf_destroy(conf);
		return err->verdict;
	}
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (!rk) {
		rd_kafka_conf_destroy(conf);
		return gc_fail(err, GC_FATAL, "broker", "", "The embedded broker did not start: %s", text);
	}
	*ret_rk = rk;
	return GC_OK;
}

enum gc_verdict gc_broker_start(int partitions, struct gc_broker **ret_broker, struct gc_err *err)
{
	struct gc_broker *broker = gc_calloc(1, sizeof(*broker));

	broker->partitions = partitions;
	if (make_handle(&broker->rk, err)) {
		gc_broker_stop(broker);
		return err->verdict;
	}
	broker->cluster = rd_kafka_mock_cluster_new(broker->rk, 1);
	if (!broker->cluster) {
		gc_broker_stop(broker);
		return gc_fail(err, GC_FATAL, "broker", "127.0.0.1", "The embedded broker got no port of 127.0.0.1");
	}
	*ret_broker = broker;
	return GC_OK;
}

const char *gc_broker_bootstrap(const struct gc_broker *broker)
{
	return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

struct creation {
	struct gc_broker *broker;
	const char *topic;
	pthread_t thread;
	bool is_started;
	rd_kafka_resp_err_t code;
};

static void *create_topic(void *arg)
{
	struct creation *creation = arg;

	creation->code = rd_kafka_mock_topic_create(creation->broker->cluster, creation->topic, creation->broker->partitions, 1);
	return NULL;
}

/* Each request waits for the broker's thread, which may sleep for a second when two come one right after the other (librdkafka to
 * 2.15 loses such a wake-up): 38 topics took 12 s, asked for together they take one. */
enum gc_verdict gc_broker_create_topics(struct gc_broker *broker, const char *const *topics, size_t count, struct gc_err *err)
{
	struct creation *creations = gc_calloc(count + 1, sizeof(*creations));
	enum gc_verdict verdict = GC_OK;

	for (size_t i = 0; i < count; i++) {
		creations[i] = (struct creation){ .broker = broker, .topic = topics[i] };
		creations[i].is_started = pthread_create(&creations[i].thread, NULL, create_topic, &creations[i]) == 0;
		if (!creations[i].is_started)
			create_topic(&creations[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (creations[i].is_started)
			pthread_join(creations[i].thread, NULL);
		if (!verdict && creations[i].code && creations[i].code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			verdict = gc_kafka_fail(err, creations[i].code, topics[i], "The embedded broker did not create the topic");
	}
	free(creations);
	return verdict;
}

void gc_broker_stop(struct gc_broker *broker)
{
	if (!broker)
		return;
	if (broker->cluster)
		rd_kafka_mock_cluster_destroy(broker->cluster);
	if (broker->rk)
		rd_kafka_destroy(broker->rk);
	free(broker);
}

/* ---- throttle ---- */

/* What was sent to one partition, in two parts: the newer is filled while the older is read. */
struct lane {
	int64_t sent;      /* messages, so the offset after the last one */
	int64_t older_end; /* the offset after the older part */
	size_t older_bytes, newer_bytes;
};

struct gc_throttle {
	int64_t (*position)(void *arg, const char *topic, int32_t partition);
	void *arg;
	struct gc_map index; /* "topic:partition" → index in lanes */
	struct lane *lanes;
	size_t lane_count;
};

struct gc_throttle *gc_throttle_new(int64_t (*position)(void *arg, const char *topic, int32_t partition), void *arg)
{
	struct gc_throttle *throttle = gc_calloc(1, sizeof(*throttle));

	throttle->position = position;
	throttle->arg = arg;
	gc_map_init(&throttle->index);
	return throttle;
}

void gc_throttle_free(struct gc_throttle *throttle)
{
	if (!throttle)
		return;
	gc_map_done(&throttle->index);
	free(throttle->lanes);
	free(throttle);
}

static struct lane *find_lane(struct gc_throttle *throttle, const char *topic, int32_t partition)
{
	char name[288];
	int64_t index;

	snprintf(name, sizeof(name), "%s:%d", topic, (int)partition);
	if (gc_map_get(&throttle->index, gc_span_of(name), &index))
		return &throttle->lanes[index];
	index = (int64_t)throttle->lane_count++;
	gc_map_put(&throttle->index, gc_span_of(name), index);
	throttle->lanes = gc_realloc(throttle->lanes, throttle->lane_count * sizeof(*throttle->lanes));
	throttle->lanes[index] = (struct lane){ .sent = 0 };
	return &throttle->lanes[index];
}

/* Where the older part has been read, the newer takes its place. */
static void turn_lane(struct lane *lane, int64_t position)
{
	if (position < lane->older_end)
		return;
	lane->older_bytes = lane->newer_bytes;
	lane->older_end = lane->sent;
	lane->newer_bytes = 0;
}

/* A message larger than a part goes out alone, once all before it has been read. */
static bool has_room(const struct lane *lane, size_t bytes)
{
	const size_t part = GC_BROKER_AHEAD_BYTES / 2;

	if (lane->newer_bytes == 0 && lane->older_bytes == 0)
		return true;
	return lane->newer_bytes + bytes <= part && lane->older_bytes <= part;
}

bool gc_throttle_may_send(void *arg, const char *topic, int32_t partition, size_t bytes)
{
	struct gc_throttle *throttle = arg;
	struct lane *lane = find_lane(throttle, topic, partition);

	if (!has_room(lane, bytes)) {
		int64_t position = throttle->position(throttle->arg, topic, partition);

		turn_lane(lane, position);
		turn_lane(lane, position); /* twice when the newer part has been read too */
	}
	if (!has_room(lane, bytes))
		return false;
	lane->newer_bytes += bytes;
	lane->sent++;
	return true;
}
