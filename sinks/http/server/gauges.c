/* Metrics of the cube that have thresholds, as gauges: what cube.metric() answers, asked one after the other once in serve.metrics_interval.
 *
 * Guarantee: there is never more than one question of this kind at a time, and a scrape reads what was answered last: it never waits for the
 * database. What could not be asked again for some intervals is left out, and when it was answered last still says so.
 * Threads: one thread asks; scrapes read under the lock, which is never held while a question is under way.
 */
#include "http/server/server.h"

#include <gracecube/arena.h>
#include <stdio.h>

#define RETRY_US (5 * GC_SECOND_US) /* while the database is away */
#define KEPT_INTERVALS 3

enum column { COLUMN_NAME, COLUMN_BETTER, COLUMN_GOOD, COLUMN_WARNING, COLUMN_CRITICAL, COLUMN_OVER, COLUMN_FROM };
static const char catalog_sql[] =
	"SELECT name, better, good, warning, critical, over_seconds, thresholds_from FROM cube.metric_catalog WHERE thresholds_from IS NOT NULL";
static const char answer_sql[] = "SELECT m.value, m.n FROM cube.metric($1, now() - make_interval(secs => $2::double precision)) m";

struct answer {
	int64_t answered_us;      /* wall clock; 0: never */
	int64_t answered_mono_us; /* for its age */
	double value, rows;
	bool has_value; /* a ratio of nothing has none */
};

struct gc_gauges {
	struct gc_serve *serve;
	struct gc_thread thread;
	struct gc_database db;
	struct gc_complaint complaint;
	pthread_mutex_t lock;   /* of what follows */
	PGresult *catalog;      /* NULL: not known yet */
	struct answer *answers; /* by its row */
};

/* ---- asking ---- */

static int count_metrics(const struct gc_gauges *gauges)
{
	return gauges->catalog ? PQntuples(gauges->catalog) : 0;
}

static int find_metric(const struct gc_gauges *gauges, const char *name)
{
	for (int i = 0; i < count_metrics(gauges); i++) {
		if (strcmp(PQgetvalue(gauges->catalog, i, COLUMN_NAME), name) == 0)
			return i;
	}
	return -1;
}

/* Takes the result. Metrics that were there keep their answers. */
static void take_catalog(struct gc_gauges *gauges, PGresult *catalog)
{
	struct answer *answers = gc_calloc((size_t)PQntuples(catalog) + 1, sizeof(*answers));

	pthread_mutex_lock(&gauges->lock);
	for (int i = 0; i < PQntuples(catalog); i++) {
		int known = find_metric(gauges, PQgetvalue(catalog, i, COLUMN_NAME));

		if (known >= 0)
			answers[i] = gauges->answers[known];
	}
	PQclear(gauges->catalog);
	free(gauges->answers);
	gauges->catalog = catalog;
	gauges->answers = answers;
	pthread_mutex_unlock(&gauges->lock);
}

/* The result is the caller's. Without a limit of tiers, as the rules are about the cube as a whole. */
static enum gc_verdict ask(struct gc_gauges *gauges, const char *sql, const char *const *values, int count, PGresult **ret_result,
			   struct gc_err *err)
{
	struct gc_query query = { .sql = (char *)(uintptr_t)sql, .count = count };
	struct gc_rows rows = { .result = NULL };
	enum gc_verdict verdict;

	for (int i = 0; i < count; i++)
		query.values[i] = values[i];
	verdict = gc_database_read(&gauges->db, NULL, false, &query, &rows, err);
	if (verdict == GC_OK)
		*ret_result = rows.result;
	return verdict;
}

static void note_answer(struct gc_gauges *gauges, int metric, const PGresult *result)
{
	struct answer *answer = &gauges->answers[metric];

	pthread_mutex_lock(&gauges->lock);
	*answer = (struct answer){ .answered_us = gc_now_us(), .answered_mono_us = gc_monotonic_us() };
	if (PQntuples(result) == 1) {
		answer->has_value = !PQgetisnull(result, 0, 0);
		answer->value = strtod(PQgetvalue(result, 0, 0), NULL);
		answer->rows = strtod(PQgetvalue(result, 0, 1), NULL);
	}
	pthread_mutex_unlock(&gauges->lock);
}

/* The catalog is changed by this thread alone, so it is read without the lock. */
static enum gc_verdict ask_metric(struct gc_gauges *gauges, int metric, struct gc_err *err)
{
	const PGresult *catalog = gauges->catalog;
	const char *values[] = { PQgetvalue(catalog, metric, COLUMN_NAME),
				 PQgetisnull(catalog, metric, COLUMN_OVER) ? NULL : PQgetvalue(catalog, metric, COLUMN_OVER) };
	PGresult *result = NULL;
	enum gc_verdict verdict = ask(gauges, answer_sql, values, 2, &result, err);

	if (verdict == GC_OK)
		note_answer(gauges, metric, result);
	PQclear(result);
	return verdict;
}

static void complain(struct gc_gauges *gauges, const char *metric, const struct gc_err *err)
{
	int64_t repeated;

	if (!gc_database_is_lost(&gauges->db) && gc_complain(&gauges->complaint, gc_monotonic_us(), &repeated))
		gc_warn("a metric with thresholds can not be asked for; /metrics leaves it out", GC_S("metric", metric),
			GC_ERR_FIELDS(err), GC_I("repeated", repeated));
}

