/* The option table.
 *
 * An option is one row here plus its member of struct gc_config. Defaults, the file, the environment, flags, `config
 * show`, `config sample` and `config reference` follow from the row.
 * Threads: constants.
 */
#include <ctype.h>

#include <gracecube/human.h>

#include "options.h"

/* -- checks that a type alone does not make; each returns NULL or what the value must be -- */

static const char *check_given(const char *value)
{
	return *value ? NULL : "must not be empty";
}

static bool read_digits(struct gc_span text, size_t digits, int64_t *ret_value)
{
	return text.len == digits && isdigit((unsigned char)*text.ptr) && gc_span_int64(text, ret_value);
}

/* "1-5", "09-17" */
static bool read_range(const char *value, size_t digits, int64_t *ret_from, int64_t *ret_to)
{
	struct gc_span from, to;
	return gc_span_split(gc_span_of(value), '-', &from, &to) && read_digits(from, digits, ret_from) &&
	       read_digits(to, digits, ret_to);
}

static const char *check_days(const char *value)
{
	int64_t from, to;
	bool good = read_range(value, 1, &from, &to) && from >= 1 && from <= to && to <= 7;
	return good ? NULL : "must be the first and the last day of the week, 1 is Monday and 7 Sunday, like 1-5";
}

static const char *check_hours(const char *value)
{
	int64_t from, to;
	bool good = read_range(value, 2, &from, &to) && from >= 0 && from < to && to <= 24;
	return good ? NULL : "must be two hours of the day from 00 to 24, like 09-17";
}

static const char *check_zone(const char *value)
{
	size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/");
	return len && !value[len] ? NULL : "must be the name of a time zone, like UTC or Europe/Vienna";
}

/* It stands in SQL without quotes, and between gracecube_ and _reader in names of roles, which PostgreSQL cuts at 63 bytes. */
static const char *check_schema(const char *value)
{
	static const char *const taken[] = { "public", "information_schema" };
	size_t len = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_");
	bool good = len > 0 && !value[len] && len <= GC_SCHEMA_MAX && !isdigit((unsigned char)*value) &&
		    strncmp(value, "pg_", 3) != 0;
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		good = good && strcmp(taken[i], value) != 0;
	return good ? NULL
		    : "must be a schema's name of at most 32 lower-case letters, digits and underscores, not one of PostgreSQL's own";
}

static const char *check_listen(const char *value)
{
	const char *colon = strrchr(value, ':');
	int64_t port;
	bool good = colon && colon > value && gc_human_parse(colon + 1, GC_HUMAN_COUNT, &port) && port <= 65535;
	return good ? NULL : "must be an address and a port, like 127.0.0.1:9187 or [::1]:9187";
}

static const char *check_listen_or_none(const char *value)
{
	return *value ? check_listen(value) : NULL;
}

/* Kafka's own rule for names; a pattern (^grace\..*) would hide which stream a topic belongs to. */
static const char *check_topics(const char *value)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-, ";
	return value[strspn(value, allowed)] == '\0' ? NULL : "must be names of topics: letters, digits, dot, underscore, minus";
}

/* -- the table, in the order of struct gc_config -- */

static const char *const no_yes[] = { "false", "true", NULL };
static const char *const when_full[] = { "stop", "drop_oldest", NULL };
static const char *const off_on[] = { "off", "on", NULL };
const char *const gc_log_levels[] = { "error", "warn", "info", "debug", NULL };
static const char *const log_formats[] = { "logfmt", "json", NULL };
static const char *const time_units[] = { "auto", "s", "ms", "us", "ns", NULL };
static const char *const truncates[] = { "refuse", "apply", NULL };

#define KIB INT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)
#define AGE_MAX (36500 * GC_DAY_US)
#define INTO(member) .offset = offsetof(struct gc_config, member)

