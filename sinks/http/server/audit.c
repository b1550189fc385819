/* The audit: who asked for what, and what came of it, in cube.api_audit.
 *
 * Rows are gathered and written twice a second, so that a request does not wait for the disk: what is lost when the process is killed is
 * the last half second. While the database is away up to QUEUE_MAX rows wait; more are counted and told. Of requests that nobody is
 * known by there is a sample only.
 * Threads: requests put rows under the lock, one thread writes them.
 */
#include "http/server/server.h"

#include <gracecube/arena.h>
#include <stdio.h>

#define QUEUE_MAX 20000
#define WRITE_INTERVAL_US (500 * 1000)
#define TRIM_INTERVAL_US GC_HOUR_US
#define TEXT_BYTES_MAX 1000
/* Anybody can send requests that nobody is known by. Of those a sample is kept, and short: a hundred at once, then ten a minute, which is
 * less than 10 MB a day whatever comes. All are counted. */
#define STRANGER_BYTES_MAX 200
#define STRANGERS_MAX 100
#define STRANGER_INTERVAL_US (6 * GC_SECOND_US)

struct row {
	int64_t at_us, rows, took_us;
	int32_t status;
	struct gc_span token_id, token_name, method, path, query, remote;
};

/* One batch: rows, and an arena for their texts. */
struct batch {
	struct row *rows;
	size_t count, capacity;
	struct gc_arena arena;
};

struct gc_audit {
	struct gc_serve *serve;
	struct gc_thread thread;
	pthread_mutex_t lock; /* of the rows that wait, and the counts */
	struct batch filling, writing;
	int64_t written, lost, lost_told;
	int64_t left_out, left_out_told;
	int64_t strangers_until_us; /* monotonic: when the last of those that were kept would have come, had they kept to their interval */
	struct gc_database db;
	int64_t trimmed_us;
};

/* ---- gathering ---- */

/* Short, without secrets, and UTF-8 whatever the client sent. NULL stays NULL. */
static struct gc_span keep(struct gc_arena *arena, const char *text, size_t bytes_max)
{
	struct gc_span span = gc_span_of(text);
	char *bytes;

	if (!text || !*text)
		return GC_SPAN_NULL;
	span.len = span.len < bytes_max ? span.len : bytes_max;
	span = gc_arena_dup(arena, span);
	bytes = (char *)span.ptr;
	gc_token_mask(bytes, span.len);
	if (gc_span_is_utf8(span))
		return span;
	for (size_t i = 0; i < span.len; i++)
		bytes[i] = (unsigned char)bytes[i] < 0x80 ? bytes[i] : '?';
	return span;
}

static bool is_stranger(const struct gc_request *request)
{
	return request->access == GC_ACCESS_ANYBODY;
}

/* Under the lock. */
static bool has_room_for_stranger(struct gc_audit *audit)
{
	int64_t now = gc_monotonic_us();

	if (audit->strangers_until_us < now)
		audit->strangers_until_us = now;
	if (audit->strangers_until_us - now >= STRANGERS_MAX * STRANGER_INTERVAL_US)
		return false;
	audit->strangers_until_us += STRANGER_INTERVAL_US;
	return true;
}

static void add_row(struct batch *batch, const struct gc_request *request)
{
	struct gc_arena *arena = &batch->arena;
	size_t most = is_stranger(request) ? STRANGER_BYTES_MAX : TEXT_BYTES_MAX;

	if (batch->count == batch->capacity) {
		batch->capacity = batch->capacity ? batch->capacity * 2 : 64;
		batch->rows = gc_realloc(batch->rows, batch->capacity * sizeof(*batch->rows));
	}
	batch->rows[batch->count++] = (struct row){
		.at_us = request->asked_us,
		.rows = request->rows,
		.took_us = gc_monotonic_us() - request->started_us,
		.status = request->status,
		.token_id = keep(arena, request->token_id, most),
		.token_name = keep(arena, request->token_name, most),
		.method = keep(arena, request->method, most),
		.path = keep(arena, request->path, most),
		.query = keep(arena, request->parameters.ptr, most),
		.remote = keep(arena, request->remote, most),
	};
}

void gc_audit_put(struct gc_audit *audit, const struct gc_request *request)
{
	pthread_mutex_lock(&audit->lock);
	if (is_stranger(request) && !has_room_for_stranger(audit))
		audit->left_out++;
	else if (audit->filling.count < QUEUE_MAX)
		add_row(&audit->filling, request);
	else
		audit->lost++;
	pthread_mutex_unlock(&audit->lock);
}

struct gc_audit_facts gc_audit_facts(struct gc_audit *audit)
{
	struct gc_audit_facts facts;

	pthread_mutex_lock(&audit->lock);
	facts = (struct gc_audit_facts){ .written = audit->written,
					 .lost = audit->lost,
					 .left_out = audit->left_out,
					 .waiting = (int64_t)(audit->filling.count + audit->writing.count) };
	pthread_mutex_unlock(&audit->lock);
	return facts;
}

/* ---- writing ---- */

#define STRIDE sizeof(struct row)

