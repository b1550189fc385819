/* Health: see health.h. An answer is made from memory alone: the workers' counters, and what the monitor has last seen.
 *
 * Threads: `run` is behind the lock, so that it does not end while an answer is made of it; the server has one thread.
 */
#include "service/health.h"
#include "service/listen.h"
#include "service/metrics.h"
#include "service/monitor.h"

#include <gracecube/arena.h>
#include <gracecube/probes.h>
#include <pthread.h>
#include <stdlib.h>

/* A worker's loop turns ten times a second; one that takes longer than this hangs: one statement may take postgres.statement_timeout, and a
 * batch has several. */
#define LIVE_LIMIT_US GC_MINUTE_US
/* Records that wait longer than this for a commit: not ready, though nothing is given up before run.stall_timeout. */
#define PROGRESS_LIMIT_US (30 * GC_SECOND_US)

struct gc_health {
	const struct gc_config *config;
	struct gc_monitor *monitor;
	struct gc_probes *probes; /* NULL when http.listen is empty */
	pthread_mutex_t lock;
	struct gc_run *run;
};

/* ---- the checks ---- */

struct check {
	const struct gc_health *health;
	const struct gc_database_facts *database;
	char text[320];
};

static bool is_schema_right(struct check *j)
{
	const struct gc_database_facts *d = j->database;

	snprintf(j->text, sizeof(j->text), "%s", d->schema_is_right ? "version fits" : d->reachable ? d->why : "not known");
	return d->schema_is_right;
}

static bool is_database_reachable(struct check *j)
{
	snprintf(j->text, sizeof(j->text), "%s", j->database->reachable ? "answers" : j->database->why);
	return j->database->reachable;
}

static bool is_assignment_held(struct check *j)
{
	const struct gc_run *run = j->health->run;
	bool held = run && gc_run_is_joined(run);

	snprintf(j->text, sizeof(j->text), "%s", held ? "held by every worker" : run ? "not every worker has one" : "not running");
	return held;
}

static bool is_progressing(struct check *j)
{
	int64_t stalled_us = j->health->run ? gc_run_stalled_us(j->health->run) : 0;

	if (stalled_us <= PROGRESS_LIMIT_US)
		snprintf(j->text, sizeof(j->text), "nothing waits for long");
	else
		snprintf(j->text, sizeof(j->text), "records have waited for %lld s, and nothing is committed",
			 (long long)(stalled_us / GC_SECOND_US));
	return stalled_us <= PROGRESS_LIMIT_US;
}

static const struct {
	const char *name;
	bool (*is_good)(struct check *check);
} checks[] = {
	{ "database", is_database_reachable },
	{ "schema", is_schema_right },
	{ "assignment", is_assignment_held },
	{ "progress", is_progressing },
};

/* Halted partitions are shown, but do not make the process unready: another process would do no better. */
static void tell_halted(void *arg, const struct gc_position *position)
{
	if (position->halted_us != 0)
		fprintf(arg, "[!] halted: %s\n", position->halt.text);
}

struct readiness {
	const struct gc_health *health;
	FILE *out; /* a line a check, may be NULL */
	bool ready;
};

static void evaluate(void *arg, const struct gc_database_facts *database)
{
	struct readiness *r = arg;
	struct check check = { .health = r->health, .database = database };

	r->ready = true;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		bool good = checks[i].is_good(&check);

		r->ready = r->ready && good;
		if (r->out)
			fprintf(r->out, "[%c] %s: %s\n", good ? '+' : '-', checks[i].name, check.text);
	}
	if (r->out && r->health->run)
		gc_positions_each(gc_run_positions(r->health->run), tell_halted, r->out);
}

static bool evaluate_all(struct gc_health *health, FILE *out)
{
	struct readiness readiness = { .health = health, .out = out };

	pthread_mutex_lock(&health->lock);
	gc_monitor_read(health->monitor, evaluate, &readiness);
	pthread_mutex_unlock(&health->lock);
	return readiness.ready;
}

bool gc_health_is_ready(struct gc_health *health)
{
	return evaluate_all(health, NULL);
}

/* ---- the answers: each writes a body and says whether it is good ---- */

static bool answer_live(void *arg, bool verbose, FILE *out)
{
	struct gc_health *health = arg;
	int64_t limit_us = LIVE_LIMIT_US + health->config->postgres_statement_timeout_us, silent_us;

	(void)verbose;
	pthread_mutex_lock(&health->lock);
	silent_us = health->run ? gc_run_silent_us(health->run) : 0;
	pthread_mutex_unlock(&health->lock);
	if (silent_us <= limit_us)
		fputs("ok\n", out);
	else
		fprintf(out, "a worker's loop has not turned for %lld s\n", (long long)(silent_us / GC_SECOND_US));
	return silent_us <= limit_us;
}

/* What is wrong is always told. */
static bool answer_ready(void *arg, bool verbose, FILE *out)
{
	struct gc_health *health = arg;
	bool ready = gc_health_is_ready(health);

	if (verbose || !ready)
		ready = evaluate_all(health, out);
	fputs(ready ? "ok\n" : "not ready\n", out);
	return ready;
}

struct scrape {
	struct gc_run *run;
	FILE *out;
};

static void print_metrics(void *arg, const struct gc_database_facts *database)
{
	const struct scrape *scrape = arg;
	const struct gc_metrics_source source = { scrape->run, database };

	gc_run_metrics_print(&source, scrape->out);
}

static bool answer_metrics(void *arg, bool verbose, FILE *out)
{
	struct gc_health *health = arg;
	struct scrape scrape = { .out = out };

	(void)verbose;
	pthread_mutex_lock(&health->lock);
	scrape.run = health->run;
	gc_monitor_read(health->monitor, print_metrics, &scrape);
	pthread_mutex_unlock(&health->lock);
	return true;
}

static const struct gc_probe probes[] = {
	{ "/livez", GC_PROBE_TEXT, answer_live },
	{ "/metrics", GC_PROBE_METRICS, answer_metrics },
	{ "/readyz", GC_PROBE_TEXT, answer_ready },
	{ .path = NULL },
};

/* ---- life ---- */

static enum gc_verdict start_server(struct gc_health *health, struct gc_err *err)
{
	const char *address = health->config->http_listen;
	int fd = -1;
	enum gc_verdict verdict;

	if (*address == '\0')
		return GC_OK;
	verdict = gc_listen(address, "http.listen", &fd, err);
	return verdict == GC_OK ? gc_probes_start(fd, "http.listen", address, probes, health, &health->probes, err) : verdict;
}

enum gc_verdict gc_health_start(const struct gc_config *config, struct gc_health **ret_health, struct gc_err *err)
{
	struct gc_health *health = gc_calloc(1, sizeof(*health));
	enum gc_verdict verdict;

	health->config = config;
	pthread_mutex_init(&health->lock, NULL);
	health->monitor = gc_monitor_start(config);
	verdict = start_server(health, err);
	if (verdict != GC_OK) {
		gc_health_stop(health);
		return verdict;
	}
	*ret_health = health;
	return GC_OK;
}

void gc_health_watch(struct gc_health *health, struct gc_run *run)
{
	pthread_mutex_lock(&health->lock);
	health->run = run;
	pthread_mutex_unlock(&health->lock);
}

void gc_health_stop(struct gc_health *health)
{
	if (!health)
		return;
	gc_probes_stop(health->probes);
	gc_monitor_stop(health->monitor);
	pthread_mutex_destroy(&health->lock);
	free(health);
}
