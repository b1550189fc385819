/* What is said over a connection to PostgreSQL, and the pipeline that a transaction is; how one is opened: connect.c.
 * Threads: one connection belongs to one worker.
 */
#include "pg.h"

#include <stdio.h>
#include <stdlib.h>

static const char *first_line(const char *message, char *buffer, size_t bytes)
{
	size_t length = strcspn(message, "\n");

	snprintf(buffer, bytes, "%.*s", (int)length, message);
	return buffer;
}

/* A CHECK that a record breaks has a name; a table that has no partition for it has none. */
static bool is_no_partition(const PGresult *result, const char *sqlstate)
{
	return strcmp(sqlstate, "23514") == 0 && !PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
}

enum gc_verdict gc_pg_fail(struct gc_pg *pg, const PGresult *result, const char *doing, struct gc_err *err)
{
	const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	char line[600];

	if (PQstatus(pg->conn) == CONNECTION_BAD || (sqlstate && gc_sqlstate_wants_session(sqlstate)))
		pg->lost = true;
	if (!sqlstate)
		return gc_fail(err, GC_RETRY, "connection", doing, "%s", first_line(PQerrorMessage(pg->conn), line, sizeof(line)));
	gc_fail(err, gc_sqlstate_verdict(sqlstate), is_no_partition(result, sqlstate) ? GC_PG_NO_PARTITION : sqlstate, doing, "%s",
		gc_pg_word_error(sqlstate, primary, PQresultErrorField(result, PG_DIAG_MESSAGE_HINT), line, sizeof(line)));
	return gc_pg_name_err(pg, err);
}

enum gc_verdict gc_pg_do(struct gc_pg *pg, const char *sql, struct gc_err *err)
{
	PGresult *result = PQexec(pg->conn, gc_pg_sql(pg, sql));
	ExecStatusType status = PQresultStatus(result);
	enum gc_verdict verdict = GC_OK;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		verdict = gc_pg_fail(pg, result, "postgresql", err);
	PQclear(result);
	return verdict;
}

