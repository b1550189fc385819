/* Answers on their way out: headers, bodies, files of the dashboard, event streams.
 *
 * Threads: the HTTP thread.
 */
#include "http/server/server.h"

#include <inttypes.h>
#include <stdio.h>

#define LINK_BYTES_MAX 4096

static const char content_policy[] =
	"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

static bool is_api(const struct gc_request *request)
{
	return strncmp(request->path, "/api/", 5) == 0;
}

static bool is_mcp(const struct gc_request *request)
{
	return request->route && request->route->answer == GC_ANSWER_MCP;
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	if (value && *value)
		MHD_add_response_header(response, name, value);
}

/* Strangers are not told when data moves. */
static void add_freshness(struct MHD_Response *response, struct gc_request *request)
{
	if (request->access == GC_ACCESS_ANYBODY)
		return;
	if (!*request->as_of)
		gc_events_as_of(request->serve->events, request->as_of);
	add_header(response, "X-Cube-As-Of", request->as_of);
	add_header(response, "X-Cube-Records", request->records);
}

static bool is_zipped(const struct gc_request *request)
{
	return request->zipped && request->accepts_gzip && request->status == 200;
}

/* The last part of the path that is a constant: "executions" of "/api/cube/executions/{contract_id}". */
static struct gc_span name_of(const struct gc_route *route)
{
	struct gc_span rest = gc_span_of(route->path), part, name = rest;

	for (bool more = true; more;) {
		more = gc_span_split(rest, '/', &part, &rest);
		part = more ? part : rest;
		if (part.len > 0 && *part.ptr != '{')
			name = part;
	}
	return name;
}

static int64_t offset_of(const struct gc_request *request)
{
	const char *offset = gc_values_get(&request->values, "offset");

	return offset ? strtoll(offset, NULL, 10) : 0;
}

/* "executions"; of a metric of the registry its name: "errors", "errors-explain". A metric that there is has a name of letters, digits and _. */
static void name_file(const struct gc_request *request, char *ret_name, size_t bytes)
{
	static const char metric[] = "/api/cube/metrics/{name}";
	const char *path = request->route->path;
	struct gc_span name = name_of(request->route);

	if (strncmp(path, metric, strlen(metric)) != 0)
		snprintf(ret_name, bytes, "%.*s", (int)name.len, name.ptr);
	else if (path[strlen(metric)])
		snprintf(ret_name, bytes, "%.60s-%.*s", request->part, (int)name.len, name.ptr);
	else
		snprintf(ret_name, bytes, "%.60s", request->part);
}

/* Whoever opens a CSV in the browser wants it as a file, with a name. A file that is a part of the rows says so in its name: nobody sees
 * the headers. */
static void add_disposition(struct MHD_Response *response, const struct gc_request *request)
{
	char text[200], name[100], part[64] = "";
	int64_t offset = offset_of(request);

	if (request->status != 200 || !request->wants_csv || request->rows < 0)
		return;
	name_file(request, name, sizeof(name));
	if (request->has_more || offset > 0)
		snprintf(part, sizeof(part), "-rows-%" PRId64 "-%" PRId64, offset + 1, offset + request->rows);
	snprintf(text, sizeof(text), "attachment; filename=\"%s%s.csv\"", name, part);
	add_header(response, "Content-Disposition", text);
}

/* RFC 8288. One that is very long would not leave room for the other headers. */
static void add_next_page(struct MHD_Response *response, const struct gc_request *request)
{
	struct gc_text link = { NULL, 0, 0 };

	if (!request->has_more)
		return;
	gc_text_puts(&link, "<");
	gc_next_page(&link, request->path, &request->values, request->rows);
	gc_text_puts(&link, ">; rel=\"next\"");
	if (link.len <= LINK_BYTES_MAX)
		add_header(response, "Link", link.ptr);
	gc_text_done(&link);
}

static void add_headers(struct MHD_Response *response, struct gc_request *request)
{
	add_header(response, "Content-Type", request->content_type);
	add_header(response, "Cache-Control", *request->etag ? "private, no-cache" : "no-store");
	add_header(response, "ETag", request->etag);
	add_header(response, "Content-Encoding", is_zipped(request) ? "gzip" : NULL);
	add_disposition(response, request);
	add_next_page(response, request);
	add_header(response, "X-Content-Type-Options", "nosniff");
	add_header(response, "Vary", is_api(request) ? "Accept, Accept-Encoding, Authorization" : NULL);
	add_header(response, "X-Cube-More", request->rows < 0 ? NULL : request->has_more ? "true" : "false");
	add_header(response, "WWW-Authenticate", request->status == 401 ? "Bearer realm=\"gracecube\"" : NULL);
	add_header(response, "Allow", request->status == 405 ? gc_route_methods(request->route) : NULL);
	add_header(response, "Retry-After", request->status == 503 || request->status == 429 ? "1" : NULL);
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

/* If-None-Match: "*", or a list in which the tag stands; weak and strong tags are equal here (RFC 9110, 13.1.2). */
static bool is_known_to_client(const struct gc_request *request, const char *etag)
{
	const char *known = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "If-None-Match");

	return known && (strcmp(known, "*") == 0 || strstr(known, strchr(etag, '"')));
}

