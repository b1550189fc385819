/* Two cubes change places: see gracecube/rebuild.h. One transaction, in this order:
 *
 *     both schemas are renamed              nobody sees it before the commit
 *     the code is run again                 functions say their schema's name; what was cube_rebuild says cube now
 *     -- from here on writers wait, for a second at most, or it is let go and tried again
 *     LOCK TABLE … etl_offset               batches that are under way have ended, no other begins
 *     the new cube reads the last records   in sessions of its own, which still know it by its old name
 *     take_place()                          what cannot be read from topics; every epoch is raised
 *     COMMIT
 *
 * PostgreSQL finds tables and functions by name anew in every session when a schema's name has changed, prepared statements included. A writer
 * that waited, and whose batch may have begun in one cube and go on in the other, is fenced off in both: it connects anew, claims, and goes on
 * where the new cube stands, which is where the old one stood. Readers wait for nothing.
 *
 * Threads: one rebuild belongs to one thread.
 */
#include "migration.h"
#include "rebuild.h"

#include <gracecube/log.h>

#include <stdio.h>

/* A batch that is under way is waited for so long. */
#define HOLD "SET LOCAL lock_timeout = '500ms'"

static void take_flag(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(bool *)arg = values[0] && values[0][0] == 't';
}

static void undo(struct gc_pg *pg, const char *sql)
{
	struct gc_err err;

	if (gc_pg_do(pg, sql, &err) != GC_OK)
		gc_debug("the transaction ended with its connection", GC_ERR_FIELDS(&err));
}

/* ---- holding ---- */

/* Of the tables the ones that take_place() reads, so that nothing is written there after it has looked. Repairs and retention, which move no
 * position, are kept out by their own lock. */
static enum gc_verdict lock_live(struct gc_rebuild *r, struct gc_err *err)
{
	static const char *const tables[] = { "etl_offset", "etl_dead_letter", "etl_verification", "api_token", "api_audit",
					      "dim_actor",  "dim_component",   "dim_mission",      "dim_tier" };
	const char *schema = r->is_swapping ? r->old_schema : r->live_config->cube_schema;
	char sql[1024] = "LOCK TABLE ";
	bool is_free = false;
	size_t used = strlen(sql);
	enum gc_verdict verdict;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		used += (size_t)snprintf(sql + used, sizeof(sql) - used, "%s\"%s\".%s", i ? ", " : "", schema, tables[i]);
	snprintf(sql + used, sizeof(sql) - used, " IN SHARE ROW EXCLUSIVE MODE");
	verdict = gc_pg_query(r->live, "SELECT pg_try_advisory_xact_lock(7240009)", NULL, 0, take_flag, &is_free, err);
	if (verdict == GC_OK && !is_free)
		return gc_fail(err, GC_RETRY, "lock", schema, "verify, a repair or retention is at a step");
	return verdict == GC_OK ? gc_pg_do(r->live, sql, err) : verdict;
}

enum gc_verdict gc_rebuild_hold(struct gc_rebuild *r, struct gc_err *err)
{
	enum gc_verdict verdict = gc_pg_do(r->live,
					   r->is_swapping ? "SAVEPOINT held; " HOLD : "BEGIN ISOLATION LEVEL READ COMMITTED; " HOLD,
					   err);

	r->is_held = verdict == GC_OK;
	if (verdict == GC_OK)
		verdict = lock_live(r, err);
	if (verdict != GC_OK)
		gc_rebuild_let_go(r);
	return verdict;
}

void gc_rebuild_let_go(struct gc_rebuild *r)
{
	if (r->is_held)
		undo(r->live, r->is_swapping ? "ROLLBACK TO SAVEPOINT held" : "ROLLBACK");
	r->is_held = false;
}

/* ---- the swap ---- */

static enum gc_verdict rename_schema(struct gc_pg *pg, const char *from, const char *to, struct gc_err *err)
{
	char sql[2 * GC_SCHEMA_BYTES + 64];

	snprintf(sql, sizeof(sql), "ALTER SCHEMA \"%s\" RENAME TO \"%s\"", from, to);
	return gc_pg_do(pg, sql, err);
}

/* All code, for a cube that has another name now. A definition that says another name is no other one: nothing is filled again. */
static enum gc_verdict run_code(struct gc_pg *pg, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (const struct gc_sql_file *f = gc_sql_files; verdict == GC_OK && f->name; f++) {
		if (gc_sql_step_of(f->name) != GC_SQL_CODE)
			continue;
		verdict = gc_migration_exec(pg, f->text, f->name, NULL, err);
		if (verdict == GC_OK)
			verdict = gc_migration_note(pg, f, err);
	}
	return verdict == GC_OK ? gc_pg_do(pg, "SELECT cube.have_nothing_to_fill()", err) : verdict;
}

static enum gc_verdict check_old(struct gc_rebuild *r, struct gc_err *err)
{
	bool has_old = false;
	enum gc_verdict verdict = gc_rebuild_has_schema(r, r->old_schema, &has_old, err);

