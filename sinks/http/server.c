/* The HTTP server: listens, reads requests, hands them to the pool, sends answers. See server.h.
 *
 * What a client may do is bounded: connections (serve.clients), the bytes of URL and headers, the bytes of a body (none is read), idle
 * time, and what waits for the database. No answer of the database is waited for here.
 * Threads: the callbacks run in libmicrohttpd's one thread.
 */
#include "server.h"

#include <gracecube/arena.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#define HEADER_BYTES_MAX (32 * 1024)
#define BODY_BYTES_MAX (64 * 1024)
#define IDLE_SECONDS_MAX 30
#define STOP_WAIT_US (10 * GC_SECOND_US)

static const char content_policy[] =
	"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/* ---- sending ---- */

static bool is_api(const struct gc_request *request)
{
	return strncmp(request->path, "/api/", 5) == 0;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (value && *value)
		MHD_add_response_header(response, name, value);
}

static void add_freshness(struct MHD_Response *response, struct gc_request *request)
{
	if (!*request->as_of)
		gc_events_as_of(request->serve->events, request->as_of);
	add_header(response, "X-Cube-As-Of", request->as_of);
	add_header(response, "X-Cube-Records", request->records);
}

static void add_headers(struct MHD_Response *response, struct gc_request *request)
{
	add_header(response, "Content-Type", request->content_type);
	add_header(response, "Cache-Control", "no-store");
	add_header(response, "X-Content-Type-Options", "nosniff");
	add_header(response, "Vary", is_api(request) ? "Accept, Authorization" : NULL);
	add_header(response, "X-Cube-More", request->rows < 0 ? NULL : request->has_more ? "true" : "false");
	add_header(response, "WWW-Authenticate", request->status == 401 ? "Bearer realm=\"gracecube\"" : NULL);
	add_header(response, "Allow", request->status == 405 ? gc_allowed_methods : NULL);
	add_header(response, "Retry-After", request->status == 503 ? "1" : NULL);
	add_freshness(response, request);
}

static enum MHD_Result queue(struct gc_request *request, struct MHD_Response *response)
{
	enum MHD_Result sent;

	if (!response)
		return MHD_NO;
	sent = MHD_queue_response(request->connection, (unsigned)request->status, response);
	MHD_destroy_response(response);
	return sent;
}

static struct MHD_Response *make_stream(struct gc_request *request)
{
	struct MHD_Response *response = gc_events_stream(request->serve->events, request->connection);

	if (!response) {
		gc_request_fail(request, 503, "There are too many event streams already.");
		return NULL;
	}
	request->content_type = "text/event-stream";
	add_header(response, "X-Accel-Buffering", "no"); /* or a proxy may keep events back */
	return response;
}

static struct MHD_Response *make_response(struct gc_request *request)
{
	struct MHD_Response *response = request->is_stream ? make_stream(request) : NULL;
	struct gc_shared *shared = request->shared;

	if (!response && shared) {
		response = MHD_create_response_from_buffer_with_free_callback_cls(shared->text.len, shared->text.ptr,
										  gc_shared_drop, gc_shared_hold(shared));
		if (!response)
			gc_shared_drop(shared);
	} else if (!response) {
		response = MHD_create_response_from_buffer_with_free_callback(request->body.len, request->body.ptr, free);
		if (response) /* it has the body now */
			request->body = (struct gc_text){ NULL, 0, 0 };
	}
	return response;
}

static enum MHD_Result send_answer(struct gc_request *request)
{
	struct MHD_Response *response = make_response(request);

	if (is_api(request))
		gc_audit_put(request->serve->audit, request);
	if (response)
		add_headers(response, request);
	return queue(request, response);
}

/* ---- the dashboard's files, and probes ---- */

static bool is_known_to_client(const struct gc_request *request, const struct gc_asset *asset)
{
	const char *known = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "If-None-Match");

	return known && strstr(known, asset->etag);
}

static enum MHD_Result send_asset(struct gc_request *request)
{
	const struct gc_asset *asset = gc_asset_find(request->part ? request->part : "index.html");
	struct MHD_Response *response;
	bool is_known;

