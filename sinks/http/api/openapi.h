/* The OpenAPI 3.1 document, from the table of routes. Which columns a route's rows have, and what they mean, the caller tells, who asks
 * the database.
 *
 * Threads: a document belongs to one thread.
 */
#ifndef GRACECUBE_HTTP_OPENAPI_H
#define GRACECUBE_HTTP_OPENAPI_H

#include "http/api/routes.h"
#include "http/api/text.h"

#include <gracecube/config.h>
#include <jansson.h>

/* Without paths; json_decref() it. */
json_t *gc_openapi_new(void);
/* A parameter as a JSON schema. */
json_t *gc_openapi_schema(const struct gc_parameter *parameter, int64_t row_limit);
/* Routes that need no token are left out, and what describes itself. */
bool gc_openapi_has(const struct gc_route *route);
/* Are the route's answers rows? */
bool gc_openapi_has_rows(const struct gc_route *route);
/* Takes `columns`, to which gc_openapi_add_column() has added those of the rows; NULL where it has no rows. `meaning` is the view's; NULL: none. */
void gc_openapi_add_route(json_t *document, const struct gc_route *route, json_t *columns, const char *meaning,
			  const struct gc_config *config);
/* `meaning` may be NULL. */
void gc_openapi_add_column(json_t *columns, const char *name, enum gc_cell cell, const char *meaning);
/* On one line. */
void gc_openapi_put(const json_t *document, struct gc_text *text);

#endif