	if (verdict == GC_OK && has_old)
		return gc_fail(
			err, GC_FATAL, "old_cube", r->old_schema,
			"the cube before the last swap is still in the schema %s; drop it first: gracecube rebuild --drop-old",
			r->old_schema);
	return verdict;
}

/* So that no migrate changes the code of one of the two meanwhile. */
static enum gc_verdict lock_migration(struct gc_rebuild *r, struct gc_err *err)
{
	bool is_free = false;
	enum gc_verdict verdict = gc_pg_query(r->live, "SELECT pg_try_advisory_xact_lock(7240000)", NULL, 0, take_flag, &is_free,
					      err);

	if (verdict == GC_OK && !is_free)
		return gc_fail(err, GC_RETRY, "lock", r->live_config->cube_schema, "a migrate is at work");
	return verdict;
}

static void take_table(void *arg, const char *const *values, int columns)
{
	struct gc_rebuild *r = arg;
	char sql[200];
	struct gc_err err;

	(void)columns;
	snprintf(sql, sizeof(sql), "ANALYZE %s", values[0]);
	if (gc_pg_do(r->own, sql, &err) != GC_OK)
		gc_debug("a table was not analyzed", GC_ERR_FIELDS(&err));
}

/* Readers come all at once, sooner than autovacuum has looked at these tables. */
static enum gc_verdict analyze(struct gc_rebuild *r, struct gc_err *err)
{
	static const char sql[] = "SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = to_regnamespace(quote_ident($1))"
				  " AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1";
	const char *schema = r->schema;

	return gc_pg_query(r->live, sql, &schema, 1, take_table, r, err);
}

enum gc_verdict gc_rebuild_begin_swap(struct gc_rebuild *r, struct gc_err *err)
{
	enum gc_verdict verdict = check_old(r, err);

	if (verdict == GC_OK)
		verdict = analyze(r, err);
	if (verdict == GC_OK)
		verdict = gc_pg_do(
			r->live,
			"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '1s'; SET LOCAL check_function_bodies = off;"
			" SET LOCAL search_path = pg_catalog, pg_temp",
			err);
	if (verdict != GC_OK)
		return verdict;
	r->is_swapping = true;
	verdict = lock_migration(r, err);
	if (verdict == GC_OK)
		verdict = rename_schema(r->live, r->live_config->cube_schema, r->old_schema, err);
	if (verdict == GC_OK)
		verdict = rename_schema(r->live, r->schema, r->live_config->cube_schema, err);
	if (verdict == GC_OK)
		verdict = run_code(r->live, err);
	if (verdict != GC_OK)
		gc_rebuild_cancel_swap(r);
	return verdict;
}

void gc_rebuild_cancel_swap(struct gc_rebuild *r)
{
	if (r->is_swapping)
		undo(r->live, "ROLLBACK");
	r->is_swapping = r->is_held = false;
}

/* The functions of the cube before still say `cube` in their bodies, and would answer with the rows of the new one. */
enum gc_verdict gc_rebuild_finish_swap(struct gc_rebuild *r, struct gc_err *err)
{
	struct gc_config config = *r->live_config;
	struct gc_pg *pg = NULL;
	enum gc_verdict verdict;

	config.cube_schema = r->old_schema;
	config.cube_roles = r->config.cube_roles;
	verdict = gc_pg_connect(&config, "gracecube rebuild", &pg, err);
	if (verdict == GC_OK)
		verdict = gc_pg_do(
			pg,
			"SET check_function_bodies = off; SET search_path = pg_catalog, pg_temp; BEGIN;"
			" SELECT pg_advisory_xact_lock(7240000)", /* the server of one that was killed may be at it still */
			err);
	if (verdict == GC_OK)
		verdict = run_code(pg, err);
	if (verdict == GC_OK)
		verdict = gc_pg_do(pg, "COMMIT", err);
	gc_pg_close(pg);
	return verdict;
}

/* In which schema functions look for names stands in each of them. */
enum gc_verdict gc_rebuild_is_unfinished(struct gc_rebuild *r, bool *ret_is, struct gc_err *err)
{
	static const char sql[] =
		"SELECT EXISTS (SELECT FROM cube.rebuild WHERE swapped_at IS NOT NULL AND dropped_at IS NULL) AND EXISTS ("
		"SELECT FROM pg_proc p, unnest(p.proconfig) c WHERE p.pronamespace = to_regnamespace(quote_ident($1))"
		" AND starts_with(c, 'search_path=' || quote_ident($2) || ','))";
	const char *values[] = { r->old_schema, r->live_config->cube_schema };

	return gc_pg_query(r->live, sql, values, 2, take_flag, ret_is, err);
}

enum gc_verdict gc_rebuild_commit_swap(struct gc_rebuild *r, struct gc_err *err)
{
	const char *old = r->old_schema;
	enum gc_verdict verdict = gc_pg_query(r->live, "SELECT cube.take_place($1)", &old, 1, NULL, NULL, err);

