/* The configuration of a client of librdkafka: ours, the user's, and what the library that is loaded cannot do; see client.h.
 *
 * Threads: no shared state.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gracecube/time.h>

#include "kafka/client.h"

enum gc_verdict gc_kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct gc_err *err)
{
	char text[256] = "";

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
		return GC_OK;
	return gc_fail(err, GC_FATAL, "kafka.properties", name, "librdkafka refuses the property %s: %s", name, text);
}

const char *gc_kafka_property(const struct gc_config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->kafka_property_count; i++)
		if (strcmp(cfg->kafka_properties[i].name, name) == 0)
			return cfg->kafka_properties[i].value;
	return NULL;
}

bool gc_kafka_has_property(const struct gc_config *cfg, const char *name)
{
	return gc_kafka_property(cfg, name) != NULL;
}

static enum gc_verdict set_ours(rd_kafka_conf_t *conf, struct gc_err *err)
{
	enum gc_verdict verdict = gc_kafka_set(conf, "client.id", "gracecube", err);

	/* The thread's name would stand before every line, and make equal lines differ. */
	return verdict ? verdict : gc_kafka_set(conf, "log.thread.name", "false", err);
}

static enum gc_verdict set_users(rd_kafka_conf_t *conf, const struct gc_config *cfg, const char *role, struct gc_err *err)
{
	for (size_t i = 0; i < cfg->kafka_property_count; i++) {
		const struct gc_property *property = &cfg->kafka_properties[i];
		char text[256] = "";

		if (rd_kafka_conf_set(conf, property->name, property->value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
			return gc_fail(err, GC_FATAL, "kafka.properties", property->name,
				       "kafka.properties.%s is not for librdkafka %s (%s): %s", property->name,
				       rd_kafka_version_str(), role, text);
	}
	return GC_OK;
}

/* "" where the user did not set it. */
static const char *property(const struct gc_config *cfg, const char *name)
{
	const char *value = gc_kafka_property(cfg, name);

	return value ? value : "";
}

static const char *mechanism_of(const struct gc_config *cfg)
{
	const char *mechanism = property(cfg, "sasl.mechanism");

	return *mechanism ? mechanism : property(cfg, "sasl.mechanisms");
}

/* Versions of librdkafka, as rd_kafka_version() gives them. */
#define RENEWS_TOKENS 0x020200ff    /* before, the timer of the renewal meets a queue that is not there */
#define SENDS_NONCE_ONCE 0x020601ff /* https://github.com/confluentinc/librdkafka/pull/4895 */
#define COOPERATES 0x020601ff       /* https://github.com/confluentinc/librdkafka/pull/4800, and 2.2.0, 2.4.0 for the rest */
#define SPEAKS_KIP848 0x020c00ff    /* before, it was a preview */

bool gc_kafka_is_kip848(const struct gc_config *cfg)
{
	return strcmp(property(cfg, "group.protocol"), "consumer") == 0;
}

static bool is_cooperative(const struct gc_config *cfg)
{
	return strcmp(property(cfg, "partition.assignment.strategy"), "cooperative-sticky") == 0;
}

bool gc_kafka_is_incremental(const struct gc_config *cfg)
{
	return gc_kafka_is_kip848(cfg) || is_cooperative(cfg);
}

static bool has_unsecured_tokens(const struct gc_config *cfg)
{
	return strcasecmp(mechanism_of(cfg), "OAUTHBEARER") == 0 &&
	       strcmp(property(cfg, "enable.sasl.oauthbearer.unsecure.jwt"), "true") == 0;
}

/* What older versions of the library cannot do. */
static const struct {
	bool (*is_asked)(const struct gc_config *cfg);
	int since;
	const char *property, *problem, *remedy;
} abilities[] = {
	{ has_unsecured_tokens, RENEWS_TOKENS, "enable.sasl.oauthbearer.unsecure.jwt",
	  "librdkafka before 2.2.0 crashes when it renews an unsecured token", "another sasl.mechanism" },
	{ is_cooperative, COOPERATES, "partition.assignment.strategy",
	  "with cooperative-sticky librdkafka before 2.6.1 may hang, loop or give a partition to two owners", "roundrobin" },
	{ gc_kafka_is_kip848, SPEAKS_KIP848, "group.protocol", "group.protocol=consumer needs librdkafka 2.12.0 or newer",
	  "classic" },
};

/* With group.protocol=consumer the brokers decide these. */
static const struct {
	const char *property, *instead;
} decided_by_brokers[] = {
	{ "heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms of theirs" },
	{ "partition.assignment.strategy", "group.remote.assignor: uniform or range" },
	{ "session.timeout.ms", "group.consumer.session.timeout.ms of theirs" },
};

static enum gc_verdict check_protocol(const struct gc_config *cfg, struct gc_err *err)
{
	for (size_t i = 0; gc_kafka_is_kip848(cfg) && i < sizeof(decided_by_brokers) / sizeof(decided_by_brokers[0]); i++) {
		const char *name = decided_by_brokers[i].property;

		if (gc_kafka_has_property(cfg, name))
			return gc_fail(err, GC_FATAL, "kafka.properties", name,
				       "with group.protocol=consumer the brokers decide %s; leave it out (instead there is %s)",
				       name, decided_by_brokers[i].instead);
	}
	return GC_OK;
}

/* Before it does it. */
static enum gc_verdict check_library(const struct gc_config *cfg, struct gc_err *err)
{
	for (size_t i = 0; i < sizeof(abilities) / sizeof(abilities[0]); i++) {
		if (abilities[i].is_asked(cfg) && rd_kafka_version() < abilities[i].since)
			return gc_fail(err, GC_FATAL, "kafka.properties", abilities[i].property,
				       "%s, and this is %s; use a newer librdkafka, or %s", abilities[i].problem,
				       rd_kafka_version_str(), abilities[i].remedy);
	}
	return check_protocol(cfg, err);
}

/* ---- the password ---- */

#define PASSWORD_LOOK_US (5 * GC_SECOND_US)

/* NULL is allowed. */
static void forget(char *password)
{
	if (password)
		explicit_bzero(password, strlen(password));
	free(password);
}

static void use_password(struct gc_kafka_login *login, rd_kafka_t *rk, const struct gc_config *cfg, const char *password)
{
	uint64_t hash = gc_span_hash(gc_span_of(password));

	if (hash == login->hash)
		return;
	rd_kafka_error_destroy(rd_kafka_sasl_set_credentials(rk, property(cfg, "sasl.username"), password));
	if (login->hash != 0)
		gc_info("the password for Kafka was changed; new connections use it", GC_S("file", cfg->kafka_password_file));
	login->hash = hash;
}

static enum gc_verdict set_password(rd_kafka_conf_t *conf, const struct gc_config *cfg, struct gc_err *err)
{
	char *password = NULL;
	enum gc_verdict verdict = gc_config_kafka_password(cfg, &password, err);

	if (verdict == GC_OK && password)
		verdict = gc_kafka_set(conf, "sasl.password", password, err);
	forget(password);
	return verdict;
}

void gc_kafka_login_renew(struct gc_kafka_login *login, rd_kafka_t *rk, const struct gc_config *cfg)
{
	int64_t repeated, now = gc_monotonic_us();
	char *password = NULL;
	struct gc_err err;

	if (login->looked_us != 0 && now - login->looked_us < PASSWORD_LOOK_US)
		return;
	login->looked_us = now;
	if (gc_config_kafka_password(cfg, &password, &err) == GC_OK) {
		if (password)
			use_password(login, rk, cfg, password);
		gc_complaint_over(&login->complaint);
	} else if (gc_complain(&login->complaint, now, &repeated)) {
		gc_warn("the password for Kafka cannot be read; the one of before is used", GC_ERR_FIELDS(&err),
			GC_I("repeated", repeated));
	}
	forget(password);
}

const char *gc_kafka_login_hint(const struct gc_config *cfg)
{
	bool is_scram = strncasecmp(mechanism_of(cfg), "SCRAM-", strlen("SCRAM-")) == 0;

	return is_scram && rd_kafka_version() < SENDS_NONCE_ONCE
		       ? "; brokers of Kafka 3.8.1 and newer refuse every SCRAM login of librdkafka before 2.6.1, which this is: use a "
			 "newer librdkafka, or PLAIN over TLS"
		       : "";
}

enum gc_verdict gc_kafka_conf(const struct gc_config *cfg, const char *role, rd_kafka_conf_t **ret_conf, struct gc_err *err)
{
	enum gc_verdict verdict = check_library(cfg, err);
	rd_kafka_conf_t *conf;

	if (verdict)
		return verdict;
	conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, gc_kafka_log);
	verdict = set_ours(conf, err);
	if (!verdict)
		verdict = set_users(conf, cfg, role, err);
	if (!verdict)
		verdict = set_password(conf, cfg, err);
	if (!verdict)
		verdict = gc_kafka_set(conf, "bootstrap.servers", cfg->kafka_brokers, err);
	if (verdict) {
		rd_kafka_conf_destroy(conf);
		return verdict;
	}
	*ret_conf = conf;
	return GC_OK;
}
