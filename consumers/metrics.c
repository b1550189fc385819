/* The table of metrics. A metric is one row (one a label value where these are known at compile time); rows of one name stand
 * together. Names: gracecube_<what>_<unit>[_total]; units are seconds, bytes, records, or nothing for plain counts; labels come
 * from tables and topics only, never from data. What is not known is left out, never 0.
 *
 * Threads: see metrics.h.
 */
#include "metrics.h"

#include <dirent.h>
#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum type { COUNTER, GAUGE, HISTOGRAM };
static const char *const type_names[] = { "counter", "gauge", "histogram" };

struct metric;

struct printer {
	FILE *out;
	const struct gc_metrics_source *source;
	const struct metric *metric;
};

struct metric {
	const char *name;
	enum type type;
	const char *labels; /* for the page; NULL for none */
	const char *fixed;  /* the label of this row, where a name has several: outcome="applied" */
	const char *help;
	void (*print)(struct printer *p);
	size_t offset; /* into what the function reads */
	const struct gc_buckets *buckets;
};

/* Counters are whole numbers of records, bytes, or µs. */
static double in_unit(const struct metric *m, int64_t value)
{
	return strstr(m->name, "_seconds") ? (double)value / 1e6 : (double)value;
}

/* ---- lines ---- */

/* label, if given, is `name="value"`. */
static void print_line(struct printer *p, const char *suffix, const char *label, double value)
{
	const char *fixed = p->metric->fixed;

	fprintf(p->out, "%s%s", p->metric->name, suffix);
	if (label || fixed)
		fprintf(p->out, "{%s%s%s}", label ? label : "", label && fixed ? "," : "", fixed ? fixed : "");
	if (value == (double)(int64_t)value)
		fprintf(p->out, " %lld\n", (long long)value); /* counts to the last digit */
	else
		fprintf(p->out, " %.15g\n", value);
}

/* Topics hold letters, digits, '.', '_' and '-' only, streams less: nothing needs an escape. */
static void print_labelled(struct printer *p, const char *name, const char *value, double number)
{
	char label[320];

	snprintf(label, sizeof(label), "%s=\"%s\"", name, value);
	print_line(p, "", label, number);
}

/* ---- sums over the workers ---- */

static int64_t read_counter(const void *base, size_t offset)
{
	return gc_counter_get((const _Atomic int64_t *)(const void *)((const char *)base + offset));
}

static int64_t sum_workers(const struct printer *p)
{
	int64_t sum = 0;

	for (size_t i = 0; i < gc_run_workers(p->source->run); i++)
		sum += read_counter(gc_run_counters(p->source->run, i), p->metric->offset);
	return sum;
}

static void print_workers(struct printer *p)
{
	if (p->source->run)
		print_line(p, "", NULL, in_unit(p->metric, sum_workers(p)));
}

static void print_worker_count(struct printer *p)
{
	if (p->source->run)
		print_line(p, "", NULL, (double)gc_run_workers(p->source->run));
}

/* The newest of all workers, wall clock. */
static void print_last_commit(struct printer *p)
{
	int64_t newest = 0;

	for (size_t i = 0; p->source->run && i < gc_run_workers(p->source->run); i++) {
		int64_t at = gc_counter_get(&gc_run_counters(p->source->run, i)->committed_us);

		newest = at > newest ? at : newest;
	}
	if (newest > 0)
		print_line(p, "", NULL, in_unit(p->metric, newest));
}

static void print_stalled(struct printer *p)
{
	if (p->source->run)
		print_line(p, "", NULL, in_unit(p->metric, gc_run_stalled_us(p->source->run)));
}

static void print_array(struct printer *p, const char *label, const char *const *names, size_t count)
{
	for (size_t n = 0; p->source->run && n < count; n++) {
		int64_t sum = 0;

		for (size_t i = 0; i < gc_run_workers(p->source->run); i++)
			sum += read_counter(gc_run_counters(p->source->run, i), p->metric->offset + n * sizeof(_Atomic int64_t));
		print_labelled(p, label, names[n], (double)sum);
	}
}

