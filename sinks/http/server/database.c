/* Connections of the server: each belongs to one thread, comes back by itself, and never waits without an end.
 *
 * The server's statement_timeout cancels what is slow; the deadline here is for a server that does not answer at all.
 * Threads: one connection belongs to one thread.
 */
#include "http/server/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#define TRY_INTERVAL_US (500 * 1000)

void gc_database_init(struct gc_database *db, struct gc_serve *serve, const char *name, const char *setup)
{
	*db = (struct gc_database){ .serve = serve,
				    .name = name,
				    .setup = setup,
				    .answer_us = serve->config.postgres_statement_timeout_us + GC_SECOND_US };
}

void gc_database_close(struct gc_database *db)
{
	if (db->is_counted)
		atomic_fetch_sub(&db->serve->counters.connected, 1);
	db->is_counted = false;
	gc_pg_close(db->pg);
	db->pg = NULL;
	gc_text_done(&db->openapi);
}

bool gc_database_is_lost(const struct gc_database *db)
{
	return !db->pg || gc_pg_is_lost(db->pg);
}

static enum gc_verdict connect_database(struct gc_database *db, struct gc_err *err)
{
	enum gc_verdict verdict = gc_pg_open_reader(&db->serve->config, db->name, &db->pg, err);

	if (verdict == GC_OK)
		verdict = gc_pg_do(db->pg, db->setup, err);
	if (verdict != GC_OK) {
		gc_database_close(db);
		return verdict;
	}
	db->is_counted = true;
	atomic_fetch_add(&db->serve->counters.connected, 1);
	atomic_fetch_add(&db->serve->counters.connects, 1);
	atomic_store(&db->serve->next_try_us, 0);
	if (gc_complaint_over(&db->complaint))
		gc_info("the database answers again", GC_S("connection", db->name));
	return GC_OK;
}

enum gc_verdict gc_database_ensure(struct gc_database *db, struct gc_err *err)
{
	_Atomic int64_t *next_try_us = &db->serve->next_try_us;
	int64_t now = gc_monotonic_us(), closed_until_us = atomic_load(next_try_us), repeated;
	enum gc_verdict verdict;

	if (!gc_database_is_lost(db))
		return GC_OK;
	gc_database_close(db);
	if (now < closed_until_us)
		return gc_fail(err, GC_RETRY, "connection", "postgresql", "PostgreSQL cannot be reached");
	verdict = connect_database(db, err);
	if (verdict == GC_OK)
		return GC_OK;
	/* unless another connection was let in meanwhile */
	atomic_compare_exchange_strong(next_try_us, &closed_until_us, gc_monotonic_us() + TRY_INTERVAL_US);
	if (gc_complain(&db->complaint, now, &repeated))
		gc_warn("the database does not answer", GC_S("connection", db->name), GC_ERR_FIELDS(err),
			GC_I("repeated", repeated));
	return verdict;
}

/* ---- results, with a deadline ---- */

static bool wait_for_bytes(PGconn *conn, int64_t until_us)
{
	struct pollfd fd = { .fd = PQsocket(conn), .events = POLLIN };
	int64_t left_us = until_us - gc_monotonic_us();
	int n;

	if (left_us <= 0)
		return false;
	n = poll(&fd, 1, (int)(left_us / 1000) + 1);
	return n > 0 || (n < 0 && errno == EINTR);
}

