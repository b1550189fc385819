/* gracecube verify: proves the cube, in one snapshot.
 *
 * Guarantee: everything compared inside the database is of one moment, while writers go on. Kafka's ends are read after
 * it, so that a position is never taken for being beyond them because a record came in between.
 * Threads: the main thread asks; a second one, with a connection of its own, shows how far the answer is.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <gracecube/sink.h>

#include "cli/output.h"
#include "cli/command.h"
#include "cli/group.h"
#include "kafka/client.h"
#include "cli/progress.h"

/* What takes less shows nothing. */
#define QUIET_US (2 * GC_SECOND_US)
#define LOOK_INTERVAL_US (GC_SECOND_US / 2)

struct verify_options {
	bool quiet;
	int64_t timeout_us;
	int progress; /* enum gc_progress_mode */
};

struct position {
	const char *topic;
	int32_t partition;
	int64_t next_offset;
};

struct verify {
	const struct verify_options *options;
	const char *group;
	struct gc_arena arena;
	struct gc_table table; /* all checks, with --quiet those that differ */
	json_t *checks;
	struct position *positions;
	size_t position_count, position_capacity;
	int64_t check_count, compared, differing;
	const char *example;  /* the first difference; NULL for none */
	struct gc_err kafka;  /* why Kafka was not compared; verdict GC_OK when it was */
	int64_t not_in_kafka; /* positions of topics that Kafka does not have */
};

/* ---- progress ---- */

/* The one statement tells nothing before its end, but it locks every table when it comes to it, and locks can be seen. */
static const char progress_sql[] =
	"SELECT count(*), count(l.relation) FROM (SELECT to_regclass(format('cube.%I', rollup)) AS oid FROM cube.rollup"
	" UNION SELECT to_regclass(format('cube.%I', 'key_' || target)) FROM cube.fact) t"
	" LEFT JOIN (SELECT DISTINCT relation FROM pg_locks WHERE pid = $1::int AND locktype = 'relation') l ON l.relation = t.oid";

struct watcher {
	const struct gc_config *cfg;
	enum gc_progress_mode mode;
	char pid[24]; /* of the backend that verifies */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
};

struct extent {
	int64_t tables, begun;
};

static void take_extent(void *arg, const char *const *values, int columns)
{
	(void)columns;
	*(struct extent *)arg = (struct extent){ gc_answer_int(values[0], 0), gc_answer_int(values[1], 0) };
}

/* True when the work was done before the time was over. */
static bool wait_done(struct watcher *watcher, int64_t us)
{
	struct timespec until;
	bool done;

	clock_gettime(CLOCK_MONOTONIC, &until);
	us += until.tv_nsec / 1000;
	until.tv_sec += us / GC_SECOND_US;
	until.tv_nsec = us % GC_SECOND_US * 1000;
	pthread_mutex_lock(&watcher->lock);
	while (!watcher->done && pthread_cond_timedwait(&watcher->changed, &watcher->lock, &until) == 0)
		;
	done = watcher->done;
	pthread_mutex_unlock(&watcher->lock);
	return done;
}

static void watch_locks(struct watcher *watcher, struct gc_pg *pg)
{
	const char *values[] = { watcher->pid };
	struct gc_progress progress;
	struct extent extent;
	struct gc_err err;

	gc_progress_start(&progress, watcher->mode, "verify", "tables", 0);
	do {
		if (gc_pg_query(pg, progress_sql, values, 1, take_extent, &extent, &err))
			break;
		progress.total = extent.tables;
		gc_progress_at(&progress, extent.begun > 0 ? extent.begun - 1 : 0);
	} while (!wait_done(watcher, LOOK_INTERVAL_US));
	gc_progress_end(&progress);
}

/* Progress is a courtesy: without a connection for it there is none. */
static void *watch(void *arg)
{
	struct watcher *watcher = arg;
	struct gc_pg *pg = NULL;
	struct gc_err err;

	if (!wait_done(watcher, QUIET_US) && gc_pg_open(watcher->cfg, "gracecube verify progress", &pg, &err) == GC_OK)
		watch_locks(watcher, pg);
	gc_pg_close(pg);
	return NULL;
}

static void take_pid(void *arg, const char *const *values, int columns)
{
	struct watcher *watcher = arg;

	(void)columns;
	snprintf(watcher->pid, sizeof(watcher->pid), "%s", values[0]);
}

static enum gc_verdict start_watcher(struct watcher *watcher, struct gc_pg *pg, struct gc_err *err)
{
	pthread_condattr_t monotonic;
	enum gc_verdict verdict = gc_pg_query(pg, "SELECT pg_backend_pid()", NULL, 0, take_pid, watcher, err);

