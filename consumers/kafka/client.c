/* Shared helpers around librdkafka: configuration, errors as verdicts, metadata and offsets.
 *
 * Threads: the log callback is called by librdkafka's threads and keeps its repeats behind a lock; nothing else is shared.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/arena.h>
#include <gracecube/log.h>
#include <gracecube/time.h>

#include "kafka/client.h"

/* ---- the log ---- */

#define REPEAT_SLOTS 32

/* What librdkafka says again and again while a broker is away. A slot is shared by lines of the same hash: at worst a line
 * too many is written. */
struct repeat {
	uint64_t line;
	struct gc_complaint complaint;
};

static struct repeat repeats[REPEAT_SLOTS];
static pthread_mutex_t repeats_lock = PTHREAD_MUTEX_INITIALIZER;

/* Lines of one fault differ in the numbers that follow the first parenthesis: "(after 3ms in state CONNECT)". */
static uint64_t hash_line(const char *text)
{
	return gc_span_hash((struct gc_span){ text, strcspn(text, "(") });
}

static bool should_log(const char *text, int64_t *ret_repeated)
{
	uint64_t line = hash_line(text);
	struct repeat *repeat = &repeats[line % REPEAT_SLOTS];
	bool should;

	pthread_mutex_lock(&repeats_lock);
	if (repeat->line != line)
		*repeat = (struct repeat){ .line = line };
	should = gc_complain(&repeat->complaint, gc_monotonic_us(), ret_repeated);
	pthread_mutex_unlock(&repeats_lock);
	return should;
}

/* kafka.properties serve consumers and producers alike, and librdkafka warns each of the other's properties: not worth logging. */
static bool is_other_side(const char *facility, const char *text)
{
	return (strcmp(facility, "CONFWARN") == 0 && strstr(text, "property and will be ignored by this") != NULL) ||
	       strcmp(facility, "AUTOCREATE") == 0; /* the embedded broker is too old for the property that forbids it */
}

static enum gc_log_level log_level_of(int syslog_level)
{
	if (syslog_level <= 3)
		return GC_LOG_ERROR;
	if (syslog_level == 4)
		return GC_LOG_WARN;
	return syslog_level <= 6 ? GC_LOG_INFO : GC_LOG_DEBUG;
}

void gc_kafka_log(const rd_kafka_t *rk, int syslog_level, const char *facility, const char *text)
{
	enum gc_log_level level = is_other_side(facility, text) ? GC_LOG_DEBUG : log_level_of(syslog_level);
	int64_t repeated = 0;

	if (level > gc_log_level() || (level <= GC_LOG_WARN && !should_log(text, &repeated)))
		return;
	GC_LOG(level, "librdkafka reports", GC_S("client", rk ? rd_kafka_name(rk) : ""), GC_S("what", facility), GC_S("text", text),
	       GC_I("repeated", repeated));
}

/* ---- errors ---- */

struct fault {
	rd_kafka_resp_err_t code;
	enum gc_verdict verdict;
	const char *sentence; /* what is wrong; what to do */
};

/* Of newer headers than those of Debian 12. */
#define UNRELEASED_INSTANCE_ID ((rd_kafka_resp_err_t)111)
#define UNSUPPORTED_ASSIGNOR ((rd_kafka_resp_err_t)112)

#define NO_ANSWER "no broker answered; see whether Kafka is up and kafka.brokers names it"
#define DAMAGED "what the broker keeps there is damaged; the runbook (GracecubeHalted) says how to mend it or step over it"

