/* gracecube dead retry and discard, and what a command line selects.
 *
 * Guarantee: what was told as done is durable; what was not done is left as it was. Threads: the main thread; the signal handler sets a flag.
 */
#include <inttypes.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include <gracecube/stop.h>
#include <gracecube/stream.h>

#include "cli/dead.h"
#include "cli/output.h"
#include "worker/letters.h"

/* ---- what is selected ---- */

static const char *list_ids(struct gc_command_line *line, struct gc_arena *arena, const char **ret_bad)
{
	struct gc_span list = GC_LIT("{");
	int64_t id;

	for (int i = 0; i < line->arg_count; i++) {
		if (!gc_span_int64(gc_span_of(line->args[i]), &id) || id < 1) {
			*ret_bad = line->args[i];
			return NULL;
		}
		list = gc_arena_printf(arena, "%s%s%" PRId64, list.ptr, i ? "," : "", id);
	}
	return gc_arena_printf(arena, "%s}", list.ptr).ptr;
}

int gc_dead_select(struct gc_command_line *line, struct gc_arena *arena, struct gc_letter_selection *ret_selection)
{
	const struct dead_options *o = line->options;
	bool has_filters = o->topic || o->stream || o->code || o->since_us;
	const char *bad = NULL, *ids = line->arg_count > 0 ? list_ids(line, arena, &bad) : NULL;

	if (gc_dead_check_flags(line))
		return GC_EXIT_USAGE;
	if (bad)
		return gc_command_misuse(line, "%s is no id; `gracecube dead list` shows them", bad);
	if ((ids != NULL) + has_filters + o->all > 1)
		return gc_command_misuse(line, "ids, filters and --all exclude each other");
	if (!ids && !has_filters && !o->all)
		return gc_command_misuse(line, "which ones? Name ids, or --topic, --stream, --code, --since, or --all");
	*ret_selection = (struct gc_letter_selection){
		.ids = ids,
		.topic = o->topic,
		.stream = o->stream,
		.code = o->code,
		.since_us = o->since_us,
		.state = (enum gc_letter_state)o->state,
		.last_id = INT64_MAX,
	};
	return GC_EXIT_DONE;
}

struct named {
	const struct gc_letter_selection *selection;
	int64_t missing, left;
	char missing_id[24];
};

static bool is_selected(enum gc_letter_state state, bool is_discarded)
{
	return state == GC_LETTER_ANY ||
	       (is_discarded ? state == GC_LETTER_DISCARDED : state == GC_LETTER_RETRIED || state == GC_LETTER_KEPT);
}

/* An id that was named: is it there, and is there something to be done? */
static void take_named(void *arg, const char *const *values, int columns)
{
	struct named *named = arg;
	const char *id = values[0], *outcome = values[2], *at = values[3], *by = values[4];
	bool is_discarded = outcome && strcmp(outcome, "discarded") == 0;

	(void)columns;
	if (!values[1]) {
		named->missing++;
		snprintf(named->missing_id, sizeof(named->missing_id), "%s", id);
	} else if (outcome && !is_selected(named->selection->state, is_discarded)) {
		named->left += is_discarded;
		if (is_discarded)
			fprintf(stderr, "gracecube: %s was discarded at %s by %s\n", id, at, by);
		else
			fprintf(stderr, "gracecube: %s was retried at %s by %s: %s\n", id, at, by, outcome);
	}
}

static enum gc_verdict check_named(struct gc_pg *pg, const struct gc_letter_selection *selection, int64_t *ret_left,
				   struct gc_err *err)
{
	static const char sql[] =
		"SELECT i.id, d.dead_letter_id, d.outcome, to_char(d.worked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), d.worked_by"
		" FROM unnest($1::bigint[]) AS i (id) LEFT JOIN cube.etl_dead_letter d ON d.dead_letter_id = i.id ORDER BY 1 DESC";
	struct named named = { .selection = selection };
	enum gc_verdict verdict = gc_pg_query(pg, sql, &selection->ids, 1, take_named, &named, err);

	*ret_left = named.left;
	if (verdict || !named.missing)
		return verdict;
	if (named.missing == 1)
		return gc_fail(err, GC_REJECT, "no_such_id", named.missing_id,
			       "there is no dead letter with this id; nothing was done");
	return gc_fail(err, GC_REJECT, "no_such_id", named.missing_id,
		       "there are no dead letters with this and %" PRId64 " more of the ids; nothing was done", named.missing - 1);
}

