/* The cube that is made again, from its begin to the difference: see gracecube/rebuild.h. What is done is in
 * sinks/sql/code/2_engine/rebuild.sql; here is who is asked, in which transaction. Threads: one rebuild belongs to one thread.
 */
#include "rebuild.h"

#include <gracecube/log.h>
#include <gracecube/time.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ONE_AT_A_TIME "7240015"
/* A rebuild that was killed holds it until the server has heard of that. */
#define LOCK_PATIENCE_US (5 * GC_SECOND_US)
#define PAUSE_US (GC_SECOND_US / 5)
/* How long numbers are tried to be set apart for, without keeping anybody waiting for longer than 100 ms. */
#define NUMBERS_PATIENCE_US GC_MINUTE_US
/* Links that wait, in a transaction: half a second. */
#define KEYS_AT_ONCE 5000

static void take_flag(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(bool *)arg = values[0] && values[0][0] == 't';
}

static int64_t int_of(const char *value)
{
	return value ? strtoll(value, NULL, 10) : 0;
}

/* ---- opening ---- */

static const char session[] =
	"SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET client_connection_check_interval = '5s'";

static void take_holder(void *arg, const char *const *values, int columns)
{
	(void)columns;
	snprintf(arg, 160, "backend %s, from %s, since %s UTC", values[0], values[1], values[2]);
}

static enum gc_verdict refuse_second(struct gc_rebuild *r, struct gc_err *err)
{
	static const char sql[] =
		"SELECT a.pid, coalesce(host(a.client_addr), 'local'), to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"
		" FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
		" AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
		" AND l.classid::bigint << 32 | l.objid::bigint = " ONE_AT_A_TIME " AND l.objsubid = 1";
	char holder[160] = "which has just ended";

	if (gc_pg_query(r->live, sql, NULL, 0, take_holder, holder, err) != GC_OK)
		return err->verdict;
	return gc_fail(err, GC_RETRY, "lock", r->schema, "another rebuild is at work (%s); wait for its end, or end it", holder);
}

static enum gc_verdict lock_rebuild(struct gc_rebuild *r, struct gc_err *err)
{
	int64_t until_us = gc_monotonic_us() + LOCK_PATIENCE_US;
	bool is_ours = false;
	enum gc_verdict verdict;

	for (;;) {
		verdict = gc_pg_query(r->live, "SELECT pg_try_advisory_lock(" ONE_AT_A_TIME ")", NULL, 0, take_flag, &is_ours, err);
		if (verdict != GC_OK || is_ours)
			return verdict;
		if (gc_monotonic_us() >= until_us)
			return refuse_second(r, err);
		gc_sleep_us(PAUSE_US);
	}
}

static void take_owner(void *arg, const char *const *values, int columns)
{
	(void)columns;
	snprintf(arg, 80, "%s", values[0] ? values[0] : "");
}

/* What functions may do is what their owner may. */
static enum gc_verdict check_owner(struct gc_rebuild *r, struct gc_err *err)
{
	static const char sql[] =
		"SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = $1 AND n.nspowner <> current_user::regrole";
	const char *schema = r->live_config->cube_schema;
	char owner[80] = "";
	enum gc_verdict verdict = gc_pg_query(r->live, sql, &schema, 1, take_owner, owner, err);

	if (verdict == GC_OK && *owner)
		return gc_fail(err, GC_FATAL, "owner", schema, "the cube belongs to %s, and so has the new one to; log in as %s",
			       owner, owner);
	return verdict;
}

enum gc_verdict gc_rebuild_open(const struct gc_config *config, struct gc_rebuild **ret_rebuild, struct gc_err *err)
{
	struct gc_rebuild *r = gc_calloc(1, sizeof(*r));
	enum gc_verdict verdict;

	r->live_config = config;
	r->config = *config;
	snprintf(r->schema, sizeof(r->schema), "%s_rebuild", config->cube_schema);
	snprintf(r->old_schema, sizeof(r->old_schema), "%s_old", config->cube_schema);
	r->config.cube_schema = r->schema;
	r->config.cube_roles = config->cube_roles ? config->cube_roles : config->cube_schema;
	verdict = gc_pg_open(config, "gracecube rebuild", &r->live, err);
	if (verdict == GC_OK)
		verdict = gc_pg_do(r->live, session, err);
	if (verdict == GC_OK)
		verdict = check_owner(r, err);
	if (verdict == GC_OK)
		verdict = lock_rebuild(r, err);
	if (verdict != GC_OK) {
		gc_rebuild_close(r);
		return verdict;
	}
	*ret_rebuild = r;
	return GC_OK;
}