const struct gc_section gc_sections[] = {
	{ "postgres", "The database that holds the cube." },
	{ "kafka", "Where the change events come from." },
	{ "run", "How much one process does at a time." },
	{ "streams", "The topics of each stream, the unit of its times, and what a TRUNCATE of its table does." },
	{ "limits", "What is larger becomes a dead letter." },
	{ "dead", "How many dead letters are kept." },
	{ "cube", "Where in its database the cube is, what it calls business hours, and metrics of your own." },
	{ "retention",
	  "How long what is kept: older data goes, by `gracecube retention` and by `gracecube run` itself. 0 keeps it for ever." },
	{ "http", "Probes and metrics of `gracecube run`." },
	{ "serve", "The API and the dashboard, `gracecube serve`." },
	{ "log", "The log goes to stderr." },
	{ NULL, NULL },
};

/* clang-format off */
const struct gc_option gc_options[] = {
	{ "postgres.dsn", GC_OPTION_TEXT, "", INTO(postgres_dsn),
	  .description = "Conninfo string or URI of the database; empty means libpq's own defaults and the PG* variables." },
	{ "postgres.password_file", GC_OPTION_TEXT, "", INTO(postgres_password_file),
	  .description = "File, mode 0600, whose first line is the password; it wins over one in the dsn." },
	{ "postgres.connect_timeout", GC_OPTION_DURATION, "10s", INTO(postgres_connect_timeout_us),
	  .min = GC_SECOND_US, .max = 10 * GC_MINUTE_US,
	  .description = "How long one attempt to connect may take." },
	{ "postgres.statement_timeout", GC_OPTION_DURATION, "30s", INTO(postgres_statement_timeout_us),
	  .min = GC_SECOND_US / 10, .max = GC_DAY_US,
	  .description = "How long one statement may run before the server cancels it." },

	{ "kafka.brokers", GC_OPTION_COMMAS, "127.0.0.1:9092", INTO(kafka_brokers), .check = check_given,
	  .description = "Brokers to ask first, host:port, separated by commas." },
	{ "kafka.group_id", GC_OPTION_TEXT, "", INTO(kafka_group_id),
	  .description = "Consumer group; positions in the cube are kept under this name. Empty: gracecube, or, where cube.schema is sales, gracecube-sales." },
	{ "kafka.password_file", GC_OPTION_TEXT, "", INTO(kafka_password_file),
	  .description = "File, mode 0600, whose first line is the password of sasl.username; it wins over sasl.password, and is looked at again while the program runs." },
	{ "kafka.queue_bytes", GC_OPTION_BYTES, "0", INTO(kafka_queue_bytes),
	  .min = 0, .max = 64 * GIB,
	  .description = "How much the process may fetch ahead, divided by the workers; 0: 64 MiB, with librdkafka before 2.2 160 MiB." },

	{ "run.workers", GC_OPTION_COUNT, "2", INTO(run_workers),
	  .min = 1, .max = 64,
	  .description = "Workers, each with its own consumer and connection; more than partitions are idle." },
	{ "run.batch_records", GC_OPTION_COUNT, "6000", INTO(run_batch_records),
	  .min = 1, .max = 1000000,
	  .description = "Records that make one transaction at most." },
	{ "run.batch_bytes", GC_OPTION_BYTES, "16MiB", INTO(run_batch_bytes),
	  .min = 64 * KIB, .max = GIB,
	  .description = "Bytes that make one transaction at most; a single larger record is one of its own." },
	{ "run.cache_entries", GC_OPTION_COUNT, "200000", INTO(run_cache_entries),
	  .min = 100, .max = 100000000,
	  .description = "Members in a worker's cache of a dimension before it is emptied and learned again." },
	{ "run.shutdown_timeout", GC_OPTION_DURATION, "20s", INTO(run_shutdown_timeout_us),
	  .min = GC_SECOND_US, .max = GC_HOUR_US,
	  .description = "How long the batches at hand may take to finish after SIGTERM." },
	{ "run.stall_timeout", GC_OPTION_DURATION, "5m", INTO(run_stall_timeout_us),
	  .min = GC_SECOND_US, .max = GC_DAY_US,
	  .description = "How long records may wait without any being committed, before the process gives up for another to start." },

	{ "limits.value_bytes", GC_OPTION_BYTES, "1MiB", INTO(limits_value_bytes),
	  .min = KIB, .max = 64 * MIB,
	  .description = "The largest value of a record." },
	/* An index entry of PostgreSQL has room for 2704 bytes, and a key shares it with other columns. */
	{ "limits.key_bytes", GC_OPTION_BYTES, "512", INTO(limits_key_bytes),
	  .min = 16, .max = 2 * KIB,
	  .description = "The longest id or natural key." },

	{ "dead.max_count", GC_OPTION_COUNT, "1000000", INTO(dead_max_count),
	  .min = 0, .max = INT64_C(1000000000),
	  .description = "How many dead letters the database keeps, of all groups, those worked off too, which make room first; 0 for no limit." },
	{ "dead.max_bytes", GC_OPTION_BYTES, "8GiB", INTO(dead_max_bytes),
	  .min = 0, .max = 1024 * 1024 * GIB,
	  .description = "How many bytes of keys, values and headers they may have together; 0 for no limit." },
	{ "dead.when_full", GC_OPTION_CHOICE, "stop", INTO(dead_when_full), .choices = when_full,
	  .description = "What happens before one more: stop waits until there is room, and loses nothing; drop_oldest drops the oldest ones, and counts them." },

	{ "cube.schema", GC_OPTION_TEXT, GC_SCHEMA_DEFAULT, INTO(cube_schema), .check = check_schema,
	  .description = "Schema of the cube; several cubes may be in one database. Where it is sales, the roles are gracecube_sales_reader and so on." },
	{ "cube.business_days", GC_OPTION_TEXT, "1-5", INTO(cube_business_days), .check = check_days,
	  .description = "First and last business day of the week, 1 is Monday." },
	{ "cube.business_hours", GC_OPTION_TEXT, "09-17", INTO(cube_business_hours), .check = check_hours,
	  .description = "Hours of a business day; the second is not included." },
	{ "cube.business_zone", GC_OPTION_TEXT, "UTC", INTO(cube_business_zone), .check = check_zone,
	  .description = "Time zone in which days and hours are counted, a name of the IANA list." },
	{ "cube.metrics_files", GC_OPTION_COMMAS, "", INTO(cube_metrics_files),
	  .description = "Files with metrics of your own, which `gracecube migrate` puts into the cube beside its own; `gracecube metrics check` looks at them." },

	{ "cube.targets_file", GC_OPTION_TEXT, "", INTO(cube_targets_file),
	  .description = "Grace's own metrics_catalog.yaml: its thresholds and playbooks become those of the metrics here of the same name, in place of what the files of metrics say; `gracecube metrics check` says which." },

	{ "retention.facts", GC_OPTION_DURATION, "0", INTO(retention_facts_us),
	  .min = 0, .max = AGE_MAX,
	  .description = "Facts of all streams, by their created_at, in whole UTC months; a stream may say otherwise. Their sums stay; late records of theirs are counted as expired." },
	{ "retention.hourly_rollups", GC_OPTION_DURATION, "0", INTO(retention_hourly_rollups_us),
	  .min = 0, .max = AGE_MAX,
	  .description = "Sums by hour of months whose facts are gone; what is read from them, such as executions by day, ends there." },
	{ "retention.daily_rollups", GC_OPTION_DURATION, "0", INTO(retention_daily_rollups_us),
	  .min = 0, .max = AGE_MAX,
	  .description = "Sums by day of months whose facts are gone." },
	{ "retention.dead_letters", GC_OPTION_DURATION, "0", INTO(retention_dead_letters_us),
	  .min = 0, .max = AGE_MAX,
	  .description = "Dead letters, by when they were refused; the ledger goes on counting them." },
	{ "retention.quality_issues", GC_OPTION_DURATION, "0", INTO(retention_quality_issues_us),
	  .min = 0, .max = AGE_MAX,
	  .description = "Quality issues, by when they were found; they stay in the sums." },
	{ "retention.gaps", GC_OPTION_DURATION, "0", INTO(retention_gaps_us),
	  .min = 0, .max = AGE_MAX,
	  .description = "Notes of records that Kafka had deleted unread, by when that was seen." },
	{ "retention.marks", GC_OPTION_DURATION, "0", INTO(retention_marks_us),
	  .min = 0, .max = AGE_MAX,
	  .description = "Marks of keys that were deleted or whose fact is gone, which tell a late record from a new one: keep them longer than Kafka keeps records." },
	{ "retention.histories", GC_OPTION_DURATION, "0", INTO(retention_histories_us),
	  .min = 0, .max = AGE_MAX,
	  .description = "Versions of missions and tiers, by when they ended; what held then stays, so that every later time can be looked back to. Late records of what went are counted as expired." },
	{ "retention.interval", GC_OPTION_DURATION, "1h", INTO(retention_interval_us),
	  .min = GC_SECOND_US, .max = GC_DAY_US,
	  .description = "How often `run` looks for old data, when no records wait; with many processes one does it." },

	{ "http.listen", GC_OPTION_TEXT, GC_HTTP_LISTEN_DEFAULT, INTO(http_listen), .check = check_listen_or_none,
	  .description = "Address and port where `run` answers /livez, /readyz and /metrics ([::]:9187: all addresses); empty: nowhere." },

	{ "serve.listen", GC_OPTION_TEXT, "127.0.0.1:8080", INTO(serve_listen), .check = check_listen,
	  .description = "Address and port to listen on ([::]:8080: all addresses); others than this machine's own need TLS, or serve.allow_plain." },
	{ "serve.probes_listen", GC_OPTION_TEXT, GC_PROBES_LISTEN_DEFAULT, INTO(serve_probes_listen), .check = check_listen_or_none,
	  .description = "Address and port where `serve` answers /livez, /readyz and /metrics, in plain HTTP and without a token, apart from the API; empty: nowhere." },
	{ "serve.tls_certificate", GC_OPTION_TEXT, "", INTO(serve_tls_certificate),
	  .description = "PEM file of the certificate and its chain; empty means plain HTTP." },
	{ "serve.tls_key", GC_OPTION_TEXT, "", INTO(serve_tls_key),
	  .description = "PEM file of the certificate's key." },
	{ "serve.allow_plain", GC_OPTION_CHOICE, "false", INTO(serve_allow_plain), .choices = no_yes,
	  .description = "Plain HTTP for other machines too: only behind a proxy that does TLS, since tokens travel in clear text." },
	{ "serve.connections", GC_OPTION_COUNT, "4", INTO(serve_connections),
	  .min = 1, .max = 64,
	  .description = "Connections to the database that answer; three more listen for commits, write the audit, and ask for metrics with thresholds." },
	{ "serve.clients", GC_OPTION_COUNT, "1000", INTO(serve_clients),
	  .min = 1, .max = 60000,
	  .description = "Clients that may be connected at a time, open pages included." },
	{ "serve.clients_per_address", GC_OPTION_COUNT, "250", INTO(serve_clients_per_address),
	  .min = 0, .max = 60000,
	  .description = "How many of them may come from one address (IPv6: one /64); 0 for no limit. This machine's own have none; behind a proxy on another machine all come from that one: set 0, and limit there." },
	{ "serve.row_limit", GC_OPTION_COUNT, "10000", INTO(serve_row_limit),
	  .min = 1, .max = 1000000,
	  .description = "Rows that one answer may have." },
	{ "serve.statement_timeout", GC_OPTION_DURATION, "2s", INTO(serve_statement_timeout_us),
	  .min = GC_SECOND_US / 10, .max = GC_HOUR_US,
	  .description = "How long the database may take for an answer." },
	{ "serve.metrics_interval", GC_OPTION_DURATION, "1m", INTO(serve_metrics_interval_us),
	  .min = GC_SECOND_US, .max = 15 * GC_MINUTE_US,
	  .description = "How often the metrics of the cube that have thresholds are asked for, one after the other, for gracecube_metric in /metrics; a scrape reads what was answered last." },
	{ "serve.audit_retention", GC_OPTION_DURATION, "90d", INTO(serve_audit_retention_us),
	  .min = 0, .max = 3650 * GC_DAY_US,
	  .description = "How long cube.api_audit keeps who asked for what; 0 keeps it for ever. `migrate` writes it into the cube, and `serve` trims no more than that." },
	{ "serve.access_log", GC_OPTION_CHOICE, "off", INTO(serve_access_log), .choices = off_on,
	  .description = "One line a request in the log: what, by whom, from where, the answer's status, bytes and time; never a token." },

	{ "log.level", GC_OPTION_CHOICE, "info", INTO(log_level), .choices = gc_log_levels,
	  .description = "The least important lines that are written." },
	{ "log.format", GC_OPTION_CHOICE, "logfmt", INTO(log_format), .choices = log_formats,
	  .description = "The form of a line." },
	{ .name = NULL },
};
/* clang-format on */