/* False when the database is away. One metric that fails, because it is slow or wrong, does not keep the others from being asked. */
static bool ask_all(struct gc_gauges *gauges)
{
	struct gc_err err;
	PGresult *catalog = NULL;
	bool all = true;

	if (gc_database_ensure(&gauges->db, &err))
		return false;
	if (ask(gauges, catalog_sql, NULL, 0, &catalog, &err)) {
		complain(gauges, "all", &err);
		return !gc_database_is_lost(&gauges->db);
	}
	take_catalog(gauges, catalog);
	for (int i = 0; i < PQntuples(catalog) && !gc_thread_is_stopping(&gauges->thread); i++) {
		if (ask_metric(gauges, i, &err) == GC_OK)
			continue;
		all = false;
		complain(gauges, PQgetvalue(catalog, i, COLUMN_NAME), &err);
		if (gc_database_is_lost(&gauges->db))
			return false;
	}
	if (all && gc_complaint_over(&gauges->complaint))
		gc_info("all metrics with thresholds are answered again");
	return true;
}

static void *run_gauges(void *argument)
{
	struct gc_gauges *gauges = argument;
	int64_t interval_us = gauges->serve->config.serve_metrics_interval_us;
	int64_t retry_us = interval_us < RETRY_US ? interval_us : RETRY_US;

	while (gc_thread_wait(&gauges->thread, ask_all(gauges) ? interval_us : retry_us))
		;
	gc_database_close(&gauges->db);
	return NULL;
}

/* ---- telling ---- */

static bool is_recent(const struct gc_gauges *gauges, const struct answer *answer)
{
	int64_t kept_us = KEPT_INTERVALS * gauges->serve->config.serve_metrics_interval_us;

	return answer->answered_us && gc_monotonic_us() - answer->answered_mono_us <= kept_us;
}

static void print_value(const struct gc_gauges *gauges, int metric, struct gc_metric_printer *p)
{
	const struct answer *answer = &gauges->answers[metric];

	if (is_recent(gauges, answer) && answer->has_value)
		gc_metric_labelled(p, "name", PQgetvalue(gauges->catalog, metric, COLUMN_NAME), answer->value);
}

static void print_rows(const struct gc_gauges *gauges, int metric, struct gc_metric_printer *p)
{
	const struct answer *answer = &gauges->answers[metric];

	if (is_recent(gauges, answer))
		gc_metric_labelled(p, "name", PQgetvalue(gauges->catalog, metric, COLUMN_NAME), answer->rows);
}

static void print_time(const struct gc_gauges *gauges, int metric, struct gc_metric_printer *p)
{
	const struct answer *answer = &gauges->answers[metric];

	if (answer->answered_us)
		gc_metric_labelled(p, "name", PQgetvalue(gauges->catalog, metric, COLUMN_NAME),
				   (double)answer->answered_us / GC_SECOND_US);
}

/* A path may hold anything; so Prometheus wants it. */
static void put_escaped(struct gc_text *label, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			gc_text_puts(label, "\\n");
		else
			gc_text_printf(label, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	}
}

static void print_threshold(const PGresult *catalog, int metric, int column, struct gc_metric_printer *p)
{
	struct gc_text label = { .ptr = NULL };

	gc_text_printf(&label, "name=\"%s\",level=\"%s\",better=\"%s\",file=\"", PQgetvalue(catalog, metric, COLUMN_NAME),
		       PQfname(catalog, column), PQgetvalue(catalog, metric, COLUMN_BETTER));
	put_escaped(&label, PQgetvalue(catalog, metric, COLUMN_FROM));
	gc_text_puts(&label, "\"");
	gc_metric_line(p, "", label.ptr, strtod(PQgetvalue(catalog, metric, column), NULL));
	gc_text_done(&label);
}

static void print_thresholds(const struct gc_gauges *gauges, int metric, struct gc_metric_printer *p)
{
	for (int column = COLUMN_GOOD; column <= COLUMN_CRITICAL; column++) {
		if (!PQgetisnull(gauges->catalog, metric, column))
			print_threshold(gauges->catalog, metric, column, p);
	}
}

void gc_gauges_print(struct gc_gauges *gauges, enum gc_gauge what, struct gc_metric_printer *p)
{
	static void (*const prints[GC_GAUGES])(const struct gc_gauges *gauges, int metric, struct gc_metric_printer *p) = {
		[GC_GAUGE_VALUE] = print_value,
		[GC_GAUGE_ROWS] = print_rows,
		[GC_GAUGE_THRESHOLD] = print_thresholds,
		[GC_GAUGE_TIME] = print_time,
	};

	pthread_mutex_lock(&gauges->lock);
	for (int i = 0; i < count_metrics(gauges); i++)
		prints[what](gauges, i, p);
	pthread_mutex_unlock(&gauges->lock);
}

/* ---- life ---- */

struct gc_gauges *gc_gauges_start(struct gc_serve *serve)
{
	struct gc_gauges *gauges = gc_calloc(1, sizeof(*gauges));

	gauges->serve = serve;
	gc_database_init(&gauges->db, serve, "gracecube serve metrics", gc_reading_session);
	pthread_mutex_init(&gauges->lock, NULL);
	gc_thread_start(&gauges->thread, run_gauges, gauges);
	return gauges;
}

void gc_gauges_stop(struct gc_gauges *gauges)
{
	if (!gauges)
		return;
	gc_thread_stop(&gauges->thread);
	PQclear(gauges->catalog);
	free(gauges->answers);
	pthread_mutex_destroy(&gauges->lock);
	free(gauges);
}
