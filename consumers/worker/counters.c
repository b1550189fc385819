/* Counters: see counters.h. Threads: the functions that take a worker are called by that worker. */
#include "worker/counters.h"
#include "worker/worker.h"

#include <ctype.h>
#include <gracecube/arena.h>
#include <stdlib.h>

/* How often Kafka's ends, as far as the client knows them, are looked up. */
#define ENDS_INTERVAL_US (250 * 1000)

#define MS 1000
const struct gc_buckets gc_delay_buckets = { 15,
					     { 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1000 * MS,
					       2500 * MS, 5000 * MS, 10000 * MS, 30000 * MS, 60000 * MS, 300000 * MS,
					       INT64_C(3600000) * MS } };
const struct gc_buckets gc_stage_buckets = { 14,
					     { MS / 10, MS / 4, MS, 5 * MS / 2, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS,
					       250 * MS, 500 * MS, 1000 * MS, 5000 * MS, 30000 * MS } };
const struct gc_buckets gc_record_buckets = { 11, { 1, 5, 10, 50, 100, 500, 1000, 2500, 5000, 10000, 100000 } };

/* ---- classes ---- */

const char *const gc_retry_class_names[] = { "connection", "conflict", "timeout", "resources", "kafka", "other", NULL };

/* By how the code begins; the first row that fits decides. */
static const struct {
	const char *code;
	enum gc_retry_class class;
} retry_classes[] = {
	{ "connection", GC_RETRY_CONNECTION }, { "08", GC_RETRY_CONNECTION }, { "57P", GC_RETRY_CONNECTION },
	{ "25006", GC_RETRY_CONNECTION },      { "40", GC_RETRY_CONFLICT },   { "57014", GC_RETRY_TIMEOUT },
	{ "55P03", GC_RETRY_TIMEOUT },         { "53", GC_RETRY_RESOURCES },  { "watermark", GC_RETRY_KAFKA },
};

static bool is_sqlstate(const char *code)
{
	size_t length = 0;

	while (isdigit((unsigned char)code[length]) || isupper((unsigned char)code[length]))
		length++;
	return length == 5 && code[5] == '\0';
}

/* librdkafka's names are in capitals: _TRANSPORT, LEADER_NOT_AVAILABLE. */
static bool is_kafka_name(const char *code)
{
	return (*code == '_' || isupper((unsigned char)*code)) && !is_sqlstate(code);
}

enum gc_retry_class gc_retry_class_of(const char *code)
{
	for (size_t i = 0; i < sizeof(retry_classes) / sizeof(retry_classes[0]); i++) {
		if (strncmp(code, retry_classes[i].code, strlen(retry_classes[i].code)) == 0)
			return retry_classes[i].class;
	}
	return is_kafka_name(code) ? GC_RETRY_KAFKA : GC_RETRY_OTHER;
}

/* The last two take what is no code of ours: SQLSTATEs, and what nobody has thought of. */
enum { REASON_DATABASE = GC_DEAD_REASONS - 2, REASON_OTHER };
const char *const gc_dead_reasons[GC_DEAD_REASONS] = {
	"not_json", "duplicate_key", "too_deep", "not_object",        "foreign_envelope", "unknown_op", "truncate", "no_key",
	"bad_key",  "missing_field", "bad_type", "time_out_of_range", "too_large",        "too_long",   "database", "other",
};

static int reason_of(const char *code)
{
	for (int i = 0; i < REASON_DATABASE; i++) {
		if (strcmp(gc_dead_reasons[i], code) == 0)
			return i;
	}
	return is_sqlstate(code) ? REASON_DATABASE : REASON_OTHER;
}

/* ---- the worker's ---- */

void gc_counters_init(struct gc_worker_counters *counters)
{
	counters->streams = gc_calloc(gc_stream_count(), sizeof(*counters->streams));
	gc_counter_set(&counters->ticked_us, gc_monotonic_us());
	gc_counter_set(&counters->moved_us, gc_monotonic_us());
	gc_counter_set(&counters->progress_us, gc_monotonic_us());
}

void gc_counters_done(struct gc_worker_counters *counters)
{
	free(counters->streams);
}

void gc_count_tick(struct gc_worker *w)
{
	gc_counter_set(&w->counters.ticked_us, gc_monotonic_us());
	gc_counter_set(&w->counters.connected, w->pipeline.pg && !gc_pg_is_lost(w->pipeline.pg));
	gc_counter_set(&w->counters.joined, w->consumer->joined && !w->consumer->pending);
}

void gc_count_retry(struct gc_worker *w, const struct gc_err *why)
{
	gc_counter_add(&w->counters.retries, 1);
	gc_counter_add(&w->counters.retries_of[gc_retry_class_of(why->code)], 1);
}

