/* Configuration: one struct, filled from one table of options (config/options.c) by file, environment and flags. */
#ifndef GRACECUBE_CONFIG_H
#define GRACECUBE_CONFIG_H

#include <stdio.h>

#include <gracecube/err.h>
#include <gracecube/log.h>
#include <gracecube/span.h>
#include <gracecube/time.h>

#define GC_HTTP_LISTEN_DEFAULT "127.0.0.1:9187"
#define GC_PROBES_LISTEN_DEFAULT "127.0.0.1:9188"

struct gc_property { /* passed to librdkafka as it is */
	char *name, *value;
};

enum gc_when_truncated { GC_REFUSE, GC_APPLY };

struct gc_stream_config {
	const char *name; /* of the stream's descriptor */
	char **topics;
	size_t topic_count;
	enum gc_time_unit time_unit;
	enum gc_when_truncated truncate;
	int64_t retention_us; /* of its facts; 0: retention_facts_us */
};

enum gc_no_yes { GC_NO, GC_YES };
enum gc_off_on { GC_OFF, GC_ON };
enum gc_when_full { GC_STOP, GC_DROP_OLDEST };

struct gc_config {
	char *path; /* of the file that was read, NULL when none */

	char *postgres_dsn; /* conninfo string or URI; the password may come from password_file or PGPASSFILE */
	char *postgres_password_file;
	int64_t postgres_connect_timeout_us;
	int64_t postgres_statement_timeout_us;

	char *kafka_brokers;
	char *kafka_group_id;
	char *kafka_password_file;
	bool kafka_group_follows;  /* it is the default of cube_schema */
	int64_t kafka_queue_bytes; /* prefetch budget of the process, divided by the workers; 0: as librdkafka needs */
	struct gc_property *kafka_properties;
	size_t kafka_property_count;

	int64_t run_workers;
	int64_t run_batch_records;
	int64_t run_batch_bytes;
	int64_t run_cache_entries;       /* a dimension cache is emptied when it holds more */
	int64_t run_shutdown_timeout_us; /* how long SIGTERM may drain */
	int64_t run_stall_timeout_us;    /* lag and no commit for this long: the process gives up */

	struct gc_stream_config *streams; /* one for each stream, in the registry's order */
	size_t stream_count;

	int64_t limits_value_bytes;
	int64_t limits_key_bytes; /* of a natural key or id */

	int64_t dead_max_count, dead_max_bytes; /* 0: no limit */
	enum gc_when_full dead_when_full;

	char *cube_schema;         /* "cube" */
	char *cube_roles;          /* no option: another schema whose roles get the rights; NULL: its own */
	char *cube_business_days;  /* "1-5", ISO days of week */
	char *cube_business_hours; /* "09-17", the end is not included */
	char *cube_business_zone;  /* an IANA name, "UTC" */
	char *cube_metrics_files;  /* joined by commas */
	char *cube_targets_file;   /* "" for none */

	int64_t retention_facts_us; /* what is older may go; 0: kept for ever, here and below */
	int64_t retention_hourly_rollups_us;
	int64_t retention_daily_rollups_us;
	int64_t retention_dead_letters_us;
	int64_t retention_quality_issues_us;
	int64_t retention_gaps_us;
	int64_t retention_marks_us;
	int64_t retention_histories_us;
	int64_t retention_interval_us; /* how often `run` looks */

	char *http_listen; /* "127.0.0.1:9187", "" for none */

	char *serve_listen;          /* "127.0.0.1:8080" */
	char *serve_probes_listen;   /* "127.0.0.1:9188", "" for none */
	char *serve_tls_certificate; /* PEM files; empty: plain HTTP */
	char *serve_tls_key;
	enum gc_no_yes serve_allow_plain; /* plain HTTP for other machines too */
	int64_t serve_connections;        /* to the database */
	int64_t serve_clients;
	int64_t serve_clients_per_address; /* 0: no limit */
	int64_t serve_row_limit;
	int64_t serve_statement_timeout_us;
	int64_t serve_metrics_interval_us;
	int64_t serve_audit_retention_us; /* 0: for ever */
	enum gc_off_on serve_access_log;