static void print_classes(struct printer *p)
{
	print_array(p, "class", gc_retry_class_names, GC_RETRY_CLASSES);
}

static void print_reasons(struct printer *p)
{
	print_array(p, "reason", gc_dead_reasons, GC_DEAD_REASONS);
}

/* ---- by stream ---- */

static void print_streams(struct printer *p)
{
	for (size_t s = 0; p->source->run && gc_streams[s]; s++) {
		int64_t sum = 0;

		for (size_t i = 0; i < gc_run_workers(p->source->run); i++)
			sum += read_counter(&gc_run_counters(p->source->run, i)->streams[s], p->metric->offset);
		print_labelled(p, "stream", gc_streams[s]->name, in_unit(p->metric, sum));
	}
}

static void print_stream_facts(struct printer *p, double (*read)(const struct gc_stream_facts *))
{
	for (size_t s = 0; p->source->database && gc_streams[s]; s++) {
		double value = read(&p->source->database->streams[s]);

		if (value >= 0)
			print_labelled(p, "stream", gc_streams[s]->name, value);
	}
}

static double read_last_record(const struct gc_stream_facts *facts)
{
	return facts->last_record_s;
}

static double read_dead_letters(const struct gc_stream_facts *facts)
{
	return (double)facts->dead_letters;
}

static void print_last_records(struct printer *p)
{
	print_stream_facts(p, read_last_record);
}

static void print_dead_letters(struct printer *p)
{
	print_stream_facts(p, read_dead_letters);
}

/* ---- histograms ---- */

struct tally {
	int64_t counts[GC_BUCKETS_MAX + 1], sum;
};

static void add_histogram(struct tally *tally, const struct gc_histogram *histogram)
{
	for (int i = 0; i <= GC_BUCKETS_MAX; i++)
		tally->counts[i] += gc_counter_get(&histogram->counts[i]);
	tally->sum += gc_counter_get(&histogram->sum);
}

/* _count is the sum of the buckets, so that the two agree whatever is counted meanwhile. */
static void print_tally(struct printer *p, const struct tally *tally, const char *label)
{
	char with_limit[384];
	int64_t count = 0;

	for (int i = 0; i <= p->metric->buckets->count; i++) {
		count += tally->counts[i];
		if (i < p->metric->buckets->count)
			snprintf(with_limit, sizeof(with_limit), "%s%sle=\"%g\"", label ? label : "", label ? "," : "",
				 in_unit(p->metric, p->metric->buckets->limits[i]));
		else
			snprintf(with_limit, sizeof(with_limit), "%s%sle=\"+Inf\"", label ? label : "", label ? "," : "");
		print_line(p, "_bucket", with_limit, (double)count);
	}
	print_line(p, "_sum", label, in_unit(p->metric, tally->sum));
	print_line(p, "_count", label, (double)count);
}

static void print_histogram(struct printer *p)
{
	struct tally tally = { .sum = 0 };

	if (!p->source->run)
		return;
	for (size_t i = 0; i < gc_run_workers(p->source->run); i++)
		add_histogram(&tally, (const void *)((const char *)gc_run_counters(p->source->run, i) + p->metric->offset));
	print_tally(p, &tally, NULL);
}

/* Streams that this process has seen nothing of are left out: 25 × 18 lines of zeros help nobody. */
static void print_stream_histograms(struct printer *p)
{
	char label[96];

	for (size_t s = 0; p->source->run && gc_streams[s]; s++) {
		struct tally tally = { .sum = 0 };
		int64_t seen = 0;

		for (size_t i = 0; i < gc_run_workers(p->source->run); i++)
			add_histogram(&tally, (const void *)((const char *)&gc_run_counters(p->source->run, i)->streams[s] +
							     p->metric->offset));
		for (int i = 0; i <= GC_BUCKETS_MAX; i++)
			seen += tally.counts[i];
		snprintf(label, sizeof(label), "stream=\"%s\"", gc_streams[s]->name);
		if (seen > 0)
			print_tally(p, &tally, label);
	}
}

/* ---- by partition ---- */

