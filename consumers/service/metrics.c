/* The metrics of `run`, as a table, and the page about all metrics. How a metric is named, and what becomes of a row: see
 * gracecube/metric.h.
 *
 * Threads: see metrics.h.
 */
#include "service/metrics.h"

#include <gracecube/serve.h>
#include <librdkafka/rdkafka.h>
#include <stddef.h>

static struct gc_run *run_of(const struct gc_metric_printer *p)
{
	return ((const struct gc_metrics_source *)p->source)->run;
}

static const struct gc_database_facts *database_of(const struct gc_metric_printer *p)
{
	return ((const struct gc_metrics_source *)p->source)->database;
}

/* ---- sums over the workers ---- */

static int64_t read_counter(const void *base, size_t offset)
{
	return gc_counter_get((const _Atomic int64_t *)(const void *)((const char *)base + offset));
}

static int64_t sum_workers(const struct gc_metric_printer *p)
{
	int64_t sum = 0;

	for (size_t i = 0; i < gc_run_workers(run_of(p)); i++)
		sum += read_counter(gc_run_counters(run_of(p), i), p->metric->offset);
	return sum;
}

static void print_workers(struct gc_metric_printer *p)
{
	if (run_of(p))
		gc_metric_line(p, "", NULL, gc_metric_in_unit(p->metric, sum_workers(p)));
}

static void print_worker_count(struct gc_metric_printer *p)
{
	if (run_of(p))
		gc_metric_line(p, "", NULL, (double)gc_run_workers(run_of(p)));
}

/* The newest of all workers, wall clock. */
static void print_last_commit(struct gc_metric_printer *p)
{
	int64_t newest = 0;

	for (size_t i = 0; run_of(p) && i < gc_run_workers(run_of(p)); i++) {
		int64_t at = gc_counter_get(&gc_run_counters(run_of(p), i)->committed_us);

		newest = at > newest ? at : newest;
	}
	if (newest > 0)
		gc_metric_line(p, "", NULL, gc_metric_in_unit(p->metric, newest));
}

static void print_stalled(struct gc_metric_printer *p)
{
	if (run_of(p))
		gc_metric_line(p, "", NULL, gc_metric_in_unit(p->metric, gc_run_stalled_us(run_of(p))));
}

static void print_array(struct gc_metric_printer *p, const char *label, const char *const *names, size_t count)
{
	for (size_t n = 0; run_of(p) && n < count; n++) {
		int64_t sum = 0;

		for (size_t i = 0; i < gc_run_workers(run_of(p)); i++)
			sum += read_counter(gc_run_counters(run_of(p), i), p->metric->offset + n * sizeof(_Atomic int64_t));
		gc_metric_labelled(p, label, names[n], (double)sum);
	}
}

static void print_classes(struct gc_metric_printer *p)
{
	print_array(p, "class", gc_retry_class_names, GC_RETRY_CLASSES);
}

static void print_reasons(struct gc_metric_printer *p)
{
	print_array(p, "reason", gc_dead_reasons, GC_DEAD_REASONS);
}

/* ---- by stream ---- */

static void print_streams(struct gc_metric_printer *p)
{
	for (size_t s = 0; run_of(p) && gc_streams[s]; s++) {
		int64_t sum = 0;

		for (size_t i = 0; i < gc_run_workers(run_of(p)); i++)
			sum += read_counter(&gc_run_counters(run_of(p), i)->streams[s], p->metric->offset);
		gc_metric_labelled(p, "stream", gc_streams[s]->name, gc_metric_in_unit(p->metric, sum));
	}
}

