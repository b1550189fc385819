/* What the rows of each route are, for the OpenAPI document: names and types from prepared statements, meanings from the comments on the
 * views, so that the document cannot drift from the cube.
 * Threads: any of the pool's, with its own connection.
 */
#include "http/api/openapi.h"
#include "http/server/server.h"

/* view, column, comment; on the view itself the column is empty */
static const char comments_sql[] =
	"SELECT c.relname, coalesce(a.attname, ''), CASE WHEN a.attnum IS NULL THEN obj_description(c.oid, 'pg_class')"
	" ELSE col_description(c.oid, a.attnum) END"
	" FROM pg_class c CROSS JOIN LATERAL (SELECT attname, attnum FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 UNION ALL SELECT NULL, NULL) a"
	" WHERE c.relnamespace = 'cube'::regnamespace AND c.relkind = 'v'";

static const char *find_comment(const PGresult *comments, const char *view, const char *column)
{
	for (int row = 0; view && row < PQntuples(comments); row++) {
		if (strcmp(PQgetvalue(comments, row, 0), view) == 0 && strcmp(PQgetvalue(comments, row, 1), column) == 0)
			return PQgetvalue(comments, row, 2);
	}
	return NULL;
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
	result = PQprepare(db->pg->conn, "", gc_pg_sql(db->pg, query.sql), 0, NULL);
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

static enum gc_verdict add_route(json_t *document, const struct gc_route *route, struct gc_database *db, const PGresult *comments,
				 struct gc_err *err)
{
	json_t *columns = NULL;
	PGresult *description = NULL;

	if (gc_openapi_has_rows(route)) {
		if (describe(db, route, &description, err) != GC_OK)
			return err->verdict;
		columns = json_object();
		for (int column = 0; column < PQnfields(description); column++)
			gc_openapi_add_column(columns, PQfname(description, column), gc_database_cell(description, column),
					      find_comment(comments, route->view, PQfname(description, column)));
		PQclear(description);
	}
	gc_openapi_add_route(document, route, columns, find_comment(comments, route->view, ""), &db->serve->config);
	return GC_OK;
}

enum gc_verdict gc_describe_api(struct gc_text *text, struct gc_database *db, struct gc_err *err)
{
	PGresult *comments = NULL;
	enum gc_verdict verdict = gc_database_ask(db, comments_sql, NULL, 0, &comments, err);
	json_t *document;

	if (verdict != GC_OK)
		return verdict;
	document = gc_openapi_new();
	for (const struct gc_route *route = gc_routes; route->path && verdict == GC_OK; route++) {
		if (gc_openapi_has(route))
			verdict = add_route(document, route, db, comments, err);
	}
	if (verdict == GC_OK)
		gc_openapi_put(document, text);
	json_decref(document);
	PQclear(comments);
	return verdict;
}
