/* What everybody who talks to Kafka needs: a configuration, errors as verdicts, what topics and offsets there are.
 *
 * Threads: no shared state but the log's. A client belongs to the thread that opened it; librdkafka's own threads reach
 * us through gc_kafka_log() alone.
 */
#ifndef GRACECUBE_KAFKA_H
#define GRACECUBE_KAFKA_H

#include <gracecube/config.h>
#include <gracecube/err.h>
#include <gracecube/log.h>
#include <librdkafka/rdkafka.h>

#define GC_KAFKA_TIMEOUT_US (10 * GC_SECOND_US) /* for questions that a person waits for */

/* Brokers, client.id "gracecube", the log, then what the user set under kafka.properties. What a role depends on is set by
 * the caller afterwards, so that it wins. role: "consumer", "producer" …, for messages. Give it to rd_kafka_new() or
 * rd_kafka_conf_destroy(). GC_FATAL names the property that librdkafka refuses. */
enum gc_verdict gc_kafka_conf(const struct gc_config *cfg, const char *role, rd_kafka_conf_t **ret_conf,
			      struct gc_err *err) GC_MUST_CHECK;
/* One property over it; GC_FATAL when librdkafka refuses it. */
enum gc_verdict gc_kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct gc_err *err) GC_MUST_CHECK;
/* What the user set; NULL where he did not. */
const char *gc_kafka_property(const struct gc_config *cfg, const char *name);
/* True when the user set the property himself. */
bool gc_kafka_has_property(const struct gc_config *cfg, const char *name);
/* The brokers deal out partitions (group.protocol=consumer), not the members. */
bool gc_kafka_is_kip848(const struct gc_config *cfg);
/* The group gives and takes single partitions, not all at once. */
bool gc_kafka_is_incremental(const struct gc_config *cfg);
/* librdkafka's lines into our log. A line that repeats is held back at growing intervals. */
void gc_kafka_log(const rd_kafka_t *rk, int level, const char *facility, const char *text);

/* The password of a client that lives long, from kafka.password_file. */
struct gc_kafka_login {
	uint64_t hash;     /* of the one that is used; 0: not known */
	int64_t looked_us; /* monotonic */
	struct gc_complaint complaint;
};
/* Looks at the file, every five seconds however often it is called. A password that was changed is used for the connections that are made
 * from then on. One that cannot be read leaves the old one in use, with a warning. */
void gc_kafka_login_renew(struct gc_kafka_login *login, rd_kafka_t *rk, const struct gc_config *cfg);

/* What the next step is after an error of librdkafka or of a broker. */
enum gc_verdict gc_kafka_verdict(rd_kafka_resp_err_t code);
/* TLS or the login failed: final for who asks once, and to be tried again by who was answered before. */
bool gc_kafka_is_handshake(rd_kafka_resp_err_t code);
/* Fills err: its code is librdkafka's name, its text "<what>: <what is wrong>; <what to do>". where: a topic, brokers …
 * Returns the verdict. */
enum gc_verdict gc_kafka_fail(struct gc_err *err, rd_kafka_resp_err_t code, const char *where, const char *what);

/* "What is wrong; what to do" alone. */
const char *gc_kafka_sentence(rd_kafka_resp_err_t code);

/* A client that only asks: creates no topics, joins no group. For `status`, `check` and their like. */
struct gc_kafka_client {
	rd_kafka_t *rk;
	rd_kafka_resp_err_t heard; /* the most definite trouble that librdkafka reported so far */
	char heard_text[256];
	const char *login_hint; /* see gc_kafka_login_hint(); may be NULL */
	struct gc_kafka_login login;
};
/* What else a refused login may mean with this library; "" for nothing. */
const char *gc_kafka_login_hint(const struct gc_config *cfg);
enum gc_verdict gc_kafka_open(const struct gc_config *cfg, struct gc_kafka_client **ret_client, struct gc_err *err) GC_MUST_CHECK;
void gc_kafka_close(struct gc_kafka_client *client);
/* For error callbacks of others who keep a client: remembers the more definite of two troubles. */
void gc_kafka_hear(struct gc_kafka_client *client, rd_kafka_resp_err_t code, const char *text);
/* After a failure on client->rk: when the client has heard something more definite than "no answer" (a refused login, a
 * bad certificate), err says that instead. Returns err's verdict. */
enum gc_verdict gc_kafka_explain(struct gc_kafka_client *client, struct gc_err *err);

struct gc_kafka_topic {
	const char *name;   /* asked for */
	int32_t partitions; /* answered; 0: no such topic, or the user may not see it */
	/* by gc_kafka_try() */
	rd_kafka_resp_err_t refused; /* why it cannot be read; 0: it can, or nothing has come in time */
	bool answered;
};
/* The topics of the configuration, stream by stream, with room behind them for `more`; free() it. */
struct gc_kafka_topic *gc_kafka_configured(const struct gc_config *config, size_t more, size_t *ret_count);
/* Fills in the partitions. Creates no topic. GC_RETRY when nobody answers in time. */
enum gc_verdict gc_kafka_topics(rd_kafka_t *rk, struct gc_kafka_topic *topics, size_t count, int64_t timeout_us,
				struct gc_err *err) GC_MUST_CHECK;

/* Reads nothing, but tries to: whether the user may read a topic is known by asking its first partition for more than its end. Fills in
 * `refused`. After gc_kafka_topics(). */
void gc_kafka_try(rd_kafka_t *rk, struct gc_kafka_topic *topics, size_t count, int64_t timeout_us);

struct gc_kafka_watermarks {
	const char *topic; /* asked for; each partition once, and it must exist */
	int32_t partition;
	int64_t low, high; /* answered: first offset there is, and the one after the last; -1 where there was no answer */
};
/* All partitions in two round trips. `high` is what a reader of committed records can reach. */
enum gc_verdict gc_kafka_watermarks(rd_kafka_t *rk, struct gc_kafka_watermarks *marks, size_t count, int64_t timeout_us,
				    struct gc_err *err) GC_MUST_CHECK;

#endif
