/* What comes before the facts' transaction: claiming partitions, and resolving what the caches miss. The members are committed
 * first, so a cached key is always durable. Threads: one connection belongs to one worker.
 */
#include "pg.h"

#include <gracecube/log.h>
#include <stdlib.h>

static const char *const resolve_sql[GC_DIM_COUNT] = {
	[GC_DIM_COMPONENT] = "SELECT * FROM cube.resolve_component($1)",
	[GC_DIM_TIER] = "SELECT * FROM cube.resolve_tier($1)",
	[GC_DIM_ACTOR] = "SELECT * FROM cube.resolve_actor($1)",
	[GC_DIM_MISSION] = "SELECT * FROM cube.resolve_mission($1)",
};

struct resolve {
	struct gc_dimension_cache *cache;
	int dimension_of[GC_DIM_COUNT]; /* which dimension the n-th statement asks */
};

static void cache_members(void *arg, int n, const PGresult *result)
{
	struct resolve *resolve = arg;

	for (int row = 0; n < GC_DIM_COUNT && resolve->dimension_of[n] >= 0 && row < PQntuples(result); row++)
		gc_dimension_cache_put(resolve->cache, (enum gc_dimension)resolve->dimension_of[n],
				       (struct gc_span){ PQgetvalue(result, row, 0), (size_t)PQgetlength(result, row, 0) },
				       (int32_t)strtol(PQgetvalue(result, row, 1), NULL, 10));
}

static void send_members(struct gc_pg *pg, struct gc_arena *arena, const struct gc_misses *misses, struct resolve *resolve)
{
	for (int d = 0; d < GC_DIM_COUNT; d++) {
		struct gc_pg_parameters p;

		if (misses->member_count[d] == 0)
			continue;
		gc_pg_parameters_init(&p, arena);
		gc_pg_add_texts(&p, misses->members[d], sizeof(struct gc_span), misses->member_count[d]);
		resolve->dimension_of[pg->statements] = d;
		gc_pg_send(pg, resolve_sql[d], &p);
	}
}

/* The transaction that makes a table keeps it locked, and each of its nine indexes: not for all months of a batch at once. */
#define PARTITIONS_AT_ONCE 50

static void send_partitions(struct gc_pg *pg, struct gc_arena *arena, const struct gc_misses *misses, size_t from)
{
	size_t count = misses->partition_count - from < PARTITIONS_AT_ONCE ? misses->partition_count - from : PARTITIONS_AT_ONCE;
	struct gc_span *targets = gc_arena_alloc(arena, count * sizeof(*targets));
	struct gc_pg_parameters p;

	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		targets[i] = gc_span_of(misses->partitions[from + i].target);
	gc_pg_parameters_init(&p, arena);
	gc_pg_add_texts(&p, targets, sizeof(*targets), count);
	gc_pg_add_int4s(&p, &misses->partitions[from].month, sizeof(*misses->partitions), count);
	gc_pg_send(pg, "SELECT cube.ensure_partitions($1, $2)", &p);
}

static void send_hours(struct gc_pg *pg, struct gc_arena *arena, const struct gc_misses *misses)
{
	struct gc_pg_parameters p;

	if (misses->hour_count == 0)
		return;
	gc_pg_parameters_init(&p, arena);
	gc_pg_add_int4s(&p, misses->hours, sizeof(int32_t), misses->hour_count);
	gc_pg_send(pg, "SELECT cube.ensure_hours($1)", &p);
}

static bool is_complete(const struct gc_misses *misses)
{
	for (int d = 0; d < GC_DIM_COUNT; d++) {
		if (misses->member_count[d] > 0)
			return false;
	}
	return misses->partition_count == 0 && misses->hour_count == 0;
}

/* Partitions from the given one on, as many as one transaction makes; with the first also members and hours. */
static enum gc_verdict make_missing(struct gc_pg *pg, struct gc_batch *batch, struct gc_dimension_cache *cache, size_t from,
				    struct gc_err *err)
{
	struct gc_misses *misses = gc_batch_misses(batch);
	struct resolve resolve = { .cache = cache, .dimension_of = { -1, -1, -1, -1 } };
	enum gc_verdict verdict = gc_pg_begin(pg, err);

	if (verdict != GC_OK)
		return verdict;
	if (from == 0)
		send_members(pg, gc_batch_arena(batch), misses, &resolve);
	send_partitions(pg, gc_batch_arena(batch), misses, from);
	if (from == 0)
		send_hours(pg, gc_batch_arena(batch), misses);
	return gc_pg_commit(pg, cache_members, &resolve, err);
}

enum gc_verdict gc_pg_resolve(struct gc_pg *pg, struct gc_batch *batch, struct gc_dimension_cache *cache, struct gc_err *err)
{
	struct gc_misses *misses = gc_batch_misses(batch);
	size_t from = 0;
	enum gc_verdict verdict;

	if (is_complete(misses))
		return GC_OK;
	do {
		verdict = make_missing(pg, batch, cache, from, err);
		from += PARTITIONS_AT_ONCE;
	} while (verdict == GC_OK && from < misses->partition_count);
	if (verdict == GC_REJECT) /* a zone that the server does not know, a table that somebody changed: no record's fault */
		return gc_fail(
			err, GC_FATAL, "environment", "cube",
			"new members, hours or months cannot be made: %s; see cube.business_zone and what was changed in the database",
			gc_arena_printf(gc_batch_arena(batch), "%s", err->text).ptr);
	if (verdict != GC_OK)
		return verdict;
	for (size_t i = 0; i < misses->partition_count; i++)
		gc_dimension_cache_put_partition(cache, misses->partitions[i].target, misses->partitions[i].month);
	for (size_t i = 0; i < misses->hour_count; i++)
		gc_dimension_cache_put_hour(cache, misses->hours[i]);
	return GC_OK;
}

