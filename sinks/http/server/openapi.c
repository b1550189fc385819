/* The OpenAPI 3.1 document: routes and parameters from the table of routes, columns and their meanings from the database, so that neither
 * can drift.
 * Threads: any of the pool's, with its own connection.
 */
#include "http/server/server.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- small JSON ---- */

static void put_pair(struct gc_text *text, const char *name, const char *value)
{
	gc_text_printf(text, "\"%s\":", name);
	gc_json_put_text(text, gc_span_of(value));
}

static void put_all(struct gc_text *text, const char *const *items)
{
	for (const char *const *item = items; *item; item++) {
		gc_text_puts(text, item == items ? "" : ",");
		gc_json_put_text(text, gc_span_of(*item));
	}
}

/* ---- parameters ---- */

static void put_schema(struct gc_text *text, const struct gc_parameter *parameter, int64_t row_limit)
{
	gc_text_puts(text, "\"schema\":{");
	switch (parameter->type) {
	case GC_PARAMETER_INTEGER:
		gc_text_printf(text, "\"type\":\"integer\",\"minimum\":%" PRId64 ",\"maximum\":%" PRId64, parameter->min,
			       parameter->max ? parameter->max : row_limit);
		if (parameter->initially)
			gc_text_printf(text, ",\"default\":%s", parameter->initially);
		break;
	case GC_PARAMETER_CHOICE:
		gc_text_puts(text, "\"type\":\"string\",\"enum\":[");
		put_all(text, parameter->choices);
		gc_text_puts(text, "]");
		break;
	case GC_PARAMETER_TIME:
		gc_text_puts(text, "\"type\":\"string\",\"examples\":[\"2026-11-05\",\"2026-11-05T10:17:30Z\"]");
		break;
	case GC_PARAMETER_TEXT:
		gc_text_puts(text, "\"type\":\"string\",\"minLength\":1");
		if (parameter->pattern) {
			gc_text_puts(text, ",");
			put_pair(text, "pattern", parameter->pattern);
		}
		break;
	}
	gc_text_puts(text, "}");
}

static void put_parameters(struct gc_text *text, const struct gc_route *route, int64_t row_limit)
{
	struct gc_span part = gc_route_part(route);
	const struct gc_filter *filter;

	gc_text_puts(text, "\"parameters\":[");
	if (part.ptr)
		gc_text_printf(text, "{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}",
			       (int)part.len, part.ptr);
	for (size_t n = 0; (filter = gc_route_filter(route, n)); n++) {
		gc_text_puts(text, n || part.ptr ? ",{" : "{");
		put_pair(text, "name", filter->parameter->name);
		gc_text_puts(text, ",\"in\":\"query\",");
		put_pair(text, "description", filter->parameter->meaning);
		gc_text_puts(text, ",");
		put_schema(text, filter->parameter, row_limit);
		gc_text_puts(text, "}");
	}
	gc_text_puts(text, "]");
}

/* ---- columns ---- */

static const char *const schemas[] = {
	[GC_CELL_TEXT] = "\"type\":[\"string\",\"null\"]",
	[GC_CELL_INTEGER] = "\"type\":[\"integer\",\"null\"]",
	[GC_CELL_NUMBER] = "\"type\":[\"number\",\"null\"]",
	[GC_CELL_BOOLEAN] = "\"type\":[\"boolean\",\"null\"]",
	[GC_CELL_DATE] = "\"type\":[\"string\",\"null\"],\"format\":\"date\"",
	[GC_CELL_TIME] = "\"type\":[\"string\",\"null\"],\"format\":\"date-time\"",
	[GC_CELL_JSON] = "\"description\":\"any JSON\"",
};

/* view, column, comment */
static const char comments_sql[] =
	"SELECT c.relname, a.attname, col_description(c.oid, a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
	" WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind = 'v'";

