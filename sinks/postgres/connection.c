/* Connections to PostgreSQL, and the pipeline that a transaction is. Threads: one connection belongs to one worker. */
#include "pg.h"

#include <stdio.h>
#include <stdlib.h>

static const char *first_line(const char *message, char *buffer, size_t bytes)
{
	size_t length = strcspn(message, "\n");

	snprintf(buffer, bytes, "%.*s", (int)length, message);
	return buffer;
}

enum gc_verdict gc_pg_fail(struct gc_pg *pg, const PGresult *result, const char *doing, struct gc_err *err)
{
	const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	char line[600];

	if (PQstatus(pg->conn) == CONNECTION_BAD)
		pg->lost = true;
	if (!sqlstate)
		return gc_fail(err, GC_RETRY, "connection", doing, "%s", first_line(PQerrorMessage(pg->conn), line, sizeof(line)));
	if (gc_sqlstate_verdict(sqlstate) == GC_RETRY && (strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "08", 2) == 0 ||
							  strcmp(sqlstate, "25006") == 0 || strcmp(sqlstate, "26000") == 0))
		pg->lost = true; /* the session will not get better: a new one may */
	return gc_fail(err, gc_sqlstate_verdict(sqlstate), sqlstate, doing, "%s",
		       gc_pg_word_error(sqlstate, primary, PQresultErrorField(result, PG_DIAG_MESSAGE_HINT), line, sizeof(line)));
}

enum gc_verdict gc_pg_do(struct gc_pg *pg, const char *sql, struct gc_err *err)
{
	PGresult *result = PQexec(pg->conn, sql);
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
	PGresult *result = PQexecParams(pg->conn, sql, count, NULL, parameters, NULL, NULL, 0);
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

/* Wrong password, unknown database and their like do not get better by waiting. libpq gives no SQLSTATE for a refused
 * connection, so the server's words decide, after the few that mean "not yet". */
static enum gc_verdict refuse_connection(PGconn *conn, struct gc_err *err)
{
	static const char *const people[] = { "password authentication failed",
					      "no password supplied",
					      "does not exist",
					      "no pg_hba.conf entry",
					      "permission denied",
					      "is not permitted to log in",
					      "invalid connection option",
					      "missing \"=\"",
					      "invalid URI",
					      "certificate" };
	const char *message = PQerrorMessage(conn);
	char line[600], where[120];
	enum gc_verdict verdict = GC_RETRY;

	for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++) {
		if (strstr(message, people[i]))
			verdict = GC_FATAL;
	}
	snprintf(where, sizeof(where), "%s:%s/%s", PQhost(conn) && *PQhost(conn) ? PQhost(conn) : "local",
		 PQport(conn) ? PQport(conn) : "", PQdb(conn) ? PQdb(conn) : "");
	gc_fail(err, verdict, "connection", where, "%s", gc_pg_word_refusal(message, line, sizeof(line)));
	return verdict;
}

static PGconn *connect_to(const struct gc_config *config, const char *role, const char *password)
{
	char timeout[24];
	const char *const keys[] = { "dbname",          "application_name",           "connect_timeout",
				     "keepalives_idle", "tcp_user_timeout",           "target_session_attrs",
				     "client_encoding", password ? "password" : NULL, NULL };
	const char *const values[] = { config->postgres_dsn, role, timeout, "5", "10000", "read-write", "UTF8", password, NULL };

	snprintf(timeout, sizeof(timeout), "%lld", (long long)(config->postgres_connect_timeout_us / GC_SECOND_US));
	return PQconnectdbParams(keys, values, 1);
}

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static enum gc_verdict set_session(struct gc_pg *pg, const struct gc_config *config, struct gc_err *err)
{
	char sql[400];

	snprintf(sql, sizeof(sql),
		 "SET statement_timeout = %lld; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '30s';"
		 "SET client_min_messages = warning; SET DateStyle = ISO; SET TimeZone = 'UTC'; SET jit = off",
		 (long long)(config->postgres_statement_timeout_us / 1000));
	return gc_pg_do(pg, sql, err);
}

enum gc_verdict gc_pg_connect(const struct gc_config *config, const char *role, struct gc_pg **ret_pg, struct gc_err *err)
{
	char *password = NULL;
	struct gc_pg *pg;
	enum gc_verdict verdict = gc_config_password(config, &password, err);