	enum gc_log_level log_level;
	enum gc_log_format log_format;

	struct gc_origins *origins; /* where each value came from, for gc_config_each() */
};

/* Defaults, then the file, then the environment. path NULL: config/gracecube.yaml when there is one,
 * else gc_config_installed_path when there is that. GC_FATAL with the
 * place (file:line:column, or the variable) and the nearest name when something is wrong. stream_names ends with NULL. */
enum gc_verdict gc_config_load(struct gc_config *ret_config, const char *path, const char *const *stream_names,
			       struct gc_err *err) GC_MUST_CHECK;
/* One option as a flag gives it: name "run.workers", "streams.action_contracts.topics", "kafka.properties.linger.ms".
 * Secrets are refused: a command line is read by everybody on the machine. */
enum gc_verdict gc_config_set(struct gc_config *config, const char *name, const char *value, struct gc_err *err) GC_MUST_CHECK;
/* Tells the log which variables named GRACECUBE_… belong to no option; after gc_log_setup(). */
void gc_config_log_environment(const struct gc_config *config);
void gc_config_free(struct gc_config *config);
/* The stream that reads a topic; NULL when none does. */
const struct gc_stream_config *gc_config_stream_of(const struct gc_config *config, struct gc_span topic);
/* What must hold between options: after the last gc_config_set(). gc_config_load() has done it for what it read. */
enum gc_verdict gc_config_check(const struct gc_config *config, struct gc_err *err) GC_MUST_CHECK;
/* Somebody chose it for this run, by a flag or the environment. */
bool gc_config_is_chosen(const struct gc_config *config, const char *name);
/* What a schema's name may be long, and what a buffer for any holds: the names of its roles must fit into PostgreSQL's 63 bytes. */
#define GC_SCHEMA_MAX 32
#define GC_SCHEMA_BYTES 64
#define GC_SCHEMA_DEFAULT "cube"
#define GC_GROUP_DEFAULT "gracecube"
/* The group of who chooses none: "gracecube", of another schema "gracecube-<schema>". Returns buffer. */
#define GC_GROUP_BYTES (GC_SCHEMA_BYTES + 16)
const char *gc_config_default_group(const struct gc_config *config, char *buffer);
/* The first line of postgres.password_file, NULL when that option is empty. Read anew at each call, so that a changed
 * secret is taken up; erase and free it after use. GC_FATAL when others than its owner may read the file. */
enum gc_verdict gc_config_password(const struct gc_config *config, char **ret_password, struct gc_err *err) GC_MUST_CHECK;
/* The same of kafka.password_file. */
enum gc_verdict gc_config_kafka_password(const struct gc_config *config, char **ret_password, struct gc_err *err) GC_MUST_CHECK;

/* Every option with its value as a user would type it and its origin: "default", "config/gracecube.yaml:12",
 * "GRACECUBE_RUN_WORKERS", "flag". Secrets are masked. The texts live as long as the call of `visit`. */
void gc_config_each(const struct gc_config *config,
		    void (*visit)(void *context, const char *name, const char *value, const char *origin), void *context);
/* The sample file (YAML, every option with its default) and the reference page (Markdown), made from the table. */
void gc_config_sample(const char *const *stream_names, FILE *out);
void gc_config_reference(const char *const *stream_names, FILE *out);
/* gracecube.yaml(5), the same as a manual page; made_by is the command that prints it. */
void gc_config_manual(const char *const *stream_names, const char *made_by, FILE *out);
/* Every option by its whole name, for completion; choices is NULL where it is free. */
void gc_config_options(const char *const *stream_names,
		       void (*visit)(void *context, const char *name, const char *const *choices, const char *description),
		       void *context);
/* "error", "warn", …, as log.level takes them; ends with NULL. */
extern const char *const gc_log_levels[];
/* Where an installed program looks for its file when there is no config/gracecube.yaml. */
extern const char gc_config_installed_path[];
/* librdkafka properties that the design depends on and nobody may set; ends with NULL. */
extern const char *const gc_config_protected_properties[];

#endif