static void print_stream_facts(struct gc_metric_printer *p, double (*read)(const struct gc_stream_facts *))
{
	for (size_t s = 0; database_of(p) && gc_streams[s]; s++) {
		double value = read(&database_of(p)->streams[s]);

		if (value >= 0)
			gc_metric_labelled(p, "stream", gc_streams[s]->name, value);
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

static double read_expired(const struct gc_stream_facts *facts)
{
	return (double)facts->expired;
}

static void print_expired(struct gc_metric_printer *p)
{
	print_stream_facts(p, read_expired);
}

static double read_contradicting(const struct gc_stream_facts *facts)
{
	return (double)facts->contradicting;
}

static void print_contradicting(struct gc_metric_printer *p)
{
	print_stream_facts(p, read_contradicting);
}

static void print_last_records(struct gc_metric_printer *p)
{
	print_stream_facts(p, read_last_record);
}

static void print_dead_letters(struct gc_metric_printer *p)
{
	print_stream_facts(p, read_dead_letters);
}

static void print_fact(struct gc_metric_printer *p, double value)
{
	if (value >= 0)
		gc_metric_line(p, "", NULL, value);
}

static void print_letters_kept(struct gc_metric_printer *p)
{
	print_fact(p, database_of(p) ? database_of(p)->letters_kept : -1);
}

static void print_letters_bytes(struct gc_metric_printer *p)
{
	print_fact(p, database_of(p) ? database_of(p)->letters_bytes : -1);
}

static void print_letters_full(struct gc_metric_printer *p)
{
	print_fact(p, database_of(p) ? database_of(p)->letters_full : -1);
}

static void print_letters_dropped(struct gc_metric_printer *p)
{
	print_fact(p, database_of(p) ? database_of(p)->letters_dropped : -1);
}

/* ---- histograms ---- */

static void print_histogram(struct gc_metric_printer *p)
{
	struct gc_tally tally = { .sum = 0 };

	if (!run_of(p))
		return;
	for (size_t i = 0; i < gc_run_workers(run_of(p)); i++)
		gc_tally_add(&tally, (const void *)((const char *)gc_run_counters(run_of(p), i) + p->metric->offset));
	gc_metric_tally(p, &tally, NULL);
}

/* Streams that this process has seen nothing of are left out: 25 × 18 lines of zeros help nobody. */
static void print_stream_histograms(struct gc_metric_printer *p)
{
	char label[96];

	for (size_t s = 0; run_of(p) && gc_streams[s]; s++) {
		struct gc_tally tally = { .sum = 0 };

		for (size_t i = 0; i < gc_run_workers(run_of(p)); i++)
			gc_tally_add(&tally,
				     (const void *)((const char *)&gc_run_counters(run_of(p), i)->streams[s] + p->metric->offset));
		snprintf(label, sizeof(label), "stream=\"%s\"", gc_streams[s]->name);
		if (gc_tally_count(&tally) > 0)
			gc_metric_tally(p, &tally, label);
	}
}

/* ---- by partition ---- */

static void print_partition(struct gc_metric_printer *p, const struct gc_position *position, double value)
{
	char label[340];

	snprintf(label, sizeof(label), "topic=\"%s\",partition=\"%d\"", position->topic, (int)position->partition);
	gc_metric_line(p, "", label, value);
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

static void print_lags(struct gc_metric_printer *p)
{
	if (run_of(p))
		gc_positions_each(gc_run_positions(run_of(p)), print_lag, p);
}

static void print_lags_seconds(struct gc_metric_printer *p)
{
	if (run_of(p))
		gc_positions_each(gc_run_positions(run_of(p)), print_lag_seconds, p);
}

/* One line each, while it lasts. */
static void print_halt(void *arg, const struct gc_position *position)
{
	if (gc_position_halted_us(position) != 0)
		print_partition(arg, position, 1);
}

static void print_halts(struct gc_metric_printer *p)
{
	if (run_of(p))
		gc_positions_each(gc_run_positions(run_of(p)), print_halt, p);
}

static void count_held(void *arg, const struct gc_position *position)
{
	*(int64_t *)arg += gc_counter_get(&position->holder) > 0;
}

static void print_assigned(struct gc_metric_printer *p)
{
	int64_t held = 0;

	if (!run_of(p))
		return;
	gc_positions_each(gc_run_positions(run_of(p)), count_held, &held);
	gc_metric_line(p, "", NULL, (double)held);
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
static void print_topics(struct gc_metric_printer *p)
{
	const struct gc_position *found[TOPICS_MAX];
	struct topic_list list = { found, 0, TOPICS_MAX };

	if (!run_of(p))
		return;
	gc_positions_each(gc_run_positions(run_of(p)), list_topic, &list);
	for (size_t i = 0; i < list.count; i++) {
		struct topic_sum sum = { .topic = found[i]->topic, .offset = p->metric->offset };

		gc_positions_each(gc_run_positions(run_of(p)), add_topic, &sum);
		gc_metric_labelled(p, "topic", sum.topic, (double)sum.sum);
	}
}

/* ---- the database, as the monitor sees it ---- */

static void print_reachable(struct gc_metric_printer *p)
{
	if (database_of(p))
		gc_metric_line(p, "", NULL, database_of(p)->reachable);
}

static void print_verified(struct gc_metric_printer *p)
{
	if (database_of(p) && database_of(p)->verified_s >= 0)
		gc_metric_line(p, "", NULL, database_of(p)->verified_s);
}

static void print_verified_equal(struct gc_metric_printer *p)
{
	if (database_of(p) && database_of(p)->verified_equal_s >= 0)
		gc_metric_line(p, "", NULL, database_of(p)->verified_equal_s);
}

static void print_differences(struct gc_metric_printer *p)
{
	if (database_of(p) && database_of(p)->verify_differing >= 0)
		gc_metric_line(p, "", NULL, (double)database_of(p)->verify_differing);
}

static void print_closing(struct gc_metric_printer *p)
{
	const struct gc_database_facts *database = database_of(p);

	if (database && database->closing_s >= 0)
		gc_metric_line(p, "", NULL, database->closing_s > 0 ? (double)gc_now_us() / 1e6 - database->closing_s : 0);
}

static void print_links_waiting(struct gc_metric_printer *p)
{
	if (database_of(p) && database_of(p)->links_waiting >= 0)
		gc_metric_line(p, "", NULL, database_of(p)->links_waiting);
}

static void print_linking(struct gc_metric_printer *p)
{
	const struct gc_database_facts *database = database_of(p);

	if (database && database->linking_s >= 0)
		gc_metric_line(p, "", NULL, database->linking_s > 0 ? (double)gc_now_us() / 1e6 - database->linking_s : 0);
}

static void print_snapshot_age(struct gc_metric_printer *p)
{
	if (database_of(p) && database_of(p)->snapshot_age >= 0)
		gc_metric_line(p, "", NULL, database_of(p)->snapshot_age);
}

static void print_keys_used(struct gc_metric_printer *p)
{
	if (database_of(p) && database_of(p)->keys_used_ratio >= 0)
		gc_metric_line(p, "", NULL, database_of(p)->keys_used_ratio);
}

/* ---- the process ---- */

static void print_build(struct gc_metric_printer *p)
{
	char label[200];

	snprintf(label, sizeof(label), "version=\"%s\",librdkafka=\"%s\"", GRACECUBE_VERSION, rd_kafka_version_str());
	gc_metric_line(p, "", label, 1);
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
static const struct gc_metric run_metrics[] = {
	{ "gracecube_kafka_records_consumed_total", GC_METRIC_COUNTER, "topic", NULL,
	  "Records fetched; those dropped at a rebalance are fetched again by their next owner.", print_topics, OF_POSITION(records) },
	{ "gracecube_kafka_bytes_consumed_total", GC_METRIC_COUNTER, "topic", NULL, "Bytes of keys and values fetched.", print_topics,
	  OF_POSITION(bytes) },
	{ "gracecube_kafka_records_stale_total", GC_METRIC_COUNTER, NULL, NULL, "Fetched records dropped unapplied: of a former assignment, or applied before.",
	  print_workers, OF_WORKER(discarded) },
	{ "gracecube_kafka_gap_records_total", GC_METRIC_COUNTER, "topic", NULL,
	  "Records that retention deleted before they were read: lost, and noted in cube.etl_gap.", print_topics, OF_POSITION(lost) },
	{ "gracecube_kafka_lag_records", GC_METRIC_GAUGE, "topic, partition", NULL,
	  "Records between the cube's position and Kafka's end, of the partitions that this process holds.", .print = print_lags },
	{ "gracecube_kafka_lag_seconds", GC_METRIC_GAUGE, "topic, partition", NULL,
	  "How long the oldest record that is not in the cube has been on Kafka; 0 without lag.", .print = print_lags_seconds },
	{ "gracecube_kafka_halted", GC_METRIC_GAUGE, "topic, partition", NULL,
	  "1 for each partition that is halted while the others go on, -1 for a whole topic that may not be seen; /readyz?verbose says why.",
	  .print = print_halts },
	{ "gracecube_kafka_assigned_partitions", GC_METRIC_GAUGE, NULL, NULL, "Partitions that this process holds.", .print = print_assigned },
	{ "gracecube_kafka_rebalances_total", GC_METRIC_COUNTER, NULL, NULL, "Assignments and revocations by the consumer group.", print_workers,
	  OF_WORKER(rebalances) },
	{ "gracecube_kafka_troubles_total", GC_METRIC_COUNTER, NULL, NULL,
	  "Errors of connections, brokers and topics that librdkafka reported and tries again by itself.", print_workers, OF_WORKER(troubles) },
	{ "gracecube_kafka_joined_workers", GC_METRIC_GAUGE, NULL, NULL, "Workers that hold what the consumer group gave them.", print_workers,
	  OF_WORKER(joined) },

	{ "gracecube_records_total", GC_METRIC_COUNTER, "stream, outcome", "outcome=\"applied\"", records_help, print_streams, OF_STREAM(applied) },
	{ "gracecube_records_total", GC_METRIC_COUNTER, "stream, outcome", "outcome=\"superseded\"", records_help, print_streams,
	  OF_STREAM(superseded) },
	{ "gracecube_records_total", GC_METRIC_COUNTER, "stream, outcome", "outcome=\"ignored\"", records_help, print_streams, OF_STREAM(ignored) },
	{ "gracecube_records_total", GC_METRIC_COUNTER, "stream, outcome", "outcome=\"dead\"", records_help, print_streams, OF_STREAM(dead) },
	{ "gracecube_dead_letters_total", GC_METRIC_COUNTER, "reason", NULL,
	  "Records that became dead letters, by reason; database: PostgreSQL refused the record, other: see `gracecube dead list`.",
	  print_reasons, OF_WORKER(dead_of) },
	{ "gracecube_dead_letters", GC_METRIC_GAUGE, "stream", NULL,
	  "Dead letters of the whole group that wait for a decision, looked up every 15 s.", .print = print_dead_letters },
	{ "gracecube_dead_letters_kept", GC_METRIC_GAUGE, NULL, NULL,
	  "Dead letters that the database keeps, those worked off too, of all groups.", .print = print_letters_kept },
	{ "gracecube_dead_letters_bytes", GC_METRIC_GAUGE, NULL, NULL, "Bytes of their keys, values and headers.", .print = print_letters_bytes },
	{ "gracecube_dead_letters_full_ratio", GC_METRIC_GAUGE, NULL, NULL,
	  "How much of dead.max_count or dead.max_bytes is taken, whichever is more; at 1 dead.when_full says what happens.",
	  .print = print_letters_full },
	{ "gracecube_dead_letters_dropped_total", GC_METRIC_COUNTER, NULL, NULL,
	  "Dead letters that are gone, of all groups: dropped to make room, out of date, or deleted by hand.", .print = print_letters_dropped },

	{ "gracecube_commit_delay_seconds", GC_METRIC_HISTOGRAM, "stream", NULL,
	  "Freshness: from Kafka's timestamp of a record to the commit that made it visible.", print_stream_histograms, OF_STREAM(delay),
	  &gc_delay_buckets },
	{ "gracecube_last_commit_timestamp_seconds", GC_METRIC_GAUGE, NULL, NULL, "When this process last committed a batch; absent before.",
	  .print = print_last_commit },
	{ "gracecube_last_event_timestamp_seconds", GC_METRIC_GAUGE, "stream", NULL,
	  "Kafka's time of the newest record in the cube, whichever process read it; looked up every 15 s.", .print = print_last_records },
	{ "gracecube_stalled_seconds", GC_METRIC_GAUGE, NULL, NULL,
	  "How long records have waited for a worker that commits nothing; 0 while it does. At run.stall_timeout the process ends.",
	  .print = print_stalled },

	{ "gracecube_batch_records", GC_METRIC_HISTOGRAM, NULL, NULL, "Records of one transaction.", print_histogram, OF_WORKER(batch_records),
	  &gc_record_buckets },
	{ "gracecube_batch_decode_seconds", GC_METRIC_HISTOGRAM, NULL, NULL, "Time to decode the records of one transaction.", print_histogram,
	  OF_WORKER(decode), &gc_stage_buckets },
	{ "gracecube_batch_resolve_seconds", GC_METRIC_HISTOGRAM, NULL, NULL, "Time to make new members of dimensions and partitions known.",
	  print_histogram, OF_WORKER(resolve), &gc_stage_buckets },
	{ "gracecube_batch_commit_seconds", GC_METRIC_HISTOGRAM, NULL, NULL, "Time to encode, send and commit one transaction, also of failed attempts.",
	  print_histogram, OF_WORKER(commit), &gc_stage_buckets },
	{ "gracecube_fence_refusals_total", GC_METRIC_COUNTER, NULL, NULL,
	  "Transactions refused because another owner had moved the partition: nothing was written, the worker read again.", print_workers,
	  OF_WORKER(fenced) },

	{ "gracecube_dimension_cache_hits_total", GC_METRIC_COUNTER, NULL, NULL, "Natural keys of dimensions found in a worker's cache.", print_workers,
	  OF_WORKER(cache_hits) },
	{ "gracecube_dimension_keys_used_ratio", GC_METRIC_GAUGE, NULL, NULL,
	  "How much of the 2,147,483,647 keys the dimension has used that has used most; at 1 no new member can be made.", .print = print_keys_used },
	{ "gracecube_dimension_cache_misses_total", GC_METRIC_COUNTER, NULL, NULL, "Natural keys that had to be asked for.", print_workers,
	  OF_WORKER(cache_misses) },

	{ "gracecube_retries_total", GC_METRIC_COUNTER, "class", NULL, "Waits before something was tried again, by why.", print_classes,
	  OF_WORKER(retries_of) },
	{ "gracecube_pg_rejected_records_total", GC_METRIC_COUNTER, NULL, NULL, "Records that PostgreSQL refused when they were alone in a transaction.",
	  print_workers, OF_WORKER(rejected) },
	{ "gracecube_pg_connects_total", GC_METRIC_COUNTER, NULL, NULL, "Connections to PostgreSQL opened by workers.", print_workers,
	  OF_WORKER(reconnects) },
	{ "gracecube_pg_connections", GC_METRIC_GAUGE, NULL, NULL, "Workers that are connected to PostgreSQL.", print_workers, OF_WORKER(connected) },
	{ "gracecube_pg_reachable", GC_METRIC_GAUGE, NULL, NULL, "1 when PostgreSQL answered within the last seconds.", .print = print_reachable },
	{ "gracecube_verify_last_timestamp_seconds", GC_METRIC_GAUGE, NULL, NULL, "When `gracecube verify` last ran; absent before.", .print = print_verified },
	{ "gracecube_verify_last_success_timestamp_seconds", GC_METRIC_GAUGE, NULL, NULL, "When it last found everything equal.", .print = print_verified_equal },
	{ "gracecube_verify_differences", GC_METRIC_GAUGE, NULL, NULL, "What its last run found differing: anything but 0 is a fault.", .print = print_differences },

	{ "gracecube_records_contradicting_total", GC_METRIC_COUNTER, "stream", NULL,
	  "Records of the whole group that were superseded although their own time is later than that of what the cube holds: clocks or "
	  "log positions contradict each other; looked up every 15 s.",
	  .print = print_contradicting },
	{ "gracecube_records_expired_total", GC_METRIC_COUNTER, "stream", NULL,
	  "Records of months that are dropped, of the whole group: of those that are ignored in the ledger, though this process may have counted them "
	  "as applied; looked up every 15 s.", .print = print_expired },
	{ "gracecube_retention_closing_seconds", GC_METRIC_GAUGE, NULL, NULL,
	  "For how long a month of a fact has been on its way out; 0 while none is. It takes minutes.", .print = print_closing },
	{ "gracecube_links_waiting", GC_METRIC_GAUGE, NULL, NULL,
	  "Missions and others that more facts name than one transaction links; they are linked slice by slice.", .print = print_links_waiting },
	{ "gracecube_links_waiting_seconds", GC_METRIC_GAUGE, NULL, NULL,
	  "For how long the first of these has waited; 0 while none does. A million facts take some minutes.", .print = print_linking },
	{ "gracecube_snapshot_age_transactions", GC_METRIC_GAUGE, NULL, NULL,
	  "Transactions since the oldest snapshot was taken that somebody holds; until it ends no row version is cleaned away, and commits get slower.",
	  .print = print_snapshot_age },

	{ "gracecube_workers", GC_METRIC_GAUGE, NULL, NULL, "Workers of this process (run.workers).", .print = print_worker_count },
	{ "gracecube_build_info", GC_METRIC_GAUGE, "version, librdkafka", NULL, "Always 1; the versions are in the labels.", .print = print_build },
	{ .name = NULL },
};
/* clang-format on */

void gc_run_metrics_print(const struct gc_metrics_source *source, FILE *out)
{
	gc_metrics_print(run_metrics, source, out);
	gc_metrics_print(gc_process_metrics, NULL, out);
}

/* ---- the page ---- */

static const char page_head[] =
	"# Metrics\n"
	"\n"
	"In Prometheus' text format (0.0.4). This page is made from the tables that register them, by `gracecube config metrics`; a test keeps\n"
	"the two identical. Each process tells of what it does itself: sum over the processes. What is not known yet is absent, not 0.\n";

static const char run_head[] = "\n"
			       "## Of `gracecube run`\n"
			       "\n"
			       "By `GET /metrics` on `http.listen` (127.0.0.1:9187 unless set otherwise).\n"
			       "\n";

static const char serve_head[] =
	"\n"
	"## Of `gracecube serve`\n"
	"\n"
	"By `GET /metrics` on `serve.probes_listen` (127.0.0.1:9188 unless set otherwise); it needs no token, and the API's own port does not\n"
	"have it. A route is named as in the OpenAPI document, never by the path that was asked for; `other` is what no route answers.\n"
	"\n";

static const char process_head[] = "\n"
				   "## Of both\n"
				   "\n";

static const char page_tail[] =
	"\n"
	"A histogram has `_bucket`, `_sum` and `_count`. Alerts on these metrics are in `prometheus/rules.yaml`, those on\n"
	"`gracecube_metric` in `prometheus/metric_rules.yaml`, which `gracecube metrics alerts` prints for your metrics and thresholds; a board is in\n"
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
	fputs(run_head, out);
	gc_metrics_list(run_metrics, out);
	fputs(serve_head, out);
	gc_metrics_list(gc_serve_metrics, out);
	fputs(process_head, out);
	gc_metrics_list(gc_process_metrics, out);
	fputs(page_tail, out);
}