	if (!asset) {
		gc_request_fail(request, 404, "There is no such file.");
		return send_answer(request);
	}
	is_known = is_known_to_client(request, asset);
	response = MHD_create_response_from_buffer(is_known ? 0 : asset->len, (void *)asset->bytes, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	request->status = is_known ? 304 : 200;
	add_header(response, "Content-Type", is_known ? NULL : asset->content_type);
	add_header(response, "ETag", asset->etag);
	add_header(response, "Cache-Control", "no-cache"); /* asks each time, and is answered 304 */
	add_header(response, "Content-Security-Policy", content_policy);
	add_header(response, "X-Content-Type-Options", "nosniff");
	add_header(response, "Referrer-Policy", "no-referrer");
	add_freshness(response, request);
	return queue(request, response);
}

static enum MHD_Result send_probe(struct gc_request *request, bool is_good, const char *bad)
{
	request->status = is_good ? 200 : 503;
	request->content_type = "text/plain; charset=utf-8";
	gc_text_printf(&request->body, "%s\n", is_good ? "ok" : bad);
	return send_answer(request);
}

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
	if (!request->problem.status && gc_values_put(&request->values, request->route, key, text, &request->problem) && is_token) {
		snprintf(request->token, sizeof(request->token), "%.*s", (int)text.len, text.ptr);
		request->has_token = true;
	}
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

static void read_format(struct gc_request *request)
{
	const char *format = gc_values_get(&request->values, "format");
	const char *accept = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Accept");

	request->wants_csv = format ? strcmp(format, "csv") == 0 : accept && strstr(accept, "text/csv");
}

/* ---- a request's way ---- */

static enum MHD_Result refuse(struct gc_request *request, int status, const char *detail)
{
	gc_request_fail(request, status, "%s", detail);
	return send_answer(request);
}

static enum MHD_Result hand_to_pool(struct gc_request *request)
{
	struct gc_serve *serve = request->serve;