/* In the order of their numbers. What is not here: see gc_kafka_verdict(). */
static const struct fault faults[] = {
	{ RD_KAFKA_RESP_ERR__BAD_MSG, GC_FATAL, DAMAGED },
	{ RD_KAFKA_RESP_ERR__BAD_COMPRESSION, GC_FATAL, DAMAGED },
	{ RD_KAFKA_RESP_ERR__DESTROY, GC_FATAL, "the client was closed while it was asked" },
	{ RD_KAFKA_RESP_ERR__TRANSPORT, GC_RETRY, NO_ANSWER },
	{ RD_KAFKA_RESP_ERR__RESOLVE, GC_RETRY, "a broker's host name has no address; see kafka.brokers and the name server" },
	{ RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, GC_RETRY, "the brokers did not acknowledge it in time; publish it again" },
	{ RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, GC_FATAL, "the topic has no such partition; see its partition count" },
	{ RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, GC_FATAL, "there is no such topic; create it, or correct its name" },
	{ RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, GC_RETRY, NO_ANSWER },
	{ RD_KAFKA_RESP_ERR__TIMED_OUT, GC_RETRY, "the brokers did not answer in time; see whether they are up and how busy" },
	{ RD_KAFKA_RESP_ERR__QUEUE_FULL, GC_RETRY, "the client's queue is full; wait" },
	{ RD_KAFKA_RESP_ERR__SSL, GC_FATAL,
	  "the TLS connection failed; see security.protocol and the ssl.* properties under kafka.properties" },
	{ RD_KAFKA_RESP_ERR__WAIT_COORD, GC_RETRY, "the group's coordinator is not known yet; wait" },
	{ RD_KAFKA_RESP_ERR__IN_PROGRESS, GC_RETRY, "the same is being done already; wait" },
	{ RD_KAFKA_RESP_ERR__AUTHENTICATION, GC_FATAL,
	  "the brokers refused the login; see the sasl.* properties under kafka.properties" },
	{ RD_KAFKA_RESP_ERR__WAIT_CACHE, GC_RETRY, "the topic's metadata is not there yet; wait" },
	{ RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, GC_RETRY, NO_ANSWER },
	{ RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, GC_FATAL, "the brokers are too old for this; see their version" },
	{ RD_KAFKA_RESP_ERR__RETRY, GC_RETRY, "the broker asked to try again" },
	{ RD_KAFKA_RESP_ERR__PURGE_QUEUE, GC_RETRY, "it was given up before it was sent; publish it again" },
	{ RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, GC_RETRY, "it was given up before it was acknowledged; publish it again" },
	{ RD_KAFKA_RESP_ERR__FATAL, GC_FATAL, "the client is broken for good; start the program again" },
	{ RD_KAFKA_RESP_ERR_INVALID_MSG, GC_FATAL, DAMAGED },
	{ RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, GC_FATAL, "there is no such topic; create it, or correct its name" },
	{ RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, GC_FATAL,
	  "it is larger than the topic's max.message.bytes; raise that, or leave it out" },
	{ RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, GC_FATAL, "the topic's name is not allowed; correct it" },
	{ RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, GC_FATAL,
	  "it is larger than a segment of the topic; raise its segment.bytes, or leave it out" },
	{ RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, GC_FATAL,
	  "the brokers do not allow this session.timeout.ms; see group.min.session.timeout.ms and group.max.session.timeout.ms of theirs" },
	{ RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, GC_FATAL,
	  "the user has no right to this topic; allow him READ and DESCRIBE on it to read, WRITE to publish, or take its name out of "
	  "streams.*.topics" },
	{ RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, GC_FATAL,
	  "the user has no right to this consumer group (kafka.group_id); allow him READ on it" },
	{ RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, GC_FATAL,
	  "the user has no right to do this in the cluster; ask for an ACL on it" },
	{ RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, GC_FATAL,
	  "its timestamp, or that of a record sent with it, is too far from the broker's clock; raise the topic's "
	  "message.timestamp.before.max.ms or message.timestamp.after.max.ms" },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, GC_FATAL,
	  "the brokers do not offer this sasl.mechanism; see kafka.properties" },
	{ RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, GC_FATAL,
	  "the brokers expect another login; see security.protocol under kafka.properties" },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, GC_FATAL, "the brokers are too old for this; see their version" },
	{ RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, GC_FATAL, "the number of partitions is not allowed; choose another" },
	{ RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, GC_FATAL,
	  "there are fewer brokers than default.replication.factor; start them, or create the topic by hand" },
	{ RD_KAFKA_RESP_ERR_INVALID_CONFIG, GC_FATAL, "a setting of the topic is wrong; correct it" },
	{ RD_KAFKA_RESP_ERR_POLICY_VIOLATION, GC_FATAL, "a policy of the brokers forbids it; ask who runs them" },
	{ RD_KAFKA_RESP_ERR_SECURITY_DISABLED, GC_FATAL,
	  "the brokers have no security switched on; see security.protocol under kafka.properties" },
	{ RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, GC_FATAL,
	  "the brokers refused the login; see the sasl.* properties under kafka.properties" },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, GC_FATAL,
	  "the broker does not take this compression.type; choose another under kafka.properties" },
	{ RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, GC_FATAL, "another process uses the same group.instance.id; give each its own" },
	{ RD_KAFKA_RESP_ERR_INVALID_RECORD, GC_FATAL,
	  "the broker refused it, or a record sent with it; a compacted topic takes none without a key" },
	{ UNRELEASED_INSTANCE_ID, GC_RETRY,
	  "another process uses the same group.instance.id, or one that was killed does so until its session ends; give each its own" },
	{ UNSUPPORTED_ASSIGNOR, GC_FATAL,
	  "the brokers have no such group.remote.assignor; see group.consumer.assignors of theirs" },
};

