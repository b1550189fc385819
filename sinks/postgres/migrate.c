/* The schema, step by step on a live cube.
 *
 * A database without a cube gets one in one transaction. A cube goes on while it is changed: first what the newer version adds to its tables;
 * then the code that writes, all of it in one transaction, its triggers last; then row-level security and triggers for changes by hand, a table
 * in a transaction; then new rollups are filled; then the views that read them, those that differ, one in a transaction; then work of any length
 * outside of transactions; and when no program of an older version is connected any more, the version is complete, older programs are refused,
 * and what only they needed goes. Each file is noted in the transaction that ran it, and code that has to be made again because of another file is
 * forgotten in the transaction of that one, so a migration that was killed goes on where it was.
 *
 * No reader and no writer waits longer than LOCK_TIMEOUT_MS for a lock that is not given at once: the transaction is taken back and tried
 * again later. One that is given is of one table or view, and next to nothing is left to do then. Only one migrates at a time; the lock is
 * polled for, because who waits for it inside of a statement would keep CREATE INDEX CONCURRENTLY from its end. Threads: none.
 */
#include "migration.h"

#include <gracecube/log.h>
#include <gracecube/time.h>

#include <stdio.h>
#include <stdlib.h>

/* who comes behind waits as long as this, and then for the change itself: together less than 100 ms */
#define LOCK_TIMEOUT_MS 80
#define PAUSE_US (GC_SECOND_US / 5)
/* how long a lock is tried for: a backup or a long query keeps the views for as long as it takes */
#define PATIENCE_US (10 * GC_MINUTE_US)

/* ---- files ---- */

/* The whole message on one line: what it asks for may be long. */
static enum gc_verdict fail_file(struct gc_pg *pg, const PGresult *result, const char *name, struct gc_err *err)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char where[sizeof(err->where)];
	enum gc_verdict verdict;

	snprintf(where, sizeof(where), "sinks/sql/%s", name);
	verdict = gc_pg_fail(pg, result, where, err);
	if (message)
		snprintf(err->text, sizeof(err->text), "%s", message);
	for (char *c = err->text; *c; c++)
		*c = *c == '\n' || *c == '\t' ? ' ' : *c;
	return verdict;
}

enum gc_verdict gc_migration_exec(struct gc_pg *pg, const char *sql, const char *name, PGresult **ret_result, struct gc_err *err)
{
	PGresult *result = PQexec(pg->conn, gc_pg_sql(pg, sql));
	ExecStatusType status = PQresultStatus(result);
	enum gc_verdict verdict = GC_OK;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		verdict = fail_file(pg, result, name, err);
	if (verdict == GC_OK && ret_result)
		*ret_result = result;
	else
		PQclear(result);
	return verdict;
}

static enum gc_verdict run_file(struct gc_pg *pg, const struct gc_sql_file *file, struct gc_err *err)
{
	return gc_migration_exec(pg, file->text, file->name, NULL, err);
}

enum gc_verdict gc_migration_note(struct gc_pg *pg, const struct gc_sql_file *file, struct gc_err *err)
{
	static const char sql[] =
		"INSERT INTO cube.schema_file (file, sha256, program) VALUES ($1, $2, $3) ON CONFLICT (file) DO UPDATE"
		" SET sha256 = excluded.sha256, program = excluded.program, applied_at = now()";
	const char *values[] = { file->name, file->sha256, GRACECUBE_VERSION };

	return gc_pg_query(pg, sql, values, 3, NULL, NULL, err);
}

static enum gc_verdict note_version(struct gc_pg *pg, int version, struct gc_err *err)
{
	static const char sql[] = "INSERT INTO cube.schema_version (version, program) VALUES ($1, $2) ON CONFLICT DO NOTHING";
	char number[16];
	const char *values[] = { number, GRACECUBE_VERSION };

	snprintf(number, sizeof(number), "%d", version);
	return gc_pg_query(pg, sql, values, 2, NULL, NULL, err);
}

/* ---- the plan ---- */

static bool has_engine(const struct migration *m)
{
	for (const struct gc_sql_file *f = gc_sql_files; f->name; f++) {
		if (gc_sql_is_engine(f->name) && !gc_schema_has(&m->schema, f))
			return false;
	}
	return true;
}

static bool has_code_before(const struct migration *m, const struct gc_sql_file *file)
{
	for (const struct gc_sql_file *f = gc_sql_files; f < file; f++) {
		if (gc_sql_is_engine(f->name) && !gc_schema_has(&m->schema, f))
			return true;
	}
	return false;
}