/* clang-format off */
const struct gc_option gc_stream_options[] = {
	{ "topics", GC_OPTION_LIST, "grace.public.<stream>,grace.<stream>",
	  .offset = offsetof(struct gc_stream_config, topics),
	  .count_offset = offsetof(struct gc_stream_config, topic_count), .check = check_topics,
	  .description = "Topics that carry the stream; an empty list leaves it unread." },
	{ "time_unit", GC_OPTION_CHOICE, "auto", .offset = offsetof(struct gc_stream_config, time_unit),
	  .choices = time_units,
	  .description = "Unit of times given as numbers; auto tells it from their size." },
	{ "truncate", GC_OPTION_CHOICE, "refuse", .offset = offsetof(struct gc_stream_config, truncate),
	  .choices = truncates,
	  .description = "A TRUNCATE of the captured table: refuse makes it a dead letter that says what to do, apply deletes what came from the topic before it." },
	{ "retention", GC_OPTION_DURATION, "0", .offset = offsetof(struct gc_stream_config, retention_us),
	  .min = 0, .max = AGE_MAX,
	  .description = "How long the stream's facts are kept; 0 for as long as retention.facts says. Of streams without facts of their own it means nothing." },
	{ .name = NULL },
};
/* clang-format on */

/* Of these only some values are sound: one group takes partitions all at once or one by one, and librdkafka refuses lists of both. */
const struct gc_allowed gc_allowed_properties[] = {
	{ "group.protocol", { "classic", "consumer", NULL } },
	{ "partition.assignment.strategy",
	  { "roundrobin", "range", "roundrobin,range", "range,roundrobin", "cooperative-sticky", NULL } },
	{ .name = NULL },
};

/* Positions, their fence, the size of the queues and what a publisher counts as delivered belong to the design; all else of
 * librdkafka is free. */
const char *const gc_config_protected_properties[] = {
	"acks",
	"allow.auto.create.topics",
	"auto.offset.reset",
	"bootstrap.servers",
	"enable.auto.commit",
	"enable.auto.offset.store",
	"enable.idempotence",
	"enable.partition.eof",
	"group.id",
	"isolation.level",
	"max.in.flight",
	"max.in.flight.requests.per.connection",
	"metadata.broker.list",
	"queued.max.messages.kbytes",
	"request.required.acks",
	NULL,
};