enum gc_verdict gc_pg_query(struct gc_pg *pg, const char *sql, const char *const *parameters, int count,
			    void (*each)(void *arg, const char *const *values, int columns), void *arg, struct gc_err *err)
{
	PGresult *result = PQexecParams(pg->conn, gc_pg_sql(pg, sql), count, NULL, parameters, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(result);
	enum gc_verdict verdict = GC_OK;
	const char *values[64];
	int columns = PQnfields(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		verdict = gc_pg_fail(pg, result, "postgresql", err);
	for (int row = 0; verdict == GC_OK && each && row < PQntuples(result); row++) {
		for (int i = 0; i < columns && i < 64; i++)
			values[i] = PQgetisnull(result, row, i) ? NULL : PQgetvalue(result, row, i);
		each(arg, values, columns < 64 ? columns : 64);
	}
	PQclear(result);
	return verdict;
}

void gc_pg_close(struct gc_pg *pg)
{
	if (!pg)
		return;
	PQfinish(pg->conn);
	gc_pg_text_done(&pg->text);
	free(pg);
}

bool gc_pg_is_lost(const struct gc_pg *pg)
{
	return pg->lost;
}

/* Read committed, whatever the role's or the database's default is: a snapshot taken at the fence would not see what the locks behind it
 * have waited for. */
enum gc_verdict gc_pg_begin(struct gc_pg *pg, struct gc_err *err)
{
	pg->statements = 0;
	pg->failed = -1;
	if (!PQenterPipelineMode(pg->conn) ||
	    !PQsendQueryParams(pg->conn, "BEGIN ISOLATION LEVEL READ COMMITTED", 0, NULL, NULL, NULL, NULL, 0))
		return gc_pg_fail(pg, NULL, "postgresql", err);
	return GC_OK;
}

void gc_pg_send(struct gc_pg *pg, const char *sql, const struct gc_pg_parameters *parameters)
{
	pg->statements++;
	if (!PQsendQueryParams(pg->conn, gc_pg_sql(pg, sql), parameters->count, parameters->types, parameters->values,
			       parameters->lengths, parameters->formats, 0))
		pg->lost = true;
}

void gc_pg_send_prepared(struct gc_pg *pg, const char *name, const struct gc_pg_parameters *parameters)
{
	pg->statements++;
	if (!PQsendQueryPrepared(pg->conn, name, parameters->count, parameters->values, parameters->lengths, parameters->formats,
				 0))
		pg->lost = true;
}

/* COMMIT of an aborted transaction answers ROLLBACK without an error: only its tag tells. */
static bool is_committed(const PGresult *result)
{
	return strcmp(PQcmdStatus((PGresult *)result), "COMMIT") == 0;
}

static void close_failed(struct gc_pg *pg)
{
	PGresult *result;

	if (PQexitPipelineMode(pg->conn) && PQtransactionStatus(pg->conn) != PQTRANS_IDLE) {
		result = PQexec(pg->conn, "ROLLBACK");
		PQclear(result);
	}
	if (PQstatus(pg->conn) == CONNECTION_BAD || PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
		pg->lost = true;
}

/* One answer of the pipeline; false when no more will come. */
static bool check_answer(struct gc_pg *pg, const PGresult *result, bool is_last, enum gc_verdict *verdict, struct gc_err *err)
{
	ExecStatusType status = PQresultStatus(result);

	if (!result || status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
		if (*verdict == GC_OK)
			*verdict = gc_pg_fail(pg, result, "postgresql", err);
		return result && PQstatus(pg->conn) != CONNECTION_BAD;
	}
	if (*verdict == GC_OK && is_last && !is_committed(result))
		*verdict = gc_fail(err, GC_RETRY, "not_committed", "postgresql", "COMMIT was answered with %s",
				   PQcmdStatus((PGresult *)result));
	return true;
}

/* Nobody hears of an answer before the commit is certain: a key learned from a transaction that is rolled back names no member. */
enum gc_verdict gc_pg_commit(struct gc_pg *pg, void (*each)(void *arg, int n, const PGresult *result), void *arg,
			     struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;
	int count = pg->statements + 2, got = 0; /* with BEGIN and COMMIT */
	PGresult **answers;
	bool more = true;

	if (pg->lost || !PQsendQueryParams(pg->conn, "COMMIT", 0, NULL, NULL, NULL, NULL, 0) || !PQpipelineSync(pg->conn)) {
		pg->lost = true;
		return gc_pg_fail(pg, NULL, "postgresql", err);
	}
	answers = gc_calloc((size_t)count, sizeof(PGresult *));
	for (; more && got < count; got++) {
		answers[got] = PQgetResult(pg->conn);
		more = check_answer(pg, answers[got], got + 1 == count, &verdict, err);
		if (verdict != GC_OK && pg->failed < 0)
			pg->failed = got - 1;
		if (more)
			PQclear(PQgetResult(pg->conn)); /* the NULL behind each answer */
	}
	if (more)
		PQclear(PQgetResult(pg->conn)); /* the sync */
	else
		pg->lost = true;
	for (int n = 0; n < got; n++) {
		if (verdict == GC_OK && each && n > 0 && n + 1 < count)
			each(arg, n - 1, answers[n]);
		PQclear(answers[n]);
	}
	free(answers);
	if (!pg->lost && (verdict != GC_OK || !PQexitPipelineMode(pg->conn)))
		close_failed(pg);
	return verdict;
}

static void take_blocker(void *arg, const char *const *values, int columns)
{
	(void)columns;
	snprintf(arg, GC_PG_BLOCKER_BYTES, "%s", values[0]);
}

const char *gc_pg_find_blocker(struct gc_pg *pg, char *buffer)
{
	static const char sql[] =
		"SELECT format('%s (pid %s), %s s', coalesce(nullif(application_name, ''), usename, 'somebody'), pid,"
		" date_part('epoch', clock_timestamp() - xact_start)::bigint) FROM pg_stat_activity"
		" WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 1";
	struct gc_err err;

	snprintf(buffer, GC_PG_BLOCKER_BYTES, "nobody that can be seen");
	if (gc_pg_query(pg, sql, NULL, 0, take_blocker, buffer, &err) != GC_OK)
		gc_debug("who keeps the lock cannot be asked", GC_ERR_FIELDS(&err));
	return buffer;
}
