/* Opening a connection to PostgreSQL: verdicts by SQLSTATE, never by the server's words, which follow its lc_messages; a session that
 * decides its own settings; and what it cannot live with, refused by name. Threads: one connection belongs to one worker.
 */
#include "schema.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- why there is none ---- */

#define SQLSTATE_LENGTH 5

static bool is_sqlstate(const char *text)
{
	for (int i = 0; i < SQLSTATE_LENGTH; i++) {
		if (!isdigit((unsigned char)text[i]) && !isupper((unsigned char)text[i]))
			return false;
	}
	return true;
}

/* With PQERRORS_VERBOSE a line of the server reads "FATAL:  28P01: password …", whatever its language. NULL where there is no code. */
const char *gc_pg_find_sqlstate(const char *line, size_t length)
{
	for (size_t i = 0; i + sizeof(":  28P01: ") - 1 <= length; i++) {
		if (strncmp(line + i, ":  ", 3) == 0 && is_sqlstate(line + i + 3) && strncmp(line + i + 8, ": ", 2) == 0)
			return line + i + 3;
	}
	return NULL;
}

/* libpq's own words: it gives no code for them, and they stay English because nobody calls setlocale(). */
static bool is_final_for_libpq(const char *line, size_t length)
{
	static const char *const texts[] = { "certificate", "no password supplied", "invalid ", "missing \"=\"" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (memmem(line, length, texts[i], strlen(texts[i])))
			return true;
	}
	return false;
}

/* A refused login, a database that is not there, a right that is missing: people are needed. Only what the table calls a retry may
 * be over by itself; nothing is a bad record here. */
static bool is_final_for_server(const char *sqlstate)
{
	char code[SQLSTATE_LENGTH + 1] = "";

	memcpy(code, sqlstate, SQLSTATE_LENGTH);
	return gc_sqlstate_verdict(code) != GC_RETRY;
}

/* One line an attempt (a host, an address, with and without TLS), and below it lines that explain it, in any language. */
static bool is_attempt(const char *message, const char *line)
{
	static const char begin[] = "connection to server ";

	return line == message || strncmp(line, begin, sizeof(begin) - 1) == 0;
}

/* People are needed when they are for every attempt: of several hosts one may be away for a moment. */
enum gc_verdict gc_pg_refusal(const char *message)
{
	bool any = false, all = true;

	for (const char *line = message; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t length = strcspn(line, "\n");
		const char *sqlstate = gc_pg_find_sqlstate(line, length);

		if (!is_attempt(message, line))
			continue;
		any = true;
		all = all && (sqlstate ? is_final_for_server(sqlstate) : is_final_for_libpq(line, length));
	}
	return any && all ? GC_FATAL : GC_RETRY;
}

static enum gc_verdict refuse_connection(PGconn *conn, struct gc_err *err)
{
	const char *message = PQerrorMessage(conn);
	char where[120], line[600];

	snprintf(where, sizeof(where), "%s:%s/%s", PQhost(conn) && *PQhost(conn) ? PQhost(conn) : "local",
		 PQport(conn) ? PQport(conn) : "", PQdb(conn) ? PQdb(conn) : "");
	return gc_fail(err, gc_pg_refusal(message), "connection", where, "%s", gc_pg_word_refusal(message, line, sizeof(line)));
}

/* libpq tells codes only to who asks before it connects, so the connection is begun, told, and made by PQreset(): that keeps
 * connect_timeout for each host, which the asynchronous calls do not. */
static PGconn *connect_to(const struct gc_config *config, const struct gc_pg_names *names, const char *role, const char *attributes,
			  const char *password)
{
	char timeout[24], application[GC_PG_APPLICATION_BYTES];
	const char *const keywords[] = { "dbname",          "application_name",           "connect_timeout",
					 "keepalives_idle", "tcp_user_timeout",           "target_session_attrs",
					 "client_encoding", password ? "password" : NULL, NULL };
	const char *const values[] = {
		config->postgres_dsn, application, timeout, "5", "10000", attributes, "UTF8", password, NULL
	};
	PGconn *conn;

	gc_pg_application(names, role, application);
	snprintf(timeout, sizeof(timeout), "%lld", (long long)(config->postgres_connect_timeout_us / GC_SECOND_US));
	conn = PQconnectStartParams(keywords, values, 1);
	PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
	PQreset(conn);
	PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
	return conn;
}

/* libpq's own words, see above. */
static bool is_read_only(const PGconn *conn)
{
	return strstr(PQerrorMessage(conn), "session is read-only") ||
	       strstr(PQerrorMessage(conn), "server is in hot standby mode");
}