static bool is_unchanged(const struct gc_request *request)
{
	return !request->mcp.message && request->status == 200 && *request->etag && is_known_to_client(request, request->etag);
}

static void make_unchanged(struct gc_request *request)
{
	gc_shared_drop(request->shared);
	gc_shared_drop(request->zipped);
	request->shared = request->zipped = NULL;
	gc_text_done(&request->body);
	request->status = 304;
}

static void note_bytes(struct gc_request *request, size_t bytes)
{
	request->bytes = strcmp(request->method, MHD_HTTP_METHOD_HEAD) == 0 ? 0 : (int64_t)bytes;
}

static struct MHD_Response *make_stream(struct gc_request *request)
{
	enum gc_limit limit;
	struct MHD_Response *response = gc_events_stream(request->serve->events, request, &limit);

	if (!response) {
		request->is_stream = false;
		atomic_fetch_add(&request->serve->counters.limited[limit], 1);
		if (limit == GC_LIMIT_TOKEN_STREAMS)
			gc_request_fail(request, 429, "This token has too many event streams open already.");
		else
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
	struct gc_shared *shared = is_zipped(request) ? request->zipped : request->shared;

	if (!response && shared) {
		response = MHD_create_response_from_buffer_with_free_callback_cls(shared->text.len, shared->text.ptr,
										  gc_shared_drop, gc_shared_hold(shared));
		if (!response)
			gc_shared_drop(shared);
		note_bytes(request, shared->text.len);
	} else if (!response) {
		note_bytes(request, request->body.len);
		response = MHD_create_response_from_buffer_with_free_callback(request->body.len, request->body.ptr, free);
		if (response) /* it has the body now */
			request->body = (struct gc_text){ NULL, 0, 0 };
	}
	return response;
}

enum MHD_Result gc_send_answer(struct gc_request *request)
{
	struct MHD_Response *response;
	bool is_call = request->mcp.tool;

	if (is_call) { /* the audit has what the route answered, not what is made of it */
		gc_audit_put(request->serve->audit, request);
		gc_mcp_finish_call(request);
	}
	if (is_unchanged(request))
		make_unchanged(request);
	response = make_response(request);
	gc_connections_expect(request->serve, request->connection, request->is_stream ? GC_EXPECT_NOTHING : GC_EXPECT_TAKING);
	if (!is_call && (is_api(request) || is_mcp(request)))
		gc_audit_put(request->serve->audit, request);
	if (response)
		add_headers(response, request);
	return queue(request, response);
}

/* ---- the dashboard's files, and probes ---- */

enum MHD_Result gc_send_asset(struct gc_request *request)
{
	const struct gc_asset *asset = gc_asset_find(request->part ? request->part : "index.html");
	struct MHD_Response *response;
	bool is_known;

	if (!asset) {
		gc_request_fail(request, 404, "There is no such file.");
		return gc_send_answer(request);
	}
	is_known = is_known_to_client(request, asset->etag);
	response = MHD_create_response_from_buffer(is_known ? 0 : asset->len, (void *)asset->bytes, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	request->status = is_known ? 304 : 200;
	note_bytes(request, is_known ? 0 : asset->len);
	gc_connections_expect(request->serve, request->connection, GC_EXPECT_TAKING);
	add_header(response, "Content-Type", is_known ? NULL : asset->content_type);
	add_header(response, "ETag", asset->etag);
	add_header(response, "Cache-Control", "no-cache"); /* asks each time, and is answered 304 */
	add_header(response, "Content-Security-Policy", content_policy);
	add_header(response, "X-Content-Type-Options", "nosniff");
	add_header(response, "Referrer-Policy", "no-referrer");
	return queue(request, response);
}

enum MHD_Result gc_send_probe(struct gc_request *request, bool is_good)
{
	request->status = is_good ? 200 : 503;
	request->content_type = GC_PROBE_TEXT;
	gc_text_puts(&request->body, is_good ? "ok\n" : gc_not_ready);
	return gc_send_answer(request);
}