static const char *find_comment(const PGresult *comments, const char *view, const char *column)
{
	for (int row = 0; view && row < PQntuples(comments); row++) {
		if (strcmp(PQgetvalue(comments, row, 0), view) == 0 && strcmp(PQgetvalue(comments, row, 1), column) == 0)
			return PQgetvalue(comments, row, 2);
	}
	return NULL;
}

static void put_columns(struct gc_text *text, const PGresult *description, const char *view, const PGresult *comments)
{
	gc_text_puts(text, "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{");
	for (int column = 0; column < PQnfields(description); column++) {
		const char *name = PQfname(description, column), *comment = find_comment(comments, view, name);

		gc_text_puts(text, column ? "," : "");
		gc_json_put_text(text, gc_span_of(name));
		gc_text_printf(text, ":{%s", schemas[gc_database_cell(description, column)]);
		if (comment) {
			gc_text_puts(text, ",");
			put_pair(text, "description", comment);
		}
		gc_text_puts(text, "}");
	}
	gc_text_puts(text, "}}}");
}

/* What the route's statement returns. It is prepared, not run. */
static enum gc_verdict describe(struct gc_database *db, const struct gc_route *route, PGresult **ret_description,
				struct gc_err *err)
{
	struct gc_values values = { .row_limit = 1 };
	struct gc_query query;
	PGresult *result;
	enum gc_verdict verdict = GC_OK;

	gc_query_make(&query, route, &values, NULL);
	result = PQprepare(db->pg->conn, "", query.sql, 0, NULL);
	gc_query_done(&query);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		verdict = gc_pg_fail(db->pg, result, route->path, err);
	PQclear(result);
	if (verdict != GC_OK)
		return verdict;
	result = PQdescribePrepared(db->pg->conn, "");
	if (PQresultStatus(result) != PGRES_COMMAND_OK) {
		verdict = gc_pg_fail(db->pg, result, route->path, err);
		PQclear(result);
		return verdict;
	}
	*ret_description = result;
	return GC_OK;
}

/* ---- answers ---- */

static bool has_rows(const struct gc_route *route)
{
	return route->answer == GC_ANSWER_ROWS || route->answer == GC_ANSWER_ROW;
}

static void put_problems(struct gc_text *text, const struct gc_route *route)
{
	static const struct {
		int status;
		const char *when;
	} problems[] = { { 401, "No token, or none that is valid." },
			 { 403, "The token's role or tier does not reach this." },
			 { 404, "There is no such record." },
			 { 422, "A parameter is unknown or not allowed." },
			 { 429, "Too many requests or event streams of this token wait or are open already." },
			 { 503, "The database does not answer, or not in time." } };

	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		if (problems[i].status == 404 && route->answer != GC_ANSWER_ROW)
			continue;
		gc_text_printf(
			text,
			",\"%d\":{\"description\":\"%s\",\"content\":{\"application/problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}}",
			problems[i].status, problems[i].when);
	}
}

static const char as_of_header[] =
	"\"headers\":{\"ETag\":{\"schema\":{\"type\":\"string\"}},\"X-Cube-As-Of\":{\"$ref\":\"#/components/headers/AsOf\"},"
	"\"X-Cube-Records\":{\"$ref\":\"#/components/headers/Records\"}},";

static enum gc_verdict put_rows_answer(struct gc_text *text, const struct gc_route *route, struct gc_database *db,
				       const PGresult *comments, struct gc_err *err)
{
	PGresult *description = NULL;
	enum gc_verdict verdict = describe(db, route, &description, err);

	if (verdict != GC_OK)
		return verdict;
	gc_text_printf(text, "\"200\":{\"description\":\"Rows.\",%s\"content\":{\"application/json\":{\"schema\":", as_of_header);
	put_columns(text, description, route->view, comments);
	gc_text_puts(text, "},\"text/csv\":{\"schema\":{\"type\":\"string\"}}}}");
	PQclear(description);
	return GC_OK;
}