void gc_rebuild_close(struct gc_rebuild *r)
{
	if (!r)
		return;
	gc_pg_close(r->own);
	gc_pg_close(r->live);
	free(r);
}

const struct gc_config *gc_rebuild_config(const struct gc_rebuild *r)
{
	return &r->config;
}

const char *gc_rebuild_old_schema(const struct gc_rebuild *r)
{
	return r->old_schema;
}

/* ---- looking ---- */

enum gc_verdict gc_rebuild_has_schema(struct gc_rebuild *r, const char *schema, bool *ret_has, struct gc_err *err)
{
	return gc_pg_query(r->live, "SELECT to_regnamespace(quote_ident($1)) IS NOT NULL", &schema, 1, take_flag, ret_has, err);
}

/* A new cube that another program has begun is not gone on with: its rows are of other rules. */
static enum gc_verdict open_own(struct gc_rebuild *r, struct gc_err *err)
{
	enum gc_verdict verdict;

	if (r->own)
		return GC_OK;
	verdict = gc_pg_open(&r->config, "gracecube rebuild", &r->own, err);
	if (verdict == GC_FATAL && strcmp(err->code, "schema_version") == 0)
		return gc_fail(err, GC_FATAL, "other_program", r->schema,
			       "the rebuild was begun by another gracecube; `gracecube rebuild --abandon` it, then begin again");
	if (verdict == GC_OK)
		verdict = gc_pg_do(r->own, session, err);
	return verdict;
}

static void take_status(void *arg, const char *const *values, int columns)
{
	struct gc_rebuild_status *status = arg;

	(void)columns;
	if (!values[0])
		return;
	status->state = values[4][0] == 't' ? GC_REBUILD_READ : GC_REBUILD_BEGUN;
	snprintf(status->began_at, sizeof(status->began_at), "%s", values[0]);
	status->kept = int_of(values[1]);
	snprintf(status->incomplete, sizeof(status->incomplete), "%s", values[2]);
	snprintf(status->streams, sizeof(status->streams), "%s", values[5]);
}

static void take_program(void *arg, const char *const *values, int columns)
{
	(void)columns;
	snprintf(arg, 64, "%s", values[0]);
}

static enum gc_verdict look_inside(struct gc_rebuild *r, struct gc_rebuild_status *status, struct gc_err *err)
{
	static const char sql[] =
		"SELECT to_char(began_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), kept, array_to_string(incomplete, ', '), program,"
		" read_at IS NOT NULL, coalesce(array_to_string(streams, ', '), '') FROM cube.rebuild WHERE swapped_at IS NULL";
	char program[64] = GRACECUBE_VERSION;
	bool is_other = false;
	enum gc_verdict verdict = open_own(r, err);

	status->state = GC_REBUILD_EMPTY;
	if (verdict == GC_OK)
		verdict = gc_pg_query(r->own, sql, NULL, 0, take_status, status, err);
	if (verdict == GC_OK)
		verdict = gc_pg_query(r->own, "SELECT program FROM cube.rebuild WHERE swapped_at IS NULL", NULL, 0, take_program,
				      program, err);
	if (verdict == GC_OK && status->state == GC_REBUILD_EMPTY)
		verdict = gc_pg_query(r->own, "SELECT count(*) > 0 FROM cube.etl_offset", NULL, 0, take_flag, &is_other, err);
	if (verdict == GC_OK && is_other)
		return gc_fail(err, GC_FATAL, "not_ours", r->schema,
			       "the schema %s holds a cube that is no rebuild; rename one of the two", r->schema);
	if (verdict == GC_OK && strcmp(program, GRACECUBE_VERSION) != 0)
		return gc_fail(
			err, GC_FATAL, "other_program", r->schema,
			"the rebuild was begun by gracecube %s, and this is %s; `gracecube rebuild --abandon` it, then begin again",
			program, GRACECUBE_VERSION);
	return verdict;
}

