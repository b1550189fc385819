/* The metrics of `serve`, as a table; see gracecube/metric.h. Labels are bounded: a route is a row of the table of routes, a status one of
 * those that are ever sent.
 *
 * Threads: counted by the HTTP thread, but for what says otherwise; printed by that of the probes.
 */
#include "http/server/server.h"

#include <gracecube/arena.h>
#include <stdio.h>

/* ---- counting ---- */

#define MS 1000
static const struct gc_buckets request_buckets = { 13,
						   { MS, 5 * MS / 2, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
						     500 * MS, 1000 * MS, 2500 * MS, 5000 * MS, 10000 * MS } };
static const struct gc_buckets wait_buckets = {
	10, { MS / 10, MS, 5 * MS, 10 * MS, 50 * MS, 100 * MS, 500 * MS, 1000 * MS, 2500 * MS, 5000 * MS }
};

static const int statuses[GC_STATUSES] = { 200, 202, 304, 400, 401, 403, 404, 405, 414, 422, 429, 431, 500, 503, 0 };
static const char *const limit_names[GC_LIMITS] = {
	[GC_LIMIT_ADDRESS] = "address", [GC_LIMIT_DEADLINE] = "deadline",       [GC_LIMIT_QUEUE] = "queue",
	[GC_LIMIT_STREAMS] = "streams", [GC_LIMIT_TOKEN_QUEUE] = "token_queue", [GC_LIMIT_TOKEN_STREAMS] = "token_streams",
};
static const char *const denied_names[GC_DENIALS] = { [GC_DENIED_NO_TOKEN] = "no_token", [GC_DENIED_BAD_TOKEN] = "bad_token" };

static size_t count_routes(void)
{
	size_t count = 0;

	while (gc_routes[count].path)
		count++;
	return count;
}

static struct gc_route_counters *counters_of(struct gc_serve *serve, const struct gc_route *route)
{
	return &serve->counters.routes[route ? (size_t)(route - gc_routes) : count_routes()];
}

/* The last place takes what is in no other. */
static int place_of(int status)
{
	int i = 0;

	while (i < GC_STATUSES - 1 && statuses[i] != status)
		i++;
	return i;
}

void gc_serve_counters_init(struct gc_serve_counters *counters)
{
	counters->routes = gc_calloc(count_routes() + 1, sizeof(*counters->routes));
}

void gc_serve_counters_done(struct gc_serve_counters *counters)
{
	free(counters->routes);
}

void gc_count_request(const struct gc_request *request)
{
	struct gc_serve *serve = request->serve;
	struct gc_route_counters *counters = counters_of(serve, request->route);

	gc_counter_add(&counters->by_status[place_of(request->status)], 1);
	gc_counter_add(&serve->counters.bytes, request->bytes);
	if (request->status == 401)
		gc_counter_add(&serve->counters.denied[request->has_token ? GC_DENIED_BAD_TOKEN : GC_DENIED_NO_TOKEN], 1);
	if (!request->is_stream) /* it takes as long as its page is open */
		gc_histogram_add(&counters->took, &request_buckets, gc_monotonic_us() - request->started_us);
}

void gc_count_wait(struct gc_serve *serve, int64_t waited_us)
{
	gc_histogram_add(&serve->counters.waited, &wait_buckets, waited_us);
}

/* ---- printing ---- */

struct scrape {
	struct gc_serve *serve;
	struct gc_pool_facts pool;
	struct gc_audit_facts audit;
};

static struct gc_serve *serve_of(const struct gc_metric_printer *p)
{
	return ((const struct scrape *)p->source)->serve;
}

static const _Atomic int64_t *counter_of(const struct gc_metric_printer *p)
{
	return (const void *)((const char *)&serve_of(p)->counters + p->metric->offset);
}

static const char *name_of(size_t route)
{
	return gc_routes[route].path ? gc_routes[route].path : "other";
}

static void print_counter(struct gc_metric_printer *p)
{
	gc_metric_line(p, "", NULL, (double)gc_counter_get(counter_of(p)));
}

static void print_names(struct gc_metric_printer *p, const char *label, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		gc_metric_labelled(p, label, names[i], (double)gc_counter_get(counter_of(p) + i));
}

static void print_limits(struct gc_metric_printer *p)
{
	print_names(p, "limit", limit_names, GC_LIMITS);
}

static void print_denied(struct gc_metric_printer *p)
{
	print_names(p, "reason", denied_names, GC_DENIALS);
}

/* What was never answered is left out: 50 routes with 15 statuses each would be 750 lines of zeros. */
static void print_requests(struct gc_metric_printer *p)
{
	char label[160];

	for (size_t route = 0; route <= count_routes(); route++) {
		for (int i = 0; i < GC_STATUSES; i++) {
			int64_t count = gc_counter_get(&serve_of(p)->counters.routes[route].by_status[i]);

			snprintf(label, sizeof(label), "route=\"%s\",status=\"%d\"", name_of(route), statuses[i]);
			if (count > 0)
				gc_metric_line(p, "", label, (double)count);
		}
	}
}