/* Code that the cube has from a program that had this file. */
static bool is_gone(const char *name)
{
	const struct gc_sql_file *own = gc_sql_files;

	while (own->name && strcmp(own->name, name) != 0)
		own++;
	return gc_sql_step_of(name) == GC_SQL_CODE && !own->name;
}

static bool has_other_code(const struct migration *m)
{
	if (m->lacks_rights)
		return true;
	for (const struct gc_sql_file *f = gc_sql_files; f->name; f++) {
		if (gc_sql_step_of(f->name) == GC_SQL_CODE && !gc_schema_has(&m->schema, f))
			return true;
	}
	for (size_t i = 0; i < m->schema.count; i++) {
		if (is_gone(m->schema.files[i].name))
			return true;
	}
	return false;
}

static bool is_rights(const char *name)
{
	return strncmp(name, "code/5_", 7) == 0;
}

/* Rights look at all that there is, so they are given again with any other code. */
static bool is_due(const struct migration *m, const struct gc_sql_file *file)
{
	if (!gc_schema_has(&m->schema, file))
		return true;
	return gc_sql_step_of(file->name) == GC_SQL_CODE &&
	       (has_code_before(m, file) || (is_rights(file->name) && has_other_code(m)));
}

static bool is_due_code(const struct migration *m, const struct gc_sql_file *file)
{
	return gc_sql_step_of(file->name) == GC_SQL_CODE && is_due(m, file);
}

/* Views, and who may see them: made when what they read is there. */
static bool is_for_readers(const char *name)
{
	return strncmp(name, "code/4_", 7) == 0 || is_rights(name);
}

static const char *const step_names[] = {
	[GC_SQL_EXPAND] = "expand", [GC_SQL_CODE] = "code", [GC_SQL_ONLINE] = "online", [GC_SQL_CONTRACT] = "contract"
};

void gc_migration_tell(struct migration *m, const struct gc_sql_file *file)
{
	m->answer->steps++;
	if (m->answer->step && (m->answer->found || m->answer->dry_run)) /* of a new cube nobody wants to hear each file */
		m->answer->step(m->answer->arg, step_names[gc_sql_step_of(file->name)], file->name, file->sha256);
}

static void tell_plan(struct migration *m)
{
	static const enum gc_sql_step order[] = { GC_SQL_EXPAND, GC_SQL_CODE, GC_SQL_ONLINE, GC_SQL_CONTRACT };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		for (const struct gc_sql_file *f = gc_sql_files; f->name; f++) {
			if (gc_sql_step_of(f->name) == order[i] && is_due(m, f))
				gc_migration_tell(m, f);
		}
	}
}

/* ---- transactions ---- */

static enum gc_verdict try_once(struct migration *m, int lock_timeout_ms, gc_migration_transaction run,
				const struct gc_sql_file *file, struct gc_err *err)
{
	struct gc_err ignored;
	char begin[120];
	enum gc_verdict verdict;

	snprintf(begin, sizeof(begin), "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = %d", lock_timeout_ms);
	verdict = gc_pg_do(m->pg, begin, err);
	if (verdict == GC_OK)
		verdict = run(m, file, err);
	if (verdict == GC_OK)
		verdict = gc_pg_do(m->pg, "COMMIT", err);
	if (verdict != GC_OK && gc_pg_do(m->pg, "ROLLBACK", &ignored) != GC_OK)
		gc_debug("the transaction ended with its connection", GC_ERR_FIELDS(&ignored));
	return verdict;
}

/* Until the locks that it needs are free for once, each within LOCK_TIMEOUT_MS. */
enum gc_verdict gc_migration_transact(struct migration *m, gc_migration_transaction run, const struct gc_sql_file *file,
				      struct gc_err *err)
{
	int64_t until_us = gc_monotonic_us() + PATIENCE_US, repeated;
	struct gc_complaint complaint = { 0 };
	char blocker[GC_PG_BLOCKER_BYTES];
	enum gc_verdict verdict;

	while ((verdict = try_once(m, LOCK_TIMEOUT_MS, run, file, err)) == GC_RETRY && !m->pg->lost &&
	       gc_monotonic_us() < until_us) {
		if (gc_complain(&complaint, gc_monotonic_us(), &repeated))
			gc_info("waiting for a lock, without keeping anybody waiting", GC_ERR_FIELDS(err),
				GC_S("longest_transaction", gc_pg_find_blocker(m->pg, blocker)), GC_I("repeated", repeated));
		gc_sleep_us(PAUSE_US);
	}
	return verdict;
}