static const struct fault *find_fault(rd_kafka_resp_err_t code)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (faults[i].code == code)
			return &faults[i];
	return NULL;
}

/* Unknown errors of brokers are mostly those of a cluster that rearranges itself; unknown local ones are misuse. */
enum gc_verdict gc_kafka_verdict(rd_kafka_resp_err_t code)
{
	const struct fault *fault = find_fault(code);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return GC_OK;
	if (fault)
		return fault->verdict;
	return code > 0 ? GC_RETRY : GC_FATAL;
}

static bool is_login(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED;
}

bool gc_kafka_is_handshake(rd_kafka_resp_err_t code)
{
	return is_login(code) || code == RD_KAFKA_RESP_ERR__SSL || code == RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM ||
	       code == RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE;
}

const char *gc_kafka_sentence(rd_kafka_resp_err_t code)
{
	const struct fault *fault = find_fault(code);

	return fault ? fault->sentence : rd_kafka_err2str(code);
}

enum gc_verdict gc_kafka_fail(struct gc_err *err, rd_kafka_resp_err_t code, const char *where, const char *what)
{
	return gc_fail(err, gc_kafka_verdict(code), rd_kafka_err2name(code), where, "%s: %s", what, gc_kafka_sentence(code));
}

/* ---- a client that only asks ---- */

/* "All brokers are down" follows the reason for it, and says less. */
static int definiteness(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return 0;
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
		return 1;
	case RD_KAFKA_RESP_ERR__TRANSPORT:
		return 2;
	case RD_KAFKA_RESP_ERR__RESOLVE:
		return 3;
	default:
		return 4;
	}
}

void gc_kafka_hear(struct gc_kafka_client *client, rd_kafka_resp_err_t code, const char *text)
{
	if (definiteness(code) < definiteness(client->heard))
		return;
	client->heard = code;
	snprintf(client->heard_text, sizeof(client->heard_text), "%s", text);
}

static void on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
	(void)rk;
	gc_kafka_hear(opaque, (rd_kafka_resp_err_t)code, text);
}

enum gc_verdict gc_kafka_explain(struct gc_kafka_client *client, struct gc_err *err)
{
	rd_kafka_poll(client->rk, 0); /* the reports wait in its queue */
	if (definiteness(client->heard) < 2 || err->verdict != GC_RETRY)
		return err->verdict;
	return gc_fail(err, gc_kafka_verdict(client->heard), rd_kafka_err2name(client->heard), err->where, "%s%s (%s)",
		       gc_kafka_sentence(client->heard), is_login(client->heard) && client->login_hint ? client->login_hint : "",
		       client->heard_text);
}

/* What goes wrong is told by who asked, with gc_kafka_explain(): librdkafka's lines would stand between those of the answer. */
static void log_quietly(const rd_kafka_t *rk, int syslog_level, const char *facility, const char *text)
{
	(void)syslog_level;
	gc_kafka_log(rk, 7, facility, text);
}

/* A consumer without a group: unlike a producer it never makes a broker create a topic by asking for it. */
enum gc_verdict gc_kafka_open(const struct gc_config *cfg, struct gc_kafka_client **ret_client, struct gc_err *err)
{
	struct gc_kafka_client *client;
	rd_kafka_conf_t *conf;
	char text[256];