static int64_t number(const PGresult *result, int row, int column)
{
	return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

static void read_claims(const PGresult *result, struct gc_claim *claims, size_t count)
{
	for (int row = 0; row < PQntuples(result); row++) {
		int64_t n = number(result, row, 0);

		if (n < 1 || n > (int64_t)count)
			continue;
		claims[n - 1].offset_id = number(result, row, 1);
		claims[n - 1].owner_epoch = number(result, row, 2);
		claims[n - 1].next_offset = number(result, row, 3);
		claims[n - 1].lost = number(result, row, 4);
		claims[n - 1].last_hash = number(result, row, 5);
		claims[n - 1].order = gc_order_read(PQgetvalue(result, row, 6));
		claims[n - 1].truncated = gc_pg_read_place(PQgetvalue(result, row, 7));
	}
}

/* A former owner whose machine has vanished, or whose process stands still, in the middle of sending a batch holds its rows until the
 * server hears of it. A worker sends a batch at once: one that has kept its server waiting inside of a transaction for seconds, and has
 * lost its partitions since, is not coming back with it. What it held is rolled back, and it would be fenced anyway. */
static enum gc_verdict end_former_owners(struct gc_pg *pg, const struct gc_pg_parameters *claim, struct gc_err *err)
{
	static const char sql[] =
		"SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a.datname = current_database()"
		" AND a.usename = current_user AND starts_with(a.application_name, $4) AND a.xact_start IS NOT NULL"
		" AND a.wait_event = 'ClientRead' AND a.query_start < clock_timestamp() - interval '3 s' AND a.pid IN (SELECT o.owner_pid"
		" FROM cube.etl_offset o JOIN unnest($2::text[], $3::int[]) AS i (topic, partition) USING (topic, partition)"
		" WHERE o.group_id = $1)";
	char workers[GC_PG_APPLICATION_BYTES];
	const Oid types[] = { claim->types[0], claim->types[3], claim->types[4], 0 };
	const char *const values[] = { claim->values[0], claim->values[3], claim->values[4],
				       gc_pg_application(&pg->names, "gracecube worker ", workers) };
	const int lengths[] = { 0, claim->lengths[3], claim->lengths[4], 0 },
		  formats[] = { 0, claim->formats[3], claim->formats[4], 0 };
	PGresult *result = PQexecParams(pg->conn, gc_pg_sql(pg, sql), 4, types, values, lengths, formats, 0);
	enum gc_verdict verdict = GC_OK;

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		verdict = gc_pg_fail(pg, result, "pg_terminate_backend", err);
	else if (PQntuples(result) > 0)
		gc_warn("a former owner of these partitions stood still in the middle of a batch; its connection was ended",
			GC_I("connections", PQntuples(result)));
	PQclear(result);
	return verdict;
}

enum gc_verdict gc_pg_claim(struct gc_pg *pg, const char *group, const char *owner, struct gc_claim *claims, size_t count,
			    struct gc_err *err)
{
	struct gc_arena arena;
	struct gc_pg_parameters p;
	struct gc_span *streams;
	PGresult *result;
	enum gc_verdict verdict = GC_OK;

	gc_arena_init(&arena);
	streams = gc_arena_alloc(&arena, count * sizeof(*streams));
	for (size_t i = 0; i < count; i++)
		streams[i] = gc_span_of(claims[i].stream);
	gc_pg_parameters_init(&p, &arena);
	p.types[0] = p.types[1] = 25; /* text */
	p.values[0] = group;
	p.values[1] = owner;
	p.formats[0] = p.formats[1] = 0;
	p.count = 2;
	gc_pg_add_texts(&p, streams, sizeof(*streams), count);
	gc_pg_add_texts(&p, &claims->topic, sizeof(*claims), count);
	gc_pg_add_int4s(&p, &claims->partition, sizeof(*claims), count);
	gc_pg_add_int8s(&p, &claims->low_offset, sizeof(*claims), count);
	verdict = gc_pg_do(pg, "SET lock_timeout = '3s'", err); /* who holds the rows is looked at again then */
	if (verdict == GC_OK)
		verdict = end_former_owners(pg, &p, err);
	if (verdict != GC_OK) {
		gc_arena_done(&arena);
		return verdict;
	}
	result = PQexecParams(pg->conn, gc_pg_sql(pg, "SELECT * FROM cube.claim($1, $2, $3, $4, $5, $6)"), p.count, p.types,
			      p.values, p.lengths, p.formats, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		verdict = gc_pg_fail(pg, result, "cube.claim", err);
	else
		read_claims(result, claims, count);
	PQclear(result);
	gc_arena_done(&arena);
	result = PQexec(pg->conn, "SET lock_timeout = '10s'");
	if (PQresultStatus(result) != PGRES_COMMAND_OK && verdict == GC_OK)
		verdict = gc_pg_fail(pg, result, "lock_timeout", err);
	PQclear(result);
	return verdict;
}