static enum gc_verdict expand(struct migration *m, const struct gc_sql_file *file, struct gc_err *err)
{
	enum gc_verdict verdict = run_file(m->pg, file, err);

	/* the first one is of before there was a place to note it */
	for (const struct gc_sql_file *f = gc_sql_files; verdict == GC_OK && f->name && m->schema.is_dated; f++) {
		if (gc_sql_version_of(f->name) == 1)
			verdict = gc_migration_note(m->pg, f, err);
	}
	return verdict == GC_OK ? gc_migration_note(m->pg, file, err) : verdict;
}

static enum gc_verdict forget_file(struct gc_pg *pg, const char *name, struct gc_err *err)
{
	return gc_pg_query(pg, "DELETE FROM cube.schema_file WHERE file = $1", &name, 1, NULL, NULL, err);
}

/* Files that are gone are forgotten; what they made, those that took their place have dropped. */
static enum gc_verdict forget_code(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (size_t i = 0; verdict == GC_OK && i < m->schema.count; i++) {
		const char *name = m->schema.files[i].name;

		if (is_gone(name))
			verdict = forget_file(m->pg, name, err);
	}
	return verdict;
}

static enum gc_verdict replace_file(struct migration *m, const struct gc_sql_file *file, struct gc_err *err)
{
	enum gc_verdict verdict = run_file(m->pg, file, err);

	return verdict == GC_OK ? gc_migration_note(m->pg, file, err) : verdict;
}

static enum gc_verdict replace_code(struct migration *m, bool for_readers, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (const struct gc_sql_file *f = gc_sql_files; verdict == GC_OK && f->name; f++) {
		if (is_due_code(m, f) && is_for_readers(f->name) == for_readers)
			verdict = replace_file(m, f, err);
	}
	return verdict;
}

/* Functions are everybody's to call until rights say otherwise, so these are given at once, and once more when the views are there. */
static enum gc_verdict postpone_views(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (const struct gc_sql_file *f = gc_sql_files; verdict == GC_OK && f->name; f++) {
		if (!is_due_code(m, f) || !is_for_readers(f->name))
			continue;
		verdict = forget_file(m->pg, f->name, err);
		if (verdict == GC_OK && is_rights(f->name))
			verdict = run_file(m->pg, f, err);
	}
	return verdict;
}

/* All that writers call is of one moment. What keeps them out, or a new partition, is left for the end: see sinks/sql/code/1_tools/later.sql. */
static enum gc_verdict replace_writing(struct migration *m, const struct gc_sql_file *unused, struct gc_err *err)
{
	enum gc_verdict verdict = gc_pg_do(m->pg, "SET LOCAL gracecube.later = '[]'", err);

	(void)unused;
	if (verdict == GC_OK)
		verdict = forget_code(m, err);
	if (verdict == GC_OK)
		verdict = replace_code(m, false, err);
	if (verdict == GC_OK)
		verdict = gc_pg_do(m->pg, "SELECT cube.forget_definitions()", err);
	if (verdict == GC_OK)
		verdict = postpone_views(m, err);
	return verdict == GC_OK ? gc_pg_do(m->pg, "SELECT cube.do_later()", err) : verdict;
}

static enum gc_verdict replace_views(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (const struct gc_sql_file *f = gc_sql_files; verdict == GC_OK && f->name; f++) {
		if (!is_due_code(m, f) || !is_for_readers(f->name))
			continue;
		gc_migration_tell(m, f);
		verdict = gc_migration_replace_in_parts(m, f, err);
	}
	return verdict;
}

static enum gc_verdict complete_versions(struct migration *m, const struct gc_sql_file *unused, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	(void)unused;
	for (int version = m->schema.version + 1; verdict == GC_OK && version <= gc_schema_version(); version++)
		verdict = note_version(m->pg, version, err);
	return verdict;
}

/* A cube where there was none: a version's tables and what it takes away again, version by version; then the code. */
static enum gc_verdict make_cube(struct migration *m, const struct gc_sql_file *unused, struct gc_err *err)
{
	static const enum gc_sql_step order[] = { GC_SQL_EXPAND, GC_SQL_CONTRACT };
	enum gc_verdict verdict = GC_OK;