	if (verdict)
		return verdict;
	pthread_mutex_init(&watcher->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&watcher->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&watcher->thread, NULL, watch, watcher) != 0)
		return gc_fail(err, GC_RETRY, "thread", "", "the system gives no thread; try again");
	return GC_OK;
}

static void stop_watcher(struct watcher *watcher)
{
	pthread_mutex_lock(&watcher->lock);
	watcher->done = true;
	pthread_cond_signal(&watcher->changed);
	pthread_mutex_unlock(&watcher->lock);
	pthread_join(watcher->thread, NULL);
	pthread_cond_destroy(&watcher->changed);
	pthread_mutex_destroy(&watcher->lock);
}

/* ---- checks ---- */

static const struct gc_table_column columns[] = {
	{ "check", false, 0 }, { "of", false, 0 }, { "compared", true, 0 }, { "differing", true, 0 }, { "example", false, 0 },
};

static void add_count(struct gc_table *table, int64_t number)
{
	char text[GC_ANSWER_BYTES];

	gc_table_add(table, gc_answer_count(number, text, sizeof(text)));
}

static void add_check(struct verify *verify, const char *name, const char *subject, int64_t compared, int64_t differing,
		      const char *example)
{
	verify->check_count++;
	verify->compared += compared;
	verify->differing += differing;
	if (differing && !verify->example)
		verify->example = gc_arena_dup(&verify->arena, gc_span_of(example)).ptr;
	json_array_append_new(verify->checks, json_pack("{s:o, s:o, s:I, s:I, s:o}", "check", gc_answer_text_json(name), "of",
							gc_answer_text_json(subject), "compared", (json_int_t)compared, "differing",
							(json_int_t)differing, "example", gc_answer_text_json(example)));
	if (verify->options->quiet && differing == 0)
		return;
	gc_table_add(&verify->table, name);
	gc_table_add(&verify->table, subject);
	add_count(&verify->table, compared);
	add_count(&verify->table, differing);
	gc_table_add(&verify->table, example ? example : "");
}

static void take_check(void *arg, const char *const *values, int count)
{
	(void)count;
	add_check(arg, values[0], values[1], gc_answer_int(values[2], 0), gc_answer_int(values[3], 0), values[4]);
}

static void take_position(void *arg, const char *const *values, int count)
{
	struct verify *verify = arg;

	(void)count;
	if (verify->position_count == verify->position_capacity) {
		verify->position_capacity = verify->position_capacity ? 2 * verify->position_capacity : 64;
		verify->positions = gc_realloc(verify->positions, verify->position_capacity * sizeof(*verify->positions));
	}
	verify->positions[verify->position_count++] = (struct position){
		.topic = gc_arena_dup(&verify->arena, gc_span_of(values[0])).ptr,
		.partition = (int32_t)gc_answer_int(values[1], 0),
		.next_offset = gc_answer_int(values[2], 0),
	};
}

/* ---- the database ---- */

/* The lock comes before the snapshot, and is kept: no month is dropped in between (see sinks/sql/code/2_engine/retention.sql).
 * client_connection_check_interval: after Ctrl-C the server would otherwise go on to the end. */
static const char *const begin_sql[] = {
	"SET lock_timeout = 0",
	"SELECT pg_advisory_lock_shared(7240009)",
	"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	"SET LOCAL statement_timeout = 0",
	"SET LOCAL client_connection_check_interval = '5s'",
};

static enum gc_verdict begin_snapshot(struct gc_pg *pg, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	for (size_t i = 0; !verdict && i < sizeof(begin_sql) / sizeof(begin_sql[0]); i++)
		verdict = gc_pg_query(pg, begin_sql[i], NULL, 0, NULL, NULL, err);
	return verdict;
}

static enum gc_verdict read_snapshot(struct verify *verify, struct gc_pg *pg, struct gc_err *err)
{
	static const char positions_sql[] = "SELECT topic, partition, next_offset FROM cube.etl_offset WHERE group_id = $1"
					    " ORDER BY topic, partition";
	enum gc_verdict verdict = begin_snapshot(pg, err);

	if (!verdict)
		verdict = gc_pg_query(pg, positions_sql, &verify->group, 1, take_position, verify, err);
	if (!verdict)
		verdict = gc_pg_query(pg, "SELECT check_name, subject, compared, differing, example FROM cube.verify()", NULL, 0,
				      take_check, verify, err);
	if (!verdict)
		verdict = gc_pg_query(pg, "COMMIT", NULL, 0, NULL, NULL, err);
	return verdict;
}

