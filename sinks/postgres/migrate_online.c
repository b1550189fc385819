/* Work of `migrate` that is done piece by piece while the cube is in use: views, policies, indexes, files of any length, and rollups that are
 * filled.
 *
 * Guarantee: whatever is killed on the way is begun again or goes on, and nobody waits for it: of what keeps readers out there is one in a
 * transaction, an index is made without keeping writers out, a fill waits for writers and not they for it. Threads: none.
 */
#include "migration.h"

#include <gracecube/log.h>
#include <gracecube/time.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_US (GC_SECOND_US / 20)

/* ---- indexes ---- */

static enum gc_verdict drop_invalid(struct gc_pg *pg, const char *name, struct gc_err *err)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "DROP INDEX CONCURRENTLY IF EXISTS cube.%s", name);
	return gc_pg_do(pg, sql, err);
}

struct names {
	struct gc_arena arena;
	const char *name;
};

static void take_name(void *arg, const char *const *values, int columns)
{
	struct names *names = arg;

	(void)columns;
	names->name = gc_arena_dup(&names->arena, gc_span_of(values[0])).ptr;
}

/* CREATE INDEX CONCURRENTLY that was killed leaves an index that nobody uses and everybody writes. One that somebody is making is none of it. */
static enum gc_verdict drop_invalid_indexes(struct gc_pg *pg, struct gc_err *err)
{
	static const char sql[] =
		"SELECT quote_ident(c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
		" WHERE c.relnamespace = 'cube'::regnamespace AND NOT i.indisvalid AND c.relkind = 'i' AND NOT EXISTS"
		" (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) LIMIT 1";
	struct names names = { .name = NULL };
	enum gc_verdict verdict;

	gc_arena_init(&names.arena);
	do {
		names.name = NULL;
		verdict = gc_pg_query(pg, sql, NULL, 0, take_name, &names, err);
		if (verdict == GC_OK && names.name)
			verdict = drop_invalid(pg, names.name, err);
	} while (verdict == GC_OK && names.name);
	gc_arena_done(&names.arena);
	return verdict;
}

/* ---- files ---- */

/* A cube that is being made is nobody's yet, and CONCURRENTLY waits for the oldest transaction of the whole database, whatever that reads. */
static char *text_of(const struct migration *m, const char *sql)
{
	static const char word[] = " CONCURRENTLY ";
	char *text = gc_strdup(sql), *at;

	while (!m->answer->found && (at = strstr(text, word)))
		memmove(at + 1, at + sizeof(word) - 1, strlen(at + sizeof(word) - 1) + 1);
	return text;
}

/* A statement that a file asked for, as if it were a file. */
static enum gc_verdict exec_statement(struct migration *m, const struct gc_sql_file *statement, struct gc_err *err)
{
	return gc_migration_exec(m->pg, statement->text, statement->name, NULL, err);
}

/* What can not be done CONCURRENTLY is short, and tried until its locks are free. */
static enum gc_verdict run_statement(struct migration *m, const struct gc_sql_file *file, const char *sql, struct gc_err *err)
{
	char *text = text_of(m, sql);
	struct gc_sql_file statement = { .name = file->name, .text = text };
	enum gc_verdict verdict;

	if (m->answer->found) /* as of files, see gc_migration_tell() */
		gc_info("migrate", GC_S("statement", text));
	verdict = strstr(text, " CONCURRENTLY ") ? exec_statement(m, &statement, err)
						 : gc_migration_transact(m, exec_statement, &statement, err);
	free(text);
	return verdict;
}

/* One statement; when it returns texts, these are statements, too. */
static enum gc_verdict run_file(struct migration *m, const struct gc_sql_file *file, struct gc_err *err)
{
	PGresult *result = NULL;
	char *text = text_of(m, file->text);
	enum gc_verdict verdict = gc_migration_exec(m->pg, text, file->name, &result, err);