enum gc_verdict gc_dead_count(struct gc_pg *pg, const char *group, struct gc_letter_selection *selection, int64_t *ret_count,
			      int64_t *ret_left, struct gc_err *err)
{
	enum gc_verdict verdict = GC_OK;

	selection->group = group;
	*ret_left = 0;
	if (selection->ids)
		verdict = check_named(pg, selection, ret_left, err);
	if (!verdict)
		verdict = gc_pg_count_letters(pg, selection, ret_count, &selection->last_id, err);
	if (!verdict && *ret_count == 0 && !selection->ids)
		verdict = gc_dead_explain_nothing(pg, group, err);
	return verdict;
}

const char *gc_dead_who(char *buffer, size_t bytes)
{
	const struct passwd *user = getpwuid(geteuid());
	char host[128] = "";

	if (gethostname(host, sizeof(host) - 1) != 0 || !*host)
		snprintf(host, sizeof(host), "localhost");
	if (user)
		snprintf(buffer, bytes, "%s@%s", user->pw_name, host);
	else
		snprintf(buffer, bytes, "uid %ld@%s", (long)geteuid(), host);
	return buffer;
}

bool gc_dead_was_stopped(void)
{
	if (gc_stop_was_asked())
		fprintf(stderr,
			"gracecube: stopped by a signal before the end; what was done stays, and the same command goes on\n");
	return gc_stop_was_asked();
}

/* ---- retry ---- */

static const struct gc_table_column refused_columns[] = {
	{ "id", true, 0 },    { "topic", false, 0 }, { "partition", true, 0 }, { "offset", true, 0 },
	{ "tries", true, 0 }, { "code", false, 0 },  { "where", false, 40 },   { "reason", false, 0 },
};

struct retried {
	const struct dead_options *options;
	int64_t selected, left, counts[GC_LETTER_OUTCOMES];
	struct gc_table refused;
	json_t *letters; /* NULL when a table is wanted */
};

static void add_refused(struct retried *retried, const struct gc_letter *letter)
{
	gc_table_add_int(&retried->refused, letter->id);
	gc_table_add(&retried->refused, letter->message.topic.ptr);
	gc_table_add_int(&retried->refused, letter->message.partition);
	gc_table_add_int(&retried->refused, letter->message.offset);
	gc_table_add_int(&retried->refused, letter->tries + 1);
	gc_table_add(&retried->refused, letter->code.ptr);
	gc_table_add(&retried->refused, letter->where.ptr);
	gc_table_add(&retried->refused, letter->reason.ptr);
}

static void add_refused_json(struct retried *retried, const struct gc_letter *letter)
{
	json_array_append_new(retried->letters,
			      json_pack("{s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "id", (json_int_t)letter->id, "topic",
					gc_output_text_json(letter->message.topic.ptr), "partition",
					(json_int_t)letter->message.partition, "offset", (json_int_t)letter->message.offset,
					"tries", (json_int_t)letter->tries + 1, "code", gc_output_text_json(letter->code.ptr),
					"where", gc_output_text_json(letter->where.ptr), "reason",
					gc_output_text_json(letter->reason.ptr)));
}

static void take_retried(void *arg, const struct gc_letter *letter)
{
	struct retried *retried = arg;

	retried->counts[letter->outcome]++;
	if (letter->outcome != GC_LETTER_REFUSED || retried->counts[GC_LETTER_REFUSED] > retried->options->limit)
		return;
	if (retried->letters)
		add_refused_json(retried, letter);
	else
		add_refused(retried, letter);
}

static int64_t done_of(const struct retried *retried)
{
	int64_t done = 0;

	for (int i = 0; i < GC_LETTER_OUTCOMES; i++)
		done += retried->counts[i];
	return done;
}

static void print_retried(struct retried *retried)
{
	const int64_t *counts = retried->counts;

	if (retried->letters) {
		gc_output_print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "selected",
					       (json_int_t)retried->selected, "retried", (json_int_t)done_of(retried), "applied",
					       (json_int_t)counts[GC_LETTER_APPLIED], "superseded",
					       (json_int_t)counts[GC_LETTER_SUPERSEDED], "ignored",
					       (json_int_t)counts[GC_LETTER_IGNORED], "refused",
					       (json_int_t)counts[GC_LETTER_REFUSED], "stopped", gc_stop_was_asked(),
					       "refused_letters", json_incref(retried->letters)),
				     false);
		return;
	}
	if (done_of(retried) == 0)
		return;
	gc_table_print(&retried->refused, stdout);
	if (counts[GC_LETTER_REFUSED] > retried->options->limit)
		printf("… the first %" PRId64 " of %" PRId64 "; --limit shows more\n", retried->options->limit,
		       counts[GC_LETTER_REFUSED]);
	printf("retried %" PRId64 " of %" PRId64 " dead letters: %" PRId64 " applied, %" PRId64 " superseded, %" PRId64
	       " without meaning here, %" PRId64 " refused again\n",
	       done_of(retried), retried->selected, counts[GC_LETTER_APPLIED], counts[GC_LETTER_SUPERSEDED],
	       counts[GC_LETTER_IGNORED], counts[GC_LETTER_REFUSED]);
}