/* For the metrics and the alerts. Who may only read verifies all the same. */
static void note_result(const struct verify *verify, struct gc_pg *pg)
{
	char checks[24], compared[24], differing[24];
	const char *values[] = { checks, compared, differing, verify->example };
	struct gc_err err;

	snprintf(checks, sizeof(checks), "%" PRId64, verify->check_count);
	snprintf(compared, sizeof(compared), "%" PRId64, verify->compared);
	snprintf(differing, sizeof(differing), "%" PRId64, verify->differing);
	if (gc_pg_query(pg, "SELECT cube.note_verification($1, $2, $3, $4)", values, 4, NULL, NULL, &err))
		gc_debug("the result is not written down", GC_ERR_FIELDS(&err));
}

static enum gc_verdict verify_database(struct verify *verify, struct gc_config *cfg, struct gc_err *err)
{
	struct watcher watcher = { .cfg = cfg, .mode = (enum gc_progress_mode)verify->options->progress };
	struct gc_pg *pg = NULL;
	enum gc_verdict verdict = gc_pg_open(cfg, "gracecube verify", &pg, err);

	if (!verdict)
		verdict = gc_group_settle(cfg, pg, err);
	verify->group = cfg->kafka_group_id;
	if (!verdict)
		verdict = start_watcher(&watcher, pg, err);
	if (!verdict) {
		verdict = read_snapshot(verify, pg, err);
		stop_watcher(&watcher);
	}
	if (!verdict)
		note_result(verify, pg);
	gc_pg_close(pg);
	return verdict;
}

/* ---- Kafka ---- */

/* Those of the positions whose partition Kafka has; returns how many. */
static size_t pick_existing(struct verify *verify, const struct gc_kafka_topic *topics, struct gc_kafka_watermarks *marks,
			    struct position *picked)
{
	size_t count = 0;

	for (size_t i = 0; i < verify->position_count; i++) {
		const struct position *position = &verify->positions[i];

		if (position->partition >= topics[i].partitions)
			continue;
		marks[count] = (struct gc_kafka_watermarks){ .topic = position->topic, .partition = position->partition };
		picked[count++] = *position;
	}
	verify->not_in_kafka = (int64_t)(verify->position_count - count);
	return count;
}

static void compare_positions(struct verify *verify, const struct position *positions, const struct gc_kafka_watermarks *marks,
			      size_t count)
{
	int64_t compared = 0, beyond = 0;
	char example[400] = "";

	for (size_t i = 0; i < count; i++) {
		compared += marks[i].high >= 0;
		if (marks[i].high < 0 || positions[i].next_offset <= marks[i].high)
			continue;
		if (beyond++ == 0)
			snprintf(example, sizeof(example),
				 "%s[%d]: the next offset is %" PRId64 ", Kafka ends at %" PRId64
				 ": the topic was made anew, or kafka.brokers names another cluster",
				 marks[i].topic, (int)marks[i].partition, positions[i].next_offset, marks[i].high);
	}
	add_check(verify, "positions are within Kafka", "etl_offset", compared, beyond, beyond ? example : NULL);
}

static enum gc_verdict ask_kafka(struct verify *verify, rd_kafka_t *rk, struct gc_err *err)
{
	size_t n = verify->position_count;
	struct gc_kafka_topic *topics = gc_calloc(n + 1, sizeof(*topics));
	struct gc_kafka_watermarks *marks = gc_calloc(n + 1, sizeof(*marks));
	struct position *picked = gc_calloc(n + 1, sizeof(*picked));
	enum gc_verdict verdict;
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		topics[i].name = verify->positions[i].topic;
	verdict = gc_kafka_topics(rk, topics, n, verify->options->timeout_us, err);
	if (!verdict) {
		count = pick_existing(verify, topics, marks, picked);
		verdict = gc_kafka_watermarks(rk, marks, count, verify->options->timeout_us, err);
	}
	if (!verdict)
		compare_positions(verify, picked, marks, count);
	free(topics);
	free(marks);
	free(picked);
	return verdict;
}

static void verify_kafka(struct verify *verify, const struct gc_config *cfg)
{
	struct gc_kafka_client *client = NULL;
	struct gc_err *err = &verify->kafka;

	if (gc_kafka_open(cfg, &client, err))
		return;
	if (ask_kafka(verify, client->rk, err))
		gc_kafka_explain(client, err);
	gc_kafka_close(client);
}

/* ---- the answer ---- */

static void print_json(struct verify *verify)
{
	bool asked = verify->kafka.verdict == GC_OK;

	gc_answer_print_json(json_pack("{s:b, s:I, s:I, s:I, s:b, s:o, s:I, s:O}", "equal", verify->differing == 0, "checks_run",
				       (json_int_t)verify->check_count, "comparisons", (json_int_t)verify->compared, "differing",
				       (json_int_t)verify->differing, "kafka_compared", asked, "kafka_error",
				       asked ? json_null() : gc_answer_text_json(verify->kafka.text), "partitions_not_in_kafka",
				       (json_int_t)verify->not_in_kafka, "checks", verify->checks),
			     false);
}