static void print_partition(struct printer *p, const struct gc_position *position, double value)
{
	char label[340];

	snprintf(label, sizeof(label), "topic=\"%s\",partition=\"%d\"", position->topic, (int)position->partition);
	print_line(p, "", label, value);
}

static void print_lag(void *arg, const struct gc_position *position)
{
	if (gc_counter_get(&position->holder) > 0)
		print_partition(arg, position, (double)gc_counter_get(&position->lag));
}

/* Since when the oldest record waits; where it is not fetched yet, since the newest record in the cube. */
static void print_lag_seconds(void *arg, const struct gc_position *position)
{
	int64_t oldest = gc_counter_get(&position->oldest_us), data = gc_counter_get(&position->data_us);
	int64_t since = oldest > 0 ? oldest : data, behind = since > 0 ? gc_now_us() - since : -1;

	if (gc_counter_get(&position->holder) == 0)
		return;
	if (gc_counter_get(&position->lag) == 0)
		print_partition(arg, position, 0);
	else if (since > 0)
		print_partition(arg, position, behind > 0 ? (double)behind / 1e6 : 0);
}

static void print_lags(struct printer *p)
{
	if (p->source->run)
		gc_run_each_position(p->source->run, print_lag, p);
}

static void print_lags_seconds(struct printer *p)
{
	if (p->source->run)
		gc_run_each_position(p->source->run, print_lag_seconds, p);
}

static void count_held(void *arg, const struct gc_position *position)
{
	*(int64_t *)arg += gc_counter_get(&position->holder) > 0;
}

static void print_assigned(struct printer *p)
{
	int64_t held = 0;

	if (!p->source->run)
		return;
	gc_run_each_position(p->source->run, count_held, &held);
	print_line(p, "", NULL, (double)held);
}

/* A topic's partitions together. Positions of a topic need not stand together. */
struct topic_sum {
	const char *topic;
	size_t offset;
	int64_t sum;
	const struct gc_position *at;
};

static void add_topic(void *arg, const struct gc_position *position)
{
	struct topic_sum *sum = arg;

	if (strcmp(position->topic, sum->topic) != 0)
		return;
	if (!sum->at)
		sum->at = position;
	sum->sum += read_counter(position, sum->offset);
}

struct topic_list {
	const struct gc_position **items;
	size_t count, capacity;
};

static void list_topic(void *arg, const struct gc_position *position)
{
	struct topic_list *list = arg;

	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i]->topic, position->topic) == 0)
			return;
	}
	if (list->count < list->capacity)
		list->items[list->count++] = position;
}

#define TOPICS_MAX 1000
static void print_topics(struct printer *p)
{
	const struct gc_position *found[TOPICS_MAX];
	struct topic_list list = { found, 0, TOPICS_MAX };

	if (!p->source->run)
		return;
	gc_run_each_position(p->source->run, list_topic, &list);
	for (size_t i = 0; i < list.count; i++) {
		struct topic_sum sum = { .topic = found[i]->topic, .offset = p->metric->offset };

		gc_run_each_position(p->source->run, add_topic, &sum);
		print_labelled(p, "topic", sum.topic, (double)sum.sum);
	}
}

/* ---- the database, as the monitor sees it ---- */

static void print_reachable(struct printer *p)
{
	if (p->source->database)
		print_line(p, "", NULL, p->source->database->reachable);
}

static void print_verified(struct printer *p)
{
	if (p->source->database && p->source->database->verified_s >= 0)
		print_line(p, "", NULL, p->source->database->verified_s);
}

static void print_verified_equal(struct printer *p)
{
	if (p->source->database && p->source->database->verified_equal_s >= 0)
		print_line(p, "", NULL, p->source->database->verified_equal_s);
}

static void print_differences(struct printer *p)
{
	if (p->source->database && p->source->database->verify_differing >= 0)
		print_line(p, "", NULL, (double)p->source->database->verify_differing);
}

/* ---- the process ---- */

static void print_build(struct printer *p)
{
	char label[200];

	snprintf(label, sizeof(label), "version=\"%s\",librdkafka=\"%s\"", GRACECUBE_VERSION, rd_kafka_version_str());
	print_line(p, "", label, 1);
}

