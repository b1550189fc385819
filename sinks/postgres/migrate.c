/* The schema, applied in one transaction under a lock, so that it is safe to repeat and to start twice at once.
 * Threads: none.
 */
#include "pg.h"
#include "sql.h"

#include <stdio.h>
#include <stdlib.h>

/* What the others build on comes first, what needs the others last; the streams between them in any order. */
static const char *const first_files[] = { "base", "dimensions", "mechanism", NULL };
static const char *const last_files[] = { "verify", "views", "dashboard", "access", NULL };

static bool is_listed(const char *const *names, const char *name)
{
	for (; *names; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

static const struct gc_sql_file *find_file(const char *name)
{
	const struct gc_sql_file *file = gc_sql_files;

	while (file->name && strcmp(file->name, name) != 0)
		file++;
	return file;
}

/* Calls `use` for every file in the order of application until it fails. */
static enum gc_verdict each_file(enum gc_verdict (*use)(void *arg, const struct gc_sql_file *file, struct gc_err *err), void *arg,
				 struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (const char *const *n = first_files; *n && verdict == GC_OK; n++)
		verdict = use(arg, find_file(*n), err);
	for (const struct gc_sql_file *f = gc_sql_files; f->name && verdict == GC_OK; f++) {
		if (!is_listed(first_files, f->name) && !is_listed(last_files, f->name))
			verdict = use(arg, f, err);
	}
	for (const char *const *n = last_files; *n && verdict == GC_OK; n++)
		verdict = use(arg, find_file(*n), err);
	return verdict;
}

static enum gc_verdict run_file(void *arg, const struct gc_sql_file *file, struct gc_err *err)
{
	struct gc_pg *pg = arg;
	PGresult *result = PQexec(pg->conn, file->text);
	ExecStatusType status = PQresultStatus(result);
	enum gc_verdict verdict = GC_OK;
	char where[64];

	snprintf(where, sizeof(where), "sinks/sql/%s.sql", file->name);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		verdict = gc_pg_fail(pg, result, where, err);
	PQclear(result);
	return verdict;
}

static enum gc_verdict print_file(void *arg, const struct gc_sql_file *file, struct gc_err *err)
{
	(void)err;
	fprintf(arg, "-- %s.sql\n%s\n", file->name, file->text);
	return GC_OK;
}

void gc_pg_print_schema(void *stdio_file)
{
	fputs("SET check_function_bodies = off;\n", stdio_file);
	each_file(print_file, stdio_file, NULL);
}

static void read_version(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(int *)arg = values[0] ? (int)strtol(values[0], NULL, 10) : 0;
}

static enum gc_verdict find_version(struct gc_pg *pg, int *ret_version, struct gc_err *err)
{
	bool exists = false;
	int answer = 0, version = 0;
	enum gc_verdict verdict = gc_pg_query(pg, "SELECT (to_regclass('cube.schema_version') IS NOT NULL)::int", NULL, 0,
					      read_version, &answer, err);

	exists = answer == 1;
	if (verdict == GC_OK && exists)
		verdict = gc_pg_query(pg, "SELECT max(version) FROM cube.schema_version", NULL, 0, read_version, &version, err);
	if (verdict == GC_OK)
		*ret_version = version;
	return verdict;
}

static enum gc_verdict apply_schema(struct gc_pg *pg, struct gc_err *err)
{
	static const char version_sql[] = "INSERT INTO cube.schema_version (version, program) VALUES ($1, $2)";
	char version[16];
	const char *values[] = { version, GRACECUBE_VERSION };
	enum gc_verdict verdict = each_file(run_file, pg, err);

	snprintf(version, sizeof(version), "%d", GC_SCHEMA_VERSION);
	if (verdict == GC_OK)
		verdict = gc_pg_query(pg, version_sql, values, 2, NULL, NULL, err);
	return verdict;
}

/* Names of zones are the server's to know. */
static enum gc_verdict check_zone(struct gc_pg *pg, const struct gc_config *config, struct gc_err *err)
{
	const char *zone = config->cube_business_zone;
	enum gc_verdict verdict = gc_pg_query(pg, "SELECT now() AT TIME ZONE $1", &zone, 1, NULL, NULL, err);

	if (verdict == GC_OK || strncmp(err->code, "22", 2) != 0)
		return verdict;
	return gc_fail(err, GC_FATAL, "cube.business_zone", zone,
		       "the database knows no time zone %s; cube.business_zone takes a name of pg_timezone_names", zone);
}

/* Settings that SQL reads. */
static enum gc_verdict write_settings(struct gc_pg *pg, const struct gc_config *config, struct gc_err *err)
{
	/* asked first, so that whoever may not write can see that there is nothing to write */
	static const char same[] = "SELECT count(*) FROM cube.setting WHERE (name, value) IN (('cube.business_days', $1),"
				   " ('cube.business_hours', $2), ('cube.business_zone', $3))";
	static const char sql[] =
		"INSERT INTO cube.setting (name, value) VALUES ('cube.business_days', $1), ('cube.business_hours', $2),"
		" ('cube.business_zone', $3) ON CONFLICT (name) DO UPDATE SET value = excluded.value, loaded_at = now()"
		" WHERE setting.value <> excluded.value";
	const char *values[] = { config->cube_business_days, config->cube_business_hours, config->cube_business_zone };
	int equal = 0;
	enum gc_verdict verdict = gc_pg_query(pg, same, values, 3, read_version, &equal, err);

	return verdict != GC_OK || equal == 3 ? verdict : gc_pg_query(pg, sql, values, 3, NULL, NULL, err);
}

static enum gc_verdict migrate_locked(struct gc_pg *pg, const struct gc_config *config, int *ret_from, struct gc_err *err)
{
	int version = 0;
	enum gc_verdict verdict = find_version(pg, &version, err);

	if (verdict == GC_OK && version > GC_SCHEMA_VERSION)
		return gc_fail(err, GC_FATAL, "schema_version", "cube.schema_version",
			       "the cube has schema version %d, newer than the %d of this program; use a newer gracecube", version,
			       GC_SCHEMA_VERSION);
	if (verdict == GC_OK)
		verdict = check_zone(pg, config, err);
	if (verdict == GC_OK && version == 0)
		verdict = apply_schema(pg, err);
	if (verdict == GC_OK)
		verdict = write_settings(pg, config, err);
	if (verdict == GC_OK)
		*ret_from = version;
	return verdict;
}

enum gc_verdict gc_pg_migrate(const struct gc_config *config, int *ret_from, struct gc_err *err)
{
	static const char begin[] = "SET statement_timeout = 0; SET lock_timeout = 0; SET check_function_bodies = off;"
				    "BEGIN; SELECT pg_advisory_xact_lock(7240000)";
	struct gc_pg *pg = NULL;
	int from = 0;
	enum gc_verdict verdict = gc_pg_connect(config, "gracecube migrate", &pg, err);

	if (verdict == GC_OK)
		verdict = gc_pg_do(pg, begin, err);
	if (verdict == GC_OK)
		verdict = migrate_locked(pg, config, &from, err);
	if (verdict == GC_OK)
		verdict = gc_pg_do(pg, "COMMIT", err);
	if (verdict == GC_OK)
		*ret_from = from;
	gc_pg_close(pg);
	return verdict;
}