static void print_notes(const struct verify *verify)
{
	if (verify->kafka.verdict)
		printf("Kafka was not asked whether the positions are within its topics: %s\n", verify->kafka.text);
	else if (verify->not_in_kafka)
		printf("%" PRId64 " partitions with a position are not in Kafka: their topics are gone, or kafka.brokers names"
		       " another cluster\n",
		       verify->not_in_kafka);
	else if (verify->position_count == 0)
		printf("group %s has read nothing yet\n", verify->group);
}

static void print_sum(const struct verify *verify)
{
	char checks[GC_ANSWER_BYTES], compared[GC_ANSWER_BYTES], differing[GC_ANSWER_BYTES];

	printf("verify: %s checks, %s comparisons, ", gc_answer_count(verify->check_count, checks, sizeof(checks)),
	       gc_answer_count(verify->compared, compared, sizeof(compared)));
	if (verify->differing)
		printf("%s differing\n", gc_answer_count(verify->differing, differing, sizeof(differing)));
	else
		puts("all equal");
}

static void print_answer(struct verify *verify, bool as_json)
{
	bool silent = verify->options->quiet && verify->differing == 0;

	if (as_json) {
		print_json(verify);
		return;
	}
	gc_table_print(&verify->table, stdout);
	if (silent)
		return;
	putchar('\n');
	print_notes(verify);
	print_sum(verify);
}

static int run_verify(struct gc_command_line *line)
{
	struct verify verify = { .options = line->options, .kafka = { .verdict = GC_OK } };
	struct gc_config cfg;
	struct gc_err err;
	enum gc_verdict verdict;

	if (gc_command_config(line, &cfg, &err))
		return gc_command_fail(&err);
	verify.checks = json_array();
	gc_arena_init(&verify.arena);
	gc_table_init(&verify.table, columns, sizeof(columns) / sizeof(columns[0]));
	verdict = verify_database(&verify, &cfg, &err);
	if (!verdict) {
		verify_kafka(&verify, &cfg);
		print_answer(&verify, line->json);
	}
	gc_table_done(&verify.table);
	gc_arena_done(&verify.arena);
	free(verify.positions);
	json_decref(verify.checks);
	gc_config_free(&cfg);
	if (verdict)
		return gc_command_fail(&err);
	return verify.differing ? GC_EXIT_FINDINGS : GC_EXIT_DONE;
}

static const struct gc_flag flags[] = {
	{ "quiet", 'q', NULL, "print only what differs; nothing when all is equal", GC_FLAG_BOOL,
	  .offset = offsetof(struct verify_options, quiet) },
	{ "timeout", 0, "TIME", "how long Kafka may take to answer", GC_FLAG_DURATION,
	  .offset = offsetof(struct verify_options, timeout_us), .initially = "10s", .min = GC_SECOND_US, .max = GC_HOUR_US },
	{ "progress", 0, "HOW", "how progress is shown", GC_FLAG_CHOICE, .offset = offsetof(struct verify_options, progress),
	  .choices = gc_progress_modes, .initially = "auto" },
	{ .name = NULL },
};

const struct gc_command gc_command_verify = {
	.name = "verify",
	.summary = "proves that the cube is exact, or shows what differs",
	.usage = "verify [options]",
	.help = "Examples:\n"
		"  gracecube verify\n"
		"  gracecube verify --quiet || echo 'the cube needs a look'\n"
		"  gracecube verify --json | jq '.checks[] | select(.differing > 0)'\n"
		"\n"
		"Compares, in one snapshot of the database and while writers go on: each rollup with the same sums over its facts;\n"
		"applied + superseded + dead + ignored records with the offsets that were read; facts with their keys, minutes,\n"
		"dimensions and the links between them; the ranges of the histories. Then the positions with the ends of the topics\n"
		"in Kafka; when Kafka is away it says so and leaves that out. It reads everything, so it takes a while on a large\n"
		"cube; progress goes to stderr. It changes nothing.\n"
		"\n"
		"Where something differs, `example` names the first place. The facts are the truth, rollups follow from them.\n"
		"\n"
		"Exit codes: 0 all equal; 1 something differs; 2 wrong words; 69 PostgreSQL not reachable; 78 wrong configuration, a\n"
		"refused login, a missing right, or no cube in the database.\n",
	.flags = flags,
	.options_bytes = sizeof(struct verify_options),
	.has_json = true,
	.run = run_verify,
};