/* False when the connection is gone or silent for too long: it is lost then. */
static bool next_result(struct gc_database *db, int64_t until_us, PGresult **ret_result)
{
	PGconn *conn = db->pg->conn;

	while (PQisBusy(conn)) {
		if (wait_for_bytes(conn, until_us) && PQconsumeInput(conn))
			continue;
		if (gc_monotonic_us() >= until_us || PQstatus(conn) == CONNECTION_BAD) {
			db->pg->lost = true;
			return false;
		}
	}
	*ret_result = PQgetResult(conn);
	return true;
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static enum gc_verdict lose(struct gc_database *db, struct gc_err *err)
{
	db->pg->lost = true;
	return gc_fail(err, GC_RETRY, "connection", "postgresql", "PostgreSQL did not answer in time, or the connection broke");
}

enum gc_verdict gc_database_ask(struct gc_database *db, const char *sql, const char *const *values, int count,
				PGresult **ret_result, struct gc_err *err)
{
	int64_t until_us = gc_monotonic_us() + db->answer_us;
	PGresult *result = NULL, *more = NULL;
	enum gc_verdict verdict = GC_OK;

	if (!PQsendQueryParams(db->pg->conn, gc_pg_sql(db->pg, sql), count, NULL, values, NULL, NULL, 0) ||
	    !next_result(db, until_us, &result))
		return lose(db, err);
	while (next_result(db, until_us, &more) && more)
		PQclear(more);
	if (!is_good(result))
		verdict = gc_pg_fail(db->pg, result, "postgresql", err);
	if (verdict == GC_OK)
		*ret_result = result;
	else
		PQclear(result);
	return verdict;
}

/* ---- one snapshot ---- */

#define READ_MAX 3

/* The statements of one reading. Up to the sync they are one transaction: the role ends with it, and the snapshot is the same. */
static int send_reading(struct gc_pg *pg, const char *tier, bool as_self, const struct gc_query *query)
{
	static const char as_of_sql[] = "SELECT cube.as_of(), cube.records_read()";
	static const char role_sql[] = "SELECT set_config('role', cube.api_role($1), true)";
	PGconn *conn = pg->conn;
	int sent = 0;

	if (!PQenterPipelineMode(conn))
		return 0;
	if (!as_self)
		sent += PQsendQueryParams(conn, gc_pg_sql(pg, role_sql), 1, NULL, &tier, NULL, NULL, 0);
	sent += PQsendQueryParams(conn, gc_pg_sql(pg, as_of_sql), 0, NULL, NULL, NULL, NULL, 0);
	sent += PQsendQueryParams(conn, gc_pg_sql(pg, query->sql), query->count, NULL, query->values, NULL, NULL, 0);
	return sent == (as_self ? READ_MAX - 1 : READ_MAX) && PQpipelineSync(conn) ? sent : 0;
}

/* All results up to the sync, so that the connection is fit for the next reading. */
static bool collect(struct gc_database *db, PGresult **results, int count)
{
	int64_t until_us = gc_monotonic_us() + db->answer_us;
	PGresult *end = NULL;

	for (int i = 0; i < count; i++) {
		if (!next_result(db, until_us, &results[i]) || !next_result(db, until_us, &end))
			return false;
	}
	if (!next_result(db, until_us, &end))
		return false;
	PQclear(end);
	return PQexitPipelineMode(db->pg->conn) == 1;
}

static enum gc_verdict first_failure(struct gc_database *db, PGresult *const *results, int count, struct gc_err *err)
{
	for (int i = 0; i < count; i++) {
		if (!is_good(results[i]))
			return gc_pg_fail(db->pg, results[i], "postgresql", err);
	}
	return GC_OK;
}

static void keep_as_of(const PGresult *result, struct gc_rows *ret_rows)
{
	struct gc_text text = { NULL, 0, 0 };

	snprintf(ret_rows->records, sizeof(ret_rows->records), "%s", PQgetvalue(result, 0, 1));
	if (PQgetisnull(result, 0, 0))
		return;
	gc_time_put(&text, PQgetvalue(result, 0, 0));
	snprintf(ret_rows->as_of, sizeof(ret_rows->as_of), "%s", text.ptr);
	gc_text_done(&text);
}

enum gc_verdict gc_database_read(struct gc_database *db, const char *tier, bool as_self, const struct gc_query *query,
				 struct gc_rows *ret_rows, struct gc_err *err)
{
	PGresult *results[READ_MAX] = { NULL };
	int count = send_reading(db->pg, tier, as_self, query);
	enum gc_verdict verdict = GC_OK;

	if (count == 0 || !collect(db, results, count))
		verdict = lose(db, err);
	else
		verdict = first_failure(db, results, count, err);
	if (verdict == GC_OK) {
		keep_as_of(results[count - 2], ret_rows);
		ret_rows->result = results[count - 1];
		results[count - 1] = NULL;
	}
	for (int i = 0; i < count; i++)
		PQclear(results[i]);
	return verdict;
}

/* Oids of pg_type, which never change. */
static const struct {
	Oid type;
	enum gc_cell cell;
} cells[] = {
	{ 16, GC_CELL_BOOLEAN }, { 20, GC_CELL_INTEGER }, { 21, GC_CELL_INTEGER },  { 23, GC_CELL_INTEGER },
	{ 700, GC_CELL_NUMBER }, { 701, GC_CELL_NUMBER }, { 1700, GC_CELL_NUMBER }, { 1082, GC_CELL_DATE },
	{ 1184, GC_CELL_TIME },  { 114, GC_CELL_JSON },   { 3802, GC_CELL_JSON },
};

enum gc_cell gc_database_cell(const PGresult *result, int column)
{
	Oid type = PQftype(result, column);

	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		if (cells[i].type == type)
			return cells[i].cell;
	}
	return GC_CELL_TEXT;
}