	(void)unused;
	for (int n = 0; verdict == GC_OK && n < 2 * gc_schema_version(); n++) {
		for (const struct gc_sql_file *f = gc_sql_files; verdict == GC_OK && f->name; f++) {
			if (gc_sql_version_of(f->name) == n / 2 + 1 && gc_sql_step_of(f->name) == order[n % 2])
				verdict = run_file(m->pg, f, err);
		}
	}
	for (const struct gc_sql_file *f = gc_sql_files; verdict == GC_OK && f->name; f++) {
		if (gc_sql_step_of(f->name) == GC_SQL_EXPAND || gc_sql_step_of(f->name) == GC_SQL_CONTRACT)
			verdict = gc_migration_note(m->pg, f, err);
	}
	if (verdict == GC_OK)
		verdict = replace_code(m, false, err);
	if (verdict == GC_OK)
		verdict = replace_code(m, true, err);
	if (verdict == GC_OK)
		verdict = gc_pg_do(m->pg, "SELECT cube.have_nothing_to_fill()", err);
	if (verdict == GC_OK)
		verdict = complete_versions(m, NULL, err);
	if (verdict == GC_OK)
		verdict = gc_migration_write_settings(m, err);
	return verdict == GC_OK ? gc_migration_put_metrics(m, err) : verdict;
}

/* ---- the older programs ---- */

static void take_old(void *arg, const char *const *values, int columns)
{
	struct gc_migration *answer = arg;

	(void)columns;
	answer->waiting++;
	if (answer->old)
		answer->old(answer->arg, values[0], values[1], values[2], values[3]);
}

/* Programs hold a shared lock with the number of their schema, see gc_pg_open(); those of 0.1.0 hold none. A name tells the cube, too. */
static enum gc_verdict count_old(struct migration *m, struct gc_err *err)
{
	static const char sql[] =
		"SELECT a.application_name, a.pid, coalesce(host(a.client_addr), 'local'), to_char(a.backend_start AT TIME ZONE 'UTC',"
		" 'YYYY-MM-DD HH24:MI:SS') FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()"
		" AND starts_with(a.application_name, $2) AND a.application_name <> $2 || 'migrate' AND NOT EXISTS (SELECT FROM"
		" pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.classid = " GC_PG_SCHEMA_LOCK
		" AND l.objid >= $1::int)"
		" ORDER BY a.application_name, a.pid";
	char version[16], programs[GC_PG_APPLICATION_BYTES];
	const char *values[] = { version, gc_pg_application(&m->pg->names, "gracecube ", programs) };

	snprintf(version, sizeof(version), "%d", gc_schema_version());
	m->answer->waiting = 0;
	return gc_pg_query(m->pg, sql, values, 2, take_old, m->answer, err);
}

static enum gc_verdict contract(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (const struct gc_sql_file *f = gc_sql_files; verdict == GC_OK && f->name; f++) {
		if (gc_sql_step_of(f->name) != GC_SQL_CONTRACT || gc_schema_has(&m->schema, f))
			continue;
		gc_migration_tell(m, f);
		verdict = gc_migration_transact(m, expand, f, err);
	}
	return verdict;
}

/* When none is there, the version that refuses them is committed first; then those who came in between are looked for. */
static enum gc_verdict complete(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = count_old(m, err);

	if (verdict != GC_OK || m->answer->waiting > 0)
		return verdict;
	verdict = gc_migration_transact(m, complete_versions, NULL, err);
	if (verdict == GC_OK)
		verdict = count_old(m, err);
	if (verdict != GC_OK || m->answer->waiting > 0)
		return verdict;
	m->answer->now = gc_schema_version();
	return contract(m, err);
}

static bool is_complete(const struct migration *m)
{
	for (const struct gc_sql_file *f = gc_sql_files; f->name; f++) {
		if (gc_sql_step_of(f->name) == GC_SQL_CONTRACT && !gc_schema_has(&m->schema, f))
			return false;
	}
	return m->schema.version == gc_schema_version();
}

/* ---- all of it ---- */

static enum gc_verdict expand_all(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (const struct gc_sql_file *f = gc_sql_files; verdict == GC_OK && f->name; f++) {
		if (gc_sql_step_of(f->name) != GC_SQL_EXPAND || gc_schema_has(&m->schema, f))
			continue;
		gc_migration_tell(m, f);
		verdict = gc_migration_transact(m, expand, f, err);
	}
	return verdict;
}

static enum gc_verdict replace_all(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (const struct gc_sql_file *f = gc_sql_files; f->name; f++) {
		if (is_due_code(m, f) && !is_for_readers(f->name))
			gc_migration_tell(m, f);
	}
	if (has_other_code(m))
		verdict = gc_migration_transact(m, replace_writing, NULL, err);
	if (verdict == GC_OK)
		verdict = gc_migration_write_settings(m, err);
	if (verdict == GC_OK)
		verdict = gc_migration_protect(m, err);
	if (verdict == GC_OK)
		verdict = gc_migration_fill(m, err);
	if (verdict == GC_OK)
		verdict = replace_views(m, err);
	return verdict == GC_OK ? gc_migration_put_metrics(m, err) : verdict;
}