static enum gc_verdict retry_selected(struct retried *retried, struct gc_config *cfg, struct gc_letter_selection *selection,
				      struct gc_err *err)
{
	char who[256];
	struct gc_letters_run run = { .config = cfg, .by = gc_dead_who(who, sizeof(who)), .each = take_retried, .arg = retried };
	struct gc_pg *pg = NULL;
	enum gc_verdict verdict = gc_dead_open(cfg, &pg, err);

	if (!verdict)
		verdict = gc_dead_count(pg, cfg->kafka_group_id, selection, &retried->selected, &retried->left, err);
	gc_pg_close(pg);
	if (!verdict && retried->selected > 0)
		verdict = gc_letters_retry(&run, selection, err);
	return verdict;
}

static bool is_left(const struct retried *retried)
{
	return retried->counts[GC_LETTER_REFUSED] > 0 || retried->left > 0;
}

int gc_dead_retry(struct gc_command_line *line)
{
	struct retried retried = { .options = line->options, .letters = line->json ? json_array() : NULL };
	struct gc_letter_selection selection;
	struct gc_config cfg;
	struct gc_arena arena;
	struct gc_err err;
	enum gc_verdict verdict = GC_OK;
	int code;

	gc_arena_init(&arena);
	gc_table_init(&retried.refused, refused_columns, sizeof(refused_columns) / sizeof(refused_columns[0]));
	code = gc_dead_select(line, &arena, &selection);
	if (!code && gc_command_config(line, &cfg, &err)) {
		code = gc_command_fail(&err);
	} else if (!code) {
		selection.state = retried.options->again ? GC_LETTER_KEPT : GC_LETTER_WAITING;
		gc_stop_on_signals(0);
		verdict = retry_selected(&retried, &cfg, &selection, &err);
		if (!verdict || done_of(&retried) > 0)
			print_retried(&retried);
		code = verdict                                      ? gc_command_fail(&err)
		       : gc_dead_was_stopped() || is_left(&retried) ? GC_EXIT_FINDINGS
								    : GC_EXIT_DONE;
		gc_config_free(&cfg);
	}
	json_decref(retried.letters);
	gc_table_done(&retried.refused);
	gc_arena_done(&arena);
	return code;
}

/* ---- discard ---- */

#define DISCARD_AT_ONCE 1000

struct discarded {
	int64_t selected, left, discarded;
};

static enum gc_verdict discard_all(struct gc_pg *pg, struct gc_letter_selection *selection, struct discarded *discarded,
				   struct gc_err *err)
{
	char who[256];
	int64_t found, done;
	enum gc_verdict verdict;

	gc_dead_who(who, sizeof(who));
	do {
		found = done = 0;
		verdict = gc_pg_discard_letters(pg, selection, DISCARD_AT_ONCE, who, &found, &done, err);
		discarded->discarded += done;
	} while (!verdict && found > 0 && !gc_stop_was_asked());
	return verdict;
}

static void print_discarded(const struct discarded *discarded, bool as_json)
{
	if (as_json)
		gc_output_print_json(json_pack("{s:I, s:I, s:b}", "selected", (json_int_t)discarded->selected, "discarded",
					       (json_int_t)discarded->discarded, "stopped", gc_stop_was_asked()),
				     false);
	else if (discarded->selected > 0)
		printf("discarded %" PRId64 " of %" PRId64 " dead letters\n", discarded->discarded, discarded->selected);
}

int gc_dead_discard(struct gc_command_line *line)
{
	struct discarded discarded = { 0 };
	struct gc_letter_selection selection;
	struct gc_config cfg;
	struct gc_arena arena;
	struct gc_pg *pg = NULL;
	struct gc_err err;
	enum gc_verdict verdict;
	int code;

	gc_arena_init(&arena);
	code = gc_dead_select(line, &arena, &selection);
	if (!code && gc_command_config(line, &cfg, &err)) {
		code = gc_command_fail(&err);
	} else if (!code) {
		gc_stop_on_signals(0);
		verdict = gc_dead_open(&cfg, &pg, &err);
		if (!verdict)
			verdict = gc_dead_count(pg, cfg.kafka_group_id, &selection, &discarded.selected, &discarded.left, &err);
		if (!verdict && discarded.selected > 0)
			verdict = discard_all(pg, &selection, &discarded, &err);
		if (!verdict || discarded.discarded > 0)
			print_discarded(&discarded, line->json);
		code = verdict ? gc_command_fail(&err) : gc_dead_was_stopped() ? GC_EXIT_FINDINGS : GC_EXIT_DONE;
		gc_pg_close(pg);
		gc_config_free(&cfg);
	}
	gc_arena_done(&arena);
	return code;
}