	if (verdict != GC_OK)
		return verdict;
	pg = gc_calloc(1, sizeof(*pg));
	pg->conn = connect_to(config, role, password);
	if (password)
		explicit_bzero(password, strlen(password));
	free(password);
	PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
	if (PQstatus(pg->conn) != CONNECTION_OK)
		verdict = refuse_connection(pg->conn, err);
	else
		verdict = set_session(pg, config, err);
	if (verdict != GC_OK) {
		gc_pg_close(pg);
		return verdict;
	}
	*ret_pg = pg;
	return GC_OK;
}

static enum gc_verdict check_version(struct gc_pg *pg, struct gc_err *err)
{
	PGresult *result = PQexec(pg->conn, "SELECT max(version) FROM cube.schema_version");
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	enum gc_verdict verdict = GC_OK;
	int version;

	if (sqlstate && (strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "3F000") == 0)) {
		verdict = gc_fail(err, GC_FATAL, "no_schema", "cube.schema_version",
				  "the database holds no cube yet; run `gracecube migrate`");
	} else if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		verdict = gc_pg_fail(pg, result, "cube.schema_version", err);
	} else {
		version = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
		if (version != GC_SCHEMA_VERSION)
			verdict = gc_fail(err, GC_FATAL, "schema_version", "cube.schema_version",
					  "the cube has schema version %d, this program needs %d; %s", version, GC_SCHEMA_VERSION,
					  version < GC_SCHEMA_VERSION ? "run `gracecube migrate`" : "use a newer gracecube");
	}
	PQclear(result);
	return verdict;
}

enum gc_verdict gc_pg_open(const struct gc_config *config, const char *role, struct gc_pg **ret_pg, struct gc_err *err)
{
	struct gc_pg *pg = NULL;
	enum gc_verdict verdict = gc_pg_connect(config, role, &pg, err);

	if (verdict == GC_OK)
		verdict = check_version(pg, err);
	if (verdict != GC_OK) {
		gc_pg_close(pg);
		return verdict;
	}
	*ret_pg = pg;
	return GC_OK;
}

static void declare_component(void *keys, const char *const *values, int columns)
{
	(void)columns;
	gc_keys_declare_component(keys, gc_span_of(values[0]));
}

/* Writers look rows up by key and never scan: plans made while the tables are still small must hold when they are large. */
enum gc_verdict gc_pg_open_writer(const struct gc_config *config, const char *role, struct gc_keys *keys, struct gc_pg **ret_pg,
				  struct gc_err *err)
{
	struct gc_pg *pg = NULL;
	enum gc_verdict verdict = gc_pg_open(config, role, &pg, err);

	if (verdict == GC_OK)
		verdict = gc_pg_do(pg,
				   "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SELECT cube.take_lane()",
				   err);
	if (verdict == GC_OK)
		verdict = gc_pg_prepare(pg, err);
	if (verdict == GC_OK)
		verdict = gc_pg_query(pg,
				      "SELECT component_name FROM cube.dim_component WHERE NOT is_inferred AND component_key > 0",
				      NULL, 0, declare_component, keys, err);
	if (verdict != GC_OK) {
		gc_pg_close(pg);
		return verdict;
	}
	*ret_pg = pg;
	return GC_OK;
}

void gc_pg_close(struct gc_pg *pg)
{
	if (!pg)
		return;
	PQfinish(pg->conn);
	free(pg);
}

bool gc_pg_is_lost(const struct gc_pg *pg)
{
	return pg->lost;
}

enum gc_verdict gc_pg_begin(struct gc_pg *pg, struct gc_err *err)
{
	pg->statements = 0;
	if (!PQenterPipelineMode(pg->conn) || !PQsendQueryParams(pg->conn, "BEGIN", 0, NULL, NULL, NULL, NULL, 0))
		return gc_pg_fail(pg, NULL, "postgresql", err);
	return GC_OK;
}

void gc_pg_send(struct gc_pg *pg, const char *sql, const struct gc_pg_parameters *parameters)
{
	pg->statements++;
	if (!PQsendQueryParams(pg->conn, sql, parameters->count, parameters->types, parameters->values, parameters->lengths,
			       parameters->formats, 0))
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