/* Who writes needs a server that is written to. Who reads prefers it, and takes another: a disk that is nearly full makes a server read-only,
 * and after a failover there may be standbys alone. */
static PGconn *connect_for(const struct gc_config *config, const struct gc_pg_names *names, const char *role, bool writes,
			   const char *password)
{
	PGconn *conn = connect_to(config, names, role, "read-write", password);

	if (writes || PQstatus(conn) == CONNECTION_OK || !is_read_only(conn))
		return conn;
	PQfinish(conn);
	return connect_to(config, names, role, "any", password);
}

/* ---- the session ---- */

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

/* What a role or a database may have set otherwise, and answers depend on: how numbers and times look, which names are found, how texts
 * are read. The keepalives are those of the server's side (ours are the client's): a worker whose machine has vanished in the middle of
 * a batch, where no other time-out of the server runs, lets go of its partitions within twenty seconds instead of two hours. */
static enum gc_verdict set_session(struct gc_pg *pg, const struct gc_config *config, struct gc_err *err)
{
	static const char fixed[] =
		"SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '30s'; SET idle_session_timeout = 0;"
		"SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = 20000;"
		"SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off;"
		"SET search_path = pg_catalog; SET row_security = on; SET standard_conforming_strings = on; SET array_nulls = on;"
		"SET transform_null_equals = off; SET quote_all_identifiers = off; SET extra_float_digits = 1; SET bytea_output = hex;"
		"SET DateStyle = ISO; SET IntervalStyle = postgres; SET TimeZone = 'UTC'; SET jit = off;"
		"SET client_min_messages = warning";
	char sql[sizeof(fixed) + 64];

	snprintf(sql, sizeof(sql), "SET statement_timeout = %lld; %s", (long long)(config->postgres_statement_timeout_us / 1000),
		 fixed);
	return gc_pg_do(pg, sql, err);
}

static const char *parameter(const struct gc_pg *pg, const char *name)
{
	const char *value = PQparameterStatus(pg->conn, name);

	return value ? value : "";
}

static enum gc_verdict check_encoding(struct gc_pg *pg, struct gc_err *err)
{
	const char *encoding = parameter(pg, "server_encoding");

	if (strcmp(encoding, "UTF8") == 0)
		return GC_OK;
	return gc_fail(
		err, GC_FATAL, "encoding", PQdb(pg->conn),
		"the database %s has the encoding %s, and the cube needs UTF8; make it anew: CREATE DATABASE %s TEMPLATE template0 "
		"ENCODING 'UTF8'",
		PQdb(pg->conn), encoding, PQdb(pg->conn));
}

struct session {
	int backend;
	bool fires_triggers, is_shared;
};

static void take_session(void *arg, const char *const *values, int columns)
{
	struct session *session = arg;

	(void)columns;
	session->backend = (int)strtol(values[0], NULL, 10);
	session->fires_triggers = strcmp(values[1], "replica") != 0;
	session->is_shared = values[2] && *values[2];
}

static const char session_sql[] =
	"SELECT pg_backend_pid(), current_setting('session_replication_role'), current_setting('gracecube.mark', true)";

/* Behind a pooler the backend is not the one that we were told of. One that gives it to others between two transactions hands them our
 * settings, locks and prepared statements: a second connection then meets the mark of the first, because poolers give out first what
 * came back last. */
static enum gc_verdict check_pooler(struct gc_pg *pg, const struct gc_config *config, const char *password, struct gc_err *err)
{
	struct session session = { .is_shared = false };
	struct gc_pg second = { .conn = NULL, .names = pg->names };
	enum gc_verdict verdict = gc_pg_do(pg, "SET gracecube.mark = 'here'", err);

	if (verdict != GC_OK)
		return verdict;
	second.conn = connect_to(config, &pg->names, "gracecube pooler check", "any", password);
	if (PQstatus(second.conn) != CONNECTION_OK)
		verdict = refuse_connection(second.conn, err);
	else
		verdict = gc_pg_query(&second, session_sql, NULL, 0, take_session, &session, err);
	PQfinish(second.conn);
	gc_pg_text_done(&second.text);
	if (verdict == GC_OK && session.is_shared)
		return gc_fail(
			err, GC_FATAL, "pooler", PQhost(pg->conn),
			"a pooler in transaction mode stands before PostgreSQL: it gives the session's settings and locks to others; "
			"connect directly, or use its session mode (pool_mode = session); see postgres.dsn");
	return verdict;
}

static enum gc_verdict check_session(struct gc_pg *pg, const struct gc_config *config, const char *password, struct gc_err *err)
{
	struct session session = { .backend = 0 };
	enum gc_verdict verdict = check_encoding(pg, err);

