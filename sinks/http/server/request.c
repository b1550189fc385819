/* A request: what was asked, and the problem that it may end in. Threads: it belongs to the HTTP thread, but for the time in which the
 * pool has it.
 */
#include "http/server/server.h"

#include <gracecube/arena.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* Titles of RFC 9110. */
static const struct {
	int status;
	const char *title;
} titles[] = {
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 414, "URI Too Long" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
};

static const char *title_of(int status)
{
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		if (titles[i].status == status)
			return titles[i].title;
	}
	return "Error";
}

void gc_request_refuse(struct gc_request *request, const struct gc_problem *problem)
{
	struct gc_text *body = &request->body;

	gc_shared_drop(request->shared);
	gc_shared_drop(request->zipped);
	request->shared = request->zipped = NULL;
	request->etag[0] = '\0';
	gc_text_done(body);
	gc_text_printf(body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d", title_of(problem->status),
		       problem->status);
	if (*problem->detail)
		gc_json_put_member(body, "detail", problem->detail);
	if (*problem->parameter)
		gc_json_put_member(body, "parameter", problem->parameter);
	if (*problem->allowed)
		gc_json_put_member(body, "allowed", problem->allowed);
	gc_text_puts(body, "}\n");
	request->status = problem->status;
	request->content_type = "application/problem+json";
}

void gc_request_fail(struct gc_request *request, int status, const char *format, ...)
{
	struct gc_problem problem = { .status = status };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem.detail, sizeof(problem.detail), format, arguments);
	va_end(arguments);
	gc_request_refuse(request, &problem);
}

/* A socket for both families names an IPv4 client ::ffff:10.1.2.3. */
static void write_six(const struct in6_addr *address, struct gc_request *request)
{
	bool is_mapped = IN6_IS_ADDR_V4MAPPED(address);

	inet_ntop(is_mapped ? AF_INET : AF_INET6, is_mapped ? &address->s6_addr[12] : address->s6_addr, request->remote,
		  sizeof(request->remote));
}

static void read_remote(struct gc_request *request)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;

	if (address && address->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, request->remote, sizeof(request->remote));
	else if (address && address->sa_family == AF_INET6)
		write_six(&((const struct sockaddr_in6 *)address)->sin6_addr, request);
}

struct gc_request *gc_request_new(struct gc_serve *serve, struct MHD_Connection *connection, const char *path, const char *method)
{
	struct gc_request *request = gc_calloc(1, sizeof(*request));

	request->serve = serve;
	request->connection = connection;
	request->path = gc_strdup(path);
	request->method = gc_strdup(method);
	request->started_us = gc_monotonic_us();
	request->asked_us = gc_now_us();
	request->rows = -1;
	request->values.row_limit = serve->config.serve_row_limit;
	read_remote(request);
	return request;
}

void gc_request_free(struct gc_request *request)
{
	if (!request)
		return;
	gc_values_done(&request->values);
	gc_text_done(&request->parameters);
	gc_text_done(&request->body);
	gc_text_done(&request->sent);
	gc_mcp_done(&request->mcp);
	gc_shared_drop(request->shared);
	gc_shared_drop(request->zipped);
	explicit_bzero(request->token, sizeof(request->token));
	free(request->part);
	free(request->path);
	free(request->method);
	free(request);
}

/* ---- the same question ---- */

static bool has_same_values(const struct gc_values *a, const struct gc_values *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->items[i].parameter != b->items[i].parameter || strcmp(a->items[i].text, b->items[i].text) != 0)
			return false;
	}
	return true;
}

static bool is_for_all(enum gc_answer answer)
{
	return answer == GC_ANSWER_ROWS || answer == GC_ANSWER_ROW || answer == GC_ANSWER_OPENAPI;
}

static uint64_t add_hash(uint64_t hash, const char *text)
{
	return hash * 0x9E3779B97F4A7C15 + gc_span_hash(gc_span_of(text));
}

uint64_t gc_request_hash(const struct gc_request *request)
{
	uint64_t hash = add_hash(request->wants_csv, request->path);

	for (size_t i = 0; i < request->values.count; i++)
		hash = add_hash(add_hash(hash, request->values.items[i].parameter->name), request->values.items[i].text);
	return hash;
}

bool gc_request_is_same(const struct gc_request *a, const struct gc_request *b)
{
	return a->route == b->route && is_for_all(a->route->answer) && a->wants_csv == b->wants_csv && !a->problem.status &&
	       !b->problem.status && strcmp(a->part ? a->part : "", b->part ? b->part : "") == 0 &&
	       has_same_values(&a->values, &b->values);
}
