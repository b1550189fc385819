/* The access log (serve.access_log): one line a request, when it is over, in the form of all other lines (log.format) and whatever
 * log.level is. No token is in it, also where somebody wrote one into the address.
 *
 * Threads: the HTTP thread.
 */
#include "http/server/server.h"

#include <stdio.h>

#define TEXT_BYTES_MAX 1000

/* Short, and without secrets. */
static const char *shown(const char *text, char buffer[TEXT_BYTES_MAX + 1])
{
	snprintf(buffer, TEXT_BYTES_MAX + 1, "%s", text ? text : "");
	gc_token_mask(buffer, strlen(buffer));
	return buffer;
}

void gc_access_log(const struct gc_request *request, bool is_whole)
{
	char path[TEXT_BYTES_MAX + 1], query[TEXT_BYTES_MAX + 1];
	const struct gc_log_field fields[] = {
		GC_S("method", request->method),
		GC_S("route", request->route ? request->route->path : "other"),
		GC_S("path", shown(request->path, path)),
		GC_S("query", shown(request->parameters.ptr, query)),
		GC_I("status", request->status),
		GC_I("bytes", request->bytes),
		GC_R("took_ms", (double)(gc_monotonic_us() - request->started_us) / 1000),
		GC_S("token", request->token_name),
		GC_S("remote", request->remote),
		GC_S("end", is_whole ? "whole" : "broken off"),
	};

	gc_log_write(GC_LOG_INFO, "request", fields, sizeof(fields) / sizeof(fields[0]));
}