	if (verdict == GC_OK)
		verdict = gc_pg_query(pg, session_sql, NULL, 0, take_session, &session, err);
	if (verdict == GC_OK && !session.fires_triggers)
		return gc_fail(
			err, GC_FATAL, "session_replication_role", PQuser(pg->conn),
			"session_replication_role is replica for this role or database, so that triggers do not fire and rollups "
			"would be wrong; ALTER ROLE or ALTER DATABASE … RESET session_replication_role");
	if (verdict == GC_OK && session.backend != PQbackendPID(pg->conn))
		verdict = check_pooler(pg, config, password, err);
	return verdict;
}

static enum gc_verdict open_session(const struct gc_config *config, const char *role, bool writes, struct gc_pg **ret_pg,
				    struct gc_err *err)
{
	char *password = NULL;
	struct gc_pg *pg;
	enum gc_verdict verdict = gc_config_password(config, &password, err);

	if (verdict != GC_OK)
		return verdict;
	pg = gc_calloc(1, sizeof(*pg));
	pg->bound = (struct gc_pg_bound){ config->dead_max_count, config->dead_max_bytes,
					  config->dead_when_full == GC_DROP_OLDEST };
	gc_pg_names_init(&pg->names, config);
	pg->conn = connect_for(config, &pg->names, role, writes, password);
	PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
	if (PQstatus(pg->conn) != CONNECTION_OK)
		verdict = refuse_connection(pg->conn, err);
	else
		verdict = set_session(pg, config, err);
	if (verdict == GC_OK)
		verdict = check_session(pg, config, password, err);
	if (password)
		explicit_bzero(password, strlen(password));
	free(password);
	if (verdict != GC_OK) {
		gc_pg_close(pg);
		return verdict;
	}
	*ret_pg = pg;
	return GC_OK;
}

enum gc_verdict gc_pg_connect(const struct gc_config *config, const char *role, struct gc_pg **ret_pg, struct gc_err *err)
{
	return open_session(config, role, true, ret_pg, err);
}

/* ---- the cube ---- */

enum gc_verdict gc_pg_check_schema(struct gc_pg *pg, struct gc_err *err)
{
	struct gc_schema schema;
	enum gc_verdict verdict = gc_schema_read(pg, &schema, err);

	if (verdict != GC_OK)
		return verdict;
	verdict = gc_schema_judge(&schema, gc_sql_files, GRACECUBE_VERSION, err);
	gc_schema_done(&schema);
	return verdict == GC_OK ? verdict : gc_pg_name_err(pg, err);
}

/* Held until the session ends, and taken before the schema is read: a migration that does not see it has made its version complete before. */
static enum gc_verdict show_version(struct gc_pg *pg, struct gc_err *err)
{
	char sql[100];

	snprintf(sql, sizeof(sql), "SELECT pg_advisory_lock_shared(" GC_PG_SCHEMA_LOCK ", %d)", gc_schema_version());
	return gc_pg_do(pg, sql, err);
}

static enum gc_verdict open_cube(const struct gc_config *config, const char *role, bool writes, struct gc_pg **ret_pg,
				 struct gc_err *err)
{
	struct gc_pg *pg = NULL;
	enum gc_verdict verdict = open_session(config, role, writes, &pg, err);

	if (verdict == GC_OK)
		verdict = show_version(pg, err);
	if (verdict == GC_OK)
		verdict = gc_pg_check_schema(pg, err);
	if (verdict != GC_OK) {
		gc_pg_close(pg);
		return verdict;
	}
	*ret_pg = pg;
	return GC_OK;
}

enum gc_verdict gc_pg_open(const struct gc_config *config, const char *role, struct gc_pg **ret_pg, struct gc_err *err)
{
	return open_cube(config, role, true, ret_pg, err);
}

enum gc_verdict gc_pg_open_reader(const struct gc_config *config, const char *role, struct gc_pg **ret_pg, struct gc_err *err)
{
	return open_cube(config, role, false, ret_pg, err);
}

static void declare_component(void *cache, const char *const *values, int columns)
{
	(void)columns;
	gc_dimension_cache_declare_component(cache, gc_span_of(values[0]));
}

/* Writers look rows up by key and never scan: plans made while the tables are still small must hold when they are large. */
enum gc_verdict gc_pg_open_writer(const struct gc_config *config, const char *role, struct gc_dimension_cache *cache,
				  struct gc_pg **ret_pg, struct gc_err *err)
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
				      NULL, 0, declare_component, cache, err);
	if (verdict != GC_OK) {
		gc_pg_close(pg);
		return verdict;
	}
	*ret_pg = pg;
	return GC_OK;
}