enum gc_verdict gc_rebuild_look(struct gc_rebuild *r, struct gc_rebuild_status *ret_status, struct gc_err *err)
{
	struct gc_rebuild_status status = { .state = GC_REBUILD_NONE };
	bool is_there = false;
	enum gc_verdict verdict = gc_rebuild_has_schema(r, r->schema, &is_there, err);

	if (verdict == GC_OK)
		verdict = gc_rebuild_has_schema(r, r->old_schema, &status.has_old, err);
	if (verdict == GC_OK && status.has_old)
		verdict = gc_rebuild_is_unfinished(r, &status.is_unfinished, err);
	if (verdict == GC_OK && is_there)
		verdict = look_inside(r, &status, err);
	if (verdict == GC_OK)
		*ret_status = status;
	return verdict;
}

/* ---- places ---- */

static void add_place(void *arg, const char *const *values, int columns)
{
	struct gc_rebuild_places *places = arg;

	(void)columns;
	places->items = gc_realloc(places->items, (places->count + 1) * sizeof(*places->items));
	places->items[places->count++] = (struct gc_rebuild_place){ .offset_id = int_of(values[0]),
								    .topic = gc_strdup(values[1]),
								    .partition = (int32_t)int_of(values[2]),
								    .stream = gc_strdup(values[3]),
								    .first_offset = int_of(values[4]),
								    .live_offset = int_of(values[5]),
								    .next_offset = int_of(values[6]),
								    .low = -1 };
}

void gc_rebuild_places_done(struct gc_rebuild_places *places)
{
	for (size_t i = 0; i < places->count; i++) {
		free(places->items[i].topic);
		free(places->items[i].stream);
	}
	free(places->items);
	*places = (struct gc_rebuild_places){ .count = 0 };
}

static enum gc_verdict read_places(struct gc_pg *pg, const char *sql, const char *parameter, struct gc_rebuild_places *ret_places,
				   struct gc_err *err)
{
	struct gc_rebuild_places places = { .count = 0 };
	enum gc_verdict verdict = gc_pg_query(pg, sql, &parameter, 1, add_place, &places, err);

	if (verdict == GC_OK)
		*ret_places = places;
	else
		gc_rebuild_places_done(&places);
	return verdict;
}

enum gc_verdict gc_rebuild_live_places(struct gc_rebuild *r, struct gc_rebuild_places *ret_places, struct gc_err *err)
{
	static const char sql[] = "SELECT offset_id, topic, partition, stream, first_offset, next_offset, 0 FROM cube.etl_offset"
				  " WHERE group_id = $1 AND offset_id > 0 ORDER BY topic, partition";

	return read_places(r->live, sql, r->live_config->kafka_group_id, ret_places, err);
}

enum gc_verdict gc_rebuild_follow(struct gc_rebuild *r, struct gc_rebuild_places *ret_places, struct gc_err *err)
{
	static const char sql[] =
		"SELECT f.offset_id, f.topic, f.partition, '', 0, f.live_offset, f.next_offset FROM cube.follow_rebuild($1) f";

	return read_places(r->own, sql, r->live_config->cube_schema, ret_places, err);
}

/* ---- the begin ---- */

static void take_text(void *arg, const char *const *values, int columns)
{
	(void)columns;
	snprintf(arg, 512, "%s", values[0]);
}

/* In a transaction of its own, which holds locks only as long as it takes to move five sequences. */
static enum gc_verdict reserve_members(struct gc_rebuild *r, char members[512], struct gc_err *err)
{
	const char *live = r->live_config->cube_schema;
	int64_t until_us = gc_monotonic_us() + NUMBERS_PATIENCE_US;
	enum gc_verdict verdict = gc_pg_do(r->own, "SET lock_timeout = '100ms'", err);

	while (verdict == GC_OK &&
	       (verdict = gc_pg_query(r->own, "SELECT cube.reserve_members($1)", &live, 1, take_text, members, err)) == GC_RETRY &&
	       !r->own->lost && gc_monotonic_us() < until_us) {
		gc_sleep_us(PAUSE_US);
		verdict = GC_OK;
	}
	return verdict == GC_OK ? gc_pg_do(r->own, "SET lock_timeout = '10s'", err) : verdict;
}

/* PostgreSQL's text of three arrays. */
struct place_lists {
	struct gc_span again, lows, followed;
};