static void print_cpu(struct printer *p)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	print_line(p, "", NULL,
		   (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

/* The nth number behind the name in /proc/self/stat; -1 when there is none. Its fields are numbered from 1 in proc(5). */
static double read_stat(int field)
{
	char text[1024];
	FILE *file = fopen("/proc/self/stat", "re");
	const char *at = NULL;

	if (file) {
		if (fgets(text, sizeof(text), file))
			at = strrchr(text, ')'); /* ends the second field */
		fclose(file);
	}
	for (int i = 2; at && i < field; i++)
		at = strchr(at + 1, ' ');
	return at ? strtod(at, NULL) : -1;
}

static void print_resident(struct printer *p)
{
	print_line(p, "", NULL, read_stat(24) * (double)sysconf(_SC_PAGESIZE));
}

static void print_virtual(struct printer *p)
{
	print_line(p, "", NULL, read_stat(23));
}

/* Field 22 is in clock ticks since boot. */
static void print_started(struct printer *p)
{
	struct timespec now, since_boot;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &since_boot);
	print_line(p, "", NULL, (double)(now.tv_sec - since_boot.tv_sec) + read_stat(22) / (double)sysconf(_SC_CLK_TCK));
}

static void print_open_files(struct printer *p)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = -3; /* ".", "..", and the directory itself */

	if (!directory)
		return;
	while (readdir(directory))
		count++;
	closedir(directory);
	print_line(p, "", NULL, count);
}

static void print_max_files(struct printer *p)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		print_line(p, "", NULL, (double)limit.rlim_cur);
}

/* ---- the table, in the order of the way of a record ---- */

#define OF_WORKER(member) .offset = offsetof(struct gc_worker_counters, member)
#define OF_STREAM(member) .offset = offsetof(struct gc_stream_counters, member)
#define OF_POSITION(member) .offset = offsetof(struct gc_position, member)

static const char records_help[] =
	"Records accounted for, by what became of them: applied, older than what the cube holds, dead letter, "
	"or without meaning here. A record that only PostgreSQL finds to be older counts as applied here; "
	"cube.etl_offset has the exact ledger, over restarts too.";

