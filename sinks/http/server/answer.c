/* Answers: from a checked request to a status and a body. Threads: those of the pool. */
#include "http/server/server.h"

#include <gracecube/arena.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char type_of_json[] = "application/json", type_of_csv[] = "text/csv; charset=utf-8; header=present";

/* Smaller ones are not worth the time: they fill a few packets. */
#define GZIP_BYTES_MIN 4096

/* ---- rows ---- */

/* What stands before a column's values, and what they are: made once an answer, used in each of its thousands of rows. */
struct column {
	struct gc_text before;
	enum gc_cell cell;
};

static struct column *make_columns(const PGresult *result)
{
	struct column *columns = gc_calloc((size_t)PQnfields(result) + 1, sizeof(*columns));

	for (int i = 0; i < PQnfields(result); i++) {
		gc_text_puts(&columns[i].before, i ? "," : "{");
		gc_json_put_text(&columns[i].before, gc_span_of(PQfname(result, i)));
		gc_text_puts(&columns[i].before, ":");
		columns[i].cell = gc_database_cell(result, i);
	}
	return columns;
}

static void free_columns(struct column *columns, int count)
{
	for (int i = 0; i < count; i++)
		gc_text_done(&columns[i].before);
	free(columns);
}

static const char *cell(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

static void put_json_row(struct gc_text *body, const PGresult *result, const struct column *columns, int count, int row)
{
	for (int i = 0; i < count; i++) {
		gc_text_add(body, (struct gc_span){ columns[i].before.ptr, columns[i].before.len });
		gc_json_put_cell(body, columns[i].cell, cell(result, row, i));
	}
}

static void put_json(struct gc_text *body, const PGresult *result, const struct column *columns, int count, int rows)
{
	gc_text_puts(body, "[\n");
	for (int row = 0; row < rows; row++) {
		put_json_row(body, result, columns, count, row);
		gc_text_puts(body, row + 1 < rows ? "},\n" : "}\n");
	}
	gc_text_puts(body, "]\n");
}

/* A metric's dimensions are an object in JSON; in CSV each has a column. `dimensions` NULL: their names. */
static void put_members(struct gc_text *body, const char *by, const char *dimensions)
{
	json_t *members = dimensions ? json_loads(dimensions, 0, NULL) : NULL;
	struct gc_span rest = gc_span_of(by), name;

	while (gc_span_next_item(&rest, ',', &name)) {
		char text[80];

		snprintf(text, sizeof(text), "%.*s", (int)name.len, name.ptr);
		gc_text_puts(body, ",");
		gc_csv_put_cell(body, GC_CELL_TEXT, dimensions ? json_string_value(json_object_get(members, text)) : text);
	}
	json_decref(members);
}

/* Row -1 is the names. */
static void put_csv_row(struct gc_text *body, const PGresult *result, const struct column *columns, int count, int row,
			const char *by)
{
	for (int i = 0; i < count; i++) {
		if (by && strcmp(PQfname(result, i), "dimensions") == 0) {
			put_members(body, by, row < 0 ? NULL : cell(result, row, i));
			continue;
		}
		gc_text_puts(body, i ? "," : "");
		if (row < 0)
			gc_csv_put_cell(body, GC_CELL_TEXT, PQfname(result, i));
		else
			gc_csv_put_cell(body, columns[i].cell, cell(result, row, i));
	}
	gc_text_puts(body, "\r\n");
}

static void put_csv(struct gc_text *body, const PGresult *result, const struct column *columns, int count, int rows,
		    const struct gc_values *values)
{
	const char *bom = gc_values_get(values, "bom"), *by = gc_values_get(values, "by");

	gc_text_puts(body, bom && strcmp(bom, "true") == 0 ? "\xEF\xBB\xBF" : "");
	for (int row = -1; row < rows; row++)
		put_csv_row(body, result, columns, count, row, by);
}

static void put_rows(struct gc_request *request, const PGresult *result, int64_t limit)
{
	int rows = PQntuples(result), count = PQnfields(result);
	struct column *columns = make_columns(result);

	request->has_more = rows > limit;
	if (request->has_more)
		rows = (int)limit;
	request->rows = rows;
	request->status = 200;
	request->content_type = request->wants_csv ? type_of_csv : type_of_json;
	if (request->wants_csv)
		put_csv(&request->body, result, columns, count, rows, &request->values);
	else
		put_json(&request->body, result, columns, count, rows);
	free_columns(columns, count);
}

static enum gc_verdict answer_rows(struct gc_request *request, struct gc_database *db, struct gc_err *err)
{
	struct gc_query query;
	struct gc_rows rows = { .result = NULL };
	const char *tier = *request->token_tier ? request->token_tier : NULL;
	enum gc_verdict verdict;

	gc_query_make(&query, request->route, &request->values, request->part);
	verdict = gc_database_read(db, tier, request->route->access == GC_ACCESS_OPERATOR, &query, &rows, err);
	if (verdict == GC_OK) {
		memcpy(request->as_of, rows.as_of, sizeof(request->as_of));
		memcpy(request->records, rows.records, sizeof(request->records));
		gc_events_tell_as_of(request->serve->events, rows.as_of);
		if (request->route->answer == GC_ANSWER_ROW && PQntuples(rows.result) == 0)
			gc_request_fail(request, 404, "There is no such record, or this token may not see it.");
		else
			put_rows(request, rows.result, query.limit);
		PQclear(rows.result);
	}
	gc_query_done(&query);
	return verdict;
}

/* ---- the others ---- */

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

static enum gc_verdict answer_me(struct gc_request *request, struct gc_database *db, struct gc_err *err)
{
	(void)db;
	(void)err;
	gc_json_put_member(&request->body, "name", or_null(request->token_name));
	gc_json_put_member(&request->body, "role", or_null(request->token_role));
	gc_json_put_member(&request->body, "highest_tier", or_null(request->token_tier));
	gc_json_put_member(&request->body, "expires_at", or_null(request->token_expires));
	gc_text_puts(&request->body, "}\n");
	request->status = 200;
	request->content_type = type_of_json;
	return GC_OK;
}

/* The same for everybody and for as long as the schema stays: the database is asked once a connection, which takes 50 statements. */
static enum gc_verdict answer_openapi(struct gc_request *request, struct gc_database *db, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	if (!db->openapi.len)
		verdict = gc_describe_api(&db->openapi, db, err);
	if (verdict != GC_OK)
		return verdict;
	gc_text_add(&request->body, (struct gc_span){ db->openapi.ptr, db->openapi.len });
	request->status = 200;
	request->content_type = type_of_json;
	return GC_OK;
}

/* The HTTP thread makes the stream of it. */
static enum gc_verdict answer_events(struct gc_request *request, struct gc_database *db, struct gc_err *err)
{
	(void)db;
	(void)err;
	request->status = 200;
	request->is_stream = true;
	return GC_OK;
}

static enum gc_verdict (*const answers[])(struct gc_request *request, struct gc_database *db, struct gc_err *err) = {
	[GC_ANSWER_ROWS] = answer_rows,     [GC_ANSWER_ROW] = answer_rows,        [GC_ANSWER_ME] = answer_me,
	[GC_ANSWER_EVENTS] = answer_events, [GC_ANSWER_OPENAPI] = answer_openapi, [GC_ANSWER_MCP] = gc_mcp_answer_message,
};

/* ---- failures ---- */

/* By how the code begins, an SQLSTATE or one of ours; the first row that fits decides. What the database said goes to the log only, but for our
 * own sentences about a question (cube.refuse_metric). */
static const struct {
	const char *code;
	int status;
	const char *detail; /* NULL: what the database said */
} failures[] = {
	{ "GC022", 422, NULL },
	{ "GC404", 404, NULL },
	{ "57014", 503, "The database took too long for this answer. Ask for less: a shorter time, or a limit." },
	{ "22", 422, "The database can not read one of the values." },
	{ "42", 500, "The question does not fit the cube. The server's log says more." },
	{ "", 503, "The database does not answer. It is tried again with every request." },
};

static void answer_failure(struct gc_request *request, struct gc_database *db, const struct gc_err *err)
{
	size_t i = 0;
	int64_t repeated;

	while (strncmp(err->code, failures[i].code, strlen(failures[i].code)) != 0)
		i++;
	gc_request_fail(request, failures[i].status, "%s", failures[i].detail ? failures[i].detail : err->text);
	if (failures[i].status >= 500 && gc_complain(&db->complaint, gc_monotonic_us(), &repeated))
		gc_warn("a request could not be answered", GC_S("path", request->path), GC_ERR_FIELDS(err),
			GC_I("repeated", repeated));
}

/* ---- those that ask the same ---- */

/* `answered` was the same query with the same rights, so they share its body: of a megabyte, twenty copies take longer than the query. */
static void share(struct gc_request *answered, struct gc_request *request)
{
	if (!answered->shared)
		answered->shared = gc_shared_new(&answered->body);
	request->shared = gc_shared_hold(answered->shared);
	if (answered->zipped)
		request->zipped = gc_shared_hold(answered->zipped);
	memcpy(request->etag, answered->etag, sizeof(request->etag));
	memcpy(request->as_of, answered->as_of, sizeof(request->as_of));
	memcpy(request->records, answered->records, sizeof(request->records));
	request->status = answered->status;
	request->content_type = answered->content_type;
	request->rows = answered->rows;
	request->has_more = answered->has_more;
	atomic_fetch_add(&request->serve->counters.shared, 1);
}

static bool has_same_rights(const struct gc_request *a, const struct gc_request *b)
{
	return strcmp(a->token_tier, b->token_tier) == 0;
}

/* Is there one among those that share this result? */
static bool somebody_takes_gzip(const struct gc_request *request)
{
	bool takes = request->accepts_gzip;

	for (const struct gc_request *other = request->next; other && !takes; other = other->next)
		takes = other->accepts_gzip && !other->status && has_same_rights(other, request);
	return takes;
}

/* The tag is of the bytes: a clock runs in some answers, so the commit does not tell whether they are the same. It is weak, because gzip
 * has other bytes. */
static void finish_body(struct gc_request *request)
{
	struct gc_text zipped = { NULL, 0, 0 };

	if (request->status != 200 || request->body.len == 0)
		return;
	snprintf(request->etag, sizeof(request->etag), "W/\"%016" PRIx64 "\"",
		 gc_span_hash((struct gc_span){ request->body.ptr, request->body.len }));
	if (request->body.len >= GZIP_BYTES_MIN && somebody_takes_gzip(request) && gc_text_gzip(&request->body, &zipped))
		request->zipped = gc_shared_new(&zipped);
}

static enum gc_verdict answer_with_others(struct gc_request *request, struct gc_database *db, struct gc_err *err)
{
	enum gc_verdict verdict;

	if (request->problem.status) {
		gc_request_refuse(request, &request->problem);
		return GC_OK;
	}
	verdict = answers[request->route->answer](request, db, err);
	if (verdict == GC_OK) {
		atomic_fetch_add(&request->serve->counters.questions, 1);
		finish_body(request);
	}
	for (struct gc_request *other = request->next; other && verdict == GC_OK; other = other->next) {
		if (!other->status && has_same_rights(other, request))
			share(request, other);
	}
	return verdict;
}

/* A request that has a status is answered already. Who asks is known of all before one of them is answered. */
static enum gc_verdict try_to_answer(struct gc_request *first, struct gc_database *db, struct gc_err *err)
{
	enum gc_verdict verdict = gc_database_ensure(db, err);

	for (struct gc_request *request = first; request && verdict == GC_OK; request = request->next) {
		if (!request->status)
			verdict = gc_access_check(request, db, err);
	}
	for (struct gc_request *request = first; request && verdict == GC_OK; request = request->next) {
		if (!request->status)
			verdict = answer_with_others(request, db, err);
	}
	return verdict;
}

/* A connection that broke since the last request is no reason to fail this one: once more with a new one. */
void gc_answer_requests(struct gc_request *first, struct gc_database *db)
{
	struct gc_err err = { .verdict = GC_OK };
	bool was_connected = !gc_database_is_lost(db);
	enum gc_verdict verdict = try_to_answer(first, db, &err);

	if (verdict != GC_OK && was_connected && gc_database_is_lost(db))
		verdict = try_to_answer(first, db, &err);
	for (struct gc_request *request = first; request && verdict != GC_OK; request = request->next) {
		if (!request->status)
			answer_failure(request, db, &err);
	}
}
