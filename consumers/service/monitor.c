/* Monitor: see monitor.h. Threads: the facts are behind the lock; the connection is the thread's. */
#include "service/monitor.h"

#include <gracecube/arena.h>
#include <gracecube/sink.h>
#include <gracecube/stream.h>
#include <gracecube/thread.h>
#include <stdio.h>
#include <stdlib.h>

#define PROBE_INTERVAL_US GC_SECOND_US
#define FACTS_INTERVAL_US (15 * GC_SECOND_US)
/* A probe that hangs counts as no answer. */
#define REACHABLE_FOR_US (5 * GC_SECOND_US)

struct gc_monitor {
	const struct gc_config *config;
	struct gc_thread thread;
	pthread_mutex_t lock; /* of the facts */
	struct gc_database_facts facts;
	int64_t answered_us, asked_facts_us;
	struct gc_pg *pg;
};

static size_t stream_index(const char *name)
{
	size_t i = 0;

	while (gc_streams[i] && strcmp(gc_streams[i]->name, name) != 0)
		i++;
	return i;
}

static double number_of(const char *text)
{
	double value;

	return text && gc_span_double(gc_span_of(text), &value) ? value : -1;
}

static void take_stream(void *arg, const char *const *values, int columns)
{
	struct gc_monitor *m = arg;
	size_t i = stream_index(values[0]);

	(void)columns;
	if (!gc_streams[i])
		return;
	pthread_mutex_lock(&m->lock);
	m->facts.streams[i].last_record_s = number_of(values[1]);
	m->facts.streams[i].dead_letters = (int64_t)number_of(values[2]);
	m->facts.streams[i].expired = (int64_t)number_of(values[3]);
	m->facts.streams[i].contradicting = (int64_t)number_of(values[4]);
	pthread_mutex_unlock(&m->lock);
}

static void take_verification(void *arg, const char *const *values, int columns)
{
	struct gc_monitor *m = arg;

	(void)columns;
	pthread_mutex_lock(&m->lock);
	m->facts.verified_s = number_of(values[0]);
	m->facts.verified_equal_s = number_of(values[1]);
	m->facts.verify_differing = (int64_t)number_of(values[2]);
	pthread_mutex_unlock(&m->lock);
}

static void take_limits(void *arg, const char *const *values, int columns)
{
	struct gc_monitor *m = arg;

	(void)columns;
	pthread_mutex_lock(&m->lock);
	m->facts.closing_s = number_of(values[0]);
	m->facts.keys_used_ratio = number_of(values[1]);
	m->facts.links_waiting = number_of(values[2]);
	m->facts.linking_s = number_of(values[3]);
	m->facts.snapshot_age = number_of(values[4]);
	pthread_mutex_unlock(&m->lock);
}

/* 0 where there is no limit. */
static double share_of(double part, int64_t limit)
{
	return limit > 0 ? part / (double)limit : 0;
}

static void take_letters(void *arg, const char *const *values, int columns)
{
	struct gc_monitor *m = arg;
	double letters = number_of(values[0]), bytes = number_of(values[1]);
	double by_count = share_of(letters, m->config->dead_max_count), by_bytes = share_of(bytes, m->config->dead_max_bytes);

	(void)columns;
	pthread_mutex_lock(&m->lock);
	m->facts.letters_kept = letters;
	m->facts.letters_bytes = bytes;
	m->facts.letters_dropped = number_of(values[2]);
	m->facts.letters_full = by_count > by_bytes ? by_count : by_bytes;
	pthread_mutex_unlock(&m->lock);
}

static const char streams_sql[] =
	"SELECT o.stream, extract(epoch FROM max(o.last_record_at)), (SELECT coalesce(sum(d.letters - d.worked), 0)"
	" FROM cube.etl_dead_letter_ledger d WHERE d.group_id = $1 AND d.stream = o.stream), sum(o.expired), sum(o.contradicting) FROM cube.etl_offset o"
	" WHERE o.group_id = $1 GROUP BY o.stream";
static const char letters_sql[] =
	"SELECT coalesce(sum(letters), 0), coalesce(sum(bytes), 0), coalesce(sum(dropped), 0) FROM cube.etl_dead_letter_ledger";
static const char verification_sql[] =
	"SELECT extract(epoch FROM max(verified_at)), extract(epoch FROM max(verified_at) FILTER (WHERE differing = 0)),"
	" (array_agg(differing ORDER BY verified_at DESC))[1] FROM cube.etl_verification";

static const char limits_sql[] =
	"SELECT coalesce((SELECT extract(epoch FROM min(links_kept_at)) FROM cube.closed_month WHERE dropped_at IS NULL), 0),"
	" greatest((SELECT max(mission_key) FROM cube.dim_mission), (SELECT max(actor_key) FROM cube.dim_actor),"
	" (SELECT max(component_key) FROM cube.dim_component), (SELECT max(tier_key) FROM cube.dim_tier)) / 2147483647.0,"
	" q.waiting, coalesce(q.since, 0), (SELECT coalesce(max(age(h.xmin)), 0) FROM (SELECT a.backend_xmin FROM pg_stat_activity a"
	" WHERE a.pid <> pg_backend_pid() AND a.backend_type = 'client backend' AND a.datname = current_database()"
	" UNION ALL SELECT p.transaction FROM pg_prepared_xacts p WHERE p.database = current_database()"
	" UNION ALL SELECT s.xmin FROM pg_replication_slots s) h (xmin)) FROM (SELECT count(*) AS waiting, extract(epoch FROM min(queued_at)) AS since FROM cube.relink_queue) q";

