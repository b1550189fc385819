/* Old data, step by step: see gracecube/retention.h. The plan is asked for once, then each table is worked off in short transactions of which
 * SQL knows the next; a lock that is not given at once is asked for again. Threads: none.
 */
#include "pg.h"

#include <gracecube/log.h>
#include <gracecube/retention.h>
#include <gracecube/stream.h>
#include <gracecube/time.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ONE_AT_A_TIME "7240010"
#define PAUSE_US (GC_SECOND_US / 5)

/* ---- what the options say ---- */

static const struct {
	const char *kind; /* as in cube.aged() */
	size_t offset;
} kinds[] = {
	{ "dead_letters", offsetof(struct gc_config, retention_dead_letters_us) },
	{ "quality_issues", offsetof(struct gc_config, retention_quality_issues_us) },
	{ "gaps", offsetof(struct gc_config, retention_gaps_us) },
	{ "marks", offsetof(struct gc_config, retention_marks_us) },
	{ "histories", offsetof(struct gc_config, retention_histories_us) },
	{ "hourly_rollups", offsetof(struct gc_config, retention_hourly_rollups_us) },
	{ "daily_rollups", offsetof(struct gc_config, retention_daily_rollups_us) },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int64_t kept_us(const struct gc_config *config, size_t kind)
{
	return *(const int64_t *)(const void *)((const char *)config + kinds[kind].offset);
}

static int64_t facts_kept_us(const struct gc_config *config, size_t stream)
{
	int64_t own = config->streams[stream].retention_us;

	return own > 0 ? own : config->retention_facts_us;
}

bool gc_retention_is_set(const struct gc_config *config)
{
	bool is_set = config->retention_facts_us > 0;

	for (size_t i = 0; i < KINDS; i++)
		is_set = is_set || kept_us(config, i) > 0;
	for (size_t i = 0; i < config->stream_count; i++)
		is_set = is_set || config->streams[i].retention_us > 0;
	return is_set;
}

/* Three arrays in PostgreSQL's text form. Words are of our own tables: nothing in them needs quoting. */
struct policy {
	char kinds[1024], targets[2048], seconds[1024];
};

static void put_word(char *array, size_t bytes, const char *word)
{
	size_t used = strlen(array);

	snprintf(array + used, bytes - used, "%s%s", used ? "," : "{", word);
}

static void close_array(char *array, size_t bytes)
{
	size_t used = strlen(array);

	snprintf(array + used, bytes - used, "%s", used ? "}" : "{}");
}

static void put_rule(struct policy *policy, const char *kind, const char *target, int64_t us)
{
	char seconds[24];

	snprintf(seconds, sizeof(seconds), "%" PRId64, us / GC_SECOND_US);
	put_word(policy->kinds, sizeof(policy->kinds), kind);
	put_word(policy->targets, sizeof(policy->targets), target);
	put_word(policy->seconds, sizeof(policy->seconds), seconds);
}

/* A stream's facts are those of its first target; of dimensions and of the mesh, whose facts are other streams', SQL takes no notice. */
static struct policy policy_of(const struct gc_config *config)
{
	struct policy policy = { .kinds = "" };

	for (size_t i = 0; i < config->stream_count; i++) {
		const struct gc_stream *stream = gc_stream_find(gc_span_of(config->streams[i].name));

		if (stream && facts_kept_us(config, i) > 0)
			put_rule(&policy, "facts", stream->targets[0]->name, facts_kept_us(config, i));
	}
	for (size_t i = 0; i < KINDS; i++) {
		if (kept_us(config, i) > 0)
			put_rule(&policy, kinds[i].kind, "NULL", kept_us(config, i));
	}
	close_array(policy.kinds, sizeof(policy.kinds));
	close_array(policy.targets, sizeof(policy.targets));
	close_array(policy.seconds, sizeof(policy.seconds));
	return policy;
}

/* ---- the plan ---- */

struct plan {
	struct gc_arena arena;
	struct gc_expiry *items;
	const char **before; /* of each item, as SQL wrote it */
	size_t count, capacity;
};

static int64_t int_of(const char *value)
{
	return value ? strtoll(value, NULL, 10) : 0;
}

static void take_item(void *arg, const char *const *values, int columns)
{
	struct plan *plan = arg;

	(void)columns;
	if (plan->count == plan->capacity) {
		plan->capacity = plan->capacity ? 2 * plan->capacity : 32;
		plan->items = gc_realloc(plan->items, plan->capacity * sizeof(*plan->items));
		plan->before = gc_realloc(plan->before, plan->capacity * sizeof(*plan->before));
	}
	plan->before[plan->count] = gc_arena_dup(&plan->arena, gc_span_of(values[2])).ptr;
	plan->items[plan->count++] = (struct gc_expiry){ .kind = gc_arena_dup(&plan->arena, gc_span_of(values[0])).ptr,
							 .table = gc_arena_dup(&plan->arena, gc_span_of(values[1])).ptr,
							 .before_us = int_of(values[3]),
							 .rows = int_of(values[4]),
							 .bytes = int_of(values[5]) };
}

static enum gc_verdict read_plan(struct gc_pg *pg, const struct gc_config *config, struct plan *plan, struct gc_err *err)
{
	static const char sql[] = "SELECT kind, subject, before, (extract(epoch FROM before) * 1000000)::bigint, amount, bytes"
				  " FROM cube.plan_retention($1, $2, $3)";
	struct policy policy = policy_of(config);
	const char *values[] = { policy.kinds, policy.targets, policy.seconds };

	return gc_pg_query(pg, sql, values, 3, take_item, plan, err);
}

/* ---- one table ---- */

struct work {
	struct gc_pg *pg;
	const struct gc_retention *retention;
};

static bool is_stopped(const struct work *work)
{
	return work->retention->is_stopped && work->retention->is_stopped(work->retention->arg);
}

/* Until the locks that it needs are free for once. */
static enum gc_verdict ask(struct work *work, const char *sql, const char *const *values, int count,
			   void (*take)(void *arg, const char *const *values, int columns), void *arg, struct gc_err *err)
{
	int64_t until_us = gc_monotonic_us() + work->retention->patience_us;
	char blocker[GC_PG_BLOCKER_BYTES];
	enum gc_verdict verdict;

	while ((verdict = gc_pg_query(work->pg, sql, values, count, take, arg, err)) == GC_RETRY && !work->pg->lost &&
	       gc_monotonic_us() < until_us && !is_stopped(work))
		gc_sleep_us(PAUSE_US);
	if (verdict == GC_RETRY && !work->pg->lost && strcmp(err->code, "55P03") == 0)
		return gc_fail(err, GC_RETRY, "lock", values[0],
			       "it is in use all the while, most likely by %s; end that, or try again when it is over",
			       gc_pg_find_blocker(work->pg, blocker));
	if (verdict == GC_RETRY && !work->pg->lost && strcmp(err->code, "55006") == 0) {
		struct gc_err why = *err;

		return gc_fail(err, GC_RETRY, "lock", values[0], "it is %s; end that, or try again when it is over", why.text);
	}
	return verdict;
}

static void take_step(void *arg, const char *const *values, int columns)
{
	(void)columns;
	snprintf(arg, 32, "%s", values[0] ? values[0] : "");
}

static void add_rows(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(int64_t *)arg += int_of(values[0]);
}

static enum gc_verdict drop_months(struct work *work, struct gc_expiry *item, const char *before, struct gc_err *err)
{
	char step[32];
	const char *values[] = { item->table, before, step };
	enum gc_verdict verdict;

	while (!is_stopped(work)) {
		verdict = ask(work, "SELECT cube.next_step($1, $2)", values, 2, take_step, step, err);
		if (verdict != GC_OK || *step == '\0') {
			item->is_done = verdict == GC_OK;
			return verdict;
		}
		verdict = ask(work, "SELECT cube.do_step($1, $2, $3)", values, 3, add_rows, &item->rows, err);
		if (verdict != GC_OK)
			return verdict;
	}
	return GC_OK;
}

struct piece {
	int64_t gone;
	char next[24]; /* block, empty at the end */
};

static void take_piece(void *arg, const char *const *values, int columns)
{
	struct piece *piece = arg;

	(void)columns;
	piece->gone += int_of(values[0]);
	snprintf(piece->next, sizeof(piece->next), "%s", values[1] ? values[1] : "");
}

static enum gc_verdict trim_table(struct work *work, struct gc_expiry *item, const char *before, struct gc_err *err)
{
	struct piece piece = { .next = "0" };
	char block[sizeof(piece.next)];
	const char *values[] = { item->table, item->kind, before, block };

	while (!is_stopped(work)) {
		enum gc_verdict verdict;

		snprintf(block, sizeof(block), "%s", piece.next);
		verdict = ask(work, "SELECT gone, next_block FROM cube.trim_piece($2, $1, $3, $4)", values, 4, take_piece, &piece,
			      err);
		item->rows = piece.gone;
		item->is_done = verdict == GC_OK && piece.next[0] == '\0';
		if (verdict != GC_OK || item->is_done)
			return verdict;
	}
	return GC_OK;
}

static enum gc_verdict work_off(struct work *work, struct gc_expiry *item, const char *before, struct gc_err *err)
{
	item->rows = 0;
	return strcmp(item->kind, "facts") == 0 ? drop_months(work, item, before, err) : trim_table(work, item, before, err);
}

/* ---- all ---- */

/* What one table's readers, or its wrong sums, keep is no reason to keep the others; without a connection there is no going on. */
static enum gc_verdict work_off_all(struct work *work, struct plan *plan, struct gc_retention *retention, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (size_t i = 0; i < plan->count && !is_stopped(work); i++) {
		struct gc_err why;
		enum gc_verdict one = retention->dry_run ? GC_OK : work_off(work, &plan->items[i], plan->before[i], &why);

		if (retention->each)
			retention->each(retention->arg, &plan->items[i]);
		if (one == GC_OK)
			continue;
		*err = why;
		verdict = one;
		retention->left++;
		gc_warn("old data is kept until the next time", GC_S("table", plan->items[i].table), GC_ERR_FIELDS(&why));
		if (work->pg->lost)
			break;
	}
	return verdict;
}

static void take_flag(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(bool *)arg = values[0][0] == 't';
}

static enum gc_verdict retain(struct gc_pg *pg, const struct gc_config *config, struct gc_retention *retention, struct gc_err *err)
{
	struct work work = { pg, retention };
	struct plan plan = { .count = 0 };
	bool is_ours = retention->dry_run;
	enum gc_verdict verdict = gc_pg_do(pg, "SET statement_timeout = 0; SET client_connection_check_interval = '5s'", err);

	if (verdict == GC_OK && !is_ours)
		verdict = gc_pg_query(pg, "SELECT pg_try_advisory_lock(" ONE_AT_A_TIME ")", NULL, 0, take_flag, &is_ours, err);
	retention->is_elsewhere = verdict == GC_OK && !is_ours;
	if (verdict != GC_OK || !is_ours)
		return verdict;
	gc_arena_init(&plan.arena);
	verdict = read_plan(pg, config, &plan, err);
	if (verdict == GC_OK)
		verdict = work_off_all(&work, &plan, retention, err);
	gc_arena_done(&plan.arena);
	free(plan.items);
	free(plan.before);
	return verdict;
}

enum gc_verdict gc_pg_retain(const struct gc_config *config, struct gc_retention *retention, struct gc_err *err)
{
	struct gc_pg *pg = NULL;
	enum gc_verdict verdict = gc_pg_open(config, "gracecube retention", &pg, err);

	retention->is_elsewhere = false;
	retention->left = 0;
	if (verdict == GC_OK)
		verdict = retain(pg, config, retention, err);
	gc_pg_close(pg);
	return verdict;
}
