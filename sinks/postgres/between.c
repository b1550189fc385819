/* What a worker asks of the cube between batches: see gracecube/sink.h. Threads: one connection belongs to one worker. */
#include "pg.h"

#include <gracecube/arena.h>
#include <stdio.h>
#include <stdlib.h>

static void take_number(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(int64_t *)arg = values[0] ? strtoll(values[0], NULL, 10) : 0;
}

enum gc_verdict gc_pg_link_slice(struct gc_pg *pg, int keys, int64_t *ret_done, struct gc_err *err)
{
	char number[16];
	const char *const values[] = { number };

	snprintf(number, sizeof(number), "%d", keys);
	return gc_pg_query(pg, "SELECT cube.relink_slice($1::int)", values, 1, take_number, ret_done, err);
}

enum gc_verdict gc_pg_tell_halts(struct gc_pg *pg, const char *group, const char *owner, const struct gc_halt *halts, size_t count,
				 struct gc_err *err)
{
	struct gc_arena arena;
	struct gc_pg_parameters p;
	PGresult *result;
	enum gc_verdict verdict = GC_OK;

	gc_arena_init(&arena);
	gc_pg_parameters_init(&p, &arena);
	gc_pg_add_text(&p, group);
	gc_pg_add_text(&p, owner);
	gc_pg_add_texts(&p, &halts->topic, sizeof(*halts), count);
	gc_pg_add_int4s(&p, &halts->partition, sizeof(*halts), count);
	gc_pg_add_int8s(&p, &halts->since_us, sizeof(*halts), count);
	gc_pg_add_texts(&p, &halts->code, sizeof(*halts), count);
	gc_pg_add_texts(&p, &halts->why, sizeof(*halts), count);
	result = PQexecParams(pg->conn, gc_pg_sql(pg, "SELECT cube.tell_halts($1, $2, $3, $4, $5, $6, $7)"), p.count, p.types,
			      p.values, p.lengths, p.formats, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		verdict = gc_pg_fail(pg, result, "cube.tell_halts", err);
	PQclear(result);
	gc_arena_done(&arena);
	return verdict;
}