static struct place_lists list_places(const struct gc_rebuild_places *places, struct gc_arena *arena)
{
	struct place_lists lists = { GC_LIT("{"), GC_LIT("{"), GC_LIT("{") };

	for (size_t i = 0; i < places->count; i++) {
		const struct gc_rebuild_place *place = &places->items[i];
		struct gc_span *ids = place->is_kept ? &lists.followed : &lists.again;

		if (place->low < 0)
			continue;
		*ids = gc_arena_printf(arena, "%s%s%" PRId64, ids->ptr, ids->len > 1 ? "," : "", place->offset_id);
		if (!place->is_kept)
			lists.lows = gc_arena_printf(arena, "%s%s%" PRId64, lists.lows.ptr, lists.lows.len > 1 ? "," : "",
						     place->low);
	}
	lists.again = gc_arena_printf(arena, "%s}", lists.again.ptr);
	lists.lows = gc_arena_printf(arena, "%s}", lists.lows.ptr);
	lists.followed = gc_arena_printf(arena, "%s}", lists.followed.ptr);
	return lists;
}

static enum gc_verdict fill_begin(struct gc_rebuild *r, const char *members, const struct gc_rebuild_places *places,
				  const char *streams, struct gc_err *err)
{
	static const char sql[] = "SELECT cube.begin_rebuild($1, $2, $3, $4, $5, $6, string_to_array(nullif($7, ''), ', '))";
	struct gc_err ignored;
	struct gc_arena arena;
	enum gc_verdict verdict = gc_pg_do(r->own, "BEGIN ISOLATION LEVEL REPEATABLE READ", err);

	gc_arena_init(&arena);
	if (verdict == GC_OK) {
		struct place_lists lists = list_places(places, &arena);
		const char *values[] = { r->live_config->cube_schema,
					 GRACECUBE_VERSION,
					 members,
					 lists.again.ptr,
					 lists.lows.ptr,
					 lists.followed.ptr,
					 streams };

		verdict = gc_pg_query(r->own, sql, values, 7, NULL, NULL, err);
	}
	if (verdict == GC_OK)
		verdict = gc_pg_do(r->own, "COMMIT", err);
	if (verdict != GC_OK && gc_pg_do(r->own, "ROLLBACK", &ignored) != GC_OK)
		gc_debug("the transaction ended with its connection", GC_ERR_FIELDS(&ignored));
	gc_arena_done(&arena);
	return verdict;
}

enum gc_verdict gc_rebuild_begin(struct gc_rebuild *r, const struct gc_rebuild_places *places, const char *streams,
				 struct gc_err *err)
{
	struct gc_migration migration = { .dry_run = false };
	char members[512] = "";
	enum gc_verdict verdict = gc_pg_migrate(&r->config, &migration, err);

	if (verdict == GC_OK)
		verdict = open_own(r, err);
	if (verdict == GC_OK)
		verdict = reserve_members(r, members, err);
	return verdict == GC_OK ? fill_begin(r, members, places, streams, err) : verdict;
}

enum gc_verdict gc_rebuild_end_reading(struct gc_rebuild *r, struct gc_err *err)
{
	const char *live = r->live_config->cube_schema;

	return gc_pg_query(r->own, "SELECT cube.end_reading($1)", &live, 1, NULL, NULL, err);
}

/* ---- the difference ---- */

static enum gc_verdict link_all(struct gc_pg *pg, struct gc_err *err)
{
	int64_t done = 0;
	enum gc_verdict verdict;

	do
		verdict = gc_pg_link_slice(pg, KEYS_AT_ONCE, &done, err);
	while (verdict == GC_OK && done > 0);
	return verdict;
}

enum gc_verdict gc_rebuild_link(struct gc_rebuild *r, struct gc_err *err)
{
	enum gc_verdict verdict = link_all(r->own, err);

	return verdict == GC_OK ? link_all(r->live, err) : verdict;
}

enum gc_verdict gc_rebuild_freeze(struct gc_rebuild *r, struct gc_err *err)
{
	enum gc_verdict verdict = gc_pg_do(r->own,
					   "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT count(*) FROM cube.rebuild",
					   err);

	gc_rebuild_let_go(r);
	return verdict;
}

struct comparison {
	struct gc_arena arena;
	struct gc_rebuild_difference *items;
	const char **keys;
	size_t count;
	struct gc_rebuild_metric metrics[32];
	size_t metric_count;
	bool is_live;
};