	if (verdict == GC_OK)
		verdict = gc_pg_do(r->live, "COMMIT", err);
	if (verdict == GC_OK)
		r->is_swapping = r->is_held = false;
	return verdict;
}

/* ---- dropping ---- */

static void take_views(void *arg, const char *const *values, int columns)
{
	(void)columns;
	snprintf(arg, GC_REBUILD_VIEWS_BYTES, "%s", values[0] ? values[0] : "");
}

enum gc_verdict gc_rebuild_views_elsewhere(struct gc_rebuild *r, const char *schema, char ret_views[GC_REBUILD_VIEWS_BYTES],
					   struct gc_err *err)
{
	return gc_pg_query(r->live, "SELECT cube.views_elsewhere($1)", &schema, 1, take_views, ret_views, err);
}

static void take_name(void *arg, const char *const *values, int columns)
{
	(void)columns;
	snprintf(arg, 200, "%s", values[0]);
}

/* Table by table: all at once would need a lock for each, and there is room for some thousands only. */
static enum gc_verdict drop_schema(struct gc_rebuild *r, const char *schema, struct gc_err *err)
{
	static const char next[] = "SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = to_regnamespace(quote_ident($1))"
				   " AND c.relkind = 'r' AND c.relispartition LIMIT 1";
	char table[200], sql[300];
	enum gc_verdict verdict;

	do {
		table[0] = '\0';
		verdict = gc_pg_query(r->live, next, &schema, 1, take_name, table, err);
		snprintf(sql, sizeof(sql), "DROP TABLE %s", table);
		if (verdict == GC_OK && *table)
			verdict = gc_pg_do(r->live, sql, err);
	} while (verdict == GC_OK && *table);
	snprintf(sql, sizeof(sql), "DROP SCHEMA \"%s\" CASCADE", schema);
	return verdict == GC_OK ? gc_pg_do(r->live, sql, err) : verdict;
}

enum gc_verdict gc_rebuild_abandon(struct gc_rebuild *r, struct gc_err *err)
{
	static const char sql[] =
		"SELECT count(*) = 0 FROM cube.etl_offset WHERE NOT EXISTS (SELECT FROM cube.rebuild WHERE swapped_at IS NULL)";
	bool is_there = false, is_ours = false;
	enum gc_verdict verdict = gc_rebuild_has_schema(r, r->schema, &is_there, err);

	if (verdict == GC_OK && !is_there)
		return gc_fail(err, GC_REJECT, "no_rebuild", r->schema, "no rebuild is under way");
	if (verdict == GC_OK && !r->own)
		verdict = gc_pg_connect(&r->config, "gracecube rebuild", &r->own, err);
	if (verdict == GC_OK)
		verdict = gc_pg_query(r->own, sql, NULL, 0, take_flag, &is_ours, err);
	if (verdict == GC_OK && !is_ours)
		return gc_fail(err, GC_FATAL, "not_ours", r->schema,
			       "the schema %s holds a cube that is no rebuild; it was left alone", r->schema);
	return verdict == GC_OK ? drop_schema(r, r->schema, err) : verdict;
}

enum gc_verdict gc_rebuild_drop_old(struct gc_rebuild *r, struct gc_err *err)
{
	static const char sql[] = "SELECT count(*) > 0 FROM cube.rebuild WHERE swapped_at IS NOT NULL AND dropped_at IS NULL";
	char views[GC_REBUILD_VIEWS_BYTES] = "";
	bool is_there = false, is_ours = false;
	enum gc_verdict verdict = gc_rebuild_has_schema(r, r->old_schema, &is_there, err);

	if (verdict == GC_OK && !is_there)
		return gc_fail(err, GC_REJECT, "no_old_cube", r->old_schema, "there is no cube of before a rebuild");
	if (verdict == GC_OK)
		verdict = gc_pg_query(r->live, sql, NULL, 0, take_flag, &is_ours, err);
	if (verdict == GC_OK && !is_ours)
		return gc_fail(err, GC_FATAL, "not_ours", r->old_schema,
			       "no rebuild has left the schema %s behind; it was left alone", r->old_schema);
	if (verdict == GC_OK)
		verdict = gc_rebuild_views_elsewhere(r, r->old_schema, views, err);
	if (verdict == GC_OK && *views)
		return gc_fail(err, GC_FATAL, "views", r->old_schema,
			       "views of yours read it: %s; make them again (CREATE OR REPLACE VIEW), or drop them", views);
	if (verdict == GC_OK)
		verdict = drop_schema(r, r->old_schema, err);
	if (verdict == GC_OK)
		verdict = gc_pg_do(r->live,
				   "UPDATE cube.rebuild SET dropped_at = now() WHERE swapped_at IS NOT NULL AND dropped_at IS NULL",
				   err);
	return verdict;
}
