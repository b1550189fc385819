/* The HTTP server: listens, reads requests, hands them to the pool, sends answers. See server.h.
 *
 * What a client may do is bounded: connections (serve.clients), the bytes of URL and headers, the bytes of a body (which /mcp alone reads), idle
 * time, and what waits for the database. No answer of the database is waited for here.
 * Threads: the callbacks run in libmicrohttpd's one thread.
 */
#include "http/server/server.h"

#include <gracecube/arena.h>
#include <stdio.h>
#include <strings.h>

#define MEMORY_BYTES_MAX (32 * 1024) /* of a connection: its header, and what libmicrohttpd notes of it */
#define URI_BYTES_MAX (8 * 1024)
#define HEADER_BYTES_MAX (16 * 1024)
#define PARAMETERS_MAX 64
#define BODY_BYTES_MAX (64 * 1024)
#define STOP_WAIT_US (10 * GC_SECOND_US)

/* ---- reading ---- */

static enum MHD_Result keep_parameter(void *argument, enum MHD_ValueKind kind, const char *name, size_t name_bytes,
				      const char *value, size_t value_bytes)
{
	struct gc_request *request = argument;
	struct gc_span key = { name, name_bytes }, text = { value ? value : "", value ? value_bytes : 0 };
	bool is_token = gc_span_equal(key, GC_LIT("token"));

	(void)kind;
	gc_text_printf(&request->parameters, "%s%.*s=%.*s", request->parameters.len ? "&" : "", (int)key.len, key.ptr,
		       is_token ? 3 : (int)text.len, is_token ? "***" : text.ptr);
	if (!request->problem.status)
		gc_values_put(&request->values, request->route, key, text, &request->problem);
	return MHD_YES;
}

static void read_parameters(struct gc_request *request)
{
	MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, keep_parameter, request);
	if (!request->problem.status)
		gc_values_finish(&request->values, request->route, &request->problem);
}

static void read_token(struct gc_request *request)
{
	const char *header = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Authorization");

	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return;
	header += 7 + strspn(header + 7, " ");
	snprintf(request->token, sizeof(request->token), "%s", header);
	request->has_token = true;
}

/* "gzip", not "gzip;q=0". */
static bool takes_gzip(const char *accept)
{
	const char *gzip = accept ? strcasestr(accept, "gzip") : NULL, *quality;

	if (!gzip)
		return false;
	quality = gzip + strlen("gzip");
	quality += strspn(quality, " ;");
	return strncasecmp(quality, "q=", 2) != 0 || strtod(quality + 2, NULL) > 0;
}