static void print_durations(struct gc_metric_printer *p)
{
	char label[160];

	for (size_t route = 0; route <= count_routes(); route++) {
		struct gc_tally tally = { .sum = 0 };

		gc_tally_add(&tally, &serve_of(p)->counters.routes[route].took);
		snprintf(label, sizeof(label), "route=\"%s\"", name_of(route));
		if (gc_tally_count(&tally) > 0)
			gc_metric_tally(p, &tally, label);
	}
}

static void print_waits(struct gc_metric_printer *p)
{
	struct gc_tally tally = { .sum = 0 };

	gc_tally_add(&tally, &serve_of(p)->counters.waited);
	gc_metric_tally(p, &tally, NULL);
}

/* A member of struct scrape. */
static void print_fact(struct gc_metric_printer *p)
{
	gc_metric_line(p, "", NULL, (double)*(const int64_t *)(const void *)((const char *)p->source + p->metric->offset));
}

static void print_connections(struct gc_metric_printer *p)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(serve_of(p)->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	if (info)
		gc_metric_line(p, "", NULL, info->num_connections);
}

static void print_streams(struct gc_metric_printer *p)
{
	gc_metric_line(p, "", NULL, gc_events_count(serve_of(p)->events));
}

static void print_pool_size(struct gc_metric_printer *p)
{
	gc_metric_line(p, "", NULL, (double)serve_of(p)->config.serve_connections);
}

static void print_reachable(struct gc_metric_printer *p)
{
	gc_metric_line(p, "", NULL, gc_events_is_ready(serve_of(p)->events));
}

static void print_values(struct gc_metric_printer *p)
{
	gc_gauges_print(serve_of(p)->gauges, GC_GAUGE_VALUE, p);
}

static void print_rows(struct gc_metric_printer *p)
{
	gc_gauges_print(serve_of(p)->gauges, GC_GAUGE_ROWS, p);
}

static void print_thresholds(struct gc_metric_printer *p)
{
	gc_gauges_print(serve_of(p)->gauges, GC_GAUGE_THRESHOLD, p);
}

static void print_times(struct gc_metric_printer *p)
{
	gc_gauges_print(serve_of(p)->gauges, GC_GAUGE_TIME, p);
}

static void print_build(struct gc_metric_printer *p)
{
	char label[200];
	int libpq = PQlibVersion();

	snprintf(label, sizeof(label), "version=\"%s\",libmicrohttpd=\"%s\",libpq=\"%d.%d\"", GRACECUBE_VERSION, MHD_get_version(),
		 libpq / 10000, libpq % 10000);
	gc_metric_line(p, "", label, 1);
}

/* ---- the table, in the order of the way of a request ---- */

#define OF_SERVE(member) .offset = offsetof(struct gc_serve_counters, member)
#define OF_SCRAPE(member) .offset = offsetof(struct scrape, member)

static const char audit_help[] =
	"Rows of cube.api_audit: written; lost, because the database was away for too long; left_out, because they "
	"were requests of nobody known, of which a sample is kept.";