	free(text);
	for (int row = 0; verdict == GC_OK && row < PQntuples(result); row++)
		verdict = run_statement(m, file, PQgetvalue(result, row, 0), err);
	PQclear(result);
	return verdict;
}

/* Outside of a transaction, and without a limit to its waiting: nobody waits for it. */
enum gc_verdict gc_migration_run_online(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;
	bool is_first = true;

	for (const struct gc_sql_file *f = gc_sql_files; verdict == GC_OK && f->name; f++) {
		if (gc_sql_step_of(f->name) != GC_SQL_ONLINE || gc_schema_has(&m->schema, f))
			continue;
		gc_migration_tell(m, f);
		if (is_first)
			verdict = drop_invalid_indexes(m->pg, err);
		is_first = false;
		if (verdict == GC_OK)
			verdict = run_file(m, f, err);
		if (verdict == GC_OK)
			verdict = gc_migration_note(m->pg, f, err);
	}
	return verdict;
}

/* ---- views ---- */

#define END_OF_PART "\n-- ----\n"

static enum gc_verdict replace_part(struct migration *m, const struct gc_sql_file *part, struct gc_err *err)
{
	enum gc_verdict verdict = exec_statement(m, part, err);

	return verdict == GC_OK && part->sha256 ? gc_migration_note(m->pg, part, err) : verdict;
}

/* The file is noted with its last part: one that was killed is run again, and finds what it has done. */
enum gc_verdict gc_migration_replace_in_parts(struct migration *m, const struct gc_sql_file *file, struct gc_err *err)
{
	char *text = gc_strdup(file->text);
	enum gc_verdict verdict = GC_OK;

	for (char *at = text, *next; verdict == GC_OK && at; at = next) {
		struct gc_sql_file part = { .name = file->name, .text = at };

		next = strstr(at, END_OF_PART);
		if (next) {
			*next = '\0';
			next += strlen(END_OF_PART);
		} else {
			part.sha256 = file->sha256;
		}
		verdict = gc_migration_transact(m, replace_part, &part, err);
	}
	free(text);
	return verdict;
}

/* ---- policies ---- */

static enum gc_verdict protect_table(struct migration *m, const struct gc_sql_file *table, struct gc_err *err)
{
	return gc_pg_query(m->pg, "SELECT cube.protect_table($1)", &table->name, 1, NULL, NULL, err);
}

struct tables {
	struct gc_arena arena;
	const char **names;
	size_t count;
};

static void take_table(void *arg, const char *const *values, int columns)
{
	struct tables *tables = arg;

	(void)columns;
	tables->names = gc_realloc(tables->names, (tables->count + 1) * sizeof(*tables->names));
	tables->names[tables->count++] = gc_arena_dup(&tables->arena, gc_span_of(values[0])).ptr;
}

/* Each of them once; what is left says whoever asks again. */
static enum gc_verdict protect_tables(struct migration *m, size_t *ret_count, struct gc_err *err)
{
	struct tables tables = { .names = NULL };
	enum gc_verdict verdict;

	gc_arena_init(&tables.arena);
	verdict = gc_pg_query(m->pg, "SELECT cube.unprotected_tables()", NULL, 0, take_table, &tables, err);
	for (size_t i = 0; verdict == GC_OK && i < tables.count; i++)
		verdict = gc_migration_transact(m, protect_table, &(struct gc_sql_file){ .name = tables.names[i] }, err);
	*ret_count = tables.count;
	free(tables.names);
	gc_arena_done(&tables.arena);
	return verdict;
}

enum gc_verdict gc_migration_protect(struct migration *m, struct gc_err *err)
{
	enum gc_verdict verdict;
	size_t count;

	do {
		verdict = protect_tables(m, &count, err);
	} while (verdict == GC_OK && count > 0);
	return verdict;
}

/* ---- rollups ---- */