	atomic_store(&request->state, GC_REQUEST_WAITING);
	atomic_fetch_add(&serve->suspended, 1);
	MHD_suspend_connection(request->connection);
	if (gc_pool_put(serve->pool, request))
		return MHD_YES;
	gc_request_fail(request, 503, "Too many requests wait already.");
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

static bool is_allowed(const char *method)
{
	return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static enum MHD_Result begin(struct gc_request *request)
{
	struct gc_span part;

	request->route = gc_route_find(request->path, &part);
	if (!request->route)
		return refuse(request, 404, "There is nothing here. /api/openapi.json lists what there is.");
	if (!is_allowed(request->method))
		return refuse(request, 405, "Only GET and HEAD are answered here.");
	if (part.ptr)
		request->part = strndup(part.ptr, part.len);
	switch (request->route->answer) {
	case GC_ANSWER_ASSET:
		return send_asset(request);
	case GC_ANSWER_LIVE:
		return send_probe(request, true, "");
	case GC_ANSWER_READY:
		return send_probe(request, gc_events_is_ready(request->serve->events),
				  "the database does not answer, or its schema is another version's");
	default:
		return begin_api(request);
	}
}

/* A body means nothing to any route: it is passed over, and a long one ends the connection. */
static enum MHD_Result skip_body(struct gc_request *request, size_t *bytes)
{
	request->body_bytes += *bytes;
	*bytes = 0;
	return request->body_bytes > BODY_BYTES_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result handle(void *argument, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *upload, size_t *upload_bytes, void **context)
{
	struct gc_request *request = *context;

	(void)version;
	(void)upload;
	if (!request) {
		*context = gc_request_new(argument, connection, path, method);
		return MHD_YES;
	}
	if (*upload_bytes)
		return skip_body(request, upload_bytes);
	if (atomic_load(&request->state) == GC_REQUEST_ANSWERED)
		return send_answer(request);
	return begin(request);
}

static void complete(void *argument, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode how)
{
	struct gc_serve *serve = argument;

	(void)connection;
	(void)how;
	if (*context)
		gc_pool_sent(serve->pool, *context);
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

static enum gc_verdict read_pem(const char *path, const char *option, char **ret_text, struct gc_err *err)
{
	struct gc_text text = { NULL, 0, 0 };
	char bytes[4096];
	size_t n;
	FILE *file = fopen(path, "re");

	if (!file)
		return gc_fail(err, GC_FATAL, "tls", option, "%s cannot be read: %s", path, strerror(errno));
	while (text.len < 1024 * 1024 && (n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		gc_text_add(&text, (struct gc_span){ bytes, n });
	fclose(file);
	if (!text.ptr || !strstr(text.ptr, "-----BEGIN ")) {
		gc_text_done(&text);
		return gc_fail(err, GC_FATAL, "tls", option, "%s holds no PEM", path);
	}
	*ret_text = text.ptr;
	return GC_OK;
}

static enum gc_verdict read_certificate(struct gc_serve *serve, struct gc_err *err)
{
	const struct gc_config *config = &serve->config;
	enum gc_verdict verdict;

	if (!*config->serve_tls_certificate && !*config->serve_tls_key)
		return GC_OK;
	if (!*config->serve_tls_certificate || !*config->serve_tls_key)
		return gc_fail(err, GC_FATAL, "tls", "serve.tls_key", "TLS needs both serve.tls_certificate and serve.tls_key");
	verdict = read_pem(config->serve_tls_certificate, "serve.tls_certificate", &serve->certificate, err);
	if (verdict == GC_OK)
		verdict = read_pem(config->serve_tls_key, "serve.tls_key", &serve->key, err);
	return verdict;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
	return address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* Tokens in clear text are for this machine only. */
static enum gc_verdict read_address(struct gc_serve *serve, int fd, struct gc_err *err)
{
	struct sockaddr_storage address;
	socklen_t bytes = sizeof(address);
	char host[80] = "", port[12] = "";
	bool is_tls = serve->certificate, is_six;

	if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
		return gc_fail(err, GC_FATAL, "listen", "serve.listen", "%s", strerror(errno));
	getnameinfo((struct sockaddr *)&address, bytes, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	is_six = strchr(host, ':');
	snprintf(serve->address, sizeof(serve->address), "%s://%s%s%s:%s", is_tls ? "https" : "http", is_six ? "[" : "", host,
		 is_six ? "]" : "", port);
	if (!is_tls && !is_loopback(&address) && !serve->config.serve_allow_plain)
		return gc_fail(
			err, GC_FATAL, "plain_http", "serve.listen",
			"%s can be reached from other machines, and tokens would travel in clear text: give serve.tls_certificate and "
			"serve.tls_key, or, behind a proxy that does TLS, serve.allow_plain=true",
			serve->address);
	return GC_OK;
}

static enum gc_verdict start_daemon(struct gc_serve *serve, int fd, struct gc_err *err)
{
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, serve->certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, serve->key },
		{ MHD_OPTION_END, 0, NULL },
	};

	serve->daemon = MHD_start_daemon(flags | (serve->certificate ? MHD_USE_TLS : 0), 0, NULL, NULL, handle, serve,
					 MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
					 MHD_OPTION_NOTIFY_COMPLETED, complete, serve, MHD_OPTION_CONNECTION_LIMIT,
					 (unsigned)serve->config.serve_clients, MHD_OPTION_CONNECTION_TIMEOUT,
					 (unsigned)IDLE_SECONDS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES_MAX,
					 MHD_OPTION_ARRAY, serve->certificate ? tls : &tls[2], MHD_OPTION_END);
	if (!serve->daemon)
		return gc_fail(err, GC_FATAL, "listen", serve->address, "the server does not start%s",
			       serve->certificate ? "; do certificate and key belong together?" : "");
	return GC_OK;
}

static void free_serve(struct gc_serve *serve)
{
	if (serve->key)
		explicit_bzero(serve->key, strlen(serve->key));
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

enum gc_verdict gc_serve_start(const struct gc_config *config, int take_listen_fd, struct gc_serve **ret_serve, struct gc_err *err)
{
	struct gc_serve *serve = gc_calloc(1, sizeof(*serve));
	enum gc_verdict verdict;

	copy_config(serve, config);
	verdict = read_certificate(serve, err);
	if (verdict == GC_OK)
		verdict = read_address(serve, take_listen_fd, err);
	if (verdict != GC_OK) {
		close(take_listen_fd);
		free_serve(serve);
		return verdict;
	}
	serve->events = gc_events_start(serve);
	serve->audit = gc_audit_start(serve);
	serve->pool = gc_pool_start(serve);
	verdict = start_daemon(serve, take_listen_fd, err);
	if (verdict != GC_OK) {
		close(take_listen_fd);
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
		usleep(5000);
}

void gc_serve_stop(struct gc_serve *serve)
{
	int fd = -1;

	if (!serve)
		return;
	atomic_store(&serve->stopping, 1);
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
	gc_events_stop(serve->events);
	free_serve(serve);
}
