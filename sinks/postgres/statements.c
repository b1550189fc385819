/* What every batch says, prepared once a connection. One statement a target, made from its descriptor in named notation: a column
 * that C and SQL do not agree on, in name or in type, cannot be prepared. Threads: one connection belongs to one worker.
 */
#include "pg.h"

#include <stdio.h>

static const struct {
	const char *name;
	Oid type;
} version_columns[] = { { "deleted", 1000 },  { "lsn", 1016 },           { "source_us", 1016 },
			{ "kafka_us", 1016 }, { "record_offset", 1016 }, { "offset_id", 1016 } };
#define VERSION_COLUMNS ((int)(sizeof(version_columns) / sizeof(version_columns[0])))

struct gc_span gc_pg_merge_name(const struct gc_target *target, struct gc_arena *arena)
{
	return gc_arena_printf(arena, "merge_%s", target->name);
}

static const char *column_name(const struct gc_target *target, int i)
{
	return i < target->column_count ? target->columns[i].name : version_columns[i - target->column_count].name;
}

struct gc_span gc_pg_merge_text(const struct gc_target *target, struct gc_arena *arena)
{
	struct gc_span text = gc_arena_printf(arena, "SELECT cube.merge_%s(", target->name);

	for (int i = 0; i < target->column_count + VERSION_COLUMNS; i++)
		text = gc_arena_printf(arena, "%s%s%s => $%d", text.ptr, i ? ", " : "", column_name(target, i), i + 1);
	return gc_arena_printf(arena, "%s)", text.ptr);
}

/* types: NULL lets the server tell them. */
static enum gc_verdict prepare(struct gc_pg *pg, const char *name, const char *text, const Oid *types, int count,
			       struct gc_err *err)
{
	PGresult *result = PQprepare(pg->conn, name, gc_pg_sql(pg, text), count, types);
	enum gc_verdict verdict = GC_OK;

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		verdict = gc_pg_fail(pg, result, name, err);
	PQclear(result);
	return verdict;
}

static enum gc_verdict prepare_target(struct gc_pg *pg, const struct gc_target *target, struct gc_err *err)
{
	int count = target->column_count + VERSION_COLUMNS;
	struct gc_arena arena;
	Oid types[GC_PG_PARAMETERS_MAX];
	enum gc_verdict verdict;

	for (int i = 0; i < count; i++)
		types[i] = i < target->column_count ? gc_pg_array_type(target->columns[i].kind)
						    : version_columns[i - target->column_count].type;
	gc_arena_init(&arena);
	verdict = prepare(pg, gc_pg_merge_name(target, &arena).ptr, gc_pg_merge_text(target, &arena).ptr, types, count, err);
	gc_arena_done(&arena);
	return verdict;
}

/* Every target once: several streams may share one. */
static bool is_first_use(const struct gc_stream *const *stream, const struct gc_target *target)
{
	for (const struct gc_stream *const *s = gc_streams; s < stream; s++) {
		for (const struct gc_target *const *t = (*s)->targets; *t; t++) {
			if (*t == target)
				return false;
		}
	}
	return true;
}

/* Parsed and planned anew for each batch, these took 0.2 ms of the 2 ms that a batch of one record takes. */
static const struct {
	const char *name, *text;
} batch_statements[] = {
	{ GC_PG_ADVANCE, "SELECT cube.advance($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)" },
	{ GC_PG_GATE_SHARED, "SELECT cube.mission_gate(false)" },
	{ GC_PG_GATE_ALONE, "SELECT cube.mission_gate(true)" },
};

enum gc_verdict gc_pg_prepare(struct gc_pg *pg, struct gc_err *err)
{
	for (size_t i = 0; i < sizeof(batch_statements) / sizeof(batch_statements[0]); i++) {
		enum gc_verdict verdict = prepare(pg, batch_statements[i].name, batch_statements[i].text, NULL, 0, err);

		if (verdict != GC_OK)
			return verdict;
	}
	for (const struct gc_stream *const *s = gc_streams; *s; s++) {
		for (const struct gc_target *const *t = (*s)->targets; *t; t++) {
			enum gc_verdict verdict = is_first_use(s, *t) ? prepare_target(pg, *t, err) : GC_OK;

			if (verdict != GC_OK)
				return verdict;
		}
	}
	return GC_OK;
}

enum gc_verdict gc_pg_check_statements(struct gc_pg *pg, void (*each)(void *arg, const char *name, const char *problem), void *arg,
				       struct gc_err *err)
{
	for (const struct gc_stream *const *s = gc_streams; *s; s++) {
		for (const struct gc_target *const *t = (*s)->targets; *t; t++) {
			enum gc_verdict verdict;

			if (!is_first_use(s, *t))
				continue;
			verdict = prepare_target(pg, *t, err);
			if (pg->lost)
				return verdict;
			each(arg, (*t)->name, verdict == GC_OK ? NULL : err->text);
		}
	}
	return GC_OK;
}