static void take_comparison(void *arg, const char *const *values, int columns)
{
	struct comparison *c = arg;

	(void)columns;
	c->items = gc_realloc(c->items, (c->count + 1) * sizeof(*c->items));
	c->keys = gc_realloc((void *)c->keys, (c->count + 1) * sizeof(*c->keys));
	c->keys[c->count] = values[2] ? gc_arena_dup(&c->arena, gc_span_of(values[2])).ptr : NULL;
	c->items[c->count++] = (struct gc_rebuild_difference){ .kind = gc_arena_dup(&c->arena, gc_span_of(values[0])).ptr,
							       .subject = gc_arena_dup(&c->arena, gc_span_of(values[1])).ptr };
}

struct taken {
	struct gc_arena *arena;
	struct gc_rebuild_difference *difference;
};

static void take_difference(void *arg, const char *const *values, int columns)
{
	struct taken *taken = arg;

	(void)columns;
	taken->difference->both_sides = int_of(values[0]);
	taken->difference->only_live = int_of(values[1]);
	taken->difference->only_rebuilt = int_of(values[2]);
	taken->difference->different = int_of(values[3]);
	taken->difference->example = values[4] ? gc_arena_dup(taken->arena, gc_span_of(values[4])).ptr : NULL;
}

static enum gc_verdict compare_one(struct gc_rebuild *r, struct comparison *c, size_t i, struct gc_err *err)
{
	struct taken taken = { &c->arena, &c->items[i] };
	const char *values[] = { r->live_config->cube_schema, c->items[i].subject, c->keys[i] };

	if (c->keys[i])
		return gc_pg_query(r->own, "SELECT * FROM cube.compare_rows($1, $2, $3)", values, 3, take_difference, &taken, err);
	return gc_pg_query(r->own, "SELECT * FROM cube.compare_cells($1, $2)", values, 2, take_difference, &taken, err);
}

static void take_metric(void *arg, const char *const *values, int columns)
{
	struct comparison *c = arg;
	size_t i = c->metric_count++;
	double value = values[1] ? strtod(values[1], NULL) : NAN;

	(void)columns;
	if (i >= sizeof(c->metrics) / sizeof(c->metrics[0]))
		return;
	if (c->is_live)
		c->metrics[i] = (struct gc_rebuild_metric){ gc_arena_dup(&c->arena, gc_span_of(values[0])).ptr, value, NAN };
	else
		c->metrics[i].rebuilt = value;
}

static enum gc_verdict read_metrics(struct gc_rebuild *r, struct comparison *c, struct gc_err *err)
{
	const char *schemas[] = { r->live_config->cube_schema, r->schema };
	enum gc_verdict verdict = GC_OK;

	for (int side = 0; verdict == GC_OK && side < 2; side++) {
		c->is_live = side == 0;
		c->metric_count = 0;
		verdict = gc_pg_query(r->own, "SELECT * FROM cube.main_metrics($1)", &schemas[side], 1, take_metric, c, err);
	}
	return verdict;
}

enum gc_verdict gc_rebuild_compare(struct gc_rebuild *r, void (*each)(void *arg, const struct gc_rebuild_difference *difference),
				   void (*metric)(void *arg, const struct gc_rebuild_metric *metric), void *arg, struct gc_err *err)
{
	struct comparison c = { .count = 0 };
	struct gc_err ignored;
	enum gc_verdict verdict;

	gc_arena_init(&c.arena);
	verdict = gc_pg_query(r->own, "SELECT * FROM cube.what_is_compared()", NULL, 0, take_comparison, &c, err);
	for (size_t i = 0; verdict == GC_OK && i < c.count; i++) {
		verdict = compare_one(r, &c, i, err);
		if (verdict == GC_OK)
			each(arg, &c.items[i]);
	}
	if (verdict == GC_OK)
		verdict = read_metrics(r, &c, err);
	for (size_t i = 0; verdict == GC_OK && i < c.metric_count; i++)
		metric(arg, &c.metrics[i]);
	if (gc_pg_do(r->own, "ROLLBACK", &ignored) != GC_OK)
		gc_debug("the transaction ended with its connection", GC_ERR_FIELDS(&ignored));
	free((void *)c.keys);
	free(c.items);
	gc_arena_done(&c.arena);
	return verdict;
}