static void put_other_answer(struct gc_text *text, const struct gc_route *route)
{
	const char *type = route->answer == GC_ANSWER_EVENTS ? "text/event-stream" : "application/json";

	gc_text_printf(text, "\"200\":{\"description\":\"The answer.\",%s\"content\":{\"%s\":{\"schema\":{\"type\":\"%s\"}}}}",
		       as_of_header, type, route->answer == GC_ANSWER_EVENTS ? "string" : "object");
}

/* "/api/cube/executions/{contract_id}/timeline" → "executions_contract_id_timeline" */
static void put_operation_id(struct gc_text *text, const char *path)
{
	char id[100];
	size_t len = 0;

	path += strncmp(path, "/api/", 5) == 0 ? 5 : 1;
	path += strncmp(path, "cube/", 5) == 0 ? 5 : 0;
	for (; *path && len + 1 < sizeof(id); path++) {
		if (*path != '{' && *path != '}')
			id[len++] = (char)(strchr("/-.", *path) ? '_' : *path);
	}
	id[len] = '\0';
	put_pair(text, "operationId", id);
}

static enum gc_verdict put_route(struct gc_text *text, const struct gc_route *route, const struct gc_serve *serve,
				 struct gc_database *db, const PGresult *comments, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	gc_json_put_text(text, gc_span_of(route->path));
	gc_text_puts(text, ":{\"get\":{");
	put_operation_id(text, route->path);
	gc_text_puts(text, ",");
	put_pair(text, "summary", route->summary);
	gc_text_printf(text, ",\"description\":\"Needs a token with the role %s or more.%s%s%s\",", gc_access_names[route->access],
		       route->view ? " The same in SQL: cube." : "", route->view ? route->view : "", route->view ? "." : "");
	put_parameters(text, route, serve->config.serve_row_limit);
	gc_text_puts(text, ",\"responses\":{");
	if (has_rows(route))
		verdict = put_rows_answer(text, route, db, comments, err);
	else
		put_other_answer(text, route);
	put_problems(text, route);
	gc_text_puts(text, "}}}");
	return verdict;
}

static const char head[] =
	"{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"gracecube\",\"version\":\"" GRACECUBE_VERSION "\","
	"\"description\":\"The Grace Data Cube. Every answer says by X-Cube-As-Of and X-Cube-Records which commit it is of.\"},"
	"\"servers\":[{\"url\":\"/\"}],\"security\":[{\"token\":[]}],"
	"\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"}},"
	"\"headers\":{\"AsOf\":{\"description\":\"The newest commit that the answer holds.\",\"schema\":{\"type\":\"string\",\"format\":\"date-time\"}},"
	"\"Records\":{\"description\":\"How many records the cube of the answer accounts for; it grows with every commit, so answers with the same "
	"number are of the same commit.\",\"schema\":{\"type\":\"integer\"}}},"
	"\"schemas\":{\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\"],\"properties\":{\"type\":{\"type\":\"string\"},"
	"\"title\":{\"type\":\"string\"},\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},\"parameter\":{\"type\":\"string\"},"
	"\"allowed\":{\"type\":\"string\"}}}}},\"paths\":{";

static bool is_documented(const struct gc_route *route)
{
	return route->access != GC_ACCESS_ANYBODY;
}

enum gc_verdict gc_openapi_make(struct gc_text *text, const struct gc_serve *serve, struct gc_database *db, struct gc_err *err)
{
	PGresult *comments = NULL;
	enum gc_verdict verdict = gc_database_ask(db, comments_sql, NULL, 0, &comments, err);
	const char *between = "\n";

	if (verdict != GC_OK)
		return verdict;
	gc_text_puts(text, head);
	for (const struct gc_route *route = gc_routes; route->path && verdict == GC_OK; route++) {
		if (!is_documented(route))
			continue;
		gc_text_puts(text, between);
		verdict = put_route(text, route, serve, db, comments, err);
		between = ",\n";
	}
	gc_text_puts(text, "\n}}\n");
	PQclear(comments);
	return verdict;
}
