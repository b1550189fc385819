/* Health: see health.h. An answer is made from memory alone: the workers' counters, and what the monitor has last seen.
 *
 * Threads: `run` is behind the lock, so that it does not end while an answer is made of it; the server has one thread.
 */
#include "health.h"
#include "listen.h"
#include "metrics.h"
#include "monitor.h"

#include <gracecube/arena.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* A loop comes by ten times a second; longer than this it hangs: one statement may take postgres.statement_timeout, and a batch has
 * several. */
#define LIVE_LIMIT_US GC_MINUTE_US
/* Records that wait longer than this for a commit: not ready, though nothing is given up before run.stall_timeout. */
#define PROGRESS_LIMIT_US (30 * GC_SECOND_US)
#define CONNECTIONS_MAX 32
#define CONNECTION_TIMEOUT_S 10

struct gc_health {
	const struct gc_config *config;
	struct gc_monitor *monitor;
	struct MHD_Daemon *server; /* NULL when http.listen is empty */
	pthread_mutex_t lock;
	struct gc_run *run;
};

/* ---- the checks ---- */

struct judged {
	const struct gc_health *health;
	const struct gc_database_facts *database;
	char text[320];
};

static bool is_schema_right(struct judged *j)
{
	const struct gc_database_facts *d = j->database;

	snprintf(j->text, sizeof(j->text), "%s", d->schema_is_right ? "version fits" : d->reachable ? d->why : "not known");
	return d->schema_is_right;
}

static bool is_database_reachable(struct judged *j)
{
	snprintf(j->text, sizeof(j->text), "%s", j->database->reachable ? "answers" : j->database->why);
	return j->database->reachable;
}

static bool is_assignment_held(struct judged *j)
{
	const struct gc_run *run = j->health->run;
	bool held = run && gc_run_is_joined(run);

	snprintf(j->text, sizeof(j->text), "%s", held ? "held by every worker" : run ? "not every worker has one" : "not running");
	return held;
}

static bool is_progressing(struct judged *j)
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
	bool (*is_good)(struct judged *judged);
} checks[] = {
	{ "database", is_database_reachable },
	{ "schema", is_schema_right },
	{ "assignment", is_assignment_held },
	{ "progress", is_progressing },
};

struct readiness {
	const struct gc_health *health;
	FILE *out; /* a line a check, may be NULL */
	bool ready;
};

static void judge(void *arg, const struct gc_database_facts *database)
{
	struct readiness *r = arg;
	struct judged judged = { .health = r->health, .database = database };

	r->ready = true;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		bool good = checks[i].is_good(&judged);

		r->ready = r->ready && good;
		if (r->out)
			fprintf(r->out, "[%c] %s: %s\n", good ? '+' : '-', checks[i].name, judged.text);
	}
}

static bool judge_all(struct gc_health *health, FILE *out)
{
	struct readiness readiness = { .health = health, .out = out };

	pthread_mutex_lock(&health->lock);
	gc_monitor_look(health->monitor, judge, &readiness);
	pthread_mutex_unlock(&health->lock);
	return readiness.ready;
}

bool gc_health_is_ready(struct gc_health *health)
{
	return judge_all(health, NULL);
}

/* ---- the answers: each writes a body and returns the status ---- */

static unsigned answer_live(struct gc_health *health, bool verbose, FILE *out)
{
	int64_t limit_us = LIVE_LIMIT_US + health->config->postgres_statement_timeout_us, silent_us;

	(void)verbose;
	pthread_mutex_lock(&health->lock);
	silent_us = health->run ? gc_run_silent_us(health->run) : 0;
	pthread_mutex_unlock(&health->lock);
	if (silent_us <= limit_us)
		fputs("ok\n", out);
	else
		fprintf(out, "a worker has not come by for %lld s\n", (long long)(silent_us / GC_SECOND_US));
	return silent_us <= limit_us ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

/* What is wrong is always told. */
static unsigned answer_ready(struct gc_health *health, bool verbose, FILE *out)
{
	bool ready = gc_health_is_ready(health);

	if (verbose || !ready)
		ready = judge_all(health, out);
	fputs(ready ? "ok\n" : "not ready\n", out);
	return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

struct scrape {
	struct gc_run *run;
	FILE *out;
};

static void print_metrics(void *arg, const struct gc_database_facts *database)
{
	const struct scrape *scrape = arg;
	const struct gc_metrics_source source = { scrape->run, database };

	gc_metrics_print(&source, scrape->out);
}

static unsigned answer_metrics(struct gc_health *health, bool verbose, FILE *out)
{
	struct scrape scrape = { .out = out };

	(void)verbose;
	pthread_mutex_lock(&health->lock);
	scrape.run = health->run;
	gc_monitor_look(health->monitor, print_metrics, &scrape);
	pthread_mutex_unlock(&health->lock);
	return MHD_HTTP_OK;
}

static const struct route {
	const char *path, *type;
	unsigned (*answer)(struct gc_health *health, bool verbose, FILE *out);
} routes[] = {
	{ "/livez", "text/plain; charset=utf-8", answer_live },
	{ "/metrics", "text/plain; version=0.0.4; charset=utf-8", answer_metrics },
	{ "/readyz", "text/plain; charset=utf-8", answer_ready },
};

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(routes[i].path, path) == 0)
			return &routes[i];
	}
	return NULL;
}

/* ---- the server ---- */

/* Takes the body. */
static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status, const char *type, char *body, size_t length)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return send_text(connection, status, "text/plain; charset=utf-8", gc_strdup(text), strlen(text));
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *upload, size_t *upload_bytes, void **state)
{
	const struct route *route = find_route(path);
	/* "?verbose" has no value, so it is looked for among the names */
	bool verbose = MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, NULL, NULL) > 0;
	char *body = NULL;
	size_t length = 0;
	unsigned status;
	FILE *out;

	(void)version;
	(void)upload;
	(void)state;
	if (!route)
		return refuse(connection, MHD_HTTP_NOT_FOUND, "there is /livez, /readyz and /metrics\n");
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		*upload_bytes = 0;
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	}
	out = open_memstream(&body, &length);
	if (!out)
		return MHD_NO;
	status = route->answer(arg, verbose, out);
	fclose(out);
	return send_text(connection, status, route->type, body, length);
}

static enum gc_verdict start_server(struct gc_health *health, struct gc_err *err)
{
	int fd = -1;
	enum gc_verdict verdict;

	if (*health->config->http_listen == '\0')
		return GC_OK;
	verdict = gc_listen(health->config->http_listen, "http.listen", &fd, err);
	if (verdict != GC_OK)
		return verdict;
	health->server = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, answer, health, MHD_OPTION_LISTEN_SOCKET, fd,
					  MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
					  (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_END);
	if (!health->server) {
		close(fd);
		return gc_fail(err, GC_FATAL, "http.listen", health->config->http_listen, "the HTTP server does not start");
	}
	gc_info("probes and metrics are served", GC_S("address", health->config->http_listen));
	return GC_OK;
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
	if (health->server)
		MHD_stop_daemon(health->server);
	gc_monitor_stop(health->monitor);
	pthread_mutex_destroy(&health->lock);
	free(health);
}