	if (gc_kafka_conf(cfg, "client", &conf, err))
		return err->verdict;
	if (gc_kafka_set(conf, "enable.partition.eof", "true", err)) { /* for gc_kafka_try() */
		rd_kafka_conf_destroy(conf);
		return err->verdict;
	}
	client = gc_calloc(1, sizeof(*client));
	rd_kafka_conf_set_log_cb(conf, log_quietly);
	client->login_hint = gc_kafka_login_hint(cfg);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_opaque(conf, client);
	client->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (!client->rk) {
		rd_kafka_conf_destroy(conf);
		free(client);
		return gc_fail(err, GC_FATAL, "kafka.properties", cfg->kafka_brokers, "No Kafka client: %s", text);
	}
	*ret_client = client;
	return GC_OK;
}

void gc_kafka_close(struct gc_kafka_client *client)
{
	if (!client)
		return;
	rd_kafka_destroy(client->rk);
	free(client);
}

/* ---- topics and offsets ---- */

#define LEADER_TURN_US (100 * 1000)

static int milliseconds(int64_t us)
{
	int64_t ms = us / 1000;

	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

struct gc_kafka_topic *gc_kafka_configured(const struct gc_config *config, size_t more, size_t *ret_count)
{
	struct gc_kafka_topic *topics;
	size_t count = 0, room = more + 1;

	for (size_t s = 0; s < config->stream_count; s++)
		room += config->streams[s].topic_count;
	topics = gc_calloc(room, sizeof(*topics));
	for (size_t s = 0; s < config->stream_count; s++) {
		for (size_t t = 0; t < config->streams[s].topic_count; t++)
			topics[count++].name = config->streams[s].topics[t];
	}
	*ret_count = count;
	return topics;
}

static int32_t find_partitions(const struct rd_kafka_metadata *metadata, const char *name)
{
	for (int i = 0; i < metadata->topic_cnt; i++)
		if (strcmp(metadata->topics[i].topic, name) == 0)
			return metadata->topics[i].partition_cnt;
	return 0;
}

/* Asks for all topics and looks for ours: asking for one by name makes brokers with auto.create.topics.enable create it. */
enum gc_verdict gc_kafka_topics(rd_kafka_t *rk, struct gc_kafka_topic *topics, size_t count, int64_t timeout_us, struct gc_err *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 1, NULL, &metadata, milliseconds(timeout_us));

	if (code)
		return gc_kafka_fail(err, code, "", "The brokers did not list their topics");
	for (size_t i = 0; i < count; i++)
		topics[i].partitions = find_partitions(metadata, topics[i].name);
	rd_kafka_metadata_destroy(metadata);
	return GC_OK;
}

/* Those that the brokers did not list are asked for by name: a name that the user may not see is answered with another error than one
 * that nobody has. A consumer's question makes no broker create a topic. */
static void ask_by_name(rd_kafka_t *rk, struct gc_kafka_topic *topic, int64_t timeout_us)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic->name, NULL);

	if (rkt && rd_kafka_metadata(rk, 0, rkt, &metadata, milliseconds(timeout_us)) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (metadata->topic_cnt == 1)
			topic->refused = metadata->topics[0].err;
		rd_kafka_metadata_destroy(metadata);
	}
	if (rkt)
		rd_kafka_topic_destroy(rkt);
}

static struct gc_kafka_topic *find_topic(struct gc_kafka_topic *topics, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(topics[i].name, name) == 0)
			return &topics[i];
	return NULL;
}

/* Each topic answers once: with a record, its end, or the reason why there is neither. */
static void hear_answers(rd_kafka_queue_t *queue, struct gc_kafka_topic *topics, size_t count, size_t asked, int64_t timeout_us)
{
	int64_t left_us, give_up_us = gc_monotonic_us() + timeout_us;

	while (asked > 0 && (left_us = give_up_us - gc_monotonic_us()) > 0) {
		rd_kafka_message_t *answer = rd_kafka_consume_queue(queue, milliseconds(left_us));
		struct gc_kafka_topic *topic = answer && answer->rkt ? find_topic(topics, count, rd_kafka_topic_name(answer->rkt))
								     : NULL;

		if (topic && !topic->answered) {
			topic->answered = true;
			topic->refused = answer->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ? RD_KAFKA_RESP_ERR_NO_ERROR : answer->err;
			asked--;
		}
		if (answer)
			rd_kafka_message_destroy(answer);
	}
}