static void read_format(struct gc_request *request)
{
	const char *format = gc_values_get(&request->values, "format"), *as = gc_values_get(&request->values, "as");
	const char *accept = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Accept");

	request->accepts_gzip = takes_gzip(MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Accept-Encoding"));
	format = format ? format : as;
	request->wants_csv = format ? strcmp(format, "csv") == 0 : accept && strstr(accept, "text/csv");
	request->values.wants_all = request->wants_csv;
}

/* ---- a request's way ---- */

static enum MHD_Result refuse(struct gc_request *request, int status, const char *detail)
{
	gc_request_fail(request, status, "%s", detail);
	return gc_send_answer(request);
}

static enum MHD_Result hand_to_pool(struct gc_request *request)
{
	struct gc_serve *serve = request->serve;
	enum gc_put put;

	request->asker = gc_span_hash(gc_span_of(request->token));
	atomic_store(&request->state, GC_REQUEST_WAITING);
	atomic_fetch_add(&serve->suspended, 1);
	MHD_suspend_connection(request->connection);
	put = gc_pool_put(serve->pool, request);
	if (put == GC_PUT_DONE)
		return MHD_YES;
	atomic_fetch_add(&serve->counters.limited[put == GC_PUT_FULL ? GC_LIMIT_QUEUE : GC_LIMIT_TOKEN_QUEUE], 1);
	if (put == GC_PUT_FULL)
		gc_request_fail(request, 503, "Too many requests wait already.");
	else
		gc_request_fail(request, 429, "Too many requests of this token wait already.");
	atomic_store(&request->state, GC_REQUEST_ANSWERED);
	MHD_resume_connection(request->connection);
	atomic_fetch_sub(&serve->suspended, 1);
	return MHD_YES;
}

static enum MHD_Result begin_api(struct gc_request *request)
{
	read_parameters(request);
	read_token(request);
	read_format(request);
	if (!request->has_token)
		return refuse(request, 401, "A token is needed: Authorization: Bearer …");
	return hand_to_pool(request);
}

static enum MHD_Result begin_mcp(struct gc_request *request)
{
	read_token(request);
	return gc_mcp_begin(request) ? hand_to_pool(request) : gc_send_answer(request);
}

static bool is_allowed(const struct gc_route *route, const char *method)
{
	struct gc_span rest = gc_span_of(gc_route_methods(route)), allowed;

	while (gc_span_next_item(&rest, ',', &allowed)) {
		if (gc_span_equal(allowed, gc_span_of(method)))
			return true;
	}
	return false;
}

static enum MHD_Result begin(struct gc_request *request)
{
	struct gc_span part;

	gc_connections_expect(request->serve, request->connection, GC_EXPECT_NOTHING);
	request->route = gc_route_find(request->path, &part);
	if (request->problem.status) {
		gc_request_refuse(request, &request->problem);
		return gc_send_answer(request);
	}
	if (!request->route)
		return refuse(request, 404, "There is nothing here. /api/openapi.json lists what there is.");
	if (!is_allowed(request->route, request->method)) {
		gc_request_fail(request, 405, "What is answered here: %s.", gc_route_methods(request->route));
		return gc_send_answer(request);
	}
	if (part.ptr)
		request->part = strndup(part.ptr, part.len);
	switch (request->route->answer) {
	case GC_ANSWER_ASSET:
		return gc_send_asset(request);
	case GC_ANSWER_LIVE:
		return gc_send_probe(request, true);
	case GC_ANSWER_READY:
		return gc_send_probe(request, gc_events_is_ready(request->serve->events));
	case GC_ANSWER_MCP:
		return begin_mcp(request);
	default:
		return begin_api(request);
	}
}

static bool reads_body(const struct gc_request *request)
{
	struct gc_span part;
	const struct gc_route *route = gc_route_find(request->path, &part);

	return route && route->answer == GC_ANSWER_MCP;
}

/* To the other routes a body means nothing: it is passed over. A long one ends the connection. */
static enum MHD_Result take_body(struct gc_request *request, const char *bytes, size_t *count)
{
	request->body_bytes += *count;
	if (request->body_bytes <= BODY_BYTES_MAX && reads_body(request))
		gc_text_add(&request->sent, (struct gc_span){ bytes, *count });
	*count = 0;
	return request->body_bytes > BODY_BYTES_MAX ? MHD_NO : MHD_YES;
}

/* What is known of an address before libmicrohttpd looks at it, for handle(), which comes later. */
static const struct note {
	int status;
	const char *detail;
} too_long = { 414, "The address is longer than 8 KiB." }, too_many = { 414, "The address has more than 64 parameters." };

static bool is_note(const void *context)
{
	return !context || context == &too_long || context == &too_many;
}

static size_t count_parameters(const char *query)
{
	size_t count = 1;

	for (; (query = strchr(query, '&')); query++)
		count++;
	return count;
}

/* Each parameter takes 56 bytes of the connection's memory. Where there is none left libmicrohttpd 0.9.75 forgets to send the error that
 * it has made, and the client waits for nothing. So what is too much is cut off here, behind the question mark, and answered by handle().
 * The address stands in the connection's own buffer, in which libmicrohttpd cuts it up next. */
static void *look_at_uri(void *argument, const char *uri, struct MHD_Connection *connection)
{
	const struct note *note = NULL;
	char *query = strchr((char *)uri, '?');

	(void)argument;
	(void)connection;
	if (strlen(uri) > URI_BYTES_MAX)
		note = &too_long;
	else if (query && count_parameters(query) > PARAMETERS_MAX)
		note = &too_many;
	if (note && query)
		query[1] = '\0';
	return (void *)note;
}

static struct gc_request *read_header(struct gc_serve *serve, struct MHD_Connection *connection, const char *path,
				      const char *method, const char *version, const struct note *note)
{
	struct gc_request *request = gc_request_new(serve, connection, path, method);
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	if (note)
		gc_problem_set(&request->problem, note->status, "%s", note->detail);
	else if (info && info->header_size > HEADER_BYTES_MAX)
		gc_problem_set(&request->problem, 431, "The header is longer than 16 KiB.");
	else if (strcmp(version, MHD_HTTP_VERSION_1_1) == 0 &&
		 !MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST))
		gc_problem_set(&request->problem, 400, "HTTP/1.1 wants the header Host.");
	return request;
}

static enum MHD_Result handle(void *argument, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *upload, size_t *upload_bytes, void **context)
{
	struct gc_request *request = *context;

	if (is_note(request)) {
		*context = read_header(argument, connection, path, method, version, (const void *)request);
		return MHD_YES;
	}
	if (*upload_bytes)
		return take_body(request, upload, upload_bytes);
	if (atomic_load(&request->state) == GC_REQUEST_ANSWERED)
		return gc_send_answer(request);
	return begin(request);
}

