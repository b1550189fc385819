/* Inside of the server: what its threads share.
 *
 * A request is parsed by the HTTP thread, suspended, answered by one of the threads of the pool, and sent by the HTTP thread. So
 * neither a slow database nor a slow client holds up the others.
 */
#ifndef GRACECUBE_HTTP_SERVER_H
#define GRACECUBE_HTTP_SERVER_H

#include <gracecube/probes.h>
#include <gracecube/serve.h>
#include <gracecube/thread.h>
#include <gracecube/token.h>
#include <postgres/pg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h> /* microhttpd.h needs it */
#include <microhttpd.h>

#include "http/api/mcp.h"
#include "http/api/routes.h"
#include "http/api/text.h"

#define GC_AS_OF_BYTES 40
#define GC_RECORDS_BYTES 24 /* the digits of an int64 */
#define GC_ETAG_BYTES 24
#define GC_IDLE_SECONDS_MAX 30 /* of a connection */

/* Limits that refuse a request; labels of a metric. */
enum gc_limit {
	GC_LIMIT_ADDRESS,       /* connections of one address */
	GC_LIMIT_DEADLINE,      /* time to say what is wanted, or to take the answer */
	GC_LIMIT_QUEUE,         /* requests that wait */
	GC_LIMIT_STREAMS,       /* open event streams */
	GC_LIMIT_TOKEN_QUEUE,   /* requests of one token that wait */
	GC_LIMIT_TOKEN_STREAMS, /* open event streams of one token */
	GC_LIMITS,
};

/* ---- database.c: a connection that comes back by itself ---- */

struct gc_serve;

struct gc_database {
	struct gc_serve *serve;
	const char *name;  /* in pg_stat_activity */
	const char *setup; /* SQL after connecting */
	struct gc_pg *pg;
	bool is_counted;        /* among the connections of the metrics */
	int64_t answer_us;      /* how long an answer may take before the connection counts as dead */
	struct gc_text openapi; /* once it was asked for */
	struct gc_complaint complaint;
};

/* Not connected yet. The texts are borrowed. */
void gc_database_init(struct gc_database *db, struct gc_serve *serve, const char *name, const char *setup);
void gc_database_close(struct gc_database *db);
/* Connects when it is not. While the server is away all connections together try twice a second; once one is through, the others
 * follow at once. */
enum gc_verdict gc_database_ensure(struct gc_database *db, struct gc_err *err) GC_MUST_CHECK;
bool gc_database_is_lost(const struct gc_database *db);
/* One statement; text results. The caller clears *ret_result. */
enum gc_verdict gc_database_ask(struct gc_database *db, const char *sql, const char *const *values, int count,
				PGresult **ret_result, struct gc_err *err) GC_MUST_CHECK;

/* Rows as they were at one moment. */
struct gc_rows {
	PGresult *result;
	char as_of[GC_AS_OF_BYTES], records[GC_RECORDS_BYTES];
};
/* In one round trip and one snapshot: takes the role that answers for `tier` (NULL: no limit; as_self: none), reads how fresh the cube
 * is, and asks. */
enum gc_verdict gc_database_read(struct gc_database *db, const char *tier, bool as_self, const struct gc_query *query,
				 struct gc_rows *ret_rows, struct gc_err *err) GC_MUST_CHECK;
enum gc_cell gc_database_cell(const PGresult *result, int column);

/* ---- requests ---- */

enum gc_request_state {
	GC_REQUEST_NEW,      /* its headers are there */
	GC_REQUEST_WAITING,  /* suspended: the pool has it */
	GC_REQUEST_ANSWERED, /* to be sent */
};

struct gc_request {
	struct gc_serve *serve;
	struct MHD_Connection *connection;
	struct gc_request *next; /* in the pool's queue, then among the requests for the same query */
	uint64_t cohort;         /* of the requests that shared a result, numbered by the pool; 0: it shared none */
	_Atomic int state;
	int64_t started_us; /* monotonic */
	int64_t asked_us;   /* wall clock */

	char *method, *path;
	struct gc_text parameters; /* for the audit: without the token */
	char remote[48];
	const struct gc_route *route;
	char *part; /* what stood for "{name}" in the path */
	struct gc_values values;
	char token[GC_TOKEN_TEXT_BYTES]; /* as it was shown */
	uint64_t asker;                  /* of that token: the same for all requests that show it */
	bool has_token, wants_csv, accepts_gzip;
	size_t body_bytes;         /* of what was sent */
	struct gc_text sent;       /* that, where the route reads it */
	struct gc_mcp mcp;         /* the message in it */
	struct gc_problem problem; /* of the parameters, told once it is known who asks; status 0: none */

