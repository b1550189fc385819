/* A TRUNCATE of the source, and what was there before: see gracecube/sink.h. Threads: one connection belongs to one worker. */
#include "pg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A version as cube.etl_offset.truncated has it: its place, and its own time. */
static void write_place(const struct gc_version *version, char *text, size_t bytes)
{
	snprintf(text, bytes, "{%" PRId64 ",%" PRId64 ",%" PRId64 "}", version->at_us, version->lsn, gc_version_own_us(version));
}

struct gc_version gc_pg_read_place(const char *text)
{
	struct gc_version version = { 0 };
	char *end;

	if (*text != '{')
		return version;
	version.at_us = strtoll(text + 1, &end, 10);
	version.lsn = *end == ',' ? strtoll(end + 1, &end, 10) : 0;
	version.source_us = *end == ',' ? strtoll(end + 1, &end, 10) : 0;
	version.kafka_us = version.source_us;
	return version;
}

enum gc_verdict gc_pg_note_truncate(struct gc_pg *pg, const struct gc_truncate *truncate, const struct gc_claim *held, size_t count,
				    struct gc_err *err)
{
	struct gc_arena arena;
	struct gc_pg_parameters p;
	char place[80];
	PGresult *result;
	enum gc_verdict verdict = GC_OK;

	write_place(&truncate->version, place, sizeof(place));
	gc_arena_init(&arena);
	gc_pg_parameters_init(&p, &arena);
	gc_pg_add_int8s(&p, &held->offset_id, sizeof(*held), count);
	gc_pg_add_int8s(&p, &held->owner_epoch, sizeof(*held), count);
	gc_pg_add_text(&p, place);
	gc_pg_add_number(&p, truncate->source);
	result = PQexecParams(pg->conn, gc_pg_sql(pg, "SELECT cube.note_truncate($1, $2, $3::text::bigint[], $4)"), p.count,
			      p.types, p.values, p.lengths, p.formats, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		verdict = gc_pg_fail(pg, result, "cube.note_truncate", err);
	else if (strcmp(PQgetvalue(result, 0, 0), "t") != 0)
		verdict = gc_fail(err, GC_REJECT, "truncate", "source",
				  GC_TRUNCATE_REFUSED
				  ": rows of several databases come through this topic, and it is not known which are whose");
	PQclear(result);
	gc_arena_done(&arena);
	return verdict;
}

enum gc_verdict gc_pg_gone(struct gc_pg *pg, const struct gc_gone *gone,
			   void (*each)(void *arg, const char *const *values, int columns), void *arg, struct gc_err *err)
{
	char us[24], lsn[24], count_max[24];
	const char *const values[] = { gone->target, gone->topic, us, lsn, gone->after, gone->count_max > 0 ? count_max : NULL };

	snprintf(us, sizeof(us), "%" PRId64, gone->before_us);
	snprintf(lsn, sizeof(lsn), "%" PRId64, gone->before_lsn);
	snprintf(count_max, sizeof(count_max), "%" PRId64, gone->count_max);
	return gc_pg_query(pg, "SELECT * FROM cube.gone_keys($1, $2, $3::bigint, $4::bigint, $5, $6::bigint)", values, 6, each, arg,
			   err);
}