/* Of each partition, Kafka's time of the first fetched record; 0 where there is none. */
static void note_oldest(struct gc_consumer *c)
{
	size_t found = 0;

	for (size_t i = 0; i < c->source.assignment_count; i++)
		c->source.assignments[i].oldest_us = 0;
	for (size_t i = 0; i < c->source.record_count && found < c->source.assignment_count; i++) {
		const struct gc_message *message = &c->source.records[i].message;
		struct gc_assignment *assignment = &c->source.assignments[c->source.records[i].assignment];

		if (assignment->oldest_us != 0)
			continue;
		assignment->oldest_us = message->timestamp_us > 0 && !message->instead_us ? message->timestamp_us : gc_now_us();
		found++;
	}
}

static void look_up_ends(struct gc_consumer *c)
{
	int64_t low, high;

	for (size_t i = 0; i < c->source.assignment_count; i++) {
		struct gc_assignment *assignment = &c->source.assignments[i];

		if (rd_kafka_get_watermark_offsets(c->rk, assignment->position->topic, assignment->partition, &low, &high) == 0 &&
		    high > assignment->end)
			assignment->end = high;
	}
}

/* Lag is what may be read. Where the last that came of a partition was its end there is none: what lies behind it belongs to transactions
 * that are open, or to nobody (markers, aborted records). */
static int64_t lag_of(const struct gc_assignment *assignment)
{
	int64_t lag = assignment->end - assignment->next_offset;

	if (assignment->oldest_us != 0)
		return lag > 0 ? lag : 1;
	return lag > 0 && !assignment->is_drained ? lag : 0;
}

void gc_count_polled(struct gc_worker *w)
{
	struct gc_consumer *c = w->consumer;
	int64_t now = gc_monotonic_us(), all = 0;

	note_oldest(c);
	if (now - w->ends_us > ENDS_INTERVAL_US) {
		w->ends_us = now;
		look_up_ends(c);
	}
	for (size_t i = 0; i < c->source.assignment_count; i++) {
		int64_t lag = lag_of(&c->source.assignments[i]);

		all += gc_position_halted_us(c->source.assignments[i].position) == 0 ? lag : 0;
		gc_counter_set(&c->source.assignments[i].position->lag, lag);
		gc_counter_set(&c->source.assignments[i].position->oldest_us, c->source.assignments[i].oldest_us);
	}
	gc_counter_set(&w->counters.lag, all);
	gc_counter_set(&w->counters.discarded, (int64_t)c->discarded);
	gc_counter_set(&w->counters.troubles, (int64_t)c->troubles);
	if (all == 0)
		gc_counter_set(&w->counters.moved_us, now);
}

static struct gc_stream_counters *counters_of(struct gc_pipeline *p, const struct gc_stream *stream)
{
	size_t i = 0;

	while (gc_streams[i] != stream)
		i++;
	return &p->counters->streams[i];
}

static void count_delays(struct gc_pipeline *p, int64_t now)
{
	struct gc_source *s = p->source;

	for (size_t i = p->from; i < p->to; i++) {
		const struct gc_message *message = &s->records[i].message;
		struct gc_assignment *assignment = &s->assignments[s->records[i].assignment];

		if (message->offset < assignment->next_offset || message->timestamp_us < 0 || message->instead_us)
			continue;
		if (!assignment->counters)
			assignment->counters = counters_of(p, assignment->stream);
		gc_histogram_add(&assignment->counters->delay, &gc_delay_buckets,
				 now > message->timestamp_us ? now - message->timestamp_us : 0);
	}
}

static void count_ledger(struct gc_pipeline *p)
{
	struct gc_partition_batch *moved;
	size_t count = gc_batch_partitions(p->batch, &moved);

	for (size_t i = 0; i < p->source->assignment_count; i++) {
		struct gc_assignment *assignment = &p->source->assignments[i];
		const struct gc_partition_batch *ledger = assignment->in_batch > 0 && assignment->in_batch <= count
								  ? &moved[assignment->in_batch - 1]
								  : NULL;
		struct gc_stream_counters *counters = ledger ? counters_of(p, assignment->stream) : NULL;

		if (!ledger)
			continue;
		gc_counter_add(&counters->applied, ledger->applied);
		gc_counter_add(&counters->superseded, ledger->superseded);
		gc_counter_add(&counters->dead, ledger->dead);
		gc_counter_add(&counters->ignored, ledger->ignored);
		if (ledger->last_kafka_us > gc_counter_get(&assignment->position->data_us))
			gc_counter_set(&assignment->position->data_us, ledger->last_kafka_us);
	}
}

void gc_count_committed(struct gc_pipeline *p)
{
	const struct gc_dead_letter *letters;
	size_t count = gc_batch_dead_letters(p->batch, &letters);
	int64_t now = gc_now_us();

	if (gc_batch_message_count(p->batch) == 0)
		return;
	count_delays(p, now);
	count_ledger(p);
	for (size_t i = 0; i < count; i++)
		gc_counter_add(&p->counters->dead_of[reason_of(letters[i].code)], 1);
	gc_histogram_add(&p->counters->batch_records, &gc_record_buckets, (int64_t)gc_batch_message_count(p->batch));
	gc_counter_set(&p->counters->committed_us, now);
	gc_counter_set(&p->counters->moved_us, gc_monotonic_us());
}