	/* who asks, once it is known */
	char token_id[GC_TOKEN_ID_DIGITS + 1], token_name[128], token_role[16], token_tier[16], token_expires[GC_AS_OF_BYTES];
	int access; /* enum gc_access */

	/* the answer */
	int status;
	struct gc_text body;
	struct gc_shared *shared; /* or this is the body, for all who asked the same */
	struct gc_shared *zipped; /* the same as gzip, for those who take it; NULL: there is none */
	char etag[GC_ETAG_BYTES]; /* "" for none */
	const char *content_type;
	char as_of[GC_AS_OF_BYTES], records[GC_RECORDS_BYTES];
	int64_t rows;  /* -1: it has none */
	int64_t bytes; /* of the body, as far as it was given away */
	bool has_more, is_stream;
};

struct gc_request *gc_request_new(struct gc_serve *serve, struct MHD_Connection *connection, const char *path, const char *method);
void gc_request_free(struct gc_request *request);
/* Do both ask for the same rows, in the same format? The tokens may differ. */
bool gc_request_is_same(const struct gc_request *a, const struct gc_request *b);
/* The query key: the same for requests that ask for the same rows in the same format. */
uint64_t gc_request_hash(const struct gc_request *request);
/* Makes the answer a problem. */
void gc_request_refuse(struct gc_request *request, const struct gc_problem *problem);
/* The same in one line. */
void gc_request_fail(struct gc_request *request, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- pool.c ---- */

struct gc_pool;

extern const char gc_reading_session[]; /* SQL, for connections that answer */
struct gc_pool *gc_pool_start(struct gc_serve *serve);
enum gc_put { GC_PUT_DONE, GC_PUT_FULL, GC_PUT_TOO_MANY };
/* Full: too many requests wait already. Too many: of this token. The connection is suspended. */
enum gc_put gc_pool_put(struct gc_pool *pool, struct gc_request *request);
/* The answer is on its way as a whole, or nobody is there to read it. In the HTTP thread. */
void gc_pool_sent(struct gc_pool *pool, const struct gc_request *request);
void gc_pool_stop(struct gc_pool *pool);

struct gc_pool_facts {
	int64_t queued, busy; /* requests that wait; threads that answer */
};
struct gc_pool_facts gc_pool_facts(struct gc_pool *pool);

/* ---- access.c, answer.c, describe.c: in the pool's threads ---- */

/* Finds out who asks. GC_OK also when the request was refused: then it has its answer. */
enum gc_verdict gc_access_check(struct gc_request *request, struct gc_database *db, struct gc_err *err) GC_MUST_CHECK;
/* Rows of this tier are not for whoever is limited to that one: a limit names the highest tier, and rows of no tier are above all. The roles
 * of 5_rights/rights.sql are the same rule, which PostgreSQL keeps to; tests/contract/tiers.csv is its cases. */
bool gc_tier_is_above(const char *tier, const char *limit);
/* Answers a list of requests that ask the same, whatever happens. */
void gc_answer_requests(struct gc_request *first, struct gc_database *db);
/* The OpenAPI document; `text` is left empty when it fails. */
enum gc_verdict gc_describe_api(struct gc_text *text, struct gc_database *db, struct gc_err *err) GC_MUST_CHECK;

/* ---- mcp.c: in the HTTP thread, but for the second ---- */

/* Once all was sent. False when it has its answer already; else it asks for the route of a tool, or for what is known without one. */
bool gc_mcp_begin(struct gc_request *request);
enum gc_verdict gc_mcp_answer_message(struct gc_request *request, struct gc_database *db, struct gc_err *err) GC_MUST_CHECK;
/* Makes the tool's result of the route's answer. */
void gc_mcp_finish_call(struct gc_request *request);

/* ---- events.c ---- */

struct gc_events;

struct gc_events *gc_events_start(struct gc_serve *serve);
/* A response that streams; NULL when there are too many streams already, *ret_limit says of what. */
struct MHD_Response *gc_events_stream(struct gc_events *events, struct gc_request *request, enum gc_limit *ret_limit);
int gc_events_count(struct gc_events *events);
/* Ends all streams, then the thread. */
void gc_events_end_streams(struct gc_events *events);
void gc_events_stop(struct gc_events *events);
bool gc_events_is_ready(struct gc_events *events);
/* How fresh the cube is; "" before it is known. An answer tells what it read. */
void gc_events_as_of(struct gc_events *events, char *ret_as_of);
void gc_events_tell_as_of(struct gc_events *events, const char *as_of);

/* ---- audit.c ---- */

struct gc_audit;

struct gc_audit *gc_audit_start(struct gc_serve *serve);
void gc_audit_put(struct gc_audit *audit, const struct gc_request *request);
void gc_audit_stop(struct gc_audit *audit);

struct gc_audit_facts {
	int64_t written, lost, left_out, waiting; /* rows */
};
struct gc_audit_facts gc_audit_facts(struct gc_audit *audit);

/* ---- gauges.c ---- */

struct gc_gauges;
enum gc_gauge { GC_GAUGE_VALUE, GC_GAUGE_ROWS, GC_GAUGE_THRESHOLD, GC_GAUGE_TIME, GC_GAUGES };

struct gc_gauges *gc_gauges_start(struct gc_serve *serve);
/* A line for each metric of the cube that has thresholds; for a threshold one for each. */
void gc_gauges_print(struct gc_gauges *gauges, enum gc_gauge what, struct gc_metric_printer *p);
/* NULL is allowed. */
void gc_gauges_stop(struct gc_gauges *gauges);

/* ---- access_log.c ---- */

void gc_access_log(const struct gc_request *request, bool is_whole);

/* ---- assets.c ---- */

struct gc_asset {
	const char *name, *content_type, *etag;
	const unsigned char *bytes;
	size_t len;
};
extern const struct gc_asset gc_assets[]; /* made at build from sinks/http/dashboard; ends with a NULL name */
const struct gc_asset *gc_asset_find(const char *name);

/* ---- address.c ---- */

/* Reads the files of the certificate, if there are any. */
enum gc_verdict gc_serve_certificate(struct gc_serve *serve, struct gc_err *err) GC_MUST_CHECK;
enum gc_verdict gc_serve_find_address(struct gc_serve *serve, int fd, struct gc_err *err) GC_MUST_CHECK;

/* ---- connections.c ---- */

struct gc_connections;
enum gc_expected {
	GC_EXPECT_NOTHING, /* the server's turn, or an event stream */
	GC_EXPECT_REQUEST,
	GC_EXPECT_TAKING, /* of the answer */
};

struct gc_connections *gc_connections_start(struct gc_serve *serve);
void gc_connections_stop(struct gc_connections *connections);
/* What is to happen on a connection before its time is over. */
void gc_connections_expect(struct gc_serve *serve, struct MHD_Connection *mhd, enum gc_expected expected);
/* For libmicrohttpd; the argument is the server. */
enum MHD_Result gc_connections_admit(void *argument, const struct sockaddr *address, socklen_t bytes);
void gc_connections_notify(void *argument, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what);

/* ---- send.c ---- */

enum MHD_Result gc_send_answer(struct gc_request *request);
enum MHD_Result gc_send_asset(struct gc_request *request);
enum MHD_Result gc_send_probe(struct gc_request *request, bool is_good);

/* ---- metrics.c ---- */

#define GC_STATUSES 15 /* that are ever sent */
struct gc_route_counters {
	_Atomic int64_t by_status[GC_STATUSES];
	struct gc_histogram took;
};

enum gc_denial { GC_DENIED_NO_TOKEN, GC_DENIED_BAD_TOKEN, GC_DENIALS };

struct gc_serve_counters {
	struct gc_route_counters *routes; /* one for each of gc_routes, and one for what has none */
	_Atomic int64_t bytes, denied[GC_DENIALS], limited[GC_LIMITS];
	struct gc_histogram waited; /* under the pool's lock */
	/* of any thread: counted by atomic_fetch_add() */
	_Atomic int64_t questions, shared, connects, connected;
};

void gc_serve_counters_init(struct gc_serve_counters *counters);
void gc_serve_counters_done(struct gc_serve_counters *counters);
/* Once it is over. */
void gc_count_request(const struct gc_request *request);
void gc_count_wait(struct gc_serve *serve, int64_t waited_us);
enum gc_verdict gc_serve_probes(struct gc_serve *serve, int take_listen_fd, struct gc_err *err) GC_MUST_CHECK;
extern const char gc_not_ready[]; /* what /readyz says then */

/* ---- server.c ---- */

struct gc_serve {
	struct gc_config config; /* the caller's, but for the time-outs; owns nothing */
	char address[160];
	struct MHD_Daemon *daemon;
	char *certificate, *key; /* PEM */
	struct gc_pool *pool;
	struct gc_events *events;
	struct gc_audit *audit;
	struct gc_connections *connections;
	struct gc_gauges *gauges; /* these two NULL when serve.probes_listen is empty */
	struct gc_probes *probes;
	struct gc_serve_counters counters;
	_Atomic int stopping;
	_Atomic int64_t next_try_us; /* monotonic: when the database, which did not let somebody in, is asked again; 0: at once */
	_Atomic int64_t suspended;   /* connections that the pool or a stream has suspended */
};

#endif