/* clang-format off */
static const struct metric metrics[] = {
	{ "gracecube_kafka_records_consumed_total", COUNTER, "topic", NULL,
	  "Records fetched; those dropped at a rebalance are fetched again by their next owner.", print_topics, OF_POSITION(records) },
	{ "gracecube_kafka_bytes_consumed_total", COUNTER, "topic", NULL, "Bytes of keys and values fetched.", print_topics,
	  OF_POSITION(bytes) },
	{ "gracecube_kafka_records_stale_total", COUNTER, NULL, NULL, "Fetched records dropped unapplied: of a former assignment, or applied before.",
	  print_workers, OF_WORKER(stale) },
	{ "gracecube_kafka_gap_records_total", COUNTER, "topic", NULL,
	  "Records that retention deleted before they were read: lost, and noted in cube.etl_gap.", print_topics, OF_POSITION(lost) },
	{ "gracecube_kafka_lag_records", GAUGE, "topic, partition", NULL,
	  "Records between the cube's position and Kafka's end, of the partitions that this process holds.", print_lags, .offset = 0 },
	{ "gracecube_kafka_lag_seconds", GAUGE, "topic, partition", NULL,
	  "How long the oldest record that is not in the cube has been on Kafka; 0 without lag.", print_lags_seconds, .offset = 0 },
	{ "gracecube_kafka_assigned_partitions", GAUGE, NULL, NULL, "Partitions that this process holds.", print_assigned, .offset = 0 },
	{ "gracecube_kafka_rebalances_total", COUNTER, NULL, NULL, "Assignments and revocations by the consumer group.", print_workers,
	  OF_WORKER(rebalances) },
	{ "gracecube_kafka_joined_workers", GAUGE, NULL, NULL, "Workers that hold what the consumer group gave them.", print_workers,
	  OF_WORKER(joined) },

	{ "gracecube_records_total", COUNTER, "stream, outcome", "outcome=\"applied\"", records_help, print_streams, OF_STREAM(applied) },
	{ "gracecube_records_total", COUNTER, "stream, outcome", "outcome=\"superseded\"", records_help, print_streams,
	  OF_STREAM(superseded) },
	{ "gracecube_records_total", COUNTER, "stream, outcome", "outcome=\"ignored\"", records_help, print_streams, OF_STREAM(ignored) },
	{ "gracecube_records_total", COUNTER, "stream, outcome", "outcome=\"dead\"", records_help, print_streams, OF_STREAM(dead) },
	{ "gracecube_dead_letters_total", COUNTER, "reason", NULL,
	  "Records that became dead letters, by reason; database: PostgreSQL refused the record, other: see `gracecube dead list`.",
	  print_reasons, OF_WORKER(dead_of) },
	{ "gracecube_dead_letters", GAUGE, "stream", NULL,
	  "Dead letters of the whole group that wait for a decision, looked up every 15 s.", print_dead_letters, .offset = 0 },

	{ "gracecube_commit_delay_seconds", HISTOGRAM, "stream", NULL,
	  "Freshness: from Kafka's timestamp of a record to the commit that made it visible.", print_stream_histograms, OF_STREAM(delay),
	  &gc_delay_buckets },
	{ "gracecube_last_commit_timestamp_seconds", GAUGE, NULL, NULL, "When this process last committed a batch; absent before.",
	  print_last_commit, .offset = 0 },
	{ "gracecube_last_event_timestamp_seconds", GAUGE, "stream", NULL,
	  "Kafka's time of the newest record in the cube, whichever process read it; looked up every 15 s.", print_last_records, .offset = 0 },
	{ "gracecube_stalled_seconds", GAUGE, NULL, NULL,
	  "How long records have waited for a worker that commits nothing; 0 while it does. At run.stall_timeout the process ends.",
	  print_stalled, .offset = 0 },

	{ "gracecube_batch_records", HISTOGRAM, NULL, NULL, "Records of one transaction.", print_histogram, OF_WORKER(batch_records),
	  &gc_record_buckets },
	{ "gracecube_batch_decode_seconds", HISTOGRAM, NULL, NULL, "Time to decode the records of one transaction.", print_histogram,
	  OF_WORKER(decode), &gc_stage_buckets },
	{ "gracecube_batch_resolve_seconds", HISTOGRAM, NULL, NULL, "Time to make new members of dimensions and partitions known.",
	  print_histogram, OF_WORKER(resolve), &gc_stage_buckets },
	{ "gracecube_batch_commit_seconds", HISTOGRAM, NULL, NULL, "Time to encode, send and commit one transaction, also of failed attempts.",
	  print_histogram, OF_WORKER(commit), &gc_stage_buckets },
	{ "gracecube_fence_refusals_total", COUNTER, NULL, NULL,
	  "Transactions refused because another owner had moved the partition: nothing was written, the worker read again.", print_workers,
	  OF_WORKER(fenced) },

	{ "gracecube_dimension_cache_hits_total", COUNTER, NULL, NULL, "Natural keys of dimensions found in a worker's cache.", print_workers,
	  OF_WORKER(cache_hits) },
	{ "gracecube_dimension_cache_misses_total", COUNTER, NULL, NULL, "Natural keys that had to be asked for.", print_workers,
	  OF_WORKER(cache_misses) },

	{ "gracecube_retries_total", COUNTER, "class", NULL, "Waits before something was tried again, by why.", print_classes,
	  OF_WORKER(retries_of) },
	{ "gracecube_pg_rejected_records_total", COUNTER, NULL, NULL, "Records that PostgreSQL refused when they were alone in a transaction.",
	  print_workers, OF_WORKER(rejected) },
	{ "gracecube_pg_connects_total", COUNTER, NULL, NULL, "Connections to PostgreSQL opened by workers.", print_workers,
	  OF_WORKER(reconnects) },
	{ "gracecube_pg_connections", GAUGE, NULL, NULL, "Workers that are connected to PostgreSQL.", print_workers, OF_WORKER(connected) },
	{ "gracecube_pg_reachable", GAUGE, NULL, NULL, "1 when PostgreSQL answered within the last seconds.", print_reachable, .offset = 0 },
	{ "gracecube_verify_last_timestamp_seconds", GAUGE, NULL, NULL, "When `gracecube verify` last ran; absent before.", print_verified, .offset = 0 },
	{ "gracecube_verify_last_success_timestamp_seconds", GAUGE, NULL, NULL, "When it last found everything equal.", print_verified_equal, .offset = 0 },
	{ "gracecube_verify_differences", GAUGE, NULL, NULL, "What its last run found differing: anything but 0 is a fault.", print_differences,
	  .offset = 0 },

	{ "gracecube_workers", GAUGE, NULL, NULL, "Workers of this process (run.workers).", print_worker_count, .offset = 0 },
	{ "gracecube_build_info", GAUGE, "version, librdkafka", NULL, "Always 1; the versions are in the labels.", print_build, .offset = 0 },
	{ "process_cpu_seconds_total", COUNTER, NULL, NULL, "CPU time of the process.", print_cpu, .offset = 0 },
	{ "process_resident_memory_bytes", GAUGE, NULL, NULL, "Resident memory.", print_resident, .offset = 0 },
	{ "process_virtual_memory_bytes", GAUGE, NULL, NULL, "Virtual memory.", print_virtual, .offset = 0 },
	{ "process_start_time_seconds", GAUGE, NULL, NULL, "When the process started.", print_started, .offset = 0 },
	{ "process_open_fds", GAUGE, NULL, NULL, "Open file descriptors.", print_open_files, .offset = 0 },
	{ "process_max_fds", GAUGE, NULL, NULL, "How many there may be.", print_max_files, .offset = 0 },
};
/* clang-format on */
#define METRIC_COUNT (sizeof(metrics) / sizeof(metrics[0]))