static enum gc_verdict ask_facts(struct gc_monitor *m, struct gc_err *err)
{
	const char *group[] = { m->config->kafka_group_id };
	enum gc_verdict verdict = gc_pg_query(m->pg, streams_sql, group, 1, take_stream, m, err);

	if (verdict == GC_OK)
		verdict = gc_pg_query(m->pg, letters_sql, NULL, 0, take_letters, m, err);
	if (verdict == GC_OK)
		verdict = gc_pg_query(m->pg, verification_sql, NULL, 0, take_verification, m, err);
	return verdict == GC_OK ? gc_pg_query(m->pg, limits_sql, NULL, 0, take_limits, m, err) : verdict;
}

static enum gc_verdict probe(struct gc_monitor *m, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	if (!m->pg)
		verdict = gc_pg_open(m->config, "gracecube monitor", &m->pg, err); /* which looks at the schema */
	else
		verdict = gc_pg_check_schema(m->pg, err); /* a newer gracecube may migrate the cube while we run */
	if (verdict == GC_OK && gc_monotonic_us() - m->asked_facts_us > FACTS_INTERVAL_US) {
		verdict = ask_facts(m, err);
		m->asked_facts_us = gc_monotonic_us();
	}
	if (verdict != GC_OK) {
		gc_pg_close(m->pg);
		m->pg = NULL;
		m->asked_facts_us = -FACTS_INTERVAL_US;
	}
	return verdict;
}

static bool is_about_schema(const struct gc_err *err)
{
	return strcmp(err->code, "no_schema") == 0 || strcmp(err->code, "schema_version") == 0;
}

static void note_answer(struct gc_monitor *m, enum gc_verdict verdict, const struct gc_err *err)
{
	bool answered = verdict == GC_OK || is_about_schema(err);

	pthread_mutex_lock(&m->lock);
	if (answered)
		m->answered_us = gc_monotonic_us();
	m->facts.reachable = answered;
	m->facts.schema_is_right = verdict == GC_OK;
	snprintf(m->facts.why, sizeof(m->facts.why), "%.250s", verdict == GC_OK ? "" : err->text);
	pthread_mutex_unlock(&m->lock);
}

static void *watch_database(void *argument)
{
	struct gc_monitor *m = argument;
	struct gc_err err = { .verdict = GC_OK };

	do
		note_answer(m, probe(m, &err), &err);
	while (gc_thread_wait(&m->thread, PROBE_INTERVAL_US));
	gc_pg_close(m->pg);
	return NULL;
}

struct gc_monitor *gc_monitor_start(const struct gc_config *config)
{
	struct gc_monitor *m = gc_calloc(1, sizeof(*m));
	size_t count = gc_stream_count();

	m->config = config;
	m->asked_facts_us = -FACTS_INTERVAL_US;
	m->facts = (struct gc_database_facts){ .verified_s = -1,
					       .verified_equal_s = -1,
					       .verify_differing = -1,
					       .closing_s = -1,
					       .links_waiting = -1,
					       .linking_s = -1,
					       .snapshot_age = -1,
					       .keys_used_ratio = -1,
					       .letters_kept = -1,
					       .letters_bytes = -1,
					       .letters_dropped = -1,
					       .letters_full = -1,
					       .why = "not asked yet",
					       .streams = gc_calloc(count, sizeof(*m->facts.streams)) };
	for (size_t i = 0; i < count; i++)
		m->facts.streams[i] = (struct gc_stream_facts){ -1, -1, -1, -1 };
	pthread_mutex_init(&m->lock, NULL);
	gc_thread_start(&m->thread, watch_database, m);
	return m;
}

void gc_monitor_stop(struct gc_monitor *m)
{
	if (!m)
		return;
	gc_thread_stop(&m->thread);
	pthread_mutex_destroy(&m->lock);
	free(m->facts.streams);
	free(m);
}

void gc_monitor_read(struct gc_monitor *m, void (*use)(void *arg, const struct gc_database_facts *facts), void *arg)
{
	struct gc_database_facts facts;

	pthread_mutex_lock(&m->lock);
	facts = m->facts;
	if (facts.reachable && gc_monotonic_us() - m->answered_us > REACHABLE_FOR_US) {
		facts.reachable = facts.schema_is_right = false;
		snprintf(facts.why, sizeof(facts.why), "it has not answered for %lld s",
			 (long long)((gc_monotonic_us() - m->answered_us) / GC_SECOND_US));
	}
	use(arg, &facts);
	pthread_mutex_unlock(&m->lock);
}