void gc_kafka_try(rd_kafka_t *rk, struct gc_kafka_topic *topics, size_t count, int64_t timeout_us)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_topic_t **opened = gc_calloc(count + 1, sizeof(*opened));
	size_t asked = 0;

	for (size_t i = 0; i < count; i++) {
		topics[i].refused = RD_KAFKA_RESP_ERR_NO_ERROR;
		topics[i].answered = false;
		if (topics[i].partitions == 0)
			ask_by_name(rk, &topics[i], timeout_us);
		else if ((opened[i] = rd_kafka_topic_new(rk, topics[i].name, NULL)) &&
			 rd_kafka_consume_start_queue(opened[i], 0, RD_KAFKA_OFFSET_END, queue) == 0)
			asked++;
	}
	hear_answers(queue, topics, count, asked, timeout_us);
	for (size_t i = 0; i < count; i++) {
		if (!opened[i])
			continue;
		rd_kafka_consume_stop(opened[i], 0);
		rd_kafka_topic_destroy(opened[i]);
	}
	rd_kafka_queue_destroy(queue);
	free(opened);
}

/* The protocol's ListOffsets takes -2 for the first offset and -1 for the end where a time would stand, and
 * rd_kafka_offsets_for_times() hands them on: one request a broker instead of two a partition. Tested with 2.0.2 and the
 * broker of the tests. */
static rd_kafka_resp_err_t list_offsets(rd_kafka_t *rk, const struct gc_kafka_watermarks *marks, size_t count, int64_t which,
					int64_t timeout_us, rd_kafka_topic_partition_list_t **ret_list)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, marks[i].topic, marks[i].partition)->offset = which;
	code = rd_kafka_offsets_for_times(rk, list, milliseconds(timeout_us));
	if (code)
		rd_kafka_topic_partition_list_destroy(list);
	else
		*ret_list = list;
	return code;
}

/* One partition that is changing its leader fails the whole request, for a moment. */
static enum gc_verdict find_offsets(rd_kafka_t *rk, const struct gc_kafka_watermarks *marks, size_t count, int64_t which,
				    int64_t timeout_us, rd_kafka_topic_partition_list_t **ret_list, struct gc_err *err)
{
	int64_t left_us, give_up_us = gc_monotonic_us() + timeout_us;
	rd_kafka_resp_err_t code = list_offsets(rk, marks, count, which, timeout_us, ret_list);

	while (gc_kafka_verdict(code) == GC_RETRY && (left_us = give_up_us - gc_monotonic_us()) > LEADER_TURN_US) {
		gc_sleep_us(LEADER_TURN_US);
		code = list_offsets(rk, marks, count, which, left_us, ret_list);
	}
	return code ? gc_kafka_fail(err, code, marks[0].topic, "The brokers did not tell their offsets") : GC_OK;
}

static int64_t offset_of(const rd_kafka_topic_partition_list_t *list, size_t i)
{
	const rd_kafka_topic_partition_t *answer = &list->elems[i];

	return answer->err || answer->offset < 0 ? -1 : answer->offset;
}

enum gc_verdict gc_kafka_watermarks(rd_kafka_t *rk, struct gc_kafka_watermarks *marks, size_t count, int64_t timeout_us,
				    struct gc_err *err)
{
	rd_kafka_topic_partition_list_t *lows = NULL, *highs = NULL;
	enum gc_verdict verdict;

	if (count == 0)
		return GC_OK;
	/* The beginning first: the end, read later, is never below it. */
	verdict = find_offsets(rk, marks, count, RD_KAFKA_OFFSET_BEGINNING, timeout_us, &lows, err);
	if (!verdict)
		verdict = find_offsets(rk, marks, count, RD_KAFKA_OFFSET_END, timeout_us, &highs, err);
	for (size_t i = 0; !verdict && i < count; i++) {
		marks[i].low = offset_of(lows, i);
		marks[i].high = offset_of(highs, i);
	}
	if (lows)
		rd_kafka_topic_partition_list_destroy(lows);
	if (highs)
		rd_kafka_topic_partition_list_destroy(highs);
	return verdict;
}
