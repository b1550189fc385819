/* POST /mcp: a message becomes a request for the route of the tool that it calls, with the same token, queue, rights and audit, and the answer goes
 * back as the tool's result. See http/api/mcp.h.
 *
 * What concerns HTTP is a status of HTTP: 401, 403 of an origin, 400 of what is no message. What a tool refuses, a role or a tier that a token does
 * not have among it, is its result, in words.
 * Threads: the HTTP thread.
 */
#include "http/server/server.h"

#include <gracecube/arena.h>

static const char *header_of(const struct gc_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static void begin_call(struct gc_request *request)
{
	request->route = request->mcp.route;
	gc_mcp_put_arguments(&request->mcp, &request->values, &request->part, &request->problem);
	gc_mcp_put_call(&request->mcp, &request->parameters);
}

bool gc_mcp_begin(struct gc_request *request)
{
	const char *origin = header_of(request, "Origin"), *revision = header_of(request, "MCP-Protocol-Version");

	if (origin && !gc_mcp_may_come_from(origin))
		gc_request_fail(request, 403, "Pages of other hosts may not ask here; programs send no Origin.");
	else if (!request->has_token)
		gc_request_fail(request, 401, "A token is needed: Authorization: Bearer …");
	else if (revision && !gc_mcp_speaks(revision))
		gc_request_fail(request, 400, "This server does not speak the revision %.40s of MCP; it speaks %s and older ones.",
				revision, gc_mcp_revisions[0]);
	else if (!gc_mcp_read(&request->mcp, (struct gc_span){ request->sent.ptr, request->sent.len }, &request->problem))
		gc_request_refuse(request, &request->problem);
	if (request->status)
		return false;
	if (request->mcp.tool)
		begin_call(request);
	else if (request->mcp.method)
		gc_text_printf(&request->parameters, "method=%.60s", request->mcp.method);
	return true;
}

/* 202: it was taken, and nothing is answered. */
enum gc_verdict gc_mcp_answer_message(struct gc_request *request, struct gc_database *db, struct gc_err *err)
{
	(void)db;
	(void)err;
	gc_mcp_answer(&request->mcp, request->serve->config.serve_row_limit, &request->body);
	request->status = request->body.len ? 200 : 202;
	request->content_type = request->body.len ? "application/json" : NULL;
	return GC_OK;
}

void gc_mcp_finish_call(struct gc_request *request)
{
	const struct gc_text *body = request->shared ? &request->shared->text : &request->body;
	const struct gc_mcp_rows rows = { .body = { body->ptr, body->len },
					  .status = request->status,
					  .as_of = request->as_of,
					  .records = request->records,
					  .has_more = request->has_more };
	struct gc_text answer = { NULL, 0, 0 };
	struct gc_span part;

	request->route = gc_route_find(request->path, &part);
	if (request->status == 401)
		return;
	gc_mcp_put_rows(&request->mcp, &rows, &answer);
	gc_shared_drop(request->shared);
	gc_shared_drop(request->zipped);
	gc_text_done(&request->body);
	request->shared = request->zipped = NULL;
	request->body = answer;
	request->etag[0] = '\0';
	request->status = 200;
	request->content_type = "application/json";
	request->rows = -1;
	request->has_more = false;
}