/* clang-format off */
const struct gc_metric gc_serve_metrics[] = {
	{ "gracecube_http_connections", GC_METRIC_GAUGE, NULL, NULL, "Connections of clients, open pages included; serve.clients is the most.",
	  .print = print_connections },
	{ "gracecube_http_requests_total", GC_METRIC_COUNTER, "route, status", NULL,
	  "Requests by the status of the answer; 0: the client left before there was one. Absent where there were none.", .print = print_requests },
	{ "gracecube_http_request_seconds", GC_METRIC_HISTOGRAM, "route", NULL,
	  "From the last byte of the header to the last byte of the answer; without event streams, which stay open.", print_durations,
	  .buckets = &request_buckets },
	{ "gracecube_http_sent_bytes_total", GC_METRIC_COUNTER, NULL, NULL, "Bytes of the bodies of answers.", print_counter, OF_SERVE(bytes) },
	{ "gracecube_http_unauthorized_total", GC_METRIC_COUNTER, "reason", NULL,
	  "Requests answered with 401: without a token, or with one that is unknown, wrong, expired or revoked.", print_denied, OF_SERVE(denied) },
	{ "gracecube_http_limited_total", GC_METRIC_COUNTER, "limit", NULL,
	  "What was refused or cut off because of a limit: requests that wait (queue; token_queue: of one token), event streams (streams, "
	  "token_streams), connections of one address, the time to say what is wanted or to take the answer (deadline).", print_limits, OF_SERVE(limited) },
	{ "gracecube_http_streams", GC_METRIC_GAUGE, NULL, NULL, "Open event streams: pages that hear of commits.", .print = print_streams },

	{ "gracecube_http_queue_requests", GC_METRIC_GAUGE, NULL, NULL, "Requests that wait for a connection to the database.", print_fact,
	  OF_SCRAPE(pool.queued) },
	{ "gracecube_http_queue_seconds", GC_METRIC_HISTOGRAM, NULL, NULL, "How long requests waited for one.", print_waits, .buckets = &wait_buckets },
	{ "gracecube_http_questions_total", GC_METRIC_COUNTER, NULL, NULL, "Questions that were answered by asking.", print_counter,
	  OF_SERVE(questions) },
	{ "gracecube_http_shared_answers_total", GC_METRIC_COUNTER, NULL, NULL,
	  "Requests that had the answer of another one, which asked the same at the same time.", print_counter, OF_SERVE(shared) },

	{ "gracecube_pg_pool_connections", GC_METRIC_GAUGE, NULL, NULL, "Connections that may answer (serve.connections).", .print = print_pool_size },
	{ "gracecube_pg_pool_busy", GC_METRIC_GAUGE, NULL, NULL, "How many of them are answering.", print_fact, OF_SCRAPE(pool.busy) },
	{ "gracecube_pg_connections", GC_METRIC_GAUGE, NULL, NULL, "Connections to PostgreSQL, with those for commits, for the audit and for metrics with thresholds.", print_counter,
	  OF_SERVE(connected) },
	{ "gracecube_pg_connects_total", GC_METRIC_COUNTER, NULL, NULL, "Connections to PostgreSQL that were opened, first or anew.", print_counter,
	  OF_SERVE(connects) },
	{ "gracecube_pg_reachable", GC_METRIC_GAUGE, NULL, NULL, "1 when PostgreSQL answers, with the right schema.", .print = print_reachable },

	{ "gracecube_audit_rows_total", GC_METRIC_COUNTER, "outcome", "outcome=\"written\"", audit_help, print_fact, OF_SCRAPE(audit.written) },
	{ "gracecube_audit_rows_total", GC_METRIC_COUNTER, "outcome", "outcome=\"lost\"", audit_help, print_fact, OF_SCRAPE(audit.lost) },
	{ "gracecube_audit_rows_total", GC_METRIC_COUNTER, "outcome", "outcome=\"left_out\"", audit_help, print_fact, OF_SCRAPE(audit.left_out) },
	{ "gracecube_audit_queue_rows", GC_METRIC_GAUGE, NULL, NULL, "Rows that wait to be written.", print_fact, OF_SCRAPE(audit.waiting) },

	{ "gracecube_metric", GC_METRIC_GAUGE, "name", NULL,
	  "What cube.metric() answers for each metric of the cube that has thresholds, over the window that they name (catalog: over_seconds); asked "
	  "once in serve.metrics_interval. Absent where there is no value, or none for three intervals.", .print = print_values },
	{ "gracecube_metric_rows", GC_METRIC_GAUGE, "name", NULL, "How many rows of the cube that answer rests on.", .print = print_rows },
	{ "gracecube_metric_threshold", GC_METRIC_GAUGE, "name, level, better, file", NULL,
	  "Its thresholds: good, warning, critical; whether up or down is better, and the file that says so.", .print = print_thresholds },
	{ "gracecube_metric_timestamp_seconds", GC_METRIC_GAUGE, "name", NULL, "When it was last answered.", .print = print_times },

	{ "gracecube_build_info", GC_METRIC_GAUGE, "version, libmicrohttpd, libpq", NULL, "Always 1; the versions are in the labels.", .print = print_build },
	{ .name = NULL },
};
/* clang-format on */

/* ---- probes ---- */

const char gc_not_ready[] = "the database does not answer, or its schema is another version's\n";

static bool answer_live(void *arg, bool verbose, FILE *out)
{
	(void)arg;
	(void)verbose;
	fputs("ok\n", out);
	return true;
}

static bool answer_ready(void *arg, bool verbose, FILE *out)
{
	struct gc_serve *serve = arg;
	bool is_ready = gc_events_is_ready(serve->events);

	(void)verbose;
	fputs(is_ready ? "ok\n" : gc_not_ready, out);
	return is_ready;
}

static bool answer_metrics(void *arg, bool verbose, FILE *out)
{
	struct scrape scrape = { .serve = arg };

	(void)verbose;
	scrape.pool = gc_pool_facts(scrape.serve->pool);
	scrape.audit = gc_audit_facts(scrape.serve->audit);
	gc_metrics_print(gc_serve_metrics, &scrape, out);
	gc_metrics_print(gc_process_metrics, NULL, out);
	return true;
}

static const struct gc_probe probes[] = {
	{ "/livez", GC_PROBE_TEXT, answer_live },
	{ "/metrics", GC_PROBE_METRICS, answer_metrics },
	{ "/readyz", GC_PROBE_TEXT, answer_ready },
	{ .path = NULL },
};

enum gc_verdict gc_serve_probes(struct gc_serve *serve, int take_listen_fd, struct gc_err *err)
{
	return gc_probes_start(take_listen_fd, GC_PROBES_OPTION, serve->config.serve_probes_listen, probes, serve, &serve->probes,
			       err);
}
