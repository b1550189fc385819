/* The Model Context Protocol (modelcontextprotocol.io, revision 2025-06-18), by which agents ask: messages of JSON-RPC 2.0, and tools. A tool is a
 * route under another name: its parameters, rights and rows are the route's, so an agent is told what a page is told. One message a request, and
 * nothing is remembered between them.
 *
 * Threads: a message belongs to one request.
 */
#ifndef GRACECUBE_HTTP_MCP_H
#define GRACECUBE_HTTP_MCP_H

#include "http/api/routes.h"
#include "http/api/text.h"

#include <jansson.h>

struct gc_tool {
	const char *name, *title, *about;
	const char *path; /* of the route that answers */
};
extern const struct gc_tool gc_tools[]; /* ends with a NULL name */

struct gc_mcp {
	json_t *message;            /* NULL: there is none */
	const char *method;         /* NULL: it is an answer to something */
	json_t *id;                 /* NULL: it wants no answer */
	const struct gc_tool *tool; /* that it calls; NULL: none that there is */
	const struct gc_route *route;
};

/* What a tool answered, as the route did. */
struct gc_mcp_rows {
	struct gc_span body; /* rows, or a problem */
	int status;
	const char *as_of, *records;
	bool has_more;
};

/* The revisions that are spoken, the newest first; ends with NULL. */
extern const char *const gc_mcp_revisions[];
bool gc_mcp_speaks(const char *revision);
/* Pages of other hosts may not ask: a name of theirs may have been made to mean this machine. Programs send no origin. */
bool gc_mcp_may_come_from(const char *origin);

/* False with a problem when it is no message. */
bool gc_mcp_read(struct gc_mcp *mcp, struct gc_span text, struct gc_problem *problem);
void gc_mcp_done(struct gc_mcp *mcp);
/* The arguments of a call as the route's parameters; *ret_part is what stands for the part of its path. False with what is wrong. */
bool gc_mcp_put_arguments(const struct gc_mcp *mcp, struct gc_values *values, char **ret_part, struct gc_problem *problem);
/* The call as a query has it, for audit and log: tool=query_metric&name=errors&by=severity. */
void gc_mcp_put_call(const struct gc_mcp *mcp, struct gc_text *query);
/* What is answered to all but calls of tools. Nothing when nothing is wanted. */
void gc_mcp_answer(const struct gc_mcp *mcp, int64_t row_limit, struct gc_text *answer);
/* What is answered to a call. */
void gc_mcp_put_rows(const struct gc_mcp *mcp, const struct gc_mcp_rows *rows, struct gc_text *answer);

#endif
