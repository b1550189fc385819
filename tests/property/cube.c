/* Databases of the test: a model with the empty cube and hash.sql, copies of it, their hashes and differences. Plain libpq and psql-like
 * text, so that what is compared does not pass through the code under test. Threads: no shared state.
 */
#include "property.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include <gracecube/arena.h>

#define ROWS_SHOWN 6
#define TABLES_SHOWN 4
#define ROW_BYTES_SHOWN 900

static PGresult *query(PGconn *conn, const char *sql, const char *parameter)
{
	return parameter ? PQexecParams(conn, sql, 1, NULL, &parameter, NULL, NULL, 0) : PQexec(conn, sql);
}

static enum gc_verdict fail_query(PGconn *conn, const char *doing, struct gc_err *err)
{
	return gc_fail(err, GC_FATAL, "postgresql", doing, "%.500s", PQerrorMessage(conn));
}

static void ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static enum gc_verdict do_query(const char *dsn, const char *sql, const char *doing, struct gc_err *err)
{
	PGconn *conn = PQconnectdb(dsn);
	PGresult *result;
	enum gc_verdict verdict = GC_OK;

	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	result = query(conn, sql, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		verdict = fail_query(conn, doing, err);
	PQclear(result);
	PQfinish(conn);
	return verdict;
}

/* The configured database names those of the test: <name>_model, <name>_1 … A deadlock is found soon: the test makes many. */
static enum gc_verdict name_cube(const struct gc_config *config, const char *suffix, struct cube *cube, struct gc_err *err)
{
	PQconninfoOption *options = PQconninfoParse(config->postgres_dsn, NULL), *option = options;

	while (option && option->keyword && strcmp(option->keyword, "dbname") != 0)
		option++;
	if (!option || !option->val || strstr(config->postgres_dsn, "://")) {
		PQconninfoFree(options);
		return gc_fail(err, GC_FATAL, "postgres.dsn", "postgres.dsn", "the test needs keywords, not a URI, with a dbname");
	}
	snprintf(cube->name, sizeof(cube->name), "%.40s_%s", option->val, suffix);
	PQconninfoFree(options);
	snprintf(cube->dsn, sizeof(cube->dsn),
		 "%s dbname=%s options='-c deadlock_timeout=30ms -c synchronous_commit=off -c jit=off'", config->postgres_dsn,
		 cube->name);
	cube->config = *config;
	cube->config.postgres_dsn = cube->dsn;
	return GC_OK;
}

static char *read_sql(struct gc_err *err)
{
	static const char path[] = GRACECUBE_SOURCE_DIR "/tests/property/hash.sql";
	FILE *file = fopen(path, "r");
	char *text = gc_calloc(1, 64 << 10);
	size_t length = file ? fread(text, 1, (64 << 10) - 1, file) : 0;

	if (file)
		fclose(file);
	if (length > 0)
		return text;
	free(text);
	gc_fail(err, GC_FATAL, "no_file", path, "the file cannot be read");
	return NULL;
}

static enum gc_verdict fill_model(const struct cube *cube, struct gc_err *err)
{
	char *sql = read_sql(err);
	struct gc_migration migration = { .dry_run = false };
	enum gc_verdict verdict = sql ? gc_pg_migrate(&cube->config, &migration, err) : GC_FATAL;

	if (verdict == GC_OK)
		verdict = do_query(cube->dsn, sql, "hash.sql", err);
	free(sql);
	return verdict;
}

/* One of the same name may be left over from a run that was interrupted. */
static enum gc_verdict create_database(const struct gc_config *config, const struct cube *cube, const char *as, struct gc_err *err)
{
	char sql[300];
	enum gc_verdict verdict;

	snprintf(sql, sizeof(sql), "CREATE DATABASE \"%s\"%s", cube->name, as);
	verdict = do_query(config->postgres_dsn, sql, "CREATE DATABASE", err);
	if (verdict == GC_OK)
		return verdict;
	cube_drop(config, cube);
	return do_query(config->postgres_dsn, sql, "CREATE DATABASE", err);
}

enum gc_verdict cube_make_model(const struct gc_config *config, struct cube *cube, struct gc_err *err)
{
	enum gc_verdict verdict = name_cube(config, "model", cube, err);

	if (verdict == GC_OK)
		verdict = create_database(config, cube, "", err);
	return verdict == GC_OK ? fill_model(cube, err) : verdict;
}

enum gc_verdict cube_copy(const struct gc_config *config, const struct cube *model, const char *suffix, struct cube *cube,
			  struct gc_err *err)
{
	enum gc_verdict verdict = name_cube(config, suffix, cube, err);
	char as[120];

	snprintf(as, sizeof(as), " TEMPLATE \"%s\" STRATEGY file_copy", model->name);
	return verdict == GC_OK ? create_database(config, cube, as, err) : verdict;
}

/* The hours of dim_time, as an array. */
static enum gc_verdict read_hours(const struct cube *cube, char **ret_hours, struct gc_err *err)
{
	PGconn *conn = PQconnectdb(cube->dsn);
	PGresult *result = query(conn, "SELECT array_agg(time_key / 60) FROM cube.dim_time WHERE minute = 0", NULL);
	enum gc_verdict verdict = GC_OK;

	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
		*ret_hours = gc_strdup(PQgetvalue(result, 0, 0));
	else
		verdict = fail_query(conn, "cube.dim_time", err);
	PQclear(result);
	PQfinish(conn);
	return verdict;
}

enum gc_verdict cube_make_used_model(const struct gc_config *config, const struct cube *model, const struct cube *read,
				     struct cube *cube, struct gc_err *err)
{
	enum gc_verdict verdict = cube_copy(config, model, "used_model", cube, err);
	PGconn *conn;
	PGresult *result;
	char *hours = NULL;

	if (verdict == GC_OK)
		verdict = read_hours(read, &hours, err);
	if (verdict != GC_OK)
		return verdict;
	conn = PQconnectdb(cube->dsn);
	result = query(conn, "SELECT cube.ensure_hours($1)", hours);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		verdict = fail_query(conn, "cube.ensure_hours()", err);
	PQclear(result);
	PQfinish(conn);
	free(hours);
	return verdict;
}

void cube_drop(const struct gc_config *config, const struct cube *cube)
{
	struct gc_err err;
	char sql[200];

	snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS \"%s\" WITH (FORCE)", cube->name);
	if (do_query(config->postgres_dsn, sql, "DROP DATABASE", &err) != GC_OK)
		fprintf(stderr, "property: %s: %s\n", err.where, err.text);
}