static void complete(void *argument, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode how)
{
	struct gc_serve *serve = argument;

	gc_connections_expect(serve, connection, GC_EXPECT_REQUEST);
	if (is_note(*context))
		return;
	gc_pool_sent(serve->pool, *context);
	gc_count_request(*context);
	if (serve->config.serve_access_log)
		gc_access_log(*context, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	gc_request_free(*context);
	*context = NULL;
}

/* ---- life ---- */

__attribute__((format(printf, 2, 0))) static void log_line(void *argument, const char *format, va_list arguments)
{
	char line[300];

	(void)argument;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	gc_debug("from libmicrohttpd", GC_S("line", line));
}

static enum gc_verdict start_daemon(struct gc_serve *serve, int fd, struct gc_err *err)
{
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, serve->certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, serve->key },
		{ MHD_OPTION_END, 0, NULL },
	};

	serve->daemon = MHD_start_daemon(flags | (serve->certificate ? MHD_USE_TLS : 0), 0, gc_connections_admit, serve, handle,
					 serve, MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
					 MHD_OPTION_NOTIFY_COMPLETED, complete, serve, MHD_OPTION_NOTIFY_CONNECTION,
					 gc_connections_notify, serve, MHD_OPTION_URI_LOG_CALLBACK, look_at_uri, NULL,
					 MHD_OPTION_CONNECTION_LIMIT, (unsigned)serve->config.serve_clients,
					 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)GC_IDLE_SECONDS_MAX,
					 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES_MAX, MHD_OPTION_ARRAY,
					 serve->certificate ? tls : &tls[2], MHD_OPTION_END);
	if (!serve->daemon)
		return gc_fail(err, GC_FATAL, "listen", serve->address, "the server does not start%s",
			       serve->certificate ? "; do certificate and key belong together?" : "");
	return GC_OK;
}

static void free_serve(struct gc_serve *serve)
{
	if (serve->key)
		explicit_bzero(serve->key, strlen(serve->key));
	gc_serve_counters_done(&serve->counters);
	free(serve->certificate);
	free(serve->key);
	free(serve);
}

/* libpq's shortest connect time-out is 2 s; nobody who waits for a page wants more. */
static void copy_config(struct gc_serve *serve, const struct gc_config *config)
{
	serve->config = *config;
	serve->config.postgres_statement_timeout_us = config->serve_statement_timeout_us;
	if (serve->config.postgres_connect_timeout_us > 2 * GC_SECOND_US)
		serve->config.postgres_connect_timeout_us = 2 * GC_SECOND_US;
}

/* Takes the sockets, also when it fails. */
static enum gc_verdict start_threads(struct gc_serve *serve, int fd, int probes_fd, struct gc_err *err)
{
	enum gc_verdict verdict;

	serve->connections = gc_connections_start(serve);
	serve->events = gc_events_start(serve);
	serve->audit = gc_audit_start(serve);
	serve->pool = gc_pool_start(serve);
	verdict = start_daemon(serve, fd, err);
	if (verdict != GC_OK)
		close(fd);
	if (verdict == GC_OK && probes_fd >= 0) {
		serve->gauges = gc_gauges_start(serve);
		return gc_serve_probes(serve, probes_fd, err);
	}
	if (probes_fd >= 0)
		close(probes_fd);
	return verdict;
}

enum gc_verdict gc_serve_start(const struct gc_config *config, int take_listen_fd, int take_probes_fd, struct gc_serve **ret_serve,
			       struct gc_err *err)
{
	struct gc_serve *serve = gc_calloc(1, sizeof(*serve));
	enum gc_verdict verdict;

	copy_config(serve, config);
	gc_serve_counters_init(&serve->counters);
	verdict = gc_serve_certificate(serve, err);
	if (verdict == GC_OK)
		verdict = gc_serve_find_address(serve, take_listen_fd, err);
	if (verdict != GC_OK) {
		close(take_listen_fd);
		if (take_probes_fd >= 0)
			close(take_probes_fd);
		free_serve(serve);
		return verdict;
	}
	verdict = start_threads(serve, take_listen_fd, take_probes_fd, err);
	if (verdict != GC_OK) {
		gc_serve_stop(serve);
		return verdict;
	}
	*ret_serve = serve;
	return GC_OK;
}

const char *gc_serve_address(const struct gc_serve *serve)
{
	return serve->address;
}

/* libmicrohttpd must not be stopped while a connection is suspended. */
static void wait_for_suspended(struct gc_serve *serve)
{
	int64_t until_us = gc_monotonic_us() + STOP_WAIT_US;

	while (atomic_load(&serve->suspended) > 0 && gc_monotonic_us() < until_us)
		gc_sleep_us(5000);
}

void gc_serve_stop(struct gc_serve *serve)
{
	int fd = -1;

	if (!serve)
		return;
	atomic_store(&serve->stopping, 1);
	gc_probes_stop(serve->probes); /* they look at all that follows */
	if (serve->daemon)
		fd = MHD_quiesce_daemon(serve->daemon);
	gc_events_end_streams(serve->events);
	wait_for_suspended(serve);
	if (serve->daemon)
		MHD_stop_daemon(serve->daemon);
	if (fd >= 0)
		close(fd);
	gc_pool_stop(serve->pool);
	gc_audit_stop(serve->audit);
	gc_gauges_stop(serve->gauges);
	gc_events_stop(serve->events);
	gc_connections_stop(serve->connections);
	free_serve(serve);
}