static bool begins_family(size_t i)
{
	return i == 0 || strcmp(metrics[i].name, metrics[i - 1].name) != 0;
}

void gc_metrics_print(const struct gc_metrics_source *source, FILE *out)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		struct printer printer = { out, source, &metrics[i] };

		if (begins_family(i))
			fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name, metrics[i].help, metrics[i].name,
				type_names[metrics[i].type]);
		metrics[i].print(&printer);
	}
}

/* ---- the page ---- */

static const char page_head[] =
	"# Metrics\n"
	"\n"
	"`gracecube run` answers `GET /metrics` on `http.listen` (127.0.0.1:9187 unless set otherwise) in Prometheus' text format. This page is\n"
	"made from the table that registers them, by `gracecube config metrics`; a test keeps the two identical. Each process tells of what it\n"
	"does itself: sum over the processes of a group. What is not known yet is absent, not 0.\n"
	"\n"
	"| name | type | labels | meaning |\n"
	"|---|---|---|---|\n";

static const char page_tail[] =
	"\n"
	"A histogram has `_bucket`, `_sum` and `_count`. Alerts on these metrics are in `prometheus/rules.yaml`, a board in\n"
	"`grafana/dashboards/operations.json`.\n"
	"\n"
	"| elsewhere it is called | here |\n"
	"|---|---|\n"
	"| kafka_exporter `kafka_consumergroup_lag`, kminion `kminion_kafka_consumer_group_topic_lag` | `gracecube_kafka_lag_records`; theirs follows the hint that is committed to Kafka once a second |\n"
	"| lag-exporter `kafka_consumergroup_group_lag_seconds` | `gracecube_kafka_lag_seconds` |\n"
	"| Kafka Connect `sink-record-read-total` | `gracecube_kafka_records_consumed_total` |\n"
	"| Kafka Connect `put-batch-avg-time-ms` | `rate(gracecube_batch_commit_seconds_sum[5m]) / rate(gracecube_batch_commit_seconds_count[5m])` |\n";

void gc_metrics_page(FILE *out)
{
	fputs(page_head, out);
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		if (begins_family(i))
			fprintf(out, "| `%s` | %s | %s | %s |\n", metrics[i].name, type_names[metrics[i].type],
				metrics[i].labels ? metrics[i].labels : "", metrics[i].help);
	}
	fputs(page_tail, out);
}