static void add_parameters(struct gc_pg_parameters *p, const struct batch *batch)
{
	const struct row *r = batch->rows;
	size_t n = batch->count;

	gc_pg_add_int8s(p, &r->at_us, STRIDE, n);
	gc_pg_add_texts(p, &r->token_id, STRIDE, n);
	gc_pg_add_texts(p, &r->token_name, STRIDE, n);
	gc_pg_add_texts(p, &r->method, STRIDE, n);
	gc_pg_add_texts(p, &r->path, STRIDE, n);
	gc_pg_add_texts(p, &r->query, STRIDE, n);
	gc_pg_add_int4s(p, &r->status, STRIDE, n);
	gc_pg_add_int8s(p, &r->rows, STRIDE, n);
	gc_pg_add_int8s(p, &r->took_us, STRIDE, n);
	gc_pg_add_texts(p, &r->remote, STRIDE, n);
}

static enum gc_verdict write_batch(struct gc_audit *audit, struct batch *batch, struct gc_err *err)
{
	static const char sql[] = "SELECT cube.add_api_audit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
	struct gc_pg_parameters p;
	struct gc_arena arena;
	PGresult *result;
	enum gc_verdict verdict = gc_database_ensure(&audit->db, err);

	if (verdict != GC_OK)
		return verdict;
	gc_arena_init(&arena);
	gc_pg_parameters_init(&p, &arena);
	add_parameters(&p, batch);
	result = PQexecParams(audit->db.pg->conn, gc_pg_sql(audit->db.pg, sql), p.count, p.types, p.values, p.lengths, p.formats,
			      0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		verdict = gc_pg_fail(audit->db.pg, result, "cube.api_audit", err);
	PQclear(result);
	gc_arena_done(&arena);
	return verdict;
}

static void trim(struct gc_audit *audit)
{
	char keep_us[24];
	const char *value = keep_us;
	PGresult *result = NULL;
	struct gc_err err;

	audit->trimmed_us = gc_monotonic_us();
	snprintf(keep_us, sizeof(keep_us), "%lld", (long long)audit->serve->config.serve_audit_retention_us);
	if (audit->serve->config.serve_audit_retention_us > 0 &&
	    gc_database_ask(&audit->db, "SELECT cube.trim_api_audit($1)", &value, 1, &result, &err) == GC_OK)
		PQclear(result);
}

static void note_written(struct gc_audit *audit)
{
	pthread_mutex_lock(&audit->lock);
	audit->written += (int64_t)audit->writing.count;
	audit->writing.count = 0;
	pthread_mutex_unlock(&audit->lock);
	gc_arena_reset(&audit->writing.arena, 1 << 20);
}

/* The rows that wait become the batch under way, unless that is still waiting for the database. */
static int64_t swap(struct gc_audit *audit)
{
	int64_t untold = 0;

	pthread_mutex_lock(&audit->lock);
	if (audit->writing.count == 0) {
		struct batch empty_one = audit->writing;

		audit->writing = audit->filling;
		audit->filling = empty_one;
		untold = audit->lost - audit->lost_told;
		audit->lost_told = audit->lost;
	}
	pthread_mutex_unlock(&audit->lock);
	return untold;
}

static void write_rows(struct gc_audit *audit)
{
	struct gc_err err = { .verdict = GC_OK };
	int64_t lost = swap(audit), repeated;

	if (lost)
		gc_warn("the audit had no room for some requests", GC_I("requests", lost));
	if (audit->writing.count && write_batch(audit, &audit->writing, &err) == GC_OK)
		note_written(audit);
	else if (audit->writing.count && err.verdict != GC_RETRY && gc_complain(&audit->db.complaint, gc_monotonic_us(), &repeated))
		gc_error("the audit can not be written", GC_ERR_FIELDS(&err), GC_I("rows", audit->writing.count));
	if (!gc_database_is_lost(&audit->db) && gc_monotonic_us() - audit->trimmed_us > TRIM_INTERVAL_US)
		trim(audit);
}

static void *run_audit(void *argument)
{
	struct gc_audit *audit = argument;

	while (gc_thread_wait(&audit->thread, WRITE_INTERVAL_US))
		write_rows(audit);
	for (int i = 0; i < 2; i++) /* what was under way, and what came since */
		write_rows(audit);
	gc_database_close(&audit->db);
	return NULL;
}

struct gc_audit *gc_audit_start(struct gc_serve *serve)
{
	struct gc_audit *audit = gc_calloc(1, sizeof(*audit));

	audit->serve = serve;
	gc_database_init(&audit->db, serve, "gracecube serve audit", "SET synchronous_commit = on");
	gc_arena_init(&audit->filling.arena);
	gc_arena_init(&audit->writing.arena);
	pthread_mutex_init(&audit->lock, NULL);
	gc_thread_start(&audit->thread, run_audit, audit);
	return audit;
}

static void batch_done(struct batch *batch)
{
	free(batch->rows);
	gc_arena_done(&batch->arena);
}

void gc_audit_stop(struct gc_audit *audit)
{
	if (!audit)
		return;
	gc_thread_stop(&audit->thread);
	if (audit->writing.count + audit->filling.count)
		gc_warn("requests are missing in the audit, because the database is away",
			GC_I("requests", audit->writing.count + audit->filling.count));
	batch_done(&audit->filling);
	batch_done(&audit->writing);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}