struct fill {
	char rollup[64]; /* a name of PostgreSQL; empty: all are filled */
	int64_t done, facts;
};

static void take_fill(void *arg, const char *const *values, int columns)
{
	struct fill *fill = arg;

	(void)columns;
	snprintf(fill->rollup, sizeof(fill->rollup), "%s", values[0]);
	fill->done = strtoll(values[1], NULL, 10);
	fill->facts = strtoll(values[2], NULL, 10);
}

static void tell_fill(struct migration *m, const struct fill *fill)
{
	if (m->answer->fill)
		m->answer->fill(m->answer->arg, fill->rollup, fill->done, fill->facts);
}

static void take_text(void *arg, const char *const *values, int columns)
{
	(void)columns;
	if (values[0])
		*(char **)arg = gc_strdup(values[0]);
}

static void take_count(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(int64_t *)arg = strtoll(values[0], NULL, 10);
}

/* For those who wrote before the rollups were defined, see sinks/sql/code/2_engine/fill.sql. */
static enum gc_verdict wait_for_end_of(struct gc_pg *pg, const char *writers, struct gc_err *err)
{
	static const char sql[] = "SELECT count(DISTINCT l.pid) FROM pg_locks l WHERE l.virtualtransaction = ANY ($1)";
	struct gc_complaint complaint = { 0 };
	char blocker[GC_PG_BLOCKER_BYTES];
	int64_t left = 0, repeated;
	enum gc_verdict verdict;

	while ((verdict = gc_pg_query(pg, sql, &writers, 1, take_count, &left, err)) == GC_OK && left > 0) {
		if (gc_complain(&complaint, gc_monotonic_us(), &repeated))
			gc_info("waiting for the end of transactions that began before the new rollups", GC_I("transactions", left),
				GC_S("longest_transaction", gc_pg_find_blocker(pg, blocker)), GC_I("repeated", repeated));
		gc_sleep_us(PAUSE_US);
	}
	return verdict;
}

static enum gc_verdict wait_for_writers(struct gc_pg *pg, struct gc_err *err)
{
	char *writers = NULL;
	enum gc_verdict verdict = gc_pg_query(pg, "SELECT cube.writers_before_fill()", NULL, 0, take_text, &writers, err);

	if (verdict == GC_OK && writers)
		verdict = wait_for_end_of(pg, writers, err);
	free(writers);
	return verdict;
}

static enum gc_verdict fill_some_days(struct migration *m, const struct gc_sql_file *rollup, struct gc_err *err)
{
	return gc_pg_query(m->pg, "SELECT cube.fill_rollup($1)", &rollup->name, 1, NULL, NULL, err);
}

enum gc_verdict gc_migration_fill(struct migration *m, struct gc_err *err)
{
	static const char next[] = "SELECT * FROM cube.unfilled_rollups() LIMIT 1";
	bool is_first = true;

	for (;;) {
		struct fill fill = { .rollup = "" };
		enum gc_verdict verdict = gc_pg_query(m->pg, next, NULL, 0, take_fill, &fill, err);

		if (verdict != GC_OK || fill.rollup[0] == '\0')
			return verdict;
		tell_fill(m, &fill);
		if (is_first)
			verdict = wait_for_writers(m->pg, err);
		is_first = false;
		if (verdict == GC_OK)
			verdict = gc_migration_transact(m, fill_some_days, &(struct gc_sql_file){ .name = fill.rollup }, err);
		if (verdict != GC_OK)
			return verdict;
	}
}

static void take_and_tell_fill(void *arg, const char *const *values, int columns)
{
	struct fill fill;

	take_fill(&fill, values, columns);
	tell_fill(arg, &fill);
}

enum gc_verdict gc_migration_tell_fills(struct migration *m, struct gc_err *err)
{
	return gc_pg_query(m->pg, "SELECT * FROM cube.unfilled_rollups()", NULL, 0, take_and_tell_fill, m, err);
}