static enum gc_verdict upgrade(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = expand_all(m, err);

	if (verdict == GC_OK)
		verdict = replace_all(m, err);
	if (verdict == GC_OK)
		verdict = gc_migration_run_online(m, err);
	return verdict == GC_OK && !is_complete(m) ? complete(m, err) : verdict;
}

static enum gc_verdict make(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = gc_place_check_free(m->pg, m->config, err);

	/* nobody waits for a table that is not there yet; but roles may just be made for another database */
	if (verdict == GC_OK)
		verdict = try_once(m, 0, make_cube, NULL, err);
	if (verdict != GC_OK)
		return verdict;
	m->answer->now = gc_schema_version();
	return gc_migration_run_online(m, err);
}

/* Of a cube without the table that knows, there is nothing to tell of its rollups yet. */
static enum gc_verdict plan(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	tell_plan(m);
	if (m->schema.version > 0 && has_engine(m))
		verdict = gc_migration_tell_fills(m, err);
	if (verdict == GC_OK && m->schema.version > 0 && !has_other_code(m))
		verdict = gc_migration_put_metrics(m, err);
	return verdict == GC_OK && m->schema.version > 0 && !is_complete(m) ? count_old(m, err) : verdict;
}

static void take_flag(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(bool *)arg = strcmp(values[0], "t") == 0;
}

/* Code of an older program has no such function, and is run again anyway. */
static enum gc_verdict look_for_rights(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = gc_pg_query(m->pg, "SELECT cube.lacks_rights()", NULL, 0, take_flag, &m->lacks_rights, err);

	return verdict != GC_OK && strcmp(err->code, "42883") == 0 ? GC_OK : verdict;
}

static enum gc_verdict migrate_locked(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = gc_schema_read(m->pg, &m->schema, err);

	if (verdict != GC_OK)
		return verdict;
	m->answer->found = m->answer->now = m->schema.version;
	verdict = gc_schema_judge_migration(&m->schema, gc_sql_files, GRACECUBE_VERSION, err);
	if (verdict == GC_OK && m->schema.version > 0)
		verdict = look_for_rights(m, err);
	if (verdict == GC_OK && m->answer->dry_run) {
		verdict = plan(m, err);
	} else if (verdict == GC_OK) {
		verdict = m->schema.version == 0 ? make(m, err) : upgrade(m, err);
	}
	gc_schema_done(&m->schema);
	return verdict;
}

/* The same lock as 0.1.0's. */
static enum gc_verdict lock_migration(struct gc_pg *pg, struct gc_err *err)
{
	struct gc_complaint complaint = { 0 };
	int64_t repeated;
	bool is_ours = false;

	for (;;) {
		enum gc_verdict verdict = gc_pg_query(pg, "SELECT pg_try_advisory_lock(7240000)", NULL, 0, take_flag, &is_ours,
						      err);

		if (verdict != GC_OK || is_ours)
			return verdict;
		if (gc_complain(&complaint, gc_monotonic_us(), &repeated))
			gc_info("another migrate is at work, waiting for it");
		gc_sleep_us(PAUSE_US);
	}
}

enum gc_verdict gc_pg_migrate(const struct gc_config *config, struct gc_migration *migration, struct gc_err *err)
{
	static const char session[] =
		"SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
		" SET search_path = pg_catalog, pg_temp; SET check_function_bodies = off; SET client_connection_check_interval = '5s'";
	struct migration m = { .config = config, .answer = migration };
	enum gc_verdict verdict = gc_registry_load(config->cube_metrics_files, config->cube_targets_file, &m.registry, err);

	migration->steps = migration->waiting = 0;
	migration->metrics = 0;
	if (verdict == GC_OK)
		gc_migration_tell_targets(&m);
	if (verdict == GC_OK)
		verdict = gc_pg_connect(config, "gracecube migrate", &m.pg, err);
	if (verdict == GC_OK)
		verdict = gc_pg_do(m.pg, session, err);
	if (verdict == GC_OK && !migration->dry_run)
		verdict = lock_migration(m.pg, err);
	if (verdict == GC_OK)
		verdict = gc_place_check(m.pg, config, err);
	if (verdict == GC_OK)
		verdict = migrate_locked(&m, err);
	gc_pg_close(m.pg);
	gc_registry_free(m.registry);
	return verdict;
}