/* ---- hashes ---- */

static void read_hashes(const PGresult *result, struct cube_hashes *hashes)
{
	int all = PQntuples(result) - 1; /* the last row */

	hashes->count = 0;
	for (int row = 0; row < all && hashes->count < COUNT(hashes->items); row++) {
		struct cube_hash *item = &hashes->items[hashes->count++];

		snprintf(item->table, sizeof(item->table), "%s", PQgetvalue(result, row, 0));
		snprintf(item->hash, sizeof(item->hash), "%s", PQgetvalue(result, row, 1));
		item->rows = strtoll(PQgetvalue(result, row, 2), NULL, 10);
	}
	snprintf(hashes->all, sizeof(hashes->all), "%s", PQgetvalue(result, all, 1));
}

static enum gc_verdict hash_tables(PGconn *conn, struct cube_hashes *ret_hashes, struct gc_err *err)
{
	static const char sql[] =
		"WITH h AS MATERIALIZED (SELECT * FROM property.hashes())"
		" SELECT name, hash, row_count FROM h UNION ALL"
		" SELECT NULL, md5(string_agg(name || hash, ' ' ORDER BY name COLLATE \"C\")), sum(row_count) FROM h ORDER BY 1 NULLS LAST";
	PGresult *result = query(conn, sql, NULL);
	enum gc_verdict verdict = GC_OK;

	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0)
		read_hashes(result, ret_hashes);
	else
		verdict = fail_query(conn, "property.hashes()", err);
	PQclear(result);
	return verdict;
}

