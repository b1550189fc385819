/* Routes: what the API answers, as one table (routes.c). Dispatch, the checks of parameters, 404, 405 and the OpenAPI document follow
 * from it. Nothing here asks the database.
 *
 * Threads: constants, and values that belong to one request.
 */
#ifndef GRACECUBE_HTTP_ROUTES_H
#define GRACECUBE_HTTP_ROUTES_H

#include "http/api/text.h"

enum gc_parameter_type {
	GC_PARAMETER_TEXT,
	GC_PARAMETER_INTEGER, /* min to max */
	GC_PARAMETER_TIME,    /* a date or RFC 3339 */
	GC_PARAMETER_CHOICE,
};

struct gc_parameter {
	const char *name;
	const char *meaning; /* one sentence */
	enum gc_parameter_type type;
	const char *pattern;        /* of a text: a regular expression that is the same for POSIX and ECMA */
	int64_t min, max;           /* max 0: serve.row_limit */
	const char *const *choices; /* ends with NULL */
	const char *initially;      /* when it is not given; NULL: nothing is asked of the database */
	const char *instead_of;     /* may not be given together with this one */
	bool is_form;               /* of the answer's form, not of what is asked */
};

/* How a parameter narrows the rows: an SQL condition in which $ is its value. NULL: the route's own SQL names it, ":tier". */
struct gc_filter {
	const struct gc_parameter *parameter; /* NULL ends the list */
	const char *condition;
};

/* From less to more; each may what the ones before may. */
enum gc_access { GC_ACCESS_ANYBODY, GC_ACCESS_VIEWER, GC_ACCESS_ANALYST, GC_ACCESS_OPERATOR };
extern const char *const gc_access_names[]; /* "anybody", "viewer", "analyst", "operator"; ends with NULL */

enum gc_answer {
	GC_ANSWER_ROWS,
	GC_ANSWER_ROW, /* rows, and 404 when there is none */
	GC_ANSWER_ME,
	GC_ANSWER_EVENTS,
	GC_ANSWER_OPENAPI,
	GC_ANSWER_MCP, /* http/api/mcp.h */
	GC_ANSWER_LIVE,
	GC_ANSWER_READY,
	GC_ANSWER_ASSET, /* a file of sinks/http/dashboard */
};

struct gc_route {
	const char *path; /* "{name}" stands for the rest, or for what is before the text behind it */
	enum gc_answer answer;
	enum gc_access access;
	const char *summary;
	const char *view;                /* its comments describe the columns; with sql NULL its rows are the answer */
	const char *sql;                 /* without WHERE when there are conditions; ":name" is a parameter's value */
	const struct gc_filter *filters; /* NULL: none */
	const char *order;               /* ORDER BY */
	int64_t limit; /* rows when no limit is asked for, but for a file; 0: serve.row_limit; or GC_LIMITS_ITSELF */
};

/* As a route's limit: its SQL takes :limit, and its rows are not cut into pages. */
#define GC_LIMITS_ITSELF (-1)

/* In the order in which they are tried; ends with a NULL path. */
extern const struct gc_route gc_routes[];
/* What every route with rows takes: format, limit, offset, bom; and what one takes that limits itself: format, bom. */
extern const struct gc_filter gc_common_filters[], gc_form_filters[];

/* The route of a path, NULL when there is none; *ret_part is what stood for "{name}", in `path`. */
const struct gc_route *gc_route_find(const char *path, struct gc_span *ret_part);
/* "GET, HEAD", or "POST". */
const char *gc_route_methods(const struct gc_route *route);
/* "contract_id" of "/api/cube/executions/{contract_id}"; empty when there is none. */
struct gc_span gc_route_part(const struct gc_route *route);

/* ---- parameters.c: checks ---- */

/* An answer that is no 200: RFC 9457. */
struct gc_problem {
	int status;
	char detail[400];
	char parameter[64]; /* "" when it is about none */
	char allowed[400];  /* likewise */
};
/* Fills it; returns false, so that a check can `return gc_problem_set(…)`. */
bool gc_problem_set(struct gc_problem *problem, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define GC_VALUES_MAX 24
struct gc_values {
	struct gc_given {
		const struct gc_parameter *parameter;
		char *text; /* as the database reads it */
		bool is_default;
	} items[GC_VALUES_MAX];
	size_t count;
	int64_t row_limit; /* serve.row_limit, the largest limit */
	bool wants_all;    /* row_limit is also the limit when none is asked for: a file is whole */
};

/* One parameter as it was given. False with what is allowed. */
bool gc_values_put(struct gc_values *values, const struct gc_route *route, struct gc_span name, struct gc_span value,
		   struct gc_problem *problem);
/* After the last: what excludes each other, and defaults. */
bool gc_values_finish(struct gc_values *values, const struct gc_route *route, struct gc_problem *problem);
/* NULL when it was not given and has no default. */
const char *gc_values_get(const struct gc_values *values, const char *name);
void gc_values_done(struct gc_values *values);
/* The n-th parameter of a route, its own first and then the common ones; NULL behind the last. */
const struct gc_filter *gc_route_filter(const struct gc_route *route, size_t n);

/* Where the rows go on behind `rows` of them: the same path and parameters with another offset, as an address. */
void gc_next_page(struct gc_text *address, const char *path, const struct gc_values *values, int64_t rows);

/* ---- query.c: SQL ---- */

struct gc_query {
	char *sql;                         /* made of constants only: what a client says is always a parameter */
	const char *values[GC_VALUES_MAX]; /* borrowed: of what gc_query_make() was given */
	int count;
	int64_t limit; /* rows wanted; the query asks for one more, to tell whether there are more */
};
void gc_query_make(struct gc_query *query, const struct gc_route *route, const struct gc_values *values, const char *part);
void gc_query_done(struct gc_query *query);

#endif