static enum gc_verdict verify(PGconn *conn, struct gc_err *err)
{
	PGresult *result = query(conn, "SELECT check_name, subject, differing, example FROM cube.verify() WHERE differing <> 0",
				 NULL);
	enum gc_verdict verdict = GC_OK;

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		verdict = fail_query(conn, "cube.verify()", err);
	else if (PQntuples(result) > 0)
		verdict = gc_fail(err, GC_REJECT, "verify", PQgetvalue(result, 0, 1), "%s: %s differ, of these %.400s",
				  PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 3));
	PQclear(result);
	return verdict;
}

enum gc_verdict cube_check(const struct cube *cube, struct cube_hashes *ret_hashes, struct gc_err *err)
{
	PGconn *conn = PQconnectdb(cube->dsn);
	enum gc_verdict verdict = hash_tables(conn, ret_hashes, err);

	if (verdict == GC_OK)
		verdict = verify(conn, err);
	PQfinish(conn);
	return verdict;
}

/* ---- differences ---- */

static void print_row(char mark, const char *row)
{
	size_t length = strlen(row);

	printf("    %c %.*s%s\n", mark, ROW_BYTES_SHOWN, row, length > ROW_BYTES_SHOWN ? " …" : "");
}

/* Both sides are sorted by bytes. */
static void print_rows(const PGresult *expected, const PGresult *found)
{
	int e = 0, f = 0, shown = 0, differing = 0;

	while (e < PQntuples(expected) || f < PQntuples(found)) {
		const char *left = e < PQntuples(expected) ? PQgetvalue(expected, e, 0) : NULL;
		const char *right = f < PQntuples(found) ? PQgetvalue(found, f, 0) : NULL;
		int order = !left ? 1 : !right ? -1 : strcmp(left, right);

		if (order != 0 && differing++ < ROWS_SHOWN && ++shown)
			print_row(order < 0 ? '-' : '+', order < 0 ? left : right);
		e += order <= 0;
		f += order >= 0;
	}
	if (differing > shown)
		printf("    … and %d rows more\n", differing - shown);
}

static void print_table(PGconn *expected, PGconn *found, const char *table)
{
	static const char sql[] = "SELECT r FROM property.rows($1) r ORDER BY r COLLATE \"C\"";
	PGresult *left = query(expected, sql, table), *right = query(found, sql, table);

	if (PQresultStatus(left) == PGRES_TUPLES_OK && PQresultStatus(right) == PGRES_TUPLES_OK)
		print_rows(left, right);
	else
		printf("    %s%s", PQerrorMessage(expected), PQerrorMessage(found));
	PQclear(left);
	PQclear(right);
}

void cube_print_difference(const struct cube *expected, const struct cube_hashes *expected_hashes, const struct cube *found,
			   const struct cube_hashes *found_hashes)
{
	PGconn *left = PQconnectdb(expected->dsn), *right = PQconnectdb(found->dsn);
	int differing = 0;

	printf("  expected (-) is the cube that was read in order, found (+) is this seed's\n");
	for (size_t i = 0; i < expected_hashes->count; i++) {
		const struct cube_hash *e = &expected_hashes->items[i], *f = &found_hashes->items[i];

		if (strcmp(e->hash, f->hash) == 0)
			continue;
		printf("  %s: expected %lld rows, found %lld\n", e->table, (long long)e->rows, (long long)f->rows);
		if (differing++ < TABLES_SHOWN)
			print_table(left, right, e->table);
	}
	PQfinish(left);
	PQfinish(right);
}
